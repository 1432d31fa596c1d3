import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { keyText, partitionText } from "../src/keyText.ts"

/** Text rich in what the encoding treats apart. */
const text = fc
  .array(
    fc.oneof(
      fc.constantFrom("\0", "\u0001", "\u0002", "a", "\ud7ff", "\ue000", "\uff21", "\uffff", "\u{10000}", "\u{10ffff}"),
      fc.string({ unit: "binary", maxLength: 3 }),
    ),
    { maxLength: 6 },
  )
  .map((pieces) => pieces.join(""))

const sign = (one: number): number => Math.sign(one)

describe("the text of a key column", () => {
  it("leaves ordinary names as they are", () => {
    for (const name of ["", "acme", "my-api key", "ключ", "密钥", "👩🏽‍💻"]) {
      expect(keyText(name)).toBe(name)
      expect(partitionText(name)).toBe(name)
    }
  })

  it("compares byte by byte in UTF-8 as the name does code unit by code unit", () => {
    fc.assert(
      fc.property(text, text, (one, other) => {
        const byBytes = Buffer.compare(Buffer.from(keyText(one)), Buffer.from(keyText(other)))
        expect(sign(byBytes)).toBe(one < other ? -1 : one > other ? 1 : 0)
      }),
      { numRuns: 2000 },
    )
  })

  it("holds no U+0000, which Postgres has not", () => {
    fc.assert(fc.property(text, (name) => !keyText(name).includes("\0")))
  })

  it("tells apart what is not well-formed", () => {
    const names = ["\ud800", "\udc00", "\udc00\ud800", "\ufffd", "a\ud800"]
    expect(new Set(names.map(keyText)).size).toBe(names.length)
    expect(names.every((name) => keyText(name).isWellFormed())).toBe(true)
  })
})

describe("the text of a partition", () => {
  it("fits an index, and is another for each tenant", () => {
    const long = ["密".repeat(512), `${"密".repeat(511)}a`, "k".repeat(512), "\uff21".repeat(100)]
    const texts = long.map(partitionText)
    expect(new Set(texts).size).toBe(long.length)
    for (const one of texts) expect(Buffer.byteLength(one)).toBeLessThanOrEqual(256)
  })
})
