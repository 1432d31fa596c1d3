/**
 * The one way out: every request of the product leaves through {@link Egress.send}.
 *
 * It judges literal addresses, follows redirects by hand and decides on each hop whether the credential goes along. A
 * credential stays with the origin it was placed for; once left behind on a redirect it does not come back.
 */
import * as Effect from "effect/Effect"
import { type AddressPolicy, literalAddress, makeAddressPolicy } from "./AddressPolicy.ts"
import { fetchTransport, type FetchFunction } from "./FetchTransport.ts"
import {
  AddressNotAllowedError,
  type HttpError,
  InvalidRequestError,
  isHttpError,
  RedirectRefusedError,
} from "./HttpError.ts"
import { type Transport, undiciTransport } from "./Transport.ts"
import type { RequestAuthorizer, WireRequest, WireResponse } from "./Wire.ts"

/** `egress` of `createExecutor`. */
export interface EgressOptions {
  /** Hosts that may be internal, as `"127.0.0.1:8080"` or, for every port, `"127.0.0.1"`. Default: none. */
  readonly allowHosts?: ReadonlyArray<string> | undefined
  /**
   * Milliseconds for one exchange, response body included; a streamed body may take longer while it keeps moving, and an event stream
   * (`text/event-stream`, asked for by `accept`) also while it is silent. Default 30 000.
   */
  readonly timeoutMs?: number | undefined
  /** Largest response body in bytes after decoding. Default 16 MiB. */
  readonly maxResponseBytes?: number | undefined
  /** Redirects followed before giving up. Default 5; 0 hands the redirect response on. */
  readonly maxRedirects?: number | undefined
  /** Replaces the transport. Redirects, origins and limits stay Keyward's; DNS becomes this function's affair. */
  readonly fetch?: FetchFunction | undefined
}

/** Limits as they are in force. */
export interface EgressLimits {
  readonly timeoutMs: number
  readonly maxResponseBytes: number
  readonly maxRedirects: number
}

/** See the file's header. */
export class Egress {
  readonly limits: EgressLimits
  readonly #policy: AddressPolicy
  readonly #transport: Transport

  /** Throws a `TypeError` for an `allowHosts` entry that names no host. */
  constructor(options: EgressOptions = {}) {
    this.limits = {
      timeoutMs: Math.min(options.timeoutMs ?? 30_000, longestTimer),
      maxResponseBytes: options.maxResponseBytes ?? 16 * 1024 * 1024,
      maxRedirects: options.maxRedirects ?? 5,
    }
    this.#policy = makeAddressPolicy(options.allowHosts ?? [])
    this.#transport =
      options.fetch === undefined
        ? undiciTransport(this.limits, this.#policy)
        : fetchTransport(options.fetch, this.limits)
  }

  /**
   * Sends a request whose URL is bound already, with the credential on it, and follows its redirects.
   *
   * `request` is bare; `authorizer` places the credential on it, and again on each hop to the same origin.
   * Interruption closes the socket.
   */
  send(request: WireRequest, authorizer: RequestAuthorizer): Effect.Effect<WireResponse, HttpError> {
    return this.sendThen(request, authorizer, Effect.succeed)
  }

  /** As {@link send} with `next` after it, in one step: an `Effect.flatMap` less for each request. */
  sendThen<A, E>(
    request: WireRequest,
    authorizer: RequestAuthorizer,
    next: (response: WireResponse) => Effect.Effect<A, E>,
  ): Effect.Effect<A, E | HttpError> {
    if (forbiddenMethods.has(request.method)) {
      return Effect.fail(new InvalidRequestError({ reason: `the method ${request.method} cannot be used.` }))
    }
    const authorized = authorizer.authorize(request)
    if (authorized.url !== request.url && authorized.url.origin !== request.url.origin) {
      return Effect.fail(new InvalidRequestError({ reason: "placing the credential would change its origin." }))
    }
    return this.#exchange(authorized, (response) =>
      isRedirect(response.status) && this.limits.maxRedirects > 0 && request.redirect !== "manual"
        ? Effect.flatMap(this.#follow(request, authorizer, response), next)
        : next(response),
    )
  }

  /** Closes pooled sockets; requests under way fail. */
  close(): Effect.Effect<void> {
    return Effect.promise(() => this.#transport.close())
  }

  #follow(
    first: WireRequest,
    authorizer: RequestAuthorizer,
    response: WireResponse,
  ): Effect.Effect<WireResponse, HttpError> {
    const { maxRedirects } = this.limits
    const exchange = (request: WireRequest): Effect.Effect<WireResponse, HttpError> =>
      this.#exchange(request, Effect.succeed)
    return Effect.gen(function* () {
      let bare = first
      let current = response
      let isCredentialed = true
      for (let hop = 0; isRedirect(current.status); hop += 1) {
        const location = current.headers["location"]
        if (location === undefined) break
        current.discard()
        if (bare.redirect === "error") return yield* refuse("not_wanted", bare, bare.url)
        if (hop >= maxRedirects) return yield* refuse("too_many", bare, bare.url)
        const next = yield* nextHop(bare, current.status, location, authorizer)
        isCredentialed &&= next.url.origin === bare.url.origin
        bare = next
        current = yield* exchange(isCredentialed ? authorizer.authorize(bare) : bare)
      }
      return bare === first ? current : current.asRedirected()
    })
  }

  /** One request and its response; `next` is what becomes of the response. */
  #exchange<A, E>(
    request: WireRequest,
    next: (response: WireResponse) => Effect.Effect<A, E>,
  ): Effect.Effect<A, E | HttpError> {
    const { url } = request
    const literal = literalAddress(url)
    if (literal !== undefined && !this.#policy.isListed(url) && !this.#policy.isPublic(literal)) {
      return Effect.fail(new AddressNotAllowedError({ host: url.hostname, address: literal }))
    }
    const transport = this.#transport
    return Effect.callback<A, E | HttpError>((resume) => {
      const cancel = transport.send(request, (outcome) => {
        resume(isHttpError(outcome) ? Effect.fail(outcome) : next(outcome))
      })
      return Effect.sync(cancel)
    })
  }
}

