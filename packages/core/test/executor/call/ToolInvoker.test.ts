/** A tool call: what plugins may return, what a model reads, what a host is thrown, and how a call ends early. */
import {
  createExecutor,
  credentialProvider,
  ElicitationDeclinedError,
  type ElicitationHandler,
  type ElicitationRequest,
  type ElicitationResponse,
  type ExecuteOptions,
  memoryProvider,
  memoryStore,
  type ToolDef,
  ToolNotFoundError,
  type ToolResult,
} from "@keyward/core"
import { canary, CanaryScanner } from "@keyward/core/testing"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import {
  acmePlugin,
  countingProvider,
  failureOf,
  main,
  rejectionOf,
  type Run,
  setStage,
  type StageOptions,
  templates,
  toJson,
  toolOfMain,
} from "../acme.ts"

const setCall = async (
  run: Run,
  options: Omit<StageOptions, "tools" | "plugin"> & { readonly tool?: Partial<ToolDef> } = {},
) => {
  const plugin = acmePlugin(
    { call: run },
    { resolveTools: () => [{ name: "call", annotations: { readOnlyHint: true }, ...options.tool }] },
  )
  const stage = await setStage({ ...options, plugin })
  await stage.executor.connections.create({ ...main, template: "bearer", value: "s3cr3t-value" })
  return {
    ...stage,
    execute: (args?: unknown, call?: ExecuteOptions): Promise<ToolResult> =>
      stage.executor.execute(toolOfMain(), args, call),
  }
}

describe("what a plugin returns", () => {
  it.each<[string, Run, ToolResult]>([
    ["a value", () => ({ a: 1 }), { ok: true, data: { a: 1 } }],
    ["a Promise", () => Promise.resolve([1]), { ok: true, data: [1] }],
    ["an Effect", () => Effect.succeed("x"), { ok: true, data: "x" }],
    ["an Effect that waits", () => Effect.as(Effect.sleep(1), "x"), { ok: true, data: "x" }],
    ["nothing", () => undefined, { ok: true, data: null }],
    ["null", () => null, { ok: true, data: null }],
    ["an API's own { ok: false }", () => ({ ok: false, error: "x" }), { ok: true, data: { ok: false, error: "x" } }],
    [
      "an API's own { ok: false } with an error object",
      () => ({ ok: false, error: { code: "x", message: "y" } }),
      { ok: true, data: { ok: false, error: { code: "x", message: "y" } } },
    ],
    [
      "an API's own { ok: true, data } with more fields",
      () => ({ ok: true, data: 1, next: 2 }),
      { ok: true, data: { ok: true, data: 1, next: 2 } },
    ],
    [
      "a result",
      () => ({ ok: true, data: 1, http: { status: 201, headers: { a: "b" } } }),
      { ok: true, data: 1, http: { status: 201, headers: { a: "b" } } },
    ],
    [
      "a failure",
      () => Promise.resolve({ ok: false, error: { code: "quota", message: "m", retryable: true, details: { n: 1 } } }),
      { ok: false, error: { code: "quota", message: "m", retryable: true, details: { n: 1 } } },
    ],
  ])("takes %s", async (_, run, expected) => {
    const { execute, events } = await setCall(run)
    expect(await execute()).toEqual(expected)
    expect(events.at(-1)).toMatchObject({ type: "tool.called", outcome: expected.ok ? "ok" : expected.error.code })
  })

  it.each<[string, Run]>([
    [
      "throws",
      () => {
        throw new Error("it broke")
      },
    ],
    ["rejects", () => Promise.reject(new Error("it broke"))],
    ["fails", () => Effect.fail(new Error("it broke"))],
    ["dies", () => Effect.die(new Error("it broke"))],
    [
      "fails and dies at once",
      () => Effect.failCause(Cause.combine(Cause.fail(new Error("it broke")), Cause.die("x"))),
    ],
  ])("answers tool_failed when it %s, and the executor lives on", async (_, run) => {
    const { execute } = await setCall(run)
    for (let time = 0; time < 2; time += 1) {
      expect(failureOf(await execute())).toEqual({ code: "tool_failed", message: "it broke", retryable: false })
    }
  })

  it("answers tool_failed when an Effect interrupts itself, or what is thrown is no error", async () => {
    const interrupted = await setCall(() => Effect.interrupt)
    expect(failureOf(await interrupted.execute())).toMatchObject({ code: "tool_failed" })
    const strange = await setCall(() => Effect.fail("a text"))
    expect(failureOf(await strange.execute())).toMatchObject({ code: "tool_failed" })
  })

  it("hands the plugin the call, frozen to what it is about", async () => {
    let seen: object = {}
    const { execute } = await setCall(
      ({ tool, args, connection, integration }) => {
        seen = { tool, args, connection, integration: integration.config }
      },
      { tool: { data: { path: "/x" } } },
    )
    await execute({ a: 1 })
    expect(seen).toMatchObject({
      tool: { name: "call", data: { path: "/x" } },
      args: { a: 1 },
      connection: { address: "tools.api.org.main", template: "bearer", status: "active" },
      integration: null,
    })
  })
})

