/**
 * One request out, one response in, over undici: no redirects, no retries, no credentials of its own.
 *
 * Names are resolved here and judged by the address policy; the answer is the one that the socket connects to, so a second
 * answer (DNS rebinding) has no effect. undici is loaded with the first request.
 */
import { lookup as resolveName } from "node:dns"
import type { Dispatcher } from "undici"
import type { AddressPolicy } from "./AddressPolicy.ts"
import { contentDecoder } from "./contentDecoder.ts"
import {
  AddressNotAllowedError,
  EgressTimeoutError,
  type HttpError,
  InvalidRequestError,
  isHttpError,
  NetworkError,
  ResponseTooLargeError,
  transportNotLoaded,
} from "./HttpError.ts"
import { type BodyFailures, IncomingBody } from "./IncomingBody.ts"
import { isEventStream, type WireRequest, type WireResponse, wantsEventStream } from "./Wire.ts"

/** Limits of one exchange. */
export interface TransportLimits {
  /**
   * Milliseconds for connecting and for the response with its whole body; for a streamed body, milliseconds of silence. An event
   * stream that was asked for may be silent for longer.
   */
  readonly timeoutMs: number
  /** Largest response body in bytes, after decoding. */
  readonly maxResponseBytes: number
}

/** Stops an exchange. */
type Cancel = () => void

/** Sends one request and reports once: with a response whose body is still arriving, or with why there is none. */
export interface Transport {
  send(request: WireRequest, done: (outcome: WireResponse | HttpError) => void): Cancel
  close(): Promise<void>
}

/** The transport over undici's dispatcher, pooled per origin. */
export const undiciTransport = (limits: TransportLimits, policy: AddressPolicy): Transport => {
  let pools: Promise<Pools> | undefined
  let loaded: Pools | undefined
  const closing = new AbortController()
  return {
    send: (request, done) => {
      const exchange = new Exchange(request, limits, done)
      if (closing.signal.aborted) {
        exchange.fail(new InvalidRequestError({ reason: "the executor was closed; create a new one." }))
        return () => undefined
      }
      if (loaded !== undefined) {
        exchange.start(poolFor(loaded, policy, request.url))
      } else {
        pools ??= loadPools(limits, policy, closing.signal)
        pools.then(
          (ready) => {
            loaded = ready
            exchange.start(poolFor(ready, policy, request.url))
          },
          () => {
            exchange.fail(new NetworkError({ origin: request.url.origin, code: transportNotLoaded }))
          },
        )
      }
      return () => {
        exchange.fail(new NetworkError({ origin: request.url.origin, code: "ABORTED" }))
      }
    },
    close: async () => {
      // undici waits for sockets that are still connecting; the signal ends those too.
      closing.abort()
      const open = await pools?.catch(() => undefined)
      await Promise.all([open?.guarded.destroy(), open?.listed.destroy()])
    },
  }
}

interface Pools {
  /** Connects to public addresses only. */
  readonly guarded: Dispatcher
  /** Connects anywhere; used for hosts that the embedding host listed. */
  readonly listed: Dispatcher
}

const poolFor = (pools: Pools, policy: AddressPolicy, url: URL): Dispatcher =>
  policy.isListed(url) ? pools.listed : pools.guarded

const loadPools = async (limits: TransportLimits, policy: AddressPolicy, closing: AbortSignal): Promise<Pools> => {
  const { Agent } = await import("./undiciAgent.ts")
  const connect = { timeout: Math.min(limits.timeoutMs, 10_000), signal: closing }
  const options = { headersTimeout: limits.timeoutMs, bodyTimeout: limits.timeoutMs }
  return {
    guarded: new Agent({ ...options, connect: { ...connect, lookup: publicLookup(policy) } }),
    listed: new Agent({ ...options, connect }),
  }
}

type NodeLookup = NonNullable<import("node:net").TcpSocketConnectOpts["lookup"]>

const publicLookup =
  (policy: AddressPolicy): NodeLookup =>
  (hostname, options, callback) => {
    resolveName(hostname, { ...options, all: true }, (error, addresses) => {
      const inner = error === null ? addresses.find(({ address }) => !policy.isPublic(address)) : undefined
      const first = addresses?.[0]
      if (error !== null) callback(error, "", 0)
      else if (inner !== undefined) {
        callback(new AddressNotAllowedError({ host: hostname, address: inner.address }), "", 0)
      } else if (options.all === true) callback(null, addresses)
      else callback(null, first?.address ?? "", first?.family ?? 0)
    })
  }

/** One request under way: undici's handler, the deadline, and the body. */
class Exchange implements Dispatcher.DispatchHandler, BodyFailures {
  readonly #request: WireRequest
  readonly #limits: TransportLimits
  readonly #timer: NodeJS.Timeout
  #done: ((outcome: WireResponse | HttpError) => void) | undefined
  #controller: Dispatcher.DispatchController | undefined
  #body: IncomingBody | undefined
  #failure: HttpError | undefined

