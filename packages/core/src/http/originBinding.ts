/**
 * The rule that binds a credential to where it belongs: the final URL's origin is one the integration declared.
 *
 * Checked on the parsed URL after every templating step and again after the credential was placed; pure.
 * URL parsing: the WHATWG URL standard, the same parser that the transport uses.
 */
import * as Effect from "effect/Effect"
import { InvalidRequestError, OriginNotAllowedError } from "./HttpError.ts"

/** Where a connection may send. */
export interface OriginBinding {
  /** What relative URLs resolve against; `null`: only absolute URLs can be sent. Ends with `/` where it is a folder. */
  readonly baseUrl: string | null
  /** Origins in their serialised form, such as `https://api.example.com`. */
  readonly origins: ReadonlyArray<string>
}

/**
 * Parses what a caller wants to reach and refuses it unless its origin is declared.
 *
 * A relative reference without a scheme is appended to the base URL's path, `/` at its front or not, so that
 * `/v1/items` under `https://host/api` is `https://host/api/v1/items`. Fails with `InvalidRequestError` for text that is no http(s) URL, that
 * carries user information or control characters, and with `OriginNotAllowedError` for another origin.
 */
export const bindUrl = (
  target: string | URL,
  binding: OriginBinding,
): Effect.Effect<URL, InvalidRequestError | OriginNotAllowedError> => {
  const url = parse(target, binding.baseUrl)
  if (typeof url === "string") return Effect.fail(new InvalidRequestError({ reason: url }))
  return binding.origins.includes(url.origin)
    ? Effect.succeed(url)
    : Effect.fail(new OriginNotAllowedError({ origin: url.origin, allowed: binding.origins }))
}

/** The serialised origin of an http(s) URL that is nothing but an origin, or the reason why it is not one. */
export const parseOrigin = (text: string): { readonly origin: string } | { readonly fault: string } => {
  const url = URL.parse(text)
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) {
    return { fault: "is not an http(s) origin such as https://api.example.com" }
  }
  if (url.username !== "" || url.password !== "") return { fault: "holds user information" }
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "") {
    return { fault: `has a path or a query; write ${url.origin}` }
  }
  return { origin: url.origin }
}

const parse = (target: string | URL, baseUrl: string | null): URL | string => {
  // Always a URL of our own: the caller could change one of its own after it was judged, or have made it say different things.
  const url = parseText(String(target), baseUrl)
  if (typeof url === "string") return url
  if (url.protocol !== "https:" && url.protocol !== "http:") return "its URL is not http or https."
  if (url.username !== "" || url.password !== "") return "its URL holds user information; use a connection for that."
  return url
}

const parseText = (target: string, baseUrl: string | null): URL | string => {
  // The WHATWG parser drops tabs and line breaks and reads a backslash as a slash: both only ever serve to mislead.
  if (misleading.test(target)) return "its URL holds control characters or a backslash."
  if (hasScheme.test(target) || target.startsWith("//")) {
    return URL.parse(target) ?? "its URL cannot be parsed."
  }
  if (baseUrl === null) return "its URL is relative, and the integration has no base URL."
  const reference =
    target.startsWith("?") || target.startsWith("#") || target === "" ? target : joinPath(baseUrl, target)
  return URL.parse(reference, baseUrl) ?? "its URL cannot be parsed."
}

const joinPath = (baseUrl: string, path: string): string => {
  const base = baseUrl.split(/[?#]/, 1)[0] ?? baseUrl
  return `${base.endsWith("/") ? base.slice(0, -1) : base}/${path.startsWith("/") ? path.slice(1) : path}`
}

// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const misleading = /[\u0000-\u001f\u007f]|^[^?#]*\\/
const hasScheme = /^[a-z][a-z0-9+.-]*:/i
