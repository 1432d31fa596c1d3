/**
 * What a store does with defaults among connections: one per tenant, subject, integration and owner, replaced and removed at once.
 */
import * as assert from "node:assert/strict"
import { hostileIds, lookAlikeIds } from "./hostileText.ts"
import { connection, type StoreSuite } from "./storeProbe.ts"

/** Adds the cases about defaults. */
export const addAccountCases = ({ can, test }: StoreSuite): void => {
  const alpha = connection("acme", "alice", "github", "alpha")
  const beta = connection("acme", "alice", "github", "beta")

  test("gives back the default that was written last, until it is removed", async (probe) => {
    assert.equal(await probe.defaultOf(alpha), undefined)
    assert.equal(await probe.removeDefault(alpha), false)
    await probe.putDefault(alpha)
    assert.equal(await probe.defaultOf(beta), "alpha")
    await probe.putDefault(beta)
    await probe.putDefault(beta)
    assert.equal(await probe.defaultOf(alpha), "beta")
    assert.equal(await probe.removeDefault(alpha), true)
    assert.equal(await probe.removeDefault(alpha), false)
    assert.equal(await probe.defaultOf(alpha), undefined)
  })

  test("removes a default of a given name only while it is that one", async (probe) => {
    await probe.putDefault(alpha)
    assert.equal(await probe.removeDefault(alpha, "beta"), false)
    assert.equal(await probe.defaultOf(alpha), "alpha")
    assert.equal(await probe.removeDefault(alpha, "alpha"), true)
    assert.equal(await probe.defaultOf(alpha), undefined)
  })

  test("keeps the defaults of tenants, subjects, owners and integrations apart, and any name as it was", async (probe) => {
    const texts = [...hostileIds.map(({ text }) => text), ...lookAlikeIds.flatMap(({ ids }) => ids)]
    const usable = [...new Set(texts)].filter((text) => text !== "" && text.length <= 512)
    const rows = usable.flatMap((text, index) => [
      connection(text, "alice", "github", `tenant ${index}`),
      connection("acme", text, "github", `subject ${index}`),
      connection("acme", "", text, text),
    ])
    for (const row of rows) await probe.putDefault(row)
    for (const row of rows) assert.equal(await probe.defaultOf(row), row.name)
    const [first] = rows
    assert.ok(first)
    assert.equal(await probe.removeDefault(first), true)
    for (const row of rows.slice(1)) assert.equal(await probe.defaultOf(row), row.name)
  })

  test("leaves one of many defaults that are written at once", async (probe) => {
    const names = Array.from({ length: 8 }, (_, index) => `account${index}`)
    await Promise.all(names.map((name) => probe.putDefault({ ...alpha, name })))
    assert.ok(names.includes((await probe.defaultOf(alpha)) ?? ""))
  })

  if (can.durable) {
    test("shows a default to every process as soon as it is written or removed", async (probe) => {
      const other = await probe.open()
      assert.equal(await other.defaultOf(alpha), undefined)
      await probe.putDefault(alpha)
      assert.equal(await other.defaultOf(alpha), "alpha")
      await other.putDefault(beta)
      assert.equal(await probe.defaultOf(alpha), "beta")
      assert.equal(await probe.removeDefault(alpha), true)
      assert.equal(await other.defaultOf(alpha), undefined)
    })
  }
}
