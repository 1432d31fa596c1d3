/**
 * Calls and requests of which the host is told once they have ended, however that was.
 *
 * Where the host refuses what its audit trail has no room for, a call takes its place in the trail before it begins, so that no more run
 * at the same time than the trail can take.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Resources } from "../Resources.ts"

/** Runs a call and then tells of it, with its value or with the name of what ended it: an error, or `aborted`. */
export const recordedCall = <A, E>(
  { audit, refusesUnaudited }: Pick<Resources, "audit" | "refusesUnaudited">,
  call: Effect.Effect<A, E>,
  tell: (ended: CallEnd<A>) => void,
): Effect.Effect<A, E | StoreUnavailableError> => {
  const told = (exit: Exit.Exit<A, E>): Effect.Effect<void> => Effect.sync(() => tell(endOf(exit)))
  if (audit === undefined || !refusesUnaudited) return Effect.onExit(call, told)
  return Effect.uninterruptibleMask((restore): Effect.Effect<A, E | StoreUnavailableError> => {
    if (!audit.reserve()) return Effect.fail(unaudited)
    return Effect.onExit(restore(call), (exit) =>
      Effect.suspend(() => {
        // Its entry takes the place at once.
        audit.release()
        return told(exit)
      }),
    )
  })
}

/** How a call ended. */
export type CallEnd<A> = { readonly value: A } | { readonly failure: string; readonly error: unknown }

/** What an error is called in events. */
export const nameOfError = (error: unknown): string => (error instanceof Error ? error.name : "failed")

const endOf = <A, E>(exit: Exit.Exit<A, E>): CallEnd<A> => {
  if (Exit.isSuccess(exit)) return { value: exit.value }
  const { reasons } = exit.cause
  const failed = reasons.find((reason) => reason._tag === "Fail")
  if (failed !== undefined) return { failure: nameOfError(failed.error), error: failed.error }
  const died = reasons.find((reason) => reason._tag === "Die")
  return died === undefined
    ? { failure: "aborted", error: undefined }
    : { failure: nameOfError(died.defect), error: died.defect }
}

const unaudited = new StoreUnavailableError({ operation: "write the audit trail", reason: "full" })
