/** The MCP server of the example: notes, over HTTP or stdin and stdout. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { Readable } from "node:stream"
import { acceptedContent, createMcpHandler, inputRequired, McpServer } from "@modelcontextprotocol/server"
import { serveStdio } from "@modelcontextprotocol/server/stdio"
import { z } from "zod"

const notes = new Map<string, ReadonlyArray<string>>()

/** A server for whoever brings this token. */
const notesFor = (token: string): McpServer => {
  const server = new McpServer({ name: "notes", version: "1" }, { capabilities: { tools: {} } })
  server.registerTool(
    "list",
    {
      description: "The notes.",
      outputSchema: z.object({ notes: z.array(z.string()) }),
      annotations: { readOnlyHint: true },
    },
    () => ({ content: [], structuredContent: { notes: notes.get(token) ?? [] } }),
  )
  server.registerTool(
    "add",
    { description: "Adds a note.", inputSchema: z.object({ text: z.string() }), annotations: { readOnlyHint: false } },
    ({ text }) => {
      notes.set(token, [...(notes.get(token) ?? []), text])
      return { content: [{ type: "text", text: "Added." }] }
    },
  )
  server.registerTool("greet", { description: "Greets a person.", annotations: { readOnlyHint: true } }, (context) => {
    const who = acceptedContent(context.mcpReq.inputResponses, "who", z.object({ name: z.string() }))
    if (who !== undefined) return { content: [{ type: "text", text: `Hello, ${who.name}!` }] }
    const requestedSchema = z.object({ name: z.string() })
    return inputRequired({
      inputRequests: { who: inputRequired.elicit({ message: "Who is there?", requestedSchema }) },
    })
  })
  return server
}

/** Serves over HTTP to those who bring a token; answers with its URL and how to end it. */
export const serveNotes = async (): Promise<{ readonly url: string; readonly host: string; close(): void }> => {
  const handler = createMcpHandler(({ requestInfo }) => notesFor(requestInfo?.headers.get("authorization") ?? ""))
  const server = createServer((message, response) => {
    void (async () => {
      if (message.headers.authorization === undefined)
        return response.writeHead(401, { "www-authenticate": "Bearer" }).end()
      const pieces: Array<Buffer> = []
      for await (const piece of message) pieces.push(piece as Buffer)
      const headers = Object.entries(message.headers).flatMap(([name, value]): ReadonlyArray<[string, string]> =>
        typeof value === "string" ? [[name, value]] : [],
      )
      const { method = "GET", url = "/" } = message
      const body = pieces.length === 0 ? {} : { body: Buffer.concat(pieces).toString() }
      const answer = await handler.fetch(
        new Request(`http://127.0.0.1${url}`, { method, headers: [...headers], ...body }),
      )
      response.writeHead(answer.status, Object.fromEntries(answer.headers))
      return answer.body === null ? response.end() : Readable.fromWeb(answer.body).pipe(response)
    })()
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const close = (): void => {
    server.closeAllConnections()
    server.close()
  }
  return { url: `http://${host}/mcp`, host, close }
}

if (process.argv[2] === "--stdio") serveStdio(() => notesFor(process.env["NOTES_TOKEN"] ?? ""))
