/**
 * Why a token request did not give tokens, told apart by what to do next: `docs/concepts/oauth.md` has the table.
 *
 * Judged by status, headers and body as they came over the wire, never by a library's exception class.
 */
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { quote, taggedError } from "../error/KeywardError.ts"

/**
 * - `grant_dead`: the server says that the grant (code, refresh token, device code) is no longer good.
 * - `client_rejected`: the server does not accept the client; the grant may be fine.
 * - `request_rejected`: the request itself is wrong (scope, target, grant type); the grant may be fine.
 * - `pending`: a device flow that the person has not finished: `authorization_pending` or `slow_down`.
 * - `denied`: the person said no. `expired`: the device code ran out.
 * - `transient`: the server did not process the request and says so, or an outage: 408, 425, 429, 5xx.
 * - `not_sent`: the request certainly never reached the server.
 * - `ambiguous`: the server may have processed the request, and its answer was lost or cannot be read.
 * - `refused`: Keyward itself would not send it: an internal address, plain http.
 */
export const tokenFailureKinds = [
  "grant_dead",
  "client_rejected",
  "request_rejected",
  "pending",
  "denied",
  "expired",
  "transient",
  "not_sent",
  "ambiguous",
  "refused",
] as const

/** See {@link tokenFailureKinds}. */
export type TokenFailureKind = (typeof tokenFailureKinds)[number]

/** A token, device or revocation request that failed. Holds nothing of the answer but its code. */
export class TokenRequestError extends taggedError<TokenRequestError>()(
  "TokenRequestError",
  {
    kind: Schema.Literals(tokenFailureKinds),
    /** The endpoint's host. */
    host: Schema.String,
    /** A standard error code where the server gave one that looks like one (at most 64 of `[a-z0-9_.-]`), else our own word. */
    code: Schema.String,
    status: Schema.optionalKey(Schema.Number),
    /** Milliseconds to wait, from `Retry-After`, at most an hour. */
    retryAfterMs: Schema.optionalKey(Schema.Number),
  },
  502,
) {
  override get message(): string {
    const status = this.status === undefined ? "" : `, HTTP ${this.status}`
    return `The authorization server ${quote(this.host)} gave no tokens (${this.code}${status}).`
  }
}

/**
 * Notes that an answer which cannot be used holds a refresh token all the same: the one before it may be spent by now.
 *
 * Kept beside the error and not in it, so that nothing which prints, serializes or inspects the error comes across the token.
 */
export const withRotatedToken = (
  error: TokenRequestError,
  refreshToken: Redacted.Redacted | undefined,
): TokenRequestError => {
  if (refreshToken !== undefined) rotatedTokens.set(error, refreshToken)
  return error
}

/** The refresh token of an answer that could not be used otherwise. */
export const rotatedTokenOf = (error: TokenRequestError): Redacted.Redacted | undefined => rotatedTokens.get(error)

const rotatedTokens = new WeakMap<TokenRequestError, Redacted.Redacted>()