describe("the view of the call that a plugin gets", () => {
  it("can be spread, and taken apart", async () => {
    const { execute, upstream } = await setCall(async (input) => {
      const { tool, ...rest } = input
      const copy = { ...input }
      const statuses = [(await rest.fetch("/1")).status, (await copy.send({ url: "/2" })).status]
      return [tool.name, rest.connection.name, copy.signal.aborted, (await copy.elicit(form)).action, ...statuses]
    })
    expect(await execute()).toEqual({ ok: true, data: ["call", "main", false, "decline", 200, 200] })
    expect(upstream.requests.map(({ headers }) => headers.authorization)).toEqual([
      "Bearer s3cr3t-value",
      "Bearer s3cr3t-value",
    ])
  })

  const form = { kind: "form", message: "?", schema: {} } as const
})

describe("what the service says about the credential", () => {
  const answers = (status: number, headers = {}) => ({ upstream: () => ({ status, headers, json: { said: status } }) })
  const ask: Run = async ({ fetch }) => (await fetch("/")).json()

  it("makes a 401 connection_rejected, however the plugin takes it", async () => {
    for (const run of [
      ask,
      async ({ send }) => (await send({ url: "/" })).json(),
      ({ fetch }) => Effect.promise(() => fetch("/").then(toJson)),
      async ({ fetch }) => Promise.reject(new Error(`status ${(await fetch("/")).status}`)),
      async ({ fetch }) => ({
        ok: false,
        error: { code: "http_error", message: "no", status: (await fetch("/")).status, retryable: false },
      }),
    ] satisfies ReadonlyArray<Run>) {
      const { execute, events } = await setCall(run, answers(401))
      expect(failureOf(await execute())).toMatchObject({
        code: "connection_rejected",
        status: 401,
        retryable: false,
        details: {
          category: "authentication",
          connection: "tools.api.org.main",
          reason: "http_401",
          authRequired: true,
          nextStep: expect.any(String) as string,
        },
      })
      expect(events.slice(-2)).toMatchObject([
        { type: "tool.called", outcome: "connection_rejected" },
        { type: "credential.failed", code: "connection_rejected", reason: "http_401" },
      ])
    }
  })

  it("keeps what a plugin says on top of a 401", async () => {
    const error = { code: "http_error", message: "token expired", status: 401, retryable: false, details: { body: 1 } }
    const { execute } = await setCall(async ({ fetch }) => {
      await fetch("/")
      return { ok: false, error }
    }, answers(401))
    expect(failureOf(await execute()).details).toMatchObject({
      upstream: { message: "token expired", details: { body: 1 } },
    })
  })

  it("believes a plugin that calls a 401 a success", async () => {
    const { execute } = await setCall(
      async ({ fetch }) => ({ ok: true, data: (await fetch("/")).status }),
      answers(401),
    )
    expect(await execute()).toEqual({ ok: true, data: 401 })
  })

  it("forgets a 401 when a later request went through", async () => {
    const { execute } = await setCall(async ({ fetch }) => [(await fetch("/1")).status, (await fetch("/2")).status], {
      upstream: { "/1": { status: 401 }, "/2": { json: {} } },
    })
    expect(await execute()).toEqual({ ok: true, data: [401, 200] })
  })

  it.each([['Bearer realm="x", error="insufficient_scope", scope="admin"'], ["Bearer error=insufficient_scope"]])(
    "makes a 403 with %j insufficient_scope",
    async (challenge) => {
      const { execute } = await setCall(ask, answers(403, { "www-authenticate": challenge }))
      expect(failureOf(await execute())).toMatchObject({
        code: "insufficient_scope",
        status: 403,
        details: { category: "authentication", reason: "http_403", authRequired: true },
      })
    },
  )

  it("leaves any other 403 to the plugin: it is not about the credential", async () => {
    for (const headers of [{}, { "www-authenticate": 'Bearer error="invalid_token"' }]) {
      const { execute, events } = await setCall(ask, answers(403, headers))
      expect(await execute()).toEqual({ ok: true, data: { said: 403 } })
      expect(events.some(({ type }) => type === "credential.failed")).toBe(false)
    }
    const forbidden = { code: "forbidden", message: "not yours", status: 403, retryable: false }
    const { execute } = await setCall(async ({ fetch }) => {
      await fetch("/")
      return { ok: false, error: forbidden }
    }, answers(403))
    expect(failureOf(await execute())).toEqual(forbidden)
  })

  it("has no say about requests without a credential", async () => {
    const { execute } = await setCall(
      async ({ send }) => (await send({ url: "/", anonymous: true })).json(),
      answers(200),
    )
    expect(await execute()).toEqual({ ok: true, data: { said: 200 } })
    const turnedDown = await setCall(
      async ({ send }) => (await send({ url: "/", anonymous: true })).status,
      answers(401),
    )
    expect(await turnedDown.execute()).toEqual({ ok: true, data: 401 })
  })

  it.each<[string, StageOptions["upstream"] & object, string, boolean]>([
    ["a reset", { "/": { fault: "reset" } }, "network_error", true],
    ["silence", { "/": { fault: "hang" } }, "timeout", true],
    ["a body that is too large", () => ({ body: "x".repeat(100_000) }), "response_too_large", false],
    ["a redirect in circles", () => ({ redirect: "/" }), "redirect_refused", false],
  ])("tells %s as a failure that a model can read", async (_, upstream, code, retryable) => {
    const { execute } = await setCall(async ({ fetch }) => (await fetch("/")).text(), {
      upstream,
      config: { egress: { timeoutMs: 1_000, maxResponseBytes: 50_000 } },
    })
    expect(failureOf(await execute())).toMatchObject({ code, retryable })
  })

  it("tells another origin and an internal address as failures, and sends nothing", async () => {
    const { execute, upstream, executor } = await setCall(({ fetch, args }) => fetch(String(args["url"])).then(toJson))
    expect(failureOf(await execute({ url: "https://evil.example/" }))).toMatchObject({ code: "origin_not_allowed" })
    expect(failureOf(await execute({ url: "https://u:p@evil.example/" }))).toMatchObject({ code: "invalid_request" })
    await executor.acme.add({ slug: "api", baseUrl: "http://169.254.169.254", authTemplates: templates })
    await executor.connections.enable(main)
    expect(failureOf(await execute({ url: "/" }))).toMatchObject({ code: "address_not_allowed" })
    expect(upstream.requests).toEqual([])
  })
})

