/**
 * Looking up, filtering and suggesting tools, and which lists can be a catalog.
 */
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { ToolDef } from "../../src/tool/Tool.ts"
import { checkTools, ToolCatalog } from "../../src/tool/ToolCatalog.ts"
import { InvalidToolError } from "../../src/tool/ToolError.ts"

const tools: ReadonlyArray<ToolDef> = [
  { name: "repos.listForUser", description: "List repositories of a user" },
  { name: "repos.get", description: "Get a repository" },
  { name: "issues.create", description: "Create an ISSUE" },
  { name: "__proto__", description: "A hostile name" },
  { name: "größe.ändern" },
]
const catalog = new ToolCatalog(tools)
const names = (found: ReadonlyArray<ToolDef>): ReadonlyArray<string> => found.map(({ name }) => name)

describe("get", () => {
  it("finds a tool by its exact name and nothing else", () => {
    expect(catalog.get("repos.get")).toBe(tools[1])
    expect(catalog.get("__proto__")).toBe(tools[3])
    for (const name of ["Repos.get", "repos.get ", "constructor", "toString", ""])
      expect(catalog.get(name)).toBeUndefined()
  })
})

describe("matching", () => {
  it("gives every tool for no words at all", () => {
    for (const query of [undefined, "", "  ", "\n\t"]) expect(catalog.matching(query)).toBe(tools)
  })

  it("looks for every word in name and description, in any order and case", () => {
    expect(names(catalog.matching("repos"))).toEqual(["repos.listForUser", "repos.get"])
    expect(names(catalog.matching("USER list"))).toEqual(["repos.listForUser"])
    expect(names(catalog.matching("create issue"))).toEqual(["issues.create"])
    expect(names(catalog.matching("ÄNDERN"))).toEqual(["größe.ändern"])
    expect(names(catalog.matching("repos nothing"))).toEqual([])
  })

  it("takes pattern characters literally", () => {
    for (const query of [".*", "(", "[a-z]", "\\", "$"]) expect(catalog.matching(query)).toEqual([])
    expect(names(catalog.matching("s.g"))).toEqual(["repos.get"])
  })

  it("finds each tool by its own name and keeps the order (property)", () => {
    const list = fc.uniqueArray(fc.string({ unit: "grapheme", minLength: 1, maxLength: 10 }), { maxLength: 10 })
    fc.assert(
      fc.property(list, fc.string({ maxLength: 3 }), (given, query) => {
        const some = new ToolCatalog(given.map((name) => ({ name })))
        for (const name of given) expect(names(some.matching(name))).toContain(name)
        const found = names(some.matching(query))
        expect(given.filter((name) => found.includes(name))).toEqual(found)
      }),
    )
  })
})

describe("near", () => {
  it("puts the nearest first, up to the limit", () => {
    expect(catalog.near("repos.listUser", 5)).toEqual(["repos.listForUser", "repos.get"])
    expect(catalog.near("repo.get", 1)).toEqual(["repos.get"])
    expect(catalog.near("createIssue", 5)).toContain("issues.create")
    expect(catalog.near("repos_listforuser", 5)[0]).toBe("repos.listForUser")
  })

  it("suggests nothing for what is nowhere near", () => {
    for (const name of ["", "xyz", "🙂", "...", "\0"]) expect(catalog.near(name, 5)).toEqual([])
    expect(new ToolCatalog([]).near("repos.get", 5)).toEqual([])
  })

  it("suggests only names that are there, and a name that is there first (property)", () => {
    const list = fc.uniqueArray(fc.stringMatching(/^[a-z]{3,12}$/), { minLength: 1, maxLength: 10 })
    fc.assert(
      fc.property(list, fc.nat(), (given, pick) => {
        const name = given[pick % given.length] ?? ""
        const near = new ToolCatalog(given.map((one) => ({ name: one }))).near(name, 3)
        expect(near[0]).toBe(name)
        expect(near.length).toBeLessThanOrEqual(3)
        for (const one of near) expect(given).toContain(one)
      }),
    )
  })
})

describe("checkTools", () => {
  const refusal = (given: unknown): InvalidToolError =>
    Result.match(checkTools("github", given as ReadonlyArray<ToolDef>), {
      onSuccess: () => expect.unreachable("the tools were accepted"),
      onFailure: (error) => error,
    })

  it("accepts names of any script, with dots, up to 512 characters", () => {
    const given = ["a", "a.b.c", "密", "__proto__", "x".repeat(512)].map((name) => ({ name }))
    expect(checkTools("github", given)).toEqual(Result.succeed(given))
    expect(checkTools("github", [])).toEqual(Result.succeed([]))
  })

  it.each<[what: string, given: unknown]>([
    ["an empty name", [{ name: "" }]],
    ["no name", [{}]],
    ["a number for a name", [{ name: 7 }]],
    ["null for a tool", [null]],
    ["text for a tool", ["list"]],
    ["a name that is too long", [{ name: "x".repeat(513) }]],
    ["a name that is not well-formed", [{ name: "\ud800" }]],
    ["a name used twice", [{ name: "a" }, { name: "b" }, { name: "a" }]],
    ["no list", undefined],
    ["an object", { name: "a" }],
  ])("refuses %s, as a typed error", (_, given) => {
    const error = refusal(given)
    expect(error).toBeInstanceOf(InvalidToolError)
    expect(error.integration).toBe("github")
  })
})
