/**
 * What keeps the records of tenants, subjects and processes apart or together: isolation under names made to collide, and
 * for durable stores what other handles and later openings see.
 */
import * as assert from "node:assert/strict"
import type * as FastCheck from "fast-check"
import type { ConnectionRow } from "../connection/Connection.ts"
import { hostileIds, lookAlikeIds } from "./hostileText.ts"
import { countUp } from "./storeConnectionCases.ts"
import { inListOrder } from "./storeLists.ts"
import { connection, integrationRecord, nextVersion, type StoreProbe, type StoreSuite, tools } from "./storeProbe.ts"

/** Adds the cases about tenants and subjects that must never meet. */
export const addIsolationCases = ({ test, withStore }: StoreSuite): void => {
  for (const [part, at] of [
    ["tenants", (text: string) => connection(text, "alice", "github", "alpha")],
    ["subjects", (text: string) => connection("acme", text, "github", "alpha")],
    ["integrations", (text: string) => connection("acme", "alice", text, "alpha")],
    ["names", (text: string) => connection("acme", "alice", "github", text)],
  ] as const) {
    test(`keeps ${part} apart whose names are hostile or look alike`, async (probe) => {
      const texts = [...hostileIds.map(({ text }) => text), ...lookAlikeIds.flatMap(({ ids }) => ids)]
      const usable = [...new Set(texts)].filter((text) => text !== "" && text.length <= 512)
      await expectApart(probe, usable.map(at))
    })
  }

  test("keeps any identities and names apart, also where they were made to collide", async () => {
    const fc = await fastCheck()
    const piece = fc.oneof(
      fc.constantFrom("a", "b", "A", "..", "%2F", "__proto__", "\u00e9", "1"),
      fc.string({ unit: "binary", minLength: 1, maxLength: 5 }),
    )
    const identities = fc
      .tuple(fc.array(piece, { minLength: 5, maxLength: 5 }), fc.tuple(piece, piece, piece, piece))
      .map(([pieces, parts]) => [
        ...separators.flatMap((separator) => cutApart(pieces, separator)),
        ...respelled(parts),
      ])
    await fc.assert(
      fc.asyncProperty(identities, (rows) => withStore((probe) => expectApart(probe, distinct(rows)))),
      { numRuns: 3 },
    )
  })
}

/** What careless code joins the parts of a key with. */
const separators = [":", "/", "|", ".", ",", "-", "_", "%", "\0", " ", "\\", "::"]

/** Every row whose parts, joined by the separator, give the same text: what a joined key would mix up. */
const cutApart = (pieces: ReadonlyArray<string>, separator: string): ReadonlyArray<ConnectionRow> => {
  const part = (from: number, to: number): string => pieces.slice(from, to).join(separator)
  const last = pieces.length
  const rows: Array<ConnectionRow> = []
  for (let one = 1; one < last; one++) {
    for (let two = one + 1; two < last; two++) {
      rows.push(connection(part(0, one), "", part(one, two), part(two, last)))
      for (let three = two + 1; three < last; three++) {
        rows.push(connection(part(0, one), part(one, two), part(two, three), part(three, last)))
      }
    }
  }
  return rows
}

/** A row, and the same with one part in another case, composition or encoding. */
const respelled = (parts: readonly [string, string, string, string]): ReadonlyArray<ConnectionRow> => {
  const base = parts.map((part) => `Ab/\u00e9${part}`) as [string, string, string, string]
  const spellings = [
    (text: string) => text.toLowerCase(),
    (text: string) => text.toUpperCase(),
    (text: string) => text.normalize("NFD"),
    (text: string) => encodeURIComponent(text),
    (text: string) => ` ${text}`,
    (text: string) => `${text}\0`,
  ]
  const others = spellings.flatMap((spell) =>
    base.map((text, index) => base.with(index, spell(text)) as [string, string, string, string]),
  )
  return [base, ...others].map((row) => connection(...row))
}

const distinct = (rows: ReadonlyArray<ConnectionRow>): ReadonlyArray<ConnectionRow> => [
  ...new Map(rows.map((row) => [keyOf(row), row])).values(),
]

