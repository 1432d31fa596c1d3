/**
 * What a store does with policy rules and approvals: lists that stay the same object, compare-and-set, approvals that are taken once.
 */
import * as assert from "node:assert/strict"
import type { ApprovalRecord } from "../policy/Approval.ts"
import type { ApprovalStore } from "../policy/ApprovalStore.ts"
import { byOrder, type PolicyRecord, type PolicyRules } from "../policy/Policy.ts"
import { succeeding } from "./ContractCase.ts"
import { hostileIds, hostileValues } from "./hostileText.ts"
import { byCodeUnits, inPages, orderedNames } from "./storeLists.ts"
import { approval, policy } from "./storePolicyProbe.ts"
import type { StoreProbe, StoreSuite } from "./storeProbe.ts"

/** Adds the cases about policy rules. */
export const addPolicyCases = ({ can, test }: StoreSuite): void => {
  test("gives back a policy exactly as it was written", async (probe) => {
    const record = policy("acme", "alice", "id", {
      pattern: hostileValues.map(({ text }) => text.slice(0, 100)).join("|"),
      order: -1.5,
      description: hostileValues.map(({ text }) => text.slice(0, 100)).join("|"),
      createdAt: 4_102_444_800_123,
    })
    assert.equal(await policyOf(probe, record), undefined)
    assert.equal(await putPolicy(probe, record), true)
    assert.deepEqual(await policyOf(probe, record), record)
    assert.deepEqual(await rulesOf(probe, "acme", "alice"), { organisation: [], user: [record] })
  })

  test("writes a policy only over the version that was expected, and removes it once", async (probe) => {
    const first = policy("acme", "", "id")
    const second = { ...first, version: 2, pattern: "tools.second.*" }
    assert.equal(await putPolicy(probe, second, 1), false, "A policy was written over one that is not there.")
    assert.equal(await putPolicy(probe, first), true)
    assert.equal(await putPolicy(probe, { ...first, pattern: "tools.again.*" }), false, "A policy was created twice.")
    assert.equal(await putPolicy(probe, second), true)
    assert.equal(await putPolicy(probe, { ...second, pattern: "tools.stale.*" }, 1), false, "A stale write won.")
    assert.deepEqual(await rulesOf(probe, "acme", null), { organisation: [second], user: [] })
    assert.equal(await removePolicy(probe, first), true)
    assert.equal(await removePolicy(probe, first), false)
    assert.deepEqual(await rulesOf(probe, "acme", null), { organisation: [], user: [] })
  })

  test("lists policies in the order in which they decide", async (probe) => {
    const records = [3, -1, 0.5, 10, 2, -1e9, 1e15].map((order, index) => policy("acme", "", `id${index}`, { order }))
    const ties = ["b", "a", "\u{10000}", "\uff21"].map((id, index) =>
      policy("acme", "", id, { order: 7, createdAt: index < 2 ? 5 : 4 }),
    )
    for (const record of [...records, ...ties]) await putPolicy(probe, record)
    const { organisation } = await rulesOf(probe, "acme", null)
    assert.deepEqual(organisation, [...records, ...ties].sort(byOrder))
  })

  test("keeps the policies of tenants and subjects apart whose names are hostile", async (probe) => {
    const names = hostileIds.map(({ text }) => text).filter((text) => text !== "" && text.length <= 512)
    const records = names.flatMap((name, index) => [
      policy(name, "", `org${index}`),
      policy(name, "alice", `alice${index}`),
      policy("acme", name, `subject${index}`),
    ])
    for (const record of records) assert.equal(await putPolicy(probe, record), true)
    for (const [index, name] of names.entries()) {
      const ids = ({ organisation, user }: PolicyRules) => [...organisation, ...user].map(({ id }) => id)
      assert.deepEqual(ids(await rulesOf(probe, name, "alice")), [`org${index}`, `alice${index}`])
      assert.deepEqual(ids(await rulesOf(probe, name, null)), [`org${index}`])
      assert.deepEqual(ids(await rulesOf(probe, "acme", name)), [`subject${index}`])
    }
  })

  test("answers with the same lists of policies while nothing changed, and with others after a write", async (probe) => {
    await putPolicy(probe, policy("acme", "", "org"))
    await putPolicy(probe, policy("acme", "alice", "own"))
    const first = await rulesOf(probe, "acme", "alice")
    const again = await rulesOf(probe, "acme", "alice")
    assert.equal(again.organisation, first.organisation)
    assert.equal(again.user, first.user)
    assert.equal((await rulesOf(probe, "acme", "bob")).organisation, first.organisation)
    await putPolicy(probe, policy("acme", "alice", "own", { version: 2, action: "block" }))
    const changed = await rulesOf(probe, "acme", "alice")
    assert.equal(changed.organisation, first.organisation)
    assert.equal(changed.user[0]?.action, "block")
    await removePolicy(probe, policy("acme", "", "org"))
    assert.deepEqual((await rulesOf(probe, "acme", "alice")).organisation, [])
  })

  if (!can.durable) return

  test("keeps policies when it is closed and opened again, and shows others' changes", async (probe) => {
    const record = policy("acme", "", "id")
    const another = await probe.open()
    assert.deepEqual((await rulesOf(another, "acme", null)).organisation, [])
    await putPolicy(probe, record)
    await eventually(async () => {
      assert.deepEqual((await rulesOf(another, "acme", null)).organisation, [record])
    })
    await probe.close()
    assert.deepEqual(await policyOf(await probe.open(), record), record)
  })
}

