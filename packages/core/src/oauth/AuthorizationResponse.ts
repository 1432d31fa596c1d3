/**
 * What the person's browser brings back: RFC 6749, section 4.1.2, with the issuer check of RFC 9207.
 *
 * Called by the executor when a flow is to be completed, before any token request. Everything in here came through a browser and
 * is believed only as far as it is compared with what was pinned when the flow began.
 */
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { OAuthQuirks } from "../auth/OAuthQuirks.ts"
import { OAuthCompleteError } from "./OAuthError.ts"
import { isSecureEndpoint } from "./OAuthHttp.ts"
import type { OAuthSessionRecord } from "./OAuthSession.ts"

/** What `oauth.complete` is given: the whole address that the browser came back to, or what was in it. */
export type CallbackInput =
  | { readonly callbackUrl: string }
  | { readonly state: string; readonly code: string; readonly iss?: string | undefined }

/** A callback taken apart. */
export interface Callback {
  /** As it arrived: the flow is looked up by its hash. Secret until the flow is finished. */
  readonly state: string
  readonly parameters: URLSearchParams
  /** Where the browser came back to, without query and fragment, for {@link isAtRedirectUri}; `null` when it was not given. */
  readonly location: string | null
}

/** What a good response gives. */
export interface AuthorizationResponse {
  readonly code: Redacted.Redacted
  /** The token endpoint at the regional host that the response names; absent: the pinned one. */
  readonly tokenUrl?: string
}

/** Finds the flow that a callback belongs to. A fragment is not part of the response and is ignored. */
export const readCallback = (input: CallbackInput): Result.Result<Callback, OAuthCompleteError> => {
  if (typeof input !== "object" || (input as unknown) === null)
    return refused("invalid_callback", faults.invalidCallback)
  if (!("callbackUrl" in input)) {
    const { state, code, iss } = input
    const given = Object.entries({ state, code, iss }).filter(([, value]) => value !== undefined)
    if (given.some(([, value]) => typeof value !== "string")) return refused("invalid_callback", faults.invalidCallback)
    return callback(new URLSearchParams(given as Array<[string, string]>), null)
  }
  const url =
    typeof input.callbackUrl === "string" && input.callbackUrl.length <= longest ? URL.parse(input.callbackUrl) : null
  if (url === null) return refused("invalid_callback", faults.invalidCallback)
  return callback(url.searchParams, bare(url))
}

/**
 * Whether a callback arrived where the flow sent it: scheme, host, port and path are the redirect URI's, and so is its query where it
 * has one. `true` when the callback's address was not given.
 */
export const isAtRedirectUri = ({ location, parameters }: Callback, redirectUri: string): boolean => {
  if (location === null) return true
  const url = URL.parse(redirectUri)
  return (
    url !== null &&
    bare(url) === location &&
    [...url.searchParams].every(([name, value]) => parameters.getAll(name).includes(value))
  )
}

/**
 * Reads a response against what the flow pinned: first its issuer, and only then whether it is an error.
 *
 * `state` is not compared here; the session given is the one that was found by it.
 */
export const readAuthorizationResponse = (
  parameters: URLSearchParams,
  session: Pick<OAuthSessionRecord, "server">,
  quirks: OAuthQuirks,
): Result.Result<AuthorizationResponse, OAuthCompleteError> => {
  const { server } = session
  const hostParameter = quirks.tokenHostParameter
  if (isRepeated(parameters, hostParameter === undefined ? knownNames : [...knownNames, hostParameter])) {
    return refused("duplicate_parameter", faults.duplicate)
  }
  const iss = parameters.get("iss")
  if (iss === null && server.isIssRequired) return refused("iss_missing", faults.issMissing)
  // A server entered by hand has no issuer to compare with; section 2.4 of RFC 9207 leaves the response to us.
  if (iss !== null && server.issuer !== null && iss !== server.issuer)
    return refused("iss_mismatch", faults.issMismatch)
  const error = parameters.get("error")
  if (error !== null) return Result.fail(errorResponse(error, quirks))
  const code = parameters.get("code")
  if (code === null || code === "") return refused("code_missing", faults.codeMissing)
  const host = hostParameter === undefined ? null : parameters.get(hostParameter)
  if (host === null) return Result.succeed({ code: Redacted.make(code) })
  const tokenUrl = regionalTokenUrl(server.tokenUrl, host, quirks.tokenHosts ?? [])
  if (tokenUrl === undefined) return refused("token_host_refused", faults.tokenHost)
  return Result.succeed({ code: Redacted.make(code), tokenUrl })
}

