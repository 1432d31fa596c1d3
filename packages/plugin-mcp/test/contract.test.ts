/**
 * The contract of plugins, against a server that answers each message by hand.
 */
import { pluginContract, type UpstreamHandler } from "@keyward/core/testing"
import { describe, it } from "vitest"
import { mcpPlugin } from "../src/index.ts"

const tools = [
  {
    name: "say",
    description: "Says it.",
    inputSchema: { type: "object", properties: { text: { type: "string" } }, required: ["text"] },
    annotations: { readOnlyHint: true },
  },
  { name: "status", inputSchema: { type: "object", properties: {} }, annotations: { readOnlyHint: true } },
]

const supportedVersions = ["2026-07-28"]
const serverInfo = { name: "contract", version: "1" }

/** Echoes the request, headers and all, in the text of its answer. */
const answer: UpstreamHandler = (request) => {
  const { method, url, rawHeaders, text } = request
  if (method !== "POST") return { status: 405 }
  const { id, method: rpc } = request.json() as { readonly id?: number; readonly method: string }
  if (id === undefined) return { status: 202 }
  const result =
    rpc === "server/discover"
      ? {
          resultType: "complete",
          supportedVersions,
          capabilities: { tools: {} },
          _meta: { "io.modelcontextprotocol/serverInfo": serverInfo },
          ttlMs: 0,
          cacheScope: "private",
        }
      : rpc === "tools/list"
        ? { resultType: "complete", tools, ttlMs: 0, cacheScope: "private" }
        : {
            resultType: "complete",
            content: [{ type: "text", text: JSON.stringify({ method, url, rawHeaders, text }) }],
          }
  return { json: { jsonrpc: "2.0", id, result } }
}

describe("the plugin contract", () => {
  const cases = pluginContract(() => ({
    plugin: mcpPlugin(),
    register: async (executor, baseUrl) => {
      const { slug } = await executor.mcp.addServer({
        slug: "contract",
        transport: "http",
        url: baseUrl,
        authTemplates: [{ slug: "bearer", type: "bearer" }],
      })
      return { slug, template: "bearer" }
    },
    answer,
    calls: [{ tool: "say", args: { text: "hello" } }, { tool: "status" }],
  }))
  for (const { name, run } of cases) it(name, run)
})
