/**
 * The lease contract catches what it says it catches: leases that are broken on purpose fail it, each in the cases that name
 * its fault. A lease that lets nobody in is found out by the contract's patience, which is short here.
 */
import { leaseContract, type MakeLease } from "@keyward/core/testing"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import type { Lease } from "../../src/credential/Lease.ts"
import { memoryLease } from "../../src/memory/MemoryLease.ts"

/** The names of the cases that fail, of those that match. */
const failuresOf = async (make: MakeLease, only = /./, patienceMs = 15_000): Promise<Array<string>> => {
  const failed: Array<string> = []
  const cases = leaseContract(make, { patienceMs }).filter(({ name }) => only.test(name))
  await Promise.all(cases.map(({ name, run }) => run().catch(() => failed.push(name))))
  return failed
}

const lease =
  (make: (sound: Lease) => Lease["hold"]): MakeLease =>
  () => ({ hold: make(memoryLease()) })

/** A lease by hand: `locked` says who holds, `waiting` who comes next. */
class Lock {
  locked = false
  readonly waiting: Array<() => void> = []

  take(): Promise<void> {
    return new Promise((resolve) => {
      if (this.locked) this.waiting.push(resolve)
      else resolve()
      this.locked = true
    })
  }

  give(pick: "first" | "last" = "first"): void {
    const next = pick === "first" ? this.waiting.shift() : this.waiting.pop()
    if (next === undefined) this.locked = false
    else next()
  }
}

/** Locks by key for a lease that is made anew. */
const locked =
  (hold: (lockOf: (key: string) => Lock) => Lease["hold"]): MakeLease =>
  () => {
    const locks = new Map<string, Lock>()
    return {
      hold: hold((key) => {
        const lock = locks.get(key) ?? new Lock()
        locks.set(key, lock)
        return lock
      }),
    }
  }

const heldForever = { isHeld: Effect.succeed(true), now: Clock.currentTimeMillis }

describe("a sound lease", () => {
  it("passes every case, and every case has a name of its own", async () => {
    const cases = leaseContract(() => memoryLease())
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length)
    expect(await failuresOf(() => memoryLease())).toEqual([])
  })

  it("is disposed of after each case, also after one that failed", async () => {
    let [made, disposed] = [0, 0]
    const make = (sound: Lease) => () => {
      made += 1
      return { lease: sound, dispose: () => void (disposed += 1) }
    }
    await failuresOf(make(memoryLease()), /begins|gives back/)
    await failuresOf(make({ hold: () => Effect.die(new Error("broken")) }), /begins|gives back/)
    expect({ made, disposed }).toEqual({ made: 4, disposed: 4 })
  })
})

