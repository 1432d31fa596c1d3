/**
 * The documentation site. The sidebar is read from the folders, so a new page needs no line here.
 *
 * A page's title is its first heading; within a folder pages are in the order of their file names. Dead links fail the
 * build. `reference/api` is written by typedoc before the build and is not committed.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { defineConfig, type DefaultTheme } from "vitepress"

const docs = join(import.meta.dirname, "..")
const sections = ["quickstart", "concepts", "guides", "reference", "decisions"]

const titleOf = (path: string): string =>
  /^# +(.+)$/m.exec(readFileSync(path, "utf8"))?.[1]?.trim() ?? path.slice(docs.length + 1)

const pagesOf = (section: string): Array<DefaultTheme.SidebarItem> =>
  readdirSync(join(docs, section))
    .filter((name) => name.endsWith(".md") && name !== "index.md")
    .toSorted()
    .map((name) => ({ text: titleOf(join(docs, section, name)), link: `/${section}/${name.slice(0, -3)}` }))

const apiPages = (): Array<DefaultTheme.SidebarItem> =>
  existsSync(join(docs, "reference/api/index.md")) ? [{ text: "API", link: "/reference/api/" }] : []

const sidebarOf = (section: string): Array<DefaultTheme.SidebarItem> => {
  const page = join(docs, `${section}.md`)
  if (existsSync(page)) return [{ text: titleOf(page), link: `/${section}` }]
  if (!existsSync(join(docs, section))) return []
  const items = section === "reference" ? [...pagesOf(section), ...apiPages()] : pagesOf(section)
  const index = join(docs, section, "index.md")
  const text = existsSync(index) ? titleOf(index) : section.charAt(0).toUpperCase() + section.slice(1)
  return [{ text, items, ...(existsSync(index) ? { link: `/${section}/` } : {}) }]
}

export default defineConfig({
  title: "Keyward",
  description: "Connections, credentials and authorized tools for embedders",
  lastUpdated: false,
  cleanUrls: true,
  srcExclude: [".fences/**"],
  themeConfig: {
    search: { provider: "local" },
    sidebar: sections.flatMap(sidebarOf),
  },
})
