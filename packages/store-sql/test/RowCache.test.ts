import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import type { ChangeWatch } from "../src/ChangeWatch.ts"
import { RowCache } from "../src/RowCache.ts"

const key = ["things", "acme", "one"] as const

/** A watch whose stamp the test sets. */
const watched = (): ChangeWatch & { now: number | undefined; isBlind: boolean } => ({
  now: 1,
  isBlind: false,
  lastProof: undefined,
  stamp() {
    return this.now
  },
  close: () => Promise.resolve(),
})

const limits = { maxEntries: 4, maxStaleMs: 1000, outageMs: 1000 }

const read = (cache: RowCache, text: string | undefined, at: readonly [string, ...Array<string>] = [...key]) =>
  cache.read([at], () => Promise.resolve([text]))

const known = (cache: RowCache, at: readonly [string, ...Array<string>] = [...key]): unknown => {
  const found = cache.known(at)
  return found === undefined ? "not known" : Effect.runSync(found.found)
}

describe("what is kept of a read", () => {
  it("is answered with the same object for as long as nothing changed", async () => {
    const cache = new RowCache(watched(), limits)
    const first = await read(cache, '{"a":1}')
    expect(known(cache)).toBe(first)
    expect(known(cache)).toEqual({ a: 1 })
  })

  it("is read again when something changed, and stays the same object when it was something else", async () => {
    const watch = watched()
    const cache = new RowCache(watch, limits)
    const first = await read(cache, '{"a":1}')
    watch.now = 2
    expect(known(cache)).toBe("not known")
    expect(await read(cache, '{"a":1}')).toBe(first)
    watch.now = 3
    expect(await read(cache, '{"a":2}')).toEqual({ a: 2 })
  })

  it("knows too that a record is not there, but only while it would be told that it was made", async () => {
    const watch = watched()
    const cache = new RowCache(watch, limits)
    await read(cache, undefined)
    expect(known(cache)).toBeUndefined()
    watch.now = undefined
    await read(cache, undefined)
    expect(known(cache)).toBe("not known")
  })

  it("is forgotten with its record, and with all whose key begins alike", async () => {
    const cache = new RowCache(watched(), limits)
    await read(cache, "1", ["things", "acme", "one"])
    await read(cache, "2", ["things", "acme", "two"])
    await read(cache, "3", ["things", "acmes", "one"])
    cache.drop(["things", "acme", "one"])
    expect(known(cache, ["things", "acme", "one"])).toBe("not known")
    expect(known(cache, ["things", "acme", "two"])).toBe(2)
    cache.dropUnder(["things", "acme"])
    expect(known(cache, ["things", "acme", "two"])).toBe("not known")
    expect(known(cache, ["things", "acmes", "one"])).toBe(3)
  })

  it("is no more than so many records, the longest unused first to go", async () => {
    const cache = new RowCache(watched(), limits)
    for (const name of ["a", "b", "c"]) await read(cache, `"${name}"`, ["things", name])
    // Used, and so kept.
    expect(known(cache, ["things", "a"])).toBe("a")
    await read(cache, '"d"', ["things", "d"])
    expect(["a", "b", "c", "d"].map((name) => known(cache, ["things", name]))).toEqual(["a", "not known", "c", "d"])
  })

  it("is no more than so much text", async () => {
    const cache = new RowCache(watched(), { ...limits, maxEntries: 100 })
    const large = JSON.stringify("x".repeat(30 * 2 ** 20))
    for (const name of ["a", "b", "c"]) await read(cache, large, ["things", name])
    expect(known(cache, ["things", "a"])).toBe("not known")
    expect(known(cache, ["things", "c"])).not.toBe("not known")
  })

  it("is used for as long as it may be where changes are not seen", async () => {
    const watch = watched()
    watch.now = undefined
    watch.isBlind = true
    const forever = new RowCache(watch, { ...limits, maxStaleMs: Number.MAX_SAFE_INTEGER })
    const never = new RowCache(watch, { ...limits, maxStaleMs: 0 })
    await read(forever, "1")
    await read(never, "1")
    expect(known(forever)).toBe(1)
    expect(known(never)).toBe("not known")
  })

  it("is not used where changes are not seen yet, or not any more, and others wait for this process to have heard", async () => {
    const watch = watched()
    watch.now = undefined
    const cache = new RowCache(watch, limits)
    await read(cache, "1")
    expect(known(cache)).toBe("not known")
    Object.assign(watch, { now: 1, lastProof: { stamp: 1, at: performance.now() } })
    await read(cache, "1")
    watch.now = undefined
    expect(known(cache), "as long as what it heard last is believed").toBe(1)
    Object.assign(watch, { lastProof: { stamp: 2, at: performance.now() } })
    expect(known(cache)).toBe("not known")
  })

  it("is not what was read before changes were seen", async () => {
    const watch = watched()
    watch.now = undefined
    const cache = new RowCache(watch, limits)
    await read(cache, "1")
    watch.now = 1
    expect(known(cache)).toBe("not known")
  })
})

describe("a read under way", () => {
  const slow = () => {
    let finish: (text: string | undefined) => void = () => {}
    const fetched = new Promise<ReadonlyArray<string | undefined>>((resolve) => (finish = (text) => resolve([text])))
    return { finish: (text: string | undefined) => finish(text), fetch: () => fetched }
  }

  it("is one for all who want the record", async () => {
    const cache = new RowCache(watched(), limits)
    const { fetch, finish } = slow()
    const reads = [cache.read([[...key]], fetch), cache.read([[...key]], () => Promise.reject(new Error("twice")))]
    finish('{"a":1}')
    const [one, other] = await Promise.all(reads)
    expect(one).toBe(other)
  })

  it("is one also for who wants another of its records", async () => {
    const cache = new RowCache(watched(), limits)
    const other = ["things", "acme", "other"] as const
    const both = cache.read([[...key], [...other]], () => Promise.resolve(["1", "2"]))
    const second = cache.read([[...other]], () => Promise.reject(new Error("twice")))
    expect(await Promise.all([both, second])).toEqual([1, 2])
  })

  it("does not bring into memory what was changed after it began", async () => {
    const cache = new RowCache(watched(), limits)
    const { fetch, finish } = slow()
    const before = cache.read([[...key]], fetch)
    cache.drop([...key])
    const after = read(cache, '"new"')
    expect(await after).toBe("new")
    finish('"old"')
    expect(await before).toBe("old")
    expect(known(cache)).toBe("new")
  })

  it("does not, also where a list that the record is in was changed", async () => {
    const cache = new RowCache(watched(), limits)
    const { fetch, finish } = slow()
    const before = cache.read([[...key]], fetch)
    cache.dropUnder(["things", "acme"])
    finish('"old"')
    await before
    expect(known(cache)).toBe("not known")
  })

  it("is of the moment that it began", async () => {
    const watch = watched()
    const cache = new RowCache(watch, limits)
    const { fetch, finish } = slow()
    const before = cache.read([[...key]], fetch)
    watch.now = 2
    finish('"old"')
    await before
    expect(known(cache)).toBe("not known")
  })

  it("that fails leaves nothing behind", async () => {
    const cache = new RowCache(watched(), limits)
    await expect(cache.read([[...key]], () => Promise.reject(new Error("away")))).rejects.toThrow("away")
    expect(await read(cache, "1")).toBe(1)
  })
})
