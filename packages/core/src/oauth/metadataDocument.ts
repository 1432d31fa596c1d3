/**
 * One metadata document of an authorization server or a protected resource: asked for without a credential, small, soon, and
 * never by way of a redirect.
 *
 * What is wrong with one address is told apart from what ends a discovery: a missing document leads to the next address, an
 * outage does not prove that there is none.
 */
import * as Effect from "effect/Effect"
import type { HttpError } from "../http/HttpError.ts"
import { OAuthDiscoveryError } from "./OAuthError.ts"
import { isSecureEndpoint, type OAuthHttp, type OAuthResponse } from "./OAuthHttp.ts"

/** Why a discovery fails: `reason` of `OAuthDiscoveryError`. */
export type DiscoveryFailure = keyof typeof nextSteps

/** What an address gave. `outage`: its server could not say whether it has a document. */
export type MetadataAnswer =
  | { readonly type: "found"; readonly response: OAuthResponse; readonly json: Readonly<Record<string, unknown>> }
  | { readonly type: "absent"; readonly failure: "not_found" | "not_metadata" }
  | { readonly type: "outage" }

/** Asks one address for a JSON object. Fails for what the other addresses of the same server will not change. */
export const getMetadata = (http: OAuthHttp, url: string): Effect.Effect<MetadataAnswer, OAuthDiscoveryError> => {
  const failure = urlFailure(url)
  if (failure !== undefined) return Effect.fail(discoveryError(failure, url))
  const request = { method: "GET", url, headers: {}, body: null, ...metadataLimits }
  return http.send(request).pipe(
    Effect.map(judge),
    Effect.catch((error) =>
      error._tag === "ResponseTooLargeError"
        ? Effect.succeed(absent("not_metadata"))
        : Effect.fail(discoveryError(failureOf(error), url)),
    ),
  )
}

/** Why a URL may not be asked; `undefined`: it may. */
export const urlFailure = (url: string): "invalid_url" | "insecure_endpoint" | undefined => {
  const parsed = URL.parse(url)
  if (parsed === null || parsed.username !== "" || parsed.password !== "") return "invalid_url"
  return isSecureEndpoint(url) ? undefined : "insecure_endpoint"
}

/** How large a response may be, in bytes, and how long it may take, in milliseconds. Real documents have a few kilobytes. */
export const metadataLimits = { maxBytes: 256 * 1024, timeoutMs: 10_000 } as const

/** A failure with its next step. `url` is reduced to its origin. */
export const discoveryError = (failure: DiscoveryFailure, url: string): OAuthDiscoveryError =>
  new OAuthDiscoveryError({
    reason: failure,
    origin: originOf(url),
    nextStep: nextSteps[failure],
    retryable: failure === "unreachable" || failure === "unavailable",
  })

/** What an exchange that never became a response means for a discovery. */
export const failureOf = (error: HttpError): "address_not_allowed" | "unreachable" | "invalid_url" => {
  switch (error._tag) {
    case "AddressNotAllowedError":
      return "address_not_allowed"
    case "NetworkError":
    case "EgressTimeoutError":
      return "unreachable"
    default:
      return "invalid_url"
  }
}

/** Members of a list that are words, in printable ASCII without spaces; `null` where a document holds no list. */
export const wordsOf = (value: unknown): ReadonlyArray<string> | null =>
  Array.isArray(value) ? value.filter(isWord) : null

/**
 * Whether something is a text of printable ASCII without spaces, as URLs, scopes and names of methods are.
 *
 * URL parsers drop tabs and line breaks, so that a text which parses is not yet one to keep and to show.
 */
export const isWord = (value: unknown): value is string => typeof value === "string" && /^[\x21-\x7e]+$/.test(value)

const nextSteps = {
  not_found: "It publishes none at the well-known places: give authorizationUrl and tokenUrl by hand.",
  not_metadata: "What it answers is no metadata: check the URL, or give authorizationUrl and tokenUrl by hand.",
  invalid_metadata: "Its document lacks what OAuth requires: tell its operator, or give the endpoints by hand.",
  unreachable: "Check that the service is up and the address is right, then try again.",
  unavailable: "The service is having trouble: try again later.",
  address_not_allowed: "It leads to an internal address. If that is intended, list the host in egress.allowHosts.",
  insecure_endpoint: "OAuth needs https, except on loopback: use an https address, or tell the operator of the server.",
  invalid_url: "Use an absolute https URL without user information.",
  issuer_mismatch: "Its document is another issuer's: use the issuer that the server names for itself.",
  resource_mismatch: "Its document describes another resource: check the URL, or tell the operator of the service.",
} as const

const absent = (failure: "not_found" | "not_metadata"): MetadataAnswer => ({ type: "absent", failure })

const judge = (response: OAuthResponse): MetadataAnswer => {
  const { status } = response
  if (status >= 500 || status === 408 || status === 425 || status === 429) return { type: "outage" }
  if (status !== 200) return absent("not_found")
  const json = parseObject(response.body)
  return json === undefined ? absent("not_metadata") : { type: "found", response, json }
}

/** The object that a text is in JSON. What is wrong with it otherwise is nobody's to know: parsers quote their input. */
export const parseObject = (text: string): Readonly<Record<string, unknown>> | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

const originOf = (url: string): string => {
  const origin = URL.parse(url)?.origin
  return origin === undefined || origin === "null" ? "(no URL)" : origin
}
