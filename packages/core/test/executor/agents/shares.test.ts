/** Shares: a user's connection in the hands of another user, or of an agent. */
import { memoryStore } from "@keyward/core"
import { canary, CanaryScanner } from "@keyward/core/testing"
import { describe, expect, it } from "vitest"
import { contentsOf, countingProvider, rejectionOf } from "../acme.ts"
import { arrived, secretOf, setAgentStage } from "./agentStage.ts"

const own = { owner: "user", integration: "api", name: "own" } as const
const shared = { owner: "user", integration: "api", name: "ownOfAlice" } as const
const list = "tools.api.user.ownOfAlice.issues.list"

describe("a share with another user", () => {
  it("is seen under a name of the recipient's own, marked, and runs with the owner's credential", async () => {
    const { connect, as } = await setAgentStage()
    await connect("alice", "own")
    await connect("bob", "own")
    const told = await as("alice").connections.share(own, { with: { subject: "bob" }, access: ["read"] })
    expect(told).toEqual({
      connection: "tools.api.user.own",
      with: { subject: "bob" },
      as: "tools.api.user.ownOfAlice",
      access: ["read"],
      tools: null,
      expiresAt: null,
      sharedAt: expect.any(Number),
    })
    expect(await as("alice").connections.shares(own)).toEqual([told])
    const seen = await as("bob").connections.list()
    expect(seen.map(({ address, sharedBy, access }) => ({ address, sharedBy, access }))).toEqual([
      { address: "tools.api.user.own", sharedBy: undefined, access: undefined },
      { address: "tools.api.user.ownOfAlice", sharedBy: "alice", access: ["read"] },
    ])
    expect(await as("bob").connections.get(shared)).toEqual(seen[1])
    expect(arrived(await as("bob").execute(list))).toBe(secretOf("alice", "own"))
    expect(arrived(await as("bob").execute("tools.api.user.own.issues.list"))).toBe(secretOf("bob", "own"))
    expect((await as("bob").connections.fetch(shared)("/")).status).toBe(200)
    expect(await as("carol").connections.list()).toEqual([])
    expect(await as("bob", "other").connections.list()).toEqual([])
  })

  it("covers what it says, in lists and in calls", async () => {
    const { connect, as } = await setAgentStage()
    await connect("alice", "own")
    await as("alice").connections.share(own, { with: { subject: "bob" }, access: "read", tools: ["issues.*"] })
    expect((await as("bob").tools.list()).map(({ address }) => address)).toEqual([list])
    expect((await as("bob").tools.search({ query: "list" })).map(({ address }) => address)).toEqual([list])
    expect(await as("bob").tools.schema("tools.api.user.ownOfAlice.users.list")).toBeNull()
    expect(await rejectionOf(as("bob").execute("tools.api.user.ownOfAlice.issues.create"))).toMatchObject({
      _tag: "AccessDeniedError",
      missing: "write",
    })
    expect(await rejectionOf(as("bob").execute("tools.api.user.ownOfAlice.users.list"))).toMatchObject({
      _tag: "ToolNotFoundError",
      suggestions: [list],
    })
    expect(await rejectionOf(as("bob").connections.fetch(shared)("/"))).toMatchObject({
      _tag: "AccessDeniedError",
      missing: "fetch",
    })
  })

  it("shows nothing of the credential, and gives plugins no way to it", async () => {
    const secret = canary("shared")
    const { provider, items } = countingProvider()
    const { executor, as, events } = await setAgentStage({ providers: [provider] })
    await as("alice").connections.create({ ...own, template: "bearer", value: secret })
    await as("alice").connections.share(own, { with: { subject: "bob" }, access: ["read", "write"] })
    const seen = await as("bob").connections.get(shared)
    expect(seen).toMatchObject({ provider: "shared", oauthClient: null, oauthScope: null, expiresAt: null })
    const context = as("bob").acme.context()
    expect(await rejectionOf(context.connections.resolveValues(shared))).toMatchObject({
      _tag: "AccessDeniedError",
      missing: "owner",
    })
    expect(await rejectionOf(context.connections.resolveValue(shared))).toMatchObject({ _tag: "AccessDeniedError" })
    await as("bob").execute(list)
    expect([...items.keys()]).toEqual(["acme/alice/connection:user:api:own:token"])
    expect(Object.values(await contentsOf(provider))).toEqual([secret])
    new CanaryScanner([secret]).expectNone([seen, events, executor], "what is seen")
  })

  it("is its owner's to change: the recipient may use it and nothing else", async () => {
    const { connect, as } = await setAgentStage()
    await connect("alice", "own")
    await as("alice").connections.share(own, { with: { subject: "bob" }, access: ["read", "write"] })
    const { connections } = as("bob")
    for (const forbidden of [
      () => connections.update(shared, { description: "mine" }),
      () => connections.disable(shared),
      () => connections.enable(shared),
      () => connections.refresh(shared),
      () => connections.remove(shared),
      () => connections.share(shared, { with: { subject: "carol" }, access: "read" }),
      () => connections.shares(shared),
    ]) {
      expect(await rejectionOf(forbidden())).toMatchObject({ _tag: "AccessDeniedError", missing: "owner" })
    }
    await connections.unshare(shared, { subject: "carol" })
    expect(arrived(await as("bob").execute(list))).toBe(secretOf("alice", "own"))
    expect(await as("alice").connections.get(own)).toMatchObject({ status: "active", description: null })
  })

  it("ends at the next call when the owner unshares, disables for everybody, or removes the connection", async () => {
    const { connect, as } = await setAgentStage()
    await connect("alice", "own")
    const share = () => as("alice").connections.share(own, { with: { subject: "bob" }, access: "read" })
    await share()
    expect(arrived(await as("bob").execute(list))).toBe(secretOf("alice", "own"))
    await as("alice").connections.disable(own)
    const disabled = await as("bob").execute(list)
    expect(disabled).toMatchObject({
      ok: false,
      error: { code: "connection_disabled", details: { connection: "tools.api.user.ownOfAlice" } },
    })
    await as("alice").connections.enable(own)
    await as("alice").connections.unshare(own, { subject: "bob" })
    expect(await rejectionOf(as("bob").execute(list))).toMatchObject({ _tag: "ConnectionNotFoundError" })
    expect(await as("bob").connections.list()).toEqual([])
    await share()
    await as("alice").connections.remove(own)
    expect(await rejectionOf(as("bob").execute(list))).toMatchObject({ _tag: "ConnectionNotFoundError" })
    await connect("alice", "own")
    expect(await as("bob").connections.list()).toEqual([])
    expect(await as("alice").connections.shares(own)).toEqual([])
  })

  it("does not come back when a process dies between removing a connection and tidying up, and frees its name", async () => {
    const real = memoryStore()
    const nothing = real.access.ofCaller({ tenant: "", subject: null, agent: null }) as never
    const store = { ...real, access: { ...real.access, forgetConnection: () => nothing } }
    const { connect, as } = await setAgentStage({ store })
    await connect("alice", "own")
    await as("alice").connections.share(own, { with: { subject: "bob" }, access: "read", as: "hers" })
    await as("alice").connections.remove(own)
    await connect("alice", "own")
    await connect("carol", "own")
    expect(await as("bob").connections.list()).toEqual([])
    expect(await as("alice").connections.shares(own)).toEqual([])
    await as("carol").connections.share(own, { with: { subject: "bob" }, access: "read", as: "hers" })
    expect(await as("bob").connections.list()).toMatchObject([{ name: "hersOfCarol", sharedBy: "carol" }])
    await connect("bob", "own")
  })

  it("says of a failing credential what concerns the recipient, under their name for it", async () => {
    const { connect, as, events } = await setAgentStage({
      providers: [countingProvider({ get: () => undefined }).provider],
    })
    await connect("alice", "own")
    await as("alice").connections.share(own, { with: { subject: "bob" }, access: "read" })
    const result = await as("bob").execute(list)
    expect(result).toMatchObject({
      ok: false,
      error: {
        code: "connection_value_missing",
        details: { connection: "tools.api.user.ownOfAlice", nextStep: expect.stringContaining("its owner has to act") },
      },
    })
    expect(JSON.stringify(result)).not.toContain("tools.api.user.own.")
    expect(events.filter(({ type }) => type === "credential.failed")).toMatchObject([
      { subject: "bob", connection: "tools.api.user.ownOfAlice" },
    ])
  })

  it("has a name that is free: a chosen one is refused where it is taken, a default one is numbered", async () => {
    const { connect, as } = await setAgentStage()
    await connect("alice", "own")
    await connect("carol", "own")
    await connect("bob", "mineOfAlice")
    const withBob = { with: { subject: "bob" }, access: "read" } as const
    expect(await rejectionOf(as("alice").connections.share(own, { ...withBob, as: "mine" }))).toMatchObject({
      _tag: "InvalidGrantError",
      field: "as",
    })
    expect(await rejectionOf(as("alice").connections.share(own, { ...withBob, as: "…" }))).toMatchObject({
      field: "as",
    })
    expect(await as("alice").connections.share(own, { ...withBob, as: "her-account" })).toMatchObject({
      as: "tools.api.user.herAccountOfAlice",
    })
    expect(await as("carol").connections.share(own, { ...withBob, as: "herAccount" })).toMatchObject({
      as: "tools.api.user.herAccountOfCarol",
    })
    // Shared again, it keeps its name.
    expect(await as("alice").connections.share(own, { ...withBob, access: "write" })).toMatchObject({
      as: "tools.api.user.herAccountOfAlice",
      access: ["write"],
    })
    await as("carol").connections.unshare(own, { subject: "bob" })
    await connect("bob", "ownOfCarol")
    expect(await as("carol").connections.share(own, withBob)).toMatchObject({ as: "tools.api.user.ownOfCarol2" })
    expect((await as("bob").connections.list()).map(({ name }) => name)).toEqual([
      "herAccountOfAlice",
      "mineOfAlice",
      "ownOfCarol",
      "ownOfCarol2",
    ])
  })

  it("keeps its name: an own connection of that name is refused, before and after it is shared", async () => {
    const { connect, as } = await setAgentStage()
    await connect("alice", "own")
    await as("alice").connections.share(own, { with: { subject: "bob" }, access: "read" })
    expect(await rejectionOf(connect("bob", "ownOfAlice"))).toMatchObject({
      _tag: "InvalidConnectionInputError",
      field: "name",
    })
    expect(arrived(await as("bob").execute(list))).toBe(secretOf("alice", "own"))
    await as("alice").connections.unshare(own, { subject: "bob" })
    await connect("bob", "ownOfAlice")
    expect(arrived(await as("bob").execute(list))).toBe(secretOf("bob", "ownOfAlice"))
  })

  it("takes over no call that names one's own, by a name, a label or an address, nor one that names none", async () => {
    const { executor, connect, as } = await setAgentStage()
    await connect("alice", "own")
    const [alice, bob] = [as("alice"), as("bob")]
    const mine = { ...own, name: "first", template: "bearer", value: "bob-first", identityLabel: "Top Zip" } as const
    const lend = (name: string) =>
      alice.connections.share(own, { with: { subject: "bob" }, access: ["read", "write"], as: name })
    const named = async (account?: string) => {
      const result = await bob.call("api", "issues.list", {}, account === undefined ? {} : { account })
      return result.ok ? [arrived(result), result.account?.sharedBy] : [result.error.code]
    }
    await executor.integrations.setIdentityMode("api", "per_user")
    expect(await named()).toEqual(["connection_required"])
    await lend("main")
    const required = await bob.call("api", "issues.list")
    expect(required).toMatchObject({
      error: {
        code: "connection_required",
        details: { candidates: [{ address: "tools.api.user.mainOfAlice", sharedBy: "alice" }] },
      },
    })
    expect(await named("main")).toEqual(["account_not_found"])
    expect(await named("mainOfAlice")).toEqual(["alice-own", "alice"])
    await connect("bob", "main")
    expect(await named()).toEqual(["bob-main", undefined])
    await bob.connections.remove({ ...own, name: "main" })
    expect(await rejectionOf(bob.execute("tools.api.user.main.issues.list"))).toMatchObject({
      _tag: "ConnectionNotFoundError",
    })
    await bob.connections.create(mine)
    expect(await lend("Top Zip")).toMatchObject({ as: "tools.api.user.topZipOfAlice" })
    for (const account of ["api:Top Zip", "top zip"]) expect(await named(account)).toEqual(["bob-first", undefined])
    await bob.connections.update({ ...own, name: "first" }, { identityLabel: "topZipOfAlice" })
    expect(await named("topZipOfAlice")).toEqual(["bob-first", undefined])
    await bob.connections.remove({ ...own, name: "first" })
    // The label of what another shares is theirs to choose.
    await alice.connections.update(own, { identityLabel: "Low" })
    expect(await named("Low")).toEqual(["account_not_found"])
    expect(await named("topzipofalice")).toEqual(["alice-own", "alice"])
  })

  it("can be declined by the user it is with, and gives its name back", async () => {
    const { connect, as, events } = await setAgentStage()
    await connect("alice", "own")
    const bob = as("bob")
    await as("alice").connections.share(own, { with: { subject: "bob" }, access: "read" })
    await as("carol")
      .connections.unshare(shared, { subject: "carol" })
      .catch(() => undefined)
    expect(await bob.connections.list()).toHaveLength(1)
    await bob.connections.unshare(shared, { subject: "bob" })
    expect(await bob.connections.list()).toEqual([])
    expect(await as("alice").connections.shares(own)).toEqual([])
    expect(events.filter(({ type }) => type === "share.removed")).toMatchObject([
      { subject: "bob", connection: "tools.api.user.own", with: { subject: "bob" } },
    ])
    await connect("bob", "ownOfAlice")
    expect(arrived(await bob.execute(list))).toBe(secretOf("bob", "ownOfAlice"))
  })

  it("is listed among own connections page by page, each once and in order", async () => {
    const { connect, as } = await setAgentStage()
    for (const name of ["a", "c", "e"]) await connect("bob", name)
    for (const name of ["b", "d", "f"]) {
      await connect("alice", name)
      await as("alice").connections.share({ ...own, name }, { with: { subject: "bob" }, access: "read", as: name })
    }
    const names: Array<string> = []
    for (let after: string | undefined; ;) {
      const page = await as("bob").connections.list({ limit: 2, ...(after === undefined ? {} : { after }) })
      names.push(...page.map(({ name }) => name))
      after = page.at(-1)?.address
      if (after === undefined) break
    }
    expect(names).toEqual(["a", "bOfAlice", "c", "dOfAlice", "e", "fOfAlice"])
    expect(await as("bob").connections.list({ owner: "org" })).toEqual([])
    expect(await as("bob").connections.list({ integration: "other" })).toEqual([])
    const tools: Array<string> = []
    for (let after: string | undefined; ;) {
      const page = await as("bob").tools.list({ limit: 4, ...(after === undefined ? {} : { after }) })
      tools.push(...page.map(({ address }) => address))
      after = page.at(-1)?.address
      if (after === undefined) break
    }
    expect(tools).toEqual((await as("bob").tools.list()).map(({ address }) => address))
    expect(new Set(tools).size).toBe(3 * 5 + 3 * 2)
  })

  it.each([
    ["its owner", { subject: "alice" }],
    ["nobody", { subject: "" }],
    ["neither a user nor an agent", {}],
    ["both a user and an agent", { subject: "bob", agent: "agent" }],
    ["no recipient at all", undefined],
  ])("is refused with %s", async (_, recipient) => {
    const { connect, as } = await setAgentStage()
    await connect("alice", "own")
    expect(
      await rejectionOf(as("alice").connections.share(own, { with: recipient as never, access: "read" })),
    ).toMatchObject({
      _tag: "InvalidGrantError",
      field: "with",
    })
  })

  it("is of a user's connection only, and with agents that are there", async () => {
    const { connect, as } = await setAgentStage()
    await connect(null, "main")
    await connect("alice", "own")
    const main = { owner: "org", integration: "api", name: "main" } as const
    expect(
      await rejectionOf(as("alice").connections.share(main, { with: { subject: "bob" }, access: "read" })),
    ).toMatchObject({
      _tag: "InvalidGrantError",
      field: "connection",
    })
    expect(
      await rejectionOf(as("alice").connections.share(own, { with: { agent: "nobody" }, access: "read" })),
    ).toMatchObject({
      _tag: "AgentNotFoundError",
    })
    expect(
      await rejectionOf(
        as("alice").connections.share({ ...own, name: "none" }, { with: { subject: "bob" }, access: "read" }),
      ),
    ).toMatchObject({ _tag: "ConnectionNotFoundError" })
  })

  it("may be granted to an agent by the recipient, within what is shared, and ends with it", async () => {
    const { executor, connect, as } = await setAgentStage()
    await connect("alice", "own")
    await as("alice").connections.share(own, { with: { subject: "bob" }, access: "read" })
    await executor.agents.create({ id: "agent", integrations: "all" })
    expect(
      await rejectionOf(as("bob").agents.grant("agent", { connection: shared, access: ["read", "write"] })),
    ).toMatchObject({
      _tag: "GrantTooWideError",
      holder: "subject bob",
      excess: "write",
    })
    await as("bob").agents.grant("agent", { connection: shared, access: "read" })
    const agent = await as("bob").asAgent("agent")
    expect(arrived(await agent.execute(list))).toBe(secretOf("alice", "own"))
    expect(await agent.connections.list()).toMatchObject([{ address: "tools.api.user.ownOfAlice", sharedBy: "alice" }])
    expect(await (await as("alice").asAgent("agent")).connections.list()).toEqual([])
    await as("alice").connections.share(own, { with: { subject: "bob" }, access: "write" })
    expect(await rejectionOf(agent.execute(list))).toMatchObject({ _tag: "AccessDeniedError" })
    await as("alice").connections.unshare(own, { subject: "bob" })
    expect(await rejectionOf(agent.execute(list))).toMatchObject({ _tag: "ConnectionNotFoundError" })
  })

  it("tells the owner's events whose they are", async () => {
    const { connect, as, events } = await setAgentStage()
    await connect("alice", "own")
    const from = events.length
    await as("alice").connections.share(own, { with: { subject: "bob" }, access: "read" })
    await as("bob").execute(list)
    await as("alice").connections.unshare(own, { subject: "bob" })
    await as("alice").connections.unshare(own, { subject: "bob" })
    expect(events.slice(from)).toMatchObject([
      {
        type: "share.added",
        subject: "alice",
        connection: "tools.api.user.own",
        with: { subject: "bob" },
        access: ["read"],
      },
      { type: "tool.called", subject: "bob", connection: "tools.api.user.ownOfAlice", outcome: "ok" },
      { type: "share.removed", subject: "alice", connection: "tools.api.user.own", with: { subject: "bob" } },
    ])
  })
})

