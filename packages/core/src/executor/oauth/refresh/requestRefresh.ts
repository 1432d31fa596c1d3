/**
 * The requests of one refresh: usually one, at most three, and never later ones.
 *
 * An answer that was lost is asked for again at once with the same token, which is what servers with a grace window are for. A request
 * that was certainly not processed is repeated once, soon. Everything else is for the next call to try.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { OAuthQuirks } from "../../../auth/OAuthQuirks.ts"
import type { HeldLease } from "../../../credential/Lease.ts"
import type { StoreUnavailableError } from "../../../error/StoreError.ts"
import type { TokenContext, TokenRequest } from "../../../oauth/TokenEndpoint.ts"
import { TokenRequestError } from "../../../oauth/tokenFailure.ts"
import { scopeSet, type TokenSet } from "../../../oauth/TokenSet.ts"
import type { Resources } from "../../Resources.ts"
import type { SelectedConnection } from "../../select/ConnectionSelector.ts"
import type { GrantedRow } from "../GrantedConnection.ts"
import type { LoadedClient } from "../loadClient.ts"
import { type Protocol, protocolOf } from "../protocol.ts"
import { quirksOf } from "../quirksOf.ts"

/** What a refresh is made with. */
export interface RefreshSecrets {
  /** `undefined`: the client alone is what is asked for. */
  readonly refreshToken: Redacted.Redacted | undefined
  /** The private JWK that the tokens are bound to. */
  readonly dpopKey: Redacted.Redacted | undefined
  /** Asked before each request: a token is not sent by somebody who has lost the lease. */
  readonly isHeld: HeldLease["isHeld"]
}

/** What came of it, and whether any of the requests may have been processed without an answer that could be read. */
export interface RefreshAnswer {
  readonly outcome: Result.Result<TokenSet, TokenRequestError>
  readonly wasAmbiguous: boolean
}

/** The code of a failure whose cause is a stored key that cannot be read. */
export const dpopKeyUnusable = "dpop_key_unusable"

/** The code of a refresh that was given up before its request, because somebody else may be at it. */
export const leaseLost = "lease_lost"

/** All requests of one refresh together take no longer, apart from the last one. Milliseconds. */
const replayWithinMs = 15_000
const mostReplays = 2
const soonMs = 1_000

/** See the file's header. Fails when the store cannot say whether the lease is held; nothing was sent then. */
export const requestRefresh = (
  resources: Resources,
  selected: SelectedConnection,
  row: GrantedRow,
  client: LoadedClient,
  secrets: RefreshSecrets,
): Effect.Effect<RefreshAnswer, StoreUnavailableError> =>
  Effect.gen(function* () {
    const protocol = yield* protocolOf(resources)
    const prepared = yield* Effect.result(prepare(protocol, selected, row, client, secrets))
    if (Result.isFailure(prepared)) return { outcome: Result.fail(prepared.failure), wasAmbiguous: false }
    const { context, request } = prepared.success
    const startedAt = yield* Clock.currentTimeMillis
    let wasAmbiguous = false
    let isRepeated = false
    const lost = new TokenRequestError({ kind: "not_sent", host: new URL(context.tokenUrl).host, code: leaseLost })
    // Nothing is sent whose answer could not be kept. What was sent before is told of, whether the store answers or not.
    const isHeld = Effect.catch(secrets.isHeld, (error) => (wasAmbiguous ? Effect.succeed(false) : Effect.fail(error)))
    for (let replays = 0; ;) {
      if (!(yield* isHeld)) return { outcome: Result.fail(lost), wasAmbiguous }
      const outcome = yield* Effect.result(protocol.requestTokens(context, request))
      if (Result.isSuccess(outcome)) {
        // What the client alone is enough for is minted anew each time (RFC 6749, section 4.4.3).
        const isMintedAnew = request.type !== "refresh_token"
        const tokens = isMintedAnew ? { ...outcome.success, refreshToken: undefined } : outcome.success
        return { outcome: Result.succeed(tokens), wasAmbiguous }
      }
      const { kind, retryAfterMs = 0 } = outcome.failure
      const isInTime = (yield* Clock.currentTimeMillis) - startedAt < replayWithinMs
      if (kind === "ambiguous") {
        wasAmbiguous = true
        if (replays >= mostReplays || !isInTime) return { outcome, wasAmbiguous }
        replays += 1
        if (replays > 1) yield* Effect.sleep(jittered(soonMs))
      } else if ((kind === "transient" || kind === "not_sent") && !isRepeated && retryAfterMs <= soonMs && isInTime) {
        isRepeated = true
        yield* Effect.sleep(Math.max(retryAfterMs, jittered(soonMs / 4)))
      } else {
        return { outcome, wasAmbiguous }
      }
    }
  })

