/**
 * What a store does with connections: it gives back exactly what was written, lets one of several writers win, and lists in
 * a stable order, page by page.
 */
import * as assert from "node:assert/strict"
import type { ConnectionRow } from "../connection/Connection.ts"
import { interrupted, succeeding } from "./ContractCase.ts"
import { hostileIds, hostileValues } from "./hostileText.ts"
import { inListOrder, inPages, orderedNames } from "./storeLists.ts"
import { connection, connectionGrant, nextVersion, type StoreProbe, type StoreSuite } from "./storeProbe.ts"

/** Adds the cases about connections. */
export const addConnectionCases = ({ test }: StoreSuite): void => {
  const alpha = connection("acme", "", "github", "alpha")

  test("gives back a connection exactly as it was written", async (probe) => {
    await probe.expectNoRow(alpha)
    const full = connection("acme", "alice", "github", "full", {
      origin: "external",
      items: hostileIds.map(({ text }, index) => [`variable${index}`, text]),
      confirmedOrigins: "https://a.example.test https://b.example.test:8443",
      identityLabel: "alice@example.test",
      description: "For reading.",
      expiresAt: 4_102_444_800_123,
      oauthClient: "github-app",
      oauthClientOwner: "org",
      oauthScope: "repo read:user",
      grant: connectionGrant({
        revocationUrl: "https://issuer.example.test/revoke",
        isIssRequired: true,
        resource: "https://api.example.test/mcp",
        requestedScope: "repo offline_access",
        tokenType: "DPoP",
        assertionSubject: "alice@example.test",
        issuedAt: 4_102_444_800_000,
        stepUps: 3,
        intent: { id: "intent", startedAt: 4_102_444_800_001, tokenHash: "hash", state: "unknown" },
      }),
      status: "disabled",
      statusReason: "disabled_by_host",
    })
    for (const row of [alpha, full]) {
      assert.equal(await probe.put(row), true)
      await probe.expectRow(row)
    }
    const narrowed = connectionGrant({ issuer: null, hasRefreshToken: false })
    const fewer = nextVersion(full, {
      grant: narrowed,
      description: null,
      expiresAt: null,
      oauthClientOwner: null,
      items: [],
    })
    assert.equal(await probe.put(fewer), true)
    await probe.expectRow(fewer)
    const cleared = nextVersion(fewer, { grant: null })
    assert.equal(await probe.put(cleared), true)
    await probe.expectRow(cleared)
  })

  test("keeps hostile text in a connection's fields exactly", async (probe) => {
    for (const [index, { text }] of [...hostileIds, ...hostileValues].entries()) {
      const row = connection("acme", "", "github", `row${index}`, { identityLabel: text, description: text })
      assert.equal(await probe.put(row), true)
      await probe.expectRow(row)
    }
  })

  test("writes a connection only over the version that was expected", async (probe) => {
    const second = nextVersion(alpha, { description: "second" })
    assert.equal(await probe.put(second, 1), false, "A row was written over one that is not there.")
    await probe.expectNoRow(alpha)
    assert.equal(await probe.put(alpha, 0), true)
    assert.equal(await probe.put({ ...alpha, description: "again" }, 0), false, "A row was created twice.")
    await probe.expectRow(alpha)
    assert.equal(await probe.put(second, 1), true)
    assert.equal(await probe.put(nextVersion(alpha, { description: "stale" }), 1), false, "A stale write won.")
    assert.equal(await probe.put({ ...second, version: 4 }, 3), false, "A write from the future won.")
    await probe.expectRow(second)
  })

  test("removes a connection once, and only at the version that was expected", async (probe) => {
    assert.equal(await probe.remove(alpha), false)
    await probe.put(alpha)
    const second = nextVersion(alpha)
    await probe.put(second)
    assert.equal(await probe.remove(alpha, 1), false, "A row was removed at a version it no longer has.")
    await probe.expectRow(second)
    assert.equal(await probe.remove(alpha, 2), true)
    assert.equal(await probe.remove(alpha), false)
    await probe.expectNoRow(alpha)
    assert.equal(await probe.put(nextVersion(second)), false, "A removed row came back by an update.")
    assert.equal(await probe.put(alpha, 0), true, "A removed row cannot be created anew.")
    assert.equal(await probe.remove(alpha), true)
  })

  test("lets exactly one of many writers create a connection", async (probe) => {
    const rows = Array.from({ length: 20 }, (_, index) => ({ ...alpha, description: `writer ${index}` }))
    const won = await Promise.all(rows.map((row) => probe.put(row, 0)))
    assert.equal(won.filter(Boolean).length, 1, "Not exactly one writer won.")
    await probe.expectRow(rows[won.indexOf(true)] ?? alpha)
  })

  test("loses no update when many compare and set at once", async (probe) => {
    await probe.put(alpha)
    await countUp([probe], alpha)
  })

  test("keeps every one of many connections written at once", async (probe) => {
    const rows = Array.from({ length: 100 }, (_, index) => connection("acme", "", "github", `row${index}`))
    assert.ok((await Promise.all(rows.map((row) => probe.put(row)))).every(Boolean), "A write of a new row lost.")
    assert.deepEqual(await probe.list({ tenant: "acme", subject: null }), inListOrder(rows))
  })

  test("writes when an effect runs, not when it is made", async (probe) => {
    const write = probe.store.connections.put(alpha, 0)
    await probe.expectNoRow(alpha)
    assert.equal(await succeeding(write, "put"), true)
    assert.equal(await succeeding(write, "the same put again"), false)
    await probe.expectRow(alpha)
  })

  test("holds the old or the new row, whole, when a write is interrupted", async (probe) => {
    await probe.put(alpha)
    const second = nextVersion(alpha, { description: "second" })
    await interrupted(probe.store.connections.put(second, 1), "put")
    await probe.expectRow((await probe.get(alpha))?.version === 1 ? alpha : second)
  })

  test("lists connections by integration, owner and name, code unit by code unit", async (probe) => {
    const rows = await manyConnections(probe)
    const seen = rows.filter(({ subject }) => subject === "" || subject === "alice")
    assert.deepEqual(await probe.list({ tenant: "acme", subject: "alice" }), inListOrder(seen))
  })

  test("lists only what is asked for: an integration, an owner, an acting subject", async (probe) => {
    const rows = await manyConnections(probe)
    const listed = async (query: Parameters<StoreProbe["list"]>[0], wanted: (row: ConnectionRow) => boolean) =>
      assert.deepEqual(await probe.list(query), inListOrder(rows.filter(wanted)))
    const alice = { tenant: "acme", subject: "alice" }
    await listed({ tenant: "acme", subject: null }, ({ subject }) => subject === "")
    await listed({ tenant: "acme", subject: null, owner: "user" }, () => false)
    await listed({ ...alice, owner: "org" }, ({ subject }) => subject === "")
    await listed({ ...alice, owner: "user" }, ({ subject }) => subject === "alice")
    await listed(
      { ...alice, integration: "git-hub" },
      ({ integration, subject }) => integration === "git-hub" && (subject === "" || subject === "alice"),
    )
    await listed(
      { ...alice, integration: "git-hub", owner: "user" },
      ({ integration, subject }) => integration === "git-hub" && subject === "alice",
    )
    await listed({ ...alice, integration: "git" }, () => false)
    const isSeen = ({ subject }: ConnectionRow) => subject === "" || subject === "alice"
    await listed({ ...alice, name: "a" }, (row) => isSeen(row) && row.name === "a")
    await listed({ ...alice, name: "a", owner: "user" }, ({ name, subject }) => name === "a" && subject === "alice")
    await listed({ ...alice, name: "A", integration: "git-hub" }, (row) => {
      return isSeen(row) && row.name === "A" && row.integration === "git-hub"
    })
    await listed({ ...alice, name: "nobody's" }, () => false)
    await listed({ tenant: "other", subject: "alice" }, () => false)
  })

  test("lists page by page, each row once, whatever the size of a page", async (probe) => {
    await manyConnections(probe)
    for (const query of [
      { tenant: "acme", subject: "alice" },
      { tenant: "acme", subject: "alice", owner: "user" as const },
      { tenant: "acme", subject: "alice", integration: "git-hub" },
      { tenant: "acme", subject: "alice", name: "a" },
    ]) {
      const whole = await probe.list(query)
      for (const limit of [1, 2, 3, whole.length, whole.length + 1]) {
        const pages = await inPages(limit, whole.length, (after: ConnectionRow | undefined) =>
          probe.list({ ...query, limit, ...(after && { after }) }),
        )
        assert.deepEqual(pages, whole)
      }
    }
  })

  test("continues a list after a row that is gone, and misses none of the rest", async (probe) => {
    await manyConnections(probe)
    const query = { tenant: "acme", subject: "alice" }
    const whole = await probe.list(query)
    const [first, ...rest] = whole
    assert.ok(first !== undefined)
    await probe.remove(first)
    assert.deepEqual(await probe.list({ ...query, after: first }), rest)
    assert.deepEqual(await probe.list({ ...query, after: { integration: "", owner: "org", name: "" } }), rest)
    assert.deepEqual(await probe.list({ ...query, after: { integration: "\uffff", owner: "user", name: "" } }), [])
  })

  test("lists the active rows whose tokens expire soon and can be refreshed, of whichever subject, the soonest first", async (probe) => {
    const row = (name: string, expiresAt: number | null, changes: Partial<ConnectionRow> = {}, subject = "alice") =>
      connection("acme", subject, "github", name, { expiresAt, grant: connectionGrant(), ...changes })
    const [latest, soonest, middle] = [row("a", 3000), row("b", 1000, {}, "bob"), row("c", 2000, {}, "")]
    const forever = connectionGrant({ hasRefreshToken: false })
    const machine = row("machine", 1500, { grant: { ...forever, type: "client_credentials" } })
    const signed = row("signed", 1600, { grant: { ...forever, assertionSubject: "alice" } })
    const others = [
      row("static", 500, { grant: null }),
      row("undated", null),
      row("final", 500, { grant: forever }),
      row("expired", 500, { status: "expired" }),
      row("disabled", 500, { status: "disabled" }),
      { ...row("elsewhere", 500), tenant: "other" },
    ]
    for (const one of [...others, latest, soonest, middle, machine, signed]) assert.equal(await probe.put(one), true)
    assert.deepEqual(await probe.expiring("acme", 1000), [])
    assert.deepEqual(await probe.expiring("acme", 3000), [soonest, machine, signed, middle])
    assert.deepEqual(await probe.expiring("acme", 3001, 5), [soonest, machine, signed, middle, latest])
    assert.deepEqual(await probe.expiring("acme", 3001, 2), [soonest, machine])
  })

  test("gives each row that expires to one of those who claim it, until the claim ends", async (probe) => {
    const rows = ["alpha", "beta", "gamma"].map((name, index) => ({
      ...connection("acme", "alice", "github", name),
      expiresAt: 1000 + index,
      grant: connectionGrant(),
    }))
    for (const row of rows) assert.equal(await probe.put(row), true)
    const [alpha, beta, gamma] = rows
    assert.ok(alpha !== undefined && beta !== undefined && gamma !== undefined)
    assert.deepEqual(await probe.claim("acme", [beta, alpha], { now: 10, until: 20 }), [true, true])
    assert.deepEqual(await probe.claim("acme", [alpha, gamma], { now: 10, until: 30 }), [false, true])
    assert.deepEqual(await probe.claim("other", [alpha], { now: 10, until: 30 }), [true], "Tenants do not meet.")
    assert.deepEqual(await probe.unclaimed("acme", 10), [])
    assert.deepEqual(await probe.unclaimed("acme", 20), [alpha, beta])
    assert.deepEqual(await probe.claim("acme", [alpha, gamma], { now: 20, until: 40 }), [true, false])
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => probe.claim("acme", [gamma, beta], { now: 50, until: 60 })),
    )
    assert.deepEqual(
      [0, 1].map((index) => answers.filter((answer) => answer[index] === true).length),
      [1, 1],
    )
    assert.deepEqual(await probe.claim("acme", [], { now: 0, until: 1 }), [])
  })

  test("says whether anybody in a tenant uses an integration", async (probe) => {
    assert.equal(await probe.isUsed("acme", "github"), false)
    const row = connection("acme", "alice", "github", "alpha")
    await probe.put(row)
    assert.equal(await probe.isUsed("acme", "github"), true)
    assert.equal(await probe.isUsed("acme", "gitHub"), false)
    assert.equal(await probe.isUsed("other", "github"), false)
    await probe.remove(row)
    assert.equal(await probe.isUsed("acme", "github"), false)
  })
}

