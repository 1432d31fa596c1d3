/**
 * The protocol's code, loaded with the first OAuth verb, and what is kept of it per executor.
 *
 * Hosts that only use static credentials pay neither its size nor its start-up time.
 */
import * as Effect from "effect/Effect"
import type { Discovery } from "../../oauth/Discovery.ts"
import type { OAuthHttp } from "../../oauth/OAuthHttp.ts"
import type { Resources } from "../Resources.ts"

/** The barrel `oauth/protocol.ts`. */
type ProtocolModule = typeof import("../../oauth/protocol.ts")

/** The protocol together with one executor's way out. */
export interface Protocol extends ProtocolModule {
  readonly http: OAuthHttp
  /** With its cache. */
  readonly discovery: Discovery
}

/** The protocol for an executor; loaded once per process. */
export const protocolOf = (resources: Resources): Effect.Effect<Protocol> =>
  Effect.suspend(() => {
    const known = protocols.get(resources)
    if (known !== undefined) return Effect.succeed(known)
    return Effect.map(
      Effect.promise(() => load()),
      (module) => {
        const loaded = protocols.get(resources)
        if (loaded !== undefined) return loaded
        const http = module.makeOAuthHttp(resources.egress)
        const protocol: Protocol = { ...module, http, discovery: new module.Discovery(http) }
        protocols.set(resources, protocol)
        return protocol
      },
    )
  })

let loading: Promise<ProtocolModule> | undefined

const load = (): Promise<ProtocolModule> => {
  loading ??= import("../../oauth/protocol.ts").catch((error: unknown) => {
    loading = undefined
    throw error
  })
  return loading
}

const protocols = new WeakMap<Resources, Protocol>()