describe("a share with an agent", () => {
  it("counts whomever the agent acts for, and not for the users themselves", async () => {
    const { executor, connect, as } = await setAgentStage()
    await connect("alice", "own")
    await executor.agents.create({ id: "agent", integrations: "all" })
    await as("alice").connections.share(own, { with: { agent: "agent" }, access: "read" })
    for (const subject of [null, "bob"]) {
      const agent = await as(subject).asAgent("agent")
      expect(await agent.connections.list()).toMatchObject([
        { address: "tools.api.user.ownOfAlice", sharedBy: "alice" },
      ])
      expect(arrived(await agent.execute(list))).toBe(secretOf("alice", "own"))
      expect(await rejectionOf(agent.execute("tools.api.user.ownOfAlice.issues.create"))).toMatchObject({
        _tag: "AccessDeniedError",
      })
    }
    expect(await as("bob").connections.list()).toEqual([])
    // For its owner it is their own, under its own name.
    const forAlice = await as("alice").asAgent("agent")
    expect(await forAlice.connections.list()).toMatchObject([{ address: "tools.api.user.own" }])
    expect(arrived(await forAlice.execute("tools.api.user.own.issues.list"))).toBe(secretOf("alice", "own"))
  })

  it("stands behind an own connection of its name", async () => {
    const { executor, connect, as } = await setAgentStage()
    await connect("alice", "own")
    await connect("bob", "accountOfAlice")
    await executor.agents.create({ id: "agent", integrations: "all" })
    await as("alice").connections.share(own, { with: { agent: "agent" }, access: "read", as: "account" })
    const agent = await as("bob").asAgent("agent")
    expect(await agent.connections.list()).toEqual([])
    await as("bob").agents.grant("agent", { connection: { ...own, name: "accountOfAlice" }, access: "read" })
    expect(arrived(await agent.execute("tools.api.user.accountOfAlice.issues.list"))).toBe(
      secretOf("bob", "accountOfAlice"),
    )
    expect(await agent.connections.list()).toHaveLength(1)
  })

  it("ends with the agent, and another of the same id inherits nothing", async () => {
    const { executor, connect, as } = await setAgentStage()
    await connect("alice", "own")
    await executor.agents.create({ id: "agent", integrations: "all" })
    await as("alice").connections.share(own, { with: { agent: "agent" }, access: "read" })
    await executor.agents.remove("agent")
    await executor.agents.create({ id: "agent", integrations: "all" })
    expect(await (await as("bob").asAgent("agent")).connections.list()).toEqual([])
    expect(await as("alice").connections.shares(own)).toEqual([])
  })
})

