/**
 * The namespace `executor.connections`: what can be done with saved credentials, for one caller.
 *
 * A connection is created whole or not at all, and a replacement that fails leaves the old credential in place. Writes to one
 * connection happen one at a time within a process; across processes the row's version decides.
 */
import * as Effect from "effect/Effect"
import type { CredentialValues } from "../../auth/applyAuth.ts"
import {
  type Connection,
  type ConnectionRow,
  disabledByHost,
  joinOrigins,
  toConnection,
} from "../../connection/Connection.ts"
import {
  ConnectionConflictError,
  type ConnectionCredentialError,
  type ConnectionNotFoundError,
  type InvalidConnectionInputError,
} from "../../connection/ConnectionError.ts"
import { connectionAddress, connectionKey, type ConnectionRef } from "../../connection/ConnectionRef.ts"
import type { ProviderError } from "../../credential/CredentialError.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity, Owner } from "../../identity/Identity.ts"
import { type IntegrationRecord } from "../../integration/Integration.ts"
import { IntegrationNotFoundError } from "../../integration/IntegrationError.ts"
import type { AccessDeniedError } from "../../policy/AccessError.ts"
import { accessInForce } from "../../policy/ConnectionAccess.ts"
import type { Tool, ToolDef } from "../../tool/Tool.ts"
import { parseConnectionAddress } from "../../tool/ToolAddress.ts"
import { type VisibleConnection, visibleConnection, visibleConnections } from "../agents/access.ts"
import { announce, eventOf, type RowEvent } from "../announce.ts"
import { commitChange } from "../audit/commitChange.ts"
import { storedCredential } from "../authorize/CredentialSource.ts"
import { checkedPage } from "../checkedPage.ts"
import { endGrant } from "../oauth/endGrant.ts"
import type { Resources } from "../Resources.ts"
import { pluginOf, type SelectError, selectOwn, visibleRef } from "../select/ConnectionSelector.ts"
import type { CatalogError } from "../tools/Catalogs.ts"
import { catalogKey, resolveTools } from "../tools/resolveTools.ts"
import { toTool } from "../tools/Tools.ts"
import { checkedText, invalid, invalidInput } from "./connectionInput.ts"
import { deleteItems } from "./connectionItems.ts"
import { lockOf } from "./connectionLock.ts"
import { releasing } from "./releaseConnection.ts"

/** Which connections to list. */
export interface ListConnectionsInput {
  readonly integration?: string | undefined
  readonly owner?: Owner | undefined
  /** At most so many. Default: all. */
  readonly limit?: number | undefined
  /** The address of the last connection of the page before. */
  readonly after?: string | undefined
}

/** What changing a connection can fail with. */
export type ChangeConnectionError = SelectError | AccessDeniedError | ConnectionConflictError

/** What of a connection can be edited; absent leaves it, `null` clears it. */
export interface UpdateConnectionInput {
  readonly description?: string | null | undefined
  readonly identityLabel?: string | null | undefined
}

/** Lists what the caller can see, ordered by integration, owner and name. */
export const listConnections = (
  resources: Resources,
  identity: Identity,
  input: ListConnectionsInput,
): Effect.Effect<ReadonlyArray<Connection>, InvalidConnectionInputError | StoreUnavailableError> =>
  Effect.gen(function* () {
    const page = yield* checkedPage(input, invalidInput)
    const after = page.after === undefined ? undefined : parseConnectionAddress(page.after)
    if (page.after !== undefined && after === undefined) {
      return yield* invalid("after", "must be the address of the last connection of the page before.")
    }
    const connections = yield* visibleConnections(resources, identity, {
      tenant: identity.tenant,
      subject: identity.subject,
      integration: input.integration,
      owner: input.owner,
      after,
      limit: page.limit,
    })
    const origins = new Map<string, string>()
    for (const { row } of connections) {
      const { integration } = row
      if (origins.has(integration)) continue
      const record = yield* resources.store.integrations.get(identity.tenant, integration, "recent")
      origins.set(integration, record === undefined ? "" : joinOrigins(record.origins))
    }
    return connections.map((connection) => shownConnection(connection, origins.get(connection.row.integration) ?? ""))
  })

/** The connection, or `null` when the caller sees none of that reference. Its integration may be gone. */
export const getConnection = (
  resources: Resources,
  identity: Identity,
  ref: ConnectionRef,
): Effect.Effect<Connection | null, InvalidConnectionInputError | StoreUnavailableError> =>
  Effect.gen(function* () {
    const known = yield* Effect.catchTag(visibleRef(identity, ref), "ConnectionNotFoundError", () =>
      Effect.succeed(null),
    )
    const connection = known === null ? undefined : yield* visibleConnection(resources, identity, known)
    if (connection === undefined) return null
    const integration = yield* resources.store.integrations.get(identity.tenant, connection.row.integration, "recent")
    return shownConnection(connection, integration === undefined ? "" : joinOrigins(integration.origins))
  })

