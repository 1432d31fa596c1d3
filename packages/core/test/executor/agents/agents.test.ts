/** Agents: what they are, their keys, and what they may do with what was granted. */
import { memoryStore } from "@keyward/core"
import { CanaryScanner } from "@keyward/core/testing"
import { describe, expect, it } from "vitest"
import { rejectionOf } from "../acme.ts"
import { arrived, secretOf, setAgentStage, toolNames } from "./agentStage.ts"

const main = { owner: "org", integration: "api", name: "main" } as const

describe("an agent", () => {
  it("is created with no right and no key unless asked for, is listed, and is removed", async () => {
    const { executor } = await setAgentStage()
    const agent = await executor.agents.create({ id: "reader", name: "Reader", description: "reads" })
    expect(agent).toEqual({
      id: "reader",
      name: "Reader",
      description: "reads",
      parent: null,
      integrations: [],
      hasKey: false,
      createdAt: expect.any(Number),
    })
    const unnamed = await executor.agents.create()
    expect(unnamed.id).toMatch(/^[\da-f-]{36}$/)
    expect(await executor.agents.get("reader")).toEqual(agent)
    expect(await executor.agents.get("nobody")).toBeNull()
    expect((await executor.agents.list()).map(({ id }) => id)).toEqual([unnamed.id, "reader"].sort())
    expect(await executor.agents.list({ after: "reader" })).toEqual([])
    expect(await executor.agents.list({ limit: 1 })).toHaveLength(1)
    await executor.agents.remove("reader")
    expect(await executor.agents.get("reader")).toBeNull()
    expect(await rejectionOf(executor.agents.remove("reader"))).toMatchObject({
      _tag: "AgentNotFoundError",
      agent: "reader",
    })
    expect(await rejectionOf(executor.asAgent("reader"))).toMatchObject({ _tag: "AgentNotFoundError" })
  })

  it("belongs to its tenant", async () => {
    const { executor, as } = await setAgentStage()
    await executor.agents.create({ id: "reader", key: true })
    const elsewhere = as(null, "other")
    expect(await elsewhere.agents.list()).toEqual([])
    expect(await elsewhere.agents.get("reader")).toBeNull()
    expect(await rejectionOf(elsewhere.asAgent("reader"))).toMatchObject({ _tag: "AgentNotFoundError" })
    await elsewhere.agents.create({ id: "reader" })
    await elsewhere.agents.remove("reader")
    expect(await executor.agents.get("reader")).not.toBeNull()
  })

  it.each([
    ["id", { id: "" }],
    ["id", { id: "a b" }],
    ["id", { id: "kwa_reader" }],
    ["id", { id: "x".repeat(129) }],
    ["name", { name: 1 as unknown as string }],
    ["integrations", { integrations: "api" as unknown as "all" }],
    ["integrations", { integrations: [""] }],
  ])("is refused where its %s cannot be: %j", async (field, input) => {
    const { executor } = await setAgentStage()
    expect(await rejectionOf(executor.agents.create(input))).toMatchObject({ _tag: "InvalidAgentError", field })
    expect(await executor.agents.list()).toEqual([])
  })

  it("is created once under an id", async () => {
    const { executor } = await setAgentStage()
    await executor.agents.create({ id: "reader", name: "first" })
    expect(await rejectionOf(executor.agents.create({ id: "reader", name: "second" }))).toMatchObject({
      _tag: "AgentConflictError",
      reason: "exists",
    })
    expect(await executor.agents.get("reader")).toMatchObject({ name: "first" })
  })
})

