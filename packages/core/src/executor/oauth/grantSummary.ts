/**
 * `oauth.grant`: what a connection was granted, for people and for hosts that ask for more.
 */
import * as Effect from "effect/Effect"
import type { InvalidConnectionInputError } from "../../connection/ConnectionError.ts"
import { connectionKey, type ConnectionRef } from "../../connection/ConnectionRef.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity } from "../../identity/Identity.ts"
import { missingScopes, scopeSet } from "../../oauth/TokenSet.ts"
import type { Resources } from "../Resources.ts"

/** What an OAuth flow obtained for a connection. Never a token. */
export interface OAuthGrant {
  /** The grant type as in the registry. */
  readonly type: string
  readonly clientId: string
  readonly issuer: string | null
  readonly resource: string | null
  readonly requestedScopes: ReadonlyArray<string>
  readonly grantedScopes: ReadonlyArray<string>
  /** Asked for and not granted. */
  readonly missingScopes: ReadonlyArray<string>
  readonly tokenType: "Bearer" | "DPoP"
  readonly hasRefreshToken: boolean
  /** Epoch milliseconds at which the access token in force was asked for, and at which it runs out; `null`: not known. */
  readonly issuedAt: number
  readonly expiresAt: number | null
}

/** The grant of a connection; `null` when the caller sees none of that reference, or one with a static credential. */
export const grantSummary = (
  resources: Resources,
  identity: Identity,
  ref: ConnectionRef,
): Effect.Effect<OAuthGrant | null, InvalidConnectionInputError | StoreUnavailableError> => {
  if (ref.owner === "user" && identity.subject === null) return Effect.succeed(null)
  return Effect.gen(function* () {
    const row = yield* resources.store.connections.get(yield* connectionKey(identity, ref))
    if (row === undefined || row.grant === null) return null
    const { grant, oauthScope, expiresAt } = row
    return {
      type: grant.type,
      clientId: grant.clientId,
      issuer: grant.issuer,
      resource: grant.resource,
      requestedScopes: [...scopeSet(grant.requestedScope)],
      grantedScopes: [...scopeSet(oauthScope)],
      // Many servers give the refresh token that it asks for and do not name it among what they granted.
      missingScopes: missingScopes(grant.requestedScope, oauthScope).filter(
        (scope) => scope !== "offline_access" || !grant.hasRefreshToken,
      ),
      tokenType: grant.tokenType,
      hasRefreshToken: grant.hasRefreshToken,
      issuedAt: grant.issuedAt,
      expiresAt,
    }
  })
}
