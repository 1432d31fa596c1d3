/**
 * One refresh, from the lease to the last write: read again, ask for tokens, keep what came, and say truthfully what did not.
 *
 * Runs on a fiber of its own that no caller can interrupt. The order is that of the OAuth reference, section 3.4: what the row says
 * after the lease was taken decides; an intent is on record before the request leaves; a grant is believed dead only when nobody
 * else has replaced the token that was turned down.
 */
import { randomUUID } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { CredentialValues } from "../../auth/applyAuth.ts"
import type { ConnectionRow } from "../../connection/Connection.ts"
import { ConnectionCredentialError } from "../../connection/ConnectionError.ts"
import { isRefreshable, isRefreshDue } from "../../connection/ConnectionGrant.ts"
import type { HeldLease } from "../../credential/Lease.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { OAuthClientRecord } from "../../oauth/OAuthClient.ts"
import { rotatedTokenOf, type TokenRequestError } from "../../oauth/tokenFailure.ts"
import type { TokenSet } from "../../oauth/TokenSet.ts"
import { announce } from "../announce.ts"
import { usableTemplate } from "../ConnectionSelector.ts"
import { providerFailure, resolveCredential } from "../CredentialResolver.ts"
import type { Resources } from "../Resources.ts"
import type { CoolDowns } from "./CoolDowns.ts"
import { type GrantedConnection, type GrantedRow, isGrantedRow } from "./GrantedConnection.ts"
import { isClientOfGrant } from "./clientServer.ts"
import { clientKeyOf, loadClient, type LoadedClient } from "./loadClient.ts"
import { reauthRequired, type ExpiryReason, refreshFailed, refusedRefresh } from "./refreshFailures.ts"
import { dpopKeyUnusable, requestRefresh } from "./requestRefresh.ts"
import { oweRevocation } from "./RevocationOutbox.ts"
import { type FreshTokens, markHeld, saveTokens } from "./saveTokens.ts"
import { dpopItemId, isSameToken, readTokens, refreshLeaseKey, tokenHash } from "./tokenItems.ts"
import type { UnsavedTokens } from "./UnsavedTokens.ts"

/** Why somebody wants new tokens: they are due, will soon be, or the service turned these down. */
export type RefreshReason =
  | { readonly kind: "due" }
  | { readonly kind: "ahead" }
  | { readonly kind: "rejected"; readonly values: CredentialValues }

/** What this process remembers of its connections' refreshes. */
export interface RefreshMemory {
  readonly coolDowns: CoolDowns
  readonly unsaved: UnsavedTokens
}

/** How often a row that others write at the same time is read again. */
const mostRounds = 5

/** How long somebody else's refresh is waited for that the lease did not keep apart, in milliseconds. */
const patienceMs = 25_000

/**
 * An intent younger than this is not taken for one that a crash left: a lease can be lost without anybody noticing. Shorter than
 * the grace windows of servers, in milliseconds.
 */
const settledAfterMs = 3_000

/** See the file's header. Answers with the access token to use from now on. */
export const refreshTokens = (
  resources: Resources,
  memory: RefreshMemory,
  selected: GrantedConnection,
  reason: RefreshReason,
): Effect.Effect<CredentialValues, ConnectionCredentialError> => {
  const refresh = new Refresh(resources, memory, selected, reason)
  return Effect.catchTag(
    resources.store.lease.hold(refreshLeaseKey(selected.row), ({ isHeld }) => {
      refresh.isHeld = isHeld
      return refresh.round(1)
    }),
    "StoreUnavailableError",
    (error) => refresh.withoutStore(error),
  )
}

/** A process that holds unsaved tokens says so at least once a minute; one that has not for this long is gone. Milliseconds. */
const heldForMs = 90_000

type Round = Effect.Effect<CredentialValues, ConnectionCredentialError | StoreUnavailableError>

/** What there is to send now. */
interface TokensInHand {
  readonly accessToken: Redacted.Redacted | undefined
  readonly refreshToken: Redacted.Redacted | undefined
  readonly expiresAt: number | null
  readonly issuedAt: number
}

/** What there is to know of an attempt besides how it failed. */
interface FailedAttempt {
  readonly origin: OAuthClientRecord["origin"]
  /** Whether it, or one before with the same token, may have been processed. */
  readonly isUnknown: boolean
  readonly wasAmbiguous: boolean
  readonly count: number
}

