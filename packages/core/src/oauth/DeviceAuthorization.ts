/**
 * Device authorization (RFC 8628): asks for a code that a person types in elsewhere, and says when to ask about it again.
 *
 * Called by the executor, which keeps what is answered here in the session: a poll after a restart comes no sooner than one without.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { deviceAuthorizationRequest, processDeviceAuthorizationResponse } from "oauth4webapi"
import type { OAuthQuirks } from "../auth/OAuthQuirks.ts"
import { sendAuthenticated } from "./authenticatedRequest.ts"
import { reservedParameter } from "./authorizationParams.ts"
import type { AuthorizationServer } from "./AuthorizationServer.ts"
import type { ClientCredential } from "./ClientAuthentication.ts"
import { isSecureEndpoint, type OAuthHttp } from "./OAuthHttp.ts"
import type { TokenBody } from "./tokenBody.ts"
import { TokenRequestError } from "./tokenFailure.ts"
import { scopeSet } from "./TokenSet.ts"

/** What a device authorization request says. */
export interface DeviceAuthorizationInput {
  readonly http: OAuthHttp
  readonly server: AuthorizationServer
  readonly client: ClientCredential
  /** Separated by spaces; `null`: the server's default. */
  readonly scope: string | null
  readonly resource: string | null
  readonly quirks: OAuthQuirks
  /** Provider parameters such as `audience`; a protocol parameter among them fails with `reserved_parameter`. */
  readonly params?: Readonly<Record<string, string>> | undefined
}

/** What the person is shown, and the secret that their consent is fetched with. */
export interface DeviceAuthorization {
  readonly deviceCode: Redacted.Redacted
  /** As the server spells it, without characters that cannot be seen. */
  readonly userCode: string
  /** https, or http on this machine; an international host in its ASCII form. */
  readonly verificationUri: string
  /** The same with the code in it. Show the code beside it for comparison: such a link can be sent by anybody. */
  readonly verificationUriComplete: string | null
  /** Epoch milliseconds. */
  readonly expiresAt: number
  /** Seconds between polls. */
  readonly interval: number
}

/** When to ask again. */
export interface DevicePolling {
  /** Seconds between polls, from now on. */
  readonly interval: number
  /** Epoch milliseconds. */
  readonly nextPollAt: number
}

/** Asks for a device code (section 3.1) and checks what a person would be shown (section 3.2). */
export const requestDeviceAuthorization = Effect.fnUntraced(function* (
  input: DeviceAuthorizationInput,
): Effect.fn.Return<DeviceAuthorization, TokenRequestError> {
  const { http, server, client, scope, resource, quirks, params = {} } = input
  const url = server.deviceAuthorizationUrl
  const refused = (code: string): TokenRequestError =>
    new TokenRequestError({ kind: "refused", host: URL.parse(url ?? "")?.host ?? "", code })
  if (url === null) return yield* refused("device_endpoint_missing")
  if (!isSecureEndpoint(url)) return yield* refused("insecure_endpoint")
  if (reservedParameter(params, quirks) !== undefined) return yield* refused("reserved_parameter")
  const parameters = new URLSearchParams({ ...params })
  if (scope !== null) parameters.set("scope", [...scopeSet(scope)].join(quirks.scopeSeparator ?? " "))
  if (resource !== null) parameters.set("resource", resource)
  const answer = yield* sendAuthenticated({
    http,
    server,
    client,
    quirks,
    url,
    endpoint: "device_authorization_endpoint",
    request: (as, library, authentication, options) =>
      deviceAuthorizationRequest(as, library, authentication, parameters, options),
    success: [200],
    read: (as, library, body) => processDeviceAuthorizationResponse(as, library, Response.json(normalized(body))),
  })
  const { device_code, user_code, verification_uri, verification_uri_complete, expires_in, interval } = answer.body
  const verificationUri = shownUri(verification_uri)
  const verificationUriComplete = verification_uri_complete === undefined ? null : shownUri(verification_uri_complete)
  if (verificationUri === undefined || verificationUriComplete === undefined || !isShownCode(user_code)) {
    return yield* refused("unsafe_device_response")
  }
  return {
    deviceCode: Redacted.make(device_code),
    userCode: user_code,
    verificationUri,
    verificationUriComplete,
    expiresAt: answer.sentAt + Math.floor(Math.min(expires_in, longestLife) * 1000),
    interval: interval ?? defaultInterval,
  }
})

/**
 * When the next poll may be made after one that gave no tokens (section 3.5).
 *
 * `slow_down` adds five seconds for good; an answer that never came, and an outage, double the interval up to a minute;
 * `Retry-After` is obeyed where it is longer.
 */
export const nextPoll = (
  { interval }: { readonly interval: number },
  failure: TokenRequestError | "pending",
  now: number,
): DevicePolling => {
  const slower = failure === "pending" ? interval : slowed(interval, failure)
  const wait = Math.max(slower * 1000, failure === "pending" ? 0 : (failure.retryAfterMs ?? 0))
  return { interval: slower, nextPollAt: now + wait }
}

const slowed = (interval: number, { kind, code }: TokenRequestError): number => {
  if (code === "slow_down") return interval + slowDown
  const isOutage = kind === "transient" || kind === "not_sent" || kind === "ambiguous"
  return isOutage ? Math.max(interval, Math.min(interval * 2, longestBackoff)) : interval
}

const defaultInterval = 5
const slowDown = 5
const longestBackoff = 60
const longestInterval = 3600
const longestLife = 24 * 3600

/** Numbers as texts, an interval of nothing, and the name that the page's address had in the drafts, which Google still uses. */
const normalized = (body: TokenBody): TokenBody => {
  const { interval, verification_url, verification_uri = verification_url, ...rest } = body
  const seconds = typeof interval === "string" ? Number(interval) : interval
  const isSeconds = typeof seconds === "number" && Number.isFinite(seconds) && seconds > 0
  return {
    ...rest,
    verification_uri,
    ...(isSeconds && { interval: Math.min(Math.ceil(seconds), longestInterval) }),
  }
}

const shownUri = (uri: string): string | undefined =>
  isSecureEndpoint(uri) && !unseen.test(uri) ? new URL(uri).href : undefined

const isShownCode = (code: string): boolean => code.length > 0 && code.length <= 128 && !unseen.test(code)

/** Controls, marks that reorder or hide text, line separators, halves of characters. */
const unseen = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u
