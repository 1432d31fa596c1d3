/**
 * Creating a connection, or replacing one: whole or not at all.
 *
 * The tools are resolved with the new credential before anything is stored; then the items, the catalog and the row are written, and
 * a failure puts back what was there. Across processes the row's version decides; whoever loses the race begins anew.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { CompiledTemplate } from "../auth/AuthTemplate.ts"
import { type Connection, type ConnectionRow, firstVersion, toConnection } from "../connection/Connection.ts"
import type { ConnectionConflictError, InvalidConnectionInputError } from "../connection/ConnectionError.ts"
import {
  connectionAddress,
  connectionItemId,
  type ConnectionKey,
  connectionKey,
  itemPartition,
} from "../connection/ConnectionRef.ts"
import { type CreateConnectionInput, type CredentialOrigin, credentialOrigin } from "../connection/CreateConnection.ts"
import type { CredentialProviderNotRegisteredError, ProviderError } from "../credential/CredentialError.ts"
import { quote } from "../error/KeywardError.ts"
import type { StoreUnavailableError } from "../error/StoreError.ts"
import type { Identity } from "../identity/Identity.ts"
import { compiledIntegration, type IntegrationRecord } from "../integration/Integration.ts"
import type { IntegrationNotFoundError } from "../integration/IntegrationError.ts"
import type { ToolDef } from "../tool/Tool.ts"
import type { CatalogKey } from "../tool/ToolCatalog.ts"
import { type CredentialSource } from "./AuthorizedFetch.ts"
import { catalogKey, type CatalogError, ensureSharedCatalog, resolveTools } from "./Catalogs.ts"
import { pluginOf, type SelectedConnection } from "./ConnectionSelector.ts"
import { resolveCredential } from "./CredentialResolver.ts"
import type { Resources } from "./Resources.ts"
import { announce, checkedText, conflict, deleteItems, integrationOf, invalid, lockOf } from "./Connections.ts"

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

/** How often a create that others overtake is begun anew before it gives up. */
const mostAttempts = 8

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
  if (origin.kind === "external") yield* checkReferences(identity, key, origin.ids)
  const previous = yield* store.connections.get(key)
  const home = yield* homeOf(resources, key, origin)
  const first: ConnectionRow = {
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
    grant: null,
    status: "active",
    statusReason: null,
    version: versionAfter(previous, yield* Clock.currentTimeMillis),
  }
  const selected: SelectedConnection = { identity, row: first, integration, compiled }
  // The plugin may need the credential to list tools; it gets the new one without anything being stored yet.
  const own =
    plugin.catalog === "integration"
      ? undefined
      : yield* resolveTools(resources, plugin, integration, {
          selected,
          source: pendingCredential(resources, first, template, origin),
        })
  if (plugin.catalog === "integration") yield* ensureSharedCatalog(resources, plugin, integration)
  const catalog = own === undefined ? undefined : { key: catalogKey(plugin, integration, key), tools: own }
  const { row, replaced } = yield* Effect.uninterruptible(commitRow(resources, first, previous, origin, catalog))
  announce(resources, identity, row, {
    type: replaced === undefined ? "connection.created" : "connection.replaced",
  })
  return toConnection(row, compiled.origins)
})

/**
 * Writes the secrets, then the catalog, then the row, and undoes what it wrote when one of them fails.
 *
 * The row is compare-and-set. When somebody else got there first, their secrets may have been overwritten and ours theirs: so
 * nothing is undone then and everything written once more, as the replacement that this call has become.
 */
