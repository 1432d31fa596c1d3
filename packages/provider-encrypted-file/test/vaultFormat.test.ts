/** The bytes of the format, against committed vectors, a second implementation, and the page that describes them. */
import { createSecretKey } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { inspectVault } from "@keyward/provider-encrypted-file"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { formatHead, formatRecord, parseHead, parseHeader, parseRecord } from "../src/vaultFormat.ts"
import { linesOf } from "./support/lines.ts"
import { type SecondReading, secondReading } from "./support/secondReader.ts"
import { key, vaultFolder } from "./support/vaultFolder.ts"

const page = readFileSync(join(import.meta.dirname, "../../../docs/reference/encrypted-file-format.md"), "utf8")
const vectors = JSON.parse(readFileSync(join(import.meta.dirname, "vectors/vectors.json"), "utf8")) as ReadonlyArray<{
  readonly file: string
  readonly key?: string
  readonly passphrase?: string
  readonly reading: SecondReading
}>
const chaining = createSecretKey(Buffer.alloc(32, 3))

describe("the format of a vault", () => {
  for (const { file, reading, key, passphrase = "" } of vectors) {
    const bytes = readFileSync(join(import.meta.dirname, "vectors", file))
    const given = key === undefined ? { passphrase } : { key: Buffer.from(key, "hex") }

    it(`reads ${file} as the vectors say`, async () => {
      const { open, replace, path } = vaultFolder()
      replace(bytes)
      const { ids, get } = open({ key: undefined, ...given })
      expect(await ids()).toEqual(reading.entries.map(({ id }) => id).sort())
      for (const { id, value } of reading.entries) expect(await get(id)).toBe(value)
      const { seq, vault, entries, verified } = await inspectVault(path, given)
      expect({ seq, vault, entries }).toEqual({
        seq: reading.seq,
        vault: reading.vault,
        entries: reading.entries.length + reading.lost.length,
      })
      expect(verified).toMatchObject({ damagedRecords: 0, damagedEntries: reading.lost.length })
    })

    it(`is read the same from ${file} by a second implementation`, () => {
      expect(secondReading(bytes, given)).toEqual(reading)
    })

    it(`is explained with the values of ${file}`, () => {
      for (const name of ["vault", "kek", "wrapKey", "headerKey", "nameKey", "chainKey"] as const) {
        expect(page).toContain(reading[name])
      }
      for (const { name } of reading.entries) expect(page).toContain(name)
    })
  }

  it("is written so that a second implementation reads it", async () => {
    const { open, read } = vaultFolder()
    const { set, delete: remove, provider } = open()
    const stored = (): Map<string, string> =>
      new Map(secondReading(read(), { key }).entries.map(({ id, value }) => [id, value]))
    for (let index = 0; index < 12; index++) await set(`id ${index % 5}`, `value ${index}`)
    await remove("id 3")
    const expected = new Map([10, 11, 7, 9].map((index) => [`id ${index % 5}`, `value ${index}`]))
    expect(stored()).toEqual(expected)
    await provider.rotateDataKey()
    expect(stored()).toEqual(expected)
  })

  it("begins with a line that fills whole blocks of 4,096 bytes", async () => {
    const { open, read } = vaultFolder()
    await open().set("a", "one")
    const parsed = parseHeader(read())
    expect(parsed).toMatchObject({ is: "header", line: { bytes: 4096 } })
    expect(linesOf(read()).start).toBe(4096 + 1024)
  })

  it("tells any first line from a header without failing", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 300 }),
          fc.string().map((text) => Buffer.from(`keyward-vault ${text}\n`)),
        ),
        (bytes) => {
          expect(parseHeader(Buffer.from(bytes)).is).toBe("corrupt")
        },
      ),
    )
  })

  it("gives back the record it wrote, and none when a byte differs", () => {
    const name = fc.stringMatching(/^[A-Za-z0-9_-]{22}$/)
    const body = fc.record({
      kind: fc.constantFrom("put", "del", "lost", "key"),
      subject: name,
      version: fc.nat(),
      jwe: fc.option(
        fc.stringMatching(/^[A-Za-z0-9_.-]{2,80}$/).map((text) => Buffer.from(text)),
        { nil: undefined },
      ),
    })
    const place = fc.record({ seq: fc.nat(), prev: name, recent: fc.array(name, { maxLength: 8 }) })
    fc.assert(
      fc.property(body, place, fc.nat(), fc.integer({ min: 1, max: 255 }), (written, at, position, change) => {
        const { line, record } = formatRecord(written, at, chaining)
        const bare = line.subarray(0, -1)
        const read = parseRecord(bare, chaining)
        expect(read && { ...read, jwe: read.jwe && Buffer.from(read.jwe) }).toEqual({
          ...record,
          jwe: record.jwe && Buffer.from(record.jwe),
        })
        const changed = Buffer.from(bare)
        changed[position % bare.length] = (changed[position % bare.length] ?? 0) ^ change
        expect(parseRecord(changed, chaining)).toBeUndefined()
      }),
    )
  })

  it("takes the newer of two copies of the head, and either when the other is damaged", () => {
    const head = (seq: number) => ({ seq, mac: "m".repeat(22), recent: ["n".repeat(22)] })
    const [older, newer] = [formatHead(head(4), chaining), formatHead(head(5), chaining)]
    const torn = Buffer.concat([newer.subarray(0, 512), older.subarray(512)])
    expect(parseHead(torn, chaining)).toEqual(head(5))
    expect(parseHead(Buffer.concat([older.subarray(0, 512), newer.subarray(512)]), chaining)).toEqual(head(5))
    expect(parseHead(Buffer.concat([Buffer.alloc(512), newer.subarray(512)]), chaining)).toEqual(head(5))
    expect(parseHead(Buffer.concat([newer.subarray(0, 512), Buffer.alloc(512)]), chaining)).toEqual(head(5))
    expect(parseHead(Buffer.alloc(1024), chaining)).toBeUndefined()
    expect(parseHead(newer, createSecretKey(Buffer.alloc(32, 4)))).toBeUndefined()
  })
})
