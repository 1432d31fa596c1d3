import { isDeepStrictEqual } from "node:util"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { canonicalArguments } from "../../src/policy/canonicalArguments.ts"

describe("arguments as one text", () => {
  it("are the same in whatever order they were written", () => {
    expect(canonicalArguments({ b: 1, a: { d: [1, 2], c: null } })).toBe(
      canonicalArguments({ a: { c: null, d: [1, 2] }, b: 1 }),
    )
  })

  it("are equal for equal values only, hostile names included", () => {
    const values = fc.anything({
      key: fc.oneof(fc.string(), fc.constantFrom("__proto__", "a", "b", "constructor", "toJSON", "length")),
      withBigInt: true,
      withNullPrototype: false,
      maxDepth: 3,
    })
    fc.assert(
      fc.property(values, values, (one, other) => {
        const [first, second] = [canonicalArguments(one), canonicalArguments(other)]
        expect(canonicalArguments(structuredClone(one))).toBe(first)
        if (first !== undefined && first === second) expect(isDeepStrictEqual(one, other)).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })

  const cyclic: Record<string, unknown> = {}
  cyclic["self"] = cyclic
  it.each<[string, unknown]>([
    ["a function", { run: () => 1 }],
    ["a symbol", { mark: Symbol("x") }],
    ["a property named by a symbol", { [Symbol("x")]: 1 }],
    ["a date", { at: new Date(0) }],
    ["a map", { map: new Map() }],
    ["an instance of a class", { error: new Error("x") }],
    ["an accessor", Object.defineProperty({}, "now", { get: () => Math.random(), enumerable: true })],
    ["a hidden property", Object.defineProperty({}, "hidden", { value: 1, enumerable: false })],
    // oxlint-disable-next-line no-sparse-arrays -- a hole is what it is about
    ["a hole", { list: [1, , 2] }],
    ["a cycle", cyclic],
    ["more than can be held to", { text: "x".repeat(2_000_000) }],
  ])("are none for %s", (_, args) => {
    expect(canonicalArguments(args)).toBeUndefined()
  })

  it.each<[unknown, unknown]>([
    [{ a: undefined }, {}],
    [{ a: 0 }, { a: -0 }],
    [{ a: 1 }, { a: 1n }],
    [{ a: 1 }, { a: "1" }],
    [{ a: null }, { a: "null" }],
    [{ a: [] }, { a: {} }],
    [{ a: ["b,c"] }, { a: ["b", "c"] }],
    [{ "a:b": 1 }, { a: { b: 1 } }],
    [{ a: "é" }, { a: "e\u0301" }],
  ])("tell %o from %o", (one, other) => {
    expect(canonicalArguments(one)).not.toBe(canonicalArguments(other))
  })
})
