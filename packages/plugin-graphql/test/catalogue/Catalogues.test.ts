import type { IntegrationRecord } from "@keyward/core"
import { describe, expect, it } from "vitest"
import { Catalogues } from "../../src/catalogue/Catalogues.ts"

const record = (fingerprint: string, schema: string | null): IntegrationRecord => ({
  slug: "a",
  name: "a",
  description: null,
  plugin: "graphql",
  baseUrl: "https://api.example.com/graphql",
  origins: ["https://api.example.com"],
  authTemplates: [],
  revision: 1,
  tenant: "default",
  config: { format: 1, endpoint: "https://api.example.com/graphql", schema },
  fingerprint,
})

const sdl = "type Query { a: Int }"

describe("catalogues", () => {
  it("are made once per content", () => {
    const catalogues = new Catalogues()
    const first = catalogues.of(record("one", sdl))
    expect(catalogues.of(record("two", sdl))).not.toBe(first)
    expect(catalogues.of(record("one", sdl))).toBe(first)
  })

  it("make room by the size of their schemas, the one that was not used for longest first", () => {
    const catalogues = new Catalogues(sdl.length * 2)
    const one = catalogues.of(record("one", sdl))
    const two = catalogues.of(record("two", sdl))
    catalogues.of(record("one", sdl))
    catalogues.of(record("three", sdl))
    expect(catalogues.of(record("one", sdl))).toBe(one)
    expect(catalogues.of(record("two", sdl))).not.toBe(two)
  })

  it("have the raw tool alone while the schema is not known", () => {
    expect(
      new Catalogues()
        .of(record("one", null))
        .tools()
        .map(({ name }) => name),
    ).toEqual(["query"])
  })

  it("say what to do about a record that is none of this plugin", () => {
    expect(() => new Catalogues().of({ ...record("one", sdl), config: {} })).toThrow(/Register it again/)
  })
})
