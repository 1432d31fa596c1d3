/**
 * The tools of a connection that is about to be made, before anything of it is stored.
 */
import * as Effect from "effect/Effect"
import type { Plugin } from "../../integration/Plugin.ts"
import type { CredentialSource } from "../authorize/CredentialSource.ts"
import type { Resources } from "../Resources.ts"
import type { SelectedConnection } from "../select/ConnectionSelector.ts"
import { type CatalogError, ensureSharedCatalog } from "../tools/Catalogs.ts"
import { catalogKey, resolveTools } from "../tools/resolveTools.ts"
import type { CatalogWrite } from "./commitConnection.ts"

/**
 * Resolves them where they are the connection's own; `undefined` where they are the integration's.
 *
 * The plugin may need the credential to list them; it gets the new one.
 */
export const newCatalog = (
  resources: Resources,
  plugin: Plugin,
  selected: SelectedConnection,
  source: CredentialSource,
): Effect.Effect<CatalogWrite | undefined, CatalogError> => {
  const { integration, row } = selected
  return plugin.catalog === "integration"
    ? Effect.as(ensureSharedCatalog(resources, plugin, integration), undefined)
    : Effect.map(resolveTools(resources, plugin, integration, { selected, source }), (tools) => ({
        key: catalogKey(plugin, integration, row),
        tools,
      }))
}
