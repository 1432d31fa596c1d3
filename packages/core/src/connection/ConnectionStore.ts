/**
 * Where connections are kept. Implemented by stores; called by the executor.
 *
 * Every method names tenant and subject, so that no implementation can answer across partitions. `storeContract` in
 * `@keyward/core/testing` holds an implementation to these sentences.
 */
import type * as Effect from "effect/Effect"
import type { StoreUnavailableError } from "../error/StoreError.ts"
import type { Owner } from "../identity/Identity.ts"
import type { ConnectionRow } from "./Connection.ts"
import type { ConnectionKey } from "./ConnectionRef.ts"

/**
 * How a record is read: as it is `stored` now, or as it was `recent`ly.
 *
 * A recent one may come from the process's memory. How old it can be is the store's to say; what this process wrote it knows. It is the
 * same object for as long as nothing changed, and what a call reads. Whoever decides about a write, or about a token that is spent by
 * being used, reads what is stored.
 */
export type Reading = "stored" | "recent"

/** Which connections to list. */
export interface ConnectionQuery {
  readonly tenant: string
  /** The acting subject, whose `user` connections are included; `null`: organisation connections only. */
  readonly subject: string | null
  readonly integration?: string | undefined
  readonly owner?: Owner | undefined
  /** Only rows of this name. */
  readonly name?: string | undefined
  /** Only rows after this one in the order of the list. */
  readonly after?: Pick<ConnectionKey, "integration" | "owner" | "name"> | undefined
  readonly limit: number
}

/** Rows by key, written by compare-and-set. */
export interface ConnectionStore {
  /** Default of `reading`: `stored`. */
  get(key: ConnectionKey, reading?: Reading): Effect.Effect<ConnectionRow | undefined, StoreUnavailableError>
  /**
   * Writes a row if the stored version is the expected one; `0` expects that there is none. Answers whether it did.
   *
   * The row's own version is greater than the expected one.
   */
  put(row: ConnectionRow, expectedVersion: number): Effect.Effect<boolean, StoreUnavailableError>
  /** Deletes a row, if it still has the version where one is given. Answers whether there was one to delete. */
  remove(key: ConnectionKey, expectedVersion?: number): Effect.Effect<boolean, StoreUnavailableError>
  /** Lists rows ordered by integration, owner and name, each compared code unit by code unit. */
  list(query: ConnectionQuery): Effect.Effect<ReadonlyArray<ConnectionRow>, StoreUnavailableError>
  /**
   * Active rows of a tenant, of whichever subject, whose grant can be refreshed and whose access token expires before `before`,
   * epoch milliseconds; the soonest first. For keeping tokens alive in the background. With `unclaimedAt`, those that are claimed at
   * that time are left out.
   */
  expiring(query: {
    readonly tenant: string
    readonly before: number
    readonly limit: number
    readonly unclaimedAt?: number | undefined
  }): Effect.Effect<ReadonlyArray<ConnectionRow>, StoreUnavailableError>
  /**
   * Claims rows of a tenant until a time, epoch milliseconds, so that whoever keeps tokens alive shares the work with others. Answers, in
   * the same order, which of them nobody else had claimed at `now`: of any number who claim a row at the same time, one gets it.
   *
   * A claim keeps nobody from reading, writing or refreshing a row, and outlives the row without harm.
   */
  claim(
    tenant: string,
    keys: ReadonlyArray<ConnectionKey>,
    term: { readonly now: number; readonly until: number },
  ): Effect.Effect<ReadonlyArray<boolean>, StoreUnavailableError>
  /** Whether any subject of a tenant has a connection of an integration. */
  isUsed(tenant: string, integration: string): Effect.Effect<boolean, StoreUnavailableError>
}
