import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { compileGlob } from "../../src/policy/Glob.ts"

const matches = (pattern: string, text: string): boolean => compileGlob(pattern).matches(text)

/** The same question, answered by a regular expression. */
const oracle = (pattern: string, name: string): boolean =>
  new RegExp(`^${pattern.replaceAll(".", "\\.").replaceAll("*", "[^]*")}$`, "u").test(name)

const letters = fc.string({ unit: fc.constantFrom("a", "b", "."), maxLength: 8 })
const patterns = fc.string({ unit: fc.constantFrom("a", "b", ".", "*"), maxLength: 8 })

describe("a pattern over names", () => {
  it.each([
    ["issues.list", "issues.list", true],
    ["issues.list", "issues.lists", false],
    ["issues.*", "issues.list.all", true],
    ["issues.*", "issues.", true],
    ["issues.*", "issues", false],
    ["*.list", "issues.list", true],
    ["*", "", true],
    ["a*a", "a", false],
    ["*a*b*", "xaxbx", true],
    ["*a*b*", "xbxax", false],
    ["Issues", "issues", false],
  ])("%s and %s: %s", (pattern, name, expected) => {
    expect(matches(pattern, name)).toBe(expected)
  })

  it("matches what a regular expression with the same meaning matches", () => {
    fc.assert(
      fc.property(patterns, letters, (pattern, name) => matches(pattern, name) === oracle(pattern, name)),
      {
        numRuns: 5000,
      },
    )
  })

  it("covers only patterns all of whose names it matches", () => {
    fc.assert(
      fc.property(patterns, patterns, letters, (wider, narrower, name) => {
        if (matches(wider, narrower) && matches(narrower, name)) expect(matches(wider, name)).toBe(true)
      }),
      { numRuns: 20_000 },
    )
    expect(matches("a*", "a*b")).toBe(true)
    expect(matches("a*b", "a*")).toBe(false)
    expect(matches("*", "*")).toBe(true)
    expect(matches("a", "*")).toBe(false)
  })

  it("is decided in a time that grows with its length, whatever it is", () => {
    expect(matches("*a".repeat(200), "a".repeat(512))).toBe(true)
    expect(matches(`${"*a".repeat(200)}b`, "a".repeat(512))).toBe(false)
  })
})
