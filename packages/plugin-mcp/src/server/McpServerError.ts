/**
 * The one error of adding and probing servers.
 */
import { taggedError } from "@keyward/core/effect"
import * as Schema from "effect/Schema"

/**
 * There is no usable MCP server there. `server` is its URL without the query, or the name of its command; `reason` is a machine word:
 * `not_mcp`, `unreachable`, `not_found`.
 */
export class McpServerError extends taggedError<McpServerError>()(
  "McpServerError",
  { server: Schema.String, reason: Schema.String, nextStep: Schema.String },
  400,
) {
  override get message(): string {
    return `The MCP server ${JSON.stringify(this.server.slice(0, 200))} cannot be used (${this.reason}). ${this.nextStep}`
  }
}
