/**
 * `aiSdkTools`: the entry point. Lists an executor's tools, or, for large catalogs, gives two tools that find and call them.
 *
 * Credentials, approvals and policies stay with the executor; what leaves here is what a model may read.
 */
import type { ElicitationHandler, Tool, ToolResult } from "@keyward/core"
import { dynamicTool, jsonSchema, type JSONSchema7, type ToolSet } from "ai"
import { modelOutput } from "./modelOutput.ts"
import { modelToolNames } from "./modelToolNames.ts"
import { type OfferFilter, offerFilter, type ReadOfferFilter } from "./offerFilter.ts"
import { searchAndCall } from "./searchAndCall.ts"
import type { ToolSource } from "./ToolSource.ts"
import { TooManyToolsError } from "./TooManyToolsError.ts"

/** Which tools a model gets, and how. */
export interface AiSdkToolsOptions extends OfferFilter {
  /**
   * `true`: two tools, `search_tools` and `call_tool`, in place of one for each; for catalogs that do not fit into a request.
   * Default `false`.
   */
  readonly search?: boolean | undefined
  /** The most tools to give one by one. Default 128, which is what models' APIs take at most. */
  readonly limit?: number | undefined
  /** Who answers approvals and questions of these calls. Default: the executor's own. */
  readonly onElicitation?: ElicitationHandler | undefined
  /** What the calls belong to: approvals can be given for a conversation. */
  readonly conversation?: string | undefined
}

/**
 * The executor's tools as the AI SDK takes them.
 *
 * Results that are not ok, such as a credential that a person has to renew, are errors that the model reads; what `execute` throws
 * becomes the AI SDK's `tool-error`. A tool call's `toolMetadata.address` says which tool it was. Rejects with `TooManyToolsError`, and
 * as `tools.list` does.
 *
 * @example
 * ```ts
 * import { aiSdkTools } from "@keyward/adapter-ai-sdk"
 * import { createExecutor } from "@keyward/core"
 *
 * await using executor = await createExecutor()
 * const tools = await aiSdkTools(executor, { integration: "github", search: true })
 * ```
 */
export const aiSdkTools = async (executor: ToolSource, options: AiSdkToolsOptions = {}): Promise<ToolSet> => {
  const callOptions = { onElicitation: options.onElicitation, conversation: options.conversation }
  const filter = offerFilter(options)
  if (options.search === true) return searchAndCall(executor, filter, callOptions)
  const limit = options.limit ?? 128
  const offered = await offeredTools(executor, filter, limit)
  const schemas = await Promise.all(offered.map(({ address }) => executor.tools.schema(address)))
  const names = modelToolNames(offered.map(({ address }) => address))
  const tools: ToolSet = {}
  for (const [index, tool] of offered.entries()) {
    const schema = schemas[index]
    const name = names[index]
    // A tool that went away since it was listed has no schema.
    if (schema === undefined || schema === null || name === undefined) continue
    tools[name] = dynamicTool({
      description: descriptionOf(tool),
      inputSchema: jsonSchema(schema.inputSchema as JSONSchema7),
      metadata: { address: tool.address },
      execute: (input, { abortSignal }) =>
        executor.execute(tool.address, input, { ...callOptions, signal: abortSignal }),
      toModelOutput: ({ output }) => modelOutput(output as ToolResult),
    })
  }
  return tools
}

const pageSize = 1_000

const offeredTools = async (
  executor: ToolSource,
  { input, isOffered }: ReadOfferFilter,
  limit: number,
): Promise<ReadonlyArray<Tool>> => {
  const offered: Array<Tool> = []
  for (let after: string | undefined; ;) {
    const page = await executor.tools.list({ ...input, limit: pageSize, after })
    offered.push(...page.filter(({ address }) => isOffered(address)))
    if (offered.length > limit) throw new TooManyToolsError({ limit })
    if (page.length < pageSize) return offered
    after = page.at(-1)?.address
  }
}

/** Models' APIs take 1,024 characters. */
const descriptionOf = ({ description, annotations, name }: Tool): string =>
  (description ?? annotations.title ?? name).slice(0, 1_024).toWellFormed()
