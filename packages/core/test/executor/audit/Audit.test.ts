/** The audit trail as a host uses it: what is in it, who may read it, what is found, and what trouble with the store does to it. */
import {
  type AuditEntry,
  createExecutor,
  type ExecutorEvent,
  memoryProvider,
  memoryStore,
  type Store,
} from "@keyward/core"
import { canary, CanaryScanner } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { eventually } from "../../eventually.ts"
import {
  acmePlugin,
  failureOf,
  main,
  rejectionOf,
  type Run,
  setStage,
  storeDown,
  toolOfMain,
  unreliableStore,
} from "../acme.ts"

const bearer = (value: string) => ({ ...main, template: "bearer", value })

describe("an audit trail", () => {
  it("says of each call and each change who, when, which, why, whereto and what came of it", async () => {
    const began = Date.now()
    const { executor, upstream } = await setStage({ config: { tenant: "acme", subject: "alice", audit: true } })
    const mine = { ...main, owner: "user" } as const
    await executor.connections.create({ ...bearer("v"), owner: "user" })
    await executor.policies.create({ owner: "user", pattern: "tools.api.user.main.call", action: "approve" })
    expect(await executor.execute("tools.api.user.main.call", { a: 1 })).toMatchObject({ ok: true })
    await executor.call("api", "call", {}, { identity: "user" })
    await rejectionOf(executor.execute("tools.api.user.main.nope"))
    await executor.connections.fetch(mine)("/")
    await executor.connections.remove(mine)
    const [registered, created, ruled, called, selected, failed, fetched, removed] = await executor.audit.list()
    const row = { tenant: "acme", subject: "alice", agent: null, integration: "api", connection: "tools.api.user.main" }
    expect(registered).toMatchObject({ type: "integration.registered", integration: "api", connection: null })
    expect(created).toMatchObject({ ...row, type: "connection.created", details: { owner: "user" }, tool: null })
    expect(ruled).toMatchObject({
      type: "policy.created",
      details: { owner: "user", pattern: "tools.api.user.main.call", action: "approve" },
    })
    expect(called).toMatchObject({
      ...row,
      type: "tool.called",
      tool: "call",
      identityMode: "either",
      chosenBy: "address",
      decision: "approve",
      rule: ruled?.details["policy"],
      destination: upstream.origin,
      outcome: "ok",
      durationMs: expect.any(Number) as number,
      arguments: null,
    })
    expect(selected).toMatchObject({ chosenBy: "only", details: { override: "user" }, outcome: "ok" })
    expect(failed).toMatchObject({ tool: "nope", outcome: "ToolNotFoundError", destination: null })
    expect(fetched).toMatchObject({
      ...row,
      type: "connection.fetched",
      details: { method: "GET" },
      destination: upstream.origin,
      outcome: "200",
    })
    expect(removed).toMatchObject({ ...row, type: "connection.removed" })
    const all = await executor.audit.list()
    expect(all.map(({ sequence }) => sequence)).toEqual(all.map((_, index) => (all[0]?.sequence ?? 0) + index))
    for (const { at } of all) expect(at).toBeGreaterThanOrEqual(began)
  })

  it("has what agents do about those below them, and what plugins do, by the time that it is answered", async () => {
    const store = memoryStore()
    // By itself nothing would be written in the time of this test.
    const { executor } = await setStage({ config: { tenant: "acme", store, audit: { flushMs: 600_000 } } })
    const last = async () => {
      const entries = await Effect.runPromise(store.audit.list({ tenant: "acme", limit: 1000 }))
      const { type, agent, subject, integration, connection, details } = entries.at(-1) ?? {}
      return { type, agent, subject, integration, connection, details }
    }
    await executor.acme.add({ slug: "other", baseUrl: "https://other.example", authTemplates: [] })
    expect(await last()).toMatchObject({ type: "integration.registered", agent: null, integration: "other" })
    await executor.acme.context().integrations.remove("other")
    expect(await last()).toMatchObject({ type: "integration.removed", agent: null, integration: "other" })
    await executor.connections.create(bearer("v"))
    await executor.agents.create({ id: "lead", integrations: ["api"] })
    await executor.agents.grant("lead", { connection: main, access: "read" })
    const lead = await executor.withIdentity({ subject: "alice" }).asAgent("lead")
    const by = { agent: "lead", subject: "alice" }
    await lead.subAgents.create({ id: "helper", integrations: ["api"] })
    expect(await last()).toMatchObject({ ...by, type: "agent.created", details: { agentId: "helper" } })
    await lead.subAgents.grant("helper", { connection: main, access: "read" })
    const about = { ...by, connection: "tools.api.org.main" }
    const details = { agentId: "helper", access: ["read"] }
    expect(await last()).toMatchObject({ ...about, type: "grant.added", details })
    await lead.subAgents.revoke("helper", main)
    expect(await last()).toMatchObject({ ...about, type: "grant.revoked", details: { agentId: "helper" } })
    await lead.subAgents.remove("helper")
    expect(await last()).toMatchObject({ ...by, type: "agent.removed", details: { agentId: "helper" } })
    expect(await executor.audit.verify()).toMatchObject({ isIntact: true })
  })

  it("is filtered by time, connection, agent and tool, page by page", async () => {
    const { executor } = await setStage({
      config: { audit: true },
      tools: { call: () => 1, other: () => 2 },
    })
    await executor.connections.create(bearer("v"))
    await executor.connections.create({ ...bearer("v"), name: "second" })
    await executor.agents.create({ id: "bot", integrations: ["api"] })
    await executor.agents.grant("bot", { connection: main, access: ["read"] })
    const bot = await executor.asAgent("bot")
    for (const tool of ["call", "other", "call"]) await executor.execute(toolOfMain(tool))
    await executor.execute("tools.api.org.second.call")
    await bot.execute(toolOfMain())
    const types = async (input: Parameters<typeof executor.audit.list>[0]) =>
      (await executor.audit.list(input)).map(({ type, connection, tool, agent: by }) => [type, connection, tool, by])
    const called = "tool.called"
    expect(await types({ agent: "bot" })).toEqual([[called, "tools.api.org.main", "call", "bot"]])
    expect(await types({ tool: "other" })).toEqual([[called, "tools.api.org.main", "other", null]])
    expect(await types({ tool: "tools.api.org.second.call" })).toEqual([[called, "tools.api.org.second", "call", null]])
    expect(await types({ connection: "tools.api.org.second" })).toEqual([
      ["connection.created", "tools.api.org.second", null, null],
      [called, "tools.api.org.second", "call", null],
    ])
    expect(await types({ connection: "tools.api.org.main", tool: "tools.api.org.second.call" })).toEqual([])
    const all = await executor.audit.list()
    expect(await executor.audit.list({ since: 0 })).toEqual(all)
    expect(await executor.audit.list({ since: Date.now() + 60_000 })).toEqual([])
    const pages: Array<AuditEntry> = []
    for (;;) {
      const page = await executor.audit.list({ limit: 3, after: pages.at(-1)?.sequence })
      if (page.length === 0) break
      pages.push(...page)
    }
    expect(pages).toEqual(all)
  })

  it("is the organisation's: a user reads what they did, checks and prunes nothing, and agents have none", async () => {
    const { executor } = await setStage({ config: { tenant: "acme", audit: true }, tools: { call: () => 1 } })
    await executor.connections.create(bearer("v"))
    const alice = executor.withIdentity({ tenant: "acme", subject: "alice" })
    const bob = executor.withIdentity({ tenant: "acme", subject: "bob" })
    await alice.execute(toolOfMain())
    await bob.execute(toolOfMain())
    expect((await alice.audit.list()).map(({ subject }) => subject)).toEqual(["alice"])
    expect(new Set((await executor.audit.list()).map(({ subject }) => subject))).toEqual(
      new Set([null, "alice", "bob"]),
    )
    expect(await rejectionOf(bob.audit.verify())).toMatchObject({ _tag: "AuditAccessError", subject: "bob" })
    expect(await rejectionOf(bob.audit.prune({ before: 0 }))).toMatchObject({ _tag: "AuditAccessError" })
    expect(await executor.withIdentity({ tenant: "globex" }).audit.list()).toEqual([])
    await executor.agents.create({ id: "bot" })
    expect("audit" in (await executor.asAgent("bot"))).toBe(false)
  })

  it("is not kept unless the host wants it", async () => {
    const { executor } = await setStage({ tools: { call: () => 1 } })
    await executor.connections.create(bearer("v"))
    await executor.execute(toolOfMain())
    expect(await executor.audit.list()).toEqual([])
    expect(await executor.audit.verify()).toEqual({
      isIntact: true,
      isKept: false,
      checked: 0,
      isKeyed: false,
      isAnchorChecked: false,
      removedThrough: null,
      head: null,
      fault: null,
    })
  })

  it.each([{ limit: 0 }, { limit: 1001 }, { since: Number.NaN }, { after: -1 }, { tool: 7 as unknown as string }])(
    "refuses %j",
    async (input) => {
      const { executor } = await setStage()
      expect(await rejectionOf(executor.audit.list(input))).toMatchObject({ _tag: "InvalidAuditQueryError" })
    },
  )

  it.each([
    [{ key: "short" }, "audit.key"],
    [{ flushMs: 0 }, "audit.flushMs"],
    [{ maxPending: -1 }, "audit.maxPending"],
    [{ arguments: "all" }, "audit.arguments"],
    [{ onFull: "wait" }, "audit.onFull"],
    [{ keys: [] }, "audit.keys"],
  ])("is not made with %j", async (audit, field) => {
    expect(await rejectionOf(createExecutor({ audit: audit as never }))).toMatchObject({
      _tag: "InvalidConfigError",
      field,
    })
  })
})

