/**
 * Writes what a refresh gave: the items refresh-first, then the row by compare-and-set.
 *
 * A connection that was removed or connected anew meanwhile stays so: its row is looked at before anything is written and decides
 * at the end. One that was disabled or edited meanwhile keeps that and gets the tokens.
 */
import { randomUUID } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { ConnectionRow } from "../../../connection/Connection.ts"
import type { RefreshIntent } from "../../../connection/ConnectionGrant.ts"
import type { ConnectionKey } from "../../../connection/ConnectionRef.ts"
import { CredentialProviderNotRegisteredError, type ProviderError } from "../../../credential/CredentialError.ts"
import type { HeldLease } from "../../../credential/Lease.ts"
import { StoreUnavailableError } from "../../../error/StoreError.ts"
import type { Identity } from "../../../identity/Identity.ts"
import { announce } from "../../announce.ts"
import type { Resources } from "../../Resources.ts"
import type { GrantedRow } from "../GrantedConnection.ts"
import { readTokens, tokenHash, tokenItemIds, writeTokens } from "../tokenItems.ts"

/** What a refresh gave, with the refresh token that is good now. */
export interface FreshTokens {
  readonly grantId: string
  readonly accessToken: Redacted.Redacted
  /** `undefined`: the one that is stored stays good. */
  readonly refreshToken: Redacted.Redacted | undefined
  readonly expiresAt: number | null
  readonly issuedAt: number
  /** `issuedAt` of the row's tokens when these were asked for. */
  readonly replaces: number
  /** The intent on the row under which these were asked for; `null` where none was. */
  readonly intentId: string | null
  /** Of the refresh token that was spent for these; `null` where none was. */
  readonly spentHash: string | null
  /** `null`: as before. */
  readonly scope: string | null
}

/** Why new tokens could not be written. */
export type SaveError = ProviderError | CredentialProviderNotRegisteredError | StoreUnavailableError

/**
 * `gone`: the connection was removed, connected anew or refreshed by another process, so that nothing of these tokens is kept.
 * `taken_over`: another process holds the lease and has sent the spent token; nothing is written beside it.
 */
export type SaveOutcome =
  { readonly kind: "saved"; readonly row: ConnectionRow } | { readonly kind: "gone" | "taken_over" }

/** How often a row that others write meanwhile is read again before that counts as trouble. */
const mostAttempts = 16

/**
 * See the file's header. Called under the connection's lease, which may have been lost meanwhile: these tokens are the good ones all the
 * same, unless somebody else has begun to ask for others.
 */
export const saveTokens = (
  resources: Resources,
  identity: Identity,
  key: ConnectionKey,
  tokens: FreshTokens,
  { isHeld }: Pick<HeldLease, "isHeld">,
): Effect.Effect<SaveOutcome, SaveError> =>
  Effect.gen(function* () {
    const { connections } = resources.store
    const before = yield* connections.get(key)
    if (!isOf(before, tokens)) return { kind: "gone" } as const
    if (isSuperseded(before, tokens) && !(yield* isSpentFor(resources, before, tokens)))
      return { kind: "gone" } as const
    if (isTakenOver(before, tokens) && !(yield* isHeld)) return { kind: "taken_over" } as const
    const provider = resources.providers.writableOf(before.provider)
    if (provider === undefined) {
      return yield* Effect.fail(
        new CredentialProviderNotRegisteredError({ provider: before.provider, registered: resources.providers.keys }),
      )
    }
    yield* writeTokens(resources, provider, key, tokens)
    for (let attempt = 0; attempt < mostAttempts; attempt += 1) {
      const row = yield* connections.get(key)
      if (!isOf(row, tokens)) {
        // Removed or replaced while the items were written: they must not outlive the grant. Connected anew: they are the new one's.
        if (row === undefined || row.grant === null) {
          yield* Effect.forEach(
            tokenItemIds(key),
            (id) => Effect.ignore(resources.providers.call(provider, () => provider.delete(id))),
            { discard: true },
          )
        } else yield* leaveDoubt(resources, row, tokens)
        return { kind: "gone" } as const
      }
      // This process stood still while it wrote the items, and somebody else has gone on from them.
      if (row.grant.issuedAt !== before.grant.issuedAt && isSuperseded(row, tokens)) {
        yield* leaveDoubt(resources, row, tokens)
        return { kind: "gone" } as const
      }
      const next = withTokens(row, tokens, yield* Clock.currentTimeMillis)
      if (!(yield* connections.put(next, row.version))) continue
      announce(resources, identity, next, { type: "credential.refreshed" })
      return { kind: "saved", row: next } as const
    }
    return yield* Effect.fail(
      new StoreUnavailableError({ operation: "save refreshed tokens", reason: "the row keeps changing" }),
    )
  })

