/**
 * A local command that is an MCP server, started by the plugin. `argv[2]` says of which generation, or how it misbehaves.
 */
import { spawn } from "node:child_process"
import { appendFileSync, existsSync } from "node:fs"
import { createInterface } from "node:readline"

const [, , kind = "modern", file = "", ...rest] = process.argv
const annotations = { readOnlyHint: true }
const text = (value: unknown) => ({ content: [{ type: "text" as const, text: JSON.stringify(value) }] })
const noteStart = (): void => {
  if (file !== "") appendFileSync(file, `${process.pid}\n`)
}

/** A process of the server's own, which must not be left behind. */
const startHelper = (): number | undefined =>
  spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" }).pid

const serveModern = async (): Promise<void> => {
  const { McpServer } = await import("@modelcontextprotocol/server")
  const { serveStdio } = await import("@modelcontextprotocol/server/stdio")
  noteStart()
  serveStdio(() => {
    const server = new McpServer({ name: "modern", version: "2" }, { capabilities: { tools: {} } })
    server.registerTool("env", { annotations }, () => text({ ...process.env }))
    server.registerTool("args", { annotations }, () => text({ rest, cwd: process.cwd() }))
    server.registerTool("helper", { annotations }, () => text({ pid: process.pid, helper: startHelper() }))
    server.registerTool("crash", { annotations }, () => process.exit(3))
    server.registerTool("flood", { annotations }, () => {
      process.stdout.write("x".repeat(3_000_000))
      return text("never read")
    })
    return server
  })
}

const serveOlder = async (): Promise<void> => {
  const { McpServer } = await import("@modelcontextprotocol/sdk/server/mcp.js")
  const { StdioServerTransport } = await import("@modelcontextprotocol/sdk/server/stdio.js")
  const { z } = await import("zod")
  noteStart()
  const server = new McpServer({ name: "older", version: "1" })
  server.registerTool("env", { annotations }, () => text({ ...process.env }))
  server.registerTool("args", { annotations }, () => text({ rest, cwd: process.cwd() }))
  server.registerTool("ask", { annotations }, async ({ sendRequest }) => {
    const params = {
      mode: "form" as const,
      message: "Sure?",
      requestedSchema: { type: "object" as const, properties: {} },
    }
    const { action } = await sendRequest({ method: "elicitation/create", params }, z.object({ action: z.string() }))
    return text(action)
  })
  await server.connect(new StdioServerTransport())
}

/** Ends over any question but the one that it knows to be the first, as some old servers do; greets on stdout before. */
const serveTouchy = (): void => {
  noteStart()
  process.stdout.write("Welcome to the touchy server!\n")
  let isFirst = true
  createInterface({ input: process.stdin }).on("line", (line) => {
    const { id, method } = JSON.parse(line) as { readonly id?: number; readonly method: string }
    if (isFirst && method !== "initialize") process.exit(1)
    isFirst = false
    const answer = (result: unknown): void =>
      void process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", id, result })}\n`)
    if (method === "initialize") {
      answer({
        protocolVersion: "2024-11-05",
        capabilities: { tools: {} },
        serverInfo: { name: "touchy", version: "0" },
      })
    } else if (method === "tools/list")
      answer({ tools: [{ name: "hello", inputSchema: { type: "object" }, annotations }] })
    else if (method === "tools/call") answer({ content: [{ type: "text", text: "hello" }] })
  })
}

/** Asks its question when two calls, or a call and a listing, are under way, and answers neither before it was answered. */
const serveAsking = (): void => {
  noteStart()
  const send = (message: object): void => {
    process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`)
  }
  const tools = { tools: [{ name: "ask", inputSchema: { type: "object" }, annotations }] }
  const waiting = new Map<number, string>()
  createInterface({ input: process.stdin }).on("line", (line) => {
    const { id, method, result } = JSON.parse(line) as {
      readonly id?: number
      readonly method?: string
      readonly result?: { readonly action: string }
    }
    if (id === undefined) return
    if (result !== undefined) {
      for (const [one, asked] of waiting)
        send({ id: one, result: asked === "tools/call" ? text(result.action) : tools })
    } else if (method === "initialize") {
      const serverInfo = { name: "asking", version: "0" }
      send({ id, result: { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo } })
    } else if (method === "tools/list" && !existsSync(`${file}.waiting`)) send({ id, result: tools })
    else if (method === "tools/list" || method === "tools/call") {
      waiting.set(id, method)
      const requestedSchema = { type: "object", properties: {} }
      if (waiting.size === 2) {
        send({ id: "question", method: "elicitation/create", params: { message: "Sure?", requestedSchema } })
      }
    } else send({ id, error: { code: -32_601, message: "Unknown method." } })
  })
}

/** Does not end with its stdin. */
const serveStubbornly = (): void => {
  setInterval(() => undefined, 1000)
  process.on("SIGTERM", () => undefined)
  serveTouchy()
}

// What was well may be ill the next time.
if (existsSync(`${file}.broken`)) {
  noteStart()
  process.exit(4)
}
if (kind === "modern") await serveModern()
else if (kind === "asking") serveAsking()
else if (kind === "stubborn") serveStubbornly()
else if (kind === "older") await serveOlder()
else if (kind === "touchy") serveTouchy()
else {
  noteStart()
  process.exit(4)
}
