import {
  createExecutor,
  type ElicitationRequest,
  type ElicitationResponse,
  InvalidConfigError,
  InvalidPolicyInputError,
  memoryStore,
  OriginNotAllowedError,
  PolicyConflictError,
  PolicyNotFoundError,
  ToolBlockedError,
  type ToolDef,
  ToolNotFoundError,
} from "@keyward/core"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import {
  acmePlugin,
  main,
  rejectionOf,
  setStage,
  type StageOptions,
  storeDown,
  toJson,
  toolOfMain,
  unreliableStore,
} from "../acme.ts"

const defs: ReadonlyArray<ToolDef> = [
  { name: "repos/get", description: "Reads a repository", annotations: { readOnlyHint: true } },
  { name: "repos/delete", description: "Deletes a repository", annotations: { destructiveHint: true } },
  { name: "repos/add", annotations: { readOnlyHint: false, destructiveHint: false } },
  { name: "unknown" },
]

const setTools = async (options: Omit<StageOptions, "plugin"> = {}) => {
  const calls: Array<string> = []
  const plugin = acmePlugin({}, { resolveTools: () => defs, invokeTool: ({ tool }) => calls.push(tool.name) })
  const stage = await setStage({ ...options, plugin })
  await stage.executor.connections.create({ ...main, template: "none" })
  return { ...stage, calls, alice: stage.executor.withIdentity({ subject: "alice" }) }
}

const listed = async (executor: { readonly tools: { list(): Promise<ReadonlyArray<{ readonly name: string }>> } }) =>
  (await executor.tools.list()).map(({ name }) => name)

describe("without rules", () => {
  it.each([
    ["repos/get", true],
    ["repos/add", true],
    ["repos/delete", false],
    ["unknown", false],
  ])("the tool %s is called without asking: %s", async (tool, isCalled) => {
    const { executor, calls } = await setTools()
    const call = executor.execute(toolOfMain(tool))
    if (isCalled) expect(await call).toMatchObject({ ok: true })
    else expect(await rejectionOf(call)).toMatchObject({ _tag: "ElicitationDeclinedError", action: "unanswered" })
    expect(calls).toEqual(isCalled ? [tool] : [])
  })

  it("the host's default decides, as if it were the organisation's last rule", async () => {
    const { executor, alice, calls } = await setTools({ config: { defaultPolicy: "block" } })
    await alice.policies.create({ owner: "user", pattern: "*", action: "approve" })
    expect(await rejectionOf(alice.execute(toolOfMain("repos/get")))).toMatchObject({
      _tag: "ToolBlockedError",
      rule: null,
    })
    expect(await listed(alice)).toEqual([])
    await executor.policies.create({ owner: "org", pattern: "tools.api.*.*.repos/get", action: "approve" })
    expect(await alice.execute(toolOfMain("repos/get"))).toMatchObject({ ok: true })
    expect(await listed(alice)).toEqual(["repos/get"])
    expect(calls).toEqual(["repos/get"])
  })
})

