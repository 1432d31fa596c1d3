/**
 * **Select**, the first verb of every call: from a caller and a reference to the connection, its integration and its plugin.
 *
 * Reads records only. Whether the connection may be used is told apart from whether it is there.
 */
import * as Effect from "effect/Effect"
import type { CompiledTemplate } from "../../auth/AuthTemplate.ts"
import { originsChanged, statusInForce } from "../../connection/Connection.ts"
import {
  ConnectionCredentialError,
  ConnectionNotFoundError,
  type InvalidConnectionInputError,
} from "../../connection/ConnectionError.ts"
import {
  connectionAddress,
  connectionKey,
  type ConnectionKey,
  type ConnectionRef,
} from "../../connection/ConnectionRef.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity } from "../../identity/Identity.ts"
import { type CompiledIntegration, compiledIntegration, type IntegrationRecord } from "../../integration/Integration.ts"
import { IntegrationNotFoundError, PluginNotRegisteredError } from "../../integration/IntegrationError.ts"
import type { Plugin } from "../../integration/Plugin.ts"
import { AccessDeniedError } from "../../policy/AccessError.ts"
import { toRecipient, type VisibleConnection, visibleConnection } from "../agents/access.ts"
import { andThen } from "../andThen.ts"
import { reauthRequired } from "../oauth/refreshFailures.ts"
import type { Resources } from "../Resources.ts"

/** A connection with everything that its use needs to know. */
export interface SelectedConnection extends VisibleConnection {
  readonly integration: IntegrationRecord
  readonly compiled: CompiledIntegration
}

/** What selecting can fail with. */
export type SelectError =
  ConnectionNotFoundError | IntegrationNotFoundError | InvalidConnectionInputError | StoreUnavailableError

/**
 * Finds a connection that a caller may use by its reference; the name may be in its original spelling. What is not granted to an agent
 * is not there.
 */
export const selectConnection = (
  resources: Resources,
  identity: Identity,
  ref: ConnectionRef,
): Effect.Effect<SelectedConnection, SelectError> =>
  andThen(visibleRef(identity, ref), (known) =>
    andThen(
      visibleConnection(resources, identity, known),
      (connection): Effect.Effect<SelectedConnection, SelectError> =>
        connection === undefined ? notFound(known) : withIntegration(resources, connection),
    ),
  )

/** Finds a connection that a caller may change and hand on: their own, or the organisation's. */
export const selectOwn = (
  resources: Resources,
  identity: Identity,
  ref: ConnectionRef,
): Effect.Effect<SelectedConnection, SelectError | AccessDeniedError> =>
  Effect.flatMap(
    selectConnection(resources, identity, ref),
    (selected): Effect.Effect<SelectedConnection, SelectError | AccessDeniedError> =>
      selected.access === undefined
        ? // What is about to be changed is read as it is stored, and not as calls have it in memory.
          Effect.flatMap(
            resources.store.connections.get(selected.row),
            (row): Effect.Effect<SelectedConnection, ConnectionNotFoundError> =>
              row === undefined ? notFound(ref) : Effect.succeed({ ...selected, row }),
          )
        : Effect.fail(new AccessDeniedError({ address: connectionAddress(selected.row), missing: "owner" })),
  )

/** Finds a connection by its key. */
export const selectByKey = (
  resources: Resources,
  identity: Identity,
  key: ConnectionKey,
): Effect.Effect<SelectedConnection, SelectError> =>
  andThen(resources.store.connections.get(key), (row): Effect.Effect<SelectedConnection, SelectError> =>
    row === undefined ? notFound(key) : withIntegration(resources, { identity, row }),
  )

/** A reference as connections are looked up by; a caller without a subject may mean what is shared with an agent. */
export const visibleRef = (
  identity: Identity,
  ref: ConnectionRef,
): Effect.Effect<ConnectionRef, InvalidConnectionInputError | ConnectionNotFoundError> => {
  // Hosts hand this through from outside.
  const { owner } = (ref ?? {}) as Partial<ConnectionRef>
  if (owner !== "user" || identity.subject !== null) return connectionKey(identity, ref)
  // There is nothing wrong with the address.
  if (identity.agent === undefined) return notFound(ref)
  return connectionKey({ ...identity, subject: "" }, ref)
}

const withIntegration = (
  resources: Resources,
  { identity, row, access, lender }: VisibleConnection,
): Effect.Effect<SelectedConnection, IntegrationNotFoundError | StoreUnavailableError> =>
  andThen(resources.store.integrations.get(identity.tenant, row.integration, "recent"), (integration) =>
    integration === undefined
      ? Effect.fail(new IntegrationNotFoundError({ integration: row.integration }))
      : Effect.succeed({ identity, row, access, lender, integration, compiled: compiledIntegration(integration) }),
  )

/** A shared connection as its owner has it; any other as it is. */
export const asOwner = (selected: SelectedConnection): SelectedConnection =>
  selected.lender === undefined
    ? selected
    : { ...selected.lender, integration: selected.integration, compiled: selected.compiled }

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
): Effect.Effect<CompiledTemplate, ConnectionCredentialError> =>
  selected.lender === undefined
    ? ownTemplate(selected)
    : Effect.mapError(ownTemplate(asOwner(selected)), (error) => toRecipient(error, selected.row))

const ownTemplate = (selected: SelectedConnection): Effect.Effect<CompiledTemplate, ConnectionCredentialError> => {
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
