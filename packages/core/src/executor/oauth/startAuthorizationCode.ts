/**
 * Begins an authorization code flow (RFC 6749, section 4.1, with PKCE): where to send the person, and what to remember until they are back.
 *
 * For a client whose endpoints were entered by hand this asks no server anything.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { quote } from "../../error/KeywardError.ts"
import type { Resources } from "../Resources.ts"
import { keepSession } from "./newSession.ts"
import { startFailure } from "./OAuthFlow.ts"
import type { StartingFlow, StartOAuthError, StartOAuthResult } from "./StartingFlow.ts"

/** How long a person has. */
const lifetimeMs = 10 * 60_000

/** See the file's header. */
export const startAuthorizationCode = (
  resources: Resources,
  flow: StartingFlow,
): Effect.Effect<StartOAuthResult, StartOAuthError> =>
  Effect.gen(function* () {
    const { protocol, server, client, template, quirks } = flow
    const redirectUri = yield* redirectUriOf(resources, flow)
    const { state, stateHash } = protocol.newState()
    const codeVerifier = quirks.pkce === "refused" ? undefined : protocol.newCodeVerifier()
    const dpop = flow.dpop ? yield* protocol.makeDpopKey() : undefined
    const authorizationUrl = yield* protocol.authorizationRequest({
      http: protocol.http,
      server,
      client: client.credential,
      state,
      codeVerifier,
      redirectUri,
      scope: flow.scope,
      resource: flow.resource,
      params: { ...template.authorizationParams, ...client.record.authorizationParams },
      quirks,
      dpopJkt: dpop?.thumbprint,
    })
    const expiresAt = (yield* Clock.currentTimeMillis) + lifetimeMs
    const secrets = { codeVerifier, dpopKey: dpop?.privateJwk }
    const kept = yield* keepSession(resources, flow, {
      state,
      stateHash,
      secrets,
      redirectUri,
      expiresAt,
      device: null,
    })
    return { status: "redirect", authorizationUrl, state: kept } as const
  })

const redirectUriOf = (resources: Resources, flow: StartingFlow): Effect.Effect<string, StartOAuthError> => {
  const { protocol, input, client } = flow
  const redirectUri = input.redirectUri ?? resources.redirectUri
  if (redirectUri === undefined) {
    return startFailure("redirect_uri_missing", "pass redirectUri to start or to createExecutor.")
  }
  const fault = typeof redirectUri === "string" ? protocol.redirectUriFault(redirectUri) : "must be text."
  if (fault !== undefined) return startFailure("redirect_uri_unusable", `${quote(redirectUri)} ${fault}`)
  const registered = client.record.registration?.redirectUri ?? null
  return registered !== null && registered !== redirectUri
    ? startFailure(
        "redirect_uri_not_registered",
        `the client was registered for ${quote(registered)}; register it again for ${quote(redirectUri)}.`,
      )
    : Effect.succeed(redirectUri)
}
