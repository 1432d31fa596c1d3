/**
 * Token requests of every grant: RFC 6749, RFC 8628, RFC 8693 and RFC 7523, section 2.1; with DPoP where the client asks for it.
 *
 * Called by the executor with secrets wrapped; one of the few places that see them in clear. One call is one request, and a second
 * one only where the server wants its nonce in the DPoP proof. Redirects are never followed: they are failures.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { genericTokenEndpointRequest, processGenericTokenEndpointResponse } from "oauth4webapi"
import type { OAuthQuirks } from "../auth/OAuthQuirks.ts"
import { classifyTokenFailure, errorCodeOf } from "./classifyTokenFailure.ts"
import { type ClientCredential, libraryClientAuth } from "./ClientAuthentication.ts"
import { type DpopKey, dpopProof, isNonceDemanded, noncesOf } from "./Dpop.ts"
import { isSecureEndpoint, type OAuthHttp, type OAuthRequest, type OAuthResponse } from "./OAuthHttp.ts"
import { prepareRequest } from "./preparedRequest.ts"
import { TokenRequestError } from "./tokenFailure.ts"
import { type NormalizedTokenBody, readTokenResponse } from "./TokenResponse.ts"
import { scopeSet, type TokenSet } from "./TokenSet.ts"

/** Where and as whom. */
export interface TokenContext {
  readonly http: OAuthHttp
  readonly tokenUrl: string
  readonly client: ClientCredential
  readonly quirks: OAuthQuirks
  /** Present: the tokens are to be bound to this key, and an answer that does not bind them is a failure. */
  readonly dpop?: DpopKey | undefined
}

/** A grant to exchange for tokens. Scopes are separated by spaces; `null` leaves a parameter out. */
export type TokenRequest =
  | {
      readonly type: "authorization_code"
      readonly code: Redacted.Redacted
      readonly redirectUri: string
      readonly codeVerifier: Redacted.Redacted | undefined
      readonly resource: string | null
    }
  | {
      readonly type: "refresh_token"
      readonly refreshToken: Redacted.Redacted
      readonly scope: string | null
      readonly resource: string | null
    }
  | { readonly type: "client_credentials"; readonly scope: string | null; readonly resource: string | null }
  | { readonly type: "device_code"; readonly deviceCode: Redacted.Redacted; readonly resource: string | null }
  | {
      readonly type: "token_exchange"
      readonly subjectToken: Redacted.Redacted
      readonly subjectTokenType: string
      readonly actorToken?: Redacted.Redacted | undefined
      readonly actorTokenType?: string | undefined
      readonly audience?: string | undefined
      readonly requestedTokenType?: string | undefined
      /** What is issued is a grant for another server and no access token: exactly the requested type, and `N_A` as how to send it. */
      readonly isGrantExpected?: boolean | undefined
      readonly scope: string | null
      readonly resource: string | null
    }
  | {
      readonly type: "jwt_bearer"
      readonly assertion: Redacted.Redacted
      readonly scope: string | null
      readonly resource: string | null
    }

/**
 * Exchanges a grant for tokens.
 *
 * A refresh token in an answer that can be used at all is never lost to what else is in it: see `TokenResponse.ts`.
 */
export const requestTokens = Effect.fnUntraced(function* (
  context: TokenContext,
  request: TokenRequest,
): Effect.fn.Return<TokenSet, TokenRequestError> {
  const { tokenUrl, quirks, dpop } = context
  const host = URL.parse(tokenUrl)?.host ?? ""
  if (!isSecureEndpoint(tokenUrl)) {
    return yield* new TokenRequestError({ kind: "refused", host, code: "insecure_endpoint" })
  }
  const isGrant = request.type === "token_exchange" && request.isGrantExpected === true
  let response = yield* exchange(context, host, request)
  if (dpop !== undefined && isNonceDemanded(response, errorCodeOf(response, quirks))) {
    response = yield* exchange(context, host, request)
  }
  const body = yield* Effect.fromResult(
    readTokenResponse(response, { host, quirks, isProven: dpop !== undefined, isGrant }),
  )
  const { status, sentAt } = response
  if (request.type === "token_exchange" && !isUsableType(body.issued_token_type, request.requestedTokenType)) {
    const code = body.issued_token_type === undefined ? "issued_token_type_missing" : "not_a_bearer_token"
    return yield* new TokenRequestError({ kind: "request_rejected", host, code, status })
  }
  const tokens = yield* Effect.tryPromise({
    try: () => processGenericTokenEndpointResponse(serverOf(context), clientOf(context), Response.json(body)),
    // The library's errors hold the body.
    catch: () => classifyTokenFailure({ host, unusable: "invalid_response", status }, quirks),
  })
  return {
    accessToken: Redacted.make(tokens.access_token),
    tokenType: body.token_type,
    refreshToken: tokens.refresh_token === undefined ? undefined : Redacted.make(tokens.refresh_token),
    expiresAt: tokens.expires_in === undefined ? null : sentAt + Math.max(1, Math.round(tokens.expires_in * 1000)),
    issuedAt: sentAt,
    scope: tokens.scope ?? null,
  }
})

