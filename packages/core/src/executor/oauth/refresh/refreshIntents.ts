/**
 * Intents on rows: word that somebody sends a refresh token, left before it is sent, and what others make of it.
 *
 * Who finds one under the lease knows that its writer has lost the lease. That does not mean that the writer is dead: it may have stood
 * still, or be cut off from a store that has just come back, with the new tokens in hand. So it is missed first, by the store's clock
 * and on the row, where every process sees it; only when it has been missed for long enough is its token sent again.
 */
import { randomUUID } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { ConnectionRow } from "../../../connection/Connection.ts"
import type { RefreshIntent } from "../../../connection/ConnectionGrant.ts"
import type { ConnectionKey } from "../../../connection/ConnectionRef.ts"
import type { HeldLease } from "../../../credential/Lease.ts"
import type { StoreUnavailableError } from "../../../error/StoreError.ts"
import type { Resources } from "../../Resources.ts"
import { type GrantedRow, isGrantedRow } from "../GrantedConnection.ts"

/**
 * How long whoever sent a token may be missed before it is sent again, in milliseconds. With the lease before it (3 s), well within the
 * grace windows of servers (30 s, often), and long enough for a process that stood still, and for one whose store was away.
 */
const patienceMs = 8_000

/** The same for a token that had been sent before: a server without grace has ended the grant by then, and the others' grace runs out. */
const replayPatienceMs = 1_000

/** How long somebody may take from the write of a new refresh token to that of the row, in milliseconds: the items are refresh-first. */
const writePatienceMs = 2_000

/** A process that holds unsaved tokens says so at least once a minute; one that has not for this long is missed. Milliseconds. */
const heldForMs = 90_000

/** How often a row is looked at while somebody is missed, in milliseconds. */
const lookEveryMs = 100

/** How often, and how many times, word is tried to be taken back that a store did not take. */
const withdrawEveryMs = 250
const mostWithdrawals = 240

/** What may go wrong when a token is sent beside an intent of somebody else: see `RefreshRound`. */
export type Danger = "replay" | "overtaking"

/** What an intent means for whoever holds the lease and would send a token. */
export type IntentStanding =
  /** Its writer is alive and has the new tokens. */
  | { readonly kind: "held" }
  /** An answer was lost, and nobody waits for it any more. */
  | { readonly kind: "unknown" }
  /** Nobody has missed its writer yet. */
  | { readonly kind: "new" }
  /** Its writer may be alive. */
  | { readonly kind: "missed"; readonly remainingMs: number }
  /** Its writer is dead. */
  | { readonly kind: "abandoned" }

/** Judges an intent; `now` is this process's time, `storeNow` the store's. */
export const standingOf = (intent: RefreshIntent, danger: Danger, now: number, storeNow: number): IntentStanding => {
  if (intent.state === "unknown") return { kind: "unknown" }
  // What they could not write is older by now than what they stored, and they look before they write again.
  if (intent.state === "held" && danger === "overtaking") return { kind: "abandoned" }
  if (intent.state === "held" && Math.abs(now - intent.startedAt) < heldForMs) return { kind: "held" }
  if (intent.missedAt === undefined) return { kind: "new" }
  const missedForMs = storeNow - intent.missedAt
  // The store's clock went back.
  if (missedForMs < 0) return { kind: "new" }
  const longestMs = danger === "overtaking" ? writePatienceMs : intent.isReplay === true ? replayPatienceMs : patienceMs
  const remainingMs = longestMs - missedForMs
  return remainingMs > 0 ? { kind: "missed", remainingMs } : { kind: "abandoned" }
}

/**
 * Puts an intent on record; `undefined` when somebody else wrote the row first. Fails when the store cannot be written; the intent
 * may be there then, and is taken back as soon as that can be done.
 */
export const beginIntent = (
  resources: Resources,
  row: GrantedRow,
  usedHash: string,
  isReplay: boolean,
): Effect.Effect<GrantedRow | undefined, StoreUnavailableError> =>
  Effect.gen(function* () {
    const startedAt = yield* Clock.currentTimeMillis
    const intent: RefreshIntent = {
      id: randomUUID(),
      startedAt,
      tokenHash: usedHash,
      state: "sent",
      ...(isReplay && { isReplay }),
    }
    const begun = { ...row, grant: { ...row.grant, intent }, version: row.version + 1 }
    const isWritten = yield* Effect.tapError(resources.store.connections.put(begun, row.version), () =>
      withdrawIntent(resources, begun),
    )
    return isWritten ? begun : undefined
  })

/** Takes an intent of which nothing was sent off the row, in the background, for as long as the store may need to come back. */
export const withdrawIntent = (resources: Resources, begun: GrantedRow): Effect.Effect<void> => {
  const withdrawing = Effect.gen(function* () {
    for (let attempt = 0; attempt < mostWithdrawals; attempt += 1) {
      const isDone = yield* Effect.match(settleIntent(resources, begun, null), {
        onFailure: () => false,
        onSuccess: () => true,
      })
      if (isDone) return
      yield* Effect.sleep(withdrawEveryMs)
    }
  })
  return resources.inBackground(withdrawing)
}

/** Says what became of an intent, or takes it off; one that somebody else has written since is theirs to settle. */
export const settleIntent = (
  resources: Resources,
  begun: GrantedRow,
  state: "unknown" | null,
): Effect.Effect<void, StoreUnavailableError> => {
  const { intent } = begun.grant
  if (intent === null) return Effect.void
  return Effect.asVoid(
    changeRow(resources, begun, ({ grant }) =>
      grant.intent?.id === intent.id
        ? { grant: { ...grant, intent: state === null ? null : { ...intent, state } } }
        : undefined,
    ),
  )
}

/** Leaves word on the row since when the writer of its intent is missed. Answers whether the row still was the one that was read. */
export const missWriter = (
  resources: Resources,
  row: GrantedRow,
  intent: RefreshIntent,
  { now }: Pick<HeldLease, "now">,
): Effect.Effect<boolean, StoreUnavailableError> =>
  Effect.flatMap(now, (missedAt) => {
    const grant = { ...row.grant, intent: { ...intent, missedAt } }
    return resources.store.connections.put({ ...row, grant, version: row.version + 1 }, row.version)
  })

/** Waits until the writer of an intent has said what became of it, or somebody else has, and no longer than that. */
export const awaitWriter = (
  resources: Resources,
  key: ConnectionKey,
  intentId: string,
  forMs: number,
): Effect.Effect<void, StoreUnavailableError> =>
  Effect.gen(function* () {
    for (let waitedMs = 0; waitedMs < forMs; waitedMs += lookEveryMs) {
      yield* Effect.sleep(lookEveryMs)
      const intent = (yield* resources.store.connections.get(key))?.grant?.intent
      if (intent?.id !== intentId || intent.state !== "sent") return
    }
  })

/** Changes the row of a grant, whatever else of it changes meanwhile; `undefined` when the grant is gone. No change is none. */
export const changeRow = (
  resources: Resources,
  of: GrantedRow,
  change: (row: GrantedRow) => Partial<ConnectionRow> | undefined,
): Effect.Effect<ConnectionRow | undefined, StoreUnavailableError> => {
  const { connections } = resources.store
  return Effect.gen(function* () {
    for (;;) {
      const row = yield* connections.get(of)
      if (row === undefined || !isGrantedRow(row) || row.grant.id !== of.grant.id) return undefined
      const changed = change(row)
      if (changed === undefined) return row
      const next = { ...row, ...changed, version: row.version + 1 }
      if (yield* connections.put(next, row.version)) return next
    }
  })
}
