/**
 * Runs effects for the Promise surface: errors reject as the instances they are, aborts as the signal's own reason.
 */
import * as Effect from "effect/Effect"

/** Runs an effect; aborting either signal interrupts it and rejects with that signal's reason. */
export const runPromise = <A, E>(
  effect: Effect.Effect<A, E>,
  signal?: AbortSignal,
  outer?: AbortSignal,
): Promise<A> => {
  if (signal === undefined && outer === undefined) return Effect.runPromise(effect)
  const aborted = firstAborted(signal, outer)
  if (aborted !== undefined) return abandoned(aborted)
  const only = signal === undefined ? outer : outer === undefined ? signal : undefined
  return only === undefined ? interruptibleByBoth(effect, signal, outer) : interruptible(effect, only)
}

const interruptible = <A, E>(effect: Effect.Effect<A, E>, signal: AbortSignal): Promise<A> =>
  Effect.runPromise(effect, { signal }).catch((error: unknown) =>
    signal.aborted ? abandoned(signal) : Promise.reject(error as Error),
  )

const interruptibleByBoth = async <A, E>(
  effect: Effect.Effect<A, E>,
  signal: AbortSignal | undefined,
  outer: AbortSignal | undefined,
): Promise<A> => {
  const controller = new AbortController()
  const abort = (): void => {
    controller.abort()
  }
  signal?.addEventListener("abort", abort, { once: true })
  outer?.addEventListener("abort", abort, { once: true })
  try {
    return await Effect.runPromise(effect, { signal: controller.signal })
  } catch (error) {
    const aborted = firstAborted(signal, outer)
    return await (aborted === undefined ? Promise.reject(error) : abandoned(aborted))
  } finally {
    signal?.removeEventListener("abort", abort)
    outer?.removeEventListener("abort", abort)
  }
}

const firstAborted = (...signals: ReadonlyArray<AbortSignal | undefined>): AbortSignal | undefined =>
  signals.find((signal) => signal?.aborted === true)

/** Whatever the caller gave as the reason, an error or not: what the standard `fetch` does. */
const abandoned = (signal: AbortSignal): Promise<never> => Promise.reject(signal.reason as Error)
