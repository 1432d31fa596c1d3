/**
 * Sequencing on the call path, where most of what is asked for is known already: a row in memory, a catalog, a template.
 *
 * Going on at once spares a step of the interpreter and its allocations. Called only where the whole path is suspended or
 * about to run, because what follows may run while the effect is being made.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

/** As `Effect.flatMap`; goes on at once after what has succeeded already, and hands on what has failed already. */
export const andThen = <A, E, B, E2>(
  effect: Effect.Effect<A, E>,
  next: (value: A) => Effect.Effect<B, E2>,
): Effect.Effect<B, E | E2> => {
  if (!Exit.isExit(effect)) return Effect.flatMap(effect, next)
  const exit = effect as Exit.Exit<A, E>
  return Exit.isSuccess(exit) ? next(exit.value) : (exit as Exit.Exit<never, E>)
}
