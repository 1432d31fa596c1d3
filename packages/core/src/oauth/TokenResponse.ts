/**
 * Turns what a provider answers into what RFC 6749, section 5.1, says, driven by quirks, before the library reads it.
 *
 * A refresh may have replaced the refresh token by the time its answer is read, so nothing optional in that answer may be a
 * reason to drop it: a lifetime or a scope that makes no sense counts as absent, an `id_token` is not looked at, and members
 * nobody knows are left out. Refused are only answers without an access token that can be sent, and those of a type that must not
 * be sent; their refresh token is noted beside the failure.
 */
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { OAuthQuirks, TokenResponsePaths } from "../auth/OAuthQuirks.ts"
import { classifyTokenFailure } from "./classifyTokenFailure.ts"
import type { OAuthResponse } from "./OAuthHttp.ts"
import { parseTokenBody, type TokenBody, valueAt } from "./tokenBody.ts"
import { TokenRequestError, withRotatedToken } from "./tokenFailure.ts"

/** An answer as the RFC spells it, clean enough for a strict reader. Holds tokens in clear. */
export interface NormalizedTokenBody {
  readonly access_token: string
  readonly token_type: "Bearer" | "DPoP"
  readonly refresh_token?: string
  /** Seconds, above 0, at most ten years. */
  readonly expires_in?: number
  /** Separated by spaces, at least one. */
  readonly scope?: string
  /** RFC 8693. */
  readonly issued_token_type?: string
}

/** How an answer is to be read. */
export interface TokenResponseReading {
  /** The endpoint's host, for failures. */
  readonly host: string
  readonly quirks: OAuthQuirks
  /** Whether the request carried a DPoP proof. */
  readonly isProven: boolean
  /** Whether a grant for another server was asked for, which is sent to no resource and needs no type (RFC 8693, section 2.2.1). */
  readonly isGrant?: boolean
}

/** See the file's header. A failure is classified by what the response says. */
export const readTokenResponse = (
  response: OAuthResponse,
  { host, quirks, isProven, isGrant = false }: TokenResponseReading,
): Result.Result<NormalizedTokenBody, TokenRequestError> => {
  const { status, sentAt } = response
  const unusable = (code: string): Result.Result<never, TokenRequestError> =>
    Result.fail(classifyTokenFailure({ host, unusable: code, status }, quirks))
  const isSuccess = (quirks.successStatuses ?? [200]).includes(status)
  const body = status >= 200 && status < 300 ? parseTokenBody(response) : undefined
  const found = body === undefined ? undefined : findTokens(body, quirks.tokenResponse ?? {})
  if (body === undefined || found === undefined) {
    const failure = classifyTokenFailure({ host, response }, quirks)
    if (failure.kind !== "ambiguous") return Result.fail(failure)
    const rotated = body === undefined ? undefined : findRefreshToken(body, quirks.tokenResponse ?? {})
    if (rotated !== undefined) {
      const incomplete = new TokenRequestError({ host, kind: "request_rejected", code: "invalid_response", status })
      return Result.fail(withRotatedToken(incomplete, Redacted.make(rotated)))
    }
    return unusable(!isSuccess ? "unexpected_status" : body === undefined ? "unreadable_response" : "invalid_response")
  }
  const { accessToken, paths } = found
  const at = (path: string): unknown => valueAt(body, path)
  const refreshToken = at(paths.refreshToken)
  const hasRefreshToken = typeof refreshToken === "string" && refreshToken !== ""
  if (hasRefreshToken && !isSendable(refreshToken)) return unusable("invalid_token_value")
  const type = !isSuccess
    ? "unexpected_status"
    : isSendable(accessToken)
      ? isGrant
        ? "Bearer"
        : readTokenType(at(paths.tokenType), quirks, isProven)
      : "invalid_token_value"
  if (type !== "Bearer" && type !== "DPoP") {
    // Asking again would bring the same.
    const failure = new TokenRequestError({ host, kind: "request_rejected", code: type, status })
    return Result.fail(withRotatedToken(failure, hasRefreshToken ? Redacted.make(refreshToken) : undefined))
  }
  const expiresIn =
    readSeconds(at(paths.expiresIn)) ??
    (paths.expiresAt === undefined ? undefined : readInstant(at(paths.expiresAt), sentAt)) ??
    quirks.expiresInSeconds
  const scope = readScope(at(paths.scope), quirks)
  const issuedTokenType = at("issued_token_type")
  return Result.succeed({
    access_token: accessToken,
    token_type: type,
    ...(hasRefreshToken && { refresh_token: refreshToken }),
    ...(expiresIn !== undefined && { expires_in: Math.min(expiresIn, longestLifeSeconds) }),
    ...(scope !== undefined && { scope }),
    ...(typeof issuedTokenType === "string" && { issued_token_type: issuedTokenType }),
  })
}

