/**
 * Tables that list what the sources know are complete: reasons of failures, quirks, options of the config, and what is on the executor.
 *
 * Each word that a pattern finds in the sources stands in a code span of the page.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"

const workspace = join(import.meta.dirname, "../../..")
const read = (path: string): string => readFileSync(join(workspace, path), "utf8")

/** The text of a file, or of all sources in a folder. */
const sourcesOf = (path: string): string =>
  path.endsWith(".ts")
    ? read(path)
    : readdirSync(join(workspace, path))
        .filter((name) => name.endsWith(".ts"))
        .map((name) => read(`${path}/${name}`))
        .join("\n")

const reason = /(?:reason: |\b(?:unavailable|denied)\(\s*)"([a-z_]+)"/g
const optional = /^ {2}readonly (\w+)\?:/gm

describe.each<[what: string, page: string, sources: string, pattern: RegExp]>([
  ["reasons", "docs/guides/onepassword.md", "packages/provider-onepassword/src", reason],
  ["reasons", "docs/guides/keychain.md", "packages/provider-keychain/src", reason],
  ["reasons", "docs/guides/keep-secrets-in-an-encrypted-file.md", "packages/provider-encrypted-file/src", reason],
  [
    "reasons of its files of secrets",
    "docs/guides/choose-a-provider.md",
    "packages/store-sql/src/secretFailure.ts",
    reason,
  ],
  [
    "reasons",
    "docs/guides/keep-records-in-sql.md",
    "packages/store-sql/src/databaseFailure.ts",
    /reason: "([a-z_]+)"/g,
  ],
  ["reasons", "docs/guides/seal-an-identity.md", "packages/core/src/identity", /refused\("([a-z_]+)"\)/g],
  ["quirks", "docs/guides/write-a-provider-quirk.md", "packages/core/src/auth/OAuthQuirks.ts", optional],
  ["fields of egress", "packages/core/README.md", "packages/core/src/http/Egress.ts", optional],
])("the %s in %s", (_what, page, sources, pattern) => {
  it(`are those of ${sources}`, () => {
    const words = [...sourcesOf(sources).matchAll(pattern)].map(([, word = ""]) => word)
    expect(words).not.toEqual([])
    expect([...new Set(words)].filter((word) => !new RegExp(`\`[^\`]*\\b${word}\\b[^\`]*\``).test(read(page)))).toEqual(
      [],
    )
  })
})

it("packages/core/README.md lists every option of createExecutor", () => {
  const [config = ""] =
    /export interface ExecutorConfig[\s\S]*?\n\}/.exec(sourcesOf("packages/core/src/executor/ExecutorConfig.ts")) ?? []
  const options = [...config.matchAll(optional)].map(([, option = ""]) => option)
  const rows = read("packages/core/README.md")
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) => line.split("|")[1] ?? "")
  expect(options).toContain("tenant")
  expect(options.filter((option) => !rows.some((row) => row.includes(`\`${option}`)))).toEqual([])
})
