/**
 * The tools of a connection: found in the store, made by the plugin when they are not there yet.
 *
 * A shared catalog is resolved once per integration revision; a catalog of a connection's own, once per connection.
 */
import * as Effect from "effect/Effect"
import { ConnectionCredentialError } from "../../connection/ConnectionError.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { IntegrationRecord } from "../../integration/Integration.ts"
import type { PluginNotRegisteredError, ToolResolutionError } from "../../integration/IntegrationError.ts"
import type { Plugin } from "../../integration/Plugin.ts"
import type { ToolDef } from "../../tool/Tool.ts"
import { type CatalogKey, ToolCatalog } from "../../tool/ToolCatalog.ts"
import type { InvalidToolError } from "../../tool/ToolError.ts"
import { toRecipient } from "../agents/access.ts"
import { andThen } from "../andThen.ts"
import { storedCredential } from "../authorize/CredentialSource.ts"
import type { Resources } from "../Resources.ts"
import { asOwner, pluginOf, type SelectedConnection } from "../select/ConnectionSelector.ts"
import { catalogSync } from "./CatalogSync.ts"
import { catalogKey, relistTools, resolveTools } from "./resolveTools.ts"

/** What finding a catalog can fail with. */
export type CatalogError =
  StoreUnavailableError | PluginNotRegisteredError | ToolResolutionError | InvalidToolError | ConnectionCredentialError

/** The catalog that a connection's tools are in; resolved now if it is not stored. */
export const catalogOf = (
  resources: Resources,
  selected: SelectedConnection,
): Effect.Effect<ToolCatalog, CatalogError> =>
  selected.lender === undefined
    ? ownCatalog(resources, selected)
    : Effect.mapError(ownCatalog(resources, asOwner(selected)), (error) =>
        error instanceof ConnectionCredentialError ? toRecipient(error, selected.row) : error,
      )

/** The catalog that all connections of an integration share; `undefined` where each has its own, or the plugin is not there. */
export const sharedCatalogOf = (
  resources: Resources,
  integration: IntegrationRecord,
): Effect.Effect<ToolCatalog | undefined, CatalogError> => {
  const plugin = resources.plugins.get(integration.plugin)
  return plugin?.catalog === "integration"
    ? Effect.map(ensureSharedCatalog(resources, plugin, integration), indexed)
    : Effect.undefined
}

/** Resolves and stores a shared catalog unless it is stored. */
export const ensureSharedCatalog = (
  resources: Resources,
  plugin: Plugin,
  integration: IntegrationRecord,
): Effect.Effect<ReadonlyArray<ToolDef>, CatalogError> => {
  const key: CatalogKey = {
    tenant: integration.tenant,
    integration: integration.slug,
    revision: integration.revision,
    connection: null,
  }
  return resources.exclusively(
    JSON.stringify(["catalog", key.tenant, key.integration]),
    Effect.gen(function* () {
      const stored = yield* resources.store.catalogs.get(key)
      if (stored !== undefined) return stored
      const tools = yield* resolveTools(resources, plugin, integration, undefined)
      yield* resources.store.catalogs.put(key, tools)
      return tools
    }),
  )
}

const ownCatalog = (resources: Resources, selected: SelectedConnection): Effect.Effect<ToolCatalog, CatalogError> =>
  andThen(pluginOf(resources, selected.integration), (plugin) => {
    const key = catalogKey(plugin, selected.integration, selected.row)
    return andThen(resources.store.catalogs.get(key, "recent"), (stored): Effect.Effect<ToolCatalog, CatalogError> => {
      if (stored === undefined) return Effect.map(ensureCatalog(resources, plugin, selected), indexed)
      const { catalogMaxAgeMs } = plugin
      if (catalogMaxAgeMs !== undefined && key.connection !== null) {
        if (catalogSync(resources).isOlder(key, catalogMaxAgeMs)) relistTools(resources, plugin, selected, false)
      }
      return Effect.succeed(indexed(stored))
    })
  })

const ensureCatalog = (
  resources: Resources,
  plugin: Plugin,
  selected: SelectedConnection,
): Effect.Effect<ReadonlyArray<ToolDef>, CatalogError> => {
  if (plugin.catalog === "integration") return ensureSharedCatalog(resources, plugin, selected.integration)
  const key = catalogKey(plugin, selected.integration, selected.row)
  return resources.exclusively(
    JSON.stringify(["catalog", key]),
    Effect.gen(function* () {
      const stored = yield* resources.store.catalogs.get(key)
      if (stored !== undefined) return stored
      const source = storedCredential(resources, selected)
      const tools = yield* resolveTools(resources, plugin, selected.integration, { selected, source, isStored: true })
      yield* resources.store.catalogs.put(key, tools)
      return tools
    }),
  )
}

/** The index over a stored list, made once per list. */
const indexed = (tools: ReadonlyArray<ToolDef>): ToolCatalog => {
  const known = catalogs.get(tools)
  if (known !== undefined) return known
  const catalog = new ToolCatalog(tools)
  catalogs.set(tools, catalog)
  return catalog
}

const catalogs = new WeakMap<ReadonlyArray<ToolDef>, ToolCatalog>()
