/**
 * What a store does with audit trails: entries as they were written, chains without gaps however many append, a batch written once.
 */
import * as assert from "node:assert/strict"
import { createSecretKey } from "node:crypto"
import { emptyHead, linkEntries, removedHead } from "../audit/auditChain.ts"
import { AuditCheck } from "../audit/AuditCheck.ts"
import type { AuditDraft, AuditEntry, AuditHead } from "../audit/AuditEntry.ts"
import type { AuditQuery } from "../audit/AuditStore.ts"
import { succeeding } from "./ContractCase.ts"
import { hostileIds, hostileValues } from "./hostileText.ts"
import type { StoreProbe, StoreSuite } from "./storeProbe.ts"

/** Adds the cases about audit trails. */
export const addAuditCases = ({ can, test }: StoreSuite): void => {
  test("gives back audit entries exactly as they were written", async (probe) => {
    const text = hostileValues.map(({ text }) => text.slice(0, 100)).join("|")
    const draft: AuditDraft = {
      ...auditDraft("acme", "id"),
      at: 4_102_444_800_123,
      subject: "alice",
      agent: "agent",
      integration: "github",
      tool: text,
      connection: text,
      outcome: text,
      durationMs: 0.125,
      details: { text, list: [1, null, true, { text }] },
      arguments: text,
    }
    assert.equal(await headOf(probe, "acme"), undefined)
    assert.deepEqual(await listOf(probe, "acme"), [])
    await append(probe, "acme", [draft, auditDraft("acme", "other")])
    const { entries, head } = linkEntries(emptyHead("acme", []), [draft, auditDraft("acme", "other")], [])
    assert.deepEqual(await listOf(probe, "acme"), entries)
    assert.deepEqual(await headOf(probe, "acme"), head)
  })

  test("gives back audit entries and heads that name the key that they were made with", async (probe) => {
    const keys = [createSecretKey(Buffer.alloc(32, 7))]
    const drafts = [auditDraft("acme", "a"), auditDraft("acme", "b")]
    const linked = linkEntries(emptyHead("acme", keys), drafts, keys)
    await succeeding(
      probe.store.audit.append("acme", "a", () => linked),
      "audit.append",
    )
    assert.deepEqual(await listOf(probe, "acme"), linked.entries)
    assert.deepEqual(await headOf(probe, "acme"), linked.head)
    assert.equal(typeof linked.head.key, "string")
  })

  test("keeps audit entries as they are whatever becomes of those that it gave out", async (probe) => {
    await append(probe, "acme", [auditDraft("acme", "a", { details: { list: [{ text: "as it was" }] } })])
    const [given] = await listOf(probe, "acme")
    assert.ok(given)
    Reflect.set(given, "outcome", "another")
    Reflect.set(given.details, "more", "another")
    Reflect.set((given.details["list"] as ReadonlyArray<object>)[0] ?? {}, "text", "another")
    const head = await headOf(probe, "acme")
    Reflect.set(head ?? {}, "sequence", 7)
    await isWhole(probe, "acme", 1)
  })

  test("writes a batch of audit entries once, and nothing where the batch is withdrawn", async (probe) => {
    const drafts = [auditDraft("acme", "a"), auditDraft("acme", "b")]
    await append(probe, "acme", drafts)
    await append(probe, "acme", drafts)
    await append(probe, "acme", [auditDraft("acme", "c")])
    await succeeding(
      probe.store.audit.append("acme", "d", () => undefined),
      "audit.append",
    )
    assert.deepEqual(
      (await listOf(probe, "acme")).map(({ id, sequence }) => [id, sequence]),
      [
        ["a", 1],
        ["b", 2],
        ["c", 3],
      ],
    )
    await isWhole(probe, "acme", 3)
  })

  test("appends a batch of many audit entries as one", async (probe) => {
    await append(
      probe,
      "acme",
      Array.from({ length: 1_201 }, (_, index) => auditDraft("acme", `id${index}`)),
    )
    await isWhole(probe, "acme", 1_201)
  })

  test("lists audit entries by everything that is asked for, page by page", async (probe) => {
    const drafts = Array.from({ length: 24 }, (_, index) =>
      auditDraft("acme", `id${index}`, {
        at: 1000 - index,
        subject: index % 2 === 0 ? "alice" : null,
        agent: index % 3 === 0 ? "agent" : null,
        connection: index % 4 === 0 ? "tools.github.org.main" : "tools.github.org.other",
        tool: index % 5 === 0 ? "issues.list" : null,
      }),
    )
    await append(probe, "acme", drafts)
    const sequences = async (query: Partial<AuditQuery>) =>
      (await listOf(probe, "acme", query)).map(({ sequence }) => sequence)
    const expected = (isKept: (draft: AuditDraft, sequence: number) => boolean) =>
      drafts.flatMap((draft, index) => (isKept(draft, index + 1) ? [index + 1] : []))
    const tables: ReadonlyArray<[Partial<AuditQuery>, (draft: AuditDraft, sequence: number) => boolean]> = [
      [{}, () => true],
      [{ subject: "alice" }, ({ subject }) => subject === "alice"],
      [{ subject: null }, ({ subject }) => subject === null],
      [{ subject: "ALICE" }, () => false],
      [{ agent: "agent" }, ({ agent }) => agent === "agent"],
      [{ connection: "tools.github.org.main" }, ({ connection }) => connection === "tools.github.org.main"],
      [{ tool: "issues.list" }, ({ tool }) => tool === "issues.list"],
      [{ since: 990 }, ({ at }) => at >= 990],
      [{ before: 990 }, ({ at }) => at < 990],
      [{ after: 5, through: 9 }, (_, sequence) => sequence > 5 && sequence <= 9],
      [
        { subject: "alice", tool: "issues.list", after: 1 },
        ({ subject, tool }, sequence) => subject === "alice" && tool === "issues.list" && sequence > 1,
      ],
    ]
    for (const [query, isKept] of tables) assert.deepEqual(await sequences(query), expected(isKept))
    assert.deepEqual(await sequences({ limit: 3, after: 20 }), [21, 22, 23])
    assert.deepEqual(await listOf(probe, "globex"), [])
  })

  test("keeps the audit trails of tenants and subjects apart whose names are hostile", async (probe) => {
    const names = hostileIds.map(({ text }) => text).filter((text) => text !== "" && text.length <= 512)
    for (const [index, name] of names.entries()) {
      await append(probe, name, [auditDraft(name, `own${index}`)])
      await append(probe, "all of them", [auditDraft("all of them", `id${index}`, { subject: name, connection: name })])
    }
    for (const [index, name] of names.entries()) {
      assert.deepEqual(
        (await listOf(probe, name)).map(({ id }) => id),
        [`own${index}`],
      )
      await isWhole(probe, name, 1)
      for (const query of [{ subject: name }, { connection: name }]) {
        assert.deepEqual(
          (await listOf(probe, "all of them", query)).map(({ id }) => id),
          [`id${index}`],
        )
      }
    }
    await isWhole(probe, "all of them", names.length)
  })

  test("removes old audit entries together with the change of the head", async (probe) => {
    const drafts = Array.from({ length: 6 }, (_, index) => auditDraft("acme", `id${index}`))
    await append(probe, "acme", drafts)
    const last = (await listOf(probe, "acme", { after: 3, limit: 1 }))[0]
    assert.ok(last)
    await succeeding(
      probe.store.audit.append("acme", "pruned", (head) => {
        const linked = linkEntries(
          removedHead(head ?? emptyHead("acme", []), last, []),
          [auditDraft("acme", "pruned")],
          [],
        )
        return { ...linked, removeThrough: last.sequence }
      }),
      "audit.append",
    )
    assert.deepEqual(
      (await listOf(probe, "acme")).map(({ sequence }) => sequence),
      [5, 6, 7],
    )
    await isWhole(probe, "acme", 3)
    await append(probe, "acme", [auditDraft("acme", "later")])
    await isWhole(probe, "acme", 4)
  })

  test("gives one chain without gaps to many who append at the same time", async (probe) => {
    const handles = can.durable ? [probe, await probe.open(), await probe.open()] : [probe]
    const batches = Array.from({ length: 24 }, (_, batch) =>
      Array.from({ length: 1 + (batch % 4) }, (_, index) => auditDraft("acme", `id${batch}-${index}`)),
    )
    await Promise.all(batches.map((drafts, index) => append(handles[index % handles.length] ?? probe, "acme", drafts)))
    await isWhole(probe, "acme", batches.flat().length)
  })

  if (!can.durable) return

  test("keeps audit trails when it is closed and opened again", async (probe) => {
    await append(probe, "acme", [auditDraft("acme", "a"), auditDraft("acme", "b")])
    await probe.close()
    const reopened = await probe.open()
    await append(reopened, "acme", [auditDraft("acme", "c")])
    await isWhole(reopened, "acme", 3)
  })
}