describe("rules", () => {
  it("block from the next call on, and are named by the error", async () => {
    const { executor, events, calls } = await setTools()
    const rule = await executor.policies.create({ owner: "org", pattern: "tools.api.*.*.repos/*", action: "block" })
    const error = await rejectionOf(executor.execute(toolOfMain("repos/get"), { any: 1 }))
    expect(error).toBeInstanceOf(ToolBlockedError)
    expect(error).toMatchObject({ address: toolOfMain("repos/get"), rule: rule.id, httpStatus: 403 })
    expect(error.message).toContain("tools.api.*.*.repos/*")
    expect(events.at(-1)).toMatchObject({
      type: "tool.called",
      outcome: "ToolBlockedError",
      decision: "block",
      rule: rule.id,
    })
    await executor.policies.remove(rule.id)
    expect(await executor.execute(toolOfMain("repos/get"))).toMatchObject({ ok: true })
    expect(calls).toEqual(["repos/get"])
  })

  it("take blocked tools out of lists, schemas and searches", async () => {
    const { executor, alice } = await setTools()
    await alice.policies.create({ owner: "user", pattern: "tools.*.*.*.repos/delete", action: "block" })
    expect(await listed(alice)).toEqual(["repos/get", "repos/add", "unknown"])
    expect(await listed(executor)).toHaveLength(4)
    expect(await alice.tools.schema(toolOfMain("repos/delete"))).toBeNull()
    expect(await executor.tools.schema(toolOfMain("repos/delete"))).not.toBeNull()
    const found = await alice.tools.search({ query: "delete a repository" })
    expect(found.map(({ name }) => name)).not.toContain("repos/delete")
    expect((await executor.tools.search({ query: "delete a repository" })).map(({ name }) => name)).toContain(
      "repos/delete",
    )
  })

  it("keep blocked tools from callers who have no account to call them as yet, or too many", async () => {
    const { executor, alice } = await setTools()
    const told = async () => {
      const error = (await rejectionOf(alice.call("api", "repos/delet"))) as ToolNotFoundError
      const schemas = await Promise.all(["get", "delete"].map((tool) => alice.tools.schema(`tools.api.repos/${tool}`)))
      return [error.suggestions.includes("tools.api.repos/delete"), ...schemas.map((schema) => schema !== null)]
    }
    expect(await told()).toEqual([true, true, true])
    const rule = await executor.policies.create({ owner: "org", pattern: "tools.*.*.*.repos/delete", action: "block" })
    expect(await told()).toEqual([false, true, false])
    for (const name of ["one", "two"])
      await alice.connections.create({ ...main, owner: "user", name, template: "none" })
    expect(await told()).toEqual([false, true, false])
    await executor.policies.update(rule.id, { pattern: "tools.api.user.one.repos/delete" })
    expect(await told()).toEqual([true, true, true])
  })

  it("decide in their order within an owner, which can be changed", async () => {
    const { executor } = await setTools()
    const wide = await executor.policies.create({ owner: "org", pattern: "*", action: "block" })
    const narrow = await executor.policies.create({
      owner: "org",
      pattern: "tools.api.*.*.repos/get",
      action: "approve",
    })
    expect([wide.order, narrow.order]).toEqual([1, 2])
    expect(await executor.policies.resolve(toolOfMain("repos/get"))).toMatchObject({ action: "block", rules: [wide] })
    const moved = await executor.policies.update(narrow.id, { order: 0.5, description: "first" })
    expect(await executor.policies.resolve(toolOfMain("repos/get"))).toEqual({
      action: "approve",
      from: "rule",
      rules: [moved],
      reason: null,
      approval: null,
    })
    expect((await executor.policies.list()).map(({ id }) => id)).toEqual([narrow.id, wide.id])
  })

  it("of a user bind that user alone, and never loosen the organisation's", async () => {
    const { executor, alice } = await setTools()
    const bob = executor.withIdentity({ subject: "bob" })
    const ask = await executor.policies.create({ owner: "org", pattern: "tools.api.*", action: "require_approval" })
    const own = await alice.policies.create({ owner: "user", pattern: "*", action: "approve" })
    expect(await alice.policies.resolve(toolOfMain("repos/get"))).toMatchObject({
      action: "require_approval",
      rules: [ask],
    })
    await alice.policies.update(own.id, { action: "block" })
    expect(await alice.policies.resolve(toolOfMain("repos/get"))).toMatchObject({
      action: "block",
      rules: [{ id: own.id }],
    })
    expect(await bob.policies.resolve(toolOfMain("repos/get"))).toMatchObject({ action: "require_approval" })
    await executor.policies.remove(ask.id)
    await alice.policies.update(own.id, { action: "approve" })
    expect(await alice.policies.resolve(toolOfMain("repos/delete"))).toMatchObject({
      action: "approve",
      rules: [{ id: own.id }],
    })
    expect(await bob.policies.resolve(toolOfMain("repos/delete"))).toMatchObject({
      action: "require_approval",
      from: "default",
      rules: [],
      reason: "destructive",
    })
  })

  it("of one user, and those of another tenant, are not there for others", async () => {
    const { executor, alice } = await setTools()
    const own = await alice.policies.create({ owner: "user", pattern: "*", action: "block" })
    const others = [
      executor,
      executor.withIdentity({ subject: "bob" }),
      executor.withIdentity({ tenant: "t2", subject: "alice" }),
    ]
    for (const other of others) {
      expect(await other.policies.list()).toEqual([])
      for (const attempt of [other.policies.remove(own.id), other.policies.update(own.id, { action: "approve" })]) {
        expect(await rejectionOf(attempt)).toBeInstanceOf(PolicyNotFoundError)
      }
    }
    expect(await alice.policies.list({ owner: "user" })).toEqual([own])
    expect(await alice.policies.list({ owner: "org" })).toEqual([])
    expect(await rejectionOf(executor.policies.remove(7 as unknown as string))).toBeInstanceOf(PolicyNotFoundError)
  })

  it.each<[string, object]>([
    ["owner", { owner: "team" }],
    ["owner", { owner: "user" }],
    ["action", { action: "allow" }],
    ["pattern", { pattern: "tools.api.team.*.*" }],
    ["pattern", { pattern: "tools.api" }],
    ["pattern", { pattern: "tools.api.org.my-key.x" }],
    ["pattern", { pattern: undefined }],
    ["order", { order: Number.NaN }],
    ["order", { order: "first" }],
    ["description", { description: 7 }],
    ["description", { description: "x".repeat(1001) }],
  ])("are refused for a fault in %s: %j", async (field, fault) => {
    const { executor } = await setTools()
    const input = { owner: "org", pattern: "*", action: "block", ...fault } as never
    expect(await rejectionOf(executor.policies.create(input))).toMatchObject({
      _tag: "InvalidPolicyInputError",
      field,
      httpStatus: 400,
    })
    expect(await executor.policies.list()).toEqual([])
  })

  it("may name what is not there yet", async () => {
    const { executor } = await setTools()
    const rule = await executor.policies.create({ owner: "org", pattern: "tools.later.user.mine.x", action: "block" })
    expect(await executor.policies.list()).toEqual([rule])
  })

  it("are refused as a change too, and stay as they were", async () => {
    const { executor } = await setTools()
    const rule = await executor.policies.create({ owner: "org", pattern: "*", action: "block" })
    expect(await rejectionOf(executor.policies.update(rule.id, { pattern: "nothing" }))).toBeInstanceOf(
      InvalidPolicyInputError,
    )
    expect(await executor.policies.list()).toEqual([rule])
  })

  it("are not written over what somebody else wrote meanwhile", async () => {
    const store = memoryStore()
    const { executor } = await setTools({
      config: {
        store: {
          ...store,
          policies: {
            ...store.policies,
            get: (tenant, id) =>
              Effect.tap(store.policies.get(tenant, id), (record) =>
                record === undefined
                  ? Effect.void
                  : store.policies.put({ ...record, version: record.version + 1 }, record.version),
              ),
          },
        },
      },
    })
    const rule = await executor.policies.create({ owner: "org", pattern: "*", action: "block" })
    expect(await rejectionOf(executor.policies.update(rule.id, { action: "approve" }))).toBeInstanceOf(
      PolicyConflictError,
    )
  })

  it("are told of as they change", async () => {
    const { executor, events } = await setTools()
    const { id } = await executor.policies.create({ owner: "org", pattern: "tools.api.*", action: "block" })
    await executor.policies.update(id, { action: "approve" })
    await executor.policies.remove(id)
    const told = { policy: id, owner: "org", pattern: "tools.api.*" }
    expect(events.slice(-3)).toMatchObject([
      { type: "policy.created", ...told, action: "block" },
      { type: "policy.updated", ...told, action: "approve" },
      { type: "policy.removed", ...told, action: "approve" },
    ])
  })

  it("answer for an address that leads nowhere as a call does", async () => {
    const { executor } = await setTools()
    expect(await rejectionOf(executor.policies.resolve("nonsense"))).toBeInstanceOf(ToolNotFoundError)
    expect(await rejectionOf(executor.policies.resolve(toolOfMain("repos/got")))).toMatchObject({
      _tag: "ToolNotFoundError",
      suggestions: [toolOfMain("repos/get"), toolOfMain("repos/add"), toolOfMain("repos/delete")],
    })
    await executor.policies.create({ owner: "org", pattern: "tools.*.*.*.repos/delete", action: "block" })
    const missing = toolOfMain("repos/got")
    for (const attempt of [executor.policies.resolve(missing), executor.execute(missing)]) {
      expect(await rejectionOf(attempt)).toMatchObject({
        suggestions: [toolOfMain("repos/get"), toolOfMain("repos/add")],
      })
    }
    expect(await rejectionOf(executor.policies.resolve("tools.api.org.other.x"))).toMatchObject({
      _tag: "ConnectionNotFoundError",
    })
  })
})

