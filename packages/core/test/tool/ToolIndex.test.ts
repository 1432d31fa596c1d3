/** The index by itself: others have their turn while it is made, and names need not be words. */
import { setImmediate } from "node:timers/promises"
import { describe, expect, it } from "vitest"
import type { ToolDef } from "@keyward/core"
import { ToolCatalog } from "../../src/tool/ToolCatalog.ts"
import { readQuery, toolIndexOf } from "../../src/tool/ToolIndex.ts"

const text = "Lists, creates and removes what belongs to a repository, an organization or the person who asks for it. "

const tools: ReadonlyArray<ToolDef> = Array.from({ length: 3_000 }, (_, index) => ({
  name: `things.createThing${index}`,
  description: `Thing number ${index}. ${text.repeat(4)}`,
}))

const search = async (catalog: ToolCatalog, query: string) =>
  (await toolIndexOf(catalog))
    .search(readQuery(query), "api")
    .toSorted((one, other) => other.score - one.score)
    .map(({ tool, score }) => [tool.name, score] as const)

describe("an index", () => {
  it("is made with turns for others in between, and finds the last tool as well as the first", async () => {
    const making = { isOver: false }
    const made = toolIndexOf(new ToolCatalog(tools)).finally(() => {
      making.isOver = true
    })
    let turns = 0
    while (!making.isOver) {
      turns += 1
      await setImmediate()
    }
    expect(turns).toBeGreaterThan(5)
    for (const number of [0, 2_999]) {
      const [best] = (await made)
        .search(readQuery(`create thing ${number}`), "api")
        .toSorted((one, other) => other.score - one.score)
      expect(best?.tool.name).toBe(`things.createThing${number}`)
    }
  })

  it("finds a tool whose name holds no word by what else is known of it", async () => {
    const catalog = new ToolCatalog([
      { name: "$_", description: "Adds a pallet" },
      { name: "pallets.list", description: "Lists pallets" },
    ])
    const found = await search(catalog, "adds pallet")
    expect(found.map(([name]) => name)).toEqual(["$_", "pallets.list"])
    for (const [, score] of found) expect(score).toBeGreaterThan(0)
  })
})
