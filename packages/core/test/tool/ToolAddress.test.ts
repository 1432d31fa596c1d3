/**
 * Addresses of tools and connections: read and spelled, there and back.
 */
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { connectionAddress } from "../../src/connection/ConnectionRef.ts"
import { parseConnectionAddress, parseToolAddress, toolAddress } from "../../src/tool/ToolAddress.ts"

const part = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }).map((text) => text.replaceAll(".", "_"))
const reference = fc.record({ owner: fc.constantFrom("org", "user"), integration: part, name: part })
const tool = fc.string({
  unit: fc.oneof(fc.string({ unit: "grapheme", minLength: 1, maxLength: 1 }), fc.constantFrom(".", "\n", "/")),
  minLength: 1,
  maxLength: 40,
})

describe("parseToolAddress", () => {
  it("takes everything after the fourth dot for the tool's name", () => {
    expect(parseToolAddress("tools.github.org.main.repos.list")).toEqual({
      connection: { owner: "org", integration: "github", name: "main" },
      tool: "repos.list",
    })
    expect(parseToolAddress("tools.github.user.main..a.")?.tool).toBe(".a.")
  })

  it("reads what toolAddress spells, the second time too (property)", () => {
    fc.assert(
      fc.property(reference, tool, (connection, name) => {
        const address = toolAddress(connection, name)
        expect(parseToolAddress(address)).toEqual({ connection, tool: name })
        expect(parseToolAddress(address)).toEqual({ connection, tool: name })
      }),
    )
  })

  it("spells what it reads, or reads nothing (property)", () => {
    const text = fc.array(fc.constantFrom("tools", ".", "org", "user", "a", "__proto__", "\n", " "), { maxLength: 10 })
    fc.assert(
      fc.property(text, (parts) => {
        const address = parts.join("")
        const parsed = parseToolAddress(address)
        if (parsed !== undefined) expect(toolAddress(parsed.connection, parsed.tool)).toBe(address)
      }),
    )
  })

  it.each([
    "",
    "tools",
    "tools.github.org.main",
    "tools.github.org.main.",
    "tools.github.team.main.list",
    "tools.github.ORG.main.list",
    "tools..org.main.list",
    "tools.github.org..list",
    "Tools.github.org.main.list",
    " tools.github.org.main.list",
    "x.tools.github.org.main.list",
  ])("reads nothing in %j", (address) => {
    expect(parseToolAddress(address)).toBeUndefined()
  })

  it("forgets nothing right while it keeps many", () => {
    for (let count = 0; count < 3000; count += 1) {
      expect(parseToolAddress(`tools.a.org.b.tool${count}`)?.tool).toBe(`tool${count}`)
    }
    expect(parseToolAddress("tools.a.org.b.tool0")?.tool).toBe("tool0")
  })
})

describe("parseConnectionAddress", () => {
  it("reads what connectionAddress spells (property)", () => {
    fc.assert(
      fc.property(reference, (connection) => {
        expect(parseConnectionAddress(connectionAddress(connection))).toEqual(connection)
      }),
    )
  })

  it.each(["tools.github.org", "tools.github.org.main.list", "tools.github.org.main.", "github.org.main"])(
    "reads nothing in %j",
    (address) => {
      expect(parseConnectionAddress(address)).toBeUndefined()
    },
  )
})