describe("the key of an agent", () => {
  it("is shown once, is kept as a hash only, and opens the agent's executor", async () => {
    const store = memoryStore()
    const { executor, events } = await setAgentStage({ store })
    const { key, ...agent } = await executor.agents.create({ id: "reader", key: true })
    expect(key).toMatch(/^kwa_reader_[\w-]{43}$/)
    expect(agent.hasKey).toBe(true)
    const byKey = await executor.asAgent(key ?? "")
    expect(byKey.identity).toEqual({ tenant: "acme", subject: null, agent: "reader" })
    expect(await byKey.tools.list()).toEqual([])
    const scanner = new CanaryScanner([key ?? "", (key ?? "").slice(-43)])
    scanner.expectNone(
      [agent, await executor.agents.list(), await executor.agents.get("reader"), events],
      "what is shown",
    )
  })

  it.each([
    "kwa_",
    "kwa_reader",
    `kwa_reader_${"x".repeat(43)}`,
    `kwa_nobody_${"x".repeat(43)}`,
    `kwa_\n_${"x".repeat(43)}`,
  ])("is refused where it is not one: %j", async (key) => {
    const { executor } = await setAgentStage()
    await executor.agents.create({ id: "reader", key: true })
    const error = await rejectionOf(executor.asAgent(key))
    expect(error).toMatchObject({ _tag: "InvalidAgentKeyError" })
    expect(JSON.stringify(error)).not.toContain("xxx")
  })

  it("is not one of another tenant", async () => {
    const { executor, as } = await setAgentStage()
    const { key } = await executor.agents.create({ id: "reader", key: true })
    await as(null, "other").agents.create({ id: "reader", key: true })
    expect(await rejectionOf(as(null, "other").asAgent(key ?? ""))).toMatchObject({ _tag: "InvalidAgentKeyError" })
  })

  it("ends at once when it is rotated or revoked, also for executors that were made by it", async () => {
    const { executor } = await setAgentStage()
    const { key: first } = await executor.agents.create({ id: "reader", key: true })
    const byFirst = await executor.asAgent(first ?? "")
    const byId = await executor.asAgent("reader")
    const { key: second, hasKey } = await executor.agents.rotateKey("reader")
    expect(hasKey).toBe(true)
    expect(await rejectionOf(byFirst.tools.list())).toMatchObject({ _tag: "InvalidAgentKeyError" })
    expect(await rejectionOf(byFirst.execute("tools.api.org.main.issues.list"))).toMatchObject({
      _tag: "InvalidAgentKeyError",
    })
    const bySecond = await executor.asAgent(second)
    expect(await bySecond.tools.list()).toEqual([])
    expect(await executor.agents.revokeKey("reader")).toMatchObject({ hasKey: false })
    expect(await rejectionOf(bySecond.tools.list())).toMatchObject({ _tag: "InvalidAgentKeyError" })
    expect(await byId.tools.list()).toEqual([])
  })

  it("is valid for its grace beside the new one, and rotating again does not prolong it", async () => {
    const { executor } = await setAgentStage()
    const { key: first } = await executor.agents.create({ id: "reader", key: true })
    const { key: second } = await executor.agents.rotateKey("reader", { graceMs: 60_000 })
    for (const key of [first ?? "", second]) await executor.asAgent(key)
    const { key: third } = await executor.agents.rotateKey("reader")
    await executor.asAgent(third)
    for (const key of [first ?? "", second]) {
      expect(await rejectionOf(executor.asAgent(key))).toMatchObject({ _tag: "InvalidAgentKeyError" })
    }
    expect(await rejectionOf(executor.agents.rotateKey("reader", { graceMs: -1 }))).toMatchObject({
      _tag: "InvalidAgentError",
      field: "graceMs",
    })
  })
})

