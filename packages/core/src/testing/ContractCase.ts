/**
 * The form in which contract suites come: a list of named cases that any test runner can run.
 *
 * Each suite (`providerContract`, `storeContract`, `pluginContract`) returns such a list; this file also holds the few
 * assertions they share. Nothing here imports a test runner.
 */
import * as assert from "node:assert/strict"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"

/**
 * One sentence of a contract, ready to be checked.
 *
 * @example
 * ```ts
 * import { memoryProvider } from "@keyward/core"
 * import { providerContract } from "@keyward/core/testing"
 * import { it } from "node:test"
 *
 * for (const { name, run } of providerContract(() => memoryProvider())) it(name, run)
 * ```
 */
export interface ContractCase {
  /** The sentence. Unique within its suite. */
  readonly name: string
  /** Makes what it needs, checks, and tidies up; rejects with an `AssertionError` when the sentence does not hold. */
  readonly run: () => Promise<void>
}

/** How long a contract waits for what should happen soon before it calls it hanging, in milliseconds. */
export const patience = 15_000

/** What a promise gives, or an `AssertionError` saying that `what` never happened. */
export const soon = async <A>(promise: Promise<A>, what: string, patienceMs = patience): Promise<A> => {
  let timer: NodeJS.Timeout | undefined
  const givenUp = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new assert.AssertionError({ message: `${what} did not happen.` })), patienceMs)
  })
  try {
    return await Promise.race([promise, givenUp])
  } finally {
    clearTimeout(timer)
  }
}

/** Runs an effect that must succeed, and soon. */
export const succeeding = async <A, E>(effect: Effect.Effect<A, E>, what: string): Promise<A> => {
  const exit = await settled(effect, what)
  if (Exit.isSuccess(exit)) return exit.value
  return assert.fail(`${what} failed: ${Cause.pretty(exit.cause)}`)
}

/** Runs an effect to its exit, and soon. */
export const settled = <A, E>(effect: Effect.Effect<A, E>, what: string): Promise<Exit.Exit<A, E>> =>
  soon(Effect.runPromiseExit(effect), what)

/** The typed failure of an exit; anything else (a success, a defect, an interruption) breaks the contract. */
export const failureOf = <A, E>(exit: Exit.Exit<A, E>, what: string): E => {
  if (Exit.isSuccess(exit)) return assert.fail(`${what} succeeded where it had to fail.`)
  const failure = exit.cause.reasons.find(Cause.isFailReason)
  return failure === undefined
    ? assert.fail(`${what} ended with no typed failure but with: ${Cause.pretty(exit.cause)}`)
    : failure.error
}

/** Starts an effect, interrupts it once `started` has resolved, and gives its exit, which must come soon. */
export const interrupted = async <A, E>(
  effect: Effect.Effect<A, E>,
  what: string,
  started: Promise<unknown> = Promise.resolve(),
): Promise<Exit.Exit<A, E>> => {
  const fiber = Effect.runFork(effect)
  await started
  await soon(Effect.runPromise(Fiber.interrupt(fiber)), `The end of ${what} after its interruption`)
  return soon(Effect.runPromise(Fiber.await(fiber)), `The exit of ${what}`)
}
