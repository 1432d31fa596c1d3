/**
 * Servers over HTTP, of the current revision and of older ones: their tools, calls and answers.
 */
import { describe, expect, it } from "vitest"
import { modernServer } from "./support/modernServer.ts"
import { olderServer } from "./support/olderServer.ts"
import { call, connectOpenly, setStage } from "./support/stage.ts"

describe.each([
  ["2026-07-28", modernServer],
  ["2025-11-25", olderServer],
] as const)("a server of the revision %s", (revision, start) => {
  const setUp = async () => {
    const server = await start()
    const { executor, events } = await setStage({ hosts: [server.host] })
    await connectOpenly(executor, { transport: "http", url: server.url })
    return { server, executor, events }
  }

  it("is recognised by a probe", async () => {
    const server = await start()
    const { executor } = await setStage({ hosts: [server.host] })
    expect(await executor.mcp.probe({ url: `${server.url}#top` })).toMatchObject({
      url: server.url,
      revision,
      authorizationRequired: false,
      authorization: null,
      authTemplates: [{ slug: "none", type: "none" }],
    })
  })

  it("has its tools listed with schemas and hints", async () => {
    const { executor } = await setUp()
    const tools = await executor.tools.list({ integration: "srv" })
    expect(tools.map(({ name }) => name)).toEqual(["echo", "whoami", "files", "fail", "slow", "ask", "visit"])
    expect(tools[0]).toMatchObject({
      description: "Says it again.",
      annotations: { title: "Echo", readOnlyHint: true, openWorldHint: false },
    })
    const schema = await executor.tools.schema("tools.srv.user.main.echo")
    expect(schema?.inputSchema).toMatchObject({ properties: { text: { type: "string" } }, required: ["text"] })
    expect(schema?.outputSchema).toMatchObject({
      properties: { structured: { properties: { text: { type: "string" } } } },
      required: ["structured"],
    })
  })

  it("answers with structured content, and with its text only where that says more", async () => {
    const { executor } = await setUp()
    expect(await call(executor, "echo", { text: "hi" })).toEqual({ ok: true, data: { structured: { text: "hi" } } })
    expect(await call(executor, "whoami")).toEqual({ ok: true, data: { text: "null" } })
  })

  it("answers with images, sounds, resources and links as files", async () => {
    const { executor } = await setUp()
    expect(await call(executor, "files")).toEqual({
      ok: true,
      data: {
        text: "one\ntwo",
        files: [
          { kind: "image", mediaType: "image/png", base64: "iVBORw0KGgo=", bytes: 8 },
          { kind: "audio", mediaType: "audio/wav", base64: "iVBORw0KGgo=", bytes: 8 },
          { kind: "resource", uri: "note://1", mediaType: "text/plain", text: "a note", bytes: 6 },
          { kind: "resource", uri: "note://2", base64: "iVBORw0KGgo=", bytes: 8 },
          { kind: "link", uri: "https://files.example.com/big", name: "big", mediaType: "video/mp4", bytes: 9 },
        ],
      },
    })
  })

  it("tells what a tool says of its failure", async () => {
    const { executor } = await setUp()
    expect(await call(executor, "fail")).toEqual({
      ok: false,
      error: { code: "mcp_tool_error", message: "The disk is full.", retryable: false, details: {} },
    })
  })

  it("reports progress to whoever listens", async () => {
    const { executor } = await setUp()
    const heard: Array<unknown> = []
    const result = await call(executor, "slow", {}, { onProgress: (progress) => void heard.push(progress) })
    expect(result).toEqual({ ok: true, data: { text: "done" } })
    expect(heard).toEqual([
      { progress: 1, total: 2, message: "step 1" },
      { progress: 2, total: 2, message: "step 2" },
    ])
  })

  it("hears when a call is cancelled", async () => {
    const { server, executor } = await setUp()
    const controller = new AbortController()
    const reason = new Error("The caller gave up.")
    const ended = call(executor, "slow", {}, { signal: controller.signal }).catch((thrown: unknown) => thrown)
    await expect.poll(() => server.arrived.filter(({ rpc }) => rpc === "tools/call").length).toBe(1)
    controller.abort(reason)
    expect(await ended).toBe(reason)
    await expect.poll(() => server.cancelled()).toBe(1)
    expect(await call(executor, "whoami")).toMatchObject({ ok: true })
  })

  it("asks the person of the call", async () => {
    const { executor } = await setUp()
    const asked: Array<unknown> = []
    const ask = (action: "accept" | "decline") =>
      call(
        executor,
        "ask",
        { what: "the sky" },
        {
          onElicitation: async (request) => {
            asked.push(request)
            return { action, content: { color: "blue" } }
          },
        },
      )
    expect(await ask("accept")).toEqual({ ok: true, data: { text: "the sky is blue" } })
    expect(asked).toMatchObject([
      {
        kind: "form",
        tool: "tools.srv.user.main.ask",
        message: "Which color has the sky?",
        schema: { properties: { color: { type: "string" } } },
      },
    ])
    expect(await ask("decline")).toEqual({ ok: true, data: { text: "nobody says" } })
  })

  it("asks each of two persons whose calls are under way at once what is theirs to answer", async () => {
    const { executor } = await setUp()
    const ask = (color: string) =>
      call(executor, "ask", { what: color }, { onElicitation: async () => ({ action: "accept", content: { color } }) })
    const texts = await Promise.all(["red", "green", "blue", "grey"].map(ask))
    expect(texts).toEqual(
      ["red", "green", "blue", "grey"].map((color) => ({ ok: true, data: { text: `${color} is ${color}` } })),
    )
  })

  it("sends the person to a page", async () => {
    const { executor } = await setUp()
    const asked: Array<unknown> = []
    const onElicitation = async (request: unknown) => {
      asked.push(request)
      return { action: "accept" } as const
    }
    expect(await call(executor, "visit", {}, { onElicitation })).toMatchObject({ ok: true })
    expect(asked).toMatchObject([{ kind: "url", message: "Pay first.", url: "https://pay.example.com/1" }])
  })

  it("has its tools listed again when it says that they changed", async () => {
    const { server, executor, events } = await setUp()
    // A session is there from the first call on.
    await call(executor, "whoami")
    await expect.poll(() => server.arrived.some(isStream)).toBe(true)
    server.addTool("later")
    await expect.poll(() => events.some(({ type }) => type === "connection.refreshed")).toBe(true)
    expect((await executor.tools.list()).map(({ name }) => name)).toContain("later")
    expect(await call(executor, "later")).toEqual({ ok: true, data: { text: "later" } })
  })

  it("has its tools listed again when it does not know one", async () => {
    const { server, executor, events } = await setUp()
    server.addTool("later")
    await executor.connections.refresh({ owner: "user", integration: "srv", name: "main" })
    const before = events.length
    server.removeTool("later")
    expect(await call(executor, "later")).toMatchObject({ ok: false, error: { code: "tool_unavailable" } })
    await expect.poll(() => events.slice(before).some(({ type }) => type === "connection.refreshed")).toBe(true)
    expect((await executor.tools.list()).map(({ name }) => name)).not.toContain("later")
  })

  it("has its tools listed again when they are old, and whoever asks does not wait for it", async () => {
    const server = await start()
    const { executor, events } = await setStage({ hosts: [server.host], plugin: { toolsMaxAgeMs: 1 } })
    await connectOpenly(executor, { transport: "http", url: server.url })
    server.addTool("later")
    await expect
      .poll(async () => {
        await executor.tools.list()
        return events.some(({ type }) => type === "connection.refreshed")
      })
      .toBe(true)
    expect((await executor.tools.list()).map(({ name }) => name)).toContain("later")
  })

  it("keeps the tools that are known when it cannot be asked", async () => {
    const { server, executor } = await setUp()
    const before = await executor.tools.list()
    await server.close()
    await expect(
      executor.connections.refresh({ owner: "user", integration: "srv", name: "main" }),
    ).rejects.toMatchObject({ _tag: "ToolResolutionError" })
    expect(await executor.tools.list()).toEqual(before)
    expect(await call(executor, "whoami")).toMatchObject({ ok: false, error: { code: "network_error" } })
  })
})

const isStream = ({ method, rpc }: { readonly method: string; readonly rpc: string | undefined }): boolean =>
  method === "GET" || rpc === "subscriptions/listen"