/** What happened to nobody in particular. */
export const auditDraft = (tenant: string, id: string, changes: Partial<AuditDraft> = {}): AuditDraft => ({
  id,
  tenant,
  at: 0,
  subject: null,
  agent: null,
  type: "tool.called",
  integration: null,
  connection: null,
  tool: null,
  identityMode: null,
  chosenBy: null,
  decision: null,
  rule: null,
  destination: null,
  outcome: null,
  durationMs: null,
  details: {},
  arguments: null,
  ...changes,
})

const append = ({ store }: StoreProbe, tenant: string, drafts: ReadonlyArray<AuditDraft>): Promise<void> =>
  succeeding(
    store.audit.append(tenant, drafts[0]?.id ?? "", (head) => linkEntries(head ?? emptyHead(tenant, []), drafts, [])),
    "audit.append",
  )

const headOf = ({ store }: StoreProbe, tenant: string): Promise<AuditHead | undefined> =>
  succeeding(store.audit.head(tenant), "audit.head")

const listOf = (
  { store }: StoreProbe,
  tenant: string,
  query: Partial<AuditQuery> = {},
): Promise<ReadonlyArray<AuditEntry>> => succeeding(store.audit.list({ limit: 10_000, ...query, tenant }), "audit.list")

const isWhole = async (probe: StoreProbe, tenant: string, count: number): Promise<void> => {
  const check = new AuditCheck((await headOf(probe, tenant)) ?? emptyHead(tenant, []), [])
  check.add(await listOf(probe, tenant))
  check.end()
  assert.equal(check.fault, undefined)
  assert.equal(check.checked, count)
}
