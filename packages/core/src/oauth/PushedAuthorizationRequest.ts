/**
 * Pushed authorization requests (RFC 9126): the parameters go to the server directly, authenticated, and the browser carries a
 * reference to them that works once and soon expires. Never kept and never used for another start.
 */
import * as Effect from "effect/Effect"
import { processPushedAuthorizationResponse, pushedAuthorizationRequest } from "oauth4webapi"
import type { OAuthQuirks } from "../auth/OAuthQuirks.ts"
import { quote } from "../error/KeywardError.ts"
import { sendAuthenticated } from "./authenticatedRequest.ts"
import type { AuthorizationServer } from "./AuthorizationServer.ts"
import type { ClientCredential } from "./ClientAuthentication.ts"
import { OAuthStartError } from "./OAuthError.ts"
import { isSecureEndpoint, type OAuthHttp } from "./OAuthHttp.ts"
import type { TokenRequestError } from "./tokenFailure.ts"

/** What is pushed, and where. */
export interface PushedAuthorizationRequestInput {
  readonly http: OAuthHttp
  readonly server: AuthorizationServer
  readonly client: ClientCredential
  readonly quirks: OAuthQuirks
  readonly url: string
  readonly parameters: URLSearchParams
}

/**
 * The `request_uri` that stands for the parameters.
 *
 * A failure is never answered by sending the parameters through the browser instead: that would be a downgrade which whoever can
 * disturb the request could bring about.
 */
export const pushAuthorizationRequest = (
  input: PushedAuthorizationRequestInput,
): Effect.Effect<string, OAuthStartError> => {
  if (!isSecureEndpoint(input.url)) {
    const fault = "the endpoint for pushed requests must be https (http only on this machine)."
    return Effect.fail(new OAuthStartError({ reason: "insecure_endpoint", fault, retryable: false }))
  }
  return Effect.mapError(push(input), startFailure)
}

const push = ({ http, server, client, quirks, url, parameters }: PushedAuthorizationRequestInput) =>
  Effect.map(
    sendAuthenticated({
      http,
      server,
      client,
      quirks,
      url,
      endpoint: "pushed_authorization_request_endpoint",
      request: (as, library, authentication, options) =>
        pushedAuthorizationRequest(as, library, authentication, parameters, options),
      // Section 2.2 says 201; a server that says 200 has pushed the request just as well.
      success: [200, 201],
      read: (as, library, body) =>
        processPushedAuthorizationResponse(as, library, Response.json(body, { status: 201 })),
    }),
    ({ body }) => body.request_uri,
  )

const startFailure = ({ kind, code, host }: TokenRequestError): OAuthStartError =>
  new OAuthStartError({
    reason: "pushed_request_failed",
    fault: `the authorization server ${quote(host)} did not take the pushed request (${code}). ${advice(kind)}`,
    retryable: isPassing(kind),
  })

const advice = (kind: TokenRequestError["kind"]): string =>
  kind === "client_rejected"
    ? "Check the client's id, secret and authentication method."
    : isPassing(kind)
      ? "Try again."
      : "Check the client's registration: redirect URI, scopes, resource."

const isPassing = (kind: TokenRequestError["kind"]): boolean =>
  kind === "transient" || kind === "not_sent" || kind === "ambiguous"
