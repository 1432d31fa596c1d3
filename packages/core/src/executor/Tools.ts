/**
 * The namespace `executor.tools`: which tools a caller's connections offer, and what each takes.
 */
import * as Effect from "effect/Effect"
import type { ConnectionCredentialError } from "../connection/ConnectionError.ts"
import { InvalidConnectionInputError } from "../connection/ConnectionError.ts"
import type { ConnectionRow } from "../connection/Connection.ts"
import { connectionAddress, connectionIdentifier, type ConnectionRef } from "../connection/ConnectionRef.ts"
import type { StoreUnavailableError } from "../error/StoreError.ts"
import type { Identity, Owner } from "../identity/Identity.ts"
import { compiledIntegration, type IntegrationRecord } from "../integration/Integration.ts"
import type { PluginNotRegisteredError, ToolResolutionError } from "../integration/IntegrationError.ts"
import type { Plugin } from "../integration/Plugin.ts"
import type { Tool, ToolAnnotations, ToolDef, ToolSchema } from "../tool/Tool.ts"
import { parseConnectionAddress, parseToolAddress } from "../tool/ToolAddress.ts"
import type { InvalidToolError } from "../tool/ToolError.ts"
import { catalogOf, describeTool } from "./Catalogs.ts"
import { pluginOf, selectConnection, type SelectError } from "./ConnectionSelector.ts"
import type { Resources } from "./Resources.ts"

/** Which tools to list. */
export interface ListToolsInput {
  readonly integration?: string | undefined
  readonly owner?: Owner | undefined
  /** A connection's name, in any spelling, or its address. */
  readonly connection?: string | undefined
  /** Words that must all occur in a tool's name or description. */
  readonly query?: string | undefined
  /** At most so many. Default 10 000. */
  readonly limit?: number | undefined
  /** The address of the last tool of the page before. */
  readonly after?: string | undefined
}

/** Lists tools ordered by connection, then as the plugin ordered them. */
export const listTools = (
  resources: Resources,
  identity: Identity,
  input: ListToolsInput,
): Effect.Effect<ReadonlyArray<Tool>, InvalidConnectionInputError | StoreUnavailableError> =>
  Effect.gen(function* () {
    const after = input.after === undefined ? undefined : parseToolAddress(input.after)
    if (input.after !== undefined && after === undefined) {
      return yield* Effect.fail(
        new InvalidConnectionInputError({
          field: "after",
          fault: "must be the address of the last tool of the page before.",
        }),
      )
    }
    const limit = input.limit ?? 10_000
    const filter = connectionFilter(input)
    const shared = new Map<string, ReadonlyArray<ToolDef>>()
    const listed: Array<Tool> = []
    let position: Pick<ConnectionRow, "integration" | "owner" | "name"> | undefined
    if (after !== undefined) {
      position = after.connection
      const selected = yield* optional(selectConnection(resources, identity, after.connection))
      if (selected !== undefined && isListed(filter, selected.row)) {
        const tools = yield* toolsOf(resources, identity, selected.row, input.query, shared)
        append(listed, selected.row, tools.slice(tools.findIndex(({ name }) => name === after.tool) + 1), limit)
      }
    }
    while (listed.length < limit) {
      const rows: ReadonlyArray<ConnectionRow> = yield* resources.store.connections.list({
        tenant: identity.tenant,
        subject: identity.subject,
        integration: filter.integration,
        owner: filter.owner,
        after: position,
        limit: pageSize,
      })
      for (const row of rows) {
        if (!isListed(filter, row)) continue
        const known = shared.get(row.integration)
        append(listed, row, known ?? (yield* toolsOf(resources, identity, row, input.query, shared)), limit)
        if (listed.length >= limit) break
      }
      if (rows.length < pageSize) break
      position = rows[rows.length - 1]
    }
    return listed
  })

/** The schemas of a tool, or `null` when the caller sees no tool of that address. */
export const toolSchema = (
  resources: Resources,
  identity: Identity,
  address: string,
): Effect.Effect<
  ToolSchema | null,
  | SelectError
  | StoreUnavailableError
  | PluginNotRegisteredError
  | ToolResolutionError
  | InvalidToolError
  | ConnectionCredentialError