describe("a resolution by a short address", () => {
  it("is about the connection that a call would run as, and about the arguments that the tool would get", async () => {
    const { executor, alice } = await setTools({ config: { onElicitation: "defer" } })
    await alice.connections.create({ ...main, owner: "user", template: "none" })
    const rule = await executor.policies.create({ owner: "org", pattern: "tools.api.org.*", action: "block" })
    const address = "tools.api.repos/delete"
    expect(await alice.policies.resolve(address)).toMatchObject({ action: "require_approval", reason: "destructive" })
    expect(await alice.policies.resolve(address, { _identity: "org" })).toMatchObject({
      action: "block",
      rules: [{ id: rule.id }],
    })
    await alice.execute(address, { _identity: "user", id: 1 })
    const [{ id } = { id: "" }] = await alice.approvals.list()
    await alice.approvals.answer(id, { action: "accept" })
    expect(await alice.policies.resolve(address, { _identity: "user", id: 1 })).toMatchObject({ approval: id })
    expect(await rejectionOf(alice.policies.resolve("tools.other.repos/delete"))).toMatchObject({
      _tag: "IntegrationNotFoundError",
    })
  })
})

describe("a resolution by a full address", () => {
  it("is refused where the call would be: in the wrong mode, or where the arguments say otherwise", async () => {
    const { executor, alice } = await setTools()
    const address = toolOfMain("repos/get")
    await executor.integrations.setIdentityMode("api", "either")
    for (const [args, tag] of [
      [{ _identity: "user" }, "IdentityConflictError"],
      [{ _identity: "root" }, "InvalidConnectionInputError"],
    ] as const) {
      expect(await rejectionOf(executor.policies.resolve(address, args))).toMatchObject({ _tag: tag })
    }
    expect(await executor.policies.resolve(address, { _identity: "org" })).toMatchObject({ action: "approve" })
    await executor.integrations.setIdentityMode("api", "per_user")
    const refused = await rejectionOf(alice.policies.resolve(address))
    expect(refused).toMatchObject({ _tag: "IdentityModeError" })
    expect(await rejectionOf(alice.execute(address))).toEqual(refused)
  })
})

