/**
 * The namespace `executor.tools`: which tools a caller's connections offer, and what each takes.
 */
import * as Effect from "effect/Effect"
import type { ConnectionCredentialError } from "../connection/ConnectionError.ts"
import { InvalidConnectionInputError } from "../connection/ConnectionError.ts"
import type { ConnectionRow } from "../connection/Connection.ts"
import { connectionAddress, type ConnectionRef } from "../connection/ConnectionRef.ts"
import type { StoreUnavailableError } from "../error/StoreError.ts"
import type { Identity } from "../identity/Identity.ts"
import type { PluginNotRegisteredError, ToolResolutionError } from "../integration/IntegrationError.ts"
import type { Tool, ToolAnnotations, ToolDef, ToolSchema } from "../tool/Tool.ts"
import { parseToolAddress } from "../tool/ToolAddress.ts"
import type { ToolCatalog } from "../tool/ToolCatalog.ts"
import type { InvalidToolError } from "../tool/ToolError.ts"
import { catalogOf, describeTool } from "./Catalogs.ts"
import { pluginOf, selectConnection, type SelectError } from "./ConnectionSelector.ts"
import { type OfferedToolsFilter, optional, walkOfferedTools } from "./offeredTools.ts"
import type { Resources } from "./Resources.ts"

/** Which tools to list. */
export interface ListToolsInput extends OfferedToolsFilter {
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
    const matching = new Map<ToolCatalog, ReadonlyArray<ToolDef>>()
    const listed: Array<Tool> = []
    if (limit <= 0) return listed
    yield* walkOfferedTools(resources, identity, input, after?.connection, ({ row, catalog }) => {
      const tools = matching.get(catalog) ?? catalog.matching(input.query)
      matching.set(catalog, tools)
      const isFirst = after !== undefined && isSameConnection(row, after.connection)
      const rest = isFirst ? tools.slice(tools.findIndex(({ name }) => name === after.tool) + 1) : tools
      append(listed, row, rest, limit)
      return listed.length < limit
    })
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

const append = (listed: Array<Tool>, row: ConnectionRow, tools: ReadonlyArray<ToolDef>, limit: number): void => {
  const prefix = `${connectionAddress(row)}.`
  for (const tool of tools) {
    if (listed.length >= limit) return
    listed.push(describedTool(prefix, row, tool))
  }
}

const isSameConnection = (row: ConnectionRow, { integration, owner, name }: ConnectionRef): boolean =>
  row.name === name && row.owner === owner && row.integration === integration
