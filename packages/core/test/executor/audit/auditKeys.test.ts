/** Keys of a trail as hosts add, change, forget and lose them, and the way on from each; what an anchor finds when little is left. */
import { randomBytes } from "node:crypto"
import { type AuditKeyMaterial, createExecutor, memoryStore, type Store } from "@keyward/core"
import * as Effect from "effect/Effect"
import { describe, expect, it, onTestFinished } from "vitest"
import { acmePlugin, rejectionOf } from "../acme.ts"

const [one, two, three] = [randomBytes(32), randomBytes(32), randomBytes(32)] as const

/** Processes of one store, each with the keys that it was given. */
const processes = (store: Store = memoryStore()) => {
  let count = 0
  const start = async (...keys: ReadonlyArray<AuditKeyMaterial>) => {
    const executor = await createExecutor({
      store,
      audit: keys.length === 0 ? true : { key: keys },
      plugins: [acmePlugin()] as const,
    })
    onTestFinished(() => executor.close())
    return {
      audit: executor.audit,
      write: () => executor.acme.add({ slug: `api${(count += 1)}`, baseUrl: "https://api.example", authTemplates: [] }),
      fault: async () => (await executor.audit.verify()).fault,
    }
  }
  return { store, start }
}

const later = () => Date.now() + 60_000

describe("a key that is added to a trail", () => {
  it("is said to be in no entry until there is one, and vouches for the trail from then on", async () => {
    const { start } = processes()
    await (await start()).write()
    const keyed = await start(one)
    expect(await keyed.audit.verify()).toMatchObject({
      fault: { kind: "never_keyed", sequence: 1 },
      isKeyed: false,
    })
    await keyed.write()
    expect(await keyed.audit.verify()).toMatchObject({ fault: null, isKeyed: true, checked: 2 })
  })
})

describe("a key that is changed", () => {
  it("is known to every process in between where it is passed behind the old one first", async () => {
    const { start } = processes()
    const [old, ready, changed] = [await start(one), await start(one, two), await start(two, one)]
    for (const process of [old, ready, changed, ready]) await process.write()
    expect(await ready.fault()).toBeNull()
    expect(await changed.fault()).toBeNull()
    expect(await old.fault()).toEqual({ kind: "key_unknown", sequence: 3 })
    await changed.write()
    expect(await old.fault()).toEqual({ kind: "key_unknown", sequence: 5 })
  })

  it("is missed by name when it is dropped while entries of it are there", async () => {
    const { start } = processes()
    await (await start(one)).write()
    await (await start(two, one)).write()
    const dropped = await start(three, two)
    expect(await dropped.fault()).toEqual({ kind: "key_unknown", sequence: 1 })
    await (await start(three, two, one)).audit.prune({ before: later() })
    expect(await dropped.fault()).toBeNull()
  })
})

describe("pruning what has a fault", () => {
  it("is refused, and goes where it is forced, of which the trail and the listener are told", async () => {
    const { start } = processes()
    const keyed = await start(one)
    await keyed.write()
    // One process that was started without the key.
    await (await start()).write()
    await keyed.write()
    const fault = { kind: "not_keyed", sequence: 2 } as const
    expect(await keyed.fault()).toEqual(fault)
    expect(await rejectionOf(keyed.audit.prune({ before: later() }))).toMatchObject({
      _tag: "AuditBrokenError",
      ...fault,
    })
    expect(await keyed.audit.prune({ before: later(), isForced: true })).toBe(3)
    expect(await keyed.audit.list()).toMatchObject([
      { type: "audit.pruned", sequence: 4, details: { entries: 3, through: 3, fault } },
    ])
    expect(await keyed.audit.verify()).toMatchObject({ fault: null, checked: 1, removedThrough: 3, isKeyed: true })
  })

  it("leaves a whole chain whatever became of the last entry that goes", async () => {
    const inner = memoryStore()
    let isAltered = false
    const { start } = processes({
      ...inner,
      audit: {
        ...inner.audit,
        list: (query) =>
          Effect.map(inner.audit.list(query), (entries) =>
            entries.map((entry) => (isAltered && entry.sequence === 2 ? { ...entry, hash: "0".repeat(64) } : entry)),
          ),
      },
    })
    const keyed = await start(one)
    await keyed.write()
    await keyed.write()
    isAltered = true
    expect(await keyed.fault()).toEqual({ kind: "altered", sequence: 2 })
    expect(await keyed.audit.prune({ before: later(), isForced: true })).toBe(2)
    expect(await keyed.fault()).toBeNull()
  })

  it("is refused all the same where the head is not what was written", async () => {
    const inner = memoryStore()
    let isAltered = false
    const { start } = processes({
      ...inner,
      audit: {
        ...inner.audit,
        head: (tenant) =>
          Effect.map(inner.audit.head(tenant), (head) => (isAltered && head ? { ...head, removedThrough: 1 } : head)),
      },
    })
    const keyed = await start(one)
    await keyed.write()
    await keyed.write()
    isAltered = true
    expect(await rejectionOf(keyed.audit.prune({ before: later(), isForced: true }))).toMatchObject({
      _tag: "AuditBrokenError",
      kind: "head_altered",
    })
  })
})

describe("an anchor", () => {
  it("finds that a trail is gone as a whole", async () => {
    const { start } = processes()
    const kept = await start(one)
    await kept.write()
    const { head } = await kept.audit.verify()
    const elsewhere = await processes().start(one)
    expect(await elsewhere.audit.verify({ anchor: head! })).toMatchObject({
      isIntact: false,
      fault: { kind: "truncated", sequence: 1 },
    })
  })

  it.each<[string, ReadonlyArray<AuditKeyMaterial>, object]>([
    ["is not checked and says so where a key vouches for it", [one], { isIntact: true, isAnchorChecked: false }],
    ["is a fault where there is no key", [], { isIntact: false, fault: { kind: "anchor_pruned", sequence: 1 } }],
  ])("that was pruned since %s", async (_, keys, found) => {
    const { start } = processes()
    const process = await start(...keys)
    await process.write()
    const { head } = await process.audit.verify()
    await process.write()
    expect(await process.audit.verify({ anchor: head! })).toMatchObject({ isIntact: true, isAnchorChecked: true })
    await process.audit.prune({ before: later() })
    expect(await process.audit.verify({ anchor: head! })).toMatchObject(found)
  })
})