/** What the caller is shown of a connection, with what is particular to how they come to see it. */
export const shownConnection = ({ row, access, lender }: VisibleConnection, origins: string): Connection => {
  const connection = toConnection(row, origins)
  if (access === undefined) return connection
  const limited = { ...connection, access: accessInForce(access) }
  return lender === undefined ? limited : { ...limited, sharedBy: lender.row.subject }
}

/** Edits label and description. */
export const updateConnection = (
  resources: Resources,
  identity: Identity,
  ref: ConnectionRef,
  input: UpdateConnectionInput,
): Effect.Effect<Connection, ChangeConnectionError> =>
  Effect.gen(function* () {
    const label = yield* checkedText("identityLabel", input.identityLabel)
    const description = yield* checkedText("description", input.description)
    return yield* changeRow(resources, identity, ref, { type: "connection.updated" }, (row) => ({
      identityLabel: label === undefined ? row.identityLabel : label,
      description: description === undefined ? row.description : description,
    }))
  })

/** Takes a connection out of use until it is enabled again. */
export const disableConnection = (
  resources: Resources,
  identity: Identity,
  ref: ConnectionRef,
): Effect.Effect<Connection, ChangeConnectionError> =>
  Effect.flatMap(connectionKey(identity, ref), (key) =>
    releasing(
      resources,
      key,
      changeRow(resources, identity, ref, { type: "connection.disabled", reason: disabledByHost }, () => ({
        status: "disabled",
        statusReason: disabledByHost,
      })),
    ),
  )

/** Puts a connection back into use, and confirms it for the origins that its integration has now. */
export const enableConnection = (
  resources: Resources,
  identity: Identity,
  ref: ConnectionRef,
): Effect.Effect<Connection, ChangeConnectionError> =>
  changeRow(resources, identity, ref, { type: "connection.enabled" }, (row, origins) => ({
    status: row.status === "expired" ? "expired" : "active",
    statusReason: row.status === "expired" ? row.statusReason : null,
    confirmedOrigins: origins,
  }))

/**
 * Removes a connection and what was stored for it; items that it only referred to stay. What an OAuth flow obtained is revoked at its
 * server in the background.
 *
 * If the provider cannot delete them, or the store the connection, it stays, disabled with the reason `removal_incomplete`, and the
 * call fails: repeat it. Removing what is not there fails with `ConnectionNotFoundError`.
 */
export const removeConnection = (
  resources: Resources,
  identity: Identity,
  ref: ConnectionRef,
): Effect.Effect<void, RemoveConnectionError> =>
  Effect.flatMap(connectionKey(identity, ref), (key) =>
    resources.exclusively(
      lockOf(key),
      // Does not wait for a refresh under way: that one finds the row gone, keeps nothing and revokes what it got.
      Effect.flatMap(selectRow(resources, identity, ref), ({ row }) =>
        releasing(resources, row, removeRow(resources, identity, row)),
      ),
    ),
  )

const removeRow = (
  resources: Resources,
  identity: Identity,
  row: ConnectionRow,
): Effect.Effect<void, StoreUnavailableError | ProviderError> =>
  Effect.uninterruptible(
    Effect.gen(function* () {
      yield* Effect.flatten(endGrant(resources, row, undefined))
      const removed = eventOf(row, { type: "connection.removed" })
      const removing = deleteItems(resources, row, undefined).pipe(
        Effect.andThen(resources.store.accounts.remove(row, row.name)),
        Effect.andThen(commitChange(resources, identity, resources.store.connections.remove(row), removed)),
      )
      yield* Effect.tapError(removing, () => withdraw(resources, identity, row))
      // Without effect already, because they name a connection that is gone.
      yield* Effect.ignore(resources.store.access.forgetConnection(row))
      yield* Effect.ignore(
        resources.store.catalogs.remove({ tenant: row.tenant, integration: row.integration, connection: row }),
      )
    }),
  )

/** What removing a connection can fail with. */
export type RemoveConnectionError =
  ConnectionNotFoundError | AccessDeniedError | InvalidConnectionInputError | StoreUnavailableError | ProviderError