  constructor(request: WireRequest, limits: TransportLimits, done: (outcome: WireResponse | HttpError) => void) {
    this.#request = request
    this.#limits = limits
    this.#done = done
    this.#timer = setTimeout(() => {
      this.fail(this.#timeout(this.#phase()))
    }, limits.timeoutMs)
  }

  start(dispatcher: Dispatcher): void {
    if (this.#failure !== undefined) return
    const { url, method, headers, body } = this.#request
    try {
      dispatcher.dispatch(
        {
          origin: url.origin,
          path: url.pathname + url.search,
          method: method,
          headers: headers as Record<string, string>,
          body: body as string | Uint8Array | null,
          // What turns out to be no event stream keeps to the deadline of the whole exchange.
          ...(wantsEventStream(this.#request) && { bodyTimeout: 0 }),
        },
        this,
      )
    } catch (error) {
      this.onResponseError(undefined, error)
    }
  }

  /** Ends the exchange: before the response by reporting, afterwards through the body's reader. */
  fail(failure: HttpError): void {
    if (this.#failure !== undefined) return
    this.#failure = failure
    clearTimeout(this.#timer)
    if (this.#body === undefined) this.#controller?.abort(failure)
    else this.#body.fail(failure)
    this.#report(failure)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#failure !== undefined) controller.abort(this.#failure)
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200) return
    const { url, shownUrl, method } = this.#request
    const joined = joinHeaders(headers)
    const hasBody = method !== "HEAD" && status !== 204 && status !== 205 && status !== 304
    const body = new IncomingBody({
      source: controller,
      maximumBytes: this.#limits.maxResponseBytes,
      decoder: hasBody ? contentDecoder(joined["content-encoding"]) : undefined,
      failures: this,
    })
    const endDeadline = (): void => {
      clearTimeout(this.#timer)
    }
    body.whenDone(endDeadline)
    this.#body = body
    const cookies = asArray(headers["set-cookie"])
    const isDeadlineKept = wantsEventStream(this.#request) && !isEventStream(joined)
    const liftDeadline = isDeadlineKept ? () => undefined : endDeadline
    this.#report(new ReceivedResponse(status, joined, cookies, (shownUrl ?? url).href, hasBody, body, liftDeadline))
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    this.#body?.push(chunk)
  }

  onResponseEnd(): void {
    this.#body?.end()
  }

  onResponseError(_controller: unknown, error: unknown): void {
    if (this.#failure !== undefined) return
    this.fail(this.#typed(error))
  }

  tooLarge(): HttpError {
    const { maxResponseBytes } = this.#limits
    return new ResponseTooLargeError({ origin: this.#request.url.origin, maxResponseBytes })
  }

  undecodable(): HttpError {
    return new NetworkError({ origin: this.#request.url.origin, code: "UNDECODABLE_BODY" })
  }

  #report(outcome: WireResponse | HttpError): void {
    const done = this.#done
    this.#done = undefined
    done?.(outcome)
  }

  /** undici hands out its controller when the socket is connected and the request about to be written. */
  #phase(): EgressTimeoutError["phase"] {
    if (this.#body !== undefined) return "body"
    return this.#controller === undefined ? "connect" : "response"
  }

  #timeout(phase: EgressTimeoutError["phase"]): EgressTimeoutError {
    return new EgressTimeoutError({ origin: this.#request.url.origin, timeoutMs: this.#limits.timeoutMs, phase })
  }

  #typed(error: unknown): HttpError {
    if (isHttpError(error)) return error
    const code = codeOf(error)
    switch (code) {
      case "UND_ERR_CONNECT_TIMEOUT":
        return this.#timeout("connect")
      case "UND_ERR_HEADERS_TIMEOUT":
        return this.#timeout("response")
      case "UND_ERR_BODY_TIMEOUT":
        return this.#timeout("body")
      case "UND_ERR_INVALID_ARG":
        return new InvalidRequestError({
          reason: "its method, path or a header holds characters that HTTP does not allow.",
        })
      default:
        return new NetworkError({ origin: this.#request.url.origin, code })
    }
  }
}

/** A response that came through undici. */
class ReceivedResponse implements WireResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly setCookies: ReadonlyArray<string>
  readonly url: string
  readonly isRedirected: boolean
  readonly #hasBody: boolean
  readonly #body: IncomingBody
  readonly #liftDeadline: () => void

  constructor(
    status: number,
    headers: Readonly<Record<string, string>>,
    setCookies: ReadonlyArray<string>,
    url: string,
    hasBody: boolean,
    body: IncomingBody,
    liftDeadline: () => void,
    isRedirected = false,
  ) {
    this.status = status
    this.headers = headers
    this.setCookies = setCookies
    this.url = url
    this.isRedirected = isRedirected
    this.#hasBody = hasBody
    this.#body = body
    this.#liftDeadline = liftDeadline
  }

  asRedirected(): WireResponse {
    const { status, headers, setCookies, url } = this
    return new ReceivedResponse(status, headers, setCookies, url, this.#hasBody, this.#body, this.#liftDeadline, true)
  }

  bytes(): Promise<Uint8Array> {
    return this.#body.bytes()
  }

  stream(): ReadableStream<Uint8Array> | null {
    this.#liftDeadline()
    return this.#hasBody ? this.#body.stream() : null
  }

  discard(): void {
    this.#body.discard()
  }

  abort(): void {
    this.#body.abort()
  }

  whenDone(listener: () => void): void {
    this.#body.whenDone(listener)
  }
}

const joinHeaders = (headers: Record<string, string | string[] | undefined>): Record<string, string> => {
  const joined: Record<string, string> = {}
  for (const name in headers) {
    const value = headers[name]
    if (value === undefined || name === "set-cookie" || name === "__proto__") continue
    joined[name] = typeof value === "string" ? value : value.join(", ")
  }
  return joined
}

const asArray = (value: string | string[] | undefined): ReadonlyArray<string> =>
  value === undefined ? none : typeof value === "string" ? [value] : value

const none: ReadonlyArray<string> = []

/** The machine word of a platform error; anything that could be prose is dropped. */
const codeOf = (error: unknown): string => {
  const code = error !== null && typeof error === "object" && "code" in error ? error.code : undefined
  return typeof code === "string" && /^[A-Z0-9_]{1,64}$/.test(code) ? code : "FAILED"
}
