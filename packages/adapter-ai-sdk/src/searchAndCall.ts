/**
 * Two tools for a catalog of any size: one that finds tools, one that calls what was found.
 *
 * What they offer is the same in every request, so that it can be cached, however many tools there are.
 */
import type { ExecuteOptions, FoundTool, ToolResult, ToolSchema } from "@keyward/core"
import { dynamicTool, jsonSchema, type ToolSet } from "ai"
import { modelOutput, toJson } from "./modelOutput.ts"
import type { ReadOfferFilter } from "./offerFilter.ts"
import type { ToolSource } from "./ToolSource.ts"

/** Makes `search_tools` and `call_tool`. */
export const searchAndCall = (
  executor: ToolSource,
  { input, isOffered }: ReadOfferFilter,
  callOptions: Omit<ExecuteOptions, "signal">,
): ToolSet => ({
  search_tools: dynamicTool({
    description:
      "Finds tools by what they do. Answers the best ones first, each with its address, its description and what it takes. " +
      "Call one with call_tool.",
    inputSchema: jsonSchema<SearchInput>({
      type: "object",
      properties: {
        query: { type: "string", description: "What the tool should do, in a few words: 'create an issue'." },
        limit: { type: "integer", minimum: 1, maximum: mostFound, description: "How many tools at most. Default 5." },
      },
      required: ["query"],
      additionalProperties: false,
    }),
    execute: async (asked) => {
      const { query, limit } = asked as SearchInput
      const found = await executor.tools.search({ ...input, query, limit: mostSearched })
      const offered = found.flatMap((tool) => {
        const addresses = tool.addresses.filter(isOffered)
        return addresses.length === 0 ? [] : [{ ...tool, addresses }]
      })
      return Promise.all(
        offered
          .slice(0, limitOf(limit))
          .map(async (tool) => describe(tool, await executor.tools.schema(tool.addresses[0] ?? tool.address))),
      )
    },
    toModelOutput: ({ output }) => ({ type: "json", value: toJson({ tools: output }) }),
  }),
  call_tool: dynamicTool({
    description: "Calls a tool that search_tools found.",
    inputSchema: jsonSchema<CallInput>({
      type: "object",
      properties: {
        address: { type: "string", description: "The tool's address, as search_tools gave it." },
        arguments: { type: "object", description: "What the tool takes.", additionalProperties: true },
      },
      required: ["address"],
      additionalProperties: false,
    }),
    execute: async (asked, { abortSignal }): Promise<ToolResult> => {
      const { address, arguments: args = {} } = asked as CallInput
      if (typeof address !== "string" || !isOffered(address)) return notOffered
      return executor.execute(address, args, { ...callOptions, signal: abortSignal })
    },
    toModelOutput: ({ output }) => modelOutput(output as ToolResult),
  }),
})

/** As the schema asks for it; the model may send otherwise, which `tools.search` refuses. */
interface SearchInput {
  readonly query: string
  readonly limit?: number
}

interface CallInput {
  readonly address: string
  readonly arguments?: Record<string, unknown>
}

const mostFound = 20
/** More are asked for than shown, because some may not be offered. */
const mostSearched = 100

const limitOf = (limit: unknown): number =>
  typeof limit === "number" && limit >= 1 ? Math.min(Math.floor(limit), mostFound) : 5

const notOffered: ToolResult = {
  ok: false,
  error: {
    code: "tool_not_offered",
    message: "There is no such tool here. Call search_tools, and use an address from its answer as it stands.",
    retryable: false,
  },
}

/** What a model needs to call a tool; its input as a TypeScript type where there is one, which is shorter than a schema. */
const describe = ({ address, addresses, description, annotations }: FoundTool, schema: ToolSchema | null): object => ({
  address: addresses[0] ?? address,
  ...(addresses.length > 1 ? { otherAccounts: addresses.slice(1) } : {}),
  description: description ?? annotations.title ?? null,
  input: schema === null ? null : (schema.inputTypeScript ?? schema.inputSchema),
  ...(annotations.readOnlyHint === undefined ? {} : { readOnly: annotations.readOnlyHint }),
  ...(annotations.destructiveHint === true ? { destructive: true } : {}),
})
