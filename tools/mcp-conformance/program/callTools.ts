/**
 * Calls the tools of the connection, and goes where a call says that a person has to go.
 */
import type { Tool } from "@keyward/core"
import { connectionRef } from "./connect.ts"
import type { Context, McpExecutor } from "./Context.ts"
import { visit } from "./visit.ts"

/** Lists the tools, then makes the calls that the scenario names, else one of each tool. */
export const callTools = async (executor: McpExecutor, context: Context): Promise<void> => {
  const tools = await renewing(executor, () => executor.connections.refresh(connectionRef))
  const calls = context.toolCalls ?? (await Promise.all(tools.map((tool) => callOf(executor, tool))))
  for (const { name, arguments: args } of calls) {
    const address = tools.find((tool) => tool.name === name)?.address
    if (address === undefined) throw new Error(`There is no tool ${name}.`)
    await renewing(executor, async () => {
      const result = await executor.execute(address, withoutNull(args))
      if (!result.ok) throw Object.assign(new Error(`${name}: ${result.error.message}`), result.error.details)
    })
  }
}

/** Does something, and again whenever a person could help and has. Keyward says when that has gone on for long enough. */
const renewing = async <A>(executor: McpExecutor, run: () => Promise<A>): Promise<A> => {
  try {
    return await run()
  } catch (error) {
    const { authorizeUrl } = error as { readonly authorizeUrl?: string }
    if (authorizeUrl === undefined) throw error
    await executor.oauth.complete({ callbackUrl: await visit(authorizeUrl) })
    return renewing(executor, run)
  }
}

const callOf = async (executor: McpExecutor, { name, address }: Tool) => {
  const schema = (await executor.tools.schema(address))?.inputSchema as
    { readonly properties?: Readonly<Record<string, { readonly type?: string }>> } | undefined
  const properties = Object.entries(schema?.properties ?? {})
  return { name, arguments: Object.fromEntries(properties.map(([key, { type = "" }]) => [key, samples[type] ?? null])) }
}

/** Scenarios write `null` for what a caller leaves out. */
const withoutNull = (args: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(args).filter(([, value]) => value !== null))

const samples: Readonly<Record<string, unknown>> = {
  string: "text",
  number: 2,
  integer: 2,
  boolean: true,
  array: [],
  object: {},
}
