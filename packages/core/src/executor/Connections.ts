/**
 * The namespace `executor.connections`: what can be done with saved credentials, for one caller.
 *
 * A connection is created whole or not at all, and a replacement that fails leaves the old credential in place. Writes to one
 * connection happen one at a time within a process; across processes the row's version decides.
 */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { CredentialValues } from "../auth/applyAuth.ts"
import type { CompiledTemplate } from "../auth/AuthTemplate.ts"
import { type Connection, type ConnectionRow, joinOrigins, toConnection } from "../connection/Connection.ts"
import type { ConnectionCredentialError } from "../connection/ConnectionError.ts"
import {
  ConnectionConflictError,
  type ConnectionNotFoundError,
  InvalidConnectionInputError,
} from "../connection/ConnectionError.ts"
import {
  connectionAddress,
  connectionItemId,
  type ConnectionKey,
  connectionKey,
  type ConnectionRef,
} from "../connection/ConnectionRef.ts"
import { type CreateConnectionInput, type CredentialOrigin, credentialOrigin } from "../connection/CreateConnection.ts"
import type { CredentialProviderNotRegisteredError, ProviderError } from "../credential/CredentialError.ts"
import type { CredentialProvider } from "../credential/CredentialProvider.ts"
import { quote } from "../error/KeywardError.ts"
import type { StoreUnavailableError } from "../error/StoreError.ts"
import type { Identity, Owner } from "../identity/Identity.ts"
import { compiledIntegration, type IntegrationRecord } from "../integration/Integration.ts"
import { IntegrationNotFoundError } from "../integration/IntegrationError.ts"
import type { Fetch } from "../integration/Plugin.ts"
import type { Tool, ToolDef } from "../tool/Tool.ts"
import { parseConnectionAddress } from "../tool/ToolAddress.ts"
import { type CredentialSource, sendAuthorized, storedCredential, toFetch } from "./AuthorizedFetch.ts"
import { catalogKey, type CatalogError, ensureSharedCatalog, resolveTools } from "./Catalogs.ts"
import {
  pluginOf,
  selectByKey,
  selectConnection,
  type SelectedConnection,
  type SelectError,
} from "./ConnectionSelector.ts"
import { resolveCredential } from "./CredentialResolver.ts"
import type { EventBody } from "./ExecutorEvent.ts"
import type { Resources } from "./Resources.ts"
import { toTool } from "./Tools.ts"

/** Which connections to list. */
export interface ListConnectionsInput {
  readonly integration?: string | undefined
  readonly owner?: Owner | undefined
  /** At most so many. Default: all. */
  readonly limit?: number | undefined
  /** The address of the last connection of the page before. */
  readonly after?: string | undefined
}

/** What of a connection can be edited; absent leaves it, `null` clears it. */
export interface UpdateConnectionInput {
  readonly description?: string | null | undefined
  readonly identityLabel?: string | null | undefined
}

/** What creating a connection can fail with. Nothing is stored then. */
export type CreateConnectionError =
  | InvalidConnectionInputError
  | IntegrationNotFoundError
  | CredentialProviderNotRegisteredError
  | ProviderError
  | CatalogError
  | ConnectionConflictError

/** Creates or replaces a connection. */
export const createConnection = (
  resources: Resources,
  identity: Identity,
  input: CreateConnectionInput,
): Effect.Effect<Connection, CreateConnectionError> =>
  Effect.flatMap(connectionKey(identity, input), (key) =>
    resources.exclusively(lockOf(key), createUnderLock(resources, identity, key, input)),
  )

