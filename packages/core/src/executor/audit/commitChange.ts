/**
 * A change of what is stored, told to the host and recorded in the audit trail: by the very transaction that makes it, where the store
 * can do that; after it otherwise.
 */
import * as Effect from "effect/Effect"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity } from "../../identity/Identity.ts"
import type { EventBody } from "../ExecutorEvent.ts"
import type { Resources } from "../Resources.ts"

/**
 * Runs the one write that decides about a change, as a method of the store gave it; when it answers `false`, nothing was changed and
 * there is nothing to tell.
 *
 * Where the entry goes with the write, a trail that cannot be written fails the change, and nothing is written. `recover` finds out what
 * became of a write whose answer was lost: if it is there, so is its entry. Once begun, a change is told of too.
 */
export const commitChange = <A extends boolean | void>(
  resources: Resources,
  identity: Identity,
  write: Effect.Effect<A, StoreUnavailableError>,
  event: EventBody,
  recover: (error: StoreUnavailableError) => Effect.Effect<A, StoreUnavailableError> = Effect.fail,
): Effect.Effect<A, StoreUnavailableError> =>
  Effect.suspend(() => {
    const { audit, hasListener } = resources
    if (!hasListener) return Effect.catchTag(write, "StoreUnavailableError", recover)
    let at: number | undefined
    const recorded = audit?.recordWith(identity.tenant, write, (answer) => {
      at = Date.now()
      return answer === false ? undefined : { ...event, at, ...identity }
    })
    const tell = (answer: A): Effect.Effect<void> =>
      Effect.sync(() => {
        if (answer === false) return
        if (recorded === undefined) resources.emit(identity, event)
        else resources.tell(identity, event, at)
      })
    return Effect.uninterruptible(
      Effect.tap(Effect.catchTag(recorded ?? write, "StoreUnavailableError", recover), tell),
    )
  })
