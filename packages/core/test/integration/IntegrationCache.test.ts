import type { IntegrationRecord } from "@keyward/core"
import { IntegrationCache } from "@keyward/core/effect"
import { describe, expect, it } from "vitest"

const record = (fingerprint: string, config: unknown = 1): IntegrationRecord => ({
  slug: "api",
  name: "api",
  description: null,
  plugin: "acme",
  baseUrl: null,
  origins: [],
  authTemplates: [],
  revision: 1,
  tenant: "acme",
  config,
  fingerprint,
})

/** A cache of as many values as `limit`, which notes what it makes. */
const cacheOf = (limit: number) => {
  const made: Array<string> = []
  const cache = new IntegrationCache(({ fingerprint, config }) => {
    if (typeof config !== "number") throw new Error("It holds no number.")
    made.push(fingerprint)
    return { value: { fingerprint }, size: config }
  }, limit)
  return { cache, made }
}

describe("a cache of what plugins make of integrations", () => {
  it("makes a value once for the same content, whoever's record it is", () => {
    const { cache, made } = cacheOf(10)
    const first = cache.of(record("one"))
    expect(cache.of({ ...record("one"), tenant: "globex", revision: 7 })).toBe(first)
    expect(cache.of(record("two"))).not.toBe(first)
    expect(cache.of(record("one"))).toBe(first)
    expect(made).toEqual(["one", "two"])
  })

  it("makes room by size, for what was not used for longest first", () => {
    const { cache, made } = cacheOf(3)
    for (const name of ["one", "two", "three", "one"]) cache.of(record(name))
    cache.of(record("four", 2))
    for (const name of ["one", "four", "two", "three"]) cache.of(record(name))
    expect(made).toEqual(["one", "two", "three", "four", "two", "three"])
  })

  it("keeps one that is larger than the limit until the next one is made", () => {
    const { cache, made } = cacheOf(1)
    for (const name of ["large", "large", "small", "large"]) cache.of(record(name, name === "large" ? 5 : 1))
    expect(made).toEqual(["large", "small", "large"])
  })

  it("keeps nothing of what could not be made", () => {
    const { cache, made } = cacheOf(1)
    expect(() => cache.of(record("one", "text"))).toThrow("It holds no number.")
    expect(cache.of(record("one"))).toEqual({ fingerprint: "one" })
    expect(made).toEqual(["one"])
  })
})
