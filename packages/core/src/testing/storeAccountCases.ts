/**
 * What a store does with defaults among connections: one per tenant, subject, integration and owner, replaced and removed at once.
 */
import * as assert from "node:assert/strict"
import { hostileIds, lookAlikeIds } from "./hostileText.ts"
import { connection, type StoreSuite } from "./storeProbe.ts"

/** Adds the cases about defaults. */
export const addAccountCases = ({ can, test }: StoreSuite): void => {
  const key = connection("acme", "alice", "github", "any")
  const alpha = { name: "alpha", incarnation: "first" }
  const beta = { name: "beta", incarnation: "second" }

  test("gives back the default that was written last, until it is removed", async (probe) => {
    assert.equal(await probe.defaultOf(key), undefined)
    assert.equal(await probe.removeDefault(key), false)
    await probe.putDefault(key, alpha)
    assert.deepEqual(await probe.defaultOf(key), alpha)
    await probe.putDefault(key, beta)
    await probe.putDefault(key, beta)
    assert.deepEqual(await probe.defaultOf(key), beta)
    assert.equal(await probe.removeDefault(key), true)
    assert.equal(await probe.removeDefault(key), false)
    assert.equal(await probe.defaultOf(key), undefined)
  })

  test("removes a default of a given name only while it is of that name", async (probe) => {
    await probe.putDefault(key, alpha)
    assert.equal(await probe.removeDefault(key, "beta"), false)
    assert.deepEqual(await probe.defaultOf(key), alpha)
    assert.equal(await probe.removeDefault(key, "alpha"), true)
    assert.equal(await probe.removeDefault(key, "alpha"), false)
    assert.equal(await probe.defaultOf(key), undefined)
  })

  test("keeps the defaults of tenants, subjects, owners and integrations apart, and any name as it was", async (probe) => {
    const texts = [...hostileIds.map(({ text }) => text), ...lookAlikeIds.flatMap(({ ids }) => ids)]
    const usable = [...new Set(texts)].filter((text) => text !== "" && text.length <= 512)
    const rows = usable.flatMap((text, index) => [
      connection(text, "alice", "github", `tenant ${index}`),
      connection("acme", text, "github", `subject ${index}`),
      connection("acme", "", text, text),
    ])
    const accountOf = ({ name }: { readonly name: string }) => ({ name, incarnation: `of ${name}` })
    for (const row of rows) await probe.putDefault(row, accountOf(row))
    for (const row of rows) assert.deepEqual(await probe.defaultOf(row), accountOf(row))
    const [first, ...others] = rows
    assert.ok(first)
    assert.equal(await probe.removeDefault(first, first.name), true)
    for (const row of others) assert.deepEqual(await probe.defaultOf(row), accountOf(row))
    for (const row of others) assert.equal(await probe.removeDefault(row, row.name), true)
  })

  test("leaves one of many defaults that are written at once", async (probe) => {
    const accounts = Array.from({ length: 8 }, (_, index) => ({ name: `account${index}`, incarnation: `of ${index}` }))
    await Promise.all(accounts.map((account) => probe.putDefault(key, account)))
    const left = await probe.defaultOf(key)
    assert.deepEqual(left, accounts.find(({ name }) => name === left?.name) ?? "one of them")
  })

  if (can.durable) {
    test("shows a default to every process as soon as it is written or removed", async (probe) => {
      const other = await probe.open()
      assert.equal(await other.defaultOf(key), undefined)
      await probe.putDefault(key, alpha)
      assert.deepEqual(await other.defaultOf(key), alpha)
      await other.putDefault(key, beta)
      assert.deepEqual(await probe.defaultOf(key), beta)
      assert.equal(await probe.removeDefault(key), true)
      assert.equal(await other.defaultOf(key), undefined)
    })
  }
}
