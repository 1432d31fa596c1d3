/**
 * The grants that ask no person: client credentials (RFC 6749, section 4.4), token exchange (RFC 8693), JWT bearer (RFC 7523).
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { compiledIntegration } from "../../integration/Integration.ts"
import type { TokenRequest } from "../../oauth/TokenEndpoint.ts"
import type { Resources } from "../Resources.ts"
import { pinnedServer } from "./clientServer.ts"
import { identityAssertion } from "./identityAssertion.ts"
import { isRetryableFailure } from "./isRetryableFailure.ts"
import { mintConnection } from "./mintConnection.ts"
import { announceFlow, startFailure } from "./OAuthFlow.ts"
import type { StartingFlow, StartOAuthError, StartOAuthResult } from "./StartingFlow.ts"

/** Requests tokens and makes the connection of them. */
export const mintAtOnce = (
  resources: Resources,
  flow: StartingFlow,
): Effect.Effect<StartOAuthResult, StartOAuthError> =>
  Effect.gen(function* () {
    const { protocol, identity, key, client, quirks, tokenUrl, input } = flow
    const request = yield* requestOf(resources, flow)
    const dpop = flow.dpop ? yield* protocol.makeDpopKey() : undefined
    announceFlow(resources, identity, key, client.record, { type: "oauth.started" })
    const context = { http: protocol.http, tokenUrl, client: client.credential, quirks, dpop }
    const connection = yield* Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(
        Effect.catch(protocol.requestTokens(context, request), (failure) => {
          announceFlow(resources, identity, key, client.record, { type: "oauth.failed", reason: failure.code })
          return startFailure("token_request_failed", failure.message, isRetryableFailure(failure))
        }),
        (tokens) => {
          const assertionSubject =
            request.type === "jwt_bearer" && input.assertion === undefined ? (input.subject ?? null) : null
          const isMintedAnew = request.type === "client_credentials" || assertionSubject !== null
          return mintConnection(
            resources,
            flow,
            {
              // Where the client alone is enough, a refresh token is one more secret and good for nothing.
              tokens: isMintedAnew ? { ...tokens, refreshToken: undefined } : tokens,
              server: pinnedServer(flow.server, tokenUrl),
              resource: flow.resource,
              requestedScope: flow.scope,
              confirmedOrigins: compiledIntegration(flow.integration).origins,
              dpopKey: dpop?.privateJwk,
              assertionSubject,
              stepUps: flow.stepUps,
              identityLabel: input.identityLabel,
            },
            restore,
          )
        },
      ),
    )
    return { status: "connected", connection } as const
  })

const requestOf = (resources: Resources, flow: StartingFlow): Effect.Effect<TokenRequest, StartOAuthError> => {
  const { client, scope, resource, input } = flow
  switch (client.record.grant) {
    case "urn:ietf:params:oauth:grant-type:token-exchange":
      return exchangeOf(flow)
    case "urn:ietf:params:oauth:grant-type:jwt-bearer":
      return input.assertion === undefined
        ? Effect.map(assertionOf(resources, flow), (assertion) => ({ type: "jwt_bearer", assertion, scope, resource }))
        : Effect.succeed({ type: "jwt_bearer", assertion: Redacted.make(input.assertion), scope, resource })
    default:
      return Effect.succeed({ type: "client_credentials", scope, resource })
  }
}

const exchangeOf = ({ input, scope, resource }: StartingFlow): Effect.Effect<TokenRequest, StartOAuthError> => {
  const { subjectToken, subjectTokenType, actorToken, actorTokenType, audience, requestedTokenType } = input
  if (subjectToken === undefined || subjectTokenType === undefined) {
    return startFailure("subject_token_missing", "a token exchange needs subjectToken and subjectTokenType.")
  }
  if ((actorToken === undefined) !== (actorTokenType === undefined)) {
    return startFailure("actor_token_incomplete", "actorToken and actorTokenType go together.")
  }
  return Effect.succeed({
    type: "token_exchange",
    subjectToken: Redacted.make(subjectToken),
    subjectTokenType,
    ...(actorToken === undefined || actorTokenType === undefined
      ? {}
      : { actorToken: Redacted.make(actorToken), actorTokenType }),
    ...(audience === undefined ? {} : { audience }),
    ...(requestedTokenType === undefined ? {} : { requestedTokenType }),
    scope,
    resource,
  })
}

const assertionOf = (resources: Resources, flow: StartingFlow): Effect.Effect<Redacted.Redacted, StartOAuthError> => {
  const { protocol, client, scope, server, tokenUrl, input } = flow
  const { privateKey } = client.credential
  if (input.identityClient !== undefined) return identityAssertion(resources, flow, input.identityClient)
  if (input.subject === undefined) {
    return startFailure(
      "assertion_missing",
      "the JWT bearer grant needs assertion, identityClient, or subject and a client with a private key.",
    )
  }
  if (privateKey === undefined) {
    return startFailure(
      "private_key_missing",
      "the client has no private key to sign an assertion with; pass assertion.",
    )
  }
  return Effect.catch(
    protocol.signAssertion({
      privateKey,
      issuer: client.record.clientId,
      subject: input.subject,
      audience: server.issuer ?? tokenUrl,
      ...(scope === null ? {} : { scope }),
    }),
    (error) => startFailure("private_key_unusable", error.message),
  )
}
