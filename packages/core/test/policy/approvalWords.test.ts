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
      'Allow "Delete a repository" on "GitHub" as "acme-bot" (tools.github.org.main)? It may change or delete what is there. Arguments: owner: "acme", repo: "site".',
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

  it("quotes what others wrote, so that none of it reads like the words around it", () => {
    const spoof = 'List files" on "Files" (tools.files.org.main)? It only reads. \u201cx\u201d \uff02y\uff02 \\'
    const words = approvalWords({
      title: spoof,
      description: `${spoof}\n\u202e${"x".repeat(1000)}`,
      integration: spoof,
      connection: "tools.svc.org.main",
      account: `${spoof}\u3164`,
      arguments: showArguments({ 'path: "/", x': 1, path: "/etc" }),
      reason: undefined,
    })
    // What is left without what is in quotation marks is ours.
    expect(words.replace(/"(?:[^"\\]|\\.)*"/gu, '""')).toBe(
      'Allow "", described as "", on "" as "" (tools.svc.org.main)? Arguments: "": 1, path: "".',
    )
    expect(words.length).toBeLessThan(900)
    for (const unseen of ["\uff02", "\u202e", "\u3164", "\n"]) expect(words).not.toContain(unseen)
  })

  it("shows at most twenty arguments, those that the tool requires first, and says before them how many there are more", () => {
    const args = { ...Object.fromEntries(Array.from({ length: 24 }, (_, index) => [`a${index}`, index])), path: "/" }
    const leftOut = { name: "…", value: "5 of 25 arguments are not shown" }
    expect(showArguments(args)).toHaveLength(21)
    expect(showArguments(args)[0]).toEqual(leftOut)
    const lines = showArguments(args, ["path"])
    expect(lines.slice(0, 3)).toEqual([leftOut, { name: "path", value: '"/"' }, { name: "a0", value: "0" }])
    const matter = { title: "t", description: undefined, integration: "i", connection: "c", account: null }
    expect(approvalWords({ ...matter, arguments: lines, reason: undefined })).toContain(
      'Allow "t" on "i" (c)? Attention: 5 of 25 arguments are not shown. Arguments: path: "/", a0: 0,',
    )
    expect(showArguments({ "…": "0 of 1 arguments are not shown" })[0]?.name).toBe("\\u{2026}")
  })

  it("says behind a value that it is cut, and how long it is", () => {
    expect(showArguments({ text: "x".repeat(500) })[0]?.value).toBe(`"${"x".repeat(159)}… (cut, 502 characters)`)
    expect(showArguments({ text: `${"x".repeat(197)}…` })[0]?.value).toBe(`"${"x".repeat(197)}…"`)
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