class Refresh {
  /** Whether the lease is still this refresh's: a process may have stood still for longer than it lasts. */
  isHeld: HeldLease["isHeld"] = Effect.succeed(true)
  readonly #resources: Resources
  readonly #memory: RefreshMemory
  readonly #selected: GrantedConnection
  readonly #reason: RefreshReason

  constructor(resources: Resources, memory: RefreshMemory, selected: GrantedConnection, reason: RefreshReason) {
    this.#resources = resources
    this.#memory = memory
    this.#selected = selected
    this.#reason = reason
  }

  /** Looks at the row as it is now, and decides. Begun again when others write the row meanwhile. */
  round(count: number): Round {
    const resources = this.#resources
    return Effect.gen({ self: this }, function* () {
      const row = yield* resources.store.connections.get(this.#selected.row)
      if (row === undefined) return yield* Effect.fail(reauthRequired(this.#selected.row, "connection_removed"))
      const template = yield* usableTemplate({ ...this.#selected, row })
      if (!isGrantedRow(row)) return yield* resolveCredential(resources, row, template)
      const now = yield* Clock.currentTimeMillis
      const inHand = yield* this.#inHand(row)
      const { accessToken } = inHand
      if (accessToken !== undefined && this.#suffices(inHand, accessToken, now)) return valuesOf(accessToken)
      if (!isRefreshable(row.grant)) {
        return yield* this.#serve(inHand, now) ?? this.#withoutRefreshToken(row, inHand, now)
      }
      const standing = this.#memory.coolDowns.standing(coolDownKey(row), now)
      if (standing !== undefined) {
        return yield* this.#serve(inHand, now) ?? Effect.fail(withRemaining(standing.error, standing.remainingMs))
      }
      if (count > mostRounds) {
        return yield* (
          this.#serve(inHand, now) ??
          Effect.fail(refreshFailed(row, "contended", "Others keep changing this connection. Try again.", 1000))
        )
      }
      return yield* this.#attempt(row, inHand, now, count)
    })
  }

  /** The store cannot be reached: what is held is used for as long as it is good. */
  withoutStore(error: StoreUnavailableError): Effect.Effect<CredentialValues, ConnectionCredentialError> {
    return Effect.gen({ self: this }, function* () {
      const { row } = this.#selected
      const now = yield* Clock.currentTimeMillis
      const inHand = yield* this.#inHand(row)
      return yield* (
        this.#serve(inHand, now) ??
        Effect.fail(refreshFailed(row, "store_unavailable", `${error.message} The connection is kept.`, 1000))
      )
    })
  }

  #inHand(row: ConnectionRow): Effect.Effect<TokensInHand, ConnectionCredentialError> {
    const unsaved = this.#memory.unsaved.of(row)
    return Effect.map(
      Effect.mapError(readTokens(this.#resources, row), (error) => providerFailure(row, error)),
      ({ accessToken, refreshToken: stored }) => {
        // One that the row does not speak of was left behind by another grant, and is not for this one's server.
        const refreshToken = row.grant?.hasRefreshToken === true ? stored : undefined
        return unsaved === undefined
          ? { accessToken, refreshToken, expiresAt: row.expiresAt, issuedAt: row.grant?.issuedAt ?? 0 }
          : { ...unsaved, refreshToken: unsaved.refreshToken ?? refreshToken }
      },
    )
  }

  /** Whether somebody has done already what is asked for. */
  #suffices(inHand: TokensInHand, accessToken: Redacted.Redacted, now: number): boolean {
    const reason = this.#reason
    const isFresh = !isRefreshDue(inHand.expiresAt, inHand.issuedAt, now)
    switch (reason.kind) {
      case "due":
        return isFresh
      case "ahead":
        // Of those in hand: the row is behind while new tokens could not be saved.
        return isFresh && inHand.issuedAt !== this.#selected.row.grant.issuedAt
      case "rejected":
        // Another one that has run out since would only be turned down too.
        return isGood(inHand.expiresAt, now) && !isSameToken(accessToken, reason.values.get("token"))
    }
  }

  /** The token in hand, while it is good and nobody has turned it down. */
  #serve({ accessToken, expiresAt }: TokensInHand, now: number): Effect.Effect<CredentialValues> | undefined {
    return accessToken !== undefined && isGood(expiresAt, now) && this.#reason.kind !== "rejected"
      ? Effect.succeed(valuesOf(accessToken))
      : undefined
  }

  #withoutRefreshToken(row: GrantedRow, { accessToken, expiresAt }: TokensInHand, now: number): Round {
    return accessToken !== undefined && isGood(expiresAt, now)
      ? Effect.succeed(valuesOf(accessToken))
      : this.#expire(row, "no_refresh_token")
  }

  #attempt(row: GrantedRow, inHand: TokensInHand, now: number, count: number): Round {
    const resources = this.#resources
    return Effect.gen({ self: this }, function* () {
      const { refreshToken } = inHand
      const { grant } = row
      const client = yield* loadClientOf(resources, row)
      if (client === undefined) return yield* this.#serve(inHand, now) ?? this.#expire(row, "client_removed")
      if (client.record.clientId !== grant.clientId || !isClientOfGrant(client.record, grant)) {
        return yield* this.#serve(inHand, now) ?? this.#expire(row, "client_changed")
      }
      if (grant.hasRefreshToken && refreshToken === undefined) {
        return yield* this.#serve(inHand, now) ?? this.#expire(row, "no_refresh_token")
      }
      const dpopKey = grant.tokenType === "DPoP" ? yield* this.#dpopKey(row) : undefined
      if (grant.tokenType === "DPoP" && dpopKey === undefined) return yield* this.#expire(row, "dpop_key_missing")
      const usedHash = refreshToken === undefined ? null : tokenHash(refreshToken)
      const isReplay = grant.intent !== null && grant.intent.tokenHash === usedHash
      if (isReplay && grant.intent.state === "unknown") {
        // Replaying could end a grant whose access token is still good.
        const served = this.#serve(inHand, now)
        if (served !== undefined) return yield* served
      }
      const isHeld = isReplay && grant.intent.state === "held" && this.#memory.unsaved.of(row) === undefined
      if (isHeld && Math.abs(now - grant.intent.startedAt) < heldForMs) {
        return yield* (
          this.#serve(inHand, now) ??
          Effect.fail(refreshFailed(row, "held_elsewhere", "Another process has new tokens and will write them.", 2000))
        )
      }
      if (isReplay && grant.intent.state === "sent" && Math.abs(now - grant.intent.startedAt) < settledAfterMs) {
        if (yield* this.#isOtherDone(row, grant.intent.id, settledAfterMs)) return yield* this.round(count + 1)
      }
      const begun = yield* this.#begin(row, usedHash, now)
      if (begun === undefined) {
        const { intent } = (yield* resources.store.connections.get(row))?.grant ?? { intent: null }
        if (intent !== null) yield* this.#isOtherDone(row, intent.id, patienceMs)
        return yield* this.round(count + 1)
      }
      const { outcome, wasAmbiguous } = yield* requestRefresh(resources, this.#selected, begun, client, {
        refreshToken,
        dpopKey,
        isHeld: this.isHeld,
      })
      if (Result.isSuccess(outcome)) return yield* this.#keep(begun, outcome.success)
      return yield* this.#failed(begun, inHand, outcome.failure, {
        origin: client.record.origin,
        isUnknown: wasAmbiguous || isReplay,
        wasAmbiguous,
        count,
      })
    })
  }

  #dpopKey(row: GrantedRow): Effect.Effect<Redacted.Redacted | undefined, ConnectionCredentialError> {
    return Effect.mapError(this.#resources.providers.read(row.provider, dpopItemId(row)), (error) =>
      providerFailure(row, error),
    )
  }

