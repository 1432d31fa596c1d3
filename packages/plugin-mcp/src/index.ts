/**
 * `@keyward/plugin-mcp`: integrations from MCP servers, over HTTP and as local commands.
 *
 * @module @keyward/plugin-mcp
 */
export {
  type AddServerInput,
  type McpExtension,
  mcpPlugin,
  type McpPluginOptions,
  type UpdateServerInput,
} from "./Mcp.ts"
export type { McpAuthorization, McpServerProbe, ProbeServerInput } from "./server/probeServer.ts"
export { McpServerError } from "./server/McpServerError.ts"
export type { McpFile, McpToolData } from "./call/content.ts"