/**
 * Whether another process has refreshed since: then its tokens are the good ones, and these were spent for them.
 *
 * Told by what the row said when these were asked for, and by no comparison of two clocks.
 */
export const isSuperseded = ({ grant }: GrantedRow, { issuedAt, replaces }: FreshTokens): boolean =>
  grant.issuedAt !== replaces && grant.issuedAt !== issuedAt

/**
 * Whether these tokens were spent for nothing else than what is stored: somebody wrote the row of a refresh token that was already
 * read, and sent, from its item.
 */
const isSpentFor = (
  resources: Resources,
  row: GrantedRow,
  { spentHash }: FreshTokens,
): Effect.Effect<boolean, SaveError> =>
  spentHash === null
    ? Effect.succeed(false)
    : Effect.map(
        readTokens(resources, row),
        ({ refreshToken }) => refreshToken !== undefined && tokenHash(refreshToken) === spentHash,
      )

/**
 * Leaves word on the row that this process has new tokens which it cannot write yet, so that others do not use the spent one. Answers
 * whether they know now, or need not: where nothing is spent, and where the row is no longer these tokens' own.
 */
export const markHeld = (
  resources: Resources,
  key: ConnectionKey,
  tokens: Pick<FreshTokens, "grantId" | "intentId">,
): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const { connections } = resources.store
    for (let attempt = 0; attempt < mostAttempts; attempt += 1) {
      const row = yield* connections.get(key)
      if (row?.grant?.id !== tokens.grantId || row.grant.intent === null) return true
      // An intent that somebody else has written since is theirs.
      if (row.grant.intent.id !== tokens.intentId) return true
      const { missedAt: _, ...own } = row.grant.intent
      const intent = { ...own, state: "held" as const, startedAt: yield* Clock.currentTimeMillis }
      const next = { ...row, grant: { ...row.grant, intent }, version: row.version + 1 }
      if (yield* connections.put(next, row.version)) return true
    }
    return false
  }).pipe(Effect.catch(() => Effect.succeed(false)))

/** Whether the row no longer speaks of the request that gave these tokens: somebody took whoever made it for dead. */
const isTakenOver = ({ grant }: GrantedRow, tokens: FreshTokens): boolean => {
  const isWritten = grant.issuedAt === tokens.issuedAt && tokens.issuedAt !== tokens.replaces
  return tokens.intentId !== null && grant.intent?.id !== tokens.intentId && !isWritten
}

/**
 * The items of an account that was connected anew while they were written may be these now, which is found out when they are used:
 * it is not what a person's revocation looks like.
 */
const leaveDoubt = (
  resources: Resources,
  row: ConnectionRow,
  { refreshToken }: FreshTokens,
): Effect.Effect<unknown, StoreUnavailableError> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    row.grant === null || row.grant.intent !== null || refreshToken === undefined
      ? Effect.void
      : resources.store.connections.put(
          { ...row, grant: { ...row.grant, intent: doubtfulIntent(refreshToken, now) }, version: row.version + 1 },
          row.version,
        ),
  )

const isOf = (row: ConnectionRow | undefined, tokens: FreshTokens): row is GrantedRow =>
  row?.grant?.id === tokens.grantId

const withTokens = (row: GrantedRow, tokens: FreshTokens, now: number): ConnectionRow => ({
  ...row,
  expiresAt: tokens.expiresAt,
  oauthScope: tokens.scope ?? row.oauthScope,
  // Somebody who lost the race for this refresh may have taken the grant for dead.
  status: row.status === "expired" ? "active" : row.status,
  statusReason: row.status === "expired" ? null : row.statusReason,
  grant: {
    ...row.grant,
    hasRefreshToken: row.grant.hasRefreshToken || tokens.refreshToken !== undefined,
    issuedAt: tokens.issuedAt,
    intent: isTakenOver(row, tokens) ? doubtfulIntent(tokens.refreshToken, now) : null,
  },
  version: row.version + 1,
})

/**
 * The intent that stays with a refresh token whose predecessor was sent twice: a server that watches for that may have ended the
 * grant, and a refusal will then mean that an answer came too late, and not that somebody revoked it.
 */
export const doubtfulIntent = (refreshToken: Redacted.Redacted | undefined, now: number): RefreshIntent | null =>
  refreshToken === undefined
    ? null
    : { id: randomUUID(), startedAt: now, tokenHash: tokenHash(refreshToken), state: "unknown" }
