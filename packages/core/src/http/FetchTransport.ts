/**
 * The transport over a `fetch` that the host supplies (`egress.fetch`): for proxies, mocks and other runtimes.
 *
 * The same limits hold. DNS is the supplied function's own affair; literal addresses are judged before it is called.
 */
import { EgressTimeoutError, type HttpError, isHttpError, NetworkError, ResponseTooLargeError } from "./HttpError.ts"
import type { Transport, TransportLimits } from "./Transport.ts"
import { isEventStream, type WireRequest, type WireResponse, wantsEventStream } from "./Wire.ts"

/** Any function with the shape of the standard `fetch`. */
export type FetchFunction = (input: string, init: RequestInit) => Promise<Response>

/** Wraps a supplied `fetch`. */
export const fetchTransport = (fetch: FetchFunction, limits: TransportLimits): Transport => ({
  send: (request, done) => {
    const controller = new AbortController()
    let isDone = false
    const finish = (outcome: WireResponse | HttpError): void => {
      if (isDone) return
      isDone = true
      done(outcome)
    }
    const abandon = (failure: HttpError): void => {
      finish(failure)
      controller.abort(failure)
    }
    const timer = setTimeout(() => {
      abandon(timeoutOf(request, limits, "response"))
    }, limits.timeoutMs)
    const failed = (error: unknown): void => {
      clearTimeout(timer)
      finish(isHttpError(error) ? error : new NetworkError({ origin: request.url.origin, code: "FETCH_FAILED" }))
    }
    try {
      fetch(request.url.href, initOf(request, controller.signal)).then((response) => {
        clearTimeout(timer)
        // No response, an error response, or a redirect that the function keeps to itself.
        if (!isAnswer(response)) failed(undefined)
        else if (isDone) response.body?.cancel().catch(() => undefined)
        else finish(new FetchedResponse(request, response, limits, controller))
      }, failed)
    } catch (error) {
      failed(error)
    }
    return () => {
      clearTimeout(timer)
      abandon(new NetworkError({ origin: request.url.origin, code: "ABORTED" }))
    }
  },
  close: () => Promise.resolve(),
})

/** The standard `Response` of one that came as such: itself where it has no body, else with its body capped. */
export const fetchedResponse = (response: WireResponse): Response | undefined => {
  if (!(response instanceof FetchedResponse)) return undefined
  const { original } = response
  if (original.body === null) return original
  const { status, statusText, headers } = original
  return new Response(response.stream(), { status, statusText, headers })
}

const isAnswer = (response: Response | undefined): response is Response => response != null && response.status > 0

const initOf = (request: WireRequest, signal: AbortSignal): RequestInit => {
  const { method, headers, body } = request
  return {
    method,
    headers: headers,
    redirect: "manual",
    signal,
    ...(body === null ? undefined : { body: body as NonNullable<RequestInit["body"]> }),
    ...(body instanceof ReadableStream ? { duplex: "half" } : undefined),
  }
}

/** A response that came through a supplied `fetch`. */
class FetchedResponse implements WireResponse {
  readonly original: Response
  readonly isRedirected: boolean
  readonly #request: WireRequest
  readonly #limits: TransportLimits
  readonly #controller: AbortController
  #headers: Readonly<Record<string, string>> | undefined
  #isDone = false
  #stop: (() => void) | undefined
  #whenDone: Array<() => void> = []

  constructor(
    request: WireRequest,
    original: Response,
    limits: TransportLimits,
    controller: AbortController,
    isRedirected = false,
  ) {
    this.original = original
    this.isRedirected = isRedirected
    this.#request = request
    this.#limits = limits
    this.#controller = controller
  }

  get status(): number {
    return this.original.status
  }

  get url(): string {
    const { url, shownUrl } = this.#request
    return (shownUrl ?? url).href
  }

