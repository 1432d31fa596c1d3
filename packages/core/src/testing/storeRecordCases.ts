/**
 * What a store does with one kind of record at a time: it gives back exactly what was written, lets one of several writers
 * win, and lists in a stable order, page by page.
 */
import * as assert from "node:assert/strict"
import type { ConnectionRow } from "../connection/Connection.ts"
import type { IntegrationRecord } from "../integration/Integration.ts"
import { interrupted, succeeding } from "./ContractCase.ts"
import { hostileIds, hostileValues } from "./hostileText.ts"
import {
  byCodeUnits,
  connection,
  inListOrder,
  integrationRecord,
  nextVersion,
  type StoreProbe,
  type StoreSuite,
  tools,
} from "./storeProbe.ts"

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
      status: "disabled",
      statusReason: "disabled_by_host",
    })
    for (const row of [alpha, full]) {
      assert.equal(await probe.put(row), true)
      await probe.expectRow(row)
    }
    const cleared = nextVersion(full, { description: null, expiresAt: null, oauthClientOwner: null, items: [] })
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
    await listed({ tenant: "other", subject: "alice" }, () => false)
  })

  test("lists page by page, each row once, whatever the size of a page", async (probe) => {
    await manyConnections(probe)
    for (const query of [
      { tenant: "acme", subject: "alice" },
      { tenant: "acme", subject: "alice", owner: "user" as const },
      { tenant: "acme", subject: "alice", integration: "git-hub" },
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

/** Adds the cases about integrations. */
export const addIntegrationCases = ({ test }: StoreSuite): void => {
  const github = integrationRecord("acme", "github")

  test("gives back an integration exactly as it was written", async (probe) => {
    assert.equal(await probe.integration("acme", "github"), undefined)
    const config = JSON.parse(`{"__proto__":{"a":[1.5,-0,null,true,"\\u0000"]},"constructor":"","":[[],{}]}`) as unknown
    const full = integrationRecord("acme", "full", {
      name: "Full ✓",
      description: hostileValues.map(({ text }) => text.slice(0, 100)).join("|"),
      baseUrl: null,
      origins: [],
      authTemplates: [],
      config: { document: config, large: "x".repeat(300_000), texts: hostileIds.map(({ text }) => text) },
    })
    for (const record of [github, full]) {
      assert.equal(await probe.putIntegration(record), true)
      assert.deepEqual(await probe.integration("acme", record.slug), record)
    }
  })

  test("writes an integration only over the revision that was expected", async (probe) => {
    const second = { ...github, revision: 2, name: "second" }
    assert.equal(await probe.putIntegration(second, 1), false)
    assert.equal(await probe.putIntegration(github, 0), true)
    assert.equal(await probe.putIntegration({ ...github, name: "again" }, 0), false)
    assert.equal(await probe.putIntegration(second, 1), true)
    assert.equal(await probe.putIntegration({ ...second, name: "stale" }, 1), false)
    assert.deepEqual(await probe.integration("acme", "github"), second)
  })

  test("lets exactly one of many writers register an integration", async (probe) => {
    const records = Array.from({ length: 20 }, (_, index) => ({ ...github, name: `writer ${index}` }))
    const won = await Promise.all(records.map((record) => probe.putIntegration(record, 0)))
    assert.equal(won.filter(Boolean).length, 1, "Not exactly one writer won.")
    assert.deepEqual(await probe.integration("acme", "github"), records[won.indexOf(true)])
  })

  test("removes an integration once, and lets it be registered anew", async (probe) => {
    assert.equal(await probe.removeIntegration("acme", "github"), false)
    await probe.putIntegration(github)
    assert.equal(await probe.removeIntegration("other", "github"), false)
    assert.equal(await probe.removeIntegration("acme", "github"), true)
    assert.equal(await probe.removeIntegration("acme", "github"), false)
    assert.equal(await probe.integration("acme", "github"), undefined)
    assert.equal(await probe.putIntegration(github, 0), true)
  })

  test("lists integrations by slug, code unit by code unit, page by page", async (probe) => {
    const records = orderedNames.map((slug) => integrationRecord("acme", slug))
    for (const record of records) await probe.putIntegration(record)
    await probe.putIntegration(integrationRecord("other", "elsewhere"))
    const whole = [...records].sort((one, other) => byCodeUnits(one.slug, other.slug))
    assert.deepEqual(await probe.integrations("acme"), whole)
    for (const limit of [1, 4, whole.length, whole.length + 1]) {
      const pages = await inPages(limit, whole.length, (after: IntegrationRecord | undefined) =>
        probe.integrations("acme", after?.slug, limit),
      )
      assert.deepEqual(pages, whole)
    }
    assert.deepEqual(await probe.integrations("acme", "\uffff"), [])
  })
}

/** Adds the cases about tool catalogs. */
export const addCatalogCases = ({ test }: StoreSuite): void => {
  const shared = { tenant: "acme", integration: "github", revision: 1, connection: null }
  const own = { ...shared, connection: connection("acme", "alice", "github", "alpha") }
  const other = { ...shared, connection: connection("acme", "bob", "github", "alpha") }

  test("gives back a catalog exactly, in its own order, and tells an empty one from none", async (probe) => {
    assert.equal(await probe.catalog(shared), undefined)
    await probe.putCatalog(shared, [])
    assert.deepEqual(await probe.catalog(shared), [])
    const large = tools(1200, "large")
    await probe.putCatalog(shared, large)
    assert.deepEqual(await probe.catalog(shared), large)
    const odd = hostileIds.filter(({ text }) => text !== "").map(({ text }) => ({ name: text, data: { [text]: text } }))
    await probe.putCatalog(shared, odd)
    assert.deepEqual(await probe.catalog(shared), odd)
  })

  test("keeps a catalog to its revision", async (probe) => {
    await probe.putCatalog(shared, tools(2, "first"))
    assert.equal(await probe.catalog({ ...shared, revision: 2 }), undefined)
    await probe.putCatalog({ ...shared, revision: 2 }, tools(3, "second"))
    assert.deepEqual(await probe.catalog({ ...shared, revision: 2 }), tools(3, "second"))
    assert.equal(await probe.catalog({ ...shared, revision: 3 }), undefined)
  })

  test("keeps the catalogs of an integration and of its connections apart", async (probe) => {
    const org = { ...shared, connection: connection("acme", "", "github", "alpha") }
    const keys = [shared, own, other, org, { ...own, connection: { ...own.connection, name: "Alpha" } }]
    for (const [index, key] of keys.entries()) {
      assert.equal(await probe.catalog(key), undefined)
      await probe.putCatalog(key, tools(1, `catalog ${index}`))
    }
    for (const [index, key] of keys.entries()) assert.deepEqual(await probe.catalog(key), tools(1, `catalog ${index}`))
  })

  test("removes one connection's catalog at any revision, and leaves the others", async (probe) => {
    for (const key of [shared, own, other]) await probe.putCatalog({ ...key, revision: 7 }, tools(1, "kept"))
    await probe.removeCatalog(own)
    assert.equal(await probe.catalog({ ...own, revision: 7 }), undefined)
    assert.deepEqual(await probe.catalog({ ...other, revision: 7 }), tools(1, "kept"))
    assert.deepEqual(await probe.catalog({ ...shared, revision: 7 }), tools(1, "kept"))
    await probe.removeCatalog(own)
  })

  test("removes every catalog of an integration, and none of another", async (probe) => {
    const another = { ...shared, integration: "gitlab" }
    const elsewhere = { ...shared, tenant: "other" }
    for (const key of [shared, own, other, another, elsewhere]) await probe.putCatalog(key, tools(1, "kept"))
    await probe.removeCatalog(shared)
    for (const key of [shared, own, other]) assert.equal(await probe.catalog(key), undefined)
    for (const key of [another, elsewhere]) assert.deepEqual(await probe.catalog(key), tools(1, "kept"))
  })

  test("shows one of the catalogs whole while and after many are written at once", async (probe) => {
    const catalogs = Array.from({ length: 8 }, (_, index) => tools(20 + index, `writer ${index}`))
    const seen = await Promise.all(
      catalogs.map(async (catalog) => {
        const write = probe.putCatalog(shared, catalog)
        const found = await probe.catalog(shared)
        await write
        return found
      }),
    )
    for (const found of [...seen, await probe.catalog(shared)]) {
      if (found !== undefined) assert.deepEqual(found, catalogs[found.length - 20])
    }
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

/** Everything in pages of a size; stops with an error where a store would lead round in circles. */
const inPages = async <A>(
  limit: number,
  expected: number,
  read: (after: A | undefined) => Promise<ReadonlyArray<A>>,
): Promise<ReadonlyArray<A>> => {
  const seen: Array<A> = []
  for (;;) {
    const page = await read(seen.at(-1))
    assert.ok(page.length <= limit, "A page is longer than its limit.")
    seen.push(...page)
    assert.ok(seen.length <= expected, "The pages hold more than the whole list.")
    if (page.length < limit) return seen
  }
}

/**
 * Names whose order is a trap: by UTF-8 bytes or by code points U+10000 comes after U+FF21, by UTF-16 code units before;
 * a collation folds case, width and composition, or ignores signs.
 */
const orderedNames = [
  "b",
  "a",
  "B",
  "A",
  "_",
  "$",
  "a1",
  "a10",
  "a2",
  "é",
  "e\u0301",
  "e",
  "Z",
  "\u{10000}",
  "\uff21",
  "ß",
  "ss",
]

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
