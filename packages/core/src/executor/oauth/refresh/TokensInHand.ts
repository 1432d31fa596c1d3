/** The tokens that a process has of a connection now: those that are stored, or newer ones that could not be written yet. */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { CredentialValues } from "../../../auth/applyAuth.ts"
import type { ConnectionRow } from "../../../connection/Connection.ts"
import type { ConnectionCredentialError } from "../../../connection/ConnectionError.ts"
import { isRefreshDue } from "../../../connection/ConnectionGrant.ts"
import { providerFailure } from "../../authorize/CredentialResolver.ts"
import type { Resources } from "../../Resources.ts"
import { isSameToken, readTokens } from "../tokenItems.ts"
import type { FreshTokens } from "./saveTokens.ts"

/** Why somebody wants new tokens: they are due, will soon be, or the service turned these down. */
export type RefreshReason =
  | { readonly kind: "due" }
  | { readonly kind: "ahead" }
  | { readonly kind: "rejected"; readonly values: CredentialValues }

/** See the file's header. */
export interface TokensInHand {
  readonly accessToken: Redacted.Redacted | undefined
  readonly refreshToken: Redacted.Redacted | undefined
  readonly expiresAt: number | null
  readonly issuedAt: number
}

/** Reads what is stored, unless newer tokens say everything. */
export const readTokensInHand = (
  resources: Resources,
  row: ConnectionRow,
  unsaved: FreshTokens | undefined,
  read = readTokens,
): Effect.Effect<TokensInHand, ConnectionCredentialError> => {
  if (unsaved?.refreshToken !== undefined) return Effect.succeed(unsaved)
  const stored = Effect.mapError(read(resources, row), (error) => providerFailure(row, error))
  return Effect.map(stored, ({ accessToken, refreshToken: found }) => {
    // One that the row does not speak of was left behind by another grant, and is not for this one's server.
    const refreshToken = row.grant?.hasRefreshToken === true ? found : undefined
    return unsaved === undefined
      ? { accessToken, refreshToken, expiresAt: row.expiresAt, issuedAt: row.grant?.issuedAt ?? 0 }
      : { ...unsaved, refreshToken }
  })
}

/**
 * The access token, if somebody has done already what is asked for. `replaced` is when the tokens were issued that whoever asks has
 * seen.
 */
export const sufficing = (
  { accessToken, expiresAt, issuedAt }: TokensInHand,
  reason: RefreshReason,
  replaced: number,
  now: number,
): CredentialValues | undefined => {
  if (accessToken === undefined) return undefined
  const isFresh = !isRefreshDue(expiresAt, issuedAt, now)
  switch (reason.kind) {
    case "due":
      return isFresh ? valuesOf(accessToken) : undefined
    case "ahead":
      // Of those in hand: the row is behind while new tokens could not be saved.
      return isFresh && issuedAt !== replaced ? valuesOf(accessToken) : undefined
    case "rejected":
      // Another one that has run out since would only be turned down too.
      return isGood(expiresAt, now) && !isSameToken(accessToken, reason.values.get("token"))
        ? valuesOf(accessToken)
        : undefined
  }
}

/** The access token, while it is good and nobody has turned it down. */
export const servable = (
  { accessToken, expiresAt }: TokensInHand,
  reason: RefreshReason,
  now: number,
): Effect.Effect<CredentialValues> | undefined =>
  accessToken !== undefined && isGood(expiresAt, now) && reason.kind !== "rejected"
    ? Effect.succeed(valuesOf(accessToken))
    : undefined

/** Whether a token with this expiry may be sent. */
export const isGood = (expiresAt: number | null, now: number): boolean => expiresAt === null || now < expiresAt

/** What a template is applied with. */
export const valuesOf = (accessToken: Redacted.Redacted): CredentialValues => new Map([["token", accessToken]])