const longest = 64 * 1024

/** An address without query and fragment. */
const bare = (url: URL): string => {
  const copy = new URL(url)
  copy.search = ""
  copy.hash = ""
  return copy.href
}

const callback = (
  parameters: URLSearchParams,
  location: string | null,
): Result.Result<Callback, OAuthCompleteError> => {
  if (isRepeated(parameters, knownNames)) return refused("duplicate_parameter", faults.duplicate)
  const state = parameters.get("state")
  if (state === null || state === "") return refused("state_missing", faults.stateMissing)
  return Result.succeed({ state, parameters, location })
}

/** Of a parameter that is there twice nobody can say which one the server meant. Others are ignored, twice or not. */
const isRepeated = (parameters: URLSearchParams, names: ReadonlyArray<string>): boolean =>
  names.some((name) => parameters.getAll(name).length > 1)

const knownNames = ["state", "code", "iss", "error", "error_description", "error_uri"]

const errorResponse = (error: string, quirks: OAuthQuirks): OAuthCompleteError => {
  const { errorCodes = {} } = quirks
  const code = (Object.hasOwn(errorCodes, error) ? errorCodes[error] : undefined) ?? error
  if (code === "access_denied") return failure("access_denied", faults.accessDenied)
  // Only codes of the registry become reasons: a callback is anybody's to write, and our own reasons mean something.
  const reason = errorReasons.has(code) ? code : "authorization_failed"
  const shown = isWord(code) ? `the code ${code}` : "an error"
  const fault = `the authorization server answered with ${shown}. Begin again; if it stays, check the client's registration there.`
  return failure(reason, fault, code === "server_error" || code === "temporarily_unavailable")
}

/** Without digits: what stands there may also be the echo of something random. */
const isWord = (code: string): boolean => code.length <= 64 && /^[A-Za-z]+([_.-][A-Za-z]+)*$/.test(code)

const errorReasons: ReadonlySet<string> = new Set([
  "invalid_request",
  "unauthorized_client",
  "unsupported_response_type",
  "invalid_scope",
  "server_error",
  "temporarily_unavailable",
  "invalid_target",
  "invalid_request_uri",
  "invalid_request_object",
  "invalid_dpop_proof",
  "login_required",
  "consent_required",
  "interaction_required",
  "account_selection_required",
])

/** The pinned endpoint at another host, which is one of those listed, given as a host or as an origin. */
const regionalTokenUrl = (pinned: string, named: string, hosts: ReadonlyArray<string>): string | undefined => {
  const { protocol, pathname, search } = new URL(pinned)
  const host = named.startsWith(`${protocol}//`) ? named.slice(protocol.length + 2).replace(/\/$/, "") : named
  if (!hosts.includes(host)) return undefined
  const url = `${protocol}//${host}${pathname}${search}`
  return URL.parse(url)?.host === host && isSecureEndpoint(url) ? url : undefined
}

const faults = {
  invalidCallback: "give the whole URL that the browser was sent to as callbackUrl, or state and code as texts.",
  duplicate: "the callback holds a parameter twice. Nothing was sent; begin again.",
  stateMissing: "the callback holds no state. Give the URL as it arrived, with its query.",
  issMissing:
    "the callback names no issuer (iss), which this authorization server announced. Nothing was sent; begin again.",
  issMismatch: "the callback comes from another authorization server than the one the flow began at. Nothing was sent.",
  accessDenied: "the person, or the authorization server for them, said no. Start again if that was a mistake.",
  codeMissing: "the callback holds neither a code nor an error. Give the URL as it arrived, with its query.",
  tokenHost: "the callback names a token host that the quirk tokenHosts does not list. Nothing was sent.",
}

const failure = (reason: string, fault: string, retryable = false): OAuthCompleteError =>
  new OAuthCompleteError({ reason, fault, retryable })

const refused = (reason: string, fault: string): Result.Result<never, OAuthCompleteError> =>
  Result.fail(failure(reason, fault))
