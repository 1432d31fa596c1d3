/**
 * Tells what a failed token request means: by what came over the wire, never by a library's exception class.
 *
 * Pure. The rows, in the order in which they are tried, are those of `docs/concepts/oauth.md`.
 */
import type { OAuthQuirks } from "../auth/OAuthQuirks.ts"
import type { HttpError } from "../http/HttpError.ts"
import { parseChallenges } from "./Challenge.ts"
import { isErrorCode } from "./errorCode.ts"
import type { OAuthResponse } from "./OAuthHttp.ts"
import { parseTokenBody, valueAt } from "./tokenBody.ts"
import { type TokenFailureKind, TokenRequestError } from "./tokenFailure.ts"

/** What was seen at the endpoint of `host`. */
export type TokenFailure = { readonly host: string } & (
  | { readonly response: OAuthResponse }
  | { readonly httpError: HttpError }
  /** A successful answer that cannot be used, with our word for why. */
  | { readonly unusable: string; readonly status: number }
)

/** See the file's header. A response given here is one that holds no tokens. */
export const classifyTokenFailure = (failure: TokenFailure, quirks: OAuthQuirks): TokenRequestError => {
  const { host } = failure
  if ("httpError" in failure) return new TokenRequestError({ host, ...classifyHttpError(failure.httpError) })
  if ("unusable" in failure) {
    return new TokenRequestError({ host, kind: "ambiguous", code: failure.unusable, status: failure.status })
  }
  const { response } = failure
  const retryAfterMs = readRetryAfter(response)
  return new TokenRequestError({
    host,
    ...classifyResponse(response, quirks),
    status: response.status,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  })
}

/** The error code of a response, as the quirks translate it; `undefined` when it has none. Not yet fit to be shown. */
export const errorCodeOf = (response: OAuthResponse, quirks: OAuthQuirks): string | undefined => {
  const body = parseTokenBody(response)
  const paths = [quirks.tokenResponse?.error, "error"].filter((path) => path !== undefined)
  const inBody = body === undefined ? undefined : paths.map((path) => codeText(valueAt(body, path))).find(Boolean)
  const code = inBody ?? challengedCode(response)
  const { errorCodes = {} } = quirks
  return code !== undefined && Object.hasOwn(errorCodes, code) ? errorCodes[code] : code
}

interface Judgement {
  readonly kind: TokenFailureKind
  readonly code: string
}

const classifyResponse = (response: OAuthResponse, quirks: OAuthQuirks): Judgement => {
  const { status } = response
  if (status >= 300 && status < 400) return { kind: "transient", code: "redirected" }
  const code = errorCodeOf(response, quirks)
  const kind = code === undefined ? undefined : kinds.get(code)
  // Whatever a broken server says about the grant, it may say something else when it is whole.
  if (status >= 500) return { kind: "transient", code: kind === "transient" ? shown(code) : "server_error" }
  if (isSuccess(status) && code === undefined) return { kind: "ambiguous", code: "invalid_response" }
  if (kind !== undefined) return { kind, code: shown(code) }
  const passing = passingStatuses.get(status)
  if (passing !== undefined) return { kind: "transient", code: passing }
  const word = code === undefined ? `http_${status}` : shown(code)
  return { kind: status === 401 ? "client_rejected" : "request_rejected", code: word }
}

const isSuccess = (status: number): boolean => status >= 200 && status < 300

const passingStatuses: ReadonlyMap<number, string> = new Map([
  [408, "request_timeout"],
  [425, "too_early"],
  [429, "rate_limited"],
])

const kinds: ReadonlyMap<string, TokenFailureKind> = new Map([
  ["invalid_grant", "grant_dead"],
  ["invalid_client", "client_rejected"],
  ["unauthorized_client", "client_rejected"],
  ["invalid_request", "request_rejected"],
  ["invalid_scope", "request_rejected"],
  ["invalid_target", "request_rejected"],
  ["unsupported_grant_type", "request_rejected"],
  ["unsupported_token_type", "request_rejected"],
  ["invalid_dpop_proof", "request_rejected"],
  ["authorization_pending", "pending"],
  ["slow_down", "pending"],
  ["access_denied", "denied"],
  ["expired_token", "expired"],
  ["temporarily_unavailable", "transient"],
  ["server_error", "transient"],
  // Left over when a second proof, with the server's newest nonce, was turned down too.
  ["use_dpop_nonce", "transient"],
])

const classifyHttpError = (error: HttpError): Judgement => {
  switch (error._tag) {
    case "NetworkError":
      return { kind: isNotSent(error.code) ? "not_sent" : "ambiguous", code: shown(error.code) }
    case "EgressTimeoutError":
      return { kind: error.phase === "connect" ? "not_sent" : "ambiguous", code: `${error.phase}_timeout` }
    case "ResponseTooLargeError":
      return { kind: "ambiguous", code: "response_too_large" }
    case "RedirectRefusedError":
      return { kind: "transient", code: "redirected" }
    case "AddressNotAllowedError":
      return { kind: "refused", code: "address_not_allowed" }
    case "OriginNotAllowedError":
      return { kind: "refused", code: "origin_not_allowed" }
    case "InvalidRequestError":
      return { kind: "refused", code: "request_not_sendable" }
  }
}

/**
 * Codes that can only come up before the first byte of the request: names, routes, connecting, the certificate.
 *
 * `ETIMEDOUT`, `ECONNRESET` and `EPIPE` also end sockets that are in use, so they prove nothing.
 */
const isNotSent = (code: string): boolean => unreached.has(code) || certificate.test(code) || handshake.test(code)

const unreached: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EAI_FAIL",
  "EAI_NODATA",
  "EAI_NONAME",
  "ENODATA",
  "ESERVFAIL",
  "EHOSTUNREACH",
  "EHOSTDOWN",
  "ENETUNREACH",
  "ENETDOWN",
  "EADDRNOTAVAIL",
  "TRANSPORT_NOT_LOADED",
])

const certificate = /^(CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|ERR_TLS_CERT_|INVALID_(CA|PURPOSE)$)/
const handshake = /^(EPROTO$|ERR_SSL_\w*(VERSION|PROTOCOL|HANDSHAKE|PACKET_LENGTH)|ERR_TLS_HANDSHAKE_TIMEOUT$)/

const codeText = (value: unknown): string | undefined => {
  const text = typeof value === "number" ? String(value) : value
  return typeof text === "string" && text !== "" ? text : undefined
}

/** Some servers, and gateways before them, name the code only in the challenge. */
const challengedCode = ({ headers }: OAuthResponse): string | undefined =>
  parseChallenges(headers["www-authenticate"] ?? "")
    .map(({ parameters }) => codeText(parameters.get("error")))
    .find((code) => code !== undefined)

/** A code, or our word for one that does not read like one. */
const shown = (code: string | undefined): string => (code !== undefined && isErrorCode(code) ? code : "unknown_error")

const longestWait = 3600_000

/** Seconds or a date (RFC 9110, section 10.2.3), in milliseconds from when the request was sent; at most an hour. */
const readRetryAfter = ({ headers, sentAt }: OAuthResponse): number | undefined => {
  const text = headers["retry-after"]?.trim()
  if (text === undefined || text === "") return undefined
  const wait = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - sentAt
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(wait, 0), longestWait)
}
