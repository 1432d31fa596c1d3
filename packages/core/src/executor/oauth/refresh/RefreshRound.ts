/**
 * One look at a connection under its lease, and what follows from it: nothing to do, somebody to wait for, or a request for tokens.
 *
 * The row as it is now decides. An intent is on record before a request leaves, and a grant is believed dead only when nobody else has
 * replaced the token that was turned down.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { CredentialValues } from "../../../auth/applyAuth.ts"
import type { ConnectionRow } from "../../../connection/Connection.ts"
import { ConnectionCredentialError } from "../../../connection/ConnectionError.ts"
import { isRefreshable, type RefreshIntent } from "../../../connection/ConnectionGrant.ts"
import type { HeldLease } from "../../../credential/Lease.ts"
import type { StoreUnavailableError } from "../../../error/StoreError.ts"
import type { OAuthClientRecord } from "../../../oauth/OAuthClient.ts"
import type { TokenRequestError } from "../../../oauth/tokenFailure.ts"
import { announce } from "../../announce.ts"
import { providerFailure, resolveCredential } from "../../authorize/CredentialResolver.ts"
import type { Resources } from "../../Resources.ts"
import { usableTemplate } from "../../select/ConnectionSelector.ts"
import { isClientOfGrant } from "../clientServer.ts"
import { type GrantedConnection, type GrantedRow, isGrantedRow } from "../GrantedConnection.ts"
import { clientKeyOf, loadClient, type LoadedClient } from "../loadClient.ts"
import { type ExpiryReason, reauthRequired, refreshFailed, refusedRefresh } from "../refreshFailures.ts"
import { dpopItemId, refreshLeaseKey, tokenHash } from "../tokenItems.ts"
import type { CoolDowns } from "./CoolDowns.ts"
import { keepRotated, keepTokens, type TokenKeeping } from "./keepTokens.ts"
import {
  beginIntent,
  changeRow,
  type Danger,
  missWriter,
  settleIntent,
  standingOf,
  withdrawIntent,
} from "./refreshIntents.ts"
import { dpopKeyUnusable, leaseLost, requestRefresh } from "./requestRefresh.ts"
import { doubtfulIntent } from "./saveTokens.ts"
import {
  isGood,
  readTokensInHand,
  type RefreshReason,
  servable,
  sufficing,
  type TokensInHand,
  valuesOf,
} from "./TokensInHand.ts"
import type { UnsavedTokens } from "./UnsavedTokens.ts"

/** What this process remembers of its connections' refreshes. */
export interface RefreshMemory {
  readonly coolDowns: CoolDowns
  readonly unsaved: UnsavedTokens
}

/** The lease has to be given back first, so that others get on; then there is another round. */
export class Waiting {
  /** Whom to wait for; `null`: nobody, the lease is to be taken anew. */
  readonly intentId: string | null
  readonly forMs: number

  constructor(intentId: string | null, forMs: number) {
    this.intentId = intentId
    this.forMs = forMs
  }
}

/**
 * How long the lease outlives a holder that sends a token again, in milliseconds: a server's grace runs out, and one more process that
 * sends it does no harm.
 */
const replayLeaseMs = 1_000

/** How often a row that others write at the same time is read again. */
const mostRounds = 5

type Answer = CredentialValues | Waiting
type Round<A = Answer> = Effect.Effect<A, ConnectionCredentialError | StoreUnavailableError>

/** What there is to know of an attempt besides how it failed. */
interface FailedAttempt {
  readonly origin: OAuthClientRecord["origin"]
  /** Whether it, or one before with the same token, may have been processed. */
  readonly isUnknown: boolean
  readonly wasAmbiguous: boolean
  readonly count: number
}

/** See the file's header. */
export class RefreshRound {
  readonly #resources: Resources
  readonly #memory: RefreshMemory
  readonly #selected: GrantedConnection
  readonly #reason: RefreshReason
  readonly #held: HeldLease

  constructor({ resources, memory, selected, reason }: RefreshRequest, held: HeldLease) {
    this.#resources = resources
    this.#memory = memory
    this.#selected = selected
    this.#reason = reason
    this.#held = held
  }