describe("what an agent was granted", () => {
  it("is nothing at first: connections and tools are not there", async () => {
    const { executor, connect, upstream } = await setAgentStage()
    await connect(null, "main")
    await executor.agents.create({ id: "reader", integrations: ["api"] })
    const agent = await executor.asAgent("reader")
    expect(await agent.tools.list()).toEqual([])
    expect(await agent.tools.search({ query: "issues" })).toEqual([])
    expect(await agent.connections.list()).toEqual([])
    expect(await agent.connections.get(main)).toBeNull()
    expect(await agent.tools.schema("tools.api.org.main.issues.list")).toBeNull()
    expect(await rejectionOf(agent.execute("tools.api.org.main.issues.list"))).toMatchObject({
      _tag: "ConnectionNotFoundError",
    })
    expect(await rejectionOf(agent.connections.fetch(main)("/"))).toMatchObject({ _tag: "ConnectionNotFoundError" })
    expect(upstream.requests).toEqual([])
  })

  it("needs both layers: the integration, and the connection", async () => {
    const { executor, connect } = await setAgentStage()
    await connect(null, "main")
    await executor.agents.create({ id: "reader" })
    await executor.agents.grant("reader", { connection: main, access: ["read", "write"] })
    const agent = await executor.asAgent("reader")
    const address = "tools.api.org.main.issues.list"
    expect(await agent.connections.list()).toEqual([])
    expect(await rejectionOf(agent.execute(address))).toMatchObject({ _tag: "ConnectionNotFoundError" })
    expect(await rejectionOf(agent.call("api", "issues.list"))).toMatchObject({ _tag: "IntegrationNotFoundError" })
    await executor.agents.setIntegrations("reader", ["other", "api"])
    expect(arrived(await agent.execute(address))).toBe(secretOf(null, "main"))
    expect(arrived(await agent.call("api", "issues.list"))).toBe(secretOf(null, "main"))
    await executor.agents.setIntegrations("reader", [])
    expect(await rejectionOf(agent.execute(address))).toMatchObject({ _tag: "ConnectionNotFoundError" })
    await executor.agents.setIntegrations("reader", "all")
    expect(arrived(await agent.execute(address))).toBe(secretOf(null, "main"))
    await executor.agents.revoke("reader", main)
    expect(await rejectionOf(agent.execute(address))).toMatchObject({ _tag: "ConnectionNotFoundError" })
  })

  const reading = ["issues.list", "users.list"]
  it.each([
    ["read", ["read"] as const, undefined, reading],
    ["write", ["write"] as const, undefined, toolNames.filter((name) => !reading.includes(name))],
    ["everything", ["read", "write"] as const, undefined, toolNames],
    ["a single word", "read" as const, undefined, reading],
    [
      "tools of a pattern",
      ["read", "write"] as const,
      ["issues.*"],
      toolNames.filter((name) => name.startsWith("issues.")),
    ],
    ["tools of several patterns", ["read"] as const, ["users.list", "*.create"], ["users.list"]],
  ])("shows and calls exactly what %s covers", async (_, access, tools, expected) => {
    const { executor, connect } = await setAgentStage()
    await connect(null, "main")
    await executor.agents.create({ id: "agent", integrations: "all" })
    await executor.agents.grant("agent", { connection: main, access, tools })
    const agent = await executor.asAgent("agent")
    expect((await agent.tools.list()).map(({ name }) => name)).toEqual(expected)
    for (const name of toolNames) {
      const address = `tools.api.org.main.${name}`
      if (expected.includes(name)) {
        expect(arrived(await agent.execute(address))).toBe(secretOf(null, "main"))
        expect(await agent.tools.schema(address)).not.toBeNull()
      } else {
        const error = await rejectionOf(agent.execute(address))
        expect(["AccessDeniedError", "ToolNotFoundError"]).toContain((error as { readonly _tag?: string })._tag)
        expect(await agent.tools.schema(address)).toBeNull()
      }
    }
  })

  it("tells a reader of a tool that writes which access is missing, and suggests only what may be called", async () => {
    const { executor, connect } = await setAgentStage()
    await connect(null, "main")
    await executor.agents.create({ id: "reader", integrations: "all" })
    await executor.agents.grant("reader", { connection: main, access: "read", tools: ["issues.*"] })
    const agent = await executor.asAgent("reader")
    expect(await rejectionOf(agent.execute("tools.api.org.main.issues.create"))).toMatchObject({
      _tag: "AccessDeniedError",
      address: "tools.api.org.main.issues.create",
      missing: "write",
    })
    const missing = await rejectionOf(agent.execute("tools.api.org.main.issue.lists"))
    expect(missing).toMatchObject({ suggestions: ["tools.api.org.main.issues.list"] })
    expect(await rejectionOf(agent.execute("tools.api.org.main.users.list"))).toMatchObject({
      _tag: "ToolNotFoundError",
      suggestions: ["tools.api.org.main.issues.list"],
    })
  })

  it.each([
    ["GET", ["read"], undefined, "allowed"],
    ["HEAD", ["read"], undefined, "allowed"],
    ["POST", ["read"], undefined, "write"],
    ["DELETE", ["read"], undefined, "write"],
    ["POST", ["write"], undefined, "allowed"],
    ["GET", ["write"], undefined, "read"],
    ["GET", ["read", "write"], ["*"], "fetch"],
  ] as const)("lets %s requests of its own with %j and tools %j: %s", async (method, access, tools, outcome) => {
    const { executor, connect, upstream } = await setAgentStage()
    await connect(null, "main")
    await executor.agents.create({ id: "agent", integrations: "all" })
    await executor.agents.grant("agent", { connection: main, access, tools })
    const fetch = (await executor.asAgent("agent")).connections.fetch(main)
    if (outcome === "allowed") {
      expect((await fetch("/", { method })).status).toBe(200)
      return
    }
    expect(await rejectionOf(fetch("/", { method }))).toMatchObject({ _tag: "AccessDeniedError", missing: outcome })
    expect(upstream.requests).toEqual([])
  })

  it("shows a connection with the access that there is", async () => {
    const { executor, connect, as } = await setAgentStage()
    await connect(null, "main")
    await connect("alice", "own")
    await executor.agents.create({ id: "agent", integrations: "all" })
    await executor.agents.grant("agent", { connection: main, access: "read" })
    await as("alice").agents.grant("agent", {
      connection: { owner: "user", integration: "api", name: "own" },
      access: ["write", "read"],
    })
    const shown = await (await as("alice").asAgent("agent")).connections.list()
    expect(shown.map(({ address, access, sharedBy }) => ({ address, access, sharedBy }))).toEqual([
      { address: "tools.api.org.main", access: ["read"], sharedBy: undefined },
      { address: "tools.api.user.own", access: ["read", "write"], sharedBy: undefined },
    ])
    expect(await (await as("alice").asAgent("agent")).connections.list({ after: "tools.api.org.main" })).toHaveLength(1)
    expect(await (await as("alice").asAgent("agent")).connections.list({ limit: 1, owner: "user" })).toHaveLength(1)
  })

  it("counts, of a user's connection, only while the agent acts for that user", async () => {
    const { executor, connect, as } = await setAgentStage()
    const own = await connect("alice", "own")
    await connect("bob", "own")
    await executor.agents.create({ id: "agent", integrations: "all" })
    await as("alice").agents.grant("agent", { connection: own, access: "read" })
    const address = "tools.api.user.own.issues.list"
    expect(arrived(await (await as("alice").asAgent("agent")).execute(address))).toBe(secretOf("alice", "own"))
    for (const other of ["bob", null]) {
      const agent = await as(other).asAgent("agent")
      expect(await rejectionOf(agent.execute(address))).toMatchObject({ _tag: "ConnectionNotFoundError" })
      expect(await agent.connections.list()).toEqual([])
      expect(await agent.tools.list()).toEqual([])
    }
  })

  it("is granted by whom the connection belongs to: the user, and the organisation", async () => {
    const { executor, connect, as } = await setAgentStage()
    await connect(null, "main")
    const own = await connect("alice", "own")
    await executor.agents.create({ id: "agent", integrations: "all" })
    expect(await rejectionOf(as("alice").agents.grant("agent", { connection: main, access: "read" }))).toMatchObject({
      _tag: "InvalidGrantError",
      field: "connection",
    })
    expect(await rejectionOf(as("bob").agents.grant("agent", { connection: own, access: "read" }))).toMatchObject({
      _tag: "ConnectionNotFoundError",
    })
    expect(await rejectionOf(executor.agents.grant("agent", { connection: own, access: "read" }))).toMatchObject({
      _tag: "ConnectionNotFoundError",
    })
    expect(await rejectionOf(executor.agents.grant("nobody", { connection: main, access: "read" }))).toMatchObject({
      _tag: "AgentNotFoundError",
    })
  })

  it.each([
    ["access", { access: [] }],
    ["access", { access: "all" as "read" }],
    ["tools", { access: "read", tools: [] }],
    ["tools", { access: "read", tools: [""] }],
    ["tools", { access: "read", tools: "issues.*" as unknown as Array<string> }],
    ["expiresAt", { access: "read", expiresAt: 1.5 }],
    ["expiresAt", { access: "read", expiresAt: 1 }],
  ] as const)("is refused where its %s cannot be: %j", async (field, scope) => {
    const { executor, connect } = await setAgentStage()
    await connect(null, "main")
    await executor.agents.create({ id: "agent", integrations: "all" })
    expect(await rejectionOf(executor.agents.grant("agent", { connection: main, ...scope }))).toMatchObject({
      _tag: "InvalidGrantError",
      field,
    })
    expect(await executor.agents.grants("agent")).toEqual([])
  })

  it("of the organisation's account is revoked by the organisation, and by none of its users", async () => {
    const { executor, connect, as } = await setAgentStage()
    const ref = await connect(null, "main")
    await executor.agents.create({ id: "agent", integrations: ["api"] })
    await executor.agents.grant("agent", { connection: ref, access: "read" })
    const agent = await executor.asAgent("agent")
    expect(await rejectionOf(as("alice").agents.revoke("agent", ref))).toMatchObject({
      _tag: "InvalidGrantError",
      field: "connection",
    })
    expect(await agent.connections.list()).toHaveLength(1)
    await executor.agents.revoke("agent", ref)
    expect(await agent.connections.list()).toEqual([])
  })

  it("is listed for whoever may grant it, replaced by granting again, and revoked by its owner only", async () => {
    const { executor, connect, as } = await setAgentStage()
    await connect(null, "main")
    const own = await connect("alice", "own")
    await executor.agents.create({ id: "agent", integrations: "all" })
    const expiresAt = Date.now() + 3_600_000
    await executor.agents.grant("agent", { connection: main, access: "read" })
    const granted = await as("alice").agents.grant("agent", { connection: own, access: "read" })
    const again = await as("alice").agents.grant("agent", {
      connection: own,
      access: "write",
      tools: ["b", "a", "a"],
      expiresAt,
    })
    expect(granted.access).toEqual(["read"])
    expect(again).toEqual({
      agent: "agent",
      connection: "tools.api.user.own",
      subject: "alice",
      access: ["write"],
      tools: ["a", "b"],
      expiresAt,
      delegatedBy: null,
      grantedAt: expect.any(Number),
    })
    expect((await as("alice").agents.grants("agent")).map(({ connection }) => connection)).toEqual([
      "tools.api.org.main",
      "tools.api.user.own",
    ])
    expect((await as("bob").agents.grants("agent")).map(({ connection }) => connection)).toEqual(["tools.api.org.main"])
    await as("bob").agents.revoke("agent", own)
    expect(await as("alice").agents.grants("agent")).toHaveLength(2)
    await as("alice").agents.revoke("agent", own)
    await as("alice").agents.revoke("agent", own)
    expect(await as("alice").agents.grants("agent")).toHaveLength(1)
  })

  it("ends by itself when its time has come", async () => {
    const { executor, connect } = await setAgentStage()
    await connect(null, "main")
    await executor.agents.create({ id: "agent", integrations: "all" })
    const agent = await executor.asAgent("agent")
    const expiresAt = Date.now() + 150
    await executor.agents.grant("agent", { connection: main, access: "read", expiresAt })
    while (Date.now() < expiresAt) {
      const call = agent.execute("tools.api.org.main.issues.list")
      await call.catch(() => undefined)
    }
    expect(await rejectionOf(agent.execute("tools.api.org.main.issues.list"))).toMatchObject({
      _tag: "ConnectionNotFoundError",
    })
    expect(await agent.connections.list()).toEqual([])
  })

  it.each(["X-HTTP-Method-Override", "x-http-method", "X-Method-Override"])(
    "counts a request as a write that %s has a service take for one",
    async (header) => {
      const { executor, connect, upstream } = await setAgentStage()
      const main = await connect(null, "main")
      await executor.agents.create({ id: "agent", integrations: "all" })
      await executor.agents.grant("agent", { connection: main, access: "read" })
      const fetch = (await executor.asAgent("agent")).connections.fetch(main)
      expect((await fetch("/", { headers: { [header]: "GET" } })).status).toBe(200)
      const sent = upstream.requests.length
      expect(await rejectionOf(fetch("/", { headers: { [header]: "DELETE" } }))).toMatchObject({
        _tag: "AccessDeniedError",
        missing: "write",
      })
      expect(upstream.requests).toHaveLength(sent)
    },
  )

  it("is not another that was made with its id: an executor of the first ends with it", async () => {
    const { executor } = await setAgentStage()
    await executor.agents.create({ id: "agent", integrations: "all" })
    const first = await executor.asAgent("agent")
    await executor.agents.remove("agent")
    await executor.agents.create({ id: "agent", integrations: "all" })
    expect(await rejectionOf(first.tools.list())).toMatchObject({ _tag: "AgentNotFoundError" })
    expect(await (await executor.asAgent("agent")).tools.list()).toEqual([])
  })

  it("has an identity that no executor of its user's is made of", async () => {
    const { executor, connect, as } = await setAgentStage()
    await connect("alice", "own")
    await executor.agents.create({ id: "agent", integrations: "all" })
    const { identity } = await as("alice").asAgent("agent")
    expect(() => executor.withIdentity(identity)).toThrow(
      expect.objectContaining({ _tag: "InvalidIdentityError", part: "agent" }) as Error,
    )
    expect(() => executor.withIdentity({ ...identity })).toThrow(/asAgent/)
  })

  it("ends with the agent at the very next call, and another agent of the same id inherits nothing", async () => {
    const { executor, connect } = await setAgentStage()
    await connect(null, "main")
    await executor.agents.create({ id: "agent", integrations: "all" })
    await executor.agents.grant("agent", { connection: main, access: "read" })
    const agent = await executor.asAgent("agent")
    const fetch = agent.connections.fetch(main)
    expect((await fetch("/")).status).toBe(200)
    await executor.agents.remove("agent")
    for (const use of [
      agent.tools.list(),
      agent.connections.list(),
      agent.execute("tools.api.org.main.issues.list"),
      fetch("/"),
    ]) {
      expect(await rejectionOf(use)).toMatchObject({ _tag: "AgentNotFoundError" })
    }
    await executor.agents.create({ id: "agent", integrations: "all" })
    expect(await (await executor.asAgent("agent")).connections.list()).toEqual([])
    expect(await executor.agents.grants("agent")).toEqual([])
  })

  it("ends with the connection, and another connection of the same name is not granted", async () => {
    const { executor, connect } = await setAgentStage()
    await connect(null, "main")
    await executor.agents.create({ id: "agent", integrations: "all" })
    await executor.agents.grant("agent", { connection: main, access: "read" })
    const agent = await executor.asAgent("agent")
    await executor.connections.remove(main)
    expect(await agent.connections.list()).toEqual([])
    await connect(null, "main")
    expect(await agent.connections.list()).toEqual([])
    expect(await executor.agents.grants("agent")).toEqual([])
    expect(await rejectionOf(agent.execute("tools.api.org.main.issues.list"))).toMatchObject({
      _tag: "ConnectionNotFoundError",
    })
  })

  it("survives a new credential under the same name", async () => {
    const { executor, connect } = await setAgentStage()
    await connect(null, "main")
    await executor.agents.create({ id: "agent", integrations: "all" })
    await executor.agents.grant("agent", { connection: main, access: "read" })
    await executor.connections.create({ ...main, template: "bearer", value: "another" })
    const agent = await executor.asAgent("agent")
    expect(arrived(await agent.execute("tools.api.org.main.issues.list"))).toBe("another")
  })

  it("does not come back when a process dies between removing a connection and tidying up", async () => {
    const real = memoryStore()
    const { executor, connect } = await setAgentStage({
      // Nothing of a removed connection is tidied up.
      store: {
        ...real,
        access: {
          ...real.access,
          forgetConnection: () => real.access.ofCaller({ tenant: "", subject: null, agent: null }),
        },
      },
    })
    await connect(null, "main")
    await executor.agents.create({ id: "agent", integrations: "all" })
    await executor.agents.grant("agent", { connection: main, access: "read" })
    await executor.connections.remove(main)
    await connect(null, "main")
    const agent = await executor.asAgent("agent")
    expect(await agent.connections.list()).toEqual([])
    expect(await agent.tools.list()).toEqual([])
    expect(await executor.agents.grants("agent")).toEqual([])
    await executor.agents.grant("agent", { connection: main, access: "read" })
    expect(await agent.connections.list()).toHaveLength(1)
  })
})