describe("raw access", () => {
  const setFetch = async (config: StageOptions["config"] = {}) => {
    const stage = await setTools({ config })
    return { ...stage, fetch: () => stage.executor.connections.fetch(main)("/").then(toJson) }
  }

  it("is the host's own without a rule", async () => {
    const { fetch, executor } = await setFetch()
    expect(await fetch()).toMatchObject({ authorization: null })
    await executor.policies.create({ owner: "org", pattern: "tools.api.*.*.repos/*", action: "block" })
    expect(await fetch()).toMatchObject({ authorization: null })
    expect(await rejectionOf(executor.connections.fetch(main)("https://elsewhere.example/"))).toBeInstanceOf(
      OriginNotAllowedError,
    )
  })

  it.each([
    ["tools.api.*.*.fetch", "block"],
    ["tools.api.*", "block"],
    ["*", "require_approval"],
  ] as const)("is refused by a rule %s that says %s, and nothing is sent", async (pattern, action) => {
    const { fetch, executor, upstream } = await setFetch()
    const { id } = await executor.policies.create({ owner: "org", pattern, action })
    expect(await rejectionOf(fetch())).toMatchObject({
      _tag: "ToolBlockedError",
      rule: id,
      address: "tools.api.org.main.fetch",
    })
    expect(upstream.requests).toEqual([])
    await executor.policies.create({ owner: "org", pattern: "tools.api.*.*.fetch", action: "approve", order: 0 })
    expect(await fetch()).toMatchObject({ authorization: null })
  })

  describe("of an agent", () => {
    const address = "tools.api.org.main.fetch"
    const asked: Array<Extract<ElicitationRequest, { kind: "approval" }>> = []

    /** An agent that may send what it likes, and a person who answers. */
    const setAgent = async (
      answer: (request: ElicitationRequest) => ElicitationResponse | Promise<ElicitationResponse>,
      config: StageOptions["config"] = {},
    ) => {
      asked.length = 0
      const onElicitation = (request: ElicitationRequest) => {
        if (request.kind === "approval") asked.push(request)
        return answer(request)
      }
      const stage = await setTools({ config: { tenant: "acme", onElicitation, ...config } })
      const { key = "" } = await stage.executor.agents.create({ id: "bot", integrations: "all", key: true })
      await stage.executor.agents.grant("bot", { connection: main, access: ["read", "write"] })
      const bot = await stage.executor.asAgent(key)
      const sent = () => stage.upstream.requests.map(({ method, body }) => [method, body.toString()])
      return { ...stage, bot, fetch: bot.connections.fetch(main), sent, url: new URL("/one", stage.upstream.origin) }
    }

    it("reads without asking; a person is asked about what it writes, and reads what is sent and where to", async () => {
      const { fetch, sent, upstream, events } = await setAgent(() => ({ action: "accept" }))
      for (const method of ["GET", "HEAD"]) expect((await fetch("/items", { method })).status).toBe(200)
      expect(asked).toEqual([])
      await fetch("/items", { method: "DELETE", headers: { "x-token": "t0ps3cret", "x-mode": "all" } })
      await fetch("/items", { method: "POST", body: new TextEncoder().encode('{"a":1}') })
      await fetch("/items", { method: "PUT", body: new Uint8Array([0xff, 0xfe]) })
      expect(asked.map(({ tool }) => tool)).toEqual([address, address, address])
      const shown = asked.map(({ arguments: lines }) =>
        Object.fromEntries(lines.map(({ name, value }) => [name, value])),
      )
      expect(shown[0]).toMatchObject({ method: '"DELETE"', url: JSON.stringify(`${upstream.origin}/items`) })
      expect(shown[0]?.["headers"]).toContain('"x-mode":"all"')
      expect(JSON.stringify(asked[0]?.message)).not.toContain("t0ps3cret")
      expect(JSON.stringify(asked[0]?.arguments)).not.toContain("t0ps3cret")
      expect(asked[0]?.message).toContain("It does not say what it changes.")
      expect(shown[1]).toMatchObject({ method: '"POST"', body: JSON.stringify('{"a":1}') })
      expect(shown[2]?.["body"]).toContain("2 bytes, SHA-256 ")
      expect(sent().slice(2)).toEqual([
        ["DELETE", ""],
        ["POST", '{"a":1}'],
        ["PUT", expect.anything()],
      ])
      expect(events.filter(({ type }) => type === "approval.answered")).toHaveLength(3)
    })

    it("is not sent where the person says no", async () => {
      const { fetch, sent } = await setAgent(() => ({ action: "decline" }))
      expect(await rejectionOf(fetch("/", { method: "POST" }))).toMatchObject({
        _tag: "ElicitationDeclinedError",
        tool: address,
        action: "decline",
      })
      expect(sent()).toEqual([])
    })

    it("is not asked about again where the answer holds for these arguments, and is for others", async () => {
      const { fetch, sent } = await setAgent(() => ({ action: "accept", remember: "arguments" }))
      for (const body of ["one", "one", "two"]) await fetch("/", { method: "POST", body })
      expect(asked).toHaveLength(2)
      expect(sent()).toHaveLength(3)
      await fetch("/elsewhere", { method: "POST", body: "one" })
      expect(asked).toHaveLength(3)
    })

    it("is refused where nobody answers now, with what to do instead", async () => {
      for (const onElicitation of [undefined, "defer"] as const) {
        const { fetch, sent, executor } = await setAgent(() => ({ action: "accept" }), { onElicitation })
        const error = await rejectionOf(fetch("/", { method: "POST" }))
        expect(error).toMatchObject({ _tag: "ToolBlockedError", address, rule: null })
        expect(error.message).toContain("Call a tool instead, have a policy approve the tool fetch")
        expect(sent()).toEqual([])
        await executor.policies.create({ owner: "org", pattern: "tools.api.*.*.fetch", action: "approve" })
        expect((await fetch("/", { method: "POST" })).status).toBe(200)
      }
    })

    it("is refused where its body is a stream, which nobody could read first", async () => {
      const { fetch, sent } = await setAgent(() => ({ action: "accept" }))
      const body = new Blob(["x"]).stream()
      const streamed = fetch("/", { method: "POST", body, duplex: "half" })
      expect(await rejectionOf(streamed)).toMatchObject({ _tag: "ToolBlockedError", address })
      expect(asked).toEqual([])
      expect(sent()).toEqual([])
    })

    it("needs nobody where everything is agreed to, or the host's default approves", async () => {
      for (const config of [{ onElicitation: "accept-all" }, { defaultPolicy: "approve" }] as const) {
        const { fetch, sent } = await setAgent(() => ({ action: "decline" }), config)
        expect((await fetch("/", { method: "DELETE" })).status).toBe(200)
        expect(asked).toEqual([])
        expect(sent()).toHaveLength(1)
      }
    })

    it("is not asked about where it could not be sent", async () => {
      const { fetch, executor } = await setAgent(() => ({ action: "accept" }))
      const post = (url: string) => fetch(url, { method: "POST" })
      expect(await rejectionOf(post("https://elsewhere.example/"))).toBeInstanceOf(OriginNotAllowedError)
      await executor.connections.disable(main)
      expect(await rejectionOf(post("/"))).toMatchObject({ code: "connection_disabled" })
      expect(asked).toEqual([])
    })

    it("is not sent after all where meanwhile something was taken away or changed", async () => {
      const changes: Readonly<
        Record<string, (stage: Awaited<ReturnType<typeof setAgent>>) => Promise<unknown> | void>
      > = {
        AccessDeniedError: ({ executor }) => executor.agents.grant("bot", { connection: main, access: "read" }),
        ConnectionNotFoundError: ({ executor }) => executor.agents.revoke("bot", main),
        InvalidAgentKeyError: ({ executor }) => executor.agents.rotateKey("bot"),
        ToolBlockedError: ({ executor }) =>
          executor.policies.create({ owner: "org", pattern: "tools.api.*", action: "block" }),
        ElicitationDeclinedError: ({ url }) => void (url.pathname = "/all"),
      }
      for (const [tag, change] of Object.entries(changes)) {
        const stage = await setAgent(async () => {
          await change(stage)
          return { action: "accept" }
        })
        expect(await rejectionOf(stage.fetch(stage.url, { method: "POST" }))).toMatchObject({ _tag: tag })
        expect(asked).toHaveLength(1)
        expect(stage.sent()).toEqual([])
      }
      const stage = await setAgent(async () => {
        await stage.executor.connections.disable(main)
        return { action: "accept" }
      })
      expect(await rejectionOf(stage.fetch("/", { method: "POST" }))).toMatchObject({ action: "changed" })
      expect(stage.sent()).toEqual([])
    })

    it("is sent as the person read it, whatever becomes of what it was made of", async () => {
      const bytes = new TextEncoder().encode("small")
      const headers = new Headers({ "x-mode": "one" })
      const { fetch, sent, upstream } = await setAgent(() => {
        bytes.fill(66)
        headers.set("x-mode", "all")
        return { action: "accept" }
      })
      await fetch("/", { method: "POST", body: bytes, headers })
      expect(sent()).toEqual([["POST", "small"]])
      expect(upstream.requests[0]?.headers["x-mode"]).toBe("one")
    })

    it("leaves the host's own requests unasked, unless a rule wants a person asked", async () => {
      const { executor, sent } = await setAgent(() => ({ action: "accept" }))
      const fetch = executor.connections.fetch(main)
      await fetch("/", { method: "DELETE" })
      expect(asked).toEqual([])
      await executor.policies.create({ owner: "org", pattern: "tools.api.*.*.fetch", action: "require_approval" })
      await fetch("/", { method: "DELETE" })
      await fetch("/")
      expect(asked.map(({ args }) => (args as { method: string }).method)).toEqual(["DELETE", "GET"])
      expect(sent()).toHaveLength(3)
    })
  })
})