/** Adds the cases about approvals. */
export const addApprovalCases = ({ can, test }: StoreSuite): void => {
  test("gives back an approval exactly as it was written", async (probe) => {
    const text = hostileValues.map(({ text }) => text.slice(0, 100)).join("|")
    const full = approval("acme", "alice", "id", {
      status: "accepted",
      what: text,
      arguments: [{ name: text, value: text }],
      account: text,
      agent: "agent",
      conversation: text,
      conversationKey: "conversation key",
      remember: "conversation",
      answeredAt: 7,
      answeredBy: "alice",
    })
    assert.equal(await approvalOf(probe, full), undefined)
    assert.equal(await putApproval(probe, full), true)
    assert.deepEqual(await approvalOf(probe, full), full)
  })

  test("writes an approval only over the version that was expected", async (probe) => {
    const first = approval("acme", "", "id")
    const second = { ...first, version: 2, status: "accepted" } as const
    assert.equal(await putApproval(probe, second, 1), false, "An approval was written over one that is not there.")
    assert.equal(await putApproval(probe, first), true)
    assert.equal(await putApproval(probe, first), false, "An approval was created twice.")
    assert.equal(await putApproval(probe, second), true)
    assert.equal(await putApproval(probe, { ...second, status: "declined" }, 1), false, "A stale answer won.")
    assert.deepEqual(await approvalOf(probe, first), second)
  })

  test("finds approvals by any of several keys, of their tenant only, also when the key changes", async (probe) => {
    const stores: ApprovalStore = probe.store.approvals
    const find = async (tenant: string, ...keys: ReadonlyArray<string>) =>
      (await succeeding(stores.find(tenant, keys), "approvals.find")).map(({ id }) => id)
    for (const [id, key] of [
      ["a", "one"],
      ["c", "one"],
      ["b", "two"],
    ] as const) {
      await putApproval(probe, approval("acme", "alice", id, { key }))
    }
    await putApproval(probe, approval("globex", "alice", "d", { key: "one" }))
    assert.deepEqual(await find("acme", "one"), ["a", "c"])
    assert.deepEqual(await find("acme", "two", "one", "three"), ["a", "b", "c"])
    assert.deepEqual(await find("acme", "three"), [])
    assert.deepEqual(await find("acme"), [])
    await putApproval(probe, approval("acme", "alice", "a", { key: "two", version: 2 }))
    assert.deepEqual(await find("acme", "one"), ["c"])
    assert.deepEqual(await find("acme", "two"), ["a", "b"])
  })

  test("gives an approval to one of many takers, and only at its version", async (probe) => {
    const record = approval("acme", "alice", "id", { version: 1 })
    await putApproval(probe, record)
    const take = (handle: StoreProbe, version: number) =>
      succeeding(handle.store.approvals.take("acme", "id", version), "approvals.take")
    assert.equal(await take(probe, 2), false)
    const handles = can.durable ? [probe, await probe.open(), await probe.open()] : [probe]
    const taken = await Promise.all(
      Array.from({ length: 12 }, (_, index) => take(handles[index % handles.length] ?? probe, 1)),
    )
    assert.equal(taken.filter((wasTaken) => wasTaken).length, 1)
    assert.equal(await approvalOf(probe, record), undefined)
  })

  test("lists approvals by subject and status, page by page in the order of ids", async (probe) => {
    const records = orderedNames.map((id, index) =>
      approval("acme", index % 2 === 0 ? "alice" : "", id, { status: index % 3 === 0 ? "pending" : "accepted" }),
    )
    for (const record of records) await putApproval(probe, record)
    await putApproval(probe, approval("globex", "alice", "other"))
    const list = async (query: Omit<Parameters<ApprovalStore["list"]>[0], "tenant">) =>
      succeeding(probe.store.approvals.list({ tenant: "acme", ...query }), "approvals.list")
    const sorted = [...records].sort((one, other) => byCodeUnits(one.id, other.id))
    assert.deepEqual(await list({ subject: null, limit: 100 }), sorted)
    for (const status of ["pending", "accepted", "declined"] as const) {
      const own = sorted.filter((record) => record.subject === "alice" && record.status === status)
      assert.deepEqual(await list({ subject: "alice", status, limit: 100 }), own)
    }
    const pages = await inPages<ApprovalRecord>(3, records.length, (after) =>
      list({ subject: null, limit: 3, after: after?.id }),
    )
    assert.deepEqual(pages, sorted)
  })

  test("lists only the approvals that are valid longer than a time, where one is given", async (probe) => {
    for (const expiresAt of [1, 5, 9]) await putApproval(probe, approval("acme", "", `a${expiresAt}`, { expiresAt }))
    const listed = async (validAt: number | undefined, limit: number) => {
      const query = { tenant: "acme", subject: null, validAt, limit }
      return (await succeeding(probe.store.approvals.list(query), "approvals.list")).map(({ id }) => id)
    }
    assert.deepEqual(await listed(undefined, 10), ["a1", "a5", "a9"])
    assert.deepEqual(await listed(4, 1), ["a5"], "What has expired takes no place on a page.")
    assert.deepEqual(await listed(5, 10), ["a9"])
    assert.deepEqual(await listed(9, 10), [])
  })

  test("removes the approvals of a tenant that have expired", async (probe) => {
    for (const expiresAt of [1, 5, 9]) await putApproval(probe, approval("acme", "", `a${expiresAt}`, { expiresAt }))
    await putApproval(probe, approval("globex", "", "b", { expiresAt: 1 }))
    const remove = (now: number) =>
      succeeding(probe.store.approvals.removeExpired("acme", now), "approvals.removeExpired")
    assert.equal(await remove(5), 1)
    assert.equal(await remove(100), 2)
    assert.notEqual(await approvalOf(probe, approval("globex", "", "b")), undefined)
  })
}

