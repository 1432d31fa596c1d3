/**
 * The tools of a connection: found in the store, made by the plugin when they are not there yet.
 *
 * A shared catalog is resolved once per integration revision; a catalog of a connection's own, once per connection.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { toConnection } from "../../connection/Connection.ts"
import { ConnectionCredentialError } from "../../connection/ConnectionError.ts"
import { connectionAddress, type ConnectionKey } from "../../connection/ConnectionRef.ts"
import { quote } from "../../error/KeywardError.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import { isHttpError } from "../../http/HttpError.ts"
import type { Identity } from "../../identity/Identity.ts"
import { type CompiledIntegration, compiledIntegration, type IntegrationRecord } from "../../integration/Integration.ts"
import { type PluginNotRegisteredError, ToolResolutionError } from "../../integration/IntegrationError.ts"
import type { Fetch, HandlerResult, Plugin, Send, ToolDescription } from "../../integration/Plugin.ts"
import { anyObject, type ToolDef } from "../../tool/Tool.ts"
import { type CatalogKey, checkTools, ToolCatalog } from "../../tool/ToolCatalog.ts"
import type { InvalidToolError } from "../../tool/ToolError.ts"
import { toRecipient } from "../agents/access.ts"
import { andThen } from "../andThen.ts"
import { announce } from "../announce.ts"
import { sendAnonymous, sendAuthorized, toFetch, toSend } from "../authorize/AuthorizedFetch.ts"
import { callEnvironment } from "../authorize/callEnvironment.ts"
import { generationOf, SelectedHandle } from "../authorize/ConnectionHandle.ts"
import { type CredentialSource, storedCredential } from "../authorize/CredentialSource.ts"
import { CallRecord } from "../call/CallRecord.ts"
import { CallStop } from "../call/CallStop.ts"
import type { Resources } from "../Resources.ts"
import { asOwner, pluginOf, selectByKey, type SelectedConnection } from "../select/ConnectionSelector.ts"
import { catalogSync } from "./CatalogSync.ts"

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

/** Which catalog a connection of an integration uses. */
export const catalogKey = (plugin: Plugin, integration: IntegrationRecord, connection: ConnectionKey): CatalogKey => ({
  tenant: integration.tenant,
  integration: integration.slug,
  revision: integration.revision,
  connection: plugin.catalog === "integration" ? null : connection,
})

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
    limited(resources),
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

const mostFaults = 20
const longestFault = 500

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

/** A plugin's `fetch`, authorized by a credential source, unauthenticated without one; what happens to it is recorded. */
export const authorizedFetch = (
  resources: Resources,
  compiled: CompiledIntegration,
  source: CredentialSource | undefined,
  record: CallRecord,
  stop: CallStop,
): Fetch =>
  toFetch(
    (request) =>
      record.watch(
        source === undefined
          ? sendAnonymous(resources, compiled.binding, request, record)
          : sendAuthorized(resources, compiled.binding, source, request, record),
        true,
      ),
    stop,
  )

/** A plugin's `send`; as {@link authorizedFetch}. */
export const authorizedSend = (
  resources: Resources,
  compiled: CompiledIntegration,
  source: CredentialSource | undefined,
  record: CallRecord,
  stop: CallStop,
): Send =>
  toSend((request, isAnonymous) => {
    // What is answered to a request without the credential says nothing about the credential.
    if (isAnonymous) return sendAnonymous(resources, compiled.binding, request, record)
    const sent =
      source === undefined
        ? sendAnonymous(resources, compiled.binding, request, record)
        : sendAuthorized(resources, compiled.binding, source, request, record)
    return record.watch(sent, false)
  }, stop)

/** The schemas of a tool: its own, or those that its plugin describes. Described once per tool. */
export const describeTool = (
  resources: Resources,
  plugin: Plugin,
  integration: IntegrationRecord,
  tool: ToolDef,
): Effect.Effect<ToolDescription, ToolResolutionError> => {
  if (tool.inputSchema !== undefined || plugin.describeTool === undefined) {
    return Effect.succeed({ inputSchema: tool.inputSchema ?? anyObject, outputSchema: tool.outputSchema ?? null })
  }
  const known = descriptions.get(tool)
  if (known !== undefined) return Effect.succeed(known)
  return callHandler(() => plugin.describeTool?.({ integration, tool }) as HandlerResult<ToolDescription>).pipe(
    limited(resources),
    Effect.tap((description) => Effect.sync(() => descriptions.set(tool, description))),
    Effect.mapError(
      (error) => new ToolResolutionError({ integration: integration.slug, plugin: plugin.id, reason: reasonOf(error) }),
    ),
  )
}

/** Calls a plugin's handler and waits for what it returns, whichever of the three forms that has. */
export const callHandler = <A>(call: () => HandlerResult<A>): Effect.Effect<A, unknown> =>
  Effect.suspend(() => {
    let result: HandlerResult<A>
    try {
      result = call()
    } catch (error) {
      return Effect.fail(error)
    }
    if (Effect.isEffect(result)) return Effect.catchCause(result, failWithSquashed)
    if (Predicate.isPromiseLike(result)) {
      const promise = result
      return Effect.tryPromise({ try: () => promise as Promise<A>, catch: (error) => error })
    }
    return Effect.succeed(result)
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

const limited =
  ({ toolTimeoutMs }: Resources) =>
  <A>(handled: Effect.Effect<A, unknown>): Effect.Effect<A, unknown> =>
    Effect.timeoutOrElse(handled, {
      duration: toolTimeoutMs,
      orElse: () => Effect.fail(new Error(`it took longer than ${toolTimeoutMs} ms.`)),
    })

/** A handler that dies or interrupts itself has failed; when the call is interrupted, nobody gets here. */
const failWithSquashed = (cause: Cause.Cause<unknown>): Effect.Effect<never, unknown> =>
  Effect.fail(Cause.hasInterruptsOnly(cause) ? new Error("it interrupted itself.") : Cause.squash(cause))

/** Keyward's own errors say what is wrong; a plugin's text is quoted and cut. */
const reasonOf = (error: unknown): string =>
  isHttpError(error) ? error.message : error instanceof Error ? quote(error.message, 300) : "it failed."

const descriptions = new WeakMap<ToolDef, ToolDescription>()

/** The index over a stored list, made once per list. */
const indexed = (tools: ReadonlyArray<ToolDef>): ToolCatalog => {
  const known = catalogs.get(tools)
  if (known !== undefined) return known
  const catalog = new ToolCatalog(tools)
  catalogs.set(tools, catalog)
  return catalog
}

const catalogs = new WeakMap<ReadonlyArray<ToolDef>, ToolCatalog>()
