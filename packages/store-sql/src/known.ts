/**
 * What is made of records that are mostly in memory already, for reads that every call makes.
 *
 * What is known is made at once, so that whoever asks can go on without a step of the interpreter.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

/** As `Effect.map`; see the file's header. */
export const mapKnown = <A, E, B>(effect: Effect.Effect<A, E>, make: (value: A) => B): Effect.Effect<B, E> =>
  isKnown(effect) ? Effect.succeed(make(effect.value)) : Effect.map(effect, make)

/** As `Effect.zipWith`, one after the other; see the file's header. */
export const zipKnown = <A, B, C, E>(
  one: Effect.Effect<A, E>,
  other: Effect.Effect<B, E>,
  make: (one: A, other: B) => C,
): Effect.Effect<C, E> =>
  isKnown(one) && isKnown(other) ? Effect.succeed(make(one.value, other.value)) : Effect.zipWith(one, other, make)

const isKnown = <A, E>(effect: Effect.Effect<A, E>): effect is Exit.Success<A> =>
  Exit.isExit(effect) && Exit.isSuccess(effect as Exit.Exit<A, E>)