  /** Puts the intent on record; `undefined` when somebody else wrote the row first. */
  #begin(
    row: GrantedRow,
    usedHash: string | null,
    now: number,
  ): Effect.Effect<GrantedRow | undefined, StoreUnavailableError> {
    // Without a refresh token nothing is used up, and asking twice does no harm.
    if (usedHash === null) return Effect.succeed(row)
    const intent = { id: randomUUID(), startedAt: now, tokenHash: usedHash, state: "sent" as const }
    const begun = { ...row, grant: { ...row.grant, intent }, version: row.version + 1 }
    return Effect.map(this.#resources.store.connections.put(begun, row.version), (isWritten) =>
      isWritten ? begun : undefined,
    )
  }

  /**
   * Waits for a refresh that the lease should have kept apart, rather than doubling it. Answers whether it ended in time; one that did
   * not was left by a process that died.
   */
  #isOtherDone(row: GrantedRow, intentId: string, forMs: number): Effect.Effect<boolean, StoreUnavailableError> {
    const { connections } = this.#resources.store
    return Effect.gen(function* () {
      for (let waitedMs = 0; waitedMs < forMs; waitedMs += 100) {
        const intent = (yield* connections.get(row))?.grant?.intent
        if (intent?.id !== intentId || intent.state !== "sent") return true
        yield* Effect.sleep(100)
      }
      return false
    })
  }

  #keep(row: GrantedRow, tokens: TokenSet): Round {
    return Effect.gen({ self: this }, function* () {
      const fresh: FreshTokens = {
        grantId: row.grant.id,
        accessToken: tokens.accessToken,
        refreshToken: tokens.refreshToken,
        expiresAt: tokens.expiresAt,
        issuedAt: tokens.issuedAt,
        replaces: row.grant.issuedAt,
        intentId: row.grant.intent?.id ?? null,
        scope: tokens.scope,
      }
      this.#memory.coolDowns.end(coolDownKey(row))
      if (yield* this.#save(row, fresh)) return valuesOf(tokens.accessToken)
      const successor = yield* this.#resources.store.connections.get(row)
      if (successor === undefined || successor.grant === null) yield* this.#disown(row, tokens)
      return yield* this.round(mostRounds)
    })
  }

  /** Writes tokens, or keeps them until they can be written. Answers whether they are the connection's: it may be gone. */
  #save(row: GrantedRow, fresh: FreshTokens): Effect.Effect<boolean> {
    return Effect.gen({ self: this }, function* () {
      const { identity } = this.#selected
      const { unsaved } = this.#memory
      const saved = yield* Effect.result(saveTokens(this.#resources, identity, row, fresh))
      if (Result.isFailure(saved)) {
        announce(this.#resources, identity, row, { type: "credential.unsaved", reason: saved.failure._tag })
        yield* unsaved.keep(identity, row, fresh)
        yield* markHeld(this.#resources, row, fresh)
        return true
      }
      unsaved.forget(row)
      return saved.success.kind === "saved"
    })
  }

  /** An answer that cannot be used may hold the successor of the refresh token that was spent for it. */
  #keepRotated(row: GrantedRow, inHand: TokensInHand, failure: TokenRequestError): Effect.Effect<void> {
    const refreshToken = rotatedTokenOf(failure)
    const { accessToken, expiresAt, issuedAt } = inHand
    if (refreshToken === undefined || accessToken === undefined) return Effect.void
    const { id: grantId, issuedAt: replaces, intent } = row.grant
    const intentId = intent?.id ?? null
    const fresh = { grantId, accessToken, refreshToken, expiresAt, issuedAt, replaces, intentId, scope: null }
    return Effect.asVoid(this.#save(row, fresh))
  }

  /** Tokens of a connection that was removed meanwhile are nobody's. One that was connected anew has the same grant at many servers. */
  #disown(row: GrantedRow, { accessToken, refreshToken }: TokenSet): Effect.Effect<void> {
    if (row.oauthClient === null) return Effect.void
    const client = clientKeyOf(row, row.oauthClientOwner ?? row.owner, row.oauthClient)
    const { issuer, revocationUrl } = row.grant
    const template = this.#selected.integration.authTemplates.find(({ slug }) => slug === row.template)
    return oweRevocation(this.#resources, { client, template, issuer, revocationUrl, accessToken, refreshToken })
  }

  #failed(
    begun: GrantedRow,
    inHand: TokensInHand,
    failure: TokenRequestError,
    { origin, isUnknown, wasAmbiguous, count }: FailedAttempt,
  ): Round {
    return Effect.gen({ self: this }, function* () {
      const now = yield* Clock.currentTimeMillis
      if (failure.kind === "grant_dead" && begun.grant.hasRefreshToken) {
        if (yield* this.#isReplaced(begun)) return yield* this.round(count + 1)
        return yield* this.#expire(begun, isUnknown ? "rotation_lost" : "grant_rejected")
      }
      yield* this.#keepRotated(begun, inHand, failure)
      if (failure.code === dpopKeyUnusable) return yield* this.#expire(begun, "dpop_key_missing")
      const state = wasAmbiguous || failure.kind === "ambiguous" ? "unknown" : isUnknown ? "sent" : null
      yield* this.#settleIntent(begun, state)
      const { coolDowns } = this.#memory
      const waitMs = coolDowns.nextMs(coolDownKey(begun), failure.retryAfterMs)
      const error = refusedRefresh(begun, failure, origin, waitMs)
      coolDowns.begin(coolDownKey(begun), now, waitMs, error)
      const { identity } = this.#selected
      announce(this.#resources, identity, begun, { type: "credential.refresh_failed", reason: failure.code })
      return yield* this.#serve(inHand, now) ?? Effect.fail(error)
    })
  }

  /** Whether somebody else has replaced the refresh token that was turned down, or the grant itself. */
  #isReplaced(begun: GrantedRow): Effect.Effect<boolean, ConnectionCredentialError | StoreUnavailableError> {
    return Effect.gen({ self: this }, function* () {
      const row = yield* this.#resources.store.connections.get(begun)
      if (row?.grant?.id !== begun.grant.id) return true
      const { refreshToken } = yield* this.#inHand(row)
      return refreshToken !== undefined && tokenHash(refreshToken) !== begun.grant.intent?.tokenHash
    })
  }

  /** Takes the intent off the row, or leaves word that its outcome is not known. */
  #settleIntent(begun: GrantedRow, state: "sent" | "unknown" | null): Effect.Effect<void> {
    const { intent } = begun.grant
    if (intent === null || state === "sent") return Effect.void
    return Effect.ignore(
      this.#change(begun, (row) =>
        // One that somebody else has written since is theirs to settle.
        row.grant.intent?.id === intent.id
          ? { grant: { ...row.grant, intent: state === null ? null : { ...intent, state } } }
          : {},
      ),
    )
  }

  #expire(row: GrantedRow, reason: ExpiryReason): Round {
    return Effect.gen({ self: this }, function* () {
      const expired = yield* this.#change(row, (current) => ({
        ...(current.status === "disabled" ? {} : { status: "expired" as const, statusReason: reason }),
        grant: { ...current.grant, intent: null },
      }))
      if (expired === undefined) return yield* this.round(mostRounds)
      this.#memory.coolDowns.end(coolDownKey(row))
      announce(this.#resources, this.#selected.identity, expired, { type: "connection.expired", reason })
      return yield* Effect.fail(reauthRequired(expired, reason))
    })
  }

  /** Changes the row of this grant, whatever else of it changes meanwhile; `undefined` when the grant is gone. */
  #change(
    of: GrantedRow,
    change: (row: GrantedRow) => Partial<ConnectionRow>,
  ): Effect.Effect<ConnectionRow | undefined, StoreUnavailableError> {
    const { connections } = this.#resources.store
    return Effect.gen(function* () {
      for (;;) {
        const row = yield* connections.get(of)
        if (row === undefined || !isGrantedRow(row) || row.grant.id !== of.grant.id) return undefined
        const next = { ...row, ...change(row), version: row.version + 1 }
        if (yield* connections.put(next, row.version)) return next
      }
    })
  }
}

/** A grant's own: one that was connected anew has not failed yet. */
const coolDownKey = (row: GrantedRow): string => `${refreshLeaseKey(row)} ${row.grant.id}`

const isGood = (expiresAt: number | null, now: number): boolean => expiresAt === null || now < expiresAt

const valuesOf = (accessToken: Redacted.Redacted): CredentialValues => new Map([["token", accessToken]])

const loadClientOf = (
  resources: Resources,
  row: GrantedRow,
): Effect.Effect<LoadedClient | undefined, ConnectionCredentialError | StoreUnavailableError> =>
  row.oauthClient === null
    ? Effect.undefined
    : Effect.mapError(
        loadClient(resources, clientKeyOf(row, row.oauthClientOwner ?? row.owner, row.oauthClient)),
        (error) => (error._tag === "StoreUnavailableError" ? error : providerFailure(row, error)),
      )

const withRemaining = (error: ConnectionCredentialError, retryAfterMs: number): ConnectionCredentialError =>
  new ConnectionCredentialError({
    code: error.code,
    connection: error.connection,
    reason: error.reason,
    nextStep: error.nextStep,
    retryable: error.retryable,
    authRequired: error.authRequired,
    retryAfterMs,
  })
