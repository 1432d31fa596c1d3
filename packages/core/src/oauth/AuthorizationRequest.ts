/**
 * The address that a person's browser is sent to: RFC 6749, section 4.1.1, with PKCE (RFC 7636), `resource` (RFC 8707), pushed
 * requests (RFC 9126) and `dpop_jkt` (RFC 9449, section 10).
 *
 * Called by the executor when a flow begins. No network is touched unless the server offers pushed requests.
 */
import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { calculatePKCECodeChallenge, generateRandomCodeVerifier, generateRandomState } from "oauth4webapi"
import type { OAuthQuirks } from "../auth/OAuthQuirks.ts"
import { quote } from "../error/KeywardError.ts"
import { reservedParameter } from "./authorizationParams.ts"
import type { AuthorizationServer } from "./AuthorizationServer.ts"
import type { ClientCredential } from "./ClientAuthentication.ts"
import { OAuthStartError } from "./OAuthError.ts"
import { isSecureEndpoint, type OAuthHttp } from "./OAuthHttp.ts"
import { pushAuthorizationRequest } from "./PushedAuthorizationRequest.ts"
import { redirectUriFault } from "./RedirectUri.ts"
import { scopeSet } from "./TokenSet.ts"

/** What an authorization request says. */
export interface AuthorizationRequestInput {
  readonly http: OAuthHttp
  readonly server: AuthorizationServer
  readonly client: ClientCredential
  readonly state: Redacted.Redacted
  /** `undefined` only where the quirk `pkce: "refused"` forbids a challenge. */
  readonly codeVerifier: Redacted.Redacted | undefined
  readonly redirectUri: string
  /** Separated by spaces; `null`: the server's default, the parameter is left out. */
  readonly scope: string | null
  readonly resource: string | null
  /** Provider parameters such as `access_type`; a protocol parameter among them fails with `reserved_parameter`. */
  readonly params: Readonly<Record<string, string>>
  readonly quirks: OAuthQuirks
  /** Thumbprint of the DPoP key that the code is to be bound to. */
  readonly dpopJkt?: string | undefined
}

/** A fresh `state` of 256 random bits, and the hash that the flow is stored under. */
export const newState = (): { readonly state: Redacted.Redacted; readonly stateHash: string } => {
  const state = generateRandomState()
  return { state: Redacted.make(state), stateHash: hashState(state) }
}

/** SHA-256 of a `state`, base64url. Looking a flow up by it leaves no time to measure. */
export const hashState = (state: string): string => createHash("sha256").update(state).digest("base64url")

/** A fresh PKCE verifier of 256 random bits; one per request, never used twice. */
export const newCodeVerifier = (): Redacted.Redacted => Redacted.make(generateRandomCodeVerifier())

/**
 * The address for the browser.
 *
 * Fails with {@link OAuthStartError}: `reserved_parameter`, `authorization_endpoint_missing`, `insecure_endpoint`,
 * `pkce_not_supported`, `code_verifier_missing`, `invalid_resource`, `invalid_redirect_uri`, or as a pushed request fails.
 */
export const authorizationRequest = Effect.fnUntraced(function* (
  input: AuthorizationRequestInput,
): Effect.fn.Return<string, OAuthStartError> {
  const { http, server, client, quirks } = input
  const endpoint = yield* Effect.fromResult(authorizationEndpoint(server))
  yield* Effect.fromResult(checkRequest(input))
  const parameters = yield* protocolParameters(input)
  for (const [name, value] of Object.entries(input.params)) parameters.set(name, value)
  const { pushedAuthorizationRequestUrl: pushUrl } = server
  if (pushUrl === null) {
    if (!server.requiresPushedAuthorizationRequests) return withParameters(endpoint, parameters)
    return yield* refused(
      "pushed_endpoint_missing",
      "the server requires pushed requests and names no endpoint for them.",
    )
  }
  const requestUri = yield* pushAuthorizationRequest({ http, server, client, quirks, url: pushUrl, parameters })
  const clientId: readonly [string, string] = [clientIdName(quirks), client.clientId]
  return withParameters(endpoint, new URLSearchParams([[...clientId], ["request_uri", requestUri]]))
})

