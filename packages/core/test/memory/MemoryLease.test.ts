/** What the memory lease promises beyond the contract of all leases: the order of a queue, and any number of fibers in it. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { describe, expect, it } from "vitest"
import { memoryLease } from "../../src/memory/MemoryLease.ts"

/** In which the queue fills up. */
const turnOfTheLoop = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

describe("memoryLease", () => {
  it("lets fibers in one after the other in the order in which they came", async () => {
    const lease = memoryLease()
    const order: Array<number> = []
    const holds = Array.from({ length: 50 }, (_, index) =>
      lease.hold("key", () =>
        Effect.andThen(
          Effect.yieldNow,
          Effect.sync(() => order.push(index)),
        ),
      ),
    )
    await Effect.runPromise(Effect.all(holds, { concurrency: "unbounded" }))
    expect(order).toEqual(Array.from({ length: 50 }, (_, index) => index))
  })

  it("holds for ten thousand fibers that never wait themselves, without growing the stack", async () => {
    const lease = memoryLease()
    let served = 0
    const serve = lease.hold("key", () => Effect.sync(() => (served += 1)))
    const queue = Effect.all(
      Array.from({ length: 10_000 }, () => serve),
      { concurrency: "unbounded", discard: true },
    )
    const begin = lease.hold("key", () => Effect.tap(Effect.forkDetach(queue), turnOfTheLoop))
    const waiting = await Effect.runPromise(begin)
    await Effect.runPromise(Fiber.join(waiting))
    expect(served).toBe(10_000)
  })
})
