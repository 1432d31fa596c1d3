/**
 * The tokens of a connection as items of a credential provider: read together, written refresh-first.
 *
 * The refresh item is never older than the access item; the row that says when the token expires comes last. So whatever a crash
 * leaves behind can be refreshed.
 */
import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { type ConnectionKey, tokenItemId } from "../../connection/ConnectionRef.ts"
import type { CredentialProviderNotRegisteredError, ProviderError } from "../../credential/CredentialError.ts"
import type { WritableProvider } from "../../credential/CredentialProviders.ts"
import type { TokenSet } from "../../oauth/TokenSet.ts"
import type { Resources } from "../Resources.ts"

/** The name of the lease under which a connection's tokens are refreshed and replaced. */
export const refreshLeaseKey = (key: ConnectionKey): string =>
  JSON.stringify(["refresh", key.tenant, key.subject, key.integration, key.owner, key.name])

/** The item of a connection's refresh token. */
export const refreshItemId = (key: ConnectionKey): string => `${tokenItemId(key)}:refresh`

/** The item of a connection's DPoP key, a private JWK. */
export const dpopItemId = (key: ConnectionKey): string => `${tokenItemId(key)}:dpop`

/** Every item that an OAuth connection may have. */
export const tokenItemIds = (key: ConnectionKey): ReadonlyArray<string> => [
  tokenItemId(key),
  refreshItemId(key),
  dpopItemId(key),
]

/** A connection's tokens as they are stored. */
export interface StoredTokens {
  readonly accessToken: Redacted.Redacted | undefined
  readonly refreshToken: Redacted.Redacted | undefined
}

/** Reads the access token alone, which may be from memory: it is not spent by being used. */
export const readAccessToken = (
  resources: Resources,
  row: ConnectionKey & { readonly provider: string },
): Effect.Effect<StoredTokens, ProviderError | CredentialProviderNotRegisteredError> =>
  Effect.map(resources.providers.read(row.provider, tokenItemId(row)), (accessToken) => ({
    accessToken,
    refreshToken: undefined,
  }))

/** Reads both tokens from the provider of the row, past what it keeps in memory: one that is spent already must not be used. */
export const readTokens = (
  resources: Resources,
  row: ConnectionKey & { readonly provider: string },
): Effect.Effect<StoredTokens, ProviderError | CredentialProviderNotRegisteredError> =>
  Effect.map(
    Effect.all([
      resources.providers.readAnew(row.provider, tokenItemId(row)),
      resources.providers.readAnew(row.provider, refreshItemId(row)),
    ]),
    ([accessToken, refreshToken]) => ({ accessToken, refreshToken }),
  )

/** Writes what a token endpoint gave, refresh token first; an absent refresh token leaves the one that is there. */
export const writeTokens = (
  resources: Resources,
  provider: WritableProvider,
  key: ConnectionKey,
  { accessToken, refreshToken }: Pick<TokenSet, "accessToken" | "refreshToken">,
): Effect.Effect<void, ProviderError> => {
  const write = (id: string, value: Redacted.Redacted): Effect.Effect<void, ProviderError> =>
    resources.providers.call(provider, () => provider.set(id, value))
  const access = write(tokenItemId(key), accessToken)
  return refreshToken === undefined ? access : Effect.andThen(write(refreshItemId(key), refreshToken), access)
}

/** Tells two tokens apart without holding either. */
export const tokenHash = (token: Redacted.Redacted): string =>
  createHash("sha256").update(Redacted.value(token)).digest("base64url")

/** Whether two wrapped tokens are the same one. */
export const isSameToken = (one: Redacted.Redacted | undefined, other: Redacted.Redacted | undefined): boolean =>
  one === undefined || other === undefined ? one === other : tokenHash(one) === tokenHash(other)