const jittered = (ms: number): number => ms * (0.75 + Math.random() / 2)

const prepare = (
  protocol: Protocol,
  { integration }: SelectedConnection,
  row: GrantedRow,
  { record, credential }: LoadedClient,
  { refreshToken, dpopKey }: RefreshSecrets,
): Effect.Effect<{ readonly context: TokenContext; readonly request: TokenRequest }, TokenRequestError> =>
  Effect.gen(function* () {
    const { grant } = row
    const template = integration.authTemplates.find(({ slug }) => slug === row.template)
    const quirks = quirksOf(template, record)
    const tokenUrl = refreshToken === undefined ? grant.tokenUrl : refreshUrl(grant.tokenUrl, quirks)
    const unready = (code: string): TokenRequestError =>
      new TokenRequestError({ kind: "client_rejected", host: new URL(tokenUrl).host, code })
    const dpop =
      dpopKey === undefined
        ? undefined
        : yield* Effect.catchDefect(protocol.readDpopKey(dpopKey), () => Effect.fail(unready(dpopKeyUnusable)))
    const context: TokenContext = {
      http: protocol.http,
      tokenUrl,
      // As the server's own document spells it, which is what it compares the audience of an assertion with.
      client: { ...credential, issuer: grant.issuer },
      quirks,
      ...(dpop === undefined ? {} : { dpop }),
    }
    const { resource, requestedScope } = grant
    if (refreshToken !== undefined) {
      const scope = quirks.scopeOnRefresh === true ? scopeHeld(requestedScope, row.oauthScope) : null
      return { context, request: { type: "refresh_token", refreshToken, scope, resource } }
    }
    if (grant.assertionSubject === null) {
      return { context, request: { type: "client_credentials", scope: requestedScope, resource } }
    }
    const { privateKey } = credential
    if (privateKey === undefined) return yield* Effect.fail(unready("private_key_missing"))
    const assertion = yield* Effect.mapError(
      protocol.signAssertion({
        privateKey,
        issuer: grant.clientId,
        subject: grant.assertionSubject,
        audience: grant.issuer ?? grant.tokenUrl,
        ...(requestedScope === null ? {} : { scope: requestedScope }),
      }),
      () => unready("private_key_unusable"),
    )
    return { context, request: { type: "jwt_bearer", assertion, scope: requestedScope, resource } }
  })

/**
 * Of the scopes asked for those that were granted: a refresh that names more is turned down (RFC 6749, section 6).
 *
 * Servers name what they granted in full, cut short or in other letters, and leave `offline_access` out; where nothing is recognised
 * there is nothing to go by.
 */
const scopeHeld = (requested: string | null, granted: string | null): string | null => {
  const has = new Set([...scopeSet(granted)].map(shortName))
  const held = [...scopeSet(requested)].filter((scope) => scope === "offline_access" || has.has(shortName(scope)))
  return held.some((scope) => has.has(shortName(scope))) ? held.join(" ") : requested
}

/** `https://graph.microsoft.com/Mail.Read` is `Mail.Read`. */
const shortName = (scope: string): string => scope.toLowerCase().replace(/^https?:.*\//, "")

/** Another address for refreshes is data of the integration; it may not lead anywhere but to hosts that are its own. */
const refreshUrl = (tokenUrl: string, quirks: OAuthQuirks): string => {
  if (quirks.refreshUrl === undefined) return tokenUrl
  const target = new URL(quirks.refreshUrl)
  const isOwn = target.origin === new URL(tokenUrl).origin || quirks.tokenHosts?.includes(target.host) === true
  return isOwn ? quirks.refreshUrl : tokenUrl
}
