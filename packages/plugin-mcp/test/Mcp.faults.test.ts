/**
 * Servers that misbehave: endless pages, errors of the protocol, answers that are cut off, statuses, schemas that are not kept to.
 */
import type { ExecutorEvent } from "@keyward/core"
import { canary, CanaryScanner, fakeUpstream, type UpstreamAnswer } from "@keyward/core/testing"
import { describe, expect, it, onTestFinished } from "vitest"
import type { McpPluginOptions } from "../src/index.ts"
import { call, connectOpenly, setStage } from "./support/stage.ts"

interface Message {
  readonly id?: number
  readonly method: string
  readonly params: { readonly cursor?: string }
}

type Answer = (message: Message) => { readonly result: object } | { readonly error: object } | UpstreamAnswer

const annotations = { readOnlyHint: true }
const tool = (name: string, more: object = {}) => ({ name, inputSchema: { type: "object" }, annotations, ...more })
const complete = { resultType: "complete", ttlMs: 0, cacheScope: "private" }

/** A server that answers as it is told, and otherwise has one tool. */
const setUp = async (plugin: McpPluginOptions = {}) => {
  const answers = new Map<string, Answer>([
    ["GET", () => ({ status: 405 })],
    [
      "server/discover",
      () => ({
        result: {
          ...complete,
          supportedVersions: ["2026-07-28"],
          capabilities: { tools: {} },
          _meta: { "io.modelcontextprotocol/serverInfo": { name: "faulty", version: "1" } },
        },
      }),
    ],
    ["tools/list", () => ({ result: { ...complete, tools: [tool("call")] } })],
    ["tools/call", () => ({ result: { resultType: "complete", content: [{ type: "text", text: "done" }] } })],
  ])
  const upstream = await fakeUpstream((request) => {
    if (request.method === "GET" && request.path === "/hasty") {
      return answers.get("GET")?.({ method: "GET", params: {} }) as UpstreamAnswer
    }
    if (request.method !== "POST") return { status: 405 }
    const message = request.json() as Message
    if (message.id === undefined) return { status: 202 }
    const answer = answers.get(message.method)?.(message) ?? { status: 404 }
    return "result" in answer || "error" in answer ? { json: { jsonrpc: "2.0", id: message.id, ...answer } } : answer
  })
  onTestFinished(() => upstream.close())
  const { executor, events } = await setStage({ hosts: [upstream.host], plugin })
  await connectOpenly(executor, { transport: "http", url: `${upstream.origin}/mcp` })
  const names = async () => (await executor.tools.list()).map(({ name }) => name)
  const refresh = () => executor.connections.refresh({ owner: "user", integration: "srv", name: "main" })
  return { executor, events, upstream, answers, names, refresh }
}

/** Has the server speak a revision of before 2026-07-28 from the next session on. */
const growOld = (answers: Map<string, Answer>): void => {
  answers.set("server/discover", () => ({ error: { code: -32_601, message: "Unknown method." } }))
  answers.set("initialize", () => ({
    result: { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: { name: "old", version: "1" } },
  }))
}

const faultsIn = (events: ReadonlyArray<ExecutorEvent>) =>
  events.flatMap((event) => (event.type === "tools.faulty" ? [event] : []))

