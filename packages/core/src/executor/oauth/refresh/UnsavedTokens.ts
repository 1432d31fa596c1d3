/**
 * New tokens that could not be written yet: the old ones are worth nothing any more, so these are used, kept and tried again.
 *
 * In this process's memory, for as long as it takes. As long as the row does not say so, the lease is kept and they are tried several
 * times a second, so that they are there before anybody can take this process for dead. The host is told when that happens and when it
 * is over.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { ConnectionRow } from "../../../connection/Connection.ts"
import type { ConnectionKey } from "../../../connection/ConnectionRef.ts"
import type { HeldLease } from "../../../credential/Lease.ts"
import type { Identity } from "../../../identity/Identity.ts"
import type { Resources } from "../../Resources.ts"
import { isGrantedRow } from "../GrantedConnection.ts"
import { refreshLeaseKey } from "../tokenItems.ts"
import { type FreshTokens, isSuperseded, markHeld, saveTokens } from "./saveTokens.ts"

interface Unsaved {
  readonly identity: Identity
  readonly key: ConnectionKey
  readonly tokens: FreshTokens
  readonly isTold: boolean
}

/** What came of one attempt. `told`: they are still here, and the row says so. `unwritable`: nobody else can know. */
type Attempt = "saved" | "told" | "taken_over" | "unwritable"

/** Between two attempts while others may take this process for dead; well within their patience. Milliseconds. */
const urgentWaitMs = 250
/** Between two attempts of which others know, in milliseconds. */
const shortestWaitMs = 1_000
const longestWaitMs = 60_000

/** See the file's header. */
export class UnsavedTokens {
  readonly #resources: Resources
  readonly #byKey = new Map<string, Unsaved>()
  /** Those that are tried under a lease that is kept, by name; ended when it is given back. */
  readonly #urgent = new Map<string, Deferred.Deferred<void>>()
  readonly #retried = new Set<string>()
  readonly #closing = Deferred.makeUnsafe<void>()
  #isClosed = false

  constructor(resources: Resources) {
    this.#resources = resources
  }

  /** The tokens of a row that are not saved yet. */
  of(row: ConnectionRow): FreshTokens | undefined {
    if (this.#byKey.size === 0) return undefined
    const unsaved = this.#byKey.get(refreshLeaseKey(row))
    if (unsaved === undefined || !isGrantedRow(row) || row.grant.id !== unsaved.tokens.grantId) return undefined
    return isSuperseded(row, unsaved.tokens) ? undefined : unsaved.tokens
  }

  /** Keeps tokens until they are saved; `isTold`: others know of them, or have taken the matter over. */
  keep(identity: Identity, key: ConnectionKey, tokens: FreshTokens, isTold: boolean): void {
    this.#byKey.set(refreshLeaseKey(key), { identity, key, tokens, isTold })
  }

  /** They are saved, or of no use any more. */
  forget(key: ConnectionKey): void {
    this.#byKey.delete(refreshLeaseKey(key))
  }

  /** The end of the attempts under a lease that is kept for them, if there are any: until then nobody else gets the lease. */
  urgentEnd(key: ConnectionKey): Effect.Effect<void> | undefined {
    const ended = this.#urgent.get(refreshLeaseKey(key))
    return ended === undefined ? undefined : Deferred.await(ended)
  }

  /**
   * Goes on to save what was kept for a connection by whoever holds its lease and calls this: under that lease for as long as nobody
   * else can know of it, then in the background, with a lease for each attempt.
   */
  saveUnder(key: ConnectionKey, held: Pick<HeldLease, "isHeld">): Effect.Effect<void> {
    return Effect.suspend(() => {
      const name = refreshLeaseKey(key)
      const unsaved = this.#byKey.get(name)
      if (unsaved === undefined) return Effect.void
      return unsaved.isTold ? this.#saveLater(name) : this.#saveNow(name, held)
    })
  }

  #saveNow(name: string, held: Pick<HeldLease, "isHeld">): Effect.Effect<void> {
    return Effect.suspend(() => {
      const ended = Deferred.makeUnsafe<void>()
      this.#urgent.set(name, ended)
      return Effect.ensuring(
        Effect.andThen(this.#saveUrgently(name, held), this.#saveLater(name)),
        Effect.sync(() => {
          this.#urgent.delete(name)
          Deferred.doneUnsafe(ended, Effect.void)
        }),
      )
    })
  }

  /** Tries everything once more, then stops trying. */
  close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#isClosed = true
      Deferred.doneUnsafe(this.#closing, Effect.void)
      return Effect.andThen(
        Effect.suspend(() => Effect.forEach([...this.#urgent.values()], Deferred.await, { discard: true })),
        Effect.suspend(() => Effect.forEach([...this.#byKey.keys()], (name) => this.#leased(name), { discard: true })),
      )
    })
  }

  #saveUrgently(name: string, held: Pick<HeldLease, "isHeld">): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      for (;;) {
        const isLast = this.#isClosed
        if ((yield* this.#attempt(name, held)) !== "unwritable" || isLast) return
        yield* this.#rest(urgentWaitMs)
      }
    })
  }

  #saveLater(name: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!this.#byKey.has(name) || this.#retried.has(name) || this.#isClosed) return Effect.void
      this.#retried.add(name)
      const retrying = Effect.gen({ self: this }, function* () {
        for (let waitMs = shortestWaitMs; ; waitMs = Math.min(longestWaitMs, waitMs * 2)) {
          yield* this.#rest(waitMs)
          if (this.#isClosed || !this.#byKey.has(name)) return
          // Where not even the lease can be had, nobody else can have it.
          if (!(yield* this.#leased(name))) waitMs = shortestWaitMs / 2
        }
      })
      return this.#resources.inBackground(
        Effect.ensuring(
          retrying,
          Effect.sync(() => this.#retried.delete(name)),
        ),
      )
    })
  }

  /** Answers whether the lease could be had. */
  #leased(name: string): Effect.Effect<boolean> {
    return Effect.match(
      this.#resources.store.lease.hold(name, (held) => this.#saveNow(name, held)),
      { onFailure: () => false, onSuccess: () => true },
    )
  }

  #attempt(name: string, held: Pick<HeldLease, "isHeld">): Effect.Effect<Attempt> {
    return Effect.gen({ self: this }, function* () {
      const unsaved = this.#byKey.get(name)
      if (unsaved === undefined) return "saved"
      const { identity, key, tokens } = unsaved
      const saved = yield* Effect.result(saveTokens(this.#resources, identity, key, tokens, held))
      if (Result.isFailure(saved)) return (yield* markHeld(this.#resources, key, tokens)) ? "told" : "unwritable"
      if (saved.success.kind === "taken_over") return "taken_over"
      // Others may have taken their place meanwhile.
      if (this.#byKey.get(name) === unsaved) this.#byKey.delete(name)
      return "saved"
    })
  }

  /** Waits, or not for long when the executor closes. */
  #rest(forMs: number): Effect.Effect<void> {
    return Effect.raceFirst(Effect.sleep(forMs), Deferred.await(this.#closing))
  }
}
