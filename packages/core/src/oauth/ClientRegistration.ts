/**
 * Registers an application at an authorization server (RFC 7591) and takes it back (RFC 7592).
 *
 * What counts afterwards is what the server answered, not what was asked for; and what it answered is a stranger's word: secrets are
 * wrapped at once, and addresses in it have to be the server's own.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { processDynamicClientRegistrationResponse } from "oauth4webapi"
import type { AuthorizationServer } from "./AuthorizationServer.ts"
import { isErrorCode } from "./errorCode.ts"
import { failureOf, isWord, parseObject, wordsOf } from "./metadataDocument.ts"
import type { ClientAuthenticationMethod } from "./OAuthClient.ts"
import { OAuthRegistrationError } from "./OAuthError.ts"
import { isSecureEndpoint, type OAuthHttp, type OAuthResponse } from "./OAuthHttp.ts"
import { toLibraryResponse } from "./preparedRequest.ts"
import { applicationType } from "./RedirectUri.ts"

/** What to register. */
export interface ClientRegistrationInput {
  /** `null` for grants without a browser. */
  readonly redirectUri: string | null
  /** `refresh_token` is added where a grant can give one. */
  readonly grantTypes: ReadonlyArray<string>
  readonly clientName: string
  /** Separated by spaces; `null`: the server's default. */
  readonly scope: string | null
  /** Where the server registers only those who have one. */
  readonly initialAccessToken?: Redacted.Redacted | undefined
  /** Default: a client secret where the server supports one, in Basic before the body; else none. */
  readonly tokenEndpointAuthMethod?: Exclude<ClientAuthenticationMethod, "private_key_jwt"> | undefined
}

/** What the server made of it. */
export interface RegisteredClient {
  readonly clientId: string
  /** Absent for public clients. */
  readonly clientSecret: Redacted.Redacted | undefined
  readonly tokenEndpointAuthMethod: Exclude<ClientAuthenticationMethod, "private_key_jwt">
  /** Epoch milliseconds; `null`: there is no secret, or it does not expire. */
  readonly secretExpiresAt: number | null
  /** RFC 7592; absent, with `configurationUrl`, where the server gave none or pointed away from itself. */
  readonly registrationToken: Redacted.Redacted | undefined
  readonly configurationUrl: string | null
  readonly redirectUris: ReadonlyArray<string>
}

/** Registers a client. Not idempotent: each success leaves one more client at the server. */
export const registerClient = (
  http: OAuthHttp,
  server: AuthorizationServer,
  input: ClientRegistrationInput,
): Effect.Effect<RegisteredClient, OAuthRegistrationError> =>
  Effect.gen(function* () {
    const url = server.registrationUrl
    const issuer = server.issuer ?? url ?? ""
    if (url === null) return yield* failed("not_supported", issuer)
    if (!isSecureEndpoint(url)) return yield* failed("insecure_endpoint", issuer)
    const method = input.tokenEndpointAuthMethod ?? preferredMethod(server, input)
    if (method === undefined) return yield* failed("auth_method_not_supported", issuer)
    const response = yield* send(http, issuer, {
      method: "POST",
      url,
      headers: { "content-type": "application/json", ...bearer(input.initialAccessToken) },
      body: JSON.stringify(metadataOf(input, method)),
    })
    if (response.status !== 200 && response.status !== 201) return yield* refused(response, issuer)
    const answer = yield* readAnswer(response)
    const client = answer === undefined ? "invalid_response" : toClient(answer, server, url, input.redirectUri, method)
    return typeof client === "string" ? yield* failed(client, issuer) : client
  })

/**
 * Deletes a registration (RFC 7592, section 2.3). One that is gone already is a success: the server answers it with 401, because its
 * registration token is gone too.
 */
export const deleteRegistration = (
  http: OAuthHttp,
  configurationUrl: string,
  registrationToken: Redacted.Redacted,
): Effect.Effect<void, OAuthRegistrationError> =>
  Effect.gen(function* () {
    const issuer = URL.parse(configurationUrl)?.origin ?? ""
    if (!isSecureEndpoint(configurationUrl)) return yield* failed("insecure_endpoint", issuer)
    const request = { method: "DELETE", url: configurationUrl, headers: bearer(registrationToken), body: null }
    const response = yield* send(http, issuer, request)
    const { status } = response
    if ((status >= 200 && status < 300) || status === 401 || status === 404 || status === 410) return
    return yield* refused(response, issuer)
  })