const commitRow = (
  resources: Resources,
  first: ConnectionRow,
  replaced: ConnectionRow | undefined,
  origin: CredentialOrigin,
  catalog: { readonly key: CatalogKey; readonly tools: ReadonlyArray<ToolDef> } | undefined,
): Effect.Effect<CommittedRow, CreateConnectionError> =>
  Effect.gen(function* () {
    const { store } = resources
    let previous = replaced
    for (let attempt = 0; attempt < mostAttempts; attempt += 1) {
      if (attempt > 0) previous = yield* store.connections.get(first)
      const row = { ...first, version: versionAfter(previous, yield* Clock.currentTimeMillis) }
      const restoreCatalog = catalog === undefined ? Effect.void : yield* catalogRestorer(resources, catalog.key)
      const restoreItems =
        origin.kind === "pasted" ? yield* writeItems(resources, row, previous, origin.values) : Effect.void
      const isWritten = yield* Effect.onError(
        Effect.gen(function* () {
          if (catalog !== undefined) yield* store.catalogs.put(catalog.key, catalog.tools)
          return yield* store.connections.put(row, previous?.version ?? 0)
        }),
        () => Effect.andThen(restoreCatalog, restoreItems),
      )
      if (!isWritten) continue
      if (previous !== undefined) yield* deleteItems(resources, previous, row)
      return { row, replaced: previous }
    }
    return yield* conflict(first)
  })

interface CommittedRow {
  readonly row: ConnectionRow
  readonly replaced: ConnectionRow | undefined
}

const versionAfter = (previous: ConnectionRow | undefined, now: number): number =>
  previous === undefined ? firstVersion(now) : previous.version + 1

/** How to put a connection's catalog back to what it is now. */
const catalogRestorer = (
  { store }: Resources,
  key: CatalogKey,
): Effect.Effect<Effect.Effect<void>, StoreUnavailableError> =>
  Effect.map(store.catalogs.get(key), (tools) =>
    Effect.ignore(
      Effect.suspend(() => (tools === undefined ? store.catalogs.remove(key) : store.catalogs.put(key, tools))),
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
 * Undoing puts back what was there before, so that a failed replacement does not cost the old credential: the one time when
 * a provider is read at create. An old value that is damaged for good does not keep a new one out.
 */
const writeItems = (
  resources: Resources,
  row: ConnectionRow,
  previous: ConnectionRow | undefined,
  values: ReadonlyMap<string, Redacted.Redacted>,
): Effect.Effect<Effect.Effect<void>, ProviderError | CredentialProviderNotRegisteredError> =>
  Effect.gen(function* () {
    const { providers } = resources
    const provider = yield* providers.defaultWritable()
    const replaced = new Set(previous?.provider === provider.key ? previous.items.map(([, id]) => id) : [])
    const undo: Array<Effect.Effect<void>> = []
    const undoAll = Effect.suspend(() => Effect.forEach([...undo].reverse(), (one) => one, { discard: true }))
    const writeAll = Effect.gen(function* () {
      for (const [variable, id] of row.items) {
        const value = values.get(variable)
        if (value === undefined) continue
        const before = replaced.has(id)
          ? yield* Effect.catchTag(
              providers.call(provider, () => provider.get(id)),
              "ProviderDeniedError",
              () => Effect.undefined,
            )
          : undefined
        undo.push(
          Effect.suspend(() =>
            Effect.ignore(
              providers.call(provider, () => (before === undefined ? provider.delete(id) : provider.set(id, before))),
            ),
          ),
        )
        yield* providers.call(provider, () => provider.set(id, value))
      }
    })
    yield* Effect.tapError(writeAll, () => undoAll)
    return undoAll
  })

/** An external reference must not be a way to what Keyward keeps for another tenant, another user, or a wider owner. */
const checkReferences = (
  identity: Identity,
  { owner }: ConnectionKey,
  ids: ReadonlyMap<string, string>,
): Effect.Effect<void, InvalidConnectionInputError> => {
  const foreign = [...ids.values()].find((id) => itemPartition(identity, owner, id) === "foreign")
  return foreign === undefined
    ? Effect.void
    : invalid(
        "from",
        `the id ${quote(foreign, 200)} is one that Keyward keeps for another owner's connection. Refer to an item of your own, or pass the value.`,
      )
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
