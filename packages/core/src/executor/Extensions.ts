/**
 * What plugins add to the executor: their extensions, made with a context that acts for the executor's identity.
 *
 * An extension is made when it is first asked for, so that `withIdentity` costs nothing for plugins that a request never uses.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { ConnectionCredentialError } from "../connection/ConnectionError.ts"
import { connectionAddress, type ConnectionRef } from "../connection/ConnectionRef.ts"
import type { Identity } from "../identity/Identity.ts"
import type { EffectPluginContext, Fetch, Plugin, PluginContext } from "../integration/Plugin.ts"
import { audited } from "./audit/AuditLog.ts"
import { sendAnonymous, toFetch } from "./authorize/AuthorizedFetch.ts"
import { connectionFetch } from "./authorize/connectionFetch.ts"
import { resolveValues } from "./connections/Connections.ts"
import {
  getIntegration,
  listIntegrations,
  registerIntegration,
  removeIntegration,
} from "./integrations/Integrations.ts"
import { probeOAuth } from "./oauth/probeOAuth.ts"
import type { Resources } from "./Resources.ts"

/** The extension of a plugin as the Effect surface shows it, or `undefined` when it has none. */
export const makeExtension = (resources: Resources, identity: Identity, plugin: Plugin): object | undefined =>
  plugin.effectExtension === undefined
    ? plugin.extension?.(promiseContext(resources, identity, plugin))
    : plugin.effectExtension(effectContext(resources, identity, plugin))

const effectContext = (resources: Resources, identity: Identity, plugin: Plugin): EffectPluginContext => ({
  identity,
  integrations: {
    register: (input) => audited(resources, registerIntegration(resources, identity, plugin, input)),
    get: (slug) => getIntegration(resources, identity, slug),
    list: () => listIntegrations(resources, identity, {}),
    remove: (slug) => audited(resources, removeIntegration(resources, identity, slug)),
  },
  connections: {
    fetch: (ref) => connectionFetch(resources, identity, ref),
    resolveValue: (ref) => valueOf(resources, identity, ref),
    resolveValues: (ref) => resolveValues(resources, identity, ref),
  },
  oauth: { probe: (input) => probeOAuth(resources, input) },
  fetch: openFetch(resources),
})

const promiseContext = (resources: Resources, identity: Identity, plugin: Plugin): PluginContext => ({
  identity,
  integrations: {
    register: (input) => Effect.runPromise(audited(resources, registerIntegration(resources, identity, plugin, input))),
    get: (slug) => Effect.runPromise(getIntegration(resources, identity, slug)),
    list: () => Effect.runPromise(listIntegrations(resources, identity, {})),
    remove: (slug) => Effect.runPromise(audited(resources, removeIntegration(resources, identity, slug))),
  },
  connections: {
    fetch: (ref) => connectionFetch(resources, identity, ref),
    resolveValue: (ref) => Effect.runPromise(Effect.map(valueOf(resources, identity, ref), Redacted.value)),
    resolveValues: (ref) => Effect.runPromise(Effect.map(resolveValues(resources, identity, ref), unwrapped)),
  },
  oauth: { probe: (input) => Effect.runPromise(probeOAuth(resources, input)) },
  fetch: openFetch(resources),
})

const openFetch = (resources: Resources): Fetch => toFetch((request) => sendAnonymous(resources, undefined, request))

const valueOf = (resources: Resources, identity: Identity, ref: ConnectionRef) =>
  Effect.flatMap(resolveValues(resources, identity, ref), (values) => {
    const value = values.get("token")
    return value === undefined
      ? Effect.fail(
          new ConnectionCredentialError({
            code: "connection_value_missing",
            connection: connectionAddress(ref),
            reason: "no variable token",
            nextStep: "Its template has no variable of that name; use resolveValues.",
            retryable: false,
            authRequired: false,
          }),
        )
      : Effect.succeed(value)
  })

/** The wall to Promise authors, who have no wrapper for secrets. */
const unwrapped = (values: ReadonlyMap<string, Redacted.Redacted>): Readonly<Record<string, string>> => {
  const record = Object.create(null) as Record<string, string>
  for (const [name, value] of values) record[name] = Redacted.value(value)
  return record
}
