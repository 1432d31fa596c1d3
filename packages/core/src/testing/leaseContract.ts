/**
 * The contract suite of leases: what `Lease` says, as cases that any test runner can run.
 */
import * as assert from "node:assert/strict"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { HeldLease, Lease } from "../credential/Lease.ts"
import { type ContractCase, patience, soon } from "./ContractCase.ts"
import { hostileIds, lookAlikeIds } from "./hostileText.ts"

/** A fresh lease with its handles; made anew for each case. */
export interface LeaseUnderTest {
  readonly lease: Lease
  /** Called once after the case, whatever came of it. */
  readonly dispose?: (() => PromiseLike<void> | void) | undefined
}

/** What {@link leaseContract} takes: a lease of which nobody holds anything, or one with its handles, fresh on each call. */
export type MakeLease = () => Lease | LeaseUnderTest | PromiseLike<Lease | LeaseUnderTest>

/** Options of {@link leaseContract}. */
export interface LeaseContractOptions {
  /** How long to wait for what should happen at once before it counts as never happening, in milliseconds. Default 15,000. */
  readonly patienceMs?: number | undefined
}

/**
 * The cases a lease must pass; `make` is called once per case.
 *
 * A case rejects with an `AssertionError` when its sentence does not hold.
 *
 * @example
 * ```ts
 * import { memoryStore } from "@keyward/core"
 * import { leaseContract } from "@keyward/core/testing"
 * import { describe, it } from "node:test"
 *
 * describe("the lease of memoryStore", () => {
 *   for (const { name, run } of leaseContract(() => memoryStore().lease)) it(name, run)
 * })
 * ```
 */
export const leaseContract = (make: MakeLease, options: LeaseContractOptions = {}): ReadonlyArray<ContractCase> => {
  const cases: Array<ContractCase> = []
  const test: Test = (name, check) => {
    const run = async (): Promise<void> => {
      const made = await make()
      const subject = "lease" in made ? made : { lease: made }
      try {
        await check(new LeaseProbe(subject.lease, options.patienceMs ?? patience))
      } finally {
        await subject.dispose?.()
      }
    }
    cases.push({ name, run })
  }
  addHoldingCases(test)
  addReleaseCases(test)
  addWaitingCases(test)
  return cases
}

type Test = (name: string, check: (probe: LeaseProbe) => Promise<void>) => void

const addHoldingCases = (test: Test): void => {
  test("gives back what the holder gives, and fails as the holder fails", async (probe) => {
    assert.equal(await probe.held(() => Effect.succeed("value")), "value")
    const failed = await probe.exitOf(
      probe.lease.hold("key", () => Effect.fail("refused")),
      "A holder that fails",
    )
    const reasons = Exit.isFailure(failed) ? failed.cause.reasons : []
    assert.deepEqual(
      reasons.map((reason) => Cause.isFailReason(reason) && reason.error),
      ["refused"],
    )
  })

  test("lets one of a hundred fibers in at a time, and each of them once", async (probe) => {
    let [inside, most, done] = [0, 0, 0]
    const enter = probe.lease.hold("key", () =>
      Effect.gen(function* () {
        inside += 1
        most = Math.max(most, inside)
        for (let turn = 0; turn < 3; turn++) yield* turnOfTheLoop
        inside -= 1
        done += 1
      }),
    )
    const hundred = Array.from({ length: 100 }, () => enter)
    await probe.exitOf(Effect.all(hundred, { concurrency: "unbounded" }), "A hundred holds")
    assert.deepEqual({ most, done }, { most: 1, done: 100 })
  })

  test("begins when its effect runs, and again each time that it runs", async (probe) => {
    let begun = 0
    const hold = probe.lease.hold("key", () => Effect.sync(() => (begun += 1)))
    await afterSomeTurns()
    assert.equal(begun, 0, "A lease was taken before its effect ran.")
    await probe.exitOf(hold, "A hold")
    await probe.exitOf(hold, "The same hold again")
    assert.equal(begun, 2)
  })

  test("says that a lease is held while it is, and not after", async (probe) => {
    const seen: Array<HeldLease> = []
    const isHeld = await probe.held((held) => {
      seen.push(held)
      return Effect.andThen(turnOfTheLoop, held.isHeld)
    })
    assert.equal(isHeld, true, "A holder is told that it does not hold.")
    const [past] = seen
    assert.ok(past !== undefined)
    assert.equal(await Effect.runPromise(past.isHeld), false, "A lease that was given back counts as held.")
    assert.equal(await probe.held(() => past.isHeld), false, "A former holder counts as the holder while another is.")
  })

  test("tells a time in milliseconds that goes on, to one holder and the next", async (probe) => {
    const first = await probe.held(({ now }) => now)
    assert.ok(Number.isSafeInteger(first), `The time is ${first}, not a whole number of milliseconds.`)
    const second = await probe.held(({ now }) => Effect.andThen(Effect.sleep(20), now))
    assert.ok(second > first, `20 ms after ${first} the time is ${second}.`)
  })

  test("keeps keys apart that are hostile or look alike: none waits for another", async (probe) => {
    const texts = [...hostileIds.map(({ text }) => text), ...lookAlikeIds.flatMap(({ ids }) => ids)]
    const holdAll = [...new Set(texts)].reduceRight<Effect.Effect<string, unknown>>(
      (inner, key) => probe.lease.hold(key, () => inner),
      Effect.succeed("all held"),
    )
    const exit = await probe.exitOf(holdAll, "Holding every key at once")
    assert.deepEqual(exit, Exit.succeed("all held"))
  })
}