/** One request, made anew each time: neither a proof nor an assertion is sent twice. */
const exchange = Effect.fnUntraced(function* (
  context: TokenContext,
  host: string,
  request: TokenRequest,
): Effect.fn.Return<OAuthResponse, TokenRequestError> {
  const { http, tokenUrl, client, quirks, dpop } = context
  const authentication = yield* libraryClientAuth(client, quirks, tokenUrl)
  const parameters = parametersOf(request, quirks)
  const prepared = yield* prepareRequest((options) =>
    genericTokenEndpointRequest(
      serverOf(context),
      clientOf(context),
      authentication,
      grantTypes[request.type],
      parameters,
      options,
    ),
  )
  const formatted = quirks.tokenRequestFormat === "json" ? asJson(prepared) : prepared
  const now = yield* Clock.currentTimeMillis
  const nonces = noncesOf(http)
  const proof =
    dpop === undefined
      ? {}
      : { dpop: dpopProof(dpop, { method: "POST", url: tokenUrl, nonce: nonces.nonceFor(tokenUrl), now }) }
  const response = yield* Effect.mapError(
    http.send({ ...formatted, headers: { ...formatted.headers, ...proof } }),
    (httpError) => classifyTokenFailure({ host, httpError }, quirks),
  )
  if (dpop !== undefined) nonces.note(tokenUrl, response.headers)
  return response
})

const serverOf = ({ client, tokenUrl }: TokenContext) => ({
  issuer: client.issuer ?? tokenUrl,
  token_endpoint: tokenUrl,
})

const clientOf = ({ client }: TokenContext) => ({ client_id: client.clientId })

const grantTypes: Readonly<Record<TokenRequest["type"], string>> = {
  authorization_code: "authorization_code",
  refresh_token: "refresh_token",
  client_credentials: "client_credentials",
  device_code: "urn:ietf:params:oauth:grant-type:device_code",
  token_exchange: "urn:ietf:params:oauth:grant-type:token-exchange",
  jwt_bearer: "urn:ietf:params:oauth:grant-type:jwt-bearer",
}

const parametersOf = (request: TokenRequest, quirks: OAuthQuirks): URLSearchParams => {
  const parameters = new URLSearchParams()
  for (const extra of [quirks.tokenParams, request.type === "refresh_token" ? quirks.refreshParams : undefined]) {
    for (const [name, value] of Object.entries(extra ?? {})) if (!isReserved(name, quirks)) parameters.set(name, value)
  }
  for (const [name, value] of Object.entries(grantParameters(request, quirks))) {
    if (value !== undefined && value !== null)
      parameters.set(name, Redacted.isRedacted(value) ? Redacted.value(value) : value)
  }
  return parameters
}

type ParameterValue = Redacted.Redacted | string | null | undefined

const grantParameters = (request: TokenRequest, quirks: OAuthQuirks): Readonly<Record<string, ParameterValue>> => {
  const common = "resource" in request ? { resource: request.resource } : {}
  const scope = "scope" in request && request.scope !== null ? separated(request.scope, quirks) : null
  switch (request.type) {
    case "authorization_code":
      return { code: request.code, redirect_uri: request.redirectUri, code_verifier: request.codeVerifier, ...common }
    case "refresh_token":
      return { refresh_token: request.refreshToken, scope, ...common }
    case "client_credentials":
      return { scope, ...common }
    case "device_code":
      return { device_code: request.deviceCode, ...common }
    case "jwt_bearer":
      return { assertion: request.assertion, scope, ...common }
    case "token_exchange":
      return {
        subject_token: request.subjectToken,
        subject_token_type: request.subjectTokenType,
        actor_token: request.actorToken,
        actor_token_type: request.actorTokenType,
        audience: request.audience,
        requested_token_type: request.requestedTokenType,
        scope,
        ...common,
      }
  }
}

const separated = (scope: string, { scopeSeparator = " " }: OAuthQuirks): string | null =>
  [...scopeSet(scope)].join(scopeSeparator) || null

/** What quirks cannot set: the protocol's own parameters, whatever the grant. */
const isReserved = (name: string, { clientIdParameter }: OAuthQuirks): boolean =>
  reserved.has(name.toLowerCase()) || name === clientIdParameter

const reserved: ReadonlySet<string> = new Set([
  "grant_type",
  "client_id",
  "client_secret",
  "client_assertion",
  "client_assertion_type",
  "code",
  "redirect_uri",
  "code_verifier",
  "refresh_token",
  "device_code",
  "assertion",
  "subject_token",
  "subject_token_type",
  "actor_token",
  "actor_token_type",
  "scope",
  "resource",
])

const asJson = (request: OAuthRequest): OAuthRequest => ({
  ...request,
  headers: { ...request.headers, "content-type": "application/json" },
  body: JSON.stringify(Object.fromEntries(new URLSearchParams(request.body ?? ""))),
})

/** RFC 8693, section 2.2.1: what was issued is what was asked for, or one kind of access token where another was. */
const isUsableType = (issued: NormalizedTokenBody["issued_token_type"], requested: string | undefined): boolean =>
  issued !== undefined &&
  (issued === requested ||
    (accessTokenTypes.has(issued) && (requested === undefined || accessTokenTypes.has(requested))))

const accessTokenTypes: ReadonlySet<string> = new Set([
  "urn:ietf:params:oauth:token-type:access_token",
  "urn:ietf:params:oauth:token-type:jwt",
])
