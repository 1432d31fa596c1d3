/**
 * One read for everybody who wants the same thing at the same time.
 *
 * Whoever comes while a read is under way waits for its answer; a caller that gives up leaves it to the others, and the
 * last one to give up ends it. Used for items, lists of items and the list of vaults.
 */
import type { ProviderError } from "@keyward/core/effect"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { closed } from "./opFailure.ts"

interface Flight<A> {
  readonly answer: Deferred.Deferred<A, ProviderError>
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  waiting: number
}

/** Reads under way, by key. */
export class SharedRead<A> {
  readonly #flights = new Map<string, Flight<A>>()
  readonly #running = new Set<Flight<A>>()

  /**
   * Joins the read under way for `key`, or starts `read`. `onAnswer` hears of a success unless the read was
   * {@link SharedRead.detach}ed meanwhile.
   */
  join(
    key: string,
    read: Effect.Effect<A, ProviderError>,
    onAnswer: (answer: A) => Effect.Effect<void> = () => Effect.void,
  ): Effect.Effect<A, ProviderError> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.gen({ self: this }, function* () {
        const flight = this.#flights.get(key) ?? (yield* this.#start(key, read, onAnswer))
        flight.waiting += 1
        return yield* Effect.ensuring(
          restore(Deferred.await(flight.answer)),
          Effect.suspend(() => {
            flight.waiting -= 1
            return flight.waiting === 0 ? this.#stop(key, flight) : Effect.void
          }),
        )
      }),
    )
  }

  /** Lets those who wait have their answer, and the next caller start anew. */
  detach(key: string): void {
    this.#flights.delete(key)
  }

  /** Ends every read under way; those who wait fail as closed. */
  close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const running = [...this.#running]
      this.#flights.clear()
      for (const { answer } of running) Deferred.doneUnsafe(answer, Effect.fail(closed()))
      return Effect.forEach(running, ({ fiber }) => (fiber ? Fiber.interrupt(fiber) : Effect.void), {
        concurrency: "unbounded",
        discard: true,
      })
    })
  }

  #start(
    key: string,
    read: Effect.Effect<A, ProviderError>,
    onAnswer: (answer: A) => Effect.Effect<void>,
  ): Effect.Effect<Flight<A>> {
    return Effect.gen({ self: this }, function* () {
      const flight: Flight<A> = { answer: Deferred.makeUnsafe(), fiber: undefined, waiting: 0 }
      this.#flights.set(key, flight)
      this.#running.add(flight)
      flight.fiber = yield* Effect.forkDetach(
        Effect.onExit(read, (exit) =>
          Effect.gen({ self: this }, function* () {
            this.#running.delete(flight)
            if (this.#flights.get(key) === flight) {
              this.#flights.delete(key)
              if (exit._tag === "Success") yield* onAnswer(exit.value)
            }
            yield* Deferred.done(flight.answer, exit)
          }),
        ),
      )
      return flight
    })
  }

  #stop(key: string, flight: Flight<A>): Effect.Effect<void> {
    if (this.#flights.get(key) === flight) this.#flights.delete(key)
    return flight.fiber === undefined ? Effect.void : Fiber.interrupt(flight.fiber)
  }
}
