/**
 * What a store does with agents, grants and shares: it keeps each apart from all others, and answers in one piece what a caller may use.
 */
import * as assert from "node:assert/strict"
import { isDeepStrictEqual } from "node:util"
import type { Caller, CallerRecords } from "../policy/AccessStore.ts"
import type { ShareRecord } from "../policy/Share.ts"
import { hostileIds, lookAlikeIds } from "./hostileText.ts"
import {
  accessOf,
  type AccessProbe,
  acting,
  agentRecord,
  connectionKey,
  grantRecord,
  referenceOf,
  shareRecord,
} from "./storeAccessProbe.ts"
import { byCodeUnits, inPages, orderedNames } from "./storeLists.ts"
import type { StoreSuite } from "./storeProbe.ts"

const all = { limit: 1000 }
const sortedNames = orderedNames.toSorted(byCodeUnits)

/** Adds the cases about agents, grants and shares. */
export const addAccessCases = ({ can, test }: StoreSuite): void => {
  const lead = agentRecord("acme", "lead")
  const helper = agentRecord("acme", "helper", { lineage: [referenceOf(lead)] })
  const main = connectionKey("acme", "", "github", "main")
  const own = connectionKey("acme", "alice", "github", "own")

  test("gives back an agent exactly, and writes it only over the version that was expected", async (probe) => {
    const access = accessOf(probe.store)
    const full = agentRecord("acme", "full", {
      name: "Full",
      description: hostileIds.map(({ text }) => text).join(" "),
      lineage: [referenceOf(helper), referenceOf(lead)],
      integrations: "all",
      keys: [
        { hash: "one", expiresAt: null },
        { hash: "two", expiresAt: 4_102_444_800_000 },
      ],
    })
    assert.equal(await access.getAgent("acme", "full"), undefined)
    assert.equal(await access.putAgent({ ...full, version: 2 }, 1), false, "An agent was written over none.")
    assert.equal(await access.putAgent(full, 0), true)
    assert.equal(await access.putAgent(full, 0), false, "An agent was created twice.")
    assert.deepEqual(await access.getAgent("acme", "full"), full)
    const next = { ...full, keys: [], integrations: ["github"], version: 2 }
    assert.equal(await access.putAgent(next, 1), true)
    assert.equal(await access.putAgent({ ...full, version: 2 }, 1), false, "A stale write won.")
    assert.deepEqual(await access.getAgent("acme", "full"), next)
    assert.equal(await access.getAgent("other", "full"), undefined)
  })

  test("lists agents by id, code unit by code unit, page by page", async (probe) => {
    const access = accessOf(probe.store)
    const ids = ["b", "a", "B", "\u{10000}", "\uff21", "a1", "_"]
    for (const id of ids) await access.putAgent(agentRecord("acme", id), 0)
    await access.putAgent(agentRecord("other", "c"), 0)
    const sorted = ids.toSorted((one, other) => (one < other ? -1 : 1))
    const idsOf = async (after: string | undefined, limit: number) =>
      (await access.listAgents({ tenant: "acme", after, limit })).map(({ id }) => id)
    assert.deepEqual(await idsOf(undefined, 100), sorted)
    assert.deepEqual(await idsOf(undefined, 3), sorted.slice(0, 3))
    assert.deepEqual(await idsOf(sorted[2], 100), sorted.slice(3))
  })

  test("answers what a caller may use: the chain of agents, their grants, and what is shared", async (probe) => {
    const access = accessOf(probe.store)
    assert.deepEqual(await access.ofCaller(acting("acme", "alice", "helper")), nothing)
    for (const agent of [lead, helper, agentRecord("acme", "stranger")]) await access.putAgent(agent, 0)
    const organisation = grantRecord(helper, main, null)
    const aliceOwn = grantRecord(helper, own, "alice")
    const leadOwn = grantRecord(lead, own, "alice")
    const bobs = grantRecord(helper, connectionKey("acme", "bob", "github", "own"), "bob")
    for (const grant of [
      organisation,
      aliceOwn,
      leadOwn,
      bobs,
      grantRecord(agentRecord("acme", "stranger"), main, null),
    ]) {
      await access.putGrant(grant)
    }
    const withAlice = shareRecord({ subject: "alice" }, bobs.connection, "bobs")
    const withLead = shareRecord({ agent: "lead" }, bobs.connection, "bobs")
    for (const share of [
      withAlice,
      withLead,
      shareRecord({ agent: "stranger" }, own, "x"),
      shareRecord({ subject: "carol" }, own, "y"),
    ]) {
      assert.equal(await access.putShare(share), true)
    }
    expectRecords(await access.ofCaller(acting("acme", "alice", "helper")), {
      agents: [helper, lead],
      grants: [organisation, aliceOwn, leadOwn],
      shares: [withAlice, withLead],
    })
    expectRecords(await access.ofCaller(acting("acme", null, "helper")), {
      agents: [helper, lead],
      grants: [organisation],
      shares: [withLead],
    })
    expectRecords(await access.ofCaller(acting("acme", "alice", null)), { agents: [], grants: [], shares: [withAlice] })
    expectRecords(await access.ofCaller(acting("acme", "bob", "lead")), {
      agents: [lead],
      grants: [],
      shares: [withLead],
    })
    expectRecords(await access.ofCaller(acting("other", "alice", "helper")), nothing)
    await access.removeAgent("acme", "lead")
    const orphaned = await access.ofCaller(acting("acme", "alice", "helper"))
    expectRecords(orphaned, { agents: [helper], grants: [organisation, aliceOwn], shares: [withAlice] })
  })

  test("answers the same object about a caller for as long as nothing has changed, and never an old one", async (probe) => {
    const access = accessOf(probe.store)
    const share = shareRecord({ agent: "lead" }, own, "shared")
    const grant = grantRecord(lead, main, null)
    const changes: ReadonlyArray<readonly [what: string, change: () => Promise<unknown>, expected: CallerRecords]> = [
      ["an agent is created", () => access.putAgent(lead, 0), { agents: [lead], grants: [], shares: [] }],
      ["a grant is written", () => access.putGrant(grant), { agents: [lead], grants: [grant], shares: [] }],
      ["a share is written", () => access.putShare(share), { agents: [lead], grants: [grant], shares: [share] }],
      ["a share is removed", () => access.removeShare(share), { agents: [lead], grants: [grant], shares: [] }],
      ["a grant is removed", () => access.removeGrant(grant), { agents: [lead], grants: [], shares: [] }],
      ["an agent is removed", () => access.removeAgent("acme", "lead"), nothing],
    ]
    const caller = acting("acme", "alice", "lead")
    await access.ofCaller(caller)
    for (const [what, change, expected] of changes) {
      await change()
      assert.deepEqual(await access.ofCaller(caller), expected, `Not what there is after ${what}.`)
      await soonTrue(async () => (await access.ofCaller(caller)) === (await access.ofCaller(caller)), `After ${what}`)
    }
  })

  test("keeps one grant per agent, connection and grantor, and removes it once", async (probe) => {
    const access = accessOf(probe.store)
    const grant = grantRecord(lead, own, "alice")
    const wider = { ...grant, access: ["read", "write"] as const, tools: ["issues.*"], expiresAt: 4_102_444_800_000 }
    const forAnybody = { ...grantRecord(lead, own, null), delegatedBy: "somebody" }
    await access.putGrant(grant)
    await access.putGrant(wider)
    await access.putGrant(forAnybody)
    await access.putGrant(grantRecord(helper, own, "alice"))
    assert.deepEqual(await access.listGrants("acme", "lead"), [forAnybody, wider])
    assert.deepEqual(await access.listGrants("other", "lead"), [])
    assert.equal(await access.removeGrant(grant), true)
    assert.equal(await access.removeGrant(grant), false)
    assert.deepEqual(await access.listGrants("acme", "lead"), [forAnybody])
  })

  test("keeps what agents handed on beside what was granted directly, each by itself", async (probe) => {
    const access = accessOf(probe.store)
    await access.putAgent(helper, 0)
    const direct = { ...grantRecord(helper, own, "alice"), access: ["read", "write"] as const }
    const byLead = { ...grantRecord(helper, own, "alice"), delegatedBy: "lead", tools: ["issues.*"] }
    const byOther = { ...grantRecord(helper, own, "alice"), delegatedBy: "other" }
    for (const grant of [byOther, byLead, direct]) await access.putGrant(grant)
    assert.deepEqual(await access.listGrants("acme", "helper"), [direct, byLead, byOther])
    const found = await access.ofCaller(acting("acme", "alice", "helper"))
    assert.deepEqual(found.grants, [direct, byLead, byOther])
    const narrower = { ...byLead, tools: ["issues.list"] }
    await access.putGrant(narrower)
    assert.equal(await access.removeGrant(byOther), true)
    assert.deepEqual(await access.listGrants("acme", "helper"), [direct, narrower])
    assert.equal(await access.removeGrant(direct), true)
    assert.deepEqual((await access.ofCaller(acting("acme", "alice", "helper"))).grants, [narrower])
    assert.equal(await access.removeGrant(narrower), true)
    assert.deepEqual(await access.listGrants("acme", "helper"), [])
  })

  test("gives a recipient no two shares of one name, unless they are of different integrations", async (probe) => {
    const access = accessOf(probe.store)
    const elsewhere = connectionKey("acme", "alice", "slack", "own")
    const bobs = connectionKey("acme", "bob", "github", "own")
    const [withCarol, withLead] = [{ subject: "carol" }, { agent: "lead" }]
    for (const recipient of [withCarol, withLead]) {
      assert.equal(await access.putShare(shareRecord(recipient, own, "one")), true)
      assert.equal(await access.putShare(shareRecord(recipient, bobs, "one")), false, "A name was given twice.")
      assert.equal(await access.putShare(shareRecord(recipient, elsewhere, "one")), true)
      assert.equal(await access.putShare(shareRecord(recipient, bobs, "two")), true)
      assert.equal(await access.putShare(shareRecord(recipient, own, "two")), false, "A name was taken over.")
      assert.equal(await access.putShare(shareRecord(recipient, own, "three")), true, "A share cannot be renamed.")
      assert.equal(await access.putShare(shareRecord(recipient, own, "three")), true)
      assert.equal(await access.removeShare(shareRecord(recipient, bobs, "two")), true)
      assert.equal(await access.removeShare(shareRecord(recipient, bobs, "two")), false)
      assert.equal(await access.putShare(shareRecord(recipient, own, "two")), true)
    }
    assert.deepEqual(await access.listShares(own, all), [
      shareRecord(withCarol, own, "two"),
      shareRecord(withLead, own, "two"),
    ])
  })

  test("lists the shares of a connection page by page, those with users first", async (probe) => {
    const access = accessOf(probe.store)
    const recipients = orderedNames.flatMap((name) => [{ subject: name }, { agent: name }])
    for (const recipient of recipients) await access.putShare(shareRecord(recipient, own, "as"))
    await access.putShare(shareRecord({ subject: "bob" }, connectionKey("acme", "alice", "slack", "own"), "as"))
    const whole = await access.listShares(own, all)
    const users = whole.flatMap(({ with: { subject } }) => subject ?? [])
    const agents = whole.flatMap(({ with: { agent } }) => agent ?? [])
    assert.deepEqual([users.toSorted(byCodeUnits), agents.toSorted(byCodeUnits)], [sortedNames, sortedNames])
    assert.ok(
      whole.slice(0, users.length).every(({ with: { agent } }) => agent === undefined),
      "Users come first.",
    )
    for (const limit of [1, 5, whole.length]) {
      const pages = await inPages<ShareRecord>(limit, whole.length, (after) =>
        access.listShares(own, { limit, after: after?.with }),
      )
      assert.deepEqual(pages, whole)
    }
  })

  test("lets one of many take a name at the same time", async (probe) => {
    const access = accessOf(probe.store)
    const shares = Array.from({ length: 12 }, (_, index) =>
      shareRecord({ subject: "carol" }, connectionKey("acme", `user${index}`, "github", "own"), "taken"),
    )
    const taken = await Promise.all(shares.map((share) => access.putShare(share)))
    assert.equal(taken.filter(Boolean).length, 1, "Not exactly one share has the name.")
    expectRecords(await access.ofCaller(acting("acme", "carol", null)), {
      agents: [],
      grants: [],
      shares: shares.filter((_, index) => taken[index]),
    })
  })

  test("removes with an agent what it was granted and what is shared with it", async (probe) => {
    const access = accessOf(probe.store)
    for (const agent of [lead, helper]) {
      await access.putAgent(agent, 0)
      await access.putGrant(grantRecord(agent, main, null))
      await access.putShare(shareRecord({ agent: agent.id }, own, "shared"))
    }
    assert.equal(await access.removeAgent("other", "lead"), false)
    assert.equal(await access.removeAgent("acme", "lead"), true)
    assert.equal(await access.removeAgent("acme", "lead"), false)
    assert.equal(await access.putAgent(lead, 0), true, "A removed agent cannot be created anew.")
    assert.deepEqual(await access.listGrants("acme", "lead"), [])
    assert.deepEqual(await access.listGrants("acme", "helper"), [grantRecord(helper, main, null)])
    assert.deepEqual(await access.listShares(own, all), [shareRecord({ agent: "helper" }, own, "shared")])
  })

  test("keeps what was written, whatever becomes of what it gave back", async (probe) => {
    const access = accessOf(probe.store)
    const make = () =>
      agentRecord("acme", "lead", { integrations: ["github"], keys: [{ hash: "one", expiresAt: null }] })
    const share = () => shareRecord({ agent: "lead" }, own, "shared")
    await access.putAgent(make(), 0)
    await access.putGrant(grantRecord(make(), own, "alice"))
    await access.putShare(share())
    const caller = acting("acme", "alice", "lead")
    const given = [
      (await access.getAgent("acme", "lead"))?.integrations,
      (await access.getAgent("acme", "lead"))?.keys,
      (await access.listAgents({ tenant: "acme", ...all }))[0]?.integrations,
      ...(await access.listGrants("acme", "lead")).map((grant) => grant.access),
      ...(await access.listGrantsOf(own)).map((grant) => grant.access),
      ...(await access.listShares(own, all)).map((one) => one.access),
      ...(await access.ofCaller(caller)).agents.map((agent) => agent.integrations),
      ...(await access.ofCaller(caller)).grants.map((grant) => grant.access),
    ]
    for (const list of given) widen(list)
    assert.deepEqual(await access.getAgent("acme", "lead"), make())
    assert.deepEqual(await access.listGrants("acme", "lead"), [grantRecord(make(), own, "alice")])
    assert.deepEqual(await access.listShares(own, all), [share()])
  })

  test("lists and forgets of one connection every grant, and every share, and of others none", async (probe) => {
    const access = accessOf(probe.store)
    const others = [
      connectionKey("acme", "", "github", "own"),
      connectionKey("acme", "bob", "github", "own"),
      connectionKey("acme", "alice", "gitHub", "own"),
      connectionKey("acme", "alice", "github", "other"),
      connectionKey("other", "alice", "github", "own"),
    ]
    for (const [index, connection] of [own, ...others].entries()) {
      await access.putGrant(grantRecord(agentRecord(connection.tenant, "lead"), connection, "alice"))
      await access.putShare(shareRecord({ subject: "carol" }, connection, `shared${index}`))
    }
    assert.deepEqual(await access.listGrantsOf(own), [grantRecord(agentRecord("acme", "lead"), own, "alice")])
    await access.putGrant(grantRecord(helper, own, null))
    assert.equal((await access.listGrantsOf(own)).length, 2, "Those to other agents are left out.")
    await access.forgetConnection(own)
    assert.deepEqual(await access.listGrantsOf(own), [])
    assert.deepEqual(await access.listShares(own, all), [])
    for (const connection of others) assert.equal((await access.listShares(connection, all)).length, 1)
    const left = [...(await access.listGrants("acme", "lead")), ...(await access.listGrants("other", "lead"))]
    assert.equal(left.length, others.length)
  })

  test("keeps tenants, users and agents apart whose names are hostile or look alike", async (probe) => {
    const access = accessOf(probe.store)
    const texts = [...hostileIds.map(({ text }) => text), ...lookAlikeIds.flatMap(({ ids }) => ids)]
    const usable = [...new Set(texts)].filter((text) => text !== "" && text.length <= 512)
    const callers = usable.flatMap((text) => [
      { agent: agentRecord(text, "agent"), subject: "alice" },
      { agent: agentRecord("acme", text), subject: text },
    ])
    for (const { agent, subject } of callers) {
      assert.equal(await access.putAgent(agent, 0), true)
      const connection = connectionKey(agent.tenant, subject, subject, subject)
      await access.putGrant(grantRecord(agent, connection, subject))
      assert.equal(await access.putShare(shareRecord({ subject }, { ...connection, subject: "lender" }, subject)), true)
    }
    for (const { agent, subject } of callers) {
      const connection = connectionKey(agent.tenant, subject, subject, subject)
      expectRecords(await access.ofCaller(acting(agent.tenant, subject, agent.id)), {
        agents: [agent],
        grants: [grantRecord(agent, connection, subject)],
        shares: [shareRecord({ subject }, { ...connection, subject: "lender" }, subject)],
      })
    }
  })

  if (!can.durable) return

  test("tells every handle what another one granted, shared and took back", async (probe) => {
    const access = accessOf(probe.store)
    const another = accessOf((await probe.open()).store)
    const caller = acting("acme", "alice", "lead")
    assert.deepEqual(await another.ofCaller(caller), nothing)
    const grant = grantRecord(lead, main, null)
    const share = shareRecord({ subject: "alice" }, connectionKey("acme", "bob", "github", "own"), "bobs")
    const steps: ReadonlyArray<readonly [step: () => Promise<unknown>, expected: CallerRecords]> = [
      [() => access.putAgent(lead, 0), { agents: [lead], grants: [], shares: [] }],
      [() => access.putGrant(grant), { agents: [lead], grants: [grant], shares: [] }],
      [() => access.putShare(share), { agents: [lead], grants: [grant], shares: [share] }],
      [() => access.removeGrant(grant), { agents: [lead], grants: [], shares: [share] }],
      [() => access.forgetConnection(share.connection), { agents: [lead], grants: [], shares: [] }],
      [() => access.removeAgent("acme", "lead"), nothing],
    ]
    for (const [step, expected] of steps) {
      await step()
      await expectSoon(another, caller, expected)
    }
  })
}

/** Adds to a list; a store may have seen to it that nobody can. */
const widen = (list: unknown): void => {
  try {
    ;(list as Array<unknown>).push("write")
  } catch {
    // As good as a copy.
  }
}

/** How long a store may need to hear of what was changed, in milliseconds. */
const longestDelayMs = 3000

const soonTrue = async (check: () => Promise<boolean>, what: string): Promise<void> => {
  const deadline = performance.now() + longestDelayMs
  while (!(await check())) {
    assert.ok(performance.now() < deadline, `${what}: not the same object, however often it is asked for.`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

const expectSoon = async (access: AccessProbe, caller: Caller, expected: CallerRecords): Promise<void> => {
  const deadline = performance.now() + longestDelayMs
  for (;;) {
    const found = await access.ofCaller(caller)
    if (isDeepStrictEqual(found, expected)) return
    assert.ok(performance.now() < deadline, "Another handle does not hear of a change.")
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

const nothing: CallerRecords = { agents: [], grants: [], shares: [] }

const expectRecords = (found: CallerRecords, expected: CallerRecords): void => assert.deepEqual(found, expected)