/** Asks the plugin for the connection's tools again; on failure the catalog stays as it was. */
export const refreshConnection = (
  resources: Resources,
  identity: Identity,
  ref: ConnectionRef,
): Effect.Effect<ReadonlyArray<Tool>, SelectError | AccessDeniedError | CatalogError> =>
  Effect.gen(function* () {
    const selected = yield* selectOwn(resources, identity, yield* connectionKey(identity, ref))
    const plugin = yield* pluginOf(resources, selected.integration)
    const source = storedCredential(resources, selected)
    const isShared = plugin.catalog === "integration"
    const tools: ReadonlyArray<ToolDef> = yield* resolveTools(
      resources,
      plugin,
      selected.integration,
      isShared ? undefined : { selected, source, isStored: true },
    )
    yield* resources.store.catalogs.put(catalogKey(plugin, selected.integration, selected.row), tools)
    announce(resources, identity, selected.row, { type: "connection.refreshed" })
    return tools.map((tool) => toTool(selected.row, tool))
  })

/** The credential values of a connection, for plugins that must see them. */
export const resolveValues = (
  resources: Resources,
  identity: Identity,
  ref: ConnectionRef,
): Effect.Effect<CredentialValues, SelectError | AccessDeniedError | ConnectionCredentialError> =>
  Effect.flatMap(selectOwn(resources, identity, ref), (selected) => {
    const source = storedCredential(resources, selected)
    return Effect.flatMap(source.template, (template) => source.resolve(template))
  })

/** Has a row say that its removal was begun, as far as the store can write that. */
const withdraw = (resources: Resources, identity: Identity, row: ConnectionRow): Effect.Effect<void> => {
  const statusReason = "removal_incomplete"
  const next: ConnectionRow = { ...row, status: "disabled", statusReason, version: row.version + 1 }
  const write = resources.store.connections.put(next, row.version)
  const disabled = eventOf(next, { type: "connection.disabled", reason: statusReason })
  return Effect.ignore(commitChange(resources, identity, write, disabled))
}

/** The integration that a connection is to be of. */
export const integrationOf = (
  resources: Resources,
  identity: Identity,
  slug: string,
): Effect.Effect<IntegrationRecord, IntegrationNotFoundError | StoreUnavailableError> =>
  Effect.flatMap(
    resources.store.integrations.get(identity.tenant, slug),
    (record): Effect.Effect<IntegrationRecord, IntegrationNotFoundError> =>
      record === undefined ? Effect.fail(new IntegrationNotFoundError({ integration: slug })) : Effect.succeed(record),
  )

/** Finds a row whose integration may be gone: what is to be removed need not be usable. */
const selectRow = (
  resources: Resources,
  identity: Identity,
  ref: ConnectionRef,
): Effect.Effect<
  { readonly row: ConnectionRow },
  ConnectionNotFoundError | AccessDeniedError | InvalidConnectionInputError | StoreUnavailableError
> =>
  Effect.catchTag(selectOwn(resources, identity, ref), "IntegrationNotFoundError", () =>
    Effect.flatMap(connectionKey(identity, ref), (key) =>
      Effect.flatMap(resources.store.connections.get(key), (row) =>
        row === undefined
          ? Effect.die(new Error("unreachable: the row was there a moment ago"))
          : Effect.succeed({ row }),
      ),
    ),
  )

const changeRow = (
  resources: Resources,
  identity: Identity,
  ref: ConnectionRef,
  event: RowEvent,
  change: (row: ConnectionRow, origins: string) => Partial<ConnectionRow>,
): Effect.Effect<Connection, ChangeConnectionError> =>
  Effect.flatMap(connectionKey(identity, ref), (key) =>
    resources.exclusively(
      lockOf(key),
      Effect.gen(function* () {
        const { row: first, compiled } = yield* selectOwn(resources, identity, ref)
        let row = first
        for (let attempt = 0; attempt < mostAttempts; attempt += 1) {
          const next = { ...row, ...change(row, compiled.origins), version: row.version + 1 }
          const write = resources.store.connections.put(next, row.version)
          if (yield* commitChange(resources, identity, write, eventOf(next, event))) {
            return toConnection(next, compiled.origins)
          }
          const current = yield* resources.store.connections.get(row)
          if (current === undefined || !isSameButForTokens(first, current)) break
          row = current
        }
        return yield* conflict(first)
      }),
    ),
  )

/** How often a change is begun anew that a refresh of the connection's tokens got in the way of. */
const mostAttempts = 8

/** Whether nothing of a row has changed but what a refresh writes: that is nobody's edit. */
const isSameButForTokens = (before: ConnectionRow, after: ConnectionRow): boolean =>
  before.grant?.id === after.grant?.id && edited.every((field) => before[field] === after[field])

const edited = [
  "template",
  "provider",
  "confirmedOrigins",
  "identityLabel",
  "description",
  "status",
  "statusReason",
] as const

/** Somebody else wrote the row first. */
const conflict = (row: ConnectionRow): Effect.Effect<never, ConnectionConflictError> =>
  Effect.fail(new ConnectionConflictError({ connection: connectionAddress(row) }))
