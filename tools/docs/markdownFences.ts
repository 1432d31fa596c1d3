/**
 * Finds the TypeScript fences of a markdown page and joins them into modules that remember where each line came from.
 *
 * Pure: text in, values out; `fences.ts` reads the pages and runs the compiler. Follows CommonMark's rules for fenced
 * code blocks: a fence ends at one of the same character that is at least as long, and it may be indented.
 */

/** How a fence asks to be checked, from the words after its language. */
type FenceMode = "alone" | "continued" | "no-check"

/** One TypeScript fence of a page. */
export interface Fence {
  readonly page: string
  /** The line of the page on which the fence opens, from 1. */
  readonly line: number
  readonly mode: FenceMode
  readonly code: ReadonlyArray<string>
}

/** One module to compile; `pageLines[i]` is where `lines[i]` stands in the page. */
export interface FenceModule {
  readonly fileName: string
  readonly page: string
  readonly lines: ReadonlyArray<string>
  readonly pageLines: ReadonlyArray<number>
}

const opening = /^( *)(?:[-*>] +)?(`{3,}|~{3,}) *([^\s`]*) *([^`]*)$/
const typescriptLanguages = new Set(["ts", "typescript", "mts"])

/** Every TypeScript fence of the page, in order. */
export const readFences = (page: string, text: string): ReadonlyArray<Fence> => {
  const lines = text.split(/\r?\n/)
  const fences: Array<Fence> = []
  let index = 0
  while (index < lines.length) {
    const match = opening.exec(lines[index] ?? "")
    index += 1
    if (match === null) continue
    const [, indent = "", marks = "", language = "", words = ""] = match
    const start = index
    while (index < lines.length && !closes(lines[index] ?? "", marks)) index += 1
    if (typescriptLanguages.has(language.replace(/\{.*$/, ""))) {
      const code = lines.slice(start, index).map((line) => withoutIndent(line, indent.length))
      fences.push({ page, line: start, mode: modeOf(page, start, words), code })
    }
    index += 1
  }
  return fences
}

/** The modules to compile: one per fence that stands alone, with those that continue it after it. */
export const toModules = (fences: ReadonlyArray<Fence>): ReadonlyArray<FenceModule> => {
  const chains: Array<Array<Fence>> = []
  for (const fence of fences) {
    if (fence.mode === "no-check") continue
    const previous = chains.at(-1)
    if (fence.mode === "alone") chains.push([fence])
    else if (previous?.[0]?.page === fence.page) previous.push(fence)
    else throw new Error(`${fence.page}:${fence.line} continues a fence, and none comes before it on the page`)
  }
  return chains.map((chain, index) => ({
    fileName: `fence-${index + 1}.ts`,
    page: chain[0]?.page ?? "",
    lines: [...chain.flatMap((fence) => fence.code), "export {}"],
    pageLines: chain.flatMap((fence) => fence.code.map((_, offset) => fence.line + 1 + offset)),
  }))
}

const closes = (line: string, marks: string): boolean => {
  const trimmed = line.trim()
  return trimmed.length >= marks.length && trimmed === marks.charAt(0).repeat(trimmed.length)
}

const withoutIndent = (line: string, width: number): string =>
  line.slice(0, width).trim() === "" ? line.slice(width) : line

const modeOf = (page: string, line: number, words: string): FenceMode => {
  const plain = words.replace(/\{.*?\}|\[.*?\]/g, "").trim()
  if (plain === "") return "alone"
  if (plain === "continued" || plain === "no-check") return plain
  throw new Error(`${page}:${line} has an unknown word after its language: ${JSON.stringify(plain)}`)
}