  get headers(): Readonly<Record<string, string>> {
    return (this.#headers ??= Object.fromEntries([...this.original.headers].filter(([name]) => name !== "set-cookie")))
  }

  get setCookies(): ReadonlyArray<string> {
    return this.original.headers.getSetCookie()
  }

  asRedirected(): WireResponse {
    return new FetchedResponse(this.#request, this.original, this.#limits, this.#controller, true)
  }

  bytes(): Promise<Uint8Array> {
    return readAll(this.stream(), this.#request, this.#limits, this.#controller)
  }

  stream(): ReadableStream<Uint8Array> | null {
    const { body } = this.original
    if (body === null) return null
    const isEndless = wantsEventStream(this.#request) && isEventStream(this.headers)
    const limits = isEndless ? { ...this.#limits, timeoutMs: Infinity } : this.#limits
    const stream = capped(body, this.#request, limits, this.#end)
    this.#stop = stream.stop
    if (this.#controller.signal.aborted) stream.stop()
    return stream.readable
  }

  discard(): void {
    this.abort()
  }

  abort(): void {
    this.#controller.abort()
    // Not every function that is supplied listens to its signal.
    this.#stop?.()
    this.#end()
  }

  whenDone(listener: () => void): void {
    if (this.#isDone || this.original.body === null) listener()
    else this.#whenDone.push(listener)
  }

  readonly #end = (): void => {
    this.#isDone = true
    for (const listener of this.#whenDone) listener()
    this.#whenDone = []
  }
}

const readAll = async (
  stream: ReadableStream<Uint8Array> | null,
  request: WireRequest,
  limits: TransportLimits,
  controller: AbortController,
): Promise<Uint8Array> => {
  if (stream === null) return new Uint8Array()
  const reader = stream.getReader()
  let timer: NodeJS.Timeout | undefined
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const failure = timeoutOf(request, limits, "body")
      reject(failure)
      controller.abort(failure)
    }, limits.timeoutMs)
  })
  const chunks: Array<Uint8Array> = []
  try {
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), expired])
      if (done) return Buffer.concat(chunks)
      chunks.push(value)
    }
  } catch (error) {
    throw isHttpError(error) ? error : new NetworkError({ origin: request.url.origin, code: "BODY_FAILED" })
  } finally {
    clearTimeout(timer)
  }
}

interface CappedBody {
  readonly readable: ReadableStream<Uint8Array>
  /** Ends it for its reader too. */
  readonly stop: () => void
}

/** The body under the cap, with a limit on silence; `done` is called when it has ended in whichever way. */
const capped = (
  body: ReadableStream<Uint8Array>,
  request: WireRequest,
  limits: TransportLimits,
  done: () => void,
): CappedBody => {
  const reader = body.getReader()
  const { origin } = request.url
  let size = 0
  let isOver = false
  let fail: (failure: HttpError) => void = () => undefined
  const end = (): void => {
    isOver = true
    done()
  }
  const readable = new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        fail = (failure) => {
          if (isOver) return
          end()
          controller.error(failure)
          reader.cancel(failure).catch(() => undefined)
        }
      },
      pull: async (controller) => {
        const timer = Number.isFinite(limits.timeoutMs)
          ? setTimeout(() => fail(timeoutOf(request, limits, "body")), limits.timeoutMs)
          : undefined
        try {
          const { done: isLast, value } = await reader.read()
          if (isOver) return
          size += value?.byteLength ?? 0
          if (isLast) {
            end()
            controller.close()
          } else if (size > limits.maxResponseBytes) {
            fail(new ResponseTooLargeError({ origin, maxResponseBytes: limits.maxResponseBytes }))
          } else {
            controller.enqueue(value)
          }
        } catch {
          // What a supplied fetch throws may quote the request; see HttpError.ts.
          fail(new NetworkError({ origin, code: "BODY_FAILED" }))
        } finally {
          clearTimeout(timer)
        }
      },
      cancel: (reason) => {
        end()
        return reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
  return {
    readable,
    stop: () => {
      fail(new NetworkError({ origin, code: "ABORTED" }))
    },
  }
}

const timeoutOf = (
  request: WireRequest,
  limits: TransportLimits,
  phase: EgressTimeoutError["phase"],
): EgressTimeoutError => new EgressTimeoutError({ origin: request.url.origin, timeoutMs: limits.timeoutMs, phase })
