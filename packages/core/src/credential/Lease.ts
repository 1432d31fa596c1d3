/**
 * One holder per name, across the fibers of a process and, where the store spans processes, across those.
 *
 * Held by the executor while it refreshes the tokens of one connection, never during the request that a tool makes. Implemented by
 * stores; `leaseContract` in `@keyward/core/testing` holds an implementation to these sentences.
 */
import type * as Effect from "effect/Effect"
import type { StoreUnavailableError } from "../error/StoreError.ts"

/** What a holder can ask while it holds. */
export interface HeldLease {
  /**
   * Whether the lease is still this holder's. A holder that was stopped for longer than the lease lasts may have lost it to another;
   * compare-and-set on the row decides in the end.
   */
  readonly isHeld: Effect.Effect<boolean, StoreUnavailableError>
  /** The time by the store's own clock, epoch milliseconds: what holders on different machines agree on. */
  readonly now: Effect.Effect<number, StoreUnavailableError>
  /**
   * From now on the lease outlives its holder's process by no more than this, in milliseconds: for work that others may do again without
   * harm, and had better do soon. Absent where a lease ends with the process anyway.
   */
  readonly shorten?: (forMs: number) => Effect.Effect<void, StoreUnavailableError>
}

/** See the file's header. */
export interface Lease {
  /**
   * Runs `use` while nobody else holds `key`, after waiting for whoever does.
   *
   * Waiting can be interrupted. The lease is given back however `use` ends, and by itself when its holder's process dies. A holder
   * gives back only its own lease. Fails with `StoreUnavailableError` when the lease cannot be had because of what is behind it;
   * `use` has not been started then.
   */
  hold<A, E>(key: string, use: (held: HeldLease) => Effect.Effect<A, E>): Effect.Effect<A, E | StoreUnavailableError>
}
