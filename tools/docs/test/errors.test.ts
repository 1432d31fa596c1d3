/**
 * The page of errors is complete: every error class of the sources with its status, every code of a tool result.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"

const workspace = join(import.meta.dirname, "../../..")
const page = readFileSync(join(workspace, "docs/reference/errors.md"), "utf8")
const rows = page.split("\n").filter((line) => line.startsWith("|"))

const sources = readdirSync(join(workspace, "packages"))
  .map((name) => join(workspace, "packages", name, "src"))
  .flatMap((root) =>
    readdirSync(root, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => readFileSync(join(root, name), "utf8")),
  )

/** Never leave core: they become a `ConnectionCredentialError`, an `OAuthStartError` or an `OAuthCompleteError`. */
const internal = new Set(["CredentialNotPlaceableError", "TokenRequestError"])

const errors = sources
  .flatMap((text) => [
    ...text.matchAll(/^export class (\w+) extends taggedError<\1>\(\)\([\s\S]*?\n? *(\d{3}),?\n?\) \{$/gm),
  ])
  .map(([, name = "", status = ""]) => ({ name, status }))
  .filter(({ name }) => !internal.has(name))

const wordsIn = (path: string, section: RegExp): ReadonlyArray<string> => {
  const [text = ""] = section.exec(readFileSync(join(workspace, path), "utf8")) ?? []
  return [...text.matchAll(/"([a-z][a-z_]+)"/g)].map(([, word = ""]) => word)
}

const codes = [
  ...wordsIn("packages/core/src/connection/ConnectionError.ts", /connectionCredentialCodes = \[[\s\S]*?\]/),
  ...wordsIn("packages/core/src/executor/call/toolFailures.ts", /const httpCodes[\s\S]*?\n\}/),
  ...wordsIn("packages/plugin-openapi/src/response/upstreamFailure.ts", /const codes = new Map\(\[[\s\S]*?\n\]\)/),
  ...sources.flatMap((text) => [...text.matchAll(/\bcode: "([a-z_]+)"/g)].map(([, code = ""]) => code)),
]

describe("docs/reference/errors.md", () => {
  it("finds errors and codes to compare with", () => {
    expect(errors.map(({ name }) => name)).toEqual(expect.arrayContaining(["NetworkError", "OpenApiDocumentError"]))
    expect(codes).toEqual(expect.arrayContaining(["connection_rejected", "origin_not_allowed", "not_found", "timeout"]))
  })

  it.each(errors)("lists $name with the status $status", ({ name, status }) => {
    const cells = rows.find((row) => row.startsWith(`| \`${name}\``))?.split("|")
    expect(cells?.[2]?.trim()).toBe(status)
  })

  it.each([...new Set(codes)])("lists the code %s", (code) => {
    expect(rows.some((row) => row.includes(`\`${code}\``))).toBe(true)
  })
})
