/**
 * One refresh, from the lease to the last write: read again, ask for tokens, keep what came, and say truthfully what did not.
 *
 * Runs on a fiber of its own that no caller can interrupt. The order is that of the OAuth reference, section 3.4; each
 * `RefreshRound` under the lease is a look at the row and what follows from it. Between two of them, without the lease, somebody may be
 * waited for.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { CredentialValues } from "../../../auth/applyAuth.ts"
import type { ConnectionCredentialError } from "../../../connection/ConnectionError.ts"
import type { StoreUnavailableError } from "../../../error/StoreError.ts"
import { refreshFailed } from "../refreshFailures.ts"
import { readAccessToken, refreshLeaseKey } from "../tokenItems.ts"
import { awaitWriter } from "./refreshIntents.ts"
import { contended, type RefreshRequest, RefreshRound, Waiting } from "./RefreshRound.ts"
import { readTokensInHand, servable, sufficing } from "./TokensInHand.ts"

/** What a refresh ends with, for all who wait for it. */
export type RefreshExit = Exit.Exit<CredentialValues, ConnectionCredentialError>

/** How often the lease is taken in one refresh. */
const mostHolds = 8

/** How long all waits of one refresh may take together, in milliseconds; then callers are told to try again. */
const longestWaitMs = 30_000

/** How long tokens are waited for that this process has but cannot write, when they have run out. Milliseconds. */
const unsavedWaitMs = 2_000

/**
 * See the file's header. Answers with the access token to use from now on.
 *
 * `answer` is told as soon as that is known, while the refresh itself may go on: tokens that cannot be written keep the lease, and their
 * callers need not wait for that.
 */
export const refreshTokens = (
  request: RefreshRequest,
  answer: (exit: RefreshExit) => void,
): Effect.Effect<CredentialValues, ConnectionCredentialError> =>
  Effect.gen(function* () {
    const { resources, memory, selected } = request
    const urgentEnd = memory.unsaved.urgentEnd(selected.row)
    if (urgentEnd !== undefined) {
      const unsaved = yield* fromUnsaved(request)
      if (unsaved !== undefined) return unsaved
      // What was sent last has to be written before more can be sent.
      yield* Effect.timeoutOrElse(urgentEnd, { duration: unsavedWaitMs, orElse: () => Effect.void })
      if (memory.unsaved.urgentEnd(selected.row) !== undefined) {
        const word = "New tokens cannot be written, and have run out meanwhile. The connection is kept."
        return yield* Effect.fail(refreshFailed(selected.row, "store_unavailable", word, 1000))
      }
    }
    let waitedMs = 0
    for (let holds = 1; holds <= mostHolds; holds += 1) {
      const answered = yield* resources.store.lease.hold(refreshLeaseKey(selected.row), (held) =>
        Effect.flatMap(Effect.exit(new RefreshRound(request, held).run()), (exit) => {
          if (memory.unsaved.of(selected.row) === undefined) return exit
          const told = answerEarly(request, exit, answer)
          return Effect.andThen(Effect.andThen(told, memory.unsaved.saveUnder(selected.row, held)), exit)
        }),
      )
      if (!(answered instanceof Waiting)) return answered
      if (answered.intentId === null) continue
      waitedMs += answered.forMs
      if (waitedMs > longestWaitMs) break
      yield* awaitWriter(resources, selected.row, answered.intentId, answered.forMs)
    }
    return yield* Effect.fail(contended(selected.row))
  }).pipe(Effect.catchTag("StoreUnavailableError", (error) => withoutStore(request, error)))

/** Tells callers what is known while the lease is kept. Where the store is what failed, that is found out first. */
const answerEarly = (
  request: RefreshRequest,
  exit: Exit.Exit<CredentialValues | Waiting, ConnectionCredentialError | StoreUnavailableError>,
  answer: (exit: RefreshExit) => void,
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const settled = yield* Effect.exit(
      Effect.catchTag(exit, "StoreUnavailableError", (error) => withoutStore(request, error)),
    )
    if (Exit.isFailure(settled)) answer(Exit.failCause(settled.cause))
    else if (!(settled.value instanceof Waiting)) answer(Exit.succeed(settled.value))
  })

/** The tokens that this process alone has, where they are what is asked for. */
const fromUnsaved = ({
  resources,
  memory,
  selected: { row },
  reason,
}: RefreshRequest): Effect.Effect<CredentialValues | undefined, ConnectionCredentialError> =>
  Effect.gen(function* () {
    const unsaved = memory.unsaved.of(row)
    if (unsaved === undefined) return undefined
    const now = yield* Clock.currentTimeMillis
    const inHand = yield* readTokensInHand(resources, row, unsaved)
    const sufficient = sufficing(inHand, reason, row.grant.issuedAt, now)
    if (sufficient !== undefined) return sufficient
    const served = servable(inHand, reason, now)
    return served === undefined ? undefined : yield* served
  })

/** The store cannot be reached: what is held is used for as long as it is good. */
const withoutStore = (
  { resources, memory, selected: { row }, reason }: RefreshRequest,
  error: StoreUnavailableError,
): Effect.Effect<CredentialValues, ConnectionCredentialError> =>
  Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const inHand = yield* readTokensInHand(resources, row, memory.unsaved.of(row), readAccessToken)
    return yield* (
      servable(inHand, reason, now) ??
      Effect.fail(refreshFailed(row, "store_unavailable", `${error.message} The connection is kept.`, 1000))
    )
  })