/** Has several writers, over one or more stores, count a row's description up by compare-and-set, and none may be lost. */
export const countUp = async (probes: ReadonlyArray<StoreProbe>, row: ConnectionRow): Promise<void> => {
  const [writers, rounds] = [8, 10]
  const [reader] = probes
  assert.ok(reader !== undefined)
  await Promise.all(
    Array.from({ length: writers }, async (_, writer) => {
      const probe = probes[writer % probes.length] ?? reader
      let attempts = 0
      for (let done = 0; done < rounds;) {
        // A write may only lose to another that won, and only so many can win.
        assert.ok(attempts++ <= writers * rounds, "A write lost though nobody else wrote.")
        const current = await probe.get(row)
        assert.ok(current !== undefined, "The row vanished.")
        const count = String(Number(current.description ?? 0) + 1)
        if (await probe.put(nextVersion(current, { description: count }))) done += 1
      }
    }),
  )
  const last = await reader.get(row)
  assert.equal(last?.description, String(writers * rounds), "An acknowledged update was lost.")
  assert.equal(last?.version, row.version + writers * rounds)
}

const manyConnections = async (probe: StoreProbe): Promise<ReadonlyArray<ConnectionRow>> => {
  const rows = ["github", "git-hub", "GitHub", "\u{10000}", "\uff21"].flatMap((integration) =>
    ["", "alice", "Alice"].flatMap((subject) =>
      orderedNames
        .slice(0, integration === "git-hub" ? orderedNames.length : 3)
        .map((name) => connection("acme", subject, integration, name)),
    ),
  )
  for (const row of rows) assert.equal(await probe.put(row), true)
  return rows
}