const addReleaseCases = (test: Test): void => {
  test("is given back after a success, a failure and a defect, however the holder was written", async (probe) => {
    const holders: ReadonlyArray<readonly [end: string, use: () => Effect.Effect<string, string>]> = [
      ["a success", () => Effect.succeed("done")],
      ["a failure", () => Effect.fail("refused")],
      ["a late failure", () => Effect.andThen(turnOfTheLoop, Effect.fail("refused"))],
      ["a defect", () => Effect.die(new Error("broken"))],
      [
        "a throw",
        () => {
          throw new Error("broken")
        },
      ],
    ]
    for (const [end, use] of holders) {
      await probe.exitOf(probe.lease.hold("key", use), `A holder that ends with ${end}`)
      assert.equal(await probe.held(() => Effect.succeed(end)), end)
    }
  })

  test("is given back when its holder is interrupted, after the holder's own end", async (probe) => {
    const order: Array<string> = []
    const use = Effect.onExit(Effect.never, () =>
      Effect.andThen(
        turnOfTheLoop,
        Effect.sync(() => order.push("ended")),
      ),
    )
    const holder = await probe.holder(use)
    const next = await probe.waiter(Effect.sync(() => order.push("next")))
    await holder.interrupt()
    await next.ended()
    assert.deepEqual(order, ["ended", "next"])
  })

  test("is given back by its holder alone, not by those who leave the line", async (probe) => {
    const leave = gate()
    const holder = await probe.holder(Effect.promise(() => leave.opened))
    await (await probe.waiter()).interrupt()
    const next = await probe.waiter()
    assert.equal(next.hasBegun(), false, "Somebody came in while the lease was held.")
    leave.open()
    await holder.ended()
    await next.ended()
  })
}

