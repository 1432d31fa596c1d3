/**
 * Refreshes tokens in the background before anybody needs them, for every connection of a tenant.
 *
 * Any number of processes may do so for one tenant: each connection is claimed by one of them before it is refreshed.
 *
 * The same refresh as that of a call, begun earlier: at a point of the token's last quarter that differs from connection to connection,
 * so that a thousand connections made together are not refreshed together.
 */
import { createHash } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { Identity } from "../../identity/Identity.ts"
import type { Resources } from "../Resources.ts"
import { selectByKey } from "../select/ConnectionSelector.ts"
import { type GrantedRow, isGranted, isGrantedRow } from "./GrantedConnection.ts"
import { startPaying } from "./RevocationOutbox.ts"
import { tokenKeeper } from "./TokenKeeper.ts"

/** How the background works. */
export interface KeepAliveOptions {
  /** Milliseconds between two looks at what expires soon, more or less a fifth. Default 30 000. */
  readonly everyMs?: number | undefined
  /** How many connections are refreshed at the same time. Default 4. */
  readonly concurrency?: number | undefined
}

/** Tokens are renewed at most this long before they expire, in milliseconds. */
const earliestMs = 10 * 60_000

/** One look takes at most so many connections; the soonest to expire first. */
const mostPerLook = 1000

/** How many connections each of those that are refreshed at the same time claims ahead. */
const perWorker = 4

/**
 * For how many looks a connection is left to whoever claimed it. So long wait those that a process had claimed which died, and those that
 * failed: however many these are, others get their turn.
 */
const looksPerClaim = 2

/** Work in the background that can be ended; it ends with the executor too. */
export interface KeepAlive {
  /** Looks no more. A refresh under way goes on to its end. */
  stop(): Effect.Effect<void>
}

/** Begins to keep a tenant's tokens alive, and goes on with the revocations it owes. A failure is told by events and ends nothing. */
export const keepAlive = (
  resources: Resources,
  { tenant }: Identity,
  { everyMs = 30_000, concurrency = 4 }: KeepAliveOptions,
): Effect.Effect<KeepAlive> => {
  const look = Effect.andThen(
    startPaying(resources, tenant),
    Effect.ignoreCause(refreshAhead(resources, tenant, everyMs, concurrency)),
  )
  const rest = Effect.suspend(() => Effect.sleep(everyMs * (0.8 + Math.random() * 0.4)))
  return Effect.suspend(() => {
    const stopped = Deferred.makeUnsafe<void>()
    const looking = Effect.raceFirst(Effect.forever(Effect.andThen(look, rest)), Deferred.await(stopped))
    const handle: KeepAlive = { stop: () => Effect.asVoid(Deferred.succeed(stopped, undefined)) }
    return Effect.as(resources.inBackground(looking), handle)
  })
}

const refreshAhead = (resources: Resources, tenant: string, everyMs: number, concurrency: number) =>
  Effect.gen(function* () {
    const { connections } = resources.store
    const now = yield* Clock.currentTimeMillis
    const before = now + earliestMs + everyMs
    const rows = yield* connections.expiring({ tenant, before, limit: mostPerLook, unclaimedAt: now })
    const due = rows.filter(isGrantedRow).filter((row) => now >= renewalTime(row))
    // A few at a time, so that processes that look at the same moment share what is due.
    for (let from = 0; from < due.length; from += concurrency * perWorker) {
      const some = due.slice(from, from + concurrency * perWorker)
      const at = yield* Clock.currentTimeMillis
      const claimed = yield* connections.claim(tenant, some, { now: at, until: at + looksPerClaim * everyMs })
      yield* Effect.forEach(
        some.filter((_, index) => claimed[index] === true),
        (row) => Effect.ignoreCause(refreshRow(resources, row)),
        { concurrency, discard: true },
      )
    }
  })

const refreshRow = (resources: Resources, row: GrantedRow) =>
  Effect.flatMap(
    selectByKey(resources, { tenant: row.tenant, subject: row.subject === "" ? null : row.subject }, row),
    (selected) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        // Rows wait for their turn, and a call may have renewed this one meanwhile.
        isGranted(selected) && now >= renewalTime(selected.row)
          ? Effect.asVoid(tokenKeeper(resources).refresh(selected, { kind: "ahead" }))
          : Effect.void,
      ),
  )

/** When a row is renewed, epoch milliseconds: spread over the first half of the last quarter of its token's life. */
const renewalTime = ({ expiresAt, grant }: GrantedRow): number => {
  if (expiresAt === null) return Number.POSITIVE_INFINITY
  const windowMs = Math.min(earliestMs, Math.max(0, expiresAt - grant.issuedAt) / 4)
  const position = createHash("sha256").update(grant.id).digest().readUInt32BE(0) / 2 ** 32
  return expiresAt - windowMs * (1 - position / 2)
}