describe("the config", () => {
  it.each<[string, object]>([
    ["defaultPolicy", { defaultPolicy: "allow" }],
    ["approvals.key", { approvals: { key: "short" } }],
    ["approvals.key", { approvals: { key: Buffer.alloc(31) } }],
    ["approvals.key", { approvals: { key: [] } }],
    ["approvals.key", { approvals: { key: [Buffer.alloc(32), "short"] } }],
    ["approvals.key", { onElicitation: "defer", store: memoryStore() }],
    ["approvals.expiresAfterMs", { approvals: { expiresAfterMs: 0 } }],
    ["approvals.ttl", { approvals: { ttl: 1 } }],
  ])("is refused for a fault in %s: %j", async (field, config) => {
    const error = await rejectionOf(createExecutor(config as never))
    expect(error).toBeInstanceOf(InvalidConfigError)
    expect(error).toMatchObject({ field })
  })
})

describe("a store that is down", () => {
  it("lets no call pass", async () => {
    let isDown = false
    const store = unreliableStore((operation) =>
      isDown && operation === "policies.rules" ? storeDown(operation) : Effect.void,
    )
    const { executor, calls } = await setTools({ config: { store } })
    isDown = true
    expect(await rejectionOf(executor.execute(toolOfMain("repos/get")))).toMatchObject({
      _tag: "StoreUnavailableError",
    })
    expect(await rejectionOf(executor.tools.list())).toMatchObject({ _tag: "StoreUnavailableError" })
    expect(calls).toEqual([])
  })
})
