/**
 * Tells an authorization server that a token is no longer wanted: RFC 7009.
 *
 * Called by the executor when a connection goes, from an outbox that tries again. Sees the token in clear.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { revocationRequest } from "oauth4webapi"
import { classifyTokenFailure } from "./classifyTokenFailure.ts"
import { libraryClientAuth } from "./ClientAuthentication.ts"
import { isSecureEndpoint } from "./OAuthHttp.ts"
import { prepareRequest } from "./preparedRequest.ts"
import type { TokenContext } from "./TokenEndpoint.ts"
import { TokenRequestError } from "./tokenFailure.ts"

/** Where revocations go, besides what the token endpoint needs. */
export interface RevocationContext extends TokenContext {
  readonly revocationUrl: string
}

/**
 * Revokes a token. A server that never knew it, or no longer does, is content too (section 2.2).
 *
 * Fails with `request_rejected` and the code `unsupported_token_type` where the server revokes only tokens of the other kind, with
 * `transient` where it is to be asked again (section 2.2.1: until then the token is alive), and with `refused` and
 * `revocation_not_supported` where the quirks say that it cannot revoke; nothing has been sent then.
 */
export const revokeToken = Effect.fnUntraced(function* (
  { http, revocationUrl, tokenUrl, client, quirks }: RevocationContext,
  token: Redacted.Redacted,
  hint: "access_token" | "refresh_token",
): Effect.fn.Return<void, TokenRequestError> {
  const host = URL.parse(revocationUrl)?.host ?? ""
  const refused = (code: string): TokenRequestError => new TokenRequestError({ kind: "refused", host, code })
  if (quirks.revocation === "none") return yield* refused("revocation_not_supported")
  if (!isSecureEndpoint(revocationUrl)) return yield* refused("insecure_endpoint")
  const authentication = yield* libraryClientAuth(client, quirks, tokenUrl)
  const request = yield* prepareRequest((options) =>
    revocationRequest(
      { issuer: client.issuer ?? tokenUrl, revocation_endpoint: revocationUrl },
      { client_id: client.clientId },
      authentication,
      Redacted.value(token),
      { ...options, additionalParameters: { token_type_hint: hint } },
    ),
  )
  const response = yield* Effect.mapError(http.send(request), (httpError) =>
    classifyTokenFailure({ host, httpError }, quirks),
  )
  // Bodies are ignored, as section 2.2 says; an error in one of them is the habit of servers that answer 200 to everything.
  if (response.status < 200 || response.status > 299) return yield* classifyTokenFailure({ host, response }, quirks)
  const failure = classifyTokenFailure({ host, response }, quirks)
  if (failure.kind !== "ambiguous") return yield* failure
})
