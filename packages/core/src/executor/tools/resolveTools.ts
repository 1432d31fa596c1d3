/**
 * Asks a plugin which tools a connection has, or all connections of an integration share; and again in the background.
 *
 * Called where a connection is made or refreshed, and by Catalogs.ts for what is not stored yet.
 */
import * as Effect from "effect/Effect"
import { toConnection } from "../../connection/Connection.ts"
import { ConnectionCredentialError } from "../../connection/ConnectionError.ts"
import { connectionAddress, type ConnectionKey } from "../../connection/ConnectionRef.ts"
import type { Identity } from "../../identity/Identity.ts"
import { compiledIntegration, type IntegrationRecord } from "../../integration/Integration.ts"
import { ToolResolutionError } from "../../integration/IntegrationError.ts"
import type { Plugin } from "../../integration/Plugin.ts"
import type { ToolDef } from "../../tool/Tool.ts"
import { type CatalogKey, checkTools } from "../../tool/ToolCatalog.ts"
import type { InvalidToolError } from "../../tool/ToolError.ts"
import { announce } from "../announce.ts"
import { callEnvironment } from "../authorize/callEnvironment.ts"
import { generationOf, SelectedHandle } from "../authorize/ConnectionHandle.ts"
import { type CredentialSource, storedCredential } from "../authorize/CredentialSource.ts"
import { authorizedFetch, authorizedSend } from "../authorize/pluginFetch.ts"
import { callHandler, reasonOf, withinToolTimeout } from "../call/callHandler.ts"
import { CallRecord } from "../call/CallRecord.ts"
import { CallStop } from "../call/CallStop.ts"
import type { Resources } from "../Resources.ts"
import { selectByKey, type SelectedConnection } from "../select/ConnectionSelector.ts"
import { catalogSync } from "./CatalogSync.ts"

/** The connection whose tools are listed. */
export interface ListingConnection {
  readonly selected: SelectedConnection
  readonly source: CredentialSource
  /** Whether it is there already, and not only about to be made. */
  readonly isStored?: boolean | undefined
}

/** Asks the plugin for the tools, with a fetch that is authorized by the given source, or by nothing. */
export const resolveTools = (
  resources: Resources,
  plugin: Plugin,
  integration: IntegrationRecord,
  connection: ListingConnection | undefined,
): Effect.Effect<ReadonlyArray<ToolDef>, ToolResolutionError | InvalidToolError | ConnectionCredentialError> => {
  const compiled = compiledIntegration(integration)
  const stop = new CallStop()
  const record = new CallRecord(connection?.source.connection ?? "")
  const faults: Array<string> = []
  const fetches = {
    fetch: authorizedFetch(resources, compiled, connection?.source, record, stop),
    send: authorizedSend(resources, compiled, connection?.source, record, stop),
  }
  const listed = callHandler(() =>
    plugin.resolveTools({
      integration,
      connection: connection === undefined ? null : toConnection(connection.selected.row, compiled.origins),
      signal: stop.signal,
      handle:
        connection?.isStored === true
          ? new SelectedHandle(resources, connection.selected, () =>
              relistTools(resources, plugin, connection.selected, true),
            )
          : null,
      environment: () => callEnvironment(connection?.source, record, stop),
      reportFault: (fault) => void faults.push(fault),
      ...fetches,
    }),
  ).pipe(
    Effect.onInterrupt(() => Effect.sync(() => stop.stop())),
    withinToolTimeout(resources),
    Effect.flatMap((tools: unknown) =>
      Array.isArray(tools)
        ? // A catalog is stored in clear, and read by models.
          Effect.succeed((record.hasRawResponse ? record.redactDeep(tools) : tools) as ReadonlyArray<ToolDef>)
        : Effect.fail(new Error("it did not return a list.")),
    ),
    Effect.mapError((error) => {
      if (error instanceof ConnectionCredentialError) return error
      const reason = record.redact(record.failure?.message ?? reasonOf(error))
      return new ToolResolutionError({ integration: integration.slug, plugin: plugin.id, reason })
    }),
  )
  return Effect.tap(
    Effect.flatMap(listed, (tools) => Effect.fromResult(checkTools(integration.slug, tools))),
    () =>
      Effect.sync(() => {
        if (faults.length > 0) {
          announceFaults(resources, integration, connection?.selected, faults, record)
        }
        if (connection === undefined || plugin.catalogMaxAgeMs === undefined) return
        catalogSync(resources).listed(catalogKey(plugin, integration, connection.selected.row))
      }),
  )
}

/** Lists a connection's own tools again in the background; `isAnew` also when a listing is under way that may not know yet. */
export const relistTools = (
  resources: Resources,
  plugin: Plugin,
  selected: SelectedConnection,
  isAnew: boolean,
): void => {
  const key = catalogKey(plugin, selected.integration, selected.row)
  if (key.connection === null) return
  catalogSync(resources).begin(
    key,
    plugin.catalogMaxAgeMs ?? 0,
    isAnew,
    relisted(resources, plugin, selected.identity, key),
  )
}

/** Which catalog a connection of an integration uses. */
export const catalogKey = (plugin: Plugin, integration: IntegrationRecord, connection: ConnectionKey): CatalogKey => ({
  tenant: integration.tenant,
  integration: integration.slug,
  revision: integration.revision,
  connection: plugin.catalog === "integration" ? null : connection,
})

const relisted = (
  resources: Resources,
  plugin: Plugin,
  identity: Identity,
  key: CatalogKey,
): Effect.Effect<void, unknown> =>
  Effect.gen(function* () {
    if (key.connection === null) return
    const { store } = resources
    const selected = yield* selectByKey(resources, identity, key.connection)
    if (selected.integration.revision !== key.revision) return
    const source = storedCredential(resources, selected)
    const tools = yield* resolveTools(resources, plugin, selected.integration, { selected, source, isStored: true })
    const before = yield* store.catalogs.get(key)
    if (JSON.stringify(before) === JSON.stringify(tools)) return
    // What another credential may list is not this one's catalog.
    const after = yield* selectByKey(resources, identity, key.connection)
    if (generationOf(after) !== generationOf(selected)) return
    yield* store.catalogs.put(key, tools)
    announce(resources, identity, selected.row, { type: "connection.refreshed" })
  })

/** Tells the host what a service lists and cannot be used. */
const announceFaults = (
  resources: Resources,
  { slug, tenant }: IntegrationRecord,
  selected: SelectedConnection | undefined,
  faults: ReadonlyArray<string>,
  record: CallRecord,
): void => {
  if (!resources.hasListener) return
  resources.emit(selected?.identity ?? { tenant, subject: null }, {
    type: "tools.faulty",
    integration: slug,
    ...(selected === undefined ? {} : { connection: connectionAddress(selected.row), owner: selected.row.owner }),
    faults: faults.slice(0, mostFaults).map((fault) => record.redact(fault).slice(0, longestFault).toWellFormed()),
    faultCount: faults.length,
  })
}

const mostFaults = 20
const longestFault = 500