  /** Begun again when others write the row meanwhile. */
  run(count = 1): Round {
    const resources = this.#resources
    return Effect.gen({ self: this }, function* () {
      const row = yield* resources.store.connections.get(this.#selected.row)
      if (row === undefined) return yield* Effect.fail(reauthRequired(this.#selected.row, "connection_removed"))
      const template = yield* usableTemplate({ ...this.#selected, row })
      if (!isGrantedRow(row)) return yield* resolveCredential(resources, row, template)
      const now = yield* Clock.currentTimeMillis
      const inHand = yield* this.#inHand(row)
      const sufficient = sufficing(inHand, this.#reason, this.#selected.row.grant.issuedAt, now)
      if (sufficient !== undefined) return sufficient
      if (!isRefreshable(row.grant)) {
        return yield* this.#serve(inHand, now) ?? this.#withoutRefreshToken(row, inHand, now)
      }
      const standing = this.#memory.coolDowns.standing(coolDownKey(row), now)
      if (standing !== undefined) {
        return yield* this.#serve(inHand, now) ?? Effect.fail(withRemaining(standing.error, standing.remainingMs))
      }
      if (count > mostRounds) return yield* this.#serve(inHand, now) ?? Effect.fail(contended(row))
      return yield* this.#attempt(row, inHand, now, count)
    })
  }

  #inHand(row: ConnectionRow): Effect.Effect<TokensInHand, ConnectionCredentialError> {
    return readTokensInHand(this.#resources, row, this.#memory.unsaved.of(row))
  }

  #serve(inHand: TokensInHand, now: number): Effect.Effect<CredentialValues> | undefined {
    return servable(inHand, this.#reason, now)
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
      const { intent } = grant
      const isForeign = intent !== null && !this.#isAnswered(row, intent)
      const isReplay = isForeign && intent.tokenHash === usedHash
      if (isForeign) {
        const instead = yield* this.#insteadOf(isReplay ? "replay" : "overtaking", row, intent, inHand, now, count)
        if (instead !== undefined) return instead
      }
      // Without a refresh token nothing is used up, and asking twice does no harm.
      const isRepeated = isReplay && intent.state !== "unknown"
      if (isRepeated) yield* this.#held.shorten?.(replayLeaseMs) ?? Effect.void
      const begun = usedHash === null ? row : yield* beginIntent(resources, row, usedHash, isRepeated)
      if (begun === undefined) return yield* this.run(count + 1)
      const { isHeld } = this.#held
      const { outcome, wasAmbiguous } = yield* Effect.tapError(
        requestRefresh(resources, this.#selected, begun, client, { refreshToken, dpopKey, isHeld }),
        () => withdrawIntent(resources, begun),
      )
      if (Result.isSuccess(outcome)) {
        this.#memory.coolDowns.end(coolDownKey(begun))
        const isKept = yield* keepTokens(this.#keeping, begun, outcome.success)
        return isKept ? valuesOf(outcome.success.accessToken) : yield* this.run(mostRounds)
      }
      // Somebody who overtook a writer cannot know what that one has written since.
      const isUnknown = wasAmbiguous || isForeign
      const { origin } = client.record
      return yield* this.#failed(begun, inHand, outcome.failure, { origin, isUnknown, wasAmbiguous, count })
    })
  }

  get #keeping(): TokenKeeping {
    return {
      resources: this.#resources,
      unsaved: this.#memory.unsaved,
      selected: this.#selected,
      held: this.#held,
    }
  }

  /** Whether this process has the answer that an intent speaks of. */
  #isAnswered(row: GrantedRow, { id }: RefreshIntent): boolean {
    return this.#memory.unsaved.of(row)?.intentId === id
  }

  /**
   * What to do instead of sending a token beside an intent of somebody else; `undefined`: nothing, it is to be sent. `replay`: they may
   * have sent the same one. `overtaking`: they have got the one at hand, and are about to write the row.
   */
  #insteadOf(
    danger: Danger,
    row: GrantedRow,
    intent: RefreshIntent,
    inHand: TokensInHand,
    now: number,
    count: number,
  ): Round<Answer | undefined> {
    return Effect.gen({ self: this }, function* () {
      // Either could end a grant whose access token is still good.
      const served = this.#serve(inHand, now)
      if (served !== undefined) return yield* served
      const standing = standingOf(intent, danger, now, yield* this.#held.now)
      switch (standing.kind) {
        case "held":
          return yield* Effect.fail(
            refreshFailed(row, "held_elsewhere", "Another process has new tokens and will write them.", 2000),
          )
        case "new":
          yield* missWriter(this.#resources, row, intent, this.#held)
          return yield* this.run(count + 1)
        case "missed":
          return new Waiting(intent.id, standing.remainingMs)
        case "unknown":
        case "abandoned":
          return undefined
      }
    })
  }

  #dpopKey(row: GrantedRow): Effect.Effect<Redacted.Redacted | undefined, ConnectionCredentialError> {
    return Effect.mapError(this.#resources.providers.read(row.provider, dpopItemId(row)), (error) =>
      providerFailure(row, error),
    )
  }

  #failed(
    begun: GrantedRow,
    inHand: TokensInHand,
    failure: TokenRequestError,
    { origin, isUnknown, wasAmbiguous, count }: FailedAttempt,
  ): Round {
    const resources = this.#resources
    return Effect.gen({ self: this }, function* () {
      const now = yield* Clock.currentTimeMillis
      if (failure.kind === "grant_dead" && begun.grant.hasRefreshToken) {
        if (yield* this.#isReplaced(begun)) return yield* this.run(count + 1)
        return yield* this.#expire(begun, isUnknown ? "rotation_lost" : "grant_rejected")
      }
      yield* keepRotated(this.#keeping, begun, inHand, failure)
      if (failure.code === dpopKeyUnusable) return yield* this.#expire(begun, "dpop_key_missing")
      if (failure.code === leaseLost && !wasAmbiguous) {
        yield* Effect.catch(settleIntent(resources, begun, null), () => withdrawIntent(resources, begun))
        return new Waiting(null, 0)
      }
      const state = wasAmbiguous || failure.kind === "ambiguous" ? "unknown" : isUnknown ? "sent" : null
      if (state !== "sent") yield* Effect.ignore(settleIntent(resources, begun, state))
      const { coolDowns } = this.#memory
      const waitMs = coolDowns.nextMs(coolDownKey(begun), failure.retryAfterMs)
      const error = refusedRefresh(begun, failure, origin, waitMs)
      coolDowns.begin(coolDownKey(begun), now, waitMs, error)
      const { identity } = this.#selected
      announce(resources, identity, begun, { type: "credential.refresh_failed", reason: failure.code })
      return yield* this.#serve(inHand, now) ?? Effect.fail(error)
    })
  }

  /**
   * Whether somebody else has replaced the refresh token that was turned down, or the grant itself. Then that token was sent twice, and
   * the row says so, for whoever is turned down next.
   */
  #isReplaced(begun: GrantedRow): Round<boolean> {
    return Effect.gen({ self: this }, function* () {
      const row = yield* this.#resources.store.connections.get(begun)
      if (row === undefined || !isGrantedRow(row) || row.grant.id !== begun.grant.id) return true
      const { refreshToken } = yield* this.#inHand(row)
      if (refreshToken === undefined || tokenHash(refreshToken) === begun.grant.intent?.tokenHash) return false
      const now = yield* Clock.currentTimeMillis
      yield* changeRow(this.#resources, begun, ({ grant }) =>
        grant.intent === null || grant.intent.id === begun.grant.intent?.id
          ? { grant: { ...grant, intent: doubtfulIntent(refreshToken, now) } }
          : undefined,
      )
      return true
    })
  }

  #expire(row: GrantedRow, reason: ExpiryReason): Round {
    return Effect.gen({ self: this }, function* () {
      const expired = yield* changeRow(this.#resources, row, (current) => ({
        ...(current.status === "disabled" ? {} : { status: "expired" as const, statusReason: reason }),
        grant: { ...current.grant, intent: null },
      }))
      if (expired === undefined) return yield* this.run(mostRounds)
      this.#memory.coolDowns.end(coolDownKey(row))
      announce(this.#resources, this.#selected.identity, expired, { type: "connection.expired", reason })
      return yield* Effect.fail(reauthRequired(expired, reason))
    })
  }
}

/** Whose tokens are wanted, and why. */
export interface RefreshRequest {
  readonly resources: Resources
  readonly memory: RefreshMemory
  readonly selected: GrantedConnection
  readonly reason: RefreshReason
}

/** The failure of a refresh that others got in the way of. */
export const contended = (row: ConnectionRow): ConnectionCredentialError =>
  refreshFailed(row, "contended", "Others keep changing this connection. Try again.", 1000)

/** A grant's own: one that was connected anew has not failed yet. */
const coolDownKey = (row: GrantedRow): string => `${refreshLeaseKey(row)} ${row.grant.id}`

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
