/**
 * The assertion of a person's identity that an organisation's identity provider gives for one authorization server: the Identity
 * Assertion Authorization Grant, by which an organisation instead of the person permits access (enterprise-managed authorization in MCP).
 *
 * A token exchange (RFC 8693) at the identity provider, whose answer is a grant for the other server (RFC 7523) and no access token.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { quote } from "../../error/KeywardError.ts"
import type { Resources } from "../Resources.ts"
import { serverOf } from "./clientServer.ts"
import { isRetryableFailure } from "./isRetryableFailure.ts"
import { clientKeyOf, loadClient } from "./loadClient.ts"
import { startFailure } from "./OAuthFlow.ts"
import type { StartingFlow, StartOAuthError } from "./StartingFlow.ts"

/** Exchanges the flow's `subjectToken` through the client `slug` of the identity provider. */
export const identityAssertion = (
  resources: Resources,
  { protocol, key, server, scope, resource, input }: StartingFlow,
  slug: string,
): Effect.Effect<Redacted.Redacted, StartOAuthError> =>
  Effect.gen(function* () {
    const { subjectToken, subjectTokenType = idToken } = input
    if (subjectToken === undefined) {
      return yield* startFailure("subject_token_missing", "identityClient needs subjectToken, the person's ID token.")
    }
    if (server.issuer === null) {
      return yield* startFailure(
        "issuer_missing",
        "an identity provider has to be told the issuer that it asserts for.",
      )
    }
    const provider = yield* loadClient(resources, clientKeyOf(key, input.clientOwner, slug))
    if (provider?.record.grant !== tokenExchange) {
      return yield* startFailure(
        "client_not_found",
        `there is no OAuth app ${quote(slug)} for token exchange of the owner ${quote(input.clientOwner)}. Create it with oauth.createClient.`,
      )
    }
    const { record, credential } = provider
    const { issuer, tokenUrl } = yield* serverOf(protocol, record)
    if (tokenUrl === null) {
      return yield* startFailure("token_endpoint_missing", "the identity provider names none.")
    }
    const context = { http: protocol.http, tokenUrl, client: { ...credential, issuer }, quirks: record.quirks }
    const tokens = yield* Effect.catch(
      protocol.requestTokens(context, {
        type: "token_exchange",
        subjectToken: Redacted.make(subjectToken),
        subjectTokenType,
        requestedTokenType: identityAssertionGrant,
        audience: server.issuer,
        scope,
        resource,
        isGrantExpected: true,
      }),
      (failure) => startFailure("identity_refused", failure.message, isRetryableFailure(failure)),
    )
    return tokens.accessToken
  })

const tokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
const idToken = "urn:ietf:params:oauth:token-type:id_token"
const identityAssertionGrant = "urn:ietf:params:oauth:token-type:id-jag"
