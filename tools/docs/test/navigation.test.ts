/**
 * A reader finds everything: each page from both front pages, each example from the list of examples, and in the README of each
 * package how to install it, an example, and what it does not do.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { describe, expect, it } from "vitest"

const workspace = join(import.meta.dirname, "../../..")
const read = (path: string): string => readFileSync(join(workspace, path), "utf8")

/** The paths that a page links to, from the root of the repository; those of other hosts left out. */
const linksOf = (page: string): ReadonlyArray<string> =>
  [...read(page).matchAll(/\]\((?!https?:)([^)#\s]+)(?:#[^)\s]*)?\)/g)].map(([, link = ""]) =>
    join(dirname(page), link),
  )

/** The anchors of a page's headings that both GitHub and the site give the same name. */
const anchorsOf = (page: string): ReadonlyArray<string> =>
  [...read(page).matchAll(/^#+ (.+)$/gm)].flatMap(([, heading = ""]) => {
    const text = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)|`/g, "$1").toLowerCase()
    const onGitHub = text.replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(/\s/g, "-")
    const onSite = text.replaceAll(/[\s~`!@#$%^&*()\-_+=[\]{}|\\;:"'“”‘’<>,.?/]+/g, "-").replaceAll(/^-+|-+$/g, "")
    return onGitHub === onSite ? [onSite] : []
  })

const namesIn = (folder: string): ReadonlyArray<string> => readdirSync(join(workspace, folder))
const pages = ["concepts", "guides", "reference"]
  .flatMap((section) => namesIn(`docs/${section}`).map((name) => `docs/${section}/${name}`))
  .filter((path) => path.endsWith(".md"))
const examples = namesIn("examples").filter((name) => /^\d\d-/.test(name))
const packages = namesIn("packages")

describe.each(["README.md", "docs/index.md"])("%s", (front) => {
  it("leads to every concept, guide and page of reference", () => {
    const links = linksOf(front)
    expect(pages.filter((page) => !links.includes(page))).toEqual([])
  })
})

describe.each(["README.md", "docs/index.md", "docs/quickstart.md", ...pages])("%s", (page) => {
  it("links to headings that are there, under the name that GitHub and the site both give them", () => {
    const links = [...read(page).matchAll(/\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)/g)].map(
      ([, path = "", anchor = ""]) => ({
        target: path === "" ? page : join(dirname(page), path),
        anchor,
      }),
    )
    expect(links.filter(({ target, anchor }) => !anchorsOf(target).includes(anchor))).toEqual([])
  })
})

it("README.md begins with the two commands", () => {
  expect(read("README.md")).toMatch(/^# Keyward\n\n```sh\nnpx -y pnpm@\S+ quickstart\nnpx -y pnpm@\S+ test\n```\n/)
})

it("README.md leads to the README of every package, and to the examples", () => {
  const links = linksOf("README.md")
  expect(packages.filter((name) => !links.includes(`packages/${name}/README.md`))).toEqual([])
  expect(links).toContain("examples/README.md")
})

it("examples/README.md lists every example, in order", () => {
  const listed = linksOf("examples/README.md").filter((link) => link.endsWith("/main.ts"))
  expect(listed).toEqual(examples.map((name) => `examples/${name}/main.ts`))
})

describe.each([
  "README.md",
  "CONTRIBUTING.md",
  "examples/README.md",
  ...packages.map((name) => `packages/${name}/README.md`),
])("%s", (page) => {
  it("has no dead link", () => {
    expect(linksOf(page).filter((link) => !existsSync(join(workspace, link)))).toEqual([])
  })
})

describe.each(packages)("packages/%s/README.md", (name) => {
  const page = `packages/${name}/README.md`

  it("says how to install it, shows it in TypeScript, and says what its limits are", () => {
    const text = read(page)
    expect(text).toMatch(new RegExp(`npm install .*@keyward/${name}\\b`))
    expect(text).toMatch(/^```ts$/m)
    expect(text).toMatch(/^(?:## Limits|Limits: )/m)
  })
})