/** What a person may be sent to: nothing that a browser runs, reads from disk or sends in clear over a network. */
const authorizationEndpoint = ({ authorizationUrl }: AuthorizationServer): Result.Result<URL, OAuthStartError> => {
  if (authorizationUrl === null) {
    const fault = "the server names no authorization endpoint; it may only offer other grants."
    return Result.fail(startError("authorization_endpoint_missing", fault))
  }
  const url = URL.parse(authorizationUrl)
  if (url === null || !isSecureEndpoint(authorizationUrl) || authorizationUrl.includes("#")) {
    const fault = "the authorization endpoint must be https (http only on this machine), without user and fragment."
    return Result.fail(startError("insecure_endpoint", fault))
  }
  return Result.succeed(url)
}

const checkRequest = (input: AuthorizationRequestInput): Result.Result<void, OAuthStartError> => {
  const { server, quirks, resource, redirectUri, params } = input
  const reserved = reservedParameter(params, quirks)
  if (reserved !== undefined) {
    const fault = `${quote(reserved)} is a parameter of the protocol and cannot be one of authorizationParams.`
    return Result.fail(startError("reserved_parameter", fault))
  }
  const methods = server.codeChallengeMethodsSupported
  if (quirks.pkce !== "refused" && methods !== null && !methods.includes("S256")) {
    const fault = "the server's metadata lists its PKCE methods, and S256 is not one of them."
    return Result.fail(startError("pkce_not_supported", fault))
  }
  if (quirks.pkce === "advertised" && methods === null) {
    const fault =
      "the server's metadata does not say that it knows PKCE, without which a code must not be asked for here."
    return Result.fail(startError("pkce_not_supported", fault))
  }
  if (quirks.pkce !== "refused" && input.codeVerifier === undefined) {
    return Result.fail(
      startError("code_verifier_missing", 'only the quirk pkce: "refused" allows a flow without PKCE.'),
    )
  }
  if (resource !== null && (!URL.canParse(resource) || resource.includes("#"))) {
    return Result.fail(startError("invalid_resource", "the resource must be an absolute URI without a fragment."))
  }
  const redirectFault = redirectUriFault(redirectUri)
  if (redirectFault !== undefined) {
    return Result.fail(startError("invalid_redirect_uri", `the redirect URI ${redirectFault}`))
  }
  return Result.succeed(undefined)
}

const protocolParameters = Effect.fnUntraced(function* (input: AuthorizationRequestInput) {
  const { client, scope, resource, quirks, codeVerifier, dpopJkt } = input
  const parameters = new URLSearchParams({
    response_type: "code",
    [clientIdName(quirks)]: client.clientId,
    redirect_uri: input.redirectUri,
    state: Redacted.value(input.state),
  })
  if (scope !== null) {
    parameters.set(quirks.scopeParameter ?? "scope", [...scopeSet(scope)].join(quirks.scopeSeparator ?? " "))
  }
  if (resource !== null) parameters.set("resource", resource)
  if (dpopJkt !== undefined) parameters.set("dpop_jkt", dpopJkt)
  if (quirks.pkce !== "refused" && codeVerifier !== undefined) {
    const challenge = yield* Effect.promise(() => calculatePKCECodeChallenge(Redacted.value(codeVerifier)))
    parameters.set("code_challenge", challenge)
    parameters.set("code_challenge_method", "S256")
  }
  return parameters
})

/** Puts parameters behind the endpoint's own query (RFC 6749, section 3.1), which stays as it is spelled; ours win over its. */
const withParameters = (endpoint: URL, parameters: URLSearchParams): string => {
  const url = new URL(endpoint)
  for (const name of parameters.keys()) if (url.searchParams.has(name)) url.searchParams.delete(name)
  // A plus sign means a space only to readers of forms; %20 means it to all.
  const query = parameters.toString().replaceAll("+", "%20")
  url.search = url.search.length > 1 ? `${url.search}&${query}` : query
  return url.href
}

const clientIdName = (quirks: OAuthQuirks): string => quirks.clientIdParameter ?? "client_id"

const startError = (reason: string, fault: string): OAuthStartError =>
  new OAuthStartError({ reason, fault, retryable: false })

const refused = (reason: string, fault: string): Effect.Effect<never, OAuthStartError> =>
  Effect.fail(startError(reason, fault))
