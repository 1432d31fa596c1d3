/**
 * One attempt to revoke a token that is owed, and what becomes of the record then.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { CredentialProviderNotRegisteredError, ProviderError } from "../../credential/CredentialError.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { RevocationRecord } from "../../oauth/OAuthStores.ts"
import type { Resources } from "../Resources.ts"
import { isSameHost, isSameIssuer } from "./clientServer.ts"
import { loadClient } from "./loadClient.ts"
import { protocolOf } from "./protocol.ts"
import { withClientQuirks } from "./quirksOf.ts"

type PayError = ProviderError | CredentialProviderNotRegisteredError | StoreUnavailableError

const mostAttempts = 10
const shortestGapMs = 60_000
const longestGapMs = 6 * 60 * 60_000

/** The item of the access token that goes with a refresh token. */
export const secondItemId = (tokenItem: string): string => `${tokenItem}:access`

/** Tries once. Answers when the next attempt is, epoch milliseconds; `undefined` when there is none. */
export const payRevocation = (
  resources: Resources,
  record: RevocationRecord,
): Effect.Effect<number | undefined, StoreUnavailableError> =>
  Effect.gen(function* () {
    const outcome = yield* Effect.result(attempt(resources, record))
    if (Result.isSuccess(outcome)) {
      switch (outcome.success.kind) {
        case "revoked":
          return yield* settle(resources, record, undefined)
        case "useless":
          return yield* settle(resources, record, outcome.success.reason)
        case "other_token":
          return yield* payRevocation(resources, {
            ...record,
            tokenItem: secondItemId(record.tokenItem),
            tokenTypeHint: "access_token",
          })
        case "later":
          return yield* postpone(resources, record, outcome.success.reason, outcome.success.retryAfterMs)
      }
    }
    return yield* postpone(resources, record, outcome.failure._tag, 0)
  })

type Attempt =
  | { readonly kind: "revoked" | "other_token" }
  | { readonly kind: "useless"; readonly reason: string }
  | { readonly kind: "later"; readonly reason: string; readonly retryAfterMs: number }

const attempt = (resources: Resources, record: RevocationRecord): Effect.Effect<Attempt, PayError> =>
  Effect.gen(function* () {
    const token = yield* resources.providers.read(record.provider, record.tokenItem)
    if (token === undefined) return { kind: "useless", reason: "token_missing" } as const
    const client = yield* loadClient(resources, record.client)
    if (client === undefined) return { kind: "useless", reason: "client_removed" } as const
    // A client that was moved to another server since has another secret, which this one must not get.
    const isMoved =
      !isSameIssuer(client.record.issuer, record.issuer) ||
      (record.issuer === null && !isSameHost(client.record.revocationUrl, record.revocationUrl))
    if (isMoved) return { kind: "useless", reason: "client_changed" } as const
    const protocol = yield* protocolOf(resources)
    const { revocationUrl, tokenTypeHint } = record
    const context = {
      http: protocol.http,
      tokenUrl: client.record.tokenUrl ?? revocationUrl,
      revocationUrl,
      client: { ...client.credential, issuer: record.issuer },
      quirks: withClientQuirks(record.quirks, client.record),
    }
    const answer = yield* Effect.result(protocol.revokeToken(context, token, tokenTypeHint))
    if (Result.isSuccess(answer)) return { kind: "revoked" } as const
    const { kind, code, retryAfterMs = 0 } = answer.failure
    if (code === "unsupported_token_type" && tokenTypeHint === "refresh_token") return { kind: "other_token" } as const
    const isFinal = kind === "grant_dead" || kind === "request_rejected" || kind === "refused"
    return isFinal
      ? ({ kind: "useless", reason: code } as const)
      : ({ kind: "later", reason: code, retryAfterMs } as const)
  })

const postpone = (
  resources: Resources,
  record: RevocationRecord,
  reason: string,
  retryAfterMs: number,
): Effect.Effect<number | undefined, StoreUnavailableError> =>
  Effect.gen(function* () {
    const attempts = record.attempts + 1
    if (attempts >= mostAttempts) return yield* settle(resources, record, reason)
    const now = yield* Clock.currentTimeMillis
    const gapMs = Math.min(longestGapMs, Math.max(retryAfterMs, shortestGapMs * 2 ** (attempts - 1)))
    const nextAttemptAt = now + gapMs
    yield* resources.store.oauth.revocations.put({ ...record, attempts, nextAttemptAt })
    return nextAttemptAt
  })

/** Done, or given up for a reason: the token goes either way. */
const settle = (
  resources: Resources,
  record: RevocationRecord,
  reason: string | undefined,
): Effect.Effect<undefined, StoreUnavailableError> =>
  Effect.gen(function* () {
    const { client, tenant, id, provider: key } = record
    const provider = resources.providers.writableOf(key)
    if (provider !== undefined) {
      const first = record.tokenItem.replace(/:access$/, "")
      yield* Effect.forEach(
        [secondItemId(first), first],
        (item) => Effect.ignore(resources.providers.call(provider, () => provider.delete(item))),
        { discard: true },
      )
    }
    yield* resources.store.oauth.revocations.remove(tenant, id)
    const identity = { tenant, subject: client.owner === "user" ? client.subject : null }
    const named = { client: client.slug, clientOwner: client.owner }
    resources.emit(
      identity,
      reason === undefined
        ? { type: "oauth.revoked", ...named }
        : { type: "oauth.revocation_failed", ...named, reason },
    )
    return undefined
  })
