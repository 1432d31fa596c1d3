/**
 * What a store does with integrations and their tool catalogs: each comes back exactly as it was written, is replaced whole
 * or not at all, and goes when it is removed.
 */
import * as assert from "node:assert/strict"
import type { IntegrationRecord } from "../integration/Integration.ts"
import { hostileIds, hostileValues } from "./hostileText.ts"
import { byCodeUnits, inPages, orderedNames } from "./storeLists.ts"
import { connection, integrationRecord, type StoreSuite, tools } from "./storeProbe.ts"

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
