/** Rules and addresses of tests, plain and random ones. */
import * as fc from "fast-check"
import type { ConnectionRef } from "../../src/connection/ConnectionRef.ts"
import { matchesPattern, parseAddressPattern } from "../../src/policy/AddressPattern.ts"
import { policyActions, type PolicyRecord } from "../../src/policy/Policy.ts"

/** A rule of the organisation. */
export const rule = (pattern: string, changes: Partial<PolicyRecord> = {}): PolicyRecord => ({
  id: pattern,
  tenant: "acme",
  subject: "",
  owner: "org",
  pattern,
  action: "block",
  order: 1,
  description: null,
  createdAt: 0,
  version: 1,
  ...changes,
})

/** The first rule that matches, by asking each. */
export const naiveFirst = (
  rules: ReadonlyArray<PolicyRecord>,
  connection: ConnectionRef,
  tool: string,
): PolicyRecord | undefined =>
  rules.find(({ pattern }) => {
    const parsed = parseAddressPattern(pattern)
    return !("fault" in parsed) && matchesPattern(parsed, connection, tool)
  })

/** What else a regular expression of the documented rules would say. */
export const asRegExp = (pattern: string): RegExp => {
  const text = pattern === "*" || pattern === "**" ? "tools.*" : pattern.replace(/\*\*$/u, "*")
  let dots = 0
  const characters = Array.from(text)
  const body = characters.map((character, index) => {
    if (character === ".") {
      dots += 1
      return "\\."
    }
    if (character === "*") return index === characters.length - 1 || dots >= 4 ? "[\\s\\S]*" : "[^.]*"
    return /[\\^$+?()[\]{}|/-]/u.test(character) ? `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}` : character
  })
  return new RegExp(`^${body.join("")}$`, "u")
}

const slugs = fc.constantFrom("github", "git", "a-b", "$", "é", "e\u0301", "__proto__", "constructor")
const names = fc.constantFrom("main", "ma", "m", "_1", "ŧop", "__proto__", "toString")
const toolPieces = fc.constantFrom(
  "a",
  "b",
  "repos/",
  "delete",
  ".",
  "*",
  "\\",
  "\n",
  "__proto__",
  "\u{10000}",
  " ",
  "[x]",
)
const tools = fc.array(toolPieces, { minLength: 1, maxLength: 6 }).map((pieces) => pieces.join(""))

/** A tool at an address, hostile names included. */
export const places = fc.record({
  connection: fc.record({ integration: slugs, owner: fc.constantFrom("org" as const, "user" as const), name: names }),
  tool: tools,
})

const starred = (part: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 3, arbitrary: part },
    { weight: 2, arbitrary: fc.constant("*") },
    fc.tuple(part, fc.nat(6)).map(([text, at]) => Array.from(text).toSpliced(at, 1, "*").join("")),
  )

/** A pattern that can match something. */
export const patterns = fc
  .tuple(starred(slugs), starred(fc.constantFrom("org", "user")), starred(names), starred(tools), fc.nat(6))
  .map(([integration, owner, name, tool, cut]) => {
    const parts = ["tools", integration, owner, name, tool]
    return cut === 0 ? "*" : cut < 4 ? [...parts.slice(0, cut), "*"].join(".") : parts.join(".")
  })
  .filter((pattern) => !("fault" in parseAddressPattern(pattern)))

/** A list of rules as stores give it. */
export const ruleLists = fc
  .array(fc.tuple(patterns, fc.constantFrom(...policyActions)), { maxLength: 40 })
  .map((list) => list.map(([pattern, action], index) => rule(pattern, { id: `${index}`, action, order: index })))
