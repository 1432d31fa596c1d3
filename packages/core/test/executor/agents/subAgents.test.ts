/** Sub-agents: what an agent hands on, never more than it has, and never for longer. */
import { memoryStore } from "@keyward/core"
import { describe, expect, it } from "vitest"
import { rejectionOf } from "../acme.ts"
import { type AgentStage, arrived, secretOf, setAgentStage } from "./agentStage.ts"

const main = { owner: "org", integration: "api", name: "main" } as const
const own = { owner: "user", integration: "api", name: "own" } as const
const list = "tools.api.org.main.issues.list"
const create = "tools.api.org.main.issues.create"

/** A lead that may read and write the organisation's account, and its helper, which may do nothing yet. */
const leadAndHelper = async (): Promise<AgentStage> => {
  const stage = await setAgentStage()
  await stage.connect(null, "main")
  await stage.executor.agents.create({ id: "lead", integrations: ["api"] })
  await stage.executor.agents.grant("lead", { connection: main, access: ["read", "write"] })
  const lead = await stage.executor.asAgent("lead")
  await lead.subAgents.create({ id: "helper", integrations: ["api"] })
  return stage
}

describe("a sub-agent", () => {
  it("is made by the host or by its parent, has a parent for good, and no right to begin with", async () => {
    const { executor } = await leadAndHelper()
    expect(await executor.agents.get("helper")).toMatchObject({ parent: "lead", integrations: ["api"] })
    expect(await executor.agents.create({ id: "other", parent: "helper" })).toMatchObject({ parent: "helper" })
    const lead = await executor.asAgent("lead")
    expect((await lead.subAgents.list()).map(({ id }) => id)).toEqual(["helper"])
    const helper = await executor.asAgent("helper")
    expect(await helper.connections.list()).toEqual([])
    expect(await rejectionOf(helper.execute(list))).toMatchObject({ _tag: "ConnectionNotFoundError" })
  })

  it("has no integration that its parent does not have, when it is made and later", async () => {
    const { executor } = await leadAndHelper()
    const lead = await executor.asAgent("lead")
    for (const integrations of ["all" as const, ["api", "other"]]) {
      expect(await rejectionOf(lead.subAgents.create({ id: "wide", integrations }))).toMatchObject({
        _tag: "GrantTooWideError",
        holder: "agent lead",
      })
      expect(await rejectionOf(executor.agents.setIntegrations("helper", integrations))).toMatchObject({
        _tag: "GrantTooWideError",
      })
    }
    await lead.subAgents.grant("helper", { connection: main, access: "read" })
    const helper = await executor.asAgent("helper")
    expect(arrived(await helper.execute(list))).toBe(secretOf(null, "main"))
    await executor.agents.setIntegrations("lead", [])
    expect(await rejectionOf(helper.execute(list))).toMatchObject({ _tag: "ConnectionNotFoundError" })
    expect(await helper.tools.list()).toEqual([])
  })

  it.each([
    ["more than reading", { access: ["read"] }, { access: ["read", "write"] }, "write"],
    [
      "every tool instead of some",
      { access: ["read"], tools: ["issues.*"] },
      { access: ["read"] },
      "read of all tools",
    ],
    ["a wider pattern", { access: ["read"], tools: ["issues.*"] }, { access: ["read"], tools: ["i*"] }, "read of i*"],
    [
      "another pattern",
      { access: ["read"], tools: ["issues.*"] },
      { access: ["read"], tools: ["users.*"] },
      "read of users.*",
    ],
    ["no end instead of one", { access: ["read"], expiresAt: 4e12 }, { access: ["read"] }, "read without an end"],
    [
      "a later end",
      { access: ["read"], expiresAt: 4e12 },
      { access: ["read"], expiresAt: 4e12 + 1 },
      "read until 2096-10-02T07:06:40.001Z",
    ],
  ] as const)("is not handed %s", async (_, had, wanted, excess) => {
    const { executor } = await leadAndHelper()
    await executor.agents.grant("lead", { connection: main, ...had })
    const lead = await executor.asAgent("lead")
    const expected = { _tag: "GrantTooWideError", holder: "agent lead", excess }
    expect(await rejectionOf(lead.subAgents.grant("helper", { connection: main, ...wanted }))).toMatchObject(expected)
    expect(await rejectionOf(executor.agents.grant("helper", { connection: main, ...wanted }))).toMatchObject(expected)
    expect(await executor.agents.grants("helper")).toEqual([])
  })

  it("may do what it was handed, as long as its parent may", async () => {
    const { executor } = await leadAndHelper()
    const lead = await executor.asAgent("lead")
    const granted = await lead.subAgents.grant("helper", {
      connection: main,
      access: ["read", "write"],
      tools: ["issues.*"],
    })
    expect(granted).toMatchObject({
      agent: "helper",
      connection: "tools.api.org.main",
      delegatedBy: "lead",
      subject: null,
    })
    expect(await lead.subAgents.grants("helper")).toEqual([granted])
    const helper = await executor.asAgent("helper")
    expect(arrived(await helper.execute(create))).toBe(secretOf(null, "main"))
    await executor.agents.grant("lead", { connection: main, access: "read" })
    expect(await rejectionOf(helper.execute(create))).toMatchObject({ _tag: "AccessDeniedError", missing: "write" })
    expect((await helper.tools.list()).map(({ name }) => name)).toEqual(["issues.list"])
    expect(arrived(await helper.execute(list))).toBe(secretOf(null, "main"))
    await executor.agents.revoke("lead", main)
    expect(await rejectionOf(helper.execute(list))).toMatchObject({ _tag: "ConnectionNotFoundError" })
    expect(await executor.agents.grants("helper")).toEqual([])
    // What ended stays ended.
    await executor.agents.grant("lead", { connection: main, access: ["read", "write"] })
    expect(await rejectionOf(helper.execute(list))).toMatchObject({ _tag: "ConnectionNotFoundError" })
    await lead.subAgents.grant("helper", { connection: main, access: "read" })
    expect(arrived(await helper.execute(list))).toBe(secretOf(null, "main"))
    await lead.subAgents.revoke("helper", main)
    expect(await helper.connections.list()).toEqual([])
  })

  it("keeps what it was handed where its parent has as much without what was revoked, and what its owner granted", async () => {
    const { executor, connect, as, events } = await leadAndHelper()
    await connect("alice", "own")
    const alice = as("alice")
    await alice.agents.grant("lead", { connection: own, access: ["read", "write"] })
    await alice.connections.share(own, { with: { agent: "lead" }, access: "read", as: "own" })
    await alice.agents.grant("helper", { connection: own, access: "write" })
    const lead = await alice.asAgent("lead")
    await executor.agents.create({ id: "deep", parent: "helper", integrations: ["api"] })
    await executor.agents.create({ id: "second", parent: "lead", integrations: ["api"] })
    await lead.subAgents.grant("helper", { connection: own, access: "read" })
    await lead.subAgents.grant("second", { connection: own, access: ["read", "write"] })
    await (await alice.asAgent("helper")).subAgents.grant("deep", { connection: own, access: ["read", "write"] })
    await alice.agents.revoke("lead", own)
    const left = async (id: string) =>
      (await alice.agents.grants(id)).map((one) => `${one.delegatedBy ?? "owner"} ${one.access.join()}`).toSorted()
    expect(await left("helper")).toEqual(["lead read", "owner write"])
    expect([await left("second"), await left("deep")]).toEqual([[], []])
    const ended = events.flatMap((event) =>
      event.type === "grant.revoked" ? [`${event.agentId} by ${event.delegatedBy ?? "owner"}`] : [],
    )
    expect(ended.toSorted()).toEqual(["deep by helper", "lead by owner", "second by lead"])
    await alice.agents.grant("lead", { connection: own, access: ["read", "write"] })
    expect((await (await alice.asAgent("second")).connections.list()).map(({ name }) => name)).toEqual([])
    // What was handed on for whomever the helper acts for rested on the share.
    await alice.connections.unshare(own, { agent: "lead" })
    expect(await left("helper")).toEqual(["owner write"])
  })

  it("loses for good what its parent had from a share that ended, as an agent loses what a user granted of one", async () => {
    const { executor, connect, as } = await leadAndHelper()
    await connect("alice", "own")
    const [alice, bob] = [as("alice"), as("bob")]
    const share = () => alice.connections.share(own, { with: { subject: "bob" }, access: "read", as: "lent" })
    const address = (await share()).as
    const lent = { ...own, name: address.split(".").at(-1) ?? "" }
    await bob.agents.grant("lead", { connection: lent, access: "read" })
    const lead = await bob.asAgent("lead")
    await lead.subAgents.grant("helper", { connection: lent, access: "read" })
    const helper = await bob.asAgent("helper")
    expect(await helper.execute(`${address}.issues.list`)).toMatchObject({ ok: true })
    await alice.connections.unshare(own, { subject: "bob" })
    await share()
    for (const agent of [lead, helper]) {
      expect((await agent.connections.list()).map((one) => one.address)).not.toContain(address)
    }
    for (const id of ["lead", "helper"]) {
      expect((await bob.agents.grants(id)).filter(({ connection }) => connection === address)).toEqual([])
    }
    expect(await executor.agents.grants("lead")).toHaveLength(1)
  })

  it("is handed what a user granted for that user only, and what is for anybody for anybody", async () => {
    const { connect, as } = await leadAndHelper()
    await connect("alice", "own")
    await connect("bob", "own")
    for (const subject of ["alice", "bob"]) {
      await as(subject).agents.grant("lead", { connection: own, access: "read" })
    }
    const lead = await as("alice").asAgent("lead")
    expect(await lead.subAgents.grant("helper", { connection: own, access: "read" })).toMatchObject({
      subject: "alice",
    })
    const address = "tools.api.user.own.issues.list"
    expect(arrived(await (await as("alice").asAgent("helper")).execute(address))).toBe(secretOf("alice", "own"))
    expect(await rejectionOf((await as("bob").asAgent("helper")).execute(address))).toMatchObject({
      _tag: "ConnectionNotFoundError",
    })
    expect(await lead.subAgents.grant("helper", { connection: main, access: "read" })).toMatchObject({ subject: null })
    for (const subject of ["alice", "bob", null]) {
      expect(arrived(await (await as(subject).asAgent("helper")).execute(list))).toBe(secretOf(null, "main"))
    }
  })

  it("is handed what is shared with its parent, under the name that its parent sees", async () => {
    const { executor, connect, as } = await leadAndHelper()
    await connect("alice", "own")
    await as("alice").connections.share(own, { with: { agent: "lead" }, access: "read" })
    const lead = await as("bob").asAgent("lead")
    const shared = { owner: "user", integration: "api", name: "ownOfAlice" } as const
    expect(await lead.subAgents.grant("helper", { connection: shared, access: "read" })).toMatchObject({
      subject: null,
    })
    for (const subject of ["bob", null]) {
      const helper = await as(subject).asAgent("helper")
      expect(await helper.connections.list()).toMatchObject([{ name: "ownOfAlice", sharedBy: "alice" }])
      expect(arrived(await helper.execute("tools.api.user.ownOfAlice.issues.list"))).toBe(secretOf("alice", "own"))
    }
    await as("alice").connections.unshare(own, { agent: "lead" })
    expect(await (await executor.asAgent("helper")).connections.list()).toEqual([])
  })

  it("keeps what it was handed of somebody's account when another user revokes what goes by the same name", async () => {
    const { connect, as } = await leadAndHelper()
    await connect("alice", "own")
    await as("alice").connections.share(own, { with: { agent: "lead" }, access: "read", as: "main" })
    const shared = { owner: "user", integration: "api", name: "mainOfAlice" } as const
    const lead = await as(null).asAgent("lead")
    await lead.subAgents.grant("helper", { connection: shared, access: "read" })
    const helper = await as(null).asAgent("helper")
    const read = () => helper.execute("tools.api.user.mainOfAlice.issues.list")
    await connect("bob", "mainOfAlice")
    await as("bob").agents.revoke("helper", shared)
    expect(arrived(await read())).toBe(secretOf("alice", "own"))
    await lead.subAgents.revoke("helper", shared)
    expect(await rejectionOf(read())).toMatchObject({ _tag: "ConnectionNotFoundError" })
  })

  describe("that was granted an account directly", () => {
    const remove = "tools.api.org.main.issues.delete"

    /** The helper may read by the organisation's own grant, and is handed something by its lead. */
    const grantedTwice = async () => {
      const stage = await leadAndHelper()
      await stage.executor.agents.grant("helper", { connection: main, access: "read" })
      const [lead, helper] = [await stage.executor.asAgent("lead"), await stage.executor.asAgent("helper")]
      const tools = async () => (await helper.tools.list()).map(({ name }) => name).sort()
      return { ...stage, lead, helper, tools }
    }

    it("keeps that when its parent hands on less, and when its parent takes that back", async () => {
      const { executor, lead, helper, tools } = await grantedTwice()
      const [direct] = await executor.agents.grants("helper")
      await lead.subAgents.grant("helper", { connection: main, access: "read", tools: ["issues.list"] })
      expect(await tools()).toEqual(["issues.list", "users.list"])
      expect(await executor.agents.grants("helper")).toEqual([
        direct,
        expect.objectContaining({ delegatedBy: "lead", tools: ["issues.list"] }),
      ])
      expect(await lead.subAgents.grants("helper")).toMatchObject([{ delegatedBy: "lead" }])
      await lead.subAgents.revoke("helper", main)
      expect(await executor.agents.grants("helper")).toEqual([direct])
      expect(arrived(await helper.execute(list))).toBe(secretOf(null, "main"))
    })

    it("has besides what its parent hands on, for as long as the parent has it", async () => {
      const { executor, lead, helper, tools } = await grantedTwice()
      await lead.subAgents.grant("helper", { connection: main, access: "write", tools: ["issues.create"] })
      expect(await tools()).toEqual(["issues.create", "issues.list", "users.list"])
      expect(await rejectionOf(helper.execute(remove))).toMatchObject({ _tag: "AccessDeniedError", missing: "write" })
      await executor.agents.grant("lead", { connection: main, access: "read" })
      expect(await tools()).toEqual(["issues.list", "users.list"])
    })

    it("has each of the two replaced by whoever gave it, and by nobody else", async () => {
      const { executor, lead, tools } = await grantedTwice()
      for (const wanted of ["issues.create", "issues.delete"]) {
        await lead.subAgents.grant("helper", { connection: main, access: "write", tools: [wanted] })
        expect(await tools()).toEqual([wanted, "issues.list", "users.list"].sort())
      }
      await executor.agents.grant("helper", { connection: main, access: "read", tools: ["users.*"] })
      expect(await tools()).toEqual(["issues.delete", "users.list"])
      expect(await executor.agents.grants("helper")).toMatchObject([
        { delegatedBy: null, tools: ["users.*"] },
        { delegatedBy: "lead", tools: ["issues.delete"] },
      ])
    })

    it("has either of the two taken back by the owner, or both", async () => {
      const { executor, lead, tools, events } = await grantedTwice()
      const handOn = () => lead.subAgents.grant("helper", { connection: main, access: "write" })
      const byWhom = async () => (await executor.agents.grants("helper")).map(({ delegatedBy }) => delegatedBy)
      await handOn()
      await executor.agents.revoke("helper", main, { delegatedBy: "lead" })
      expect(await byWhom()).toEqual([null])
      await handOn()
      await executor.agents.revoke("helper", main, { delegatedBy: "nobody" })
      expect(await byWhom()).toEqual([null, "lead"])
      await executor.agents.revoke("helper", main, { delegatedBy: null })
      expect(await byWhom()).toEqual(["lead"])
      await executor.agents.grant("helper", { connection: main, access: "read" })
      await executor.agents.revoke("helper", main)
      expect(await byWhom()).toEqual([])
      expect(await tools()).toEqual([])
      const told = events.filter(({ type }) => type === "grant.revoked")
      const ended = { agentId: "helper", connection: "tools.api.org.main" }
      expect(told.map((event) => ("delegatedBy" in event ? event.delegatedBy : null))).toEqual([
        "lead",
        null,
        null,
        "lead",
      ])
      for (const event of told) expect(event).toMatchObject(ended)
      const wrong = executor.agents.revoke("helper", main, { delegatedBy: 1 as unknown as string })
      expect(await rejectionOf(wrong)).toMatchObject({ _tag: "InvalidGrantError", field: "delegatedBy" })
    })

    it("has both in lists that go on page by page", async () => {
      const { executor, lead } = await grantedTwice()
      await lead.subAgents.grant("helper", { connection: main, access: "write" })
      const all = await executor.agents.grants("helper")
      const first = await executor.agents.grants("helper", { limit: 1 })
      const second = await executor.agents.grants("helper", { limit: 1, after: first[0] })
      expect([...first, ...second]).toEqual(all)
      expect(await executor.agents.grants("helper", { after: second[0] })).toEqual([])
    })
  })

  it("has what it was handed taken back by the name that its parent sees now, and by the one it was handed under", async () => {
    const { executor, connect, as } = await leadAndHelper()
    await connect("alice", "own")
    await as("alice").connections.share(own, { with: { agent: "lead" }, access: "read" })
    const forAlice = await as("alice").asAgent("lead")
    const forNobody = await executor.asAgent("lead")
    for (const name of ["own", "ownOfAlice"]) {
      expect(await forAlice.subAgents.grant("helper", { connection: own, access: "read" })).toMatchObject({
        subject: null,
        connection: "tools.api.user.own",
      })
      await forNobody.subAgents.revoke("helper", { owner: "user", integration: "api", name })
      expect(await forNobody.subAgents.grants("helper")).toEqual([])
    }
  })

  it("is shared with by an owner only where its parent has as much", async () => {
    const { connect, as } = await leadAndHelper()
    await connect("alice", "own")
    const share = () => as("alice").connections.share(own, { with: { agent: "helper" }, access: ["read", "write"] })
    expect(await rejectionOf(share())).toMatchObject({ _tag: "GrantTooWideError", holder: "agent lead" })
    await as("alice").connections.share(own, { with: { agent: "lead" }, access: "read" })
    expect(await rejectionOf(share())).toMatchObject({ _tag: "GrantTooWideError", excess: "write" })
    await as("alice").connections.share(own, { with: { agent: "lead" }, access: ["read", "write"] })
    await share()
  })

  it("is nobody else's: agents do not see those that are not below them", async () => {
    const { executor } = await leadAndHelper()
    await executor.agents.create({ id: "stranger", integrations: "all" })
    await executor.agents.create({ id: "below", parent: "helper" })
    const lead = await executor.asAgent("lead")
    for (const id of ["stranger", "lead", "below", "nobody"]) {
      for (const use of [
        () => lead.subAgents.grant(id, { connection: main, access: "read" }),
        () => lead.subAgents.revoke(id, main),
        () => lead.subAgents.grants(id),
        () => lead.subAgents.remove(id),
      ]) {
        expect(await rejectionOf(use())).toMatchObject({ _tag: "AgentNotFoundError", agent: id })
      }
    }
  })

  it("ends with any agent above it, also when a process dies before it is removed itself", async () => {
    const real = memoryStore()
    const stage = await setAgentStage({
      store: {
        ...real,
        access: { ...real.access, listAgents: () => real.access.listAgents({ tenant: "", limit: 0 }) },
      },
    })
    const { executor, connect } = stage
    await connect(null, "main")
    for (const [id, parent] of [["top"], ["middle", "top"], ["bottom", "middle"]] as const) {
      await executor.agents.create({ id, integrations: "all", ...(parent === undefined ? {} : { parent }) })
      await executor.agents.grant(id, { connection: main, access: "read" })
    }
    const bottom = await executor.asAgent("bottom")
    expect(arrived(await bottom.execute(list))).toBe(secretOf(null, "main"))
    await executor.agents.remove("top")
    expect(await rejectionOf(bottom.execute(list))).toMatchObject({ _tag: "AgentNotFoundError" })
    expect(await rejectionOf(executor.asAgent("middle"))).toMatchObject({ _tag: "AgentNotFoundError" })
    // Another of the name is not the one that they were made under.
    await executor.agents.create({ id: "top", integrations: "all" })
    await executor.agents.grant("top", { connection: main, access: "read" })
    expect(await rejectionOf(bottom.execute(list))).toMatchObject({ _tag: "AgentNotFoundError" })
  })

  it("is removed with the agents above it", async () => {
    const { executor, events } = await leadAndHelper()
    await executor.agents.create({ id: "below", parent: "helper" })
    await executor.agents.create({ id: "beside" })
    await executor.agents.remove("lead")
    expect((await executor.agents.list()).map(({ id }) => id)).toEqual(["beside"])
    expect(events.filter(({ type }) => type === "agent.removed")).toMatchObject([
      { agentId: "lead" },
      { agentId: "below" },
      { agentId: "helper" },
    ])
  })

  it("stands below eight others at most, and below an agent that is there", async () => {
    const { executor } = await setAgentStage()
    await executor.agents.create({ id: "a0" })
    for (let depth = 1; depth <= 8; depth += 1)
      await executor.agents.create({ id: `a${depth}`, parent: `a${depth - 1}` })
    expect(await rejectionOf(executor.agents.create({ id: "a9", parent: "a8" }))).toMatchObject({
      _tag: "InvalidAgentError",
      field: "parent",
    })
    expect(await rejectionOf(executor.agents.create({ id: "b", parent: "nobody" }))).toMatchObject({
      _tag: "AgentNotFoundError",
    })
    expect(await rejectionOf(executor.agents.create({ id: "b", parent: "b" }))).toMatchObject({
      _tag: "AgentNotFoundError",
    })
  })
})
