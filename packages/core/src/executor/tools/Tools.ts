/**
 * The namespace `executor.tools`: which tools a caller's connections offer, and what each takes.
 */
import * as Effect from "effect/Effect"
import type {
  AccountNotFoundError,
  AmbiguousAccountError,
  ConnectionRequiredError,
  IdentityConflictError,
  IdentityModeError,
  SubjectRequiredError,
} from "../../connection/AccountError.ts"
import type { ConnectionRow } from "../../connection/Connection.ts"
import type { InvalidConnectionInputError } from "../../connection/ConnectionError.ts"
import { connectionAddress, type ConnectionRef } from "../../connection/ConnectionRef.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity } from "../../identity/Identity.ts"
import { modeAllows } from "../../identity/IdentityMode.ts"
import { identityModeOf, type IntegrationRecord } from "../../integration/Integration.ts"
import type { PluginNotRegisteredError, ToolResolutionError } from "../../integration/IntegrationError.ts"
import type { Tool, ToolAnnotations, ToolDef, ToolSchema } from "../../tool/Tool.ts"
import { parseShortAddress, parseToolAddress } from "../../tool/ToolAddress.ts"
import type { ToolCatalog } from "../../tool/ToolCatalog.ts"
import { mayCall, type VisibleConnection } from "../agents/access.ts"
import { checkedPage } from "../checkedPage.ts"
import { invalid, invalidInput } from "../connections/connectionInput.ts"
import { decisionOn } from "../policies/policyCheck.ts"
import type { Resources } from "../Resources.ts"
import { pluginOf, selectConnection, type SelectedConnection, type SelectError } from "../select/ConnectionSelector.ts"
import { withIdentityArgument } from "../select/identityArgument.ts"
import { selectAccount } from "../select/selectAccount.ts"
import { type CatalogError, catalogOf, sharedCatalogOf } from "./Catalogs.ts"
import { describeTool } from "./describeTool.ts"
import { type OfferedToolsFilter, optional, walkOfferedTools } from "./offeredTools.ts"
import { unselectedTools } from "./unselectedTools.ts"

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
    const page = yield* checkedPage(input, invalidInput, 10_000)
    const { limit } = page
    const after = page.after === undefined ? undefined : parseToolAddress(page.after)
    if (page.after !== undefined && after === undefined) {
      return yield* invalid("after", "must be the address of the last tool of the page before.")
    }
    const matching = new Map<ToolCatalog, ReadonlyArray<ToolDef>>()
    const listed: Array<Tool> = []
    if (limit === 0) return listed
    const from = { start: after?.connection, enough: limit }
    yield* walkOfferedTools(resources, identity, input, from, ({ connection, catalog, isShown }) => {
      const { row } = connection
      const tools = matching.get(catalog) ?? catalog.matching(input.query)
      matching.set(catalog, tools)
      if (tools.length === 0) return "elsewhere"
      const isFirst = after !== undefined && isSameConnection(row, after.connection)
      const rest = isFirst ? tools.slice(tools.findIndex(({ name }) => name === after.tool) + 1) : tools
      append(listed, row, callableOf(connection, rest).filter(isShown), limit)
      return listed.length < limit ? "on" : "end"
    })
    return listed
  })

/** What asking for the schemas of a tool can fail with. */
export type ToolSchemaError = SelectError | AmbiguousAccountError | CatalogError

/**
 * The schemas of a tool, or `null` when the caller sees no tool of that address.
 *
 * A short address shows what every connection would, where they share a catalog: also before one is connected.
 */
export const toolSchema = (
  resources: Resources,
  identity: Identity,
  address: string,
): Effect.Effect<ToolSchema | null, ToolSchemaError> =>
  Effect.gen(function* () {
    const full = parseToolAddress(address)
    if (full !== undefined) {
      const selected = yield* optional(selectConnection(resources, identity, full.connection))
      if (selected === undefined || !modeAllows(identityModeOf(selected.integration), selected.row.owner)) return null
      return yield* schemaAt(resources, selected, full.tool)
    }
    const short = parseShortAddress(address)
    if (short === undefined) return null
    const integration = yield* resources.store.integrations.get(identity.tenant, short.integration, "recent")
    if (integration === undefined) return null
    const schema = yield* shortSchema(resources, identity, integration, short.tool)
    return schema !== null && identityModeOf(integration) === "either" ? withIdentityArgument(schema) : schema
  })

const shortSchema = (
  resources: Resources,
  identity: Identity,
  integration: IntegrationRecord,
  tool: string,
): Effect.Effect<ToolSchema | null, ToolSchemaError> =>
  Effect.catch(
    Effect.flatMap(selectAccount(resources, identity, integration, {}, "quietly"), ({ selected }) =>
      schemaAt(resources, selected, tool),
    ),
    (error): Effect.Effect<ToolSchema | null, ToolSchemaError> => {
      if (!isUnselected(error)) return Effect.fail(error)
      // What is granted to an agent depends on the connection.
      const shared = identity.agent === undefined ? sharedCatalogOf(resources, integration) : Effect.undefined
      return Effect.flatMap(shared, (catalog): Effect.Effect<ToolSchema | null, ToolSchemaError> => {
        const found = catalog?.get(tool)
        if (found !== undefined) {
          return Effect.flatMap(unselectedTools(resources, identity, integration.slug, error), (isShown) =>
            isShown(found) ? schemaOf(resources, integration, found) : Effect.succeed(null),
          )
        }
        return catalog === undefined && error._tag === "AmbiguousAccountError"
          ? Effect.fail(error)
          : Effect.succeed(null)
      })
    },
  )

const isUnselected = (error: { readonly _tag: string }): error is Unselected => unselected.has(error._tag)

/** What stands between a short address and a connection, and not between it and a schema. */
type Unselected =
  | AmbiguousAccountError
  | AccountNotFoundError
  | ConnectionRequiredError
  | IdentityModeError
  | IdentityConflictError
  | SubjectRequiredError

const unselected: ReadonlySet<string> = new Set<Unselected["_tag"]>([
  "AmbiguousAccountError",
  "AccountNotFoundError",
  "ConnectionRequiredError",
  "IdentityModeError",
  "IdentityConflictError",
  "SubjectRequiredError",
])

const schemaAt = (
  resources: Resources,
  selected: SelectedConnection,
  name: string,
): Effect.Effect<ToolSchema | null, CatalogError> =>
  Effect.gen(function* () {
    const tool = (yield* catalogOf(resources, selected)).get(name)
    if (tool === undefined || mayCall(selected, tool) !== "allowed") return null
    if ((yield* decisionOn(resources, selected, tool)).action === "block") return null
    return yield* schemaOf(resources, selected.integration, tool)
  })

const schemaOf = (
  resources: Resources,
  integration: IntegrationRecord,
  tool: ToolDef,
): Effect.Effect<ToolSchema, PluginNotRegisteredError | ToolResolutionError> =>
  Effect.gen(function* () {
    const plugin = yield* pluginOf(resources, integration)
    const described = yield* describeTool(resources, plugin, integration, tool)
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

/** Those of a connection's tools that the caller may call. */
const callableOf = (connection: VisibleConnection, tools: ReadonlyArray<ToolDef>): ReadonlyArray<ToolDef> =>
  connection.access === undefined ? tools : tools.filter((tool) => mayCall(connection, tool) === "allowed")

const isSameConnection = (row: ConnectionRow, { integration, owner, name }: ConnectionRef): boolean =>
  row.name === name && row.owner === owner && row.integration === integration
