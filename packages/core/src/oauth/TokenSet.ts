/**
 * What a token endpoint gave, normalized: wrapped secrets, absolute times, scopes separated by spaces.
 *
 * Made by the token endpoint, written by the executor refresh-first.
 */
import type * as Redacted from "effect/Redacted"

/** See the file's header. */
export interface TokenSet {
  readonly accessToken: Redacted.Redacted
  readonly tokenType: "Bearer" | "DPoP"
  /** Absent: the answer held none; a refresh then goes on with the one it used. */
  readonly refreshToken: Redacted.Redacted | undefined
  /** Epoch milliseconds, counted from when the request was sent; `null` when the answer did not say. */
  readonly expiresAt: number | null
  /** Epoch milliseconds at which the request was sent. */
  readonly issuedAt: number
  /** Scopes granted, separated by spaces; `null`: the answer did not say, which means those asked for. */
  readonly scope: string | null
}

/** Scopes as a set, from a text separated by spaces. */
export const scopeSet = (scope: string | null | undefined): ReadonlySet<string> =>
  new Set((scope ?? "").split(" ").filter((one) => one !== ""))

/** Both lists' scopes, in the order of appearance; `null` when there are none. */
export const scopeUnion = (...scopes: ReadonlyArray<string | null | undefined>): string | null => {
  const all = [...new Set(scopes.flatMap((scope) => [...scopeSet(scope)]))]
  return all.length === 0 ? null : all.join(" ")
}

/** Scopes that were asked for and not granted. */
export const missingScopes = (requested: string | null, granted: string | null): ReadonlyArray<string> => {
  if (granted === null) return []
  const has = scopeSet(granted)
  return [...scopeSet(requested)].filter((scope) => !has.has(scope))
}