const createUnderLock = Effect.fnUntraced(function* (
  resources: Resources,
  identity: Identity,
  key: ConnectionKey,
  input: CreateConnectionInput,
): Effect.fn.Return<Connection, CreateConnectionError> {
  const { store } = resources
  const integration = yield* integrationOf(resources, identity, key.integration)
  const compiled = compiledIntegration(integration)
  const plugin = yield* pluginOf(resources, integration)
  const template = compiled.template(input.template)
  if (template === undefined) return yield* undeclaredTemplate(integration, input.template)
  const label = yield* checkedText("identityLabel", input.identityLabel)
  const description = yield* checkedText("description", input.description)
  const origin = yield* credentialOrigin(input, template)
  const previous = yield* store.connections.get(key)
  const home = yield* homeOf(resources, key, origin)
  const row: ConnectionRow = {
    ...key,
    template: template.slug,
    provider: home.provider,
    origin: origin.kind === "external" ? "external" : "minted",
    items: home.items,
    confirmedOrigins: compiled.origins,
    identityLabel: label ?? null,
    description: description ?? null,
    expiresAt: null,
    oauthClient: null,
    oauthClientOwner: null,
    oauthScope: null,
    status: "active",
    statusReason: null,
    version: (previous?.version ?? 0) + 1,
  }
  const selected: SelectedConnection = { identity, row, integration, compiled }
  // The plugin may need the credential to list tools; it gets the new one without anything being stored yet.
  const own =
    plugin.catalog === "integration"
      ? undefined
      : yield* resolveTools(resources, plugin, integration, {
          selected,
          source: pendingCredential(resources, row, template, origin),
        })
  if (plugin.catalog === "integration") yield* ensureSharedCatalog(resources, plugin, integration)
  yield* Effect.uninterruptible(
    Effect.gen(function* () {
      const restore = origin.kind === "pasted" ? yield* writeItems(resources, row, origin.values) : Effect.void
      const commit = Effect.gen(function* () {
        if (own !== undefined) yield* store.catalogs.put(catalogKey(plugin, integration, row), own)
        if (!(yield* store.connections.put(row, previous?.version ?? 0))) return yield* conflict(row)
      })
      yield* Effect.tapError(commit, () => restore)
      if (previous !== undefined) yield* deleteItems(resources, previous, row)
    }),
  )
  announce(resources, identity, row, { type: previous === undefined ? "connection.created" : "connection.replaced" })
  return toConnection(row, compiled.origins)
})

/** Lists what the caller can see, ordered by integration, owner and name. */
export const listConnections = (
  resources: Resources,
  identity: Identity,
  input: ListConnectionsInput,
): Effect.Effect<ReadonlyArray<Connection>, InvalidConnectionInputError | StoreUnavailableError> =>
  Effect.gen(function* () {
    const after = input.after === undefined ? undefined : parseConnectionAddress(input.after)
    if (input.after !== undefined && after === undefined) {
      return yield* invalid("after", "must be the address of the last connection of the page before.")
    }
    const rows = yield* resources.store.connections.list({
      tenant: identity.tenant,
      subject: identity.subject,
      integration: input.integration,
      owner: input.owner,
      after,
      limit: input.limit ?? Number.MAX_SAFE_INTEGER,
    })
    const origins = new Map<string, string>()
    for (const { integration } of rows) {
      if (origins.has(integration)) continue
      const record = yield* resources.store.integrations.get(identity.tenant, integration)
      origins.set(integration, record === undefined ? "" : joinOrigins(record.origins))
    }
    return rows.map((row) => toConnection(row, origins.get(row.integration) ?? ""))
  })

/** The connection, or `null` when the caller sees none of that reference. */
export const getConnection = (
  resources: Resources,
  identity: Identity,
  ref: ConnectionRef,
): Effect.Effect<Connection | null, SelectError> =>
  Effect.catchTag(Effect.map(selectConnection(resources, identity, ref), view), "ConnectionNotFoundError", () =>
    Effect.succeed(null),
  )

/** Edits label and description. */
export const updateConnection = (
  resources: Resources,
  identity: Identity,
  ref: ConnectionRef,
  input: UpdateConnectionInput,
): Effect.Effect<Connection, SelectError | ConnectionConflictError> =>
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
): Effect.Effect<Connection, SelectError | ConnectionConflictError> =>
  changeRow(resources, identity, ref, { type: "connection.disabled", reason: disabledByHost }, () => ({
    status: "disabled",
    statusReason: disabledByHost,
  }))

/** Puts a connection back into use, and confirms it for the origins that its integration has now. */
export const enableConnection = (
  resources: Resources,
  identity: Identity,
  ref: ConnectionRef,
): Effect.Effect<Connection, SelectError | ConnectionConflictError> =>
  changeRow(resources, identity, ref, { type: "connection.enabled" }, (row, origins) => ({
    status: row.status === "expired" ? "expired" : "active",
    statusReason: row.status === "expired" ? row.statusReason : null,
    confirmedOrigins: origins,
  }))

/**
 * Removes a connection and what was stored for it; items that it only referred to stay.
 *
 * If the provider cannot delete them, the connection stays, disabled with the reason `removal_incomplete`, and the call
 * fails: repeat it. Removing what is not there fails with `ConnectionNotFoundError`.
 */
