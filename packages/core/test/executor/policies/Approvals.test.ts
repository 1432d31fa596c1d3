import {
  ApprovalAnsweredError,
  ApprovalNotFoundError,
  createExecutor,
  type ElicitationRequest,
  type ElicitationResponse,
  type Executor,
  type ExecutorConfig,
  memoryProvider,
  memoryStore,
  type Store,
  type ToolDef,
} from "@keyward/core"
import { canary, CanaryScanner } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { acmePlugin, failureOf, main, rejectionOf, setStage, templates, toolOfMain } from "../acme.ts"

const key = Buffer.alloc(32, 1).toString("base64")
const address = toolOfMain("delete")

interface Options {
  readonly config?: Omit<ExecutorConfig, "plugins">
  readonly tool?: Partial<ToolDef>
}

const setDeleting = async ({ config, tool }: Options = {}) => {
  const store = config?.store ?? memoryStore()
  const runs: Array<unknown> = []
  let def: ToolDef = {
    name: "delete",
    annotations: { title: "Delete a repository", destructiveHint: true },
    ...tool,
  }
  const plugin = acmePlugin(
    {},
    { catalog: "connection", resolveTools: () => [def], invokeTool: ({ args }) => runs.push(args) },
  )
  const stage = await setStage({
    plugin,
    config: { onElicitation: "defer", store, approvals: { key }, ...config },
  })
  await stage.executor.connections.create({ ...main, template: "bearer", value: "secret-1", identityLabel: "acme-bot" })
  const alice = stage.executor.withIdentity({ subject: "alice" })
  const askedOf = async (call: Promise<unknown>) => {
    const error = failureOf((await call) as never)
    expect(error.code).toBe("approval_required")
    return (error.details as { readonly approvalId: string }).approvalId
  }
  return {
    ...stage,
    store,
    runs,
    alice,
    askedOf,
    redefine: (changes: Partial<ToolDef>) => {
      def = { ...def, ...changes }
      return stage.executor.connections.refresh(main)
    },
  }
}

