/**
 * Between oauth4webapi, which makes and reads requests, and {@link OAuthHttp}, which sends them.
 *
 * The library is never given the network: its `fetch` only notes the request, so that sending it stays an effect with our timeout,
 * caps and interruption, and what came over the wire can be judged before the library reads it.
 */
import * as Effect from "effect/Effect"
import { allowInsecureRequests, customFetch, type HttpRequestOptions } from "oauth4webapi"
import type { OAuthRequest, OAuthResponse } from "./OAuthHttp.ts"

/** What oauth4webapi's request functions take, as far as it concerns where requests go. */
export type RequestOptions = HttpRequestOptions<"POST", URLSearchParams>

/**
 * The request that a function of oauth4webapi would send, unsent. `make` passes the options on to that function.
 *
 * Endpoints must have been judged by `isSecureEndpoint`; the library's own rule has no exception for this machine. Dies when the
 * library refuses what it was given, without that error: it can hold the parameters.
 */
export const prepareRequest = (make: (options: RequestOptions) => Promise<Response>): Effect.Effect<OAuthRequest> =>
  Effect.tryPromise({
    try: async () => {
      let noted: OAuthRequest | undefined
      await make({
        [allowInsecureRequests]: true,
        [customFetch]: (url, { method, headers, body }) => {
          noted = { method, url, headers, body: body.toString() }
          return Promise.resolve(new Response())
        },
      })
      if (noted === undefined) throw new Error()
      return noted
    },
    catch: () => new Error("The protocol library did not make the request."),
  }).pipe(Effect.orDie)

/**
 * A response as oauth4webapi reads it: status, content type, body.
 *
 * Its other headers stay out. The library needs none of them for a success, and one that the platform finds malformed would be thrown.
 */
export const toLibraryResponse = ({ status, headers, body }: OAuthResponse): Response =>
  new Response(isBodiless(status) ? null : body, {
    status,
    headers: { "content-type": headers["content-type"] ?? "" },
  })

const isBodiless = (status: number): boolean => status === 204 || status === 205 || status === 304
