import { describe, expect, it } from "vitest"
import { type AddressPattern, matchesPattern, parseAddressPattern } from "../../src/policy/AddressPattern.ts"
import { parseToolAddress } from "../../src/tool/ToolAddress.ts"

const read = (text: string): AddressPattern => {
  const pattern = parseAddressPattern(text)
  if ("fault" in pattern) throw new Error(`${text} ${pattern.fault}`)
  return pattern
}

const matches = (pattern: string, address: string): boolean => {
  const parsed = parseToolAddress(address)
  if (parsed === undefined) throw new Error(`${address} is no address`)
  return matchesPattern(read(pattern), parsed.connection, parsed.tool)
}

describe("a pattern over addresses", () => {
  const get = "tools.github.org.main.repos/get"
  it.each([
    ["*", get],
    ["**", get],
    ["tools.*", get],
    ["tools.**", get],
    ["tools.github.*", get],
    ["tools.git*", get],
    ["tools.github.org*", get],
    ["tools.github.org.ma*", get],
    ["tools.github.org.main.*", get],
    ["tools.github.org.main.**", get],
    ["tools.github.org.main.repos/get", get],
    ["tools.github.*.*.repos/*", get],
    ["tools.*.*.*.*/get", get],
    ["tools.*hub.o*g.m*n.r*s/*t", get],
    ["tools.github.*.*.repos/get*", get],
    ["tools.github.org.main.issues.*", "tools.github.org.main.issues.labels.add"],
    ["tools.github.org.main.*.add", "tools.github.org.main.issues.labels.add"],
    ["tools.github.*.main.a*c", "tools.github.user.main.a.b/\n*c"],
    ["tools.github.*.*.a*b*c", "tools.github.org.main.abbc"],
  ])("%j is about %j", (pattern, address) => {
    expect(matches(pattern, address)).toBe(true)
  })

  it.each([
    ["tools.github.*", "tools.gitlab.org.main.repos/get"],
    ["tools.git*.org.main.x", "tools.github.user.main.x"],
    ["tools.github.*.repos*", get],
    ["tools.github.user.*", get],
    ["tools.github.org.main.repos/get", "tools.github.org.main.repos/get2"],
    ["tools.github.org.main.repos/get", "tools.github.org.main.Repos/get"],
    ["tools.github.*.*.repos/delete*", get],
    ["tools.github.org.*.add", "tools.github.org.main.issues.add"],
    ["tools.github.*.*.ab*ba", "tools.github.org.main.aba"],
    ["tools.github.*.*.a*b*b", "tools.github.org.main.ab"],
  ])("%j is not about %j", (pattern, address) => {
    expect(matches(pattern, address)).toBe(false)
  })

  it.each<[unknown, RegExp]>([
    ["", /text/],
    [undefined, /text/],
    [7, /text/],
    ["github.*", /begin with "tools\."/],
    ["*.github.*", /begin with "tools\."/],
    ["tools", /begin|ends before/],
    ["tools.github", /ends before the tool's name/],
    ["tools.github.org.main", /ends before the tool's name/],
    ["tools.github.team.main.x", /owner "team"/],
    ["tools.github.x*", /owner "x\*"/],
    ["tools..org.main.x", /empty part/],
    ["tools.github.org.main.", /empty part/],
    ["tools.github.", /empty part/],
    ["tools.my api.*", /integration "my api"/],
    [`tools.${"a".repeat(129)}.*`, /integration/],
    ["tools.github.org.my-api-key.x", /it is called "myApiKey" there/],
    ["tools.github.org.1st.x", /"_1st"/],
    ["tools.github.org.-*.x", /identifiers/],
    ["tools.github.org.---.x", /identifiers/],
    [`tools.github.org.main.${"x".repeat(513)}`, /512/],
    [`tools.github.org.main.${"*".repeat(1100)}`, /1024/],
    ["tools.**.delete*", /the end only/],
    ["tools.github.**.x", /the end only/],
    ["tools.github.***", /the end only/],
    ["tools.github.org.main.\ud800", /well-formed/],
  ])("%j can match none, and the fault says why", (pattern, fault) => {
    expect(parseAddressPattern(pattern)).toEqual({ fault: expect.stringMatching(fault) as string })
  })

  it("is read in a time that grows with the text, whatever it holds", () => {
    const pattern = read(`tools.github.*.*.${"a*".repeat(400)}b`)
    const tool = "a".repeat(512)
    for (let round = 0; round < 1000; round += 1) {
      expect(matchesPattern(pattern, { integration: "github", owner: "org", name: "main" }, tool)).toBe(false)
    }
  })
})
