/** Where integrations are kept. Implemented by stores; called by the executor. */
import type * as Effect from "effect/Effect"
import type { Reading } from "../connection/ConnectionStore.ts"
import type { StoreUnavailableError } from "../error/StoreError.ts"
import type { IntegrationRecord } from "./Integration.ts"

/** Records by tenant and slug, written by compare-and-set on the revision. */
export interface IntegrationStore {
  /** Default of `reading`: `stored`. */
  get(
    tenant: string,
    slug: string,
    reading?: Reading,
  ): Effect.Effect<IntegrationRecord | undefined, StoreUnavailableError>
  /** Writes a record if the stored revision is the expected one; `0` expects that there is none. Answers whether it did. */
  put(record: IntegrationRecord, expectedRevision: number): Effect.Effect<boolean, StoreUnavailableError>
  /** Deletes a record. Answers whether there was one. */
  remove(tenant: string, slug: string): Effect.Effect<boolean, StoreUnavailableError>
  /** Lists records ordered by slug, code unit by code unit, after a slug where one is given. */
  list(query: {
    readonly tenant: string
    readonly after?: string | undefined
    readonly limit: number
  }): Effect.Effect<ReadonlyArray<IntegrationRecord>, StoreUnavailableError>
}
