/**
 * What a store does that writes a change and its audit entry in one transaction: both or neither, whatever the change and whoever else
 * writes.
 */
import * as assert from "node:assert/strict"
import * as Effect from "effect/Effect"
import { emptyHead, linkEntries } from "../audit/auditChain.ts"
import { AuditCheck } from "../audit/AuditCheck.ts"
import type { AuditLink } from "../audit/AuditStore.ts"
import { StoreUnavailableError } from "../error/StoreError.ts"
import type { Store } from "../integration/Store.ts"
import { failureOf, settled, succeeding } from "./ContractCase.ts"
import { agentRecord, connectionKey, grantRecord, shareRecord } from "./storeAccessProbe.ts"
import { auditDraft } from "./storeAuditCases.ts"
import { oauthClient } from "./storeOAuthProbe.ts"
import { approval, policy } from "./storePolicyProbe.ts"
import { connection, integrationRecord, nextVersion, type StoreProbe, type StoreSuite } from "./storeProbe.ts"

type Write = Effect.Effect<unknown, StoreUnavailableError>

/** A change, and what reads whether it was made. */
type Change = readonly [name: string, write: (store: Store) => Write, read: (store: Store) => Write]

/** Adds the cases about changes that are recorded with their entry. */
export const addAuditedChangeCases = ({ can, test }: StoreSuite): void => {
  if (!can.recordsTogether) return
  const next = nextVersion(row, { description: "next" })

  for (const [name, write, read] of changes) {
    test(`writes what ${name} does together with its audit entry, or neither`, async (probe) => {
      const { store } = probe
      for (const [before, make] of changes) {
        if (before === name) break
        await succeeding(make(store), before)
      }
      const seen = await succeeding(read(store), `reading before ${name}`)
      const failed = await settled(together(probe, write(store), withdrawn), name)
      const failure = failureOf(failed, `${name} whose audit entry cannot be made`)
      assert.ok(failure instanceof StoreUnavailableError, "It fails as StoreUnavailableError.")
      assert.deepEqual(await succeeding(read(store), name), seen, "A change was made without its entry.")
      await isWhole(probe, [])
      await succeeding(together(probe, write(store), entry(name)), name)
      assert.notDeepEqual(await succeeding(read(store), name), seen, "A change was not made.")
      await isWhole(probe, [name])
    })
  }

  test("writes no audit entry where nothing follows from the answer of a write", async (probe) => {
    const { connections, access } = probe.store
    const link = (answer: unknown): AuditLink | undefined => (answer === true ? entry("link") : undefined)
    const follows = (write: Write) => succeeding(alongside(probe, write, link), "audit.alongside")
    assert.equal(await follows(connections.put(next, 1)), false, "A row was written over none.")
    assert.equal(await follows(connections.put(row, 0)), true)
    assert.equal(await follows(connections.put(row, 0)), false, "A row was created twice.")
    assert.equal(await follows(connections.remove(row, 7)), false, "A row was removed that has another version.")
    const share = shareRecord({ subject: "bob" }, row, "as")
    await succeeding(access.putShare(share), "access.putShare")
    const same = shareRecord({ subject: "bob" }, connectionKey("acme", "alice", "github", "other"), "as")
    assert.equal(await follows(access.putShare(same)), false, "Two shares have one name.")
    await probe.expectRow(row)
    await isWhole(probe, ["link"])
    assert.equal(await follows(connections.put(next, 1)), true)
    await isWhole(probe, ["link", "link"])
  })

  test("has recorded a change whose answer was lost on the way", async (probe) => {
    const lost = Effect.andThen(probe.store.connections.put(row, 0), Effect.fail("lost" as const))
    assert.equal(
      failureOf(await settled(together(probe, lost, entry("put")), "audit.alongside"), "A lost answer"),
      "lost",
    )
    await probe.expectRow(row)
    await isWhole(probe, ["put"])
  })

  test("shows a change that was recorded with it to the next read of all", async (probe) => {
    const handles = can.durable ? [probe, await probe.open()] : [probe]
    for (let version = 1; version < 10; version += 1) {
      const writer = handles[version % handles.length] ?? probe
      const write = writer.store.connections.put({ ...row, version }, version - 1)
      assert.equal(await succeeding(together(writer, write, entry(`put ${version}`)), "audit.alongside"), true)
      for (const { store } of handles) {
        const seen = await succeeding(store.connections.get(row, "recent"), "connections.get")
        assert.equal(seen?.version, version, "A read missed what was written before.")
      }
    }
  })

  test("gives one chain without gaps to many changes at the same time, an entry for each that was made", async (probe) => {
    const handles = can.durable ? [probe, await probe.open(), await probe.open()] : [probe]
    const made: Array<string> = []
    const change = async (handle: StoreProbe, name: string, write: Effect.Effect<boolean, StoreUnavailableError>) => {
      const link = (isWritten: boolean): AuditLink | undefined => (isWritten ? entry(name) : undefined)
      if (await succeeding(alongside(handle, write, link), "audit.alongside")) made.push(name)
    }
    await Promise.all(
      Array.from({ length: 24 }, async (_, index) => {
        const handle = handles[index % handles.length] ?? probe
        const { connections, policies } = handle.store
        // Three want each row, and one gets it.
        const contested = connection("acme", "alice", "github", `row${index % 8}`)
        await change(handle, `row ${index}`, connections.put(contested, 0))
        await change(handle, `rule ${index}`, policies.put(policy("acme", "", `rule${index}`), 0))
        await succeeding(handle.store.audit.append("acme", `call ${index}`, entry(`call ${index}`)), "audit.append")
      }),
    )
    assert.equal(made.filter((name) => name.startsWith("row")).length, 8)
    const calls = Array.from({ length: 24 }, (_, index) => `call ${index}`)
    await isWhole(probe, [...made, ...calls], "in any order")
  })
}

