/** Names that every model's API takes, for any address. */
import { describe, expect, it } from "vitest"
import { modelToolNames } from "../src/index.ts"

const everywhere = /^[A-Za-z_][A-Za-z0-9_-]{0,63}$/

describe("modelToolNames", () => {
  it("reads like the address", () => {
    expect(modelToolNames(["tools.github.org.main.repos.get"])).toEqual(["github_org_main_repos_get"])
  })

  it("tells apart what would get the same name, whatever the order", () => {
    const addresses = ["tools.a.org.main.x.y", "tools.a.org.main.x_y", "tools.b.org.main.z"]
    const names = modelToolNames(addresses)
    expect(new Set(names).size).toBe(3)
    expect(names[2]).toBe("b_org_main_z")
    expect(modelToolNames(addresses.toReversed())).toEqual(names.toReversed())
  })

  it.each([
    ["long names", ["a", "b"].map((end) => `tools.github.org.main.${"veryLongName".repeat(40)}${end}`)],
    [
      "names in other scripts",
      ["tools.склад.org.main.список", "tools.склад.org.main.удалить", "tools.倉庫.org.主.一覧"],
    ],
    ["names that begin with a digit", ["tools.7.org.main.x", "tools._7.org.main.x"]],
    ["odd names", ["tools.a.org.main.x y", "tools.a.org.main.x\ny", "tools.a.org.main.x\u{1f600}"]],
  ])("keeps %s apart and in bounds", (_, addresses) => {
    const names = modelToolNames(addresses)
    expect(new Set(names).size).toBe(addresses.length)
    for (const name of names) expect(name).toMatch(everywhere)
    expect(modelToolNames(addresses)).toEqual(names)
  })
})