export const removeConnection = (
  resources: Resources,
  identity: Identity,
  ref: ConnectionRef,
): Effect.Effect<void, RemoveConnectionError> =>
  Effect.flatMap(connectionKey(identity, ref), (key) =>
    resources.exclusively(
      lockOf(key),
      Effect.uninterruptible(
        Effect.gen(function* () {
          const { row } = yield* selectRow(resources, identity, ref)
          yield* Effect.tapError(deleteItems(resources, row, undefined), () =>
            Effect.ignore(resources.store.connections.put(withdrawn(row), row.version)),
          )
          yield* resources.store.connections.remove(row)
          yield* Effect.ignore(
            resources.store.catalogs.remove({ tenant: row.tenant, integration: row.integration, connection: row }),
          )
          announce(resources, identity, row, { type: "connection.removed" })
        }),
      ),
    ),
  )

/** What removing a connection can fail with. */
export type RemoveConnectionError =
  ConnectionNotFoundError | InvalidConnectionInputError | StoreUnavailableError | ProviderError

/** Asks the plugin for the connection's tools again; on failure the catalog stays as it was. */
export const refreshConnection = (
  resources: Resources,
  identity: Identity,
  ref: ConnectionRef,
): Effect.Effect<ReadonlyArray<Tool>, SelectError | CatalogError> =>
  Effect.gen(function* () {
    const selected = yield* selectConnection(resources, identity, ref)
    const plugin = yield* pluginOf(resources, selected.integration)
    const source = storedCredential(resources, selected)
    const isShared = plugin.catalog === "integration"
    const tools: ReadonlyArray<ToolDef> = yield* resolveTools(
      resources,
      plugin,
      selected.integration,
      isShared ? undefined : { selected, source },
    )
    yield* resources.store.catalogs.put(catalogKey(plugin, selected.integration, selected.row), tools)
    announce(resources, identity, selected.row, { type: "connection.refreshed" })
    return tools.map((tool) => toTool(selected.row, tool))
  })

/** A standard `fetch` for one connection, returned at once; the connection is looked up with each request. */
export const connectionFetch = (resources: Resources, identity: Identity, ref: ConnectionRef): Fetch => {
  const key = connectionKey(identity, ref)
  return toFetch((request) =>
    Effect.flatMap(
      Effect.flatMap(key, (known) => selectByKey(resources, identity, known)),
      (selected) =>
        sendAuthorized(resources, selected.compiled.binding, storedCredential(resources, selected), request),
    ),
  )
}

/** The credential values of a connection, for plugins that must see them. */
export const resolveValues = (
  resources: Resources,
  identity: Identity,
  ref: ConnectionRef,
): Effect.Effect<CredentialValues, SelectError | ConnectionCredentialError> =>
  Effect.flatMap(selectConnection(resources, identity, ref), (selected) => {
    const source = storedCredential(resources, selected)
    return Effect.flatMap(source.template, (template) => source.resolve(template))
  })

const disabledByHost = "disabled_by_host"

const withdrawn = (row: ConnectionRow): ConnectionRow => ({
  ...row,
  status: "disabled",
  statusReason: "removal_incomplete",
  version: row.version + 1,
})

const view = ({ row, compiled }: SelectedConnection): Connection => toConnection(row, compiled.origins)

const lockOf = (key: ConnectionKey): string =>
  JSON.stringify(["connection", key.tenant, key.subject, key.integration, key.owner, key.name])

