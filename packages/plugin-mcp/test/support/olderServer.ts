/**
 * A server of the revision 2025-11-25 with sessions, made with the SDK of that generation.
 */
import { randomUUID } from "node:crypto"
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js"
import { isInitializeRequest, UrlElicitationRequiredError } from "@modelcontextprotocol/sdk/types.js"
import { z } from "zod"
import { annotations, everyContent } from "./content.ts"
import { serveLoopback } from "./httpServer.ts"
import type { TestServer, TestServerOptions } from "./modernServer.ts"

/** A server that keeps sessions. */
export interface SessionServer extends TestServer {
  /** Forgets every session, as a server does that is started anew. */
  forgetSessions(): Promise<void>
  sessions(): number
}

/** Starts one. */
export const olderServer = async ({ guard, path = "/mcp" }: TestServerOptions = {}): Promise<SessionServer> => {
  const more = new Set<string>()
  let cancelled = 0
  const sessions = new Map<
    string,
    { readonly server: McpServer; transport: WebStandardStreamableHTTPServerTransport }
  >()
  const begin = async (authorization: string | null): Promise<WebStandardStreamableHTTPServerTransport> => {
    const server = new McpServer({ name: "older", version: "1" })
    addTools(server, authorization, () => {
      cancelled += 1
    })
    for (const name of more) addLater(server, name)
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => void sessions.set(id, { server, transport }),
      onsessionclosed: (id) => void sessions.delete(id),
    })
    await server.connect(transport)
    return transport
  }
  const server = await serveLoopback(async (request, body) => {
    const refusal = await guard?.(request, body)
    if (refusal !== undefined) return refusal
    const id = request.headers.get("mcp-session-id")
    const options = { parsedBody: body }
    if (id !== null) {
      const session = sessions.get(id)
      return session === undefined
        ? refused(404, "Session not found")
        : session.transport.handleRequest(request, options)
    }
    if (!isInitializeRequest(body)) return refused(400, "Bad Request: No valid session ID provided")
    return (await begin(request.headers.get("authorization"))).handleRequest(request, options)
  })
  return {
    ...server,
    url: `${server.origin}${path}`,
    addTool: (name) => {
      more.add(name)
      for (const session of sessions.values()) addLater(session.server, name)
    },
    removeTool: (name) => {
      more.delete(name)
      for (const session of sessions.values()) later.get(session.server)?.get(name)?.remove()
    },
    cancelled: () => cancelled,
    sessions: () => sessions.size,
    forgetSessions: async () => {
      const all = [...sessions.values()]
      sessions.clear()
      await Promise.all(all.map((session) => session.transport.close()))
    },
  }
}

const refused = (status: number, message: string): Response =>
  Response.json({ jsonrpc: "2.0", id: null, error: { code: -32_000, message } }, { status })

type Registered = ReturnType<McpServer["registerTool"]>

const later = new WeakMap<McpServer, Map<string, Registered>>()

const addLater = (server: McpServer, name: string): void => {
  const tools = later.get(server) ?? new Map<string, Registered>()
  later.set(server, tools)
  const answer = () => ({ content: [{ type: "text" as const, text: name }] })
  tools.set(name, server.registerTool(name, { description: "Came later.", annotations }, answer))
}

const addTools = (server: McpServer, authorization: string | null, onCancelled: () => void): void => {
  server.registerTool(
    "echo",
    {
      title: "Echo",
      description: "Says it again.",
      inputSchema: { text: z.string() },
      outputSchema: { text: z.string() },
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    ({ text }) => ({ content: [{ type: "text", text: JSON.stringify({ text }) }], structuredContent: { text } }),
  )
  server.registerTool("whoami", { description: "Who calls.", annotations }, () => ({
    content: [{ type: "text", text: String(authorization) }],
  }))
  server.registerTool("files", { annotations }, () => ({ content: [...everyContent] }))
  server.registerTool("fail", { annotations }, () => ({
    isError: true,
    content: [{ type: "text", text: "The disk is full." }],
  }))
  server.registerTool("slow", { annotations }, async ({ signal, _meta, sendNotification }) => {
    const progressToken = _meta?.progressToken
    if (progressToken !== undefined) {
      for (const progress of [1, 2]) {
        await sendNotification({
          method: "notifications/progress",
          params: { progressToken, progress, total: 2, message: `step ${progress}` },
        })
      }
      return { content: [{ type: "text", text: "done" }] }
    }
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }))
    onCancelled()
    return { content: [] }
  })
  server.registerTool("ask", { annotations, inputSchema: { what: z.string() } }, async ({ what }, { sendRequest }) => {
    const { action, content } = await sendRequest(
      {
        method: "elicitation/create",
        params: {
          mode: "form",
          message: `Which color has ${what}?`,
          requestedSchema: { type: "object", properties: { color: { type: "string" } }, required: ["color"] },
        },
      },
      z.object({ action: z.string(), content: z.object({ color: z.string() }).optional() }),
    )
    return { content: [{ type: "text", text: action === "accept" ? `${what} is ${content?.color}` : "nobody says" }] }
  })
  let visits = 0
  server.registerTool("visit", { annotations }, async () => {
    visits += 1
    if (visits > 1) return { content: [{ type: "text", text: "paid" }] }
    throw new UrlElicitationRequiredError([
      { mode: "url", message: "Pay first.", url: "https://pay.example.com/1", elicitationId: "1" },
    ])
  })
}
