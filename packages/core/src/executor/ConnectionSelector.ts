/**
 * **Select**, the first verb of every call: from a caller and a reference to the connection, its integration and its plugin.
 *
 * Reads records only. Whether the connection may be used is told apart from whether it is there.
 */
import * as Effect from "effect/Effect"
import type { CompiledTemplate } from "../auth/AuthTemplate.ts"
import { type ConnectionRow, originsChanged, statusInForce } from "../connection/Connection.ts"
import { ConnectionCredentialError, ConnectionNotFoundError } from "../connection/ConnectionError.ts"
import type { InvalidConnectionInputError } from "../connection/ConnectionError.ts"
import {
  connectionAddress,
  connectionKey,
  type ConnectionKey,
  type ConnectionRef,
} from "../connection/ConnectionRef.ts"
import type { StoreUnavailableError } from "../error/StoreError.ts"
import type { Identity } from "../identity/Identity.ts"
import { type CompiledIntegration, compiledIntegration, type IntegrationRecord } from "../integration/Integration.ts"
import { IntegrationNotFoundError, PluginNotRegisteredError } from "../integration/IntegrationError.ts"
import type { Plugin } from "../integration/Plugin.ts"
import { andThen } from "./andThen.ts"
import { reauthRequired } from "./oauth/refreshFailures.ts"
import type { Resources } from "./Resources.ts"

/** A connection with everything that its use needs to know. */
export interface SelectedConnection {
  readonly identity: Identity
  readonly row: ConnectionRow
  readonly integration: IntegrationRecord
  readonly compiled: CompiledIntegration
}

/** What selecting can fail with. */
export type SelectError =
  ConnectionNotFoundError | IntegrationNotFoundError | InvalidConnectionInputError | StoreUnavailableError

/** Finds a connection for a caller by its reference; the name may be in its original spelling. */
export const selectConnection = (
  resources: Resources,
  identity: Identity,
  ref: ConnectionRef,
): Effect.Effect<SelectedConnection, SelectError> => {
  // A caller without a subject sees no user connections: there is nothing wrong with the address.
  if (ref.owner === "user" && identity.subject === null) return notFound(ref)
  return andThen(connectionKey(identity, ref), (key) => selectByKey(resources, identity, key))
}

/** Finds a connection by its key. */
export const selectByKey = (
  resources: Resources,
  identity: Identity,
  key: ConnectionKey,
): Effect.Effect<SelectedConnection, SelectError> =>
  andThen(resources.store.connections.get(key), (row): Effect.Effect<SelectedConnection, SelectError> => {
    if (row === undefined) return notFound(key)
    return andThen(resources.store.integrations.get(identity.tenant, row.integration), (integration) =>
      integration === undefined
        ? Effect.fail(new IntegrationNotFoundError({ integration: row.integration }))
        : Effect.succeed({ identity, row, integration, compiled: compiledIntegration(integration) }),
    )
  })

/** The plugin of an integration. */
export const pluginOf = (
  resources: Resources,
  integration: IntegrationRecord,
): Effect.Effect<Plugin, PluginNotRegisteredError> => {
  const plugin = resources.plugins.get(integration.plugin)
  return plugin === undefined
    ? Effect.fail(new PluginNotRegisteredError({ integration: integration.slug, plugin: integration.plugin }))
    : Effect.succeed(plugin)
}

/** The template of a connection that may be used, or why it may not. */
export const usableTemplate = (
  selected: SelectedConnection,
): Effect.Effect<CompiledTemplate, ConnectionCredentialError> => {
  const { row, compiled } = selected
  const { status, statusReason } = statusInForce(row, compiled.origins)
  if (status === "disabled") {
    return Effect.fail(
      new ConnectionCredentialError({
        code: "connection_disabled",
        connection: connectionAddress(row),
        reason: statusReason ?? "disabled",
        nextStep:
          statusReason === originsChanged
            ? "Its integration now sends to another origin. If that is right, confirm with connections.enable."
            : "It stays out of use until connections.enable is called for it.",
        retryable: false,
        authRequired: false,
      }),
    )
  }
  if (status === "expired") {
    if (row.grant !== null) return Effect.fail(reauthRequired(row, statusReason ?? "expired"))
    return Effect.fail(
      new ConnectionCredentialError({
        code: "connection_expired",
        connection: connectionAddress(row),
        reason: statusReason ?? "expired",
        nextStep: "Connect the account again, or save a new credential under the same name.",
        retryable: false,
        authRequired: true,
      }),
    )
  }
  const template = compiled.template(row.template)
  return template === undefined
    ? Effect.fail(
        new ConnectionCredentialError({
          code: "connection_disabled",
          connection: connectionAddress(row),
          reason: "template_removed",
          nextStep:
            "Its integration no longer has the auth template that it was created with; create it again with one that it has.",
          retryable: false,
          authRequired: true,
        }),
      )
    : Effect.succeed(template)
}

const notFound = (ref: ConnectionRef): Effect.Effect<never, ConnectionNotFoundError> =>
  Effect.fail(new ConnectionNotFoundError({ connection: connectionAddress(ref) }))
