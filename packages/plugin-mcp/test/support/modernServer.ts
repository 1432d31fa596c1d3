/**
 * A server of the revision 2026-07-28, made with the official server package.
 */
import {
  acceptedContent,
  createMcpHandler,
  inputRequired,
  McpServer,
  type McpServerFactory,
} from "@modelcontextprotocol/server"
import { z } from "zod"
import { annotations, everyContent } from "./content.ts"
import { type LoopbackServer, serveLoopback } from "./httpServer.ts"

/** A running server with its switches. */
export interface TestServer extends LoopbackServer {
  readonly url: string
  /** Has a tool of that name from now on, and says so. */
  addTool(name: string): void
  removeTool(name: string): void
  /** How many calls of `slow` were cancelled. */
  cancelled(): number
}

/** What a server does besides serving its tools. */
export interface TestServerOptions {
  /** Turns requests away before they reach the server. */
  readonly guard?: (request: Request, body: unknown) => Response | undefined | Promise<Response | undefined>
  readonly path?: string
}

/** Starts one. */
export const modernServer = async ({ guard, path = "/mcp" }: TestServerOptions = {}): Promise<TestServer> => {
  const more = new Set<string>()
  let cancelled = 0
  const factory: McpServerFactory = ({ requestInfo }) => {
    const server = new McpServer({ name: "modern", version: "2" }, { capabilities: { tools: { listChanged: true } } })
    addTools(server, requestInfo?.headers.get("authorization") ?? null, () => {
      cancelled += 1
    })
    for (const name of more) {
      server.registerTool(name, { description: "Came later.", annotations }, () => ({
        content: [{ type: "text", text: name }],
      }))
    }
    return server
  }
  const handler = createMcpHandler(factory, { legacy: "reject" })
  const server = await serveLoopback(async (request, body) => (await guard?.(request, body)) ?? handler.fetch(request))
  return {
    ...server,
    url: `${server.origin}${path}`,
    addTool: (name) => {
      more.add(name)
      handler.notify.toolsChanged()
    },
    removeTool: (name) => void more.delete(name),
    cancelled: () => cancelled,
  }
}

const addTools = (server: McpServer, authorization: string | null, onCancelled: () => void): void => {
  server.registerTool(
    "echo",
    {
      title: "Echo",
      description: "Says it again.",
      inputSchema: z.object({ text: z.string() }),
      outputSchema: z.object({ text: z.string() }),
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
  server.registerTool("slow", { annotations }, async (context) => {
    const { signal, _meta } = context.mcpReq
    const progressToken = (_meta as { readonly progressToken?: string | number } | undefined)?.progressToken
    if (progressToken !== undefined) {
      for (const progress of [1, 2]) {
        await context.mcpReq.notify({
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
  server.registerTool("ask", { annotations, inputSchema: z.object({ what: z.string() }) }, ({ what }, context) => {
    const answered = acceptedContent(context.mcpReq.inputResponses, "answer", z.object({ color: z.string() }))
    if (answered !== undefined) return { content: [{ type: "text", text: `${what} is ${answered.color}` }] }
    if (context.mcpReq.inputResponses !== undefined) return { content: [{ type: "text", text: "nobody says" }] }
    return inputRequired({
      inputRequests: {
        answer: inputRequired.elicit({
          message: `Which color has ${what}?`,
          requestedSchema: z.object({ color: z.string() }),
        }),
      },
    })
  })
  server.registerTool("visit", { annotations }, (context) => {
    if (context.mcpReq.inputResponses !== undefined) {
      return { content: [{ type: "text", text: JSON.stringify(context.mcpReq.inputResponses) }] }
    }
    return inputRequired({
      inputRequests: { page: inputRequired.elicitUrl({ message: "Pay first.", url: "https://pay.example.com/1" }) },
    })
  })
}
