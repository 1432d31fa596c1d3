/**
 * The MCP server of the suite `mcp`, in a process of its own: one tool, spoken to in the current revision.
 */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { Readable } from "node:stream"
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server"
import { z } from "zod"

const handler = createMcpHandler(
  () => {
    const server = new McpServer({ name: "bench", version: "1" }, { capabilities: { tools: {} } })
    server.registerTool(
      "add",
      {
        inputSchema: z.object({ a: z.number(), b: z.number() }),
        outputSchema: z.object({ sum: z.number() }),
        annotations: { readOnlyHint: true },
      },
      ({ a, b }) => ({ content: [{ type: "text", text: String(a + b) }], structuredContent: { sum: a + b } }),
    )
    return server
  },
  { legacy: "reject" },
)

const server = createServer((message, response) => {
  const pieces: Array<Buffer> = []
  message.on("data", (piece: Buffer) => pieces.push(piece))
  message.on("end", () => {
    void (async () => {
      const headers = new Headers()
      for (const [name, value] of Object.entries(message.headers))
        if (typeof value === "string") headers.set(name, value)
      const { method = "GET", url = "/" } = message
      const body = pieces.length === 0 ? {} : { body: Buffer.concat(pieces).toString() }
      const answer = await handler.fetch(new Request(`http://127.0.0.1${url}`, { method, headers, ...body }))
      response.writeHead(answer.status, Object.fromEntries(answer.headers))
      if (answer.body === null) response.end()
      else Readable.fromWeb(answer.body).pipe(response)
    })()
  })
})
server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port))
// The parent is gone.
process.on("disconnect", () => process.exit())