const addWaitingCases = (test: Test): void => {
  test("can be interrupted while waiting, at once, and does not begin then", async (probe) => {
    const holder = await probe.holder(Effect.never)
    const waiter = await probe.waiter()
    await waiter.interrupt()
    await holder.interrupt()
    assert.equal(await probe.held(() => Effect.succeed("free")), "free")
    assert.equal(waiter.hasBegun(), false, "A fiber began that had been interrupted while it waited.")
  })

  test("passes over those who left, wherever they stood in the line", async (probe) => {
    const holder = await probe.holder(Effect.never)
    const line = [await probe.waiter(), await probe.waiter(), await probe.waiter(), await probe.waiter()]
    for (const index of [2, 0]) await line[index]?.interrupt()
    await holder.interrupt()
    for (const index of [1, 3]) await line[index]?.ended()
    assert.deepEqual(
      line.map((waiter) => waiter.hasBegun()),
      [false, true, false, true],
    )
  })

  test("loses no turn when waiters are interrupted as the lease is given back", async (probe) => {
    for (let round = 0; round < 20; round++) {
      const holder = await probe.holder(Effect.never)
      const line = [await probe.waiter(), await probe.waiter(), await probe.waiter()]
      const leaving = line.slice(0, 1 + (round % 2)).map((waiter) => waiter.interrupt())
      await Promise.all([holder.interrupt(), ...leaving])
      await line[2]?.ended()
    }
  })

  test("lets everybody in who waits, though others keep coming", async (probe) => {
    const holder = await probe.holder(Effect.never)
    const early = await Promise.all(Array.from({ length: 10 }, () => probe.waiter()))
    const busy = Effect.forever(probe.lease.hold("key", () => turnOfTheLoop))
    const crowd = Array.from({ length: 5 }, () => Effect.runFork(busy))
    try {
      await afterSomeTurns()
      await holder.interrupt()
      for (const waiter of early) await waiter.ended()
      assert.ok(early.every((waiter) => waiter.hasBegun()))
    } finally {
      await Effect.runPromise(Fiber.interruptAll(crowd))
    }
  })

  test("blocks nobody who wants another key", async (probe) => {
    const holder = await probe.holder(Effect.never)
    assert.equal(await probe.held(() => Effect.succeed("free"), "Key"), "free")
    await holder.interrupt()
  })
}

/** A fiber that wants `key`. */
interface Contender {
  readonly hasBegun: () => boolean
  /** Interrupts it; it must end soon. */
  readonly interrupt: () => Promise<void>
  /** Resolves when it has had its turn, which must be soon. */
  readonly ended: () => Promise<void>
}

/** The lease as the cases speak to it. Fibers that are still there when a case failed are nobody's business any more. */
class LeaseProbe {
  readonly lease: Lease
  readonly #patienceMs: number

  constructor(lease: Lease, patienceMs: number) {
    this.lease = lease
    this.#patienceMs = patienceMs
  }

  exitOf<A, E>(effect: Effect.Effect<A, E>, what: string): Promise<Exit.Exit<A, E>> {
    return soon(Effect.runPromiseExit(effect), `The end of: ${what}`, this.#patienceMs)
  }

  /** What a holder gives; the hold must succeed, and soon. */
  async held<A, E>(use: (held: HeldLease) => Effect.Effect<A, E>, key = "key"): Promise<A> {
    const exit = await this.exitOf(this.lease.hold(key, use), "A hold")
    return Exit.isSuccess(exit) ? exit.value : assert.fail(`A hold failed: ${Cause.pretty(exit.cause)}`)
  }

  /** A fiber that has begun to hold `key`. */
  async holder(use: Effect.Effect<unknown>): Promise<Contender> {
    const begun = gate()
    const contender = this.#contend(Effect.andThen(Effect.sync(begun.open), use))
    await soon(begun.opened, "The hold of a free key", this.#patienceMs)
    return contender
  }

  /** A fiber that has had the time to stand in line for `key`. */
  async waiter(use: Effect.Effect<unknown> = Effect.void): Promise<Contender> {
    const contender = this.#contend(use)
    await afterSomeTurns()
    return contender
  }

  #contend(use: Effect.Effect<unknown>): Contender {
    let begun = false
    const fiber = Effect.runFork(
      this.lease.hold("key", () => {
        begun = true
        return use
      }),
    )
    const ended = Effect.runPromise(Fiber.await(fiber))
    return {
      hasBegun: () => begun,
      interrupt: async () => {
        fiber.interruptUnsafe()
        await soon(ended, "The end of a fiber that was interrupted", this.#patienceMs)
      },
      ended: async () => void (await soon(ended, "The turn of a fiber that waited", this.#patienceMs)),
    }
  }
}

/** One turn of the event loop, in which everybody else gets to run. */
const turnOfTheLoop = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

const afterSomeTurns = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await Effect.runPromise(turnOfTheLoop)
}

const gate = (): { readonly open: () => void; readonly opened: Promise<void> } => {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, opened }
}
