import type { IntegrationRecord } from "@keyward/core"
import { describe, expect, it } from "vitest"
import { Catalogues } from "../../src/catalogue/Catalogues.ts"
import { makeConfig } from "../../src/OpenApiConfig.ts"
import { load, operationWith, origin } from "../support/catalogueOf.ts"

/** A record as it comes out of a store in another process: everything went through JSON. */
const recordOf = async (fingerprint: string, path = "/a"): Promise<IntegrationRecord> => {
  const config = makeConfig(await load(operationWith({}, { path })), null)
  return {
    slug: "api",
    name: "api",
    description: null,
    plugin: "openapi",
    baseUrl: `${origin}/v1`,
    origins: [origin],
    authTemplates: [],
    revision: 1,
    tenant: "default",
    config: JSON.parse(JSON.stringify(config)) as unknown,
    fingerprint,
  }
}

describe("catalogues", () => {
  it("are made from what a store keeps, without asking anybody", async () => {
    const catalogue = new Catalogues().of(await recordOf("one"))
    expect(catalogue.operation("call")!.build({}).url).toBe(`${origin}/v1/a`)
  })

  it("are made once for the same content, whoever's record it is", async () => {
    const catalogues = new Catalogues()
    const first = catalogues.of(await recordOf("one"))
    expect(catalogues.of({ ...(await recordOf("one")), tenant: "other" })).toBe(first)
    expect(catalogues.of(await recordOf("two"))).not.toBe(first)
  })

  it("are let go of when there are too many, the one not used for longest first", async () => {
    const { config } = await recordOf("size")
    const size = (config as { document: string }).document.length
    const catalogues = new Catalogues(size * 2)
    const [one, two] = [catalogues.of(await recordOf("one")), catalogues.of(await recordOf("two"))]
    expect(catalogues.of(await recordOf("one"))).toBe(one)
    catalogues.of(await recordOf("three"))
    expect(catalogues.of(await recordOf("one"))).toBe(one)
    expect(catalogues.of(await recordOf("two"))).not.toBe(two)
  })

  it("refuse a record that another plugin wrote", async () => {
    const record = await recordOf("one")
    expect(() => new Catalogues().of({ ...record, config: { url: "x" } })).toThrow(/registered by openapi\.addSpec/)
    expect(() => new Catalogues().of({ ...record, config: null })).toThrow(/Register it again/)
  })
})