type Paths = Readonly<Record<keyof typeof standardPaths, string>> & Pick<TokenResponsePaths, "expiresAt">

const standardPaths = {
  accessToken: "access_token",
  refreshToken: "refresh_token",
  expiresIn: "expires_in",
  scope: "scope",
  tokenType: "token_type",
} as const

/**
 * The access token and where the rest is. An answer without a token at the quirk's path is read as the standard says, all of it:
 * Slack nests a user's tokens when they are issued and not when they are refreshed, and another token's neighbours are not ours.
 */
const findTokens = (
  body: TokenBody,
  given: TokenResponsePaths,
): { readonly accessToken: string; readonly paths: Paths } | undefined => {
  const quirky: Paths = {
    accessToken: given.accessToken ?? standardPaths.accessToken,
    refreshToken: given.refreshToken ?? standardPaths.refreshToken,
    expiresIn: given.expiresIn ?? standardPaths.expiresIn,
    scope: given.scope ?? standardPaths.scope,
    tokenType: given.tokenType ?? standardPaths.tokenType,
    expiresAt: given.expiresAt,
  }
  for (const paths of [quirky, { ...standardPaths, expiresAt: given.expiresAt }]) {
    const accessToken = valueAt(body, paths.accessToken)
    if (typeof accessToken === "string" && accessToken !== "") return { accessToken, paths }
  }
  return undefined
}

/** The refresh token of an answer that holds no access token. */
const findRefreshToken = (body: TokenBody, given: TokenResponsePaths): string | undefined =>
  [given.refreshToken, standardPaths.refreshToken]
    .map((path) => (path === undefined ? undefined : valueAt(body, path)))
    .find((token) => typeof token === "string" && isSendable(token)) as string | undefined

/** Characters that may stand in a header or a form; anything else would be sent changed, or break out of its place. */
const isSendable = (token: string): boolean => /^[\x20-\x7e]+$/.test(token)

/**
 * How the token may be sent, or why it may not.
 *
 * A missing type means what was asked for. A proven request is not satisfied by a bearer token, nor the other way round: whoever
 * can change the type in an answer must not gain a token that works without its key.
 */
const readTokenType = (value: unknown, { tokenType: quirk }: OAuthQuirks, isProven: boolean): string => {
  const name = typeof value === "string" ? value.trim().toLowerCase() : ""
  if (name === "n_a") return "not_a_bearer_token"
  const known = name === "bearer" ? "Bearer" : name === "dpop" ? "DPoP" : undefined
  const type = known ?? quirk ?? (name === "" ? (isProven ? "DPoP" : "Bearer") : undefined)
  if (type === undefined) return "unknown_token_type"
  if (type === "DPoP") return isProven ? type : "dpop_not_requested"
  return isProven ? "dpop_downgraded" : type
}

/** Ten years: what lives longer is written down as living that long. */
const longestLifeSeconds = 10 * 365 * 24 * 3600

/** A lifetime in seconds, number or text. 0, less, and what is no number say nothing: the token is used until it is refused. */
const readSeconds = (value: unknown): number | undefined => {
  const seconds = typeof value === "string" && value.trim() !== "" ? Number(value) : value
  return typeof seconds === "number" && Number.isFinite(seconds) && seconds > 0 ? seconds : undefined
}

/** Seconds left until a time: epoch seconds, epoch milliseconds (from 1973 on), or ISO 8601, UTC where it names no zone. */
const readInstant = (value: unknown, now: number): number | undefined => {
  const number = readSeconds(value)
  const instant = number === undefined ? parseIso(value) : number < 1e11 ? number * 1000 : number
  return instant === undefined ? undefined : readSeconds((instant - now) / 1000)
}

const parseIso = (value: unknown): number | undefined => {
  if (typeof value !== "string" || !/^\d{4}-\d\d-\d\d/.test(value)) return undefined
  const hasZone = !value.includes(":") || /(?:z|[+-]\d\d:?\d\d)$/i.test(value)
  const instant = Date.parse(hasZone ? value : `${value}Z`)
  return Number.isNaN(instant) ? undefined : instant
}

/** Scopes, as a text in the quirk's separators or as a list. What is no scope (RFC 6749, section 3.3) is left out. */
const readScope = (value: unknown, { scopeSeparator = " " }: OAuthQuirks): string | undefined => {
  const texts = Array.isArray(value)
    ? value.filter((one) => typeof one === "string")
    : typeof value === "string"
      ? [value]
      : []
  const separator = scopeSeparator === "," ? /[,\s]+/ : scopeSeparator === "+" ? /[+\s]+/ : /\s+/
  const scopes = new Set(
    texts.flatMap((text) => text.split(separator)).filter((scope) => /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope)),
  )
  return scopes.size === 0 ? undefined : [...scopes].join(" ")
}
