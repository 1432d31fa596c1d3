/**
 * Tells the plugin of a connection that what it holds open for it is of no more use.
 *
 * Called by whoever removes, disables or replaces a connection.
 */
import * as Effect from "effect/Effect"
import type { ConnectionKey } from "../../connection/ConnectionRef.ts"
import { connectionText } from "../authorize/ConnectionHandle.ts"
import { callHandler } from "../call/callHandler.ts"
import type { Resources } from "../Resources.ts"

/** A session is ended by a request that the service may never answer. */
const longestMs = 3_000

/** Has the plugin end what it holds open for a connection; never fails. */
export const releaseConnection = (resources: Resources, key: ConnectionKey): Effect.Effect<void> => {
  const { plugins, store, token } = resources
  if (![...plugins.values()].some(({ release }) => release !== undefined)) return Effect.void
  return store.integrations.get(key.tenant, key.integration, "recent").pipe(
    Effect.flatMap((integration) => {
      const plugin = plugins.get(integration?.plugin ?? "")
      return callHandler(() => plugin?.release?.({ executor: token, connection: connectionText(key) }))
    }),
    Effect.timeoutOption(longestMs),
    Effect.ignoreCause,
  )
}

/** Makes a change that takes a connection out of use: what is open for it ends before, and what began meanwhile after. */
export const releasing = <A, E>(
  resources: Resources,
  key: ConnectionKey,
  change: Effect.Effect<A, E>,
): Effect.Effect<A, E> =>
  Effect.andThen(
    releaseConnection(resources, key),
    Effect.tap(change, () => resources.inBackground(releaseConnection(resources, key))),
  )
