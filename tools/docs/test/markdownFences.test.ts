import { describe, expect, it } from "vitest"
import { readFences, toModules } from "../markdownFences.ts"

const page = (...lines: ReadonlyArray<string>): string => lines.join("\n")

describe("readFences", () => {
  it("finds TypeScript fences and no others", () => {
    const fences = readFences(
      "a.md",
      page("# A", "```ts", "const a = 1", "```", "```sh", "ls", "```", "~~~ts", "a", "~~~"),
    )
    expect(fences).toEqual([
      { page: "a.md", line: 2, mode: "alone", code: ["const a = 1"] },
      { page: "a.md", line: 8, mode: "alone", code: ["a"] },
    ])
  })

  it("does not end a fence at a shorter one inside it", () => {
    const [fence] = readFences("a.md", page("````ts", "// ```", "```", "````"))
    expect(fence?.code).toEqual(["// ```", "```"])
  })

  it("takes the indentation of a fence in a list away", () => {
    const [fence] = readFences("a.md", page("1. Do:", "   ```ts", "   if (a) {", "     b()", "   }", "   ```"))
    expect(fence?.code).toEqual(["if (a) {", "  b()", "}"])
  })

  it("reads how a fence asks to be checked, beside what VitePress understands", () => {
    const text = page("```ts no-check", "```", "```ts continued", "```", "```ts{1} [main.ts]", "```")
    expect(readFences("a.md", text).map((fence) => fence.mode)).toEqual(["no-check", "continued", "alone"])
  })

  it("refuses a word it does not know", () => {
    expect(() => readFences("a.md", page("```ts nocheck", "```"))).toThrow("a.md:1 has an unknown word")
  })
})

describe("toModules", () => {
  it("joins continued fences and remembers the line of each", () => {
    const text = page(
      "```ts",
      "const a = 1",
      "```",
      "then",
      "```ts continued",
      "a.toFixed()",
      "```",
      "```ts",
      "b",
      "```",
    )
    expect(toModules(readFences("a.md", text))).toEqual([
      { fileName: "fence-1.ts", page: "a.md", lines: ["const a = 1", "a.toFixed()", "export {}"], pageLines: [2, 6] },
      { fileName: "fence-2.ts", page: "a.md", lines: ["b", "export {}"], pageLines: [9] },
    ])
  })

  it("refuses to continue what another page began", () => {
    const fences = [...readFences("a.md", page("```ts", "```")), ...readFences("b.md", page("```ts continued", "```"))]
    expect(() => toModules(fences)).toThrow("b.md:1 continues a fence")
  })
})
