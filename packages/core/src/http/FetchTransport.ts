/**
 * The transport over a `fetch` that the host supplies (`egress.fetch`): for proxies, mocks and other runtimes.
 *
 * The same limits hold. DNS is the supplied function's own affair; literal addresses are judged before it is called.
 */
import { EgressTimeoutError, type HttpError, isHttpError, NetworkError, ResponseTooLargeError } from "./HttpError.ts"
import type { Transport, TransportLimits } from "./Transport.ts"
import type { WireRequest, WireResponse } from "./Wire.ts"

/** Any function with the shape of the standard `fetch`. */
export type FetchFunction = (input: string, init: RequestInit) => Promise<Response>

/** A response that came through a supplied `fetch`, still whole; {@link passThrough} hands it on without copying. */
interface FetchedResponse extends WireResponse {
  readonly original: Response
}

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
        finish(wireResponse(request, response, limits, controller))
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

/**
 * The original response where handing it on breaks no promise: it has no body that could pass the cap.
 */
export const passThrough = (response: WireResponse): Response | undefined => {
  const original = (response as Partial<FetchedResponse>).original
  return original !== undefined && original.body === null ? original : undefined
}

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

const wireResponse = (
  request: WireRequest,
  original: Response,
  limits: TransportLimits,
  controller: AbortController,
): FetchedResponse => {
  let headers: Record<string, string> | undefined
  const stream = (): ReadableStream<Uint8Array> | null =>
    original.body === null ? null : capped(original.body, request, limits)
  return {
    original,
    status: original.status,
    get headers() {
      return (headers ??= Object.fromEntries([...original.headers].filter(([name]) => name !== "set-cookie")))
    },
    get setCookies() {
      return original.headers.getSetCookie()
    },
    url: request.url.href,
    isRedirected: false,
    bytes: () => readAll(stream(), request, limits, controller),
    stream,
    discard: () => {
      controller.abort()
    },
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

const capped = (
  body: ReadableStream<Uint8Array>,
  request: WireRequest,
  limits: TransportLimits,
): ReadableStream<Uint8Array> => {
  const reader = body.getReader()
  let size = 0
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const { done, value } = await reader.read()
        if (done) {
          controller.close()
          return
        }
        size += value.byteLength
        if (size > limits.maxResponseBytes) {
          const failure = new ResponseTooLargeError({
            origin: request.url.origin,
            maxResponseBytes: limits.maxResponseBytes,
          })
          controller.error(failure)
          await reader.cancel(failure)
          return
        }
        controller.enqueue(value)
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}

const timeoutOf = (
  request: WireRequest,
  limits: TransportLimits,
  phase: EgressTimeoutError["phase"],
): EgressTimeoutError => new EgressTimeoutError({ origin: request.url.origin, timeoutMs: limits.timeoutMs, phase })
