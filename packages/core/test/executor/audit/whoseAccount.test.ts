/** Whose account a call on a shared connection ran as, and what was lent to whom: what events and entries say of it. */
import { describe, expect, it } from "vitest"
import { setStage } from "../acme.ts"

const work = { owner: "user", integration: "api", name: "work" } as const

const stage = async () => {
  const { executor, events } = await setStage({
    config: { tenant: "acme", audit: true },
    tools: { call: () => 1 },
    upstream: () => ({ json: {} }),
  })
  const [bob, carol] = ["bob", "carol"].map((subject) => executor.withIdentity({ tenant: "acme", subject }))
  for (const owner of [bob!, carol!]) await owner.connections.create({ ...work, template: "bearer", value: "v" })
  await executor.agents.create({ id: "bot", integrations: ["api"] })
  return { executor, events, bob: bob!, carol: carol!, bot: await executor.asAgent("bot") }
}

const toBot = { with: { agent: "bot" }, access: ["read", "write"], as: "lent" } as const

describe("a call on a shared connection", () => {
  it("says who shared it and under which address they have it, whatever the caller calls it", async () => {
    const { executor, events, bob, carol, bot } = await stage()
    for (const owner of [bob, carol]) {
      const { as } = await owner.connections.share(work, toBot)
      await bot.execute(`${as}.call`)
      await bot.connections.fetch({ ...work, name: as.split(".").at(-1)! })("/")
      await owner.connections.unshare(work, { agent: "bot" })
    }
    const types = new Set(["tool.called", "connection.fetched"])
    const lent = (sharedBy: string) => ({ sharedBy, sharedConnection: "tools.api.user.work" })
    const told = events.filter(({ type }) => types.has(type))
    expect(told).toMatchObject([lent("bob"), lent("bob"), lent("carol"), lent("carol")])
    const kept = (await executor.audit.list()).filter(({ type }) => types.has(type))
    expect(kept.map(({ details }) => details)).toMatchObject([lent("bob"), lent("bob"), lent("carol"), lent("carol")])
  })

  it("says nothing of the kind where the connection is the caller's own", async () => {
    const { bob } = await stage()
    await bob.execute("tools.api.user.work.call")
    const called = (await bob.audit.list()).find(({ type }) => type === "tool.called")
    expect(called?.details).toEqual({ owner: "user" })
  })
})

describe("entries of what was lent", () => {
  it("hold the name under which it was shared, the tools and the end", async () => {
    const { executor, bob } = await stage()
    const expiresAt = Date.now() + 60_000
    const { as } = await bob.connections.share(work, { ...toBot, tools: ["call*"], expiresAt })
    const [shared] = (await executor.audit.list()).filter(({ type }) => type === "share.added")
    expect(shared).toMatchObject({
      connection: "tools.api.user.work",
      details: {
        with: { agent: "bot" },
        as,
        access: ["read", "write"],
        tools: ["call*"],
        expiresAt,
      },
    })
  })

  it("hold a grant's tools and end, and null where there is none", async () => {
    const { executor } = await stage()
    const main = { owner: "org", integration: "api", name: "main" } as const
    await executor.connections.create({ ...main, template: "bearer", value: "v" })
    const expiresAt = Date.now() + 60_000
    await executor.agents.grant("bot", { connection: main, access: ["read"], tools: ["call"], expiresAt })
    await executor.agents.grant("bot", { connection: main, access: ["read"] })
    const granted = (await executor.audit.list()).filter(({ type }) => type === "grant.added")
    expect(granted.map(({ details }) => details)).toMatchObject([
      { agentId: "bot", access: ["read"], tools: ["call"], expiresAt },
      { agentId: "bot", access: ["read"], tools: null, expiresAt: null },
    ])
  })
})

describe("an entry that was given out", () => {
  it("can be changed without changing what is kept", async () => {
    const { executor } = await stage()
    const [first] = await executor.audit.list()
    Object.assign(first!, { type: "forged" })
    Object.assign(first!.details, { owner: "forged" })
    expect(await executor.audit.verify()).toMatchObject({ isIntact: true })
  })
})