> =>
  Effect.gen(function* () {
    const parsed = parseToolAddress(address)
    if (parsed === undefined) return null
    const selected = yield* optional(selectConnection(resources, identity, parsed.connection))
    if (selected === undefined) return null
    const plugin = yield* pluginOf(resources, selected.integration)
    const tool = (yield* catalogOf(resources, selected)).get(parsed.tool)
    if (tool === undefined) return null
    const described = yield* describeTool(resources, plugin, selected.integration, tool)
    return {
      ...described,
      outputSchema: described.outputSchema ?? null,
      ...(tool.description === undefined ? {} : { description: tool.description }),
      ...(tool.annotations === undefined ? {} : { annotations: tool.annotations }),
    }
  })

/** A catalog's tool as one connection offers it. */
export const toTool = (row: ConnectionRow, tool: ToolDef): Tool =>
  describedTool(`${connectionAddress(row)}.`, row, tool)

const describedTool = (prefix: string, row: ConnectionRow, tool: ToolDef): Tool => ({
  address: prefix + tool.name,
  name: tool.name,
  integration: row.integration,
  owner: row.owner,
  connection: row.name,
  description: tool.description ?? null,
  annotations: tool.annotations ?? noAnnotations,
})

const noAnnotations: ToolAnnotations = {}

const pageSize = 1000

const append = (listed: Array<Tool>, row: ConnectionRow, tools: ReadonlyArray<ToolDef>, limit: number): void => {
  const prefix = `${connectionAddress(row)}.`
  for (const tool of tools) {
    if (listed.length >= limit) return
    listed.push(describedTool(prefix, row, tool))
  }
}

/**
 * The matching tools of a connection; a connection whose tools cannot be found out lists none.
 *
 * Where the catalog is the integration's, the answer is kept in `shared` for the connections that follow.
 */
const toolsOf = (
  resources: Resources,
  identity: Identity,
  row: ConnectionRow,
  query: string | undefined,
  shared: Map<string, ReadonlyArray<ToolDef>>,
): Effect.Effect<ReadonlyArray<ToolDef>, StoreUnavailableError> =>
  Effect.gen(function* () {
    const integration = yield* resources.store.integrations.get(identity.tenant, row.integration)
    if (integration === undefined) return []
    const plugin = resources.plugins.get(integration.plugin)
    const tools = yield* matching(resources, identity, row, integration, query)
    if (plugin === undefined || isShared(plugin)) shared.set(row.integration, tools)
    return tools
  })

const matching = (
  resources: Resources,
  identity: Identity,
  row: ConnectionRow,
  integration: IntegrationRecord,
  query: string | undefined,
): Effect.Effect<ReadonlyArray<ToolDef>, StoreUnavailableError> =>
  Effect.catch(
    Effect.map(
      catalogOf(resources, { identity, row, integration, compiled: compiledIntegration(integration) }),
      (catalog) => catalog.matching(query),
    ),
    (error): Effect.Effect<ReadonlyArray<ToolDef>, StoreUnavailableError> =>
      error._tag === "StoreUnavailableError" ? Effect.fail(error) : Effect.succeed([]),
  )

const isShared = (plugin: Plugin): boolean => plugin.catalog === "integration"

interface ConnectionFilter {
  readonly integration: string | undefined
  readonly owner: Owner | undefined
  readonly name: string | undefined
  /** The connection, where it was given by its address. */
  readonly ref: ConnectionRef | undefined
}

const isListed = ({ integration, owner, name, ref }: ConnectionFilter, row: ConnectionRow): boolean =>
  (integration === undefined || row.integration === integration) &&
  (owner === undefined || row.owner === owner) &&
  (name === undefined || row.name === name) &&
  (ref === undefined || (row.integration === ref.integration && row.owner === ref.owner))

const connectionFilter = ({ integration, owner, connection }: ListToolsInput): ConnectionFilter => {
  const ref = connection === undefined ? undefined : parseConnectionAddress(connection)
  return ref === undefined
    ? {
        integration,
        owner,
        name: connection === undefined ? undefined : (connectionIdentifier(connection) ?? connection),
        ref,
      }
    : { integration: integration ?? ref.integration, owner: owner ?? ref.owner, name: ref.name, ref }
}

const optional = <A>(selected: Effect.Effect<A, SelectError>): Effect.Effect<A | undefined, StoreUnavailableError> =>
  Effect.catch(selected, (error) =>
    error._tag === "StoreUnavailableError" ? Effect.fail(error) : Effect.succeed(undefined),
  )