describe("listing tools", () => {
  it("goes through all pages", async () => {
    const { answers, names, refresh } = await setUp()
    answers.set("tools/list", ({ params }) => ({
      result:
        params.cursor === undefined
          ? { ...complete, tools: [tool("one")], nextCursor: "2" }
          : { ...complete, tools: [tool("two"), tool("one")] },
    }))
    await refresh()
    expect(await names()).toEqual(["one", "two"])
  })

  it("gives up on pages without an end, and keeps what was known", async () => {
    const { upstream, answers, names, refresh } = await setUp({ maxToolPages: 3 })
    let page = 0
    answers.set("tools/list", () => ({ result: { ...complete, tools: [tool(`t${++page}`)], nextCursor: `${page}` } }))
    const before = upstream.requests.length
    await expect(refresh()).rejects.toMatchObject({ _tag: "ToolResolutionError" })
    expect(await names()).toEqual(["call"])
    expect(upstream.requests.length - before).toBeLessThanOrEqual(5)
  })

  it("takes no more tools than the limit, and keeps what was known", async () => {
    const { answers, names, refresh } = await setUp({ maxTools: 3 })
    const tools = Array.from({ length: 4 }, (_, index) => tool(`t${index}`))
    answers.set("tools/list", () => ({ result: { ...complete, tools } }))
    await expect(refresh()).rejects.toMatchObject({ reason: expect.stringContaining("maxTools is 3") })
    expect(await names()).toEqual(["call"])
  })

  it("leaves out what cannot be named, and says so", async () => {
    const { events, answers, names, refresh } = await setUp()
    const odd = ["", "x".repeat(513), "\ud800"].map((name) => tool(name))
    const tools = [...odd, tool("__proto__"), tool("one"), tool("one")]
    answers.set("tools/list", () => ({ result: { ...complete, tools } }))
    await refresh()
    expect(await names()).toEqual(["__proto__", "one"])
    expect(faultsIn(events)).toMatchObject([
      { connection: "tools.srv.user.main", integration: "srv", owner: "user", subject: "alice", faultCount: 4 },
    ])
    expect(faultsIn(events)[0]?.faults.at(-1)).toBe('Left out, because its name is taken: the tool "one".')
  })

  it.each([
    ["2026-07-28", () => undefined],
    ["an older revision", growOld],
  ])("goes on where one tool is no tool, in %s", async (_, age) => {
    const { events, answers, names, refresh, executor, upstream } = await setUp()
    age(answers)
    await executor.mcp.updateServer("srv", { url: `${upstream.origin}/mcp?aged` })
    const tools = [null, "tool", {}, { name: 7 }, tool("text", { inputSchema: { type: "string" } }), tool("one")]
    answers.set("tools/list", () => ({ result: { ...complete, tools } }))
    await refresh()
    expect(await names()).toEqual(["one"])
    expect(faultsIn(events).at(-1)).toMatchObject({
      faultCount: 5,
      faults: expect.arrayContaining(['Left out, because its input is no object: the tool "text".']),
    })
    expect(await call(executor, "one")).toMatchObject({ ok: true })
  })

  it.each([
    ["2026-07-28", () => undefined],
    ["an older revision", growOld],
  ])("keeps what can be used of a tool, in %s", async (_, age) => {
    const { events, answers, names, refresh, executor, upstream } = await setUp()
    age(answers)
    await executor.mcp.updateServer("srv", { url: `${upstream.origin}/mcp?aged` })
    const inputSchema = {
      properties: { id: { type: "integer" }, name: { type: "text", description: "Its name." }, at: { pattern: "(" } },
      required: ["id"],
    }
    const outputSchema = { type: "object", properties: { sum: { $ref: "#/$defs/nowhere" } } }
    const odd = {
      title: 7,
      description: null,
      icons: "none",
      execution: 1,
      _meta: [],
      annotations: { ...annotations, title: 7 },
    }
    const tools = [tool("call", { inputSchema, outputSchema, ...odd }), tool("one")]
    answers.set("tools/list", () => ({ result: { ...complete, tools } }))
    await refresh()
    expect(await names()).toEqual(["call", "one"])
    expect(faultsIn(events).at(-1)?.faults).toEqual([
      'Used without "inputSchema/properties/name/type", "inputSchema/properties/at/pattern", "outputSchema/properties/sum/$ref", "annotations/title", "title", not being sound: the tool "call".',
    ])
    expect(await executor.tools.schema("tools.srv.user.main.call")).toMatchObject({
      inputSchema: { type: "object", properties: { id: { type: "integer" }, name: { description: "Its name." } } },
      annotations,
    })
    expect(await call(executor, "call", { name: "any" })).toMatchObject({ error: { code: "invalid_arguments" } })
    answers.set("tools/call", () => ({
      result: { resultType: "complete", content: [], structuredContent: { sum: "any" } },
    }))
    expect(await call(executor, "call", { id: 1 })).toMatchObject({ ok: true, data: { structured: { sum: "any" } } })
  })

  it("tells no secret of what it left out", async () => {
    const secret = canary("token")
    const { executor, events, answers } = await setUp()
    answers.set("tools/list", () => ({ result: { ...complete, tools: [tool("call"), tool(`${secret}\ud800`)] } }))
    const authTemplates = [{ slug: "bearer", type: "bearer" }] as const
    await executor.mcp.updateServer("srv", { authTemplates })
    const ref = { owner: "user", integration: "srv", name: "main" } as const
    await executor.connections.create({ ...ref, template: "bearer", value: secret })
    expect(faultsIn(events).at(-1)?.faultCount).toBe(1)
    new CanaryScanner([secret]).expectNone(events, "the events")
  })

  it("keeps what was known when a later page fails", async () => {
    const { answers, names, refresh } = await setUp()
    answers.set("tools/list", ({ params }) =>
      params.cursor === undefined
        ? { result: { ...complete, tools: [tool("one")], nextCursor: "2" } }
        : { error: { code: -32_603, message: "The index is being built." } },
    )
    await expect(refresh()).rejects.toMatchObject({ reason: expect.stringContaining("The index is being built.") })
    expect(await names()).toEqual(["call"])
  })
})

