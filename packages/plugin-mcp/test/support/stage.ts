/**
 * An executor with the MCP plugin and a connection to a server.
 */
import { createExecutor, type Executor, type ExecutorConfig, type ExecutorEvent, memoryProvider } from "@keyward/core"
import { onTestFinished } from "vitest"
import { type AddServerInput, mcpPlugin, type McpPluginOptions } from "../../src/index.ts"

/** What a stage may be told. */
export interface StageOptions {
  readonly hosts?: ReadonlyArray<string>
  readonly plugin?: McpPluginOptions
  readonly config?: Omit<ExecutorConfig, "plugins"> & { readonly plugins?: readonly [ReturnType<typeof mcpPlugin>] }
}

/** An executor for alice of the tenant acme, closed when the test is over. */
export const setStage = async ({ hosts = [], plugin, config }: StageOptions = {}) => {
  const events: Array<ExecutorEvent> = []
  const executor = await createExecutor({
    tenant: "acme",
    subject: "alice",
    plugins: [mcpPlugin(plugin)] as const,
    providers: [memoryProvider()],
    egress: { allowHosts: hosts },
    onEvent: (event) => void events.push(event),
    ...config,
  })
  onTestFinished(() => executor.close())
  return { executor, events }
}

/** The executor of a stage. */
export type McpExecutor = Awaited<ReturnType<typeof setStage>>["executor"]

/** Adds a server under the slug `srv` and connects to it without a credential. */
export const connectOpenly = async (executor: McpExecutor, input: Partial<AddServerInput> & object): Promise<void> => {
  await executor.mcp.addServer({ slug: "srv", ...input } as AddServerInput)
  await executor.connections.create({ owner: "user", integration: "srv", name: "main", template: "none" })
}

/** Calls a tool of that connection. */
export const call = (
  executor: McpExecutor,
  tool: string,
  args?: Record<string, unknown>,
  options?: Parameters<Executor["execute"]>[2],
) => executor.execute(`tools.srv.user.main.${tool}`, args, options)
