/**
 * Keeps the tokens of OAuth connections good: what a call asks for a token, and the one who refreshes it when it is due.
 *
 * One refresh at a time per connection; everybody who wants it waits for the same one. It runs on its own fiber, so that a caller who
 * gives up does not stop it between the request and the last write. A refresh that failed is not remembered as one.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { type CredentialValues, isSameCredential } from "../../auth/applyAuth.ts"
import type { CompiledTemplate } from "../../auth/AuthTemplate.ts"
import type { ConnectionCredentialError } from "../../connection/ConnectionError.ts"
import { isRefreshable, isRefreshDue } from "../../connection/ConnectionGrant.ts"
import { connectionAddress } from "../../connection/ConnectionRef.ts"
import { resolveCredential } from "../authorize/CredentialResolver.ts"
import { inSpan, type SpanPlace } from "../inSpan.ts"
import type { Resources } from "../Resources.ts"
import type { GrantedConnection } from "./GrantedConnection.ts"
import { CoolDowns } from "./refresh/CoolDowns.ts"
import { type RefreshExit, refreshTokens } from "./refresh/refreshTokens.ts"
import type { RefreshReason } from "./refresh/TokensInHand.ts"
import { UnsavedTokens } from "./refresh/UnsavedTokens.ts"
import { refreshFailed } from "./refreshFailures.ts"
import { refreshLeaseKey } from "./tokenItems.ts"

type Flight = Deferred.Deferred<CredentialValues, ConnectionCredentialError>

/** A service that rejects a token fresh from a forced refresh is believed for so long, in milliseconds. */
const shortestForcedMs = 10_000

/** How long closing waits for a store or a provider that does not answer, in milliseconds. */
const longestDrainMs = 60_000

/** See the file's header. */
export class TokenKeeper {
  readonly coolDowns = new CoolDowns()
  readonly unsaved: UnsavedTokens
  readonly #resources: Resources
  readonly #flights = new Map<string, Flight>()
  #isClosing = false
  /** The tokens that a forced refresh gave last, so that a service which rejects those as well is not asked for ever more. */
  readonly #forced = new Map<string, { readonly values: CredentialValues; readonly at: number }>()

  constructor(resources: Resources) {
    this.#resources = resources
    this.unsaved = new UnsavedTokens(resources)
  }

  /** The access token to send now, refreshed first when it is due. */
  current(
    selected: GrantedConnection,
    template: CompiledTemplate,
  ): Effect.Effect<CredentialValues, ConnectionCredentialError> {
    const { row } = selected
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      if (isRefreshDue(row.expiresAt, row.grant.issuedAt, now)) return this.refresh(selected, { kind: "due" })
      const unsaved = this.unsaved.of(row)
      if (unsaved !== undefined) return this.refresh(selected, { kind: "due" })
      const stored = resolveCredential(this.#resources, row, template)
      return Effect.catch(stored, (error) =>
        error.code === "connection_value_missing" && isRefreshable(row.grant)
          ? this.refresh(selected, { kind: "due" })
          : Effect.fail(error),
      )
    })
  }

  /**
   * Another access token after the service turned one down; the same values when there is no other to be had.
   *
   * Calls that were turned down with a token that was replaced meanwhile get the replacement, without another refresh.
   */
  anew(
    selected: GrantedConnection,
    rejected: CredentialValues,
  ): Effect.Effect<CredentialValues, ConnectionCredentialError> {
    const key = refreshLeaseKey(selected.row)
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const forced = this.#forced.get(key)
      if (
        forced !== undefined &&
        Math.abs(now - forced.at) < shortestForcedMs &&
        isSameCredential(forced.values, rejected)
      ) {
        return Effect.succeed(rejected)
      }
      return Effect.tap(this.refresh(selected, { kind: "rejected", values: rejected }), (values) =>
        Effect.sync(() => this.#remember(key, values, now)),
      )
    })
  }

  /** Joins the refresh that is under way, or begins one. */
  refresh(
    selected: GrantedConnection,
    reason: RefreshReason,
    joins = 0,
  ): Effect.Effect<CredentialValues, ConnectionCredentialError> {
    const key = refreshLeaseKey(selected.row)
    return Effect.uninterruptibleMask((restore) =>
      Effect.suspend(() => {
        const underWay = this.#flights.get(key)
        if (underWay === undefined) {
          if (this.#isClosing) return Effect.fail(closing(selected.row))
          const flight: Flight = Deferred.makeUnsafe()
          this.#flights.set(key, flight)
          const land = (exit: RefreshExit): void => {
            if (this.#flights.get(key) === flight) this.#flights.delete(key)
            Deferred.doneUnsafe(flight, exit)
          }
          const request = { resources: this.#resources, memory: this, selected, reason }
          // It may have landed before it has ended, and does not land twice.
          const refreshing = inSpan(
            this.#resources,
            "keyward.refresh",
            () => placeOf(selected),
            () => refreshTokens(request, land),
          )
          const refreshed = Effect.onExit(refreshing, (exit) => Effect.sync(() => land(exit)))
          return Effect.andThen(
            Effect.forkDetach(refreshed, { uninterruptible: false }),
            restore(Deferred.await(flight)),
          )
        }
        const joined = restore(Deferred.await(underWay))
        if (reason.kind !== "rejected" || joins > 2) return joined
        // The one under way may have been begun by somebody who was content with the token that was rejected here.
        return Effect.flatMap(joined, (values) =>
          isSameCredential(values, reason.values) ? this.refresh(selected, reason, joins + 1) : Effect.succeed(values),
        )
      }),
    )
  }

  /** Begins no more refreshes, waits for those under way and saves what could not be saved yet; no longer than a refresh takes at most. */
  drain(): Effect.Effect<void> {
    const close = Effect.sync(() => {
      this.#isClosing = true
    })
    const landed = Effect.suspend(() =>
      Effect.forEach([...this.#flights.values()], (flight) => Effect.ignoreCause(Deferred.await(flight)), {
        concurrency: "unbounded",
        discard: true,
      }),
    )
    return Effect.timeoutOrElse(Effect.andThen(close, Effect.andThen(landed, this.unsaved.close())), {
      duration: longestDrainMs,
      orElse: () => Effect.void,
    })
  }

  #remember(key: string, values: CredentialValues, at: number): void {
    this.#forced.delete(key)
    this.#forced.set(key, { values, at })
    if (this.#forced.size > 1000) {
      const [oldest] = this.#forced.keys()
      if (oldest !== undefined) this.#forced.delete(oldest)
    }
  }
}

/** What is begun while the executor closes could lose its answer. */
const closing = (row: GrantedConnection["row"]): ConnectionCredentialError =>
  refreshFailed(row, "executor_closed", "The executor is closing. Call another one.")

/** The keeper of an executor. */
export const tokenKeeper = (resources: Resources): TokenKeeper => {
  const known = keepers.get(resources)
  if (known !== undefined) return known
  const keeper = new TokenKeeper(resources)
  keepers.set(resources, keeper)
  return keeper
}

const keepers = new WeakMap<Resources, TokenKeeper>()

const placeOf = ({ row }: GrantedConnection): SpanPlace => ({
  attributes: { connection: connectionAddress(row), integration: row.integration },
})