/** `setTimeout` takes no longer one. */
const longestTimer = 2_147_483_647

/** As in the fetch standard: a tunnel has no origin, and a trace sends the credential back. */
const forbiddenMethods: ReadonlySet<string> = new Set(["CONNECT", "TRACE", "TRACK"])

const isRedirect = (status: number): boolean =>
  status === 301 || status === 302 || status === 303 || status === 307 || status === 308

/** The bare request that a redirect asks for; the fetch standard's rules, and stricter where a credential could leak. */
const nextHop = (
  bare: WireRequest,
  status: number,
  location: string,
  authorizer: RequestAuthorizer,
): Effect.Effect<WireRequest, RedirectRefusedError> => {
  const target = URL.canParse(location, bare.url.href) ? new URL(location, bare.url) : undefined
  if (target === undefined || !isWeb(target)) return refuse("invalid_location", bare, bare.url)
  target.hash = ""
  const isSameOrigin = target.origin === bare.url.origin
  // The text as it came, because parsing puts host names in lower case. Such a target is not named in the error.
  if (!isSameOrigin && authorizer.carries(location.split(/[?#]/, 1)[0] ?? "")) {
    return refuse("carries_credential", bare, bare.url)
  }
  if (bare.url.protocol === "https:" && target.protocol === "http:") return refuse("downgrade", bare, target)
  const isRewritten =
    (status === 303 && bare.method !== "GET" && bare.method !== "HEAD") ||
    ((status === 301 || status === 302) && bare.method === "POST")
  const method = isRewritten ? "GET" : bare.method
  const body = isRewritten ? null : bare.body
  if (body instanceof ReadableStream) return refuse("body_not_replayable", bare, target)
  let headers = isRewritten ? without(bare.headers, contentHeaders) : bare.headers
  if (!isSameOrigin) {
    headers = without(
      headers,
      (name) => callerCredentials(name) || authorizer.places(name) || authorizer.carries(headers[name] ?? ""),
    )
    stripQuery(target, authorizer)
    if (authorizer.carries(target.href)) return refuse("carries_credential", bare, target)
    if (body !== null && authorizer.carries(typeof body === "string" ? body : Buffer.from(body).toString("utf8"))) {
      return refuse("carries_credential", bare, target)
    }
  }
  return Effect.succeed({ method, url: target, headers, body })
}

/** Drops query values that echo the credential, as a service does which redirects with the query it was asked with. */
const stripQuery = (target: URL, authorizer: RequestAuthorizer): void => {
  if (!authorizer.carries(target.search)) return
  for (const [name, value] of Array.from(target.searchParams)) {
    if (authorizer.carries(value) || authorizer.carries(name)) target.searchParams.delete(name)
  }
}

const isWeb = (url: URL): boolean =>
  (url.protocol === "https:" || url.protocol === "http:") && url.username === "" && url.password === ""

const without = (
  headers: Readonly<Record<string, string>>,
  isDropped: (name: string) => boolean,
): Record<string, string> => Object.fromEntries(Object.entries(headers).filter(([name]) => !isDropped(name)))

const contentHeaders = (name: string): boolean => name.startsWith("content-")

const callerCredentials = (name: string): boolean =>
  name === "authorization" || name === "cookie" || name === "proxy-authorization"

const refuse = (
  reason: RedirectRefusedError["reason"],
  from: WireRequest,
  to: URL,
): Effect.Effect<never, RedirectRefusedError> =>
  Effect.fail(new RedirectRefusedError({ reason, from: from.url.origin, to: to.origin }))