describe("a server whose stream ends at once", () => {
  it("is not asked for another without a pause", async () => {
    const { executor, upstream, answers, refresh } = await setUp()
    answers.set("server/discover", () => ({ error: { code: -32_601, message: "Unknown method." } }))
    answers.set("initialize", () => ({
      result: {
        protocolVersion: "2025-06-18",
        capabilities: { tools: { listChanged: true } },
        serverInfo: { name: "hasty", version: "1" },
      },
    }))
    answers.set("GET", () => ({ headers: { "content-type": "text/event-stream" }, body: "retry: 0\n\n" }))
    const before = Date.now()
    await executor.mcp.updateServer("srv", { url: `${upstream.origin}/hasty` })
    await refresh()
    const streams = () => upstream.requests.filter(({ method, path }) => method === "GET" && path === "/hasty").length
    await expect.poll(streams).toBeGreaterThan(3)
    // Each pause is twice the one before it; without one there are twice as many by then and more.
    expect(streams()).toBeLessThan(8 + Math.log2(1 + (Date.now() - before) / 50))
  })
})

describe("a call", () => {
  it("tells an error of the protocol from one of the tool", async () => {
    const { executor, answers } = await setUp()
    answers.set("tools/call", () => ({ error: { code: -32_000, message: "Too many at once.", data: { limit: 3 } } }))
    expect(await call(executor, "call")).toEqual({
      ok: false,
      error: {
        code: "mcp_protocol_error",
        message: "Too many at once.",
        retryable: false,
        details: { code: -32_000, data: { limit: 3 } },
      },
    })
  })

  it("ends when its answer is cut off", async () => {
    const { executor, answers } = await setUp()
    answers.set("tools/call", () => ({
      headers: { "content-type": "text/event-stream" },
      body: ": a comment and no answer\n\n",
    }))
    expect(await call(executor, "call")).toMatchObject({
      ok: false,
      error: {
        code: "mcp_transport_error",
        retryable: false,
        message: expect.stringContaining("may have had an effect"),
      },
    })
  })

  it("says whether a status may pass", async () => {
    const { executor, answers } = await setUp()
    for (const [status, retryable] of [
      [400, false],
      [404, false],
      [429, true],
      [503, true],
    ] as const) {
      answers.set("tools/call", () => ({ status, body: "no" }))
      expect(await call(executor, "call")).toMatchObject({
        ok: false,
        error: { code: "mcp_transport_error", status, retryable },
      })
    }
  })

  it("does not believe structured content that the tool's own schema refuses", async () => {
    const { executor, answers, refresh } = await setUp()
    const outputSchema = { type: "object", properties: { sum: { type: "number" } }, required: ["sum"] }
    answers.set("tools/list", () => ({ result: { ...complete, tools: [tool("call", { outputSchema })] } }))
    answers.set("tools/call", () => ({
      result: { resultType: "complete", content: [], structuredContent: { sum: "three" } },
    }))
    await refresh()
    expect(await call(executor, "call")).toMatchObject({ ok: false, error: { code: "mcp_protocol_error" } })
  })

  it("does not believe it either where the schema asks to be checked by and by", async () => {
    const { executor, answers, refresh } = await setUp()
    const outputSchema = { $async: true, type: "object", properties: { sum: { type: "number" } }, required: ["sum"] }
    answers.set("tools/list", () => ({ result: { ...complete, tools: [tool("call", { outputSchema })] } }))
    answers.set("tools/call", () => ({
      result: { resultType: "complete", content: [], structuredContent: { sum: "three" } },
    }))
    await refresh()
    expect(await call(executor, "call")).toMatchObject({ ok: false, error: { code: "mcp_protocol_error" } })
  })

  it("ends where what comes back cannot be checked by the tool's own schema in time", async () => {
    const { executor, answers, refresh } = await setUp()
    const outputSchema = { type: "object", properties: { text: { type: "string", pattern: "^(a+)+$" } } }
    answers.set("tools/list", () => ({ result: { ...complete, tools: [tool("call", { outputSchema })] } }))
    answers.set("tools/call", () => ({
      result: { resultType: "complete", content: [], structuredContent: { text: `${"a".repeat(60)}!` } },
    }))
    await refresh()
    expect(await call(executor, "call")).toMatchObject({ ok: false, error: { code: "mcp_protocol_error" } })
  })

  it("sends nobody to what is no web page, and nobody from page to page for ever", async () => {
    const { executor, answers } = await setUp()
    const visit = (url: unknown) => ({ mode: "url", message: "Go there.", elicitationId: "1", url })
    let elicitations: ReadonlyArray<unknown> = ["javascript:alert(1)", "file:///etc/passwd", 7, " data:,x"].map(visit)
    answers.set("tools/call", () => ({ error: { code: -32_042, message: "Visit first.", data: { elicitations } } }))
    const seen: Array<unknown> = []
    const onElicitation = (request: unknown) => {
      seen.push(request)
      return { action: "accept" } as const
    }
    expect(await call(executor, "call", {}, { onElicitation })).toMatchObject({ error: { code: "mcp_protocol_error" } })
    elicitations = [visit("javascript:alert(1)"), visit("HTTPS://pay.example.com/1")]
    expect(await call(executor, "call", {}, { onElicitation })).toMatchObject({
      error: { code: "mcp_visit_required", details: { urls: ["https://pay.example.com/1"] } },
    })
    expect(seen).toMatchObject([{ kind: "url", url: "https://pay.example.com/1" }])
    elicitations = Array.from({ length: 1000 }, (_, index) => visit(`https://pay.example.com/${index}`))
    await call(executor, "call", {}, { onElicitation })
    expect(seen.length).toBeLessThan(10)
  })

  it("sends arguments as headers where the tool's schema says so", async () => {
    const { executor, upstream, answers, refresh } = await setUp()
    const inputSchema = { type: "object", properties: { region: { type: "string", "x-mcp-header": "Region" } } }
    answers.set("tools/list", () => ({ result: { ...complete, tools: [tool("call", { inputSchema })] } }))
    await refresh()
    expect(await call(executor, "call", { region: "eu" })).toMatchObject({ ok: true })
    expect(upstream.requests.at(-1)?.headers).toMatchObject({ "mcp-param-region": "eu", "mcp-name": "call" })
  })
})

