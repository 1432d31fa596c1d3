import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { matchesPattern, parseAddressPattern } from "../../src/policy/AddressPattern.ts"
import { byOrder } from "../../src/policy/Policy.ts"
import { PolicyIndex, policyIndex } from "../../src/policy/PolicyIndex.ts"
import { toolAddress } from "../../src/tool/ToolAddress.ts"
import { asRegExp, naiveFirst, patterns, places, rule, ruleLists } from "./rules.ts"

const main = { integration: "github", owner: "org", name: "main" } as const
const firstOf = (index: PolicyIndex, tool: string, connection: Parameters<PolicyIndex["first"]>[0] = main) =>
  index.first(connection, tool, toolAddress(connection, tool))

describe("the index over rules", () => {
  it("finds what asking each rule in turn finds, for any rules and names, also when asked again", () => {
    fc.assert(
      fc.property(ruleLists, fc.array(places, { minLength: 1, maxLength: 10 }), (rules, asked) => {
        const index = new PolicyIndex(rules)
        for (const { connection, tool } of [...asked, ...asked]) {
          expect(firstOf(index, tool, connection)).toBe(naiveFirst(rules, connection, tool))
        }
      }),
      { numRuns: 500 },
    )
  })

  it("matches as the documented rules say, written as a regular expression over the whole address", () => {
    fc.assert(
      fc.property(patterns, places, (pattern, { connection, tool }) => {
        const parsed = parseAddressPattern(pattern)
        if ("fault" in parsed) return
        expect(matchesPattern(parsed, connection, tool)).toBe(asRegExp(pattern).test(toolAddress(connection, tool)))
      }),
      { numRuns: 2000 },
    )
  })

  it("answers with the rule that stands first, wherever it is filed", () => {
    const rules = [
      rule("tools.*.*.*.repos/delete*"),
      rule("tools.github.org.main.repos/delete"),
      rule("tools.github.*"),
      rule("*"),
    ]
    const index = new PolicyIndex(rules)
    expect(firstOf(index, "repos/delete")).toBe(rules[0])
    expect(firstOf(index, "repos/get")).toBe(rules[2])
    expect(firstOf(index, "repos/get", { ...main, integration: "gitlab" })).toBe(rules[3])
    expect(firstOf(new PolicyIndex(rules.toReversed()), "repos/delete")).toBe(rules[3])
    expect(firstOf(new PolicyIndex([]), "repos/delete")).toBeUndefined()
  })

  it("keeps answering after more addresses than it remembers", () => {
    const index = new PolicyIndex([rule("tools.github.*.*.t7*")])
    for (let round = 0; round < 2; round += 1) {
      for (let tool = 0; tool < 6000; tool += 1) {
        expect(firstOf(index, `t${tool}`) !== undefined).toBe(`${tool}`.startsWith("7"))
      }
    }
  })

  it("lets a rule that it cannot read restrict everything, and allow nothing", () => {
    const blocking = rule("tools.from the future", { action: "block" })
    expect(firstOf(new PolicyIndex([blocking]), "x")).toBe(blocking)
    expect(firstOf(new PolicyIndex([rule("tools.from the future", { action: "approve" })]), "x")).toBeUndefined()
  })

  it("is made once per list", () => {
    const rules = [rule("*")]
    expect(policyIndex(rules)).toBe(policyIndex(rules))
    expect(policyIndex([...rules])).not.toBe(policyIndex(rules))
  })
})

describe("the order of rules", () => {
  it("is by order, then the older, then by id", () => {
    const rules = [
      rule("d", { order: 2 }),
      rule("c", { order: 1, createdAt: 5, id: "c" }),
      rule("b", { order: 1, createdAt: 5, id: "b" }),
      rule("a", { order: -1.5 }),
      rule("e", { order: 1, createdAt: 4 }),
    ]
    expect(rules.toSorted(byOrder).map(({ pattern }) => pattern)).toEqual(["a", "e", "b", "c", "d"])
  })
})