describe("a lease that is broken on purpose", () => {
  it.each<[string, MakeLease, ReadonlyArray<RegExp>]>([
    [
      "excludes nobody",
      lease(() => (_, use) => use(heldForever)),
      [/lets one of a hundred/, /is given back by its holder alone/],
    ],
    [
      "looks first and takes later",
      () => {
        const held = new Set<string>()
        const hold: Lease["hold"] = (key, use) =>
          Effect.gen(function* () {
            while (held.has(key)) yield* Effect.yieldNow
            yield* Effect.promise(() => Promise.resolve())
            held.add(key)
            return yield* Effect.ensuring(
              use(heldForever),
              Effect.sync(() => held.delete(key)),
            )
          })
        return { hold }
      },
      [/lets one of a hundred/],
    ],
    [
      "takes when it is made",
      lease((sound) => (key, use) => {
        const early = Effect.runPromiseExit(sound.hold(key, use))
        return Effect.flatten(Effect.promise(() => early))
      }),
      [/begins when its effect runs/],
    ],
    [
      "always says that it is held",
      lease((sound) => (key, use) => sound.hold(key, () => use(heldForever))),
      [/says that a lease is held/],
    ],
    [
      "never says that it is held",
      lease((sound) => (key, use) => sound.hold(key, () => use({ ...heldForever, isHeld: Effect.succeed(false) }))),
      [/says that a lease is held/],
    ],
    [
      "asks whether anybody holds",
      () => {
        const sound = memoryLease()
        const held = new Set<string>()
        return {
          hold: (key, use) =>
            sound.hold(key, () => {
              held.add(key)
              return Effect.ensuring(
                use({ ...heldForever, isHeld: Effect.sync(() => held.has(key)) }),
                Effect.sync(() => held.delete(key)),
              )
            }),
        }
      },
      [/says that a lease is held/],
    ],
    [
      "folds the case of keys",
      lease((sound) => (key, use) => sound.hold(key.toLowerCase(), use)),
      [/hostile/, /another key/],
    ],
    ["has one lock for all", lease((sound) => (_, use) => sound.hold("", use)), [/hostile/, /another key/]],
    ["cuts keys at a NUL", lease((sound) => (key, use) => sound.hold(key.split("\0")[0] ?? "", use)), [/hostile/]],
    [
      "keeps the lease after a failure",
      locked(
        (lockOf) => (key, use) =>
          Effect.promise(() => lockOf(key).take()).pipe(
            Effect.andThen(use(heldForever)),
            Effect.tap(() => Effect.sync(() => lockOf(key).give())),
          ),
      ),
      [/success, a failure and a defect/, /its holder is interrupted/],
    ],
    [
      "keeps the lease after a throw",
      locked(
        (lockOf) => (key, use) =>
          Effect.flatMap(
            Effect.promise(() => lockOf(key).take()),
            () =>
              Effect.ensuring(
                use(heldForever),
                Effect.sync(() => lockOf(key).give()),
              ),
          ),
      ),
      [/success, a failure and a defect/],
    ],
    [
      "gives back before the holder has ended",
      locked(
        (lockOf) => (key, use) =>
          Effect.promise(() => lockOf(key).take()).pipe(
            Effect.andThen(
              Effect.raceFirst(
                use(heldForever),
                Effect.onInterrupt(Effect.never, () => Effect.sync(() => lockOf(key).give())),
              ),
            ),
          ),
      ),
      [/success, a failure and a defect/, /after the holder's own end/],
    ],
    [
      "leaves a ghost in the line",
      locked(
        (lockOf) => (key, use) =>
          Effect.promise(() => lockOf(key).take()).pipe(
            Effect.andThen(
              Effect.ensuring(
                Effect.suspend(() => use(heldForever)),
                Effect.sync(() => lockOf(key).give()),
              ),
            ),
          ),
      ),
      [/can be interrupted while waiting/, /passes over those who left/],
    ],
    [
      "gives back what it never had",
      locked((lockOf) => (key, use) => {
        const lock = lockOf(key)
        const take = Effect.gen(function* () {
          while (lock.locked) yield* Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
          lock.locked = true
        })
        return Effect.ensuring(
          Effect.andThen(
            take,
            Effect.suspend(() => use(heldForever)),
          ),
          Effect.sync(() => {
            lock.locked = false
          }),
        )
      }),
      [/is given back by its holder alone/],
    ],
    [
      "cannot be interrupted while waiting",
      lease((sound) => (key, use) => Effect.uninterruptible(sound.hold(key, use))),
      [/can be interrupted while waiting/],
    ],
    [
      "begins though it was interrupted",
      lease((sound) => (key, use) => Effect.flatten(Effect.promise(() => Effect.runPromiseExit(sound.hold(key, use))))),
      [/can be interrupted while waiting/],
    ],
    [
      "lets the last in first",
      locked(
        (lockOf) => (key, use) =>
          Effect.promise(() => lockOf(key).take()).pipe(
            Effect.andThen(
              Effect.ensuring(
                Effect.suspend(() => use(heldForever)),
                Effect.sync(() => lockOf(key).give("last")),
              ),
            ),
          ),
      ),
      [/lets everybody in/],
    ],
    [
      "fails with another error than the holder's",
      lease((sound) => (key, use) => Effect.orDie(sound.hold(key, use))),
      [/fails as the holder fails/],
    ],
  ])("fails where it %s", async (_, make, expected) => {
    const only = new RegExp(expected.map(({ source }) => source).join("|"))
    const failed = await failuresOf(make, only, 500)
    for (const name of expected) expect(failed).toEqual(expect.arrayContaining([expect.stringMatching(name)]))
  })
})
