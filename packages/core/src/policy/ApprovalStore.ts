/** Where approvals are kept. Implemented by stores; called by the executor. */
import type * as Effect from "effect/Effect"
import type { StoreUnavailableError } from "../error/StoreError.ts"
import type { ApprovalRecord, ApprovalStatus } from "./Approval.ts"

/** Approvals by tenant and id, written by compare-and-set on the version. */
export interface ApprovalStore {
  get(tenant: string, id: string): Effect.Effect<ApprovalRecord | undefined, StoreUnavailableError>
  /** Writes an approval if the stored version is the expected one; `0` expects that there is none. Answers whether it did. */
  put(record: ApprovalRecord, expectedVersion: number): Effect.Effect<boolean, StoreUnavailableError>
  /** Deletes an approval of that version. Of any number that do so at the same time, one is told that it did. */
  take(tenant: string, id: string, version: number): Effect.Effect<boolean, StoreUnavailableError>
  /** The approvals with one of the keys, ordered by id. */
  find(tenant: string, keys: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<ApprovalRecord>, StoreUnavailableError>
  /** A subject's, or with `subject: null` all of the tenant, ordered by id, after an id where one is given. */
  list(query: {
    readonly tenant: string
    readonly subject: string | null
    readonly status?: ApprovalStatus | undefined
    /** Epoch milliseconds; only those that expire later. */
    readonly validAt?: number | undefined
    readonly after?: string | undefined
    readonly limit: number
  }): Effect.Effect<ReadonlyArray<ApprovalRecord>, StoreUnavailableError>
  /** Removes the tenant's approvals that expired before `now`, epoch milliseconds; answers how many. */
  removeExpired(tenant: string, now: number): Effect.Effect<number, StoreUnavailableError>
}