describe("events about agents", () => {
  it("tell what changed, who did it, and never a key", async () => {
    const { executor, connect, as, events } = await setAgentStage()
    const own = await connect("alice", "own")
    const from = events.length
    const { key } = await executor.agents.create({ id: "agent", integrations: "all", key: true })
    await as("alice").agents.grant("agent", { connection: own, access: "read" })
    const { key: second } = await executor.agents.rotateKey("agent")
    await (await as("alice").asAgent(second)).execute("tools.api.user.own.issues.list")
    await as("alice").agents.revoke("agent", own)
    await executor.agents.setIntegrations("agent", [])
    await executor.agents.revokeKey("agent")
    await executor.agents.remove("agent")
    const told = events.slice(from)
    expect(told.map(({ type, subject, agent }) => [type, subject, agent])).toEqual([
      ["agent.created", null, undefined],
      ["grant.added", "alice", undefined],
      ["agent.key_rotated", null, undefined],
      ["tool.called", "alice", "agent"],
      ["grant.revoked", "alice", undefined],
      ["agent.updated", null, undefined],
      ["agent.key_revoked", null, undefined],
      ["agent.removed", null, undefined],
    ])
    expect(told[1]).toMatchObject({ agentId: "agent", connection: "tools.api.user.own", access: ["read"] })
    new CanaryScanner([key ?? "", second]).expectNone(told, "the events")
  })

  it("has its rights in the store alone: what is handed out is a copy", async () => {
    const { executor, connect } = await setAgentStage()
    const main = await connect(null, "main")
    const created = await executor.agents.create({ id: "bot", integrations: ["api"] })
    const granted = await executor.agents.grant("bot", { connection: main, access: "read", tools: ["issues.*"] })
    const known = await executor.agents.get("bot")
    const [listed] = await executor.agents.list()
    for (const agent of [created, known, listed]) {
      if (agent != null) (agent.integrations as Array<string>).push("other")
    }
    for (const one of [granted, ...(await executor.agents.grants("bot"))]) {
      ;(one.access as Array<string>).push("write")
      ;(one.tools as Array<string>).push("*")
    }
    expect(await executor.agents.get("bot")).toMatchObject({ integrations: ["api"] })
    expect(await executor.agents.grants("bot")).toMatchObject([{ access: ["read"], tools: ["issues.*"] }])
    for (const { origins } of await executor.integrations.list()) (origins as Array<string>).push("https://evil.test")
    expect((await executor.integrations.list())[0]?.origins).not.toContain("https://evil.test")
  })

  it("is told what is wrong with input of the wrong kind", async () => {
    const { executor, as, connect } = await setAgentStage()
    const main = await connect(null, "main")
    await executor.agents.create({ id: "bot" })
    await executor.agents.grant("bot", { connection: main, access: "read" })
    const nothing = undefined as never
    const alice = as("alice")
    await connect("alice", "own")
    const tries: ReadonlyArray<readonly [() => Promise<unknown>, string]> = [
      [() => executor.agents.revoke("bot", "tools.api.org.main" as never), "InvalidGrantError"],
      [() => executor.agents.revoke("bot", nothing), "InvalidGrantError"],
      [() => executor.agents.grant("bot", nothing), "InvalidGrantError"],
      [() => executor.agents.grant("bot", { access: "read" } as never), "InvalidConnectionInputError"],
      [() => alice.connections.share(nothing, nothing), "InvalidGrantError"],
      [() => alice.connections.unshare(nothing, { subject: "bob" }), "InvalidConnectionInputError"],
      [() => executor.connections.setDefault(nothing), "InvalidConnectionInputError"],
      [() => executor.policies.create(nothing), "InvalidPolicyInputError"],
      [() => executor.policies.update("no", nothing), "PolicyNotFoundError"],
      [() => executor.call(nothing, nothing), "IntegrationNotFoundError"],
    ]
    for (const [attempt, tag] of tries) expect(await rejectionOf(attempt())).toMatchObject({ _tag: tag })
    expect(await executor.agents.create(null as never)).toMatchObject({ integrations: [] })
    expect(await executor.agents.grants("bot")).toHaveLength(1)
  })
})