const integrationOf = (
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
  ConnectionNotFoundError | InvalidConnectionInputError | StoreUnavailableError
> =>
  Effect.catchTag(selectConnection(resources, identity, ref), "IntegrationNotFoundError", () =>
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
): Effect.Effect<Connection, SelectError | ConnectionConflictError> =>
  Effect.flatMap(connectionKey(identity, ref), (key) =>
    resources.exclusively(
      lockOf(key),
      Effect.gen(function* () {
        const { row, compiled } = yield* selectConnection(resources, identity, ref)
        const next = { ...row, ...change(row, compiled.origins), version: row.version + 1 }
        if (!(yield* resources.store.connections.put(next, row.version))) return yield* conflict(row)
        announce(resources, identity, next, event)
        return toConnection(next, compiled.origins)
      }),
    ),
  )

interface Home {
  readonly provider: string
  readonly items: ConnectionRow["items"]
}

/** Which provider holds a connection's items, and under which ids. */
const homeOf = (
  resources: Resources,
  key: ConnectionKey,
  origin: CredentialOrigin,
): Effect.Effect<Home, CredentialProviderNotRegisteredError> => {
  switch (origin.kind) {
    case "none":
      return Effect.succeed({ provider: "none", items: [] })
    case "external":
      return Effect.map(resources.providers.get(origin.provider), ({ key: provider }) => ({
        provider,
        items: [...origin.ids],
      }))
    case "pasted":
      return Effect.map(resources.providers.defaultWritable(), ({ key: provider }) => ({
        provider,
        items: [...origin.values.keys()].map((variable) => [variable, connectionItemId(key, variable)] as const),
      }))
  }
}

const pendingCredential = (
  resources: Resources,
  row: ConnectionRow,
  template: CompiledTemplate,
  origin: CredentialOrigin,
): CredentialSource => ({
  connection: connectionAddress(row),
  template: Effect.succeed(template),
  resolve: (needed) =>
    origin.kind === "pasted" ? Effect.succeed(origin.values) : resolveCredential(resources, row, needed),
  resolveAnew: () => Effect.succeed(undefined),
})

/**
 * Writes pasted values and answers how to undo that. A write that fails has been undone already.
 *
 * Undoing puts back what was there before, so that a failed replacement does not cost the old credential.
 */
const writeItems = (
  resources: Resources,
  row: ConnectionRow,
  values: ReadonlyMap<string, Redacted.Redacted>,
): Effect.Effect<Effect.Effect<void>, ProviderError | CredentialProviderNotRegisteredError> =>
  Effect.gen(function* () {
    const { providers } = resources
    const provider = yield* providers.defaultWritable()
    const undo: Array<Effect.Effect<void>> = []
    const undoAll = Effect.suspend(() => Effect.forEach([...undo].reverse(), (one) => one, { discard: true }))
    const writeAll = Effect.gen(function* () {
      for (const [variable, id] of row.items) {
        const value = values.get(variable)
        if (value === undefined) continue
        const before = yield* providers.limited(provider, provider.get(id))
        undo.push(
          Effect.ignore(
            providers.limited(provider, before === undefined ? provider.delete(id) : provider.set(id, before)),
          ),
        )
        yield* providers.limited(provider, provider.set(id, value))
      }
    })
    yield* Effect.tapError(writeAll, () => undoAll)
    return undoAll
  })

/** Deletes what was minted for a row, except what its successor uses. Reading-only and unregistered providers keep theirs. */
const deleteItems = (
  resources: Resources,
  row: ConnectionRow,
  successor: ConnectionRow | undefined,
): Effect.Effect<void, ProviderError> => {
  if (row.origin !== "minted" || row.items.length === 0) return Effect.void
  const provider = resources.providers.writableOf(row.provider)
  if (provider === undefined) return Effect.void
  const kept = new Set(successor?.provider === row.provider ? successor.items.map(([, id]) => id) : [])
  const deleted = Effect.forEach(
    row.items.filter(([, id]) => !kept.has(id)),
    ([, id]) => resources.providers.limited(provider as CredentialProvider, provider.delete(id)),
    { discard: true },
  )
  // A replacement has happened already: what is left over of the old credential must not undo it.
  return successor === undefined ? deleted : Effect.ignore(deleted)
}

const undeclaredTemplate = (
  integration: IntegrationRecord,
  template: string,
): Effect.Effect<never, InvalidConnectionInputError> => {
  const declared = integration.authTemplates.map(({ slug }) => quote(slug))
  return invalid(
    "template",
    `${quote(template)} is not declared by ${quote(integration.slug)} (declared: ${[...declared, '"none"'].join(", ")}).`,
  )
}

const checkedText = (
  field: string,
  text: string | null | undefined,
): Effect.Effect<string | null | undefined, InvalidConnectionInputError> =>
  text === null || text === undefined || (typeof text === "string" && text.length <= 4096)
    ? Effect.succeed(text)
    : invalid(field, "must be text of at most 4096 characters, or null.")

type RowEvent =
  | { readonly type: Exclude<Extract<EventBody["type"], `connection.${string}`>, "connection.disabled"> }
  | { readonly type: "connection.disabled"; readonly reason: string }

const announce = (resources: Resources, identity: Identity, row: ConnectionRow, event: RowEvent): void => {
  if (!resources.hasListener) return
  const named = { connection: connectionAddress(row), integration: row.integration, owner: row.owner }
  resources.emit(identity, { ...event, ...named })
}

const conflict = (row: ConnectionRow): Effect.Effect<never, ConnectionConflictError> =>
  Effect.fail(new ConnectionConflictError({ connection: connectionAddress(row) }))

const invalid = (field: string, fault: string): Effect.Effect<never, InvalidConnectionInputError> =>
  Effect.fail(new InvalidConnectionInputError({ field, fault }))
