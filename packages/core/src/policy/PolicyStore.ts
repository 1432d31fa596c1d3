/** Where policy rules are kept. Implemented by stores; called by the executor. */
import type * as Effect from "effect/Effect"
import type { StoreUnavailableError } from "../error/StoreError.ts"
import type { PolicyRecord, PolicyRules } from "./Policy.ts"

/** Rules by tenant and id, written by compare-and-set on the version. */
export interface PolicyStore {
  /**
   * The organisation's rules, and with a `subject` that user's too, each list ordered by `byOrder`.
   *
   * Asked before every call. Answer with the very same lists while nothing changed: what is derived from a list is kept as long as the
   * list lives. A write that was answered, by whatever process, is seen by the next call.
   */
  rules(tenant: string, subject: string | null): Effect.Effect<PolicyRules, StoreUnavailableError>
  get(tenant: string, id: string): Effect.Effect<PolicyRecord | undefined, StoreUnavailableError>
  /** Writes a rule if the stored version is the expected one; `0` expects that there is none. Answers whether it did. */
  put(record: PolicyRecord, expectedVersion: number): Effect.Effect<boolean, StoreUnavailableError>
  /** Answers whether there was one to delete. */
  remove(tenant: string, id: string): Effect.Effect<boolean, StoreUnavailableError>
}
