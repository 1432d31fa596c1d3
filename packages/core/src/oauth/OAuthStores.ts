/**
 * Where OAuth records are kept: clients, flows under way, and revocations that are still owed. Implemented by stores.
 *
 * Every method names the tenant. `storeContract` in `@keyward/core/testing` holds an implementation to these sentences.
 */
import type * as Effect from "effect/Effect"
import type { OAuthQuirks } from "../auth/OAuthQuirks.ts"
import type { StoreUnavailableError } from "../error/StoreError.ts"
import type { Owner } from "../identity/Identity.ts"
import type { OAuthClientKey, OAuthClientRecord } from "./OAuthClient.ts"
import type { OAuthSessionRecord } from "./OAuthSession.ts"

/** Clients by key, written by compare-and-set. */
export interface OAuthClientStore {
  get(key: OAuthClientKey): Effect.Effect<OAuthClientRecord | undefined, StoreUnavailableError>
  /** Writes a client if the stored version is the expected one; `0` expects that there is none. Answers whether it did. */
  put(record: OAuthClientRecord, expectedVersion: number): Effect.Effect<boolean, StoreUnavailableError>
  /** Answers whether there was one to delete. */
  remove(key: OAuthClientKey): Effect.Effect<boolean, StoreUnavailableError>
  /** The organisation's, and with a `subject` that user's too, ordered by owner and slug, code unit by code unit. */
  list(query: {
    readonly tenant: string
    readonly subject: string | null
    readonly owner?: Owner | undefined
    readonly after?: { readonly owner: Owner; readonly slug: string } | undefined
    readonly limit: number
  }): Effect.Effect<ReadonlyArray<OAuthClientRecord>, StoreUnavailableError>
}

/** Flows by the hash of their state. */
export interface OAuthSessionStore {
  get(tenant: string, stateHash: string): Effect.Effect<OAuthSessionRecord | undefined, StoreUnavailableError>
  /** Writes a session if the stored version is the expected one; `0` expects that there is none. Answers whether it did. */
  put(record: OAuthSessionRecord, expectedVersion: number): Effect.Effect<boolean, StoreUnavailableError>
  /** Removes a session and answers with it: of any number of takers at the same time, one gets it. */
  take(tenant: string, stateHash: string): Effect.Effect<OAuthSessionRecord | undefined, StoreUnavailableError>
  /** Removes the tenant's sessions that expired before `now`, epoch milliseconds; answers how many. */
  removeExpired(tenant: string, now: number): Effect.Effect<number, StoreUnavailableError>
}

/** A revocation that the authorization server has not confirmed yet. The token is an item of a credential provider. */
export interface RevocationRecord {
  readonly tenant: string
  /** Random. */
  readonly id: string
  /** Whose client authenticates the request. */
  readonly client: OAuthClientKey
  readonly issuer: string | null
  readonly revocationUrl: string
  readonly provider: string
  readonly tokenItem: string
  readonly tokenTypeHint: "refresh_token" | "access_token"
  /** Those of the template that the tokens were obtained for; the client's own go over them. */
  readonly quirks: OAuthQuirks
  readonly attempts: number
  /** Epoch milliseconds. */
  readonly nextAttemptAt: number
  readonly createdAt: number
}

/** The outbox of revocations. */
export interface RevocationStore {
  /** Writes a record, replacing one of the same id. */
  put(record: RevocationRecord): Effect.Effect<void, StoreUnavailableError>
  remove(tenant: string, id: string): Effect.Effect<void, StoreUnavailableError>
  /** Those of a tenant whose next attempt is due, the longest waiting first. */
  due(query: {
    readonly tenant: string
    readonly now: number
    readonly limit: number
  }): Effect.Effect<ReadonlyArray<RevocationRecord>, StoreUnavailableError>
}

/** The OAuth part of a store. */
export interface OAuthStores {
  readonly clients: OAuthClientStore
  readonly sessions: OAuthSessionStore
  readonly revocations: RevocationStore
}
