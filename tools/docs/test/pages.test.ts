/**
 * What a page points to is there: each path of the repository that it names in a code span exists.
 *
 * The pages say where a promise is tested; a test that was renamed must not leave a promise without proof.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"

const workspace = join(import.meta.dirname, "../../..")

const pages = [
  "README.md",
  "CONTRIBUTING.md",
  "examples/README.md",
  ...readdirSync(join(workspace, "packages")).map((name) => `packages/${name}/README.md`),
  ...readdirSync(join(workspace, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md") && !/(^|[\\/])node_modules[\\/]|^reference[\\/]api[\\/]|^\./.test(name))
    .map((name) => `docs/${name}`),
]

const span = /`((?:packages|examples|tools|docs|\.ci|\.changeset)\/[^`\s<>*]+)`/g

describe.each(pages)("%s", (page) => {
  it("names only files that exist", () => {
    const named = [...readFileSync(join(workspace, page), "utf8").matchAll(span)].map(([, path = ""]) => path)
    expect(named.filter((path) => !existsSync(join(workspace, path)))).toEqual([])
  })
})