describe("policy over what is shared", () => {
  const everything = { with: { subject: "bob" }, access: ["read", "write"] } as const

  it.each([
    ["the organisation's", { owner: "org", by: null }],
    ["its owner's", { owner: "user", by: "alice" }],
  ] as const)("holds %s rules about its own address, whatever the recipient calls it", async (_, { owner, by }) => {
    const { connect, as } = await setAgentStage()
    await connect("alice", "own")
    await as("alice").connections.share(own, everything)
    const rule = await as(by).policies.create({ owner, pattern: "tools.api.user.own.*", action: "block" })
    const refused = { _tag: "ToolBlockedError", rule: rule.id }
    expect(await rejectionOf(as("bob").execute(list))).toMatchObject(refused)
    expect(await rejectionOf(as("bob").call("api", "issues.list", {}, { account: "ownOfAlice" }))).toMatchObject(
      refused,
    )
    expect(await rejectionOf(as("bob").connections.fetch(shared)("/"))).toMatchObject(refused)
    expect(await as("bob").tools.list()).toEqual([])
    expect(await as("bob").tools.search({ query: "list" })).toEqual([])
    expect(await as("bob").tools.schema(list)).toBeNull()
    expect(await rejectionOf(as("bob").execute("tools.api.user.ownOfAlice.issues"))).toMatchObject({ suggestions: [] })
    expect(await as("bob").policies.resolve(list)).toMatchObject({
      action: "block",
      from: "rule",
      rules: owner === "org" ? [rule] : [],
    })
    await as(by).policies.remove(rule.id)
    expect(arrived(await as("bob").execute(list))).toBe(secretOf("alice", "own"))
  })

  it("is loosened by none of its owner's rules, and tells the recipient nothing of them but the id", async () => {
    const { connect, as } = await setAgentStage()
    await connect("alice", "own")
    await as("alice").connections.share(own, everything)
    await as("bob").policies.create({ owner: "user", pattern: "*", action: "block" })
    await as("alice").policies.create({ owner: "user", pattern: "*", action: "approve" })
    expect(await rejectionOf(as("bob").execute(list))).toMatchObject({ _tag: "ToolBlockedError" })
    const carols = { with: { subject: "carol" }, access: ["read"] } as const
    await as("alice").connections.share(own, carols)
    const pattern = "tools.api.user.own.*.*"
    await as("alice").policies.create({ owner: "user", pattern, action: "block", order: -1, description: "private" })
    const error = await rejectionOf(as("carol").execute(list))
    expect(error).toMatchObject({ _tag: "ToolBlockedError" })
    expect(String(error)).not.toContain(pattern)
  })

  it("holds its owner's rules for an agent that it is shared with, whomever that acts for", async () => {
    const { connect, as } = await setAgentStage()
    await connect("alice", "own")
    await as(null).agents.create({ id: "helper", integrations: ["api"] })
    await as("alice").connections.share(own, { with: { agent: "helper" }, access: ["read"] })
    const agent = await as(null).asAgent("helper")
    expect(await agent.execute(list)).toMatchObject({ ok: true })
    await as("alice").policies.create({ owner: "user", pattern: "tools.api.user.own.*", action: "block" })
    expect(await rejectionOf(agent.execute(list))).toMatchObject({ _tag: "ToolBlockedError" })
    expect(await agent.tools.list()).toEqual([])
  })
})
