/**
 * Runs effects for the Promise surface: errors reject as the instances they are, aborts as the signal's own reason.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { CallStop } from "./call/CallStop.ts"

/** Runs an effect; aborting the signal, or the call that it is part of, interrupts it and rejects with the reason of that. */
export const runPromise = <A, E>(effect: Effect.Effect<A, E>, signal?: AbortSignal, stop?: CallStop): Promise<A> => {
  const aborted = firstAborted(signal, stop)
  if (aborted !== undefined) return Promise.reject(aborted.reason as Error)
  return new Promise((resolve, reject) => {
    let isOver = false
    const interrupt = Effect.runCallback(effect, {
      signal,
      onExit: (exit) => {
        isOver = true
        stop?.delete(abandon)
        if (Exit.isSuccess(exit)) resolve(exit.value)
        else {
          const by = firstAborted(signal, stop)
          // Whatever the caller gave as the reason, an error or not: what the standard `fetch` does.
          reject((by === undefined ? Cause.squash(exit.cause) : by.reason) as Error)
        }
      },
    })
    function abandon(): void {
      interrupt()
    }
    if (stop === undefined || isOver) return
    if (stop.signal.aborted) abandon()
    else stop.add(abandon)
  })
}

const firstAborted = (signal: AbortSignal | undefined, stop: CallStop | undefined): AbortSignal | undefined =>
  signal?.aborted === true ? signal : stop?.signal.aborted === true ? stop.signal : undefined