describe("a service that echoes the secret", () => {
  const secret = canary('echo/with "quotes"')
  const scanner = new CanaryScanner([secret])
  const deep = (depth: number): unknown => {
    let value: unknown = secret
    for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? [value] : { value }
    return value
  }
  const cyclic = (): unknown => {
    const root: Record<string, unknown> = { secret }
    root["self"] = root
    root["list"] = [root, new Map([[secret, root]]), new Set([secret])]
    return root
  }
  const echoing = {
    upstream: () => ({
      headers: { "x-echo": `Bearer ${secret}`, "set-cookie": [`s=${secret}`] },
      body: JSON.stringify({ [secret]: `Bearer ${secret}`, list: [secret, Buffer.from(secret).toString("base64")] }),
    }),
  } satisfies Partial<StageOptions>

  it.each<[string, Run]>([
    ["the JSON of fetch", ({ fetch }) => fetch("/").then(toJson)],
    ["the text of fetch", ({ fetch }) => fetch("/").then((response) => response.text())],
    ["the bytes of fetch", ({ fetch }) => fetch("/").then((response) => response.arrayBuffer())],
    [
      "bytes in an array",
      ({ fetch }) => fetch("/").then(async (response) => new Uint8Array(await response.arrayBuffer())),
    ],
    ["the headers of fetch", ({ fetch }) => fetch("/").then(({ headers }) => Object.fromEntries(headers))],
    ["a Headers object", ({ fetch }) => fetch("/").then(({ headers }) => headers)],
    ["the JSON of send", ({ send }) => send({ url: "/" }).then((sent) => sent.json())],
    ["the text of send", ({ send }) => send({ url: "/" }).then((sent) => sent.text())],
    ["the bytes of send", ({ send }) => send({ url: "/" }).then((sent) => sent.bytes())],
    ["the headers of send", ({ send }) => send({ url: "/" }).then(({ headers }) => headers)],
    [
      "a result with headers",
      ({ fetch }) =>
        fetch("/").then(({ headers }) => ({
          ok: true,
          data: 1,
          http: { status: 200, headers: Object.fromEntries(headers) },
        })),
    ],
    ["data nested 10,000 deep", ({ fetch }) => fetch("/").then(() => deep(10_000))],
    ["a graph with cycles, maps and sets", ({ fetch }) => fetch("/").then(cyclic)],
    ["an error as data", ({ fetch }) => fetch("/").then(() => ({ error: new Error(`no ${secret}`) }))],
    ["a URL", ({ fetch }) => fetch("/").then(() => new URL(`https://x.example/?k=${secret}`))],
    ["a message that is thrown", ({ fetch }) => fetch("/").then(() => Promise.reject(new Error(`no ${secret}`)))],
    [
      "a message cut in the secret's middle",
      ({ fetch }) => fetch("/").then(() => Promise.reject(new Error("x".repeat(1980) + secret))),
    ],
    [
      "the details of a failure",
      ({ send }) =>
        send({ url: "/" }).then(() => ({
          ok: false,
          error: { code: "x", message: secret, retryable: false, details: { body: [secret] } },
        })),
    ],
    [
      "data after a request without a credential",
      async ({ fetch, send }) => {
        const data = await fetch("/").then(toJson)
        await send({ url: "/", anonymous: true })
        return data
      },
    ],
  ])("does not get it through %s", async (_, run) => {
    const { execute, executor, events, upstream } = await setCall(run, echoing)
    await executor.connections.create({ ...main, template: "bearer", value: secret })
    const result = await execute()
    expect(upstream.requests[0]?.headers.authorization).toBe(`Bearer ${secret}`)
    scanner.expectNone(result, "the result")
    scanner.expectNone(events, "the events")
  })

  it("does not get it through JSON escapes, which a look at the text misses", async () => {
    const escaped = Array.from(secret, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`).join("")
    const upstream = () => ({ body: `{"a":"${escaped}"}` })
    for (const run of [
      ({ send }) => send({ url: "/" }).then((sent) => sent.json()),
      ({ fetch }) => fetch("/").then(toJson),
    ] satisfies ReadonlyArray<Run>) {
      const { execute, executor } = await setCall(run, { upstream })
      await executor.connections.create({ ...main, template: "bearer", value: secret })
      expect(await execute()).toEqual({ ok: true, data: { a: "<redacted>" } })
    }
  })

  it("does not get it from the query, where a Response would tell it", async () => {
    const seen: Array<string> = []
    const { execute, executor, upstream } = await setCall(async ({ fetch, send }) => {
      seen.push((await fetch("/?a=b")).url, (await send({ url: "/?a=b" })).url)
    })
    await executor.connections.create({ ...main, template: "query", value: secret })
    await execute()
    expect(upstream.requests.map(({ query }) => query.get("key"))).toEqual([secret, secret])
    scanner.expectNone(seen, "the URLs that the plugin saw")
  })

  it("leaves a result as it is that holds no secret", async () => {
    const data = { when: new Date(0), map: new Map([[1, 2]]), bytes: new Uint8Array([1]), deep: deep(3) }
    const { execute } = await setCall(({ fetch }) => fetch("/").then(() => data))
    const result = await execute()
    expect(result.ok && result.data).toBe(data)
  })

  it("does not get the value that was turned down, either", async () => {
    const [old, fresh] = [canary("old"), canary("fresh")]
    let current = old
    const provider = credentialProvider({ key: "vault", get: () => current, invalidate: () => void (current = fresh) })
    const { executor } = await setStage({
      config: { providers: [provider] },
      tools: { call: ({ fetch }) => fetch("/").then((response) => response.text()) },
      upstream: ({ headers }) =>
        headers.authorization === `Bearer ${old}` ? { status: 401 } : { body: `was ${old}, is ${fresh}` },
    })
    await executor.connections.create({ ...main, template: "bearer", from: { provider: "vault", id: "x" } })
    expect(await executor.execute(toolOfMain())).toEqual({ ok: true, data: "was <redacted>, is <redacted>" })
  })
})

describe("addresses and arguments", () => {
  it("suggests up to five tools that are near, and says where to look when none is", async () => {
    const names = ["listIssues", "listIssue", "list.issues.all", "listIssuesOpen", "list-issues", "listIssues2", "zzz"]
    const plugin = acmePlugin(
      {},
      { resolveTools: () => names.map((name) => ({ name, annotations: { readOnlyHint: true } })) },
    )
    const { executor } = await setStage({ plugin })
    await executor.connections.create({ ...main, template: "none" })
    const error = await rejectionOf(executor.execute(toolOfMain("lisIssues")))
    expect(error).toBeInstanceOf(ToolNotFoundError)
    const { suggestions } = error as ToolNotFoundError
    expect(suggestions).toHaveLength(5)
    expect(suggestions[0]).toBe(toolOfMain("listIssues"))
    expect(suggestions).not.toContain(toolOfMain("zzz"))
    expect(error).toMatchObject({ httpStatus: 404, address: toolOfMain("lisIssues") })
    expect(error.message).toContain("Did you mean")
    expect(await rejectionOf(executor.execute(toolOfMain("qqqq")))).toMatchObject({ suggestions: [] })
    expect((await rejectionOf(executor.execute(toolOfMain("qqqq")))).message).toContain("tools.list")
    expect(await executor.execute(toolOfMain("list.issues.all"))).toMatchObject({ ok: true })
  })

  it.each([
    "",
    "call",
    "tools.api.org.main",
    "tools.api.admin.main.call",
    "tools..org.main.call",
    "Tools.api.org.main.call",
    undefined as unknown as string,
  ])("does not know the address %j", async (address) => {
    const { executor } = await setStage()
    expect(await rejectionOf(executor.execute(address))).toBeInstanceOf(ToolNotFoundError)
    expect(await executor.tools.schema(address)).toBeNull()
  })

  it("checks arguments before anything else, and names every path and expectation", async () => {
    const vault = countingProvider()
    let questions = 0
    const { execute, executor, upstream, events } = await setCall(({ fetch }) => fetch("/").then(toJson), {
      tool: {
        requiresApproval: true,
        inputSchema: {
          type: "object",
          required: ["id", "a/b"],
          additionalProperties: false,
          properties: {
            id: { type: "integer", minimum: 1 },
            "a/b": { type: "string" },
            state: { enum: ["open", "closed"] },
            kind: { const: "x" },
            nested: { type: "object", properties: { when: { type: "string" } } },
          },
        },
      },
      config: {
        providers: [vault.provider],
        onElicitation: () => {
          questions += 1
          return { action: "accept" }
        },
      },
    })
    vault.calls.length = 0
    const failure = failureOf(
      await execute({ id: 0, state: "secret-state", kind: "y", nested: { when: 7 }, extra: "secret-extra" }),
    )
    expect(failure).toMatchObject({ code: "invalid_arguments", retryable: false })
    expect(failure.details).toEqual({
      issues: expect.arrayContaining([
        { path: "/a~1b", expected: "is required" },
        { path: "/extra", expected: "is not a known property" },
        { path: "/id", expected: "must be >= 1" },
        { path: "/state", expected: 'must be one of "open", "closed"' },
        { path: "/kind", expected: 'must be "x"' },
        { path: "/nested/when", expected: "must be string" },
      ]) as unknown,
    })
    for (const part of ["/a~1b is required", "/nested/when must be string", "Nothing was sent"]) {
      expect(failure.message).toContain(part)
    }
    expect(JSON.stringify(failure)).not.toContain("secret-")
    for (const args of [null, 7, "x", [], [{}]]) {
      expect(failureOf(await execute(args))).toMatchObject({
        code: "invalid_arguments",
        details: { issues: [{ path: "", expected: "must be an object" }] },
      })
    }
    await executor.connections.disable(main)
    expect(failureOf(await execute())).toMatchObject({ code: "invalid_arguments" })
    expect([vault.calls, questions, upstream.requests]).toEqual([[], 0, []])
    expect(events.at(-1)).toMatchObject({ type: "tool.called", outcome: "invalid_arguments" })
    await executor.connections.enable(main)
    expect(await execute({ id: 1, "a/b": "" })).toMatchObject({ ok: true })
    expect(questions).toBe(1)
  })

  it("takes any object where a tool says nothing about its input", async () => {
    const { execute } = await setCall(({ args }) => args)
    expect(await execute()).toEqual({ ok: true, data: {} })
    expect(await execute({ anything: [1] })).toEqual({ ok: true, data: { anything: [1] } })
  })

  it("describes a tool once whose schemas the catalog leaves out", async () => {
    let descriptions = 0
    const plugin = acmePlugin(
      { call: ({ args }) => args },
      {
        describeTool: () => {
          descriptions += 1
          return Effect.succeed({
            inputSchema: { type: "object", required: ["id"] },
            inputTypeScript: "{ id: unknown }",
          })
        },
      },
    )
    const { executor } = await setStage({ plugin })
    await executor.connections.create({ ...main, template: "none" })
    expect(failureOf(await executor.execute(toolOfMain()))).toMatchObject({ code: "invalid_arguments" })
    expect(await executor.execute(toolOfMain(), { id: 1 })).toMatchObject({ ok: true })
    expect(await executor.tools.schema(toolOfMain())).toEqual({
      inputSchema: { type: "object", required: ["id"] },
      outputSchema: null,
      inputTypeScript: "{ id: unknown }",
      annotations: { readOnlyHint: true },
    })
    expect(descriptions).toBe(1)
  })

  it("fails typed when a tool cannot be described, in time, or its schema does not compile", async () => {
    for (const [handlers, tag] of [
      [{ describeTool: () => Promise.reject(new Error("no")) }, "ToolResolutionError"],
      [{ describeTool: () => new Promise<never>(() => {}) }, "ToolResolutionError"],
      [{ resolveTools: () => [{ name: "call", inputSchema: { $ref: "#/nowhere" } }] }, "InvalidToolError"],
      [{ resolveTools: () => [{ name: "call", inputSchema: { type: "nonsense" } }] }, "InvalidToolError"],
    ] as const) {
      const plugin = acmePlugin({ call: () => 1 }, handlers)
      const { executor } = await setStage({ plugin, config: { toolTimeoutMs: 30 } })
      await executor.connections.create({ ...main, template: "none" })
      expect(await rejectionOf(executor.execute(toolOfMain()))).toMatchObject({ _tag: tag })
    }
  })
})

describe("elicitation", () => {
  const approved = { tool: { requiresApproval: true, description: "deletes it" } } as const
  const run: Run = () => "done"

  it("declines when nobody can answer, so that approvals fail closed", async () => {
    const { execute, events } = await setCall(run, approved)
    const error = await rejectionOf(execute())
    expect(error).toBeInstanceOf(ElicitationDeclinedError)
    expect(error).toMatchObject({ action: "unanswered", tool: toolOfMain(), httpStatus: 403 })
    expect(error.message).toContain("onElicitation")
    expect(events.at(-1)).toMatchObject({ type: "tool.called", outcome: "ElicitationDeclinedError" })
  })

  it("accepts all when told so", async () => {
    const { execute } = await setCall(run, { ...approved, config: { onElicitation: "accept-all" } })
    expect(await execute()).toEqual({ ok: true, data: "done" })
  })

  it("asks the host's function, with what there is to decide", async () => {
    const asked: Array<ElicitationRequest> = []
    const onElicitation: ElicitationHandler = (request) => {
      asked.push(request)
      return Promise.resolve({ action: "accept" })
    }
    const { execute } = await setCall(run, { ...approved, config: { onElicitation } })
    expect(await execute({ id: 7 })).toEqual({ ok: true, data: "done" })
    expect(asked).toEqual([
      {
        kind: "approval",
        message: expect.stringContaining('Allow "call", described as "deletes it"') as string,
        tool: toolOfMain(),
        args: { id: 7 },
        arguments: [{ name: "id", value: "7" }],
      },
    ])
  })

  it.each<[string, ElicitationHandler, string]>([
    ["declines", () => ({ action: "decline" }), "decline"],
    ["cancels", () => ({ action: "cancel" }), "cancel"],
    [
      "throws",
      () => {
        throw new Error("no window")
      },
      "decline",
    ],
    ["rejects", () => Promise.reject(new Error("no window")), "decline"],
    ["answers nonsense", () => ({ action: "yes" }) as unknown as ElicitationResponse, "decline"],
    ["answers nothing", () => undefined as unknown as ElicitationResponse, "decline"],
    ["is no function", "accept" as unknown as ElicitationHandler, "decline"],
    ["never answers", () => new Promise<never>(() => {}), "unanswered"],
  ])("does not make the call when the host %s", async (_, onElicitation, action) => {
    let calls = 0
    const { execute } = await setCall(() => (calls += 1), {
      ...approved,
      config: { onElicitation, elicitationTimeoutMs: 30 },
    })
    expect(await rejectionOf(execute())).toMatchObject({ _tag: "ElicitationDeclinedError", action })
    expect(calls).toBe(0)
  })

  it("lets one call have its own handler", async () => {
    const { execute } = await setCall(run, { ...approved, config: { onElicitation: "accept-all" } })
    expect(await rejectionOf(execute({}, { onElicitation: () => ({ action: "decline" }) }))).toMatchObject({
      action: "decline",
    })
    const silent = await setCall(run, approved)
    expect(await silent.execute({}, { onElicitation: "accept-all" })).toMatchObject({ ok: true })
  })

  it("puts a plugin's own questions to the host, and hands it the answer as a value", async () => {
    const ask: Run = ({ elicit }) => elicit({ kind: "form", message: "Which?", schema: { type: "object" } })
    const asked: Array<ElicitationRequest> = []
    const { execute } = await setCall(ask, {
      config: {
        onElicitation: (request) => {
          asked.push(request)
          return { action: "accept", content: { which: 1 } }
        },
      },
    })
    expect(await execute()).toEqual({ ok: true, data: { action: "accept", content: { which: 1 } } })
    expect(asked).toEqual([{ kind: "form", message: "Which?", schema: { type: "object" }, tool: toolOfMain() }])
    const unanswered = await setCall(ask)
    expect(await unanswered.execute()).toEqual({ ok: true, data: { action: "decline" } })
    const slow = await setCall(ask, {
      config: { onElicitation: () => new Promise<never>(() => {}), elicitationTimeoutMs: 20 },
    })
    expect(await slow.execute()).toEqual({ ok: true, data: { action: "cancel" } })
  })

  const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
  const question = { kind: "url", message: "Look.", url: "https://x.example" } as const
  it.each<[string, Run]>([
    ["the first thing it does", async ({ elicit }) => (await elicit(question)).action],
    [
      "later",
      async ({ elicit }) => {
        await wait(1)
        return (await elicit(question)).action
      },
    ],
    [
      "twice",
      async ({ elicit }) => {
        await elicit(question)
        return (await elicit(question)).action
      },
    ],
    ["twice at once", async ({ elicit }) => (await Promise.all([elicit(question), elicit(question)]))[1].action],
    ["inside an Effect", ({ elicit }) => Effect.promise(async () => (await elicit(question)).action)],
  ])("does not count a person's time to a tool that asks %s", async (_, ask) => {
    const { execute } = await setCall(ask, {
      config: {
        toolTimeoutMs: 500,
        onElicitation: async () => {
          await wait(800)
          return { action: "accept" }
        },
      },
    })
    expect(await execute()).toEqual({ ok: true, data: "accept" })
  })

  it.each<[string, Run]>([
    [
      "a Promise",
      async ({ elicit }) => {
        await elicit(question)
        await new Promise(() => {})
      },
    ],
    [
      "an Effect",
      ({ elicit }) =>
        Effect.andThen(
          Effect.promise(() => elicit(question)),
          Effect.never,
        ),
    ],
  ])("goes on counting after the answer, for %s", async (_, ask) => {
    const { execute } = await setCall(ask, { config: { toolTimeoutMs: 30, onElicitation: "accept-all" } })
    expect(failureOf(await execute())).toMatchObject({ code: "timeout" })
  })
})

describe("calls that end early", () => {
  const reason = new Error("the user closed the window")
  const hanging = { upstream: { "/": { fault: "hang" }, "/body": { fault: "hang_after_headers" } } } as const
  const aborted = (): { readonly signal: AbortSignal; readonly abort: (why?: unknown) => void } => {
    const controller = new AbortController()
    return { signal: controller.signal, abort: (why = reason) => controller.abort(why) }
  }

  it("rejects with the signal's reason before anything happens", async () => {
    let calls = 0
    const { execute, executor } = await setCall(() => (calls += 1))
    for (const why of [reason, "a text", { code: 7 }, null]) {
      const signal = AbortSignal.abort(why)
      expect(await rejectionOf(execute({}, { signal }))).toBe(why)
      expect(await rejectionOf(executor.connections.fetch(main)("/", { signal }))).toBe(why)
    }
    expect(await rejectionOf(execute({}, { signal: AbortSignal.abort() }))).toMatchObject({ name: "AbortError" })
    expect(calls).toBe(0)
  })

  it("stops the reading of a credential", async () => {
    const [call, stopped] = [aborted(), Promise.withResolvers<void>()]
    const provider = credentialProvider({
      key: "vault",
      get: (_, { signal }) => {
        signal.addEventListener("abort", () => stopped.resolve())
        queueMicrotask(() => call.abort())
        return new Promise<never>(() => {})
      },
    })
    const { executor, upstream } = await setStage({ config: { providers: [provider] } })
    await executor.connections.create({ ...main, template: "bearer", from: { provider: "vault", id: "x" } })
    expect(await rejectionOf(executor.execute(toolOfMain(), {}, call))).toBe(reason)
    await stopped.promise
    expect(upstream.requests).toEqual([])
  })

  it.each<[string, Run]>([
    ["fetch", ({ fetch }) => fetch("/").then(toJson)],
    ["send", ({ send }) => send({ url: "/" })],
    ["fetch in an Effect", ({ fetch }) => Effect.promise(() => fetch("/"))],
    ["the body of a fetch", async ({ fetch }) => (await fetch("/body")).text()],
  ])("closes the socket of a request under way through %s", async (_, run) => {
    const { execute, upstream, events } = await setCall(run, hanging)
    const call = aborted()
    const executing = rejectionOf(execute({}, call))
    const request = await upstream.received(1)
    call.abort()
    expect(await executing).toBe(reason)
    expect(await request.abandoned).toBe(true)
    expect(events.at(-1)).toMatchObject({ type: "tool.called", outcome: "aborted" })
  })

  it("closes the socket of connections.fetch, during the wait and during the body", async () => {
    const { executor, upstream } = await setCall(() => 1, hanging)
    const waiting = aborted()
    const fetching = rejectionOf(executor.connections.fetch(main)("/", waiting))
    const first = await upstream.received(1)
    waiting.abort()
    expect(await fetching).toBe(reason)
    expect(await first.abandoned).toBe(true)
    const reading = aborted()
    const response = await executor.connections.fetch(main)("/body", reading)
    const body = rejectionOf(response.text())
    reading.abort()
    expect(await body).toBeInstanceOf(Error)
    expect(await (await upstream.received(2)).abandoned).toBe(true)
  })

  it("stops a plugin that listens to its signal, and does not wait for one that does not", async () => {
    const told = Promise.withResolvers<unknown>()
    const { execute } = await setCall(({ signal }) => {
      signal.addEventListener("abort", () => told.resolve(signal.reason))
      return new Promise<never>(() => {})
    })
    const call = aborted()
    const executing = rejectionOf(execute({}, call))
    setTimeout(call.abort, 5)
    expect(await executing).toBe(reason)
    expect(await told.promise).toMatchObject({ name: "AbortError" })
  })

  it("stops while a person is being asked", async () => {
    const call = aborted()
    const onElicitation = (): Promise<never> => {
      setTimeout(call.abort, 1)
      return new Promise<never>(() => {})
    }
    const approving = await setCall(() => 1, { tool: { requiresApproval: true } })
    expect(await rejectionOf(approving.execute({}, { ...call, onElicitation }))).toBe(reason)
  })

  it.each<[string, Run]>([
    ["a Promise", ({ fetch }) => fetch("/").then(toJson)],
    ["an Effect", ({ fetch }) => Effect.promise(() => fetch("/"))],
  ])("answers timeout when a tool takes longer than its limit, and closes the socket of %s", async (_, run) => {
    const { execute, upstream } = await setCall(run, { ...hanging, config: { toolTimeoutMs: 800 } })
    const executing = execute()
    const request = await upstream.received(1)
    expect(failureOf(await executing)).toMatchObject({ code: "timeout", retryable: true })
    expect(await request.abandoned).toBe(true)
  })

  it("stops an Effect's own work at the limit and on abort", async () => {
    let stopped = 0
    const forever = Effect.onInterrupt(Effect.never, () => Effect.sync(() => (stopped += 1)))
    const { execute } = await setCall(() => forever, { config: { toolTimeoutMs: 20 } })
    expect(failureOf(await execute())).toMatchObject({ code: "timeout" })
    const call = aborted()
    const executing = rejectionOf(execute({}, call))
    setTimeout(call.abort, 1)
    expect(await executing).toBe(reason)
    expect(stopped).toBe(2)
  })

  it("ends with the executor, which closes once and answers what comes later", async () => {
    const { execute, executor, upstream } = await setCall(({ fetch }) => fetch("/").then(toJson), hanging)
    const executing = execute()
    const request = await upstream.received(1)
    await Promise.all([executor.close(), executor.close()])
    expect(failureOf(await executing)).toMatchObject({ code: "network_error" })
    expect(await request.abandoned).toBe(true)
    expect(failureOf(await execute())).toMatchObject({
      code: "credential_provider_unavailable",
      details: { reason: "closed" },
    })
    expect(await rejectionOf(executor.connections.fetch(main)("/"))).toBeInstanceOf(Error)
  })

  it("closes providers and store once, even if one of them breaks while closing", async () => {
    const closed: Array<string> = []
    const closing = (key: string) =>
      credentialProvider({ key, get: () => undefined, close: () => void closed.push(key) })
    const breaking = { ...closing("breaking"), close: () => Effect.die(new Error("no")) }
    {
      await using executor = await createExecutor({
        providers: [breaking, closing("vault"), memoryProvider()],
        store: { ...memoryStore(), close: () => Effect.sync(() => void closed.push("store")) },
      })
      await executor.withIdentity({ subject: "alice" }).close()
    }
    expect(closed).toEqual(["vault", "store"])
  })
})