/** Adds the cases about stores that outlive their process, and about stores that do not work. */
export const addLifetimeCases = ({ can, test }: StoreSuite): void => {
  const alpha = connection("acme", "alice", "github", "alpha")

  test("fails every call as unavailable once it is closed, where it can be", async (probe) => {
    await probe.put(alpha)
    await probe.close()
    if (probe.store.close !== undefined) await probe.expectUnavailable("on a closed store")
    await probe.close()
  })

  if (can.breakable) {
    test("fails every call as unavailable when its backend cannot be reached", async (probe) => {
      await probe.put(alpha)
      await probe.breakBackend()
      await probe.expectUnavailable("without its backend")
    })
  }

  if (!can.durable) return

  test("gives back everything after it was closed and opened again", async (probe) => {
    const key = { tenant: "acme", integration: "github", revision: 1, connection: null }
    await probe.put(alpha)
    await probe.putIntegration(integrationRecord("acme", "github"))
    await probe.putCatalog(key, tools(3, "kept"))
    await probe.close()
    const reopened = await probe.open()
    await reopened.expectRow(alpha)
    assert.deepEqual(await reopened.integration("acme", "github"), integrationRecord("acme", "github"))
    assert.deepEqual(await reopened.catalog(key), tools(3, "kept"))
    assert.equal(await reopened.put(alpha, 0), false)
  })

  test("shows at once what another handle wrote or removed", async (probe) => {
    const another = await probe.open()
    await another.expectNoRow(alpha)
    await probe.put(alpha)
    await another.expectRow(alpha)
    assert.deepEqual(await another.list({ tenant: "acme", subject: "alice" }), [alpha])
    assert.equal(await another.put(nextVersion(alpha)), true)
    await probe.expectRow(nextVersion(alpha))
    assert.equal(await another.remove(alpha), true)
    await probe.expectNoRow(alpha)
    assert.deepEqual(await probe.list({ tenant: "acme", subject: "alice" }), [])
  })

  test("loses no update when several handles compare and set at once", async (probe) => {
    await probe.put(alpha)
    await countUp([probe, await probe.open(), await probe.open()], alpha)
  })
}

/** Writes every row and expects that each is seen by its own key and its own viewers only, also as they are removed. */
const expectApart = async (probe: StoreProbe, rows: ReadonlyArray<ConnectionRow>): Promise<void> => {
  const marked = rows.map((row, index) => ({ ...row, description: `row ${index}` }))
  for (const [index, row] of marked.entries()) {
    assert.equal(await probe.put(row), true, `Row ${index} met another: ${keyOf(row)}`)
    const key = { tenant: row.tenant, integration: row.integration, revision: 1, connection: row }
    await probe.putCatalog(key, [{ name: `tool ${index}` }])
  }
  await expectExactly(probe, marked, marked)
  const [gone, left] = [marked.filter((_, index) => index % 2 === 0), marked.filter((_, index) => index % 2 === 1)]
  for (const row of gone) {
    assert.equal(await probe.remove(row, 1), true)
    await probe.removeCatalog({ tenant: row.tenant, integration: row.integration, connection: row })
  }
  await expectExactly(probe, marked, left)
}

const expectExactly = async (
  probe: StoreProbe,
  all: ReadonlyArray<ConnectionRow>,
  stored: ReadonlyArray<ConnectionRow>,
): Promise<void> => {
  for (const [index, row] of all.entries()) {
    const key = { tenant: row.tenant, integration: row.integration, revision: 1, connection: row }
    const isStored = stored.includes(row)
    assert.deepEqual(await probe.get(row), isStored ? row : undefined, `Not exactly its own row: ${keyOf(row)}`)
    const catalog = isStored ? [{ name: `tool ${index}` }] : undefined
    assert.deepEqual(await probe.catalog(key), catalog, `Not exactly its own catalog: ${keyOf(row)}`)
    const isUsed = stored.some(({ tenant, integration }) => tenant === row.tenant && integration === row.integration)
    assert.equal(await probe.isUsed(row.tenant, row.integration), isUsed)
  }
  const viewers = new Map(all.map(({ tenant, subject }) => [JSON.stringify([tenant, subject]), { tenant, subject }]))
  for (const { tenant, subject } of viewers.values()) {
    const visible = stored.filter((row) => row.tenant === tenant && (row.subject === "" || row.subject === subject))
    const listed = await probe.list({ tenant, subject: subject === "" ? null : subject })
    assert.deepEqual(listed, inListOrder(visible), `Not exactly the rows of ${JSON.stringify([tenant, subject])}.`)
  }
}

const keyOf = ({ tenant, subject, integration, name }: ConnectionRow): string =>
  JSON.stringify([tenant, subject, integration, name])

/** Loaded when the property runs, so that nobody needs it who does not test a store. */
const fastCheck = async (): Promise<typeof FastCheck> => {
  try {
    return await import("fast-check")
  } catch {
    return assert.fail("The store contract makes random identities with fast-check 4; add it to your devDependencies.")
  }
}