describe("an approval that is answered later", () => {
  it("says what will happen, and lets the same call pass once", async () => {
    const { alice, askedOf, runs, events } = await setDeleting()
    const args = { owner: "acme", repo: "site", token: "t-1" }
    const result = failureOf(await alice.execute(address, args))
    expect(result).toMatchObject({ code: "approval_required", retryable: false })
    const [pending] = await alice.approvals.list()
    expect(pending).toMatchObject({
      id: (result.details as { readonly approvalId: string }).approvalId,
      status: "pending",
      what: 'Allow "Delete a repository" on "api" as "acme-bot" (tools.api.org.main)? It may change or delete what is there. Arguments: owner: "acme", repo: "site", token: "•••".',
      tool: address,
      connection: "tools.api.org.main",
      account: "acme-bot",
      subject: "alice",
      agent: null,
      remember: null,
    })
    expect(await askedOf(alice.execute(address, args))).toBe(pending?.id)
    expect(await alice.approvals.list()).toHaveLength(1)
    const answered = await alice.approvals.answer(pending?.id ?? "", { action: "accept" })
    expect(answered).toMatchObject({ status: "accepted", remember: "once", answeredBy: "alice" })
    // In another order they are the same arguments.
    expect(await alice.execute(address, { token: "t-1", repo: "site", owner: "acme" })).toMatchObject({ ok: true })
    expect(await askedOf(alice.execute(address, args))).not.toBe(pending?.id)
    expect(runs).toHaveLength(1)
    expect(events.map(({ type }) => type).filter((type) => type.startsWith("approval"))).toEqual([
      "approval.requested",
      "approval.answered",
      "approval.used",
      "approval.requested",
    ])
    expect(events.filter(({ type }) => type === "tool.called")[2]).toMatchObject({
      outcome: "ok",
      decision: "require_approval",
      rule: "destructive",
      approval: "once",
    })
  })

  it.each<[string, unknown]>([
    ["another value", { repo: "other" }],
    ["one more", { repo: "site", force: true }],
    ["one less", {}],
    ["a value of another type", { repo: ["site"] }],
    ["a value that is absent by name", { repo: "site", force: undefined }],
  ])("does not let other arguments pass: %s", async (_, other) => {
    const { alice, askedOf, runs } = await setDeleting()
    for (const remember of ["once", "arguments"] as const) {
      const id = await askedOf(alice.execute(address, { repo: "site" }))
      await alice.approvals.answer(id, { action: "accept", remember })
      await askedOf(alice.execute(address, other))
      expect(await alice.execute(address, { repo: "site" })).toMatchObject({ ok: true })
    }
    expect(runs).toEqual([{ repo: "site" }, { repo: "site" }])
  })

  it("holds for matching arguments until it expires, where that was the answer", async () => {
    const { alice, askedOf } = await setDeleting()
    const id = await askedOf(alice.execute(address, { repo: "site" }))
    await alice.approvals.answer(id, { action: "accept", remember: "arguments" })
    for (let round = 0; round < 3; round += 1) {
      expect(await alice.execute(address, { repo: "site" })).toMatchObject({ ok: true })
    }
    expect(await alice.policies.resolve(address, { repo: "site" })).toMatchObject({
      action: "require_approval",
      approval: id,
    })
    expect(await alice.policies.resolve(address, { repo: "other" })).toMatchObject({ approval: null })
  })

  it("holds for the tool on this account in the conversation, where that was the answer", async () => {
    const { executor, alice, askedOf } = await setDeleting()
    await executor.connections.create({ ...main, name: "other", template: "none" })
    const talk = { conversation: "c-1" }
    const id = await askedOf(alice.execute(address, { repo: "a" }, talk))
    await alice.approvals.answer(id, { action: "accept", remember: "conversation" })
    expect(await alice.execute(address, { repo: "b" }, talk)).toMatchObject({ ok: true })
    await askedOf(alice.execute(address, { repo: "a" }, { conversation: "c-2" }))
    await askedOf(alice.execute(address, { repo: "a" }))
    await askedOf(alice.execute("tools.api.org.other.delete", { repo: "a" }, talk))
    await askedOf(executor.execute(address, { repo: "a" }, talk))
    expect(await alice.policies.resolve(address, undefined, talk)).toMatchObject({ approval: id })
    expect(await alice.policies.resolve(address, { repo: "c" })).toMatchObject({ approval: null })
  })

  it("stays declined for these arguments", async () => {
    const { alice, askedOf, runs } = await setDeleting()
    const id = await askedOf(alice.execute(address, { repo: "site" }))
    expect(await alice.approvals.answer(id, { action: "decline", remember: "arguments" })).toMatchObject({
      status: "declined",
      remember: null,
    })
    expect(failureOf(await alice.execute(address, { repo: "site" }))).toMatchObject({
      code: "approval_declined",
      retryable: false,
    })
    await askedOf(alice.execute(address, { repo: "other" }))
    expect(runs).toEqual([])
  })

  it("stays declined whoever is asked next, but for a host that agrees to everything", async () => {
    const { alice, askedOf, runs } = await setDeleting()
    const args = { repo: "site" }
    await alice.approvals.answer(await askedOf(alice.execute(address, args)), { action: "decline" })
    const asked: Array<unknown> = []
    const onElicitation = (request: ElicitationRequest): ElicitationResponse => {
      asked.push(request)
      return { action: "accept" }
    }
    expect(failureOf(await alice.execute(address, args, { onElicitation }))).toMatchObject({
      code: "approval_declined",
    })
    expect([asked, runs]).toEqual([[], []])
    expect(await alice.execute(address, { repo: "other" }, { onElicitation })).toMatchObject({ ok: true })
    expect(await alice.execute(address, args, { onElicitation: "accept-all" })).toMatchObject({ ok: true })
  })

  it("is listed by a status that there is", async () => {
    const { alice } = await setDeleting()
    expect(await rejectionOf(alice.approvals.list({ status: "nope" as never }))).toMatchObject({
      _tag: "InvalidApprovalInputError",
      field: "status",
    })
  })

  it("is answered once, and only with what is an answer", async () => {
    const { alice, askedOf } = await setDeleting()
    const id = await askedOf(alice.execute(address, {}))
    for (const [field, input] of [
      ["action", {}],
      ["action", undefined],
      ["action", { action: "yes" }],
      ["remember", { action: "accept", remember: "forever" }],
      ["remember", { action: "accept", remember: "conversation" }],
    ] as const) {
      expect(await rejectionOf(alice.approvals.answer(id, input as never))).toMatchObject({
        _tag: "InvalidApprovalInputError",
        field,
      })
    }
    const answers = await Promise.allSettled([
      alice.approvals.answer(id, { action: "accept" }),
      alice.approvals.answer(id, { action: "decline" }),
    ])
    expect(answers.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"])
    const late = await rejectionOf(alice.approvals.answer(id, { action: "accept" }))
    expect(late).toBeInstanceOf(ApprovalAnsweredError)
    expect(late).toMatchObject({ httpStatus: 409 })
  })

  it("is answered by whose call it is, or without a subject; it is not there for anybody else", async () => {
    const { executor, alice, askedOf } = await setDeleting()
    const id = await askedOf(alice.execute(address, {}))
    const own = await askedOf(executor.execute(address, {}))
    const others = [executor.withIdentity({ subject: "bob" }), executor.withIdentity({ tenant: "t2" })]
    for (const other of others) {
      expect(await other.approvals.list()).toEqual([])
      for (const attempt of [other.approvals.answer(id, { action: "accept" }), other.approvals.revoke(id)]) {
        expect(await rejectionOf(attempt)).toBeInstanceOf(ApprovalNotFoundError)
      }
    }
    expect(await rejectionOf(alice.approvals.answer(own, { action: "accept" }))).toBeInstanceOf(ApprovalNotFoundError)
    expect((await executor.approvals.list()).map((one) => one.id).toSorted()).toEqual([id, own].toSorted())
    expect(await executor.approvals.answer(id, { action: "accept" })).toMatchObject({
      subject: "alice",
      answeredBy: null,
    })
    expect(await alice.execute(address, {})).toMatchObject({ ok: true })
    await askedOf(executor.withIdentity({ subject: "bob" }).execute(address, {}))
  })

  it("is taken back at once", async () => {
    const { alice, askedOf, events } = await setDeleting()
    const id = await askedOf(alice.execute(address, {}))
    await alice.approvals.answer(id, { action: "accept", remember: "arguments" })
    expect(await alice.execute(address, {})).toMatchObject({ ok: true })
    await alice.approvals.revoke(id)
    expect(events.at(-1)).toMatchObject({ type: "approval.revoked", approval: id, tool: address })
    await askedOf(alice.execute(address, {}))
    expect(await rejectionOf(alice.approvals.revoke(id))).toBeInstanceOf(ApprovalNotFoundError)
  })

  it("expires, asked or answered, and is cleared away with the next question", async () => {
    const { alice, askedOf, store } = await setDeleting({ config: { approvals: { key, expiresAfterMs: 1 } } })
    const id = await askedOf(alice.execute(address, { repo: "a" }))
    const later = () => new Promise((resolve) => setTimeout(resolve, 5))
    await later()
    expect(await alice.approvals.list()).toEqual([])
    expect(await rejectionOf(alice.approvals.answer(id, { action: "accept" }))).toBeInstanceOf(ApprovalNotFoundError)
    expect(await askedOf(alice.execute(address, { repo: "b" }))).not.toBe(id)
    expect(await Effect.runPromise(store.approvals.get("default", id))).toBeUndefined()
  })

  it("is for the arguments that the tool gets, not for what they were when it was found", async () => {
    const kept = memoryStore()
    let changed = (): void => undefined
    const store: Store = {
      ...kept,
      approvals: {
        ...kept.approvals,
        find: (tenant, keys) =>
          Effect.delay(
            Effect.tap(kept.approvals.find(tenant, keys), () => Effect.sync(() => changed())),
            "1 millis",
          ),
      },
    }
    const { alice, askedOf, runs } = await setDeleting({ config: { store } })
    const args: Record<string, unknown> = { repo: "harmless" }
    const id = await askedOf(alice.execute(address, args))
    await alice.approvals.answer(id, { action: "accept", remember: "arguments" })
    changed = () => (args["repo"] = "precious")
    expect(await rejectionOf(alice.execute(address, args))).toMatchObject({
      _tag: "ElicitationDeclinedError",
      action: "changed",
    })
    expect(runs).toEqual([])
  })

  it("goes to one of many calls that want it at the same time", async () => {
    const { alice, askedOf, runs } = await setDeleting()
    await alice.approvals.answer(await askedOf(alice.execute(address, { repo: "a" })), { action: "accept" })
    const results = await Promise.all(Array.from({ length: 20 }, () => alice.execute(address, { repo: "a" })))
    expect(results.filter(({ ok }) => ok)).toHaveLength(1)
    expect(runs).toHaveLength(1)
  })

  it("waits with so many others of its caller that one in a loop comes to an end, and nobody else does", async () => {
    const { executor, alice, askedOf } = await setDeleting()
    await executor.agents.create({ id: "helper", integrations: ["api"] })
    await executor.agents.grant("helper", { connection: main, access: ["read", "write"] })
    const agent = await alice.asAgent("helper")
    for (let turn = 0; turn < 200; turn += 1) await askedOf(agent.execute(address, { turn }))
    expect(failureOf(await agent.execute(address, { turn: 200 }))).toMatchObject({
      code: "too_many_approvals",
      retryable: false,
    })
    const first = await askedOf(agent.execute(address, { turn: 0 }))
    for (const caller of [alice, executor]) await askedOf(caller.execute(address, { turn: 200 }))
    await alice.approvals.revoke(first)
    await askedOf(agent.execute(address, { turn: 200 }))
  })

  it("lists page by page and by status", async () => {
    const { alice, askedOf } = await setDeleting()
    const ids: Array<string> = []
    for (let index = 0; index < 5; index += 1) ids.push(await askedOf(alice.execute(address, { index })))
    await alice.approvals.answer(ids[1] ?? "", { action: "accept" })
    expect((await alice.approvals.list()).map(({ id }) => id).toSorted()).toEqual(ids.toSorted())
    expect((await alice.approvals.list({ status: "accepted" })).map(({ id }) => id)).toEqual([ids[1]])
    const first = await alice.approvals.list({ limit: 2 })
    const rest = await alice.approvals.list({ after: first[1]?.id })
    expect(new Set([...first, ...rest].map(({ id }) => id)).size).toBe(5)
    expect([first.length, rest.length]).toEqual([2, 3])
  })

  it("cannot be given for arguments that are no plain data", async () => {
    const { alice } = await setDeleting()
    expect(failureOf(await alice.execute(address, { at: new Date() }))).toMatchObject({ code: "invalid_arguments" })
    expect(await alice.approvals.list()).toEqual([])
  })

  it("is not asked for before the arguments are valid and the connection can be used", async () => {
    const { executor, alice } = await setDeleting({ tool: { inputSchema: { type: "object", required: ["repo"] } } })
    expect(failureOf(await alice.execute(address, {}))).toMatchObject({ code: "invalid_arguments" })
    await executor.connections.disable(main)
    expect(failureOf(await alice.execute(address, { repo: "a" }))).toMatchObject({ code: "connection_disabled" })
    expect(await alice.approvals.list()).toEqual([])
  })
})

describe("an approval does not outlive what it was given for", () => {
  it.each<[string, (stage: Awaited<ReturnType<typeof setDeleting>>) => Promise<unknown>]>([
    ["the tool is described otherwise", ({ redefine }) => redefine({ description: "Deletes everything" })],
    ["the tool takes something else", ({ redefine }) => redefine({ inputSchema: { type: "object" } })],
    [
      "the integration moves",
      ({ executor, upstream }) =>
        executor.acme.add({ slug: "api", baseUrl: `${upstream.origin}/v2`, authTemplates: templates }),
    ],
    [
      "the credential is replaced",
      ({ executor }) =>
        executor.connections.create({ ...main, template: "bearer", value: "secret-2", identityLabel: "acme-bot" }),
    ],
    [
      "the connection is removed and created again",
      async ({ executor }) => {
        await executor.connections.remove(main)
        await executor.connections.create({ ...main, template: "none" })
      },
    ],
  ])("when %s", async (_, change) => {
    const stage = await setDeleting()
    const { alice, askedOf, runs } = stage
    for (const remember of ["once", "arguments"] as const) {
      const id = await askedOf(alice.execute(address, { repo: remember }))
      await alice.approvals.answer(id, { action: "accept", remember })
    }
    const talk = { conversation: "c" }
    await alice.approvals.answer(await askedOf(alice.execute(address, {}, talk)), {
      action: "accept",
      remember: "conversation",
    })
    await change(stage)
    for (const repo of ["once", "arguments"]) await askedOf(alice.execute(address, { repo }))
    await askedOf(alice.execute(address, {}, talk))
    expect(runs).toEqual([])
  })

  it("when a rule blocks the tool; and is not needed when a rule approves it", async () => {
    const { executor, alice, askedOf } = await setDeleting()
    const id = await askedOf(alice.execute(address, {}))
    await alice.approvals.answer(id, { action: "accept", remember: "arguments" })
    const rule = await executor.policies.create({ owner: "org", pattern: "*", action: "block" })
    expect(await rejectionOf(alice.execute(address, {}))).toMatchObject({ _tag: "ToolBlockedError" })
    await executor.policies.update(rule.id, { action: "approve" })
    expect(await alice.execute(address, { other: true })).toMatchObject({ ok: true })
  })
})

describe("what a store holds", () => {
  const tampered = async (change: (record: Record<string, unknown>) => Record<string, unknown>) => {
    const { alice, askedOf, store, runs } = await setDeleting()
    const id = await askedOf(alice.execute(address, { repo: "site" }))
    const record = await Effect.runPromise(store.approvals.get("default", id))
    if (record === undefined) throw new Error("There is no record.")
    const next = { ...record, ...change(record as never), version: record.version + 1 }
    await Effect.runPromise(store.approvals.put(next as never, record.version))
    return { alice, id, runs }
  }

  it.each<[string, (record: Record<string, unknown>) => Record<string, unknown>]>([
    ["accepted", () => ({ status: "accepted", remember: "once" })],
    ["given for a longer time", () => ({ expiresAt: Number.MAX_SAFE_INTEGER })],
    ["given to somebody else", () => ({ subject: "mallory" })],
    ["put into other words", () => ({ what: "Allow something harmless?" })],
    ["signed by nobody", () => ({ signature: "" })],
    ["put under another key", () => ({ conversationKey: "key" })],
  ])("is no approval when somebody else wrote that it is %s", async (_, change) => {
    const { alice, id, runs } = await tampered(change)
    expect(failureOf(await alice.execute(address, { repo: "site" }))).toMatchObject({ code: "approval_required" })
    expect(await rejectionOf(alice.approvals.answer(id, { action: "accept" }))).toBeInstanceOf(ApprovalNotFoundError)
    expect((await alice.approvals.list()).map((one) => one.id)).not.toContain(id)
    expect(runs).toEqual([])
  })

  it("tells nobody the arguments beyond what people are shown, nor do events and results", async () => {
    const hidden = [canary("password"), canary("nested-token")]
    const records: Array<unknown> = []
    const memory = memoryStore()
    const store: Store = {
      ...memory,
      approvals: {
        ...memory.approvals,
        put: (record, version) =>
          Effect.andThen(
            Effect.sync(() => records.push(record)),
            memory.approvals.put(record, version),
          ),
      },
    }
    const { alice, askedOf, events } = await setDeleting({ config: { store, approvals: { key } } })
    const args = { password: hidden[0], deep: { api_token: hidden[1] }, repo: "site" }
    const id = await askedOf(alice.execute(address, args))
    const seen = [await alice.approvals.answer(id, { action: "accept" }), await alice.approvals.list()]
    expect(await alice.execute(address, args)).toMatchObject({ ok: true })
    expect(records.length).toBeGreaterThan(1)
    new CanaryScanner([...hidden, key]).expectNone([records, events, seen], "what is kept and told")
  })

  it("is believed by an executor with the same key, and with a new key beside the old one; not with another", async () => {
    const { alice, askedOf, store } = await setDeleting()
    const id = await askedOf(alice.execute(address, {}))
    const other = Buffer.alloc(32, 2)
    const using = async (keys: string | Uint8Array | ReadonlyArray<string | Uint8Array>) =>
      createExecutor({ subject: "alice", store, providers: [memoryProvider()], approvals: { key: keys } })
    expect(await (await using(other)).approvals.list()).toEqual([])
    expect((await (await using([other, key])).approvals.list()).map((one) => one.id)).toEqual([id])
    await (await using(key)).approvals.answer(id, { action: "accept" })
    expect(await alice.execute(address, {})).toMatchObject({ ok: true })
  })
})

describe("the host's handler", () => {
  const setAsking = async (
    answer: (request: ElicitationRequest) => ElicitationResponse | Promise<ElicitationResponse>,
  ) => {
    const asked: Array<ElicitationRequest> = []
    const stage = await setDeleting({
      config: {
        onElicitation: (request) => {
          asked.push(request)
          return answer(request)
        },
      },
    })
    return { ...stage, asked }
  }

  it("is told what will happen, and asked again for the next call", async () => {
    const { alice, asked, events } = await setAsking(() => ({ action: "accept" }))
    for (let round = 0; round < 2; round += 1) {
      expect(await alice.execute(address, { repo: "site" }, { conversation: "c" })).toMatchObject({ ok: true })
    }
    expect(asked).toHaveLength(2)
    expect(asked[0]).toMatchObject({
      kind: "approval",
      message: expect.stringContaining('"Delete a repository" on "api" as "acme-bot"') as string,
      tool: address,
      args: { repo: "site" },
      arguments: [{ name: "repo", value: '"site"' }],
      conversation: "c",
    })
    expect(await alice.approvals.list()).toEqual([])
    expect(events.filter(({ type }) => type === "tool.called")[0]).toMatchObject({ approval: "handler" })
    expect(events.filter(({ type }) => type === "approval.answered")[0]).toMatchObject({
      action: "accept",
      remember: "once",
    })
  })

  it.each([
    ["arguments", { repo: "a" }, { repo: "b" }],
    ["conversation", { repo: "b" }, undefined],
  ] as const)("can let its answer hold for %s", async (remember, passing, asking) => {
    const { alice, asked } = await setAsking(() => ({ action: "accept", remember }))
    await alice.execute(address, { repo: "a" }, { conversation: "c" })
    expect(await alice.execute(address, passing, { conversation: "c" })).toMatchObject({ ok: true })
    expect(asked).toHaveLength(1)
    const [approval] = await alice.approvals.list()
    expect(approval).toMatchObject({ status: "accepted", remember, answeredBy: "alice" })
    if (asking !== undefined) await alice.execute(address, asking)
    else await alice.execute(address, passing, { conversation: "d" })
    expect(asked).toHaveLength(2)
  })

  it("cannot let an answer hold for a conversation that there is none of", async () => {
    const { alice, asked } = await setAsking(() => ({ action: "accept", remember: "conversation" }))
    for (let round = 0; round < 2; round += 1) expect(await alice.execute(address, {})).toMatchObject({ ok: true })
    expect(asked).toHaveLength(2)
  })

  it("has its answer thrown away when the arguments change while the person reads", async () => {
    const args: Record<string, unknown> = { repo: "harmless" }
    const { alice, runs } = await setAsking(() => {
      args["repo"] = "precious"
      return { action: "accept", remember: "arguments" }
    })
    expect(await rejectionOf(alice.execute(address, args))).toMatchObject({
      _tag: "ElicitationDeclinedError",
      action: "changed",
    })
    expect(runs).toEqual([])
    expect(await alice.approvals.list()).toEqual([])
  })

  it.each<[string, () => Record<string, unknown>]>([
    ["a date", () => ({ when: new Date(0) })],
    ["bytes", () => ({ file: Uint8Array.of(1) })],
    ["more than 1 MB", () => ({ blob: "x".repeat(1_100_000) })],
  ])("is asked about what is called, whatever becomes of arguments with %s", async (_, extra) => {
    const args: Record<string, unknown> = { repo: "harmless", ...extra() }
    const { alice, asked, runs } = await setAsking((request) => {
      args["repo"] = "precious"
      if (request.kind === "approval") (request.args as Record<string, unknown>)["repo"] = "dear"
      return { action: "accept" }
    })
    expect(await alice.execute(address, args)).toMatchObject({ ok: true })
    expect(runs).toEqual([{ ...extra(), repo: "harmless" }])
    expect(asked[0]).toMatchObject({ message: expect.stringContaining('"harmless"') as string })
  })

  it("is not asked about what could become something else while a person reads", async () => {
    const { alice, asked, runs } = await setAsking(() => ({ action: "accept" }))
    const changing = Object.defineProperty({}, "id", { get: () => Math.random(), enumerable: true })
    for (const args of [{ run: () => 1 }, { changing }, { stream: new ReadableStream() }]) {
      expect(failureOf(await alice.execute(address, args))).toMatchObject({
        code: "invalid_arguments",
        message: expect.stringContaining("Nobody was asked") as string,
      })
    }
    expect([asked, runs]).toEqual([[], []])
    // Where nobody is asked, they are the host's own business.
    expect(await alice.execute(address, { run: () => 1 }, { onElicitation: "accept-all" })).toMatchObject({ ok: true })
  })

  it.each<[string, (executor: Executor) => Promise<unknown>, object]>([
    [
      "a rule blocks the tool",
      ({ policies }) => policies.create({ owner: "org", pattern: "*", action: "block" }),
      { _tag: "ToolBlockedError" },
    ],
    ["the connection is gone", ({ connections }) => connections.remove(main), { _tag: "ConnectionNotFoundError" }],
    [
      "the account is another",
      ({ connections }) => connections.create({ ...main, template: "bearer", value: "secret-2" }),
      { _tag: "ElicitationDeclinedError", action: "changed" },
    ],
    [
      "the mode allows no such account",
      ({ integrations }) => integrations.setIdentityMode("api", "per_user"),
      { _tag: "ElicitationDeclinedError", action: "changed" },
    ],
    ["the grant is revoked", ({ agents }) => agents.revoke("helper", main), { _tag: "ConnectionNotFoundError" }],
    ["the agent is removed", ({ agents }) => agents.remove("helper"), { _tag: "ConnectionNotFoundError" }],
  ])("has its answer come too late where meanwhile %s", async (_, change, refused) => {
    let meanwhile = (): Promise<unknown> => Promise.resolve()
    const stage = await setAsking(async () => {
      await meanwhile()
      return { action: "accept", remember: "arguments" }
    })
    await stage.executor.agents.create({ id: "helper", integrations: ["api"] })
    await stage.executor.agents.grant("helper", { connection: main, access: ["read", "write"] })
    const agent = await stage.alice.asAgent("helper")
    meanwhile = () => change(stage.executor)
    expect(await rejectionOf(agent.execute(address, {}))).toMatchObject(refused)
    expect(stage.runs).toEqual([])
  })

  it("has a call in which meanwhile the connection was disabled say so", async () => {
    const stage = await setAsking(async () => {
      await stage.executor.connections.disable(main)
      return { action: "accept" }
    })
    expect(failureOf(await stage.alice.execute(address, {}))).toMatchObject({ code: "connection_disabled" })
    expect(stage.runs).toEqual([])
  })

  it.each(["decline", "cancel"] as const)(
    "that answers %s keeps the call from being made, and nothing is remembered",
    async (action) => {
      const { alice, runs, events } = await setAsking(() => ({ action, remember: "arguments" }))
      expect(await rejectionOf(alice.execute(address, {}))).toMatchObject({ _tag: "ElicitationDeclinedError", action })
      expect(runs).toEqual([])
      expect(await alice.approvals.list()).toEqual([])
      expect(events.find(({ type }) => type === "approval.answered")).toMatchObject({ action })
    },
  )

  it("that answers with a scope of its own declines", async () => {
    const { alice, runs } = await setAsking(() => ({ action: "accept", remember: "forever" }) as never)
    expect(await rejectionOf(alice.execute(address, {}))).toMatchObject({ action: "decline" })
    expect(runs).toEqual([])
  })

  it("is not asked where an approval was given, and a call without any handler is made by it too", async () => {
    const { alice, asked, askedOf } = await setAsking(() => ({ action: "decline" }))
    const id = await askedOf(alice.execute(address, {}, { onElicitation: "defer" }))
    await alice.approvals.answer(id, { action: "accept" })
    expect(await alice.execute(address, {})).toMatchObject({ ok: true })
    expect(asked).toEqual([])
    const silent = await setDeleting({ config: { onElicitation: undefined } })
    const later = await silent.askedOf(silent.alice.execute(address, {}, { onElicitation: "defer" }))
    expect(await rejectionOf(silent.alice.execute(address, {}))).toMatchObject({ action: "unanswered" })
    await silent.alice.approvals.answer(later, { action: "accept" })
    expect(await silent.alice.execute(address, {})).toMatchObject({ ok: true })
  })
})

describe("an agent", () => {
  it("has calls that wait like anybody's, which it cannot answer, and an approval of its own", async () => {
    const { executor, alice, askedOf } = await setDeleting()
    await executor.agents.create({ id: "helper", integrations: ["api"] })
    await executor.agents.grant("helper", { connection: main, access: ["read", "write"] })
    const agent = await alice.asAgent("helper")
    expect(agent).not.toHaveProperty("approvals")
    expect(agent).not.toHaveProperty("policies")
    const id = await askedOf(agent.execute(address, {}))
    expect(await alice.approvals.list()).toMatchObject([{ id, agent: "helper", subject: "alice" }])
    await alice.approvals.answer(id, { action: "accept", remember: "arguments" })
    expect(await agent.execute(address, {})).toMatchObject({ ok: true })
    await askedOf(alice.execute(address, {}))
  })

  it("that is made again under its id has no approval that was given for the one before", async () => {
    const { executor, alice, askedOf } = await setDeleting()
    const made = async () => {
      await executor.agents.create({ id: "helper", integrations: ["api"] })
      await executor.agents.grant("helper", { connection: main, access: ["read", "write"] })
      return alice.asAgent("helper")
    }
    const talk = { conversation: "c" }
    const agent = await made()
    for (const remember of ["arguments", "conversation"] as const) {
      const id = await askedOf(agent.execute(address, { remember }, talk))
      await alice.approvals.answer(id, { action: "accept", remember })
      expect(await agent.execute(address, { remember }, talk)).toMatchObject({ ok: true })
    }
    await executor.agents.remove("helper")
    const other = await made()
    for (const remember of ["arguments", "conversation"]) await askedOf(other.execute(address, { remember }, talk))
  })
})