describe("arguments in an audit trail", () => {
  it("are kept without the connection's secrets and what is named as one, cut, when the host wants them", async () => {
    const [secret, password] = [canary("secret"), canary("password")]
    const { executor } = await setStage({ config: { audit: { arguments: "redacted" } } })
    await executor.connections.create(bearer(secret))
    const args = { query: "cats", nested: [{ text: `Bearer ${secret}`, password }], long: "x".repeat(9000) }
    await executor.execute(toolOfMain(), args)
    const kept = await executor.audit.list()
    const shown = kept.find(({ type }) => type === "tool.called")?.arguments ?? ""
    expect(shown).toMatch(/^\{"query":"cats","nested":\[\{"text":"Bearer .*","password":"•••"\}\],"long":"xxx/)
    expect(shown).toHaveLength(4097)
    new CanaryScanner([secret, password]).expectNone(kept, "the audit trail")
  })

  it("are not kept of a call whose secrets are not known, nor told to a listener", async () => {
    const secret = canary("secret")
    const { executor, events } = await setStage({
      config: { audit: { arguments: "redacted" } },
      tools: { call: () => "sent nothing" },
    })
    await executor.connections.create(bearer(secret))
    await executor.execute(toolOfMain(), { text: secret })
    await executor.connections.create({ ...main, name: "open", template: "none" })
    await executor.execute("tools.api.org.open.call", { text: "shown" })
    const kept = (await executor.audit.list()).filter(({ type }) => type === "tool.called")
    expect(kept.map((entry) => entry.arguments)).toEqual([null, '{"text":"shown"}'])
    new CanaryScanner([secret]).expectNone(kept, "the audit trail")
    expect(events.some((event) => "shown" in event)).toBe(false)
  })
})

/** A stage whose audit trail cannot be written while it is away. */
const shaky = async (audit: object, tools: Readonly<Record<string, Run>> = { call: () => 1 }) => {
  let isAway = false
  const store = unreliableStore((operation) =>
    isAway && operation === "audit.append" ? storeDown(operation) : Effect.void,
  )
  const stage = await setStage({ config: { store, audit: { flushMs: 5, ...audit } }, tools })
  await stage.executor.connections.create(bearer("v"))
  return {
    ...stage,
    store,
    away: (is: boolean) => {
      isAway = is
    },
  }
}

const typesOf = (events: ReadonlyArray<{ readonly type: string }>): ReadonlyArray<string> =>
  events.map(({ type }) => type).filter((type) => type.startsWith("audit."))

describe("an audit trail whose store is away", () => {
  it("waits in memory, lets calls and changes go on, and is written when the store is back", async () => {
    const { executor, events, away } = await shaky({})
    away(true)
    for (let call = 0; call < 3; call += 1) expect(await executor.execute(toolOfMain())).toMatchObject({ ok: true })
    await executor.connections.update(main, { description: "d" })
    expect(events.find(({ type }) => type === "audit.delayed")).toMatchObject({ reason: expect.any(String) as string })
    away(false)
    await eventually(() => expect(typesOf(events)).toEqual(["audit.delayed", "audit.resumed"]))
    const kept = (await executor.audit.list()).map(({ type }) => type)
    expect(kept.slice(-4)).toEqual(["tool.called", "tool.called", "tool.called", "connection.updated"])
    expect(await executor.audit.verify()).toMatchObject({ isIntact: true })
  })

  it("misses what there is no room for, and says itself how much that is", async () => {
    const { executor, events, away } = await shaky({ maxPending: 2 })
    away(true)
    for (let call = 0; call < 5; call += 1) await executor.execute(toolOfMain())
    expect(events.filter(({ type }) => type === "audit.lost")).toMatchObject([{ reason: "full" }])
    away(false)
    await eventually(async () => {
      const [lost] = (await executor.audit.list()).filter(({ type }) => type === "audit.lost")
      expect(lost?.details).toEqual({ entries: 3, reason: "full" })
    })
    expect(await executor.audit.verify()).toMatchObject({ isIntact: true })
  })

  it("refuses calls that it has no room for, where the host says so", async () => {
    const { executor, away } = await shaky({ maxPending: 2, onFull: "refuse" })
    away(true)
    await executor.execute(toolOfMain())
    await executor.execute(toolOfMain())
    expect(await rejectionOf(executor.execute(toolOfMain()))).toMatchObject({
      _tag: "StoreUnavailableError",
      reason: "full",
    })
    away(false)
    await executor.audit.list()
    expect(await executor.execute(toolOfMain())).toMatchObject({ ok: true })
  })

  it("refuses calls beyond its room where many run at the same time, and has room again when they have ended", async () => {
    const ending = Promise.withResolvers<void>()
    const { executor, away } = await shaky(
      { maxPending: 3, onFull: "refuse" },
      { call: () => ending.promise.then(() => 1), slow: () => new Promise(() => undefined) },
    )
    const before = (await executor.audit.list()).length
    away(true)
    const stop = new AbortController()
    const stopped = rejectionOf(executor.execute(toolOfMain("slow"), {}, { signal: stop.signal }))
    const calls = Array.from({ length: 20 }, () => executor.execute(toolOfMain()))
    const settled = Promise.allSettled(calls)
    stop.abort()
    await stopped
    ending.resolve()
    expect((await settled).filter(({ status }) => status === "fulfilled")).toHaveLength(2)
    away(false)
    expect((await executor.audit.list()).slice(before).map(({ type, outcome }) => [type, outcome])).toEqual([
      ["tool.called", "aborted"],
      ["tool.called", "ok"],
      ["tool.called", "ok"],
    ])
    expect(await executor.execute(toolOfMain())).toMatchObject({ ok: true })
  })

  it("refuses requests of one's own that it has no room for", async () => {
    const { executor, upstream, away } = await shaky({ maxPending: 2, onFull: "refuse" })
    away(true)
    const send = executor.connections.fetch(main)
    const answers = await Promise.allSettled(Array.from({ length: 5 }, () => send("/", { method: "POST" })))
    expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(2)
    expect(upstream.requests).toHaveLength(2)
    expect(answers.find(({ status }) => status === "rejected")).toMatchObject({
      reason: { _tag: "StoreUnavailableError", reason: "full" },
    })
    away(false)
    await executor.audit.list()
    expect((await send("/")).status).toBe(200)
  })

  it("writes a batch once whose answer was lost", async () => {
    const inner = memoryStore()
    let isLosing = false
    const store: Store = {
      ...inner,
      audit: {
        ...inner.audit,
        append: (tenant, first, link) =>
          Effect.andThen(inner.audit.append(tenant, first, link), () => (isLosing ? storeDown("append") : Effect.void)),
      },
    }
    const { executor } = await setStage({ config: { store, audit: { flushMs: 5 } }, tools: { call: () => 1 } })
    await executor.connections.create(bearer("v"))
    isLosing = true
    await executor.execute(toolOfMain())
    await executor.audit.list()
    isLosing = false
    await executor.audit.list()
    const kept = (await executor.audit.list()).map(({ type }) => type)
    expect(kept.filter((type) => type === "tool.called")).toHaveLength(1)
    expect(await executor.audit.verify()).toMatchObject({ isIntact: true, checked: kept.length })
  })
})

describe("closing", () => {
  it("writes all that was recorded", async () => {
    const store = memoryStore()
    const executor = await createExecutor({
      store,
      audit: { flushMs: 600_000 },
      plugins: [acmePlugin({ call: () => 1 })] as const,
      providers: [memoryProvider()],
    })
    await executor.acme.add({ slug: "api", authTemplates: [{ slug: "bearer", type: "bearer" }] })
    await executor.connections.create(bearer("v"))
    await Promise.all(Array.from({ length: 1200 }, () => executor.execute(toolOfMain())))
    await executor.close()
    const reader = await createExecutor({ store })
    expect(await reader.audit.verify()).toMatchObject({ isIntact: true, checked: 1202 })
    await reader.close()
  })
})

describe("pruning", () => {
  it("removes what is old, says so in the trail and to the listener, and leaves a whole chain", async () => {
    const { executor, events } = await setStage({ config: { audit: true }, tools: { call: () => 1 } })
    await executor.connections.create(bearer("v"))
    for (let call = 0; call < 4; call += 1) await executor.execute(toolOfMain())
    const before = await executor.audit.verify()
    expect(await executor.audit.prune({ before: 0 })).toBe(0)
    expect(await executor.audit.prune({ before: Date.now() + 60_000 })).toBe(before.checked)
    expect(await executor.audit.list()).toMatchObject([
      {
        type: "audit.pruned",
        sequence: before.checked + 1,
        details: { entries: before.checked, through: before.checked },
      },
    ])
    await executor.execute(toolOfMain())
    expect(await executor.audit.verify({ anchor: before.head! })).toMatchObject({
      isIntact: true,
      isKept: true,
      isAnchorChecked: true,
      checked: 2,
      removedThrough: before.checked,
    })
    expect(await executor.audit.verify()).toMatchObject({ isAnchorChecked: false })
    expect(events.filter(({ type }) => type === "audit.pruned")).toMatchObject([{ entries: before.checked }])
  })
})

describe("the events that are kept", () => {
  it("are stamped with a time and a tenant, and hold nothing that an entry does not", async () => {
    const { executor, events } = await setStage({ config: { audit: true }, tools: { call: () => 1 } })
    await executor.connections.create(bearer("v"))
    await executor.execute(toolOfMain())
    failureOf(await executor.call("api", "call", {}, { account: "nobody" }))
    const kept = (await executor.audit.list()).slice(-events.length)
    expect(kept).toHaveLength(events.length)
    for (const [index, event] of events.entries())
      expect(saidBy(kept[index])).toEqual(JSON.parse(JSON.stringify(event)))
  })
})

/** The event that an entry was made of. */
const saidBy = (entry: AuditEntry | undefined): Partial<ExecutorEvent> => {
  const {
    id: _id,
    sequence: _sequence,
    previousHash: _previous,
    hash: _hash,
    arguments: _args,
    details,
    ...fields
  } = entry!
  const told = Object.entries(fields).filter(([name, value]) => value !== null || name === "subject")
  const said = Object.fromEntries([...told, ...Object.entries(details)]) as Record<string, unknown>
  return "durationMs" in said ? { ...said, durationMs: expect.any(Number) as number } : said
}
