/**
 * One request that a client authenticates to an endpoint other than the token endpoint, and its answer as the library reads it.
 *
 * For pushed authorization requests (RFC 9126) and device authorization (RFC 8628). The answer is judged by what came over the
 * wire; the library only reads the body of a success, and its errors stay here.
 */
import * as Effect from "effect/Effect"
import type * as oauth from "oauth4webapi"
import type { OAuthQuirks } from "../auth/OAuthQuirks.ts"
import type { AuthorizationServer } from "./AuthorizationServer.ts"
import { classifyTokenFailure, errorCodeOf } from "./classifyTokenFailure.ts"
import { type ClientCredential, libraryClientAuth } from "./ClientAuthentication.ts"
import type { OAuthHttp } from "./OAuthHttp.ts"
import { prepareRequest, type RequestOptions } from "./preparedRequest.ts"
import { parseTokenBody, type TokenBody } from "./tokenBody.ts"
import type { TokenRequestError } from "./tokenFailure.ts"

/** What to send and how to read what comes back. */
export interface AuthenticatedRequest<Body> {
  readonly http: OAuthHttp
  readonly server: AuthorizationServer
  readonly client: ClientCredential
  readonly quirks: OAuthQuirks
  /** Judged secure by the caller. */
  readonly url: string
  /** The metadata member that the library finds the address under. */
  readonly endpoint: "pushed_authorization_request_endpoint" | "device_authorization_endpoint"
  readonly request: (
    as: oauth.AuthorizationServer,
    client: oauth.Client,
    authentication: oauth.ClientAuth,
    options: RequestOptions,
  ) => Promise<Response>
  /** Statuses of an answer that can be read. */
  readonly success: ReadonlyArray<number>
  readonly read: (as: oauth.AuthorizationServer, client: oauth.Client, body: TokenBody) => Promise<Body>
}

/** Sends it and reads the answer. */
export const sendAuthenticated = Effect.fnUntraced(function* <Body>(
  input: AuthenticatedRequest<Body>,
): Effect.fn.Return<{ readonly body: Body; readonly sentAt: number }, TokenRequestError> {
  const { http, server, client, quirks, url } = input
  const { host } = new URL(url)
  const as: oauth.AuthorizationServer = { issuer: client.issuer ?? url, [input.endpoint]: url }
  const library: oauth.Client = { client_id: client.clientId }
  const authentication = yield* libraryClientAuth(client, quirks, server.tokenUrl ?? url)
  const prepared = yield* prepareRequest((options) => input.request(as, library, authentication, options))
  const response = yield* Effect.mapError(http.send(prepared), (httpError) =>
    classifyTokenFailure({ host, httpError }, quirks),
  )
  const answer = parseTokenBody(response)
  const isSuccess = input.success.includes(response.status) && errorCodeOf(response, quirks) === undefined
  if (!isSuccess || answer === undefined) {
    return yield* classifyTokenFailure({ host, response }, quirks)
  }
  const read = yield* Effect.tryPromise({
    try: () => input.read(as, library, answer),
    // The library's errors hold the whole answer.
    catch: () => classifyTokenFailure({ host, unusable: "invalid_response", status: response.status }, quirks),
  })
  return { body: read, sentAt: response.sentAt }
})
