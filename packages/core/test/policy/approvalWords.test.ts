import { describe, expect, it } from "vitest"
import { approvalWords, showArguments, shown } from "../../src/policy/approvalWords.ts"

describe("what a person reads", () => {
  it("says the tool, the account and the arguments in a sentence", () => {
    expect(
      approvalWords({
        title: "Delete a repository",
        description: undefined,
        integration: "GitHub",
        connection: "tools.github.org.main",
        account: "acme-bot",
        arguments: showArguments({ owner: "acme", repo: "site" }),
        reason: "destructive",
      }),
    ).toBe(
      'Allow Delete a repository on GitHub as acme-bot (tools.github.org.main)? It may change or delete what is there. Arguments: owner: "acme", repo: "site".',
    )
  })

  it("hides what is named like a secret, at any depth, and cuts what is long", () => {
    const args = {
      password: "hunter2",
      apiKey: "k-1",
      "X-Api-Key": "k-2",
      nested: { client_secret: "s-1", deeper: [{ accessToken: "t-1" }] },
      cookie: "c-1",
      text: "x".repeat(500),
      keyboard: "visible",
    }
    const shownArguments = showArguments(args)
    const all = JSON.stringify(shownArguments)
    for (const secret of ["hunter2", "k-1", "k-2", "s-1", "t-1", "c-1"]) expect(all).not.toContain(secret)
    expect(all).toContain("visible")
    expect(shownArguments.find(({ name }) => name === "text")?.value.length).toBeLessThanOrEqual(201)
  })

  it("shows at most twenty arguments and says how many more there are", () => {
    const args = Object.fromEntries(Array.from({ length: 25 }, (_, index) => [`a${index}`, index]))
    expect(showArguments(args)).toHaveLength(21)
    expect(showArguments(args).at(-1)).toEqual({ name: "…", value: "5 more" })
  })

  it("spells out what cannot be seen or turns the direction of writing", () => {
    expect(shown("a\u202Eb\u200Bc\nd\u2028e", 100)).toBe("a\\u{202e}b\\u{200b}c\\u{a}d\\u{2028}e")
    expect(showArguments({ "to\u202Ename": "x\u202Ey" })).toEqual([{ name: "to\\u{202e}name", value: '"x\\u{202e}y"' }])
  })

  it("makes something of whatever it is given", () => {
    const cyclic: Record<string, unknown> = {}
    cyclic["self"] = cyclic
    expect(showArguments({ big: 1n, run: () => 1, cyclic })).toEqual([
      { name: "big", value: '"1"' },
      { name: "run", value: "function" },
      { name: "cyclic", value: "object" },
    ])
    expect(showArguments(undefined)).toEqual([])
    expect(shown("\ud800".repeat(10), 4)).toHaveLength(5)
  })
})
