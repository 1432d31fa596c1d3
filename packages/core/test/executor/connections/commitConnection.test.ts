/** Writes whose answer was lost: a row that is stored keeps its own secret, and one that is not keeps the one before. */
import { memoryStore, type Store, StoreUnavailableError } from "@keyward/core"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { contentsOf, countingProvider, main, setStage } from "../acme.ts"

const item = "default/connection:org:api:main:token"

const lost = (operation: string): Effect.Effect<never, StoreUnavailableError> =>
  Effect.fail(new StoreUnavailableError({ operation, reason: "connection_lost" }))

/** What happens to the next write of a connection, and to the reads that follow it. */
interface Trouble {
  /** Whether the write is done before its answer is lost. */
  isDone: boolean
  /** How many reads after it fail as well. */
  failingReads: number
}

const setTroubledStage = async () => {
  const real = memoryStore()
  let trouble: Trouble | undefined
  let failingReads = 0
  const store: Store = {
    ...real,
    connections: {
      ...real.connections,
      get: (key, reading) =>
        Effect.suspend(() => (failingReads-- > 0 ? lost("read a connection") : real.connections.get(key, reading))),
      put: (row, expectedVersion) =>
        Effect.suspend(() => {
          if (trouble === undefined) return real.connections.put(row, expectedVersion)
          const { isDone } = trouble
          failingReads = trouble.failingReads
          trouble = undefined
          const written = isDone ? Effect.asVoid(real.connections.put(row, expectedVersion)) : Effect.void
          return Effect.andThen(written, lost("write a connection"))
        }),
    },
  }
  const { provider } = countingProvider()
  const { executor, events } = await setStage({ config: { store, providers: [provider], audit: true } })
  const create = (value: string) => executor.connections.create({ ...main, template: "bearer", value })
  return {
    executor,
    create,
    told: () => events.map(({ type }) => type),
    kept: async () => (await executor.audit.list()).map(({ type }) => type).slice(1),
    items: () => contentsOf(provider),
    nextWrite: (next: Trouble) => {
      trouble = next
    },
  }
}

describe("a connection whose row was written though the answer was lost", () => {
  it("is created, with its secret, and told and kept once", async () => {
    const { create, executor, items, kept, nextWrite, told } = await setTroubledStage()
    nextWrite({ isDone: true, failingReads: 0 })
    await create("first")
    expect(told()).toEqual(["connection.created"])
    expect(await kept()).toEqual(["connection.created"])
    expect(await executor.connections.get(main)).toMatchObject({ status: "active" })
    expect((await items())[item]).toBe("first")
  })

  it("is replaced, and not put over the secret of the one before, also when the store takes a while to answer again", async () => {
    const { create, items, nextWrite } = await setTroubledStage()
    await create("first")
    nextWrite({ isDone: true, failingReads: 2 })
    await create("second")
    expect((await items())[item]).toBe("second")
  })
})

describe("a connection whose row was not written", () => {
  it("is not created, and its secret is gone, and nothing is told or kept of it", async () => {
    const { create, executor, items, kept, nextWrite, told } = await setTroubledStage()
    nextWrite({ isDone: false, failingReads: 0 })
    await expect(create("first")).rejects.toBeInstanceOf(StoreUnavailableError)
    expect(await executor.connections.get(main)).toBeNull()
    expect(await items()).not.toHaveProperty([item])
    expect(told()).toEqual([])
    expect(await kept()).toEqual([])
  })

  it("keeps what it was before", async () => {
    const { create, items, nextWrite } = await setTroubledStage()
    await create("first")
    nextWrite({ isDone: false, failingReads: 1 })
    await expect(create("second")).rejects.toBeInstanceOf(StoreUnavailableError)
    expect((await items())[item]).toBe("first")
  })
})

describe("a connection of which nobody knows whether its row was written", () => {
  it("keeps the secret that the row would need, and repeating makes both agree", async () => {
    const { create, executor, items, nextWrite } = await setTroubledStage()
    nextWrite({ isDone: true, failingReads: 5 })
    await expect(create("first")).rejects.toMatchObject({ _tag: "StoreUnavailableError", outcome: "unknown" })
    expect((await items())[item], "The row is there.").toBe("first")
    nextWrite({ isDone: false, failingReads: 5 })
    const replaced = create("second")
    await expect(replaced).rejects.toMatchObject({ outcome: "unknown" })
    await expect(replaced).rejects.toThrow("look, or repeat it")
    expect((await items())[item]).toBe("second")
    await create("second")
    expect(await executor.connections.get(main)).toMatchObject({ status: "active" })
    expect((await items())[item]).toBe("second")
  })
})
