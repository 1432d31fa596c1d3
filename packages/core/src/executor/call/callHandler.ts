/** A plugin's own code, called so that nothing it does can harm the host: in time, and with whatever it throws as a failure. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { quote } from "../../error/KeywardError.ts"
import { isHttpError } from "../../http/HttpError.ts"
import type { HandlerResult } from "../../integration/Plugin.ts"
import type { Resources } from "../Resources.ts"

/** Calls a plugin's handler and waits for what it returns, whichever of the three forms that has. */
export const callHandler = <A>(call: () => HandlerResult<A>): Effect.Effect<A, unknown> =>
  Effect.suspend(() => {
    let result: HandlerResult<A>
    try {
      result = call()
    } catch (error) {
      return Effect.fail(error)
    }
    if (Effect.isEffect(result)) return Effect.catchCause(result, failWithSquashed)
    if (Predicate.isPromiseLike(result)) {
      const promise = result
      return Effect.tryPromise({ try: () => promise as Promise<A>, catch: (error) => error })
    }
    return Effect.succeed(result)
  })

/** Ends a handler that takes longer than a tool may. */
export const withinToolTimeout =
  ({ toolTimeoutMs }: Resources) =>
  <A>(handled: Effect.Effect<A, unknown>): Effect.Effect<A, unknown> =>
    Effect.timeoutOrElse(handled, {
      duration: toolTimeoutMs,
      orElse: () => Effect.fail(new Error(`it took longer than ${toolTimeoutMs} ms.`)),
    })

/** Keyward's own errors say what is wrong; a plugin's text is quoted and cut. */
export const reasonOf = (error: unknown): string =>
  isHttpError(error) ? error.message : error instanceof Error ? quote(error.message, 300) : "it failed."

/** A handler that dies or interrupts itself has failed; when the call is interrupted, nobody gets here. */
const failWithSquashed = (cause: Cause.Cause<unknown>): Effect.Effect<never, unknown> =>
  Effect.fail(Cause.hasInterruptsOnly(cause) ? new Error("it interrupted itself.") : Cause.squash(cause))