describe("a probe", () => {
  it("says what is no MCP server", async () => {
    const { executor, upstream, answers } = await setUp()
    answers.set("server/discover", () => ({ status: 404, body: "<h1>Not here</h1>" }))
    await expect(executor.mcp.probe({ url: `${upstream.origin}/other` })).rejects.toMatchObject({
      _tag: "McpServerError",
      reason: "not_mcp",
    })
    answers.set("server/discover", () => ({ status: 503 }))
    await expect(executor.mcp.probe({ url: `${upstream.origin}/mcp` })).rejects.toMatchObject({ reason: "unreachable" })
  })
})

describe("a server that is changed or removed", () => {
  it("keeps what was not named, and derives templates anew when it moves", async () => {
    const { executor, upstream } = await setUp()
    const changed = await executor.mcp.updateServer("srv", { description: "The one.", url: undefined })
    expect(changed).toMatchObject({ name: "faulty", description: "The one.", baseUrl: `${upstream.origin}/mcp` })
    const moved = await executor.mcp.updateServer("srv", { url: `${upstream.origin}/v2` })
    expect(moved).toMatchObject({ baseUrl: `${upstream.origin}/v2`, authTemplates: [{ slug: "none" }] })
    expect(await call(executor, "call")).toMatchObject({ ok: true })
    await expect(executor.mcp.updateServer("absent", {})).rejects.toMatchObject({ reason: "not_found" })
  })

  it("is removed once it has no connections", async () => {
    const { executor } = await setUp()
    await expect(executor.mcp.removeServer("srv")).rejects.toMatchObject({ _tag: "IntegrationInUseError" })
    await executor.connections.remove({ owner: "user", integration: "srv", name: "main" })
    await executor.mcp.removeServer("srv")
    expect(await executor.integrations.get("srv")).toBeNull()
  })
})