const row = connection("acme", "alice", "github", "main")
const account = { name: "main", incarnation: "incarnation" }
const integration = integrationRecord("acme", "github")
const agent = agentRecord("acme", "bot")
const grant = grantRecord(agent, row, "alice")
const share = shareRecord({ subject: "bob" }, row, "as")
const rule = policy("acme", "alice", "rule")
const question = approval("acme", "alice", "question")
const client = oauthClient("acme", "alice", "app")

/** Each goes on from those before it. */
const changes: ReadonlyArray<Change> = [
  [
    "connections.put of a new row",
    ({ connections }) => connections.put(row, 0),
    ({ connections }) => connections.get(row),
  ],
  [
    "connections.put of another version",
    ({ connections }) => connections.put(nextVersion(row), 1),
    ({ connections }) => connections.get(row),
  ],
  ["accounts.put", ({ accounts }) => accounts.put(row, account), ({ accounts }) => accounts.get(row)],
  ["accounts.remove", ({ accounts }) => accounts.remove(row, "main"), ({ accounts }) => accounts.get(row)],
  [
    "integrations.put",
    ({ integrations }) => integrations.put(integration, 0),
    ({ integrations }) => integrations.get("acme", "github"),
  ],
  [
    "integrations.remove",
    ({ integrations }) => integrations.remove("acme", "github"),
    ({ integrations }) => integrations.get("acme", "github"),
  ],
  ["access.putAgent", ({ access }) => access.putAgent(agent, 0), ({ access }) => access.getAgent("acme", "bot")],
  ["access.putGrant", ({ access }) => access.putGrant(grant), ({ access }) => access.listGrants("acme", "bot")],
  ["access.putShare", ({ access }) => access.putShare(share), ({ access }) => access.listShares(row, { limit: 9 })],
  [
    "access.removeShare",
    ({ access }) => access.removeShare(share),
    ({ access }) => access.listShares(row, { limit: 9 }),
  ],
  ["access.removeGrant", ({ access }) => access.removeGrant(grant), ({ access }) => access.listGrants("acme", "bot")],
  [
    "access.removeAgent",
    ({ access }) => access.removeAgent("acme", "bot"),
    ({ access }) => access.getAgent("acme", "bot"),
  ],
  ["policies.put", ({ policies }) => policies.put(rule, 0), ({ policies }) => policies.get("acme", "rule")],
  [
    "policies.remove",
    ({ policies }) => policies.remove("acme", "rule"),
    ({ policies }) => policies.get("acme", "rule"),
  ],
  [
    "approvals.put",
    ({ approvals }) => approvals.put(question, 0),
    ({ approvals }) => approvals.get("acme", "question"),
  ],
  [
    "approvals.take",
    ({ approvals }) => approvals.take("acme", "question", 1),
    ({ approvals }) => approvals.get("acme", "question"),
  ],
  ["oauth.clients.put", ({ oauth }) => oauth.clients.put(client, 0), ({ oauth }) => oauth.clients.get(client)],
  ["oauth.clients.remove", ({ oauth }) => oauth.clients.remove(client), ({ oauth }) => oauth.clients.get(client)],
  ["connections.remove", ({ connections }) => connections.remove(row), ({ connections }) => connections.get(row)],
]

const entry =
  (id: string): AuditLink =>
  (head) =>
    linkEntries(head ?? emptyHead("acme", []), [auditDraft("acme", `${id}#${(head?.sequence ?? 0) + 1}`)], [])

const withdrawn: AuditLink = () => {
  throw new Error("The entry cannot be made.")
}

const alongside = <A, E>(
  { store }: StoreProbe,
  write: Effect.Effect<A, E>,
  linkAfter: (answer: A) => AuditLink | undefined,
): Effect.Effect<A, E | StoreUnavailableError> => {
  const recorded = store.audit.alongside?.("acme", write, linkAfter)
  return recorded ?? assert.fail("The capability `recordsTogether` needs `audit.alongside`.")
}

const together = <A, E>(probe: StoreProbe, write: Effect.Effect<A, E>, link: AuditLink) =>
  alongside(probe, write, () => link)

/** The trail holds these entries, in this order unless any will do, and nothing is missing or altered. */
const isWhole = async (
  { store }: StoreProbe,
  expected: ReadonlyArray<string>,
  order: "as written" | "in any order" = "as written",
): Promise<void> => {
  const head = await succeeding(store.audit.head("acme"), "audit.head")
  const entries = await succeeding(store.audit.list({ tenant: "acme", limit: 10_000 }), "audit.list")
  const check = new AuditCheck(head ?? emptyHead("acme", []), [])
  check.add(entries)
  check.end()
  assert.equal(check.fault, undefined)
  const names = entries.map(({ id }) => id.slice(0, id.indexOf("#")))
  if (order === "as written") assert.deepEqual(names, expected)
  else assert.deepEqual(names.toSorted(), expected.toSorted())
}
