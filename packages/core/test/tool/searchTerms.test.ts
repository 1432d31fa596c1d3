/** How text becomes the terms that tools are found by. */
import { describe, expect, it } from "vitest"
import { familyOf, queryWords, termsOf } from "../../src/tool/searchTerms.ts"

describe("termsOf", () => {
  it.each([
    ["createComment", ["createcomment", "create", "comment"]],
    ["list_pull-requests", ["list", "pull", "request"]],
    ["/repos/{owner}/{repo}/issues", ["repository", "owner", "repository", "issue"]],
    ["GitHub", ["github", "git", "hub"]],
    ["HTTPServer2", ["httpserver2", "http", "server", "2"]],
    ["Lists boxes, addresses, categories and statuses.", ["list", "box", "address", "category", "and", "status"]],
    ["ISSUE", ["issue"]],
    ["größeÄndern", ["größeändern", "größe", "ändern"]],
    ["課題を作成", ["課題を作成"]],
    ["  ...  ", []],
    ["", []],
  ])("reads %j as %j", (text, expected) => {
    expect(termsOf(text)).toEqual(expected)
  })
})

describe("queryWords", () => {
  const termsIn = (query: string, limit = 24) => queryWords(query, limit).map(({ terms }) => terms.join(" "))

  it("drops words that say nothing, unless there is nothing else", () => {
    expect(termsIn("how do I add a comment to the issue?")).toEqual(["add", "comment", "issue"])
    expect(termsIn("who am I")).toEqual(["am"])
    expect(termsIn("do it")).toEqual(["do", "it"])
    expect(termsIn(" ?! ")).toEqual([])
  })

  it("takes each word once and no more than it may", () => {
    expect(termsIn("issue Issues ISSUE list")).toEqual(["issue", "list"])
    expect(termsIn(Array.from({ length: 1_000 }, (_, index) => `word${index}x`).join(" "), 5)).toHaveLength(5)
  })

  it("brings words of the same meaning, and spells out what is short", () => {
    expect(queryWords("creates", 24)[0]?.synonyms).toEqual(expect.arrayContaining(["add", "post"]))
    expect(queryWords("PR", 24)).toEqual([{ terms: ["pull", "request"], synonyms: [] }])
    expect(queryWords("zebra", 24)).toEqual([{ terms: ["zebra"], synonyms: [] }])
  })
})

describe("familyOf", () => {
  it("is the same for the forms of a word", () => {
    expect(new Set(["cancel", "cancelled", "cancelling"].map(familyOf))).toEqual(new Set(["cancel"]))
  })
})
