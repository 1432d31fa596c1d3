/**
 * What a scenario tells the program.
 */
import type { Executor } from "@keyward/core"
import type { McpExtension } from "@keyward/plugin-mcp"

/** The executor of the program. */
export type McpExecutor = Executor & { readonly mcp: McpExtension }

/** Members of the scenario's context, and its name. */
export interface Context {
  readonly scenario: string
  readonly serverUrl: string
  readonly client_id?: string
  readonly client_secret?: string
  readonly private_key_pem?: string
  readonly idp_client_id?: string
  readonly idp_id_token?: string
  readonly idp_issuer?: string
  readonly idp_token_endpoint?: string
  readonly valid_jwt?: string
  readonly toolCalls?: ReadonlyArray<{ readonly name: string; readonly arguments: Readonly<Record<string, unknown>> }>
}

/** Reads it from where the scenario put it: the last argument and the environment. */
export const readContext = (): Context => ({
  ...(JSON.parse(process.env["MCP_CONFORMANCE_CONTEXT"] ?? "{}") as object),
  scenario: process.env["MCP_CONFORMANCE_SCENARIO"] ?? "",
  serverUrl: process.argv.at(-1) ?? "",
})