type RegisteredMethod = RegisteredClient["tokenEndpointAuthMethod"]

const methods: ReadonlyArray<RegisteredMethod> = ["client_secret_basic", "client_secret_post", "none"]

/** A secret is worth having: a refresh token that leaks is of no use without it (RFC 9700, section 2.2.2). */
const preferredMethod = (
  { tokenEndpointAuthMethodsSupported: supported }: AuthorizationServer,
  { grantTypes }: ClientRegistrationInput,
): RegisteredMethod | undefined =>
  supported === null
    ? "client_secret_basic"
    : methods.find(
        (method) => supported.includes(method) && !(method === "none" && grantTypes.includes("client_credentials")),
      )

const metadataOf = (
  { redirectUri, grantTypes, clientName, scope }: ClientRegistrationInput,
  method: RegisteredMethod,
): Record<string, unknown> => {
  const canRefresh = grantTypes.some((grant) => grant === "authorization_code" || grant.endsWith(":device_code"))
  return {
    client_name: clientName,
    application_type: applicationType(redirectUri === null ? [] : [redirectUri]),
    ...(redirectUri === null ? {} : { redirect_uris: [redirectUri] }),
    grant_types: [...new Set([...grantTypes, ...(canRefresh ? ["refresh_token"] : [])])],
    response_types: grantTypes.includes("authorization_code") ? ["code"] : [],
    token_endpoint_auth_method: method,
    ...(scope === null ? {} : { scope }),
  }
}

const bearer = (token: Redacted.Redacted | undefined): Record<string, string> =>
  token === undefined ? {} : { authorization: `Bearer ${Redacted.value(token)}` }

const send = (
  http: OAuthHttp,
  issuer: string,
  request: Parameters<OAuthHttp["send"]>[0],
): Effect.Effect<OAuthResponse, OAuthRegistrationError> =>
  isHeaderValue(request.headers["authorization"])
    ? Effect.mapError(http.send({ ...request, maxBytes: mostBytes }), (error) =>
        failed(error._tag === "ResponseTooLargeError" ? "invalid_response" : failureOf(error), issuer),
      )
    : Effect.fail(failed("invalid_access_token", issuer))

const isHeaderValue = (value: string | undefined): boolean => value === undefined || /^Bearer [\x21-\x7e]+$/.test(value)

const mostBytes = 256 * 1024

type Answer = Readonly<Record<string, unknown>>

/** The answer as the library accepts it. Servers that leave out what has an obvious meaning are forgiven: the client exists by now. */
const readAnswer = (response: OAuthResponse): Effect.Effect<Answer | undefined> =>
  Effect.tryPromise({
    try: async (): Promise<Answer | undefined> => {
      const json = parseObject(response.body)
      if (json === undefined) return undefined
      const { client_secret: secret, client_secret_expires_at: expiresAt, ...rest } = json
      const hasSecret = secret !== undefined && secret !== null && secret !== ""
      const expiry = typeof expiresAt === "string" ? Number(expiresAt) : (expiresAt ?? 0)
      const answer = hasSecret ? { ...rest, client_secret: secret, client_secret_expires_at: expiry } : rest
      return await processDynamicClientRegistrationResponse(
        toLibraryResponse({ ...response, status: 201, body: JSON.stringify(answer) }),
      )
    },
    // The library's errors hold the answer, and that the secret.
    catch: () => undefined,
  }).pipe(Effect.catch(() => Effect.succeed(undefined)))

