/**
 * What the adapter needs of an executor, and no more: executors and agents' executors both have it.
 */
import type {
  ExecuteOptions,
  FoundTool,
  ListToolsInput,
  SearchToolsInput,
  Tool,
  ToolResult,
  ToolSchema,
} from "@keyward/core"

/** What tools are taken from: an executor, or an agent's. */
export interface ToolSource {
  readonly tools: {
    list(input?: ListToolsInput): Promise<ReadonlyArray<Tool>>
    search(input: SearchToolsInput): Promise<ReadonlyArray<FoundTool>>
    schema(address: string): Promise<ToolSchema | null>
  }
  execute(address: string, args?: unknown, options?: ExecuteOptions): Promise<ToolResult>
}