/** Where changes of others are noticed a moment later. */
const eventually = async (check: () => Promise<void>): Promise<void> => {
  const deadline = performance.now() + 10_000
  for (;;) {
    try {
      return await check()
    } catch (error) {
      if (performance.now() >= deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}

const rulesOf = ({ store }: StoreProbe, tenant: string, subject: string | null): Promise<PolicyRules> =>
  succeeding(store.policies.rules(tenant, subject), "policies.rules")

const policyOf = ({ store }: StoreProbe, { tenant, id }: PolicyRecord): Promise<PolicyRecord | undefined> =>
  succeeding(store.policies.get(tenant, id), "policies.get")

const putPolicy = ({ store }: StoreProbe, record: PolicyRecord, expected = record.version - 1): Promise<boolean> =>
  succeeding(store.policies.put(record, expected), "policies.put")

const removePolicy = ({ store }: StoreProbe, { tenant, id }: PolicyRecord): Promise<boolean> =>
  succeeding(store.policies.remove(tenant, id), "policies.remove")

const approvalOf = ({ store }: StoreProbe, { tenant, id }: ApprovalRecord): Promise<ApprovalRecord | undefined> =>
  succeeding(store.approvals.get(tenant, id), "approvals.get")

const putApproval = ({ store }: StoreProbe, record: ApprovalRecord, expected = record.version - 1): Promise<boolean> =>
  succeeding(store.approvals.put(record, expected), "approvals.put")