const toClient = (
  answer: Answer,
  server: AuthorizationServer,
  registrationUrl: string,
  redirectUri: string | null,
  requested: RegisteredMethod,
): RegisteredClient | Reason => {
  const { client_id: clientId, client_secret: secret, client_secret_expires_at: expiresAt } = answer
  if (!isCredential(clientId) || (secret !== undefined && !isCredential(secret))) return "invalid_response"
  const redirectUris = wordsOf(answer["redirect_uris"]) ?? (redirectUri === null ? [] : [redirectUri])
  if (redirectUri !== null && !redirectUris.includes(redirectUri)) return "redirect_uri_not_registered"
  const method = answer["token_endpoint_auth_method"] ?? (secret === undefined ? "none" : requested)
  if (!isMethod(method)) return "auth_method_not_supported"
  if (method !== "none" && secret === undefined) return "invalid_response"
  const { registration_client_uri: configurationUrl, registration_access_token: token } = answer
  const isManaged =
    isWord(configurationUrl) &&
    isCredential(token) &&
    !token.includes(" ") &&
    isOwnAddress(configurationUrl, [registrationUrl, server.issuer, server.tokenUrl])
  return {
    clientId,
    clientSecret: method === "none" || secret === undefined ? undefined : Redacted.make(secret),
    tokenEndpointAuthMethod: method,
    secretExpiresAt: method === "none" ? null : millisecondsOf(expiresAt),
    registrationToken: isManaged ? Redacted.make(token) : undefined,
    configurationUrl: isManaged ? new URL(configurationUrl).href : null,
    redirectUris,
  }
}

/** RFC 6749, appendix A: visible characters and spaces. Some servers put a signed document in it. */
const isCredential = (value: unknown): value is string =>
  typeof value === "string" && value.length <= 16_384 && /^[\x20-\x7e]+$/.test(value)

const isMethod = (value: unknown): value is RegisteredMethod => methods.some((method) => method === value)

/** A `DELETE` will go there, so it must not be an address that the server picked at somebody else's. */
const isOwnAddress = (url: string, own: ReadonlyArray<string | null>): boolean =>
  isSecureEndpoint(url) && own.some((one) => one !== null && URL.parse(one)?.origin === URL.parse(url)?.origin)

/** Epoch seconds as milliseconds; 0 means never, and so does what no date can hold. */
const millisecondsOf = (seconds: unknown): number | null =>
  typeof seconds === "number" && seconds > 0 && seconds <= 8.64e12 ? Math.floor(seconds * 1000) : null

const refused = (response: OAuthResponse, issuer: string): OAuthRegistrationError => {
  const { status, body } = response
  const code = parseObject(body)?.["error"]
  const isOutage = status >= 500 || status === 408 || status === 425 || status === 429
  const reason = typeof code === "string" && isErrorCode(code) ? code : `http_${status}`
  return new OAuthRegistrationError({
    reason,
    issuer,
    nextStep: isOutage ? nextSteps.unreachable : (refusals.get(reason) ?? refusals.get(`http_${status}`) ?? byHand),
    retryable: isOutage,
  })
}

const byHand = "Register the application at the service by hand and enter its client id with oauth.createClient."

const nextSteps = {
  not_supported: `It does not offer registration. ${byHand}`,
  invalid_access_token: "The access token for it holds characters that no header can carry: check how it was stored.",
  insecure_endpoint: "OAuth needs https, except on loopback.",
  auth_method_not_supported: `It wants a way of client authentication that registration does not cover. ${byHand}`,
  redirect_uri_not_registered: "It registered other redirect URIs than were asked for: check which ones it permits.",
  invalid_response: `Its answer is no registration. ${byHand}`,
  invalid_url: "Its registration endpoint is no usable URL.",
  unreachable: "The service could not do it now: try again later.",
  address_not_allowed: "It leads to an internal address. If that is intended, list the host in egress.allowHosts.",
} as const

type Reason = keyof typeof nextSteps

const refusals: ReadonlyMap<string, string> = new Map([
  ["invalid_redirect_uri", "It does not permit this redirect URI: use one that it does."],
  ["http_401", "It registers only those who have an initial access token: pass one, or register by hand."],
  ["http_403", "It registers only those who have an initial access token: pass one, or register by hand."],
])

const failed = (reason: Reason, issuer: string): OAuthRegistrationError =>
  new OAuthRegistrationError({
    reason,
    issuer,
    nextStep: nextSteps[reason],
    retryable: reason === "unreachable",
  })
