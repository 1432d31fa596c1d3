/**
 * A real HTTP server on the loopback that stands in for an API: it records what arrives and answers, or misbehaves, as told.
 *
 * For tests of hosts, plugins and the core itself. A host lets it through its address policy with
 * `egress: { allowHosts: [upstream.host] }`.
 */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { setTimeout as delay } from "node:timers/promises"

/** One request as it arrived. */
export interface UpstreamRequest {
  readonly method: string
  /** Path and query, byte for byte as the client wrote them. */
  readonly url: string
  /** {@link UpstreamRequest.url} without its query, not decoded. */
  readonly path: string
  /** The query, decoded. */
  readonly query: URLSearchParams
  /** By lower-case name; repeated headers are joined as `node:http` joins them. */
  readonly headers: IncomingHttpHeaders
  /** Names and values as sent, in order, repeated ones apart. */
  readonly rawHeaders: ReadonlyArray<readonly [name: string, value: string]>
  readonly body: Buffer
  /** The body as UTF-8. */
  readonly text: string
  /** The body parsed as JSON; throws when it is none. */
  json(): unknown
  /** Resolves when the exchange is over: `true` when the client went away before the answer was complete. */
  readonly abandoned: Promise<boolean>
}

/** A body that comes in pieces, each sent when the client has taken the one before: see {@link drip} and {@link filler}. */
export type UpstreamStream = AsyncIterable<string | Uint8Array> | Iterable<Uint8Array>

/** How to answer one request. */
export type UpstreamAnswer =
  | {
      /** Default 200. */
      readonly status?: number
      readonly headers?: Readonly<Record<string, string | ReadonlyArray<string>>>
      /** Sent as `application/json` unless a header says otherwise. */
      readonly json?: unknown
      /** Instead of `json`. Default: no body. */
      readonly body?: string | Uint8Array | UpstreamStream
    }
  | {
      /** The `Location`, absolute or relative. */
      readonly redirect: string
      /** Default 302. */
      readonly status?: 301 | 302 | 303 | 307 | 308
      readonly headers?: Readonly<Record<string, string | ReadonlyArray<string>>>
    }
  | {
      /**
       * `hang`: no answer, ever. `hang_after_headers`: status and headers, then nothing. `reset`: the connection is reset
       * before an answer. `truncate`: half of the promised body, then the connection is cut.
       */
      readonly fault: "hang" | "hang_after_headers" | "reset" | "truncate"
    }

/** Decides the answer to each request. A throw becomes a 500 that quotes it. */
export type UpstreamHandler = (request: UpstreamRequest) => UpstreamAnswer | PromiseLike<UpstreamAnswer>

/** One route: an answer, a handler, or answers in turn of which the last repeats. */
export type UpstreamRoute = UpstreamAnswer | UpstreamHandler | ReadonlyArray<UpstreamAnswer | UpstreamHandler>

/** Routes by `"GET /path"`, or by `"/path"` for every method; paths are compared exactly, without the query. Others get 404. */
export type UpstreamRoutes = Readonly<Record<string, UpstreamRoute>>

/** A running fake; see {@link fakeUpstream}. */
export interface FakeUpstream extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`. */
  readonly origin: string
  /** `127.0.0.1:<port>`, as `egress.allowHosts` takes it. */
  readonly host: string
  readonly port: number
  /** What arrived so far, complete with body, oldest first. */
  readonly requests: ReadonlyArray<UpstreamRequest>
  /** Resolves with the `count`th request (1: the first) as soon as it has arrived. */
  received(count: number): Promise<UpstreamRequest>
  /** Cuts every connection and stops listening. Harmless when repeated. */
  close(): Promise<void>
}

/**
 * Starts a fake upstream on a free port of 127.0.0.1.
 *
 * @example
 * ```ts
 * import { fakeUpstream } from "@keyward/core/testing"
 *
 * const upstream = await fakeUpstream({
 *   "GET /users": { json: [{ id: 1 }] },
 *   "/flaky": [{ status: 503, headers: { "retry-after": "1" } }, { json: "ok" }],
 *   "/echo": (request) => ({ json: { authorization: request.headers.authorization } }),
 *   "/gone": { fault: "reset" },
 * })
 * await fetch(`${upstream.origin}/users`)
 * await upstream.close()
 * ```
 */
export const fakeUpstream = async (answers: UpstreamHandler | UpstreamRoutes): Promise<FakeUpstream> => {
  const handle = typeof answers === "function" ? answers : routed(answers)
  const requests: Array<UpstreamRequest> = []
  const waiting: Array<{ readonly count: number; readonly resolve: (request: UpstreamRequest) => void }> = []
  const serve = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    const request = await recorded(message, response)
    if (request === undefined) return
    requests.push(request)
    for (const { count, resolve } of waiting) if (count === requests.length) resolve(request)
    try {
      await answer(response, await handle(request))
    } catch (thrown) {
      const error = `The handler of the fake upstream threw, or its answer cannot be sent: ${String(thrown)}`
      if (response.headersSent) response.destroy()
      else await answer(response, { status: 500, json: { error } })
    }
  }
  const server = createServer((message, response) => {
    message.on("error", () => {})
    response.on("error", () => {})
    void serve(message, response)
  })
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen(0, "127.0.0.1", resolve)
  })
  const { port } = server.address() as AddressInfo
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return {
    origin: `http://127.0.0.1:${port}`,
    host: `127.0.0.1:${port}`,
    port,
    requests,
    received: (count) => {
      const arrived = requests[count - 1]
      return arrived === undefined
        ? new Promise((resolve) => void waiting.push({ count, resolve }))
        : Promise.resolve(arrived)
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** A body that sends one piece every `everyMs` milliseconds. */
export async function* drip(
  pieces: Iterable<string | Uint8Array>,
  everyMs: number,
): AsyncGenerator<string | Uint8Array, void> {
  for (const piece of pieces) {
    yield piece
    await delay(everyMs)
  }
}

/** A body of `bytes` bytes, all of them the letter `x`, made as the client takes it. */
export function* filler(bytes: number): Generator<Uint8Array, void> {
  const piece = Buffer.alloc(65_536, "x")
  for (let left = bytes; left > 0; left -= piece.length) yield left < piece.length ? piece.subarray(0, left) : piece
}

const routed = (routes: UpstreamRoutes): UpstreamHandler => {
  const byPath = new Map(Object.entries(routes))
  const served = new Map<UpstreamRoute, number>()
  return (request) => {
    const route = byPath.get(`${request.method} ${request.path}`) ?? byPath.get(request.path)
    if (route === undefined) return { status: 404, json: { error: `No route for ${request.method} ${request.path}.` } }
    if (!Array.isArray(route)) return chosen(route as UpstreamAnswer | UpstreamHandler, request)
    const turn = served.get(route) ?? 0
    served.set(route, turn + 1)
    const next = (route as ReadonlyArray<UpstreamAnswer | UpstreamHandler>)[Math.min(turn, route.length - 1)]
    return next === undefined ? { status: 404, json: { error: "The route has no answers." } } : chosen(next, request)
  }
}

const chosen = (
  given: UpstreamAnswer | UpstreamHandler,
  request: UpstreamRequest,
): UpstreamAnswer | PromiseLike<UpstreamAnswer> => (typeof given === "function" ? given(request) : given)

/** The request once its body is complete, or `undefined` when the client went away before. */
const recorded = async (message: IncomingMessage, response: ServerResponse): Promise<UpstreamRequest | undefined> => {
  const abandoned = new Promise<boolean>((resolve) => {
    response.once("close", () => resolve(!response.writableFinished))
  })
  const chunks: Array<Buffer> = []
  try {
    for await (const chunk of message) chunks.push(chunk as Buffer)
  } catch {
    return undefined
  }
  const body = Buffer.concat(chunks)
  const url = message.url ?? "/"
  const mark = url.indexOf("?")
  const path = mark === -1 ? url : url.slice(0, mark)
  const { rawHeaders } = message
  return {
    method: message.method ?? "GET",
    url,
    path,
    query: new URLSearchParams(mark === -1 ? "" : url.slice(mark + 1)),
    headers: message.headers,
    rawHeaders: rawHeaders.flatMap((name, index) =>
      index % 2 === 0 ? [[name, rawHeaders[index + 1] ?? ""] as const] : [],
    ),
    body,
    text: body.toString("utf8"),
    json: () => JSON.parse(body.toString("utf8")) as unknown,
    abandoned,
  }
}

const answer = async (response: ServerResponse, given: UpstreamAnswer): Promise<void> => {
  if ("fault" in given) return misbehave(response, given.fault)
  for (const [name, value] of Object.entries(given.headers ?? {})) {
    response.setHeader(name, typeof value === "string" ? value : [...value])
  }
  if ("redirect" in given) {
    response.setHeader("location", given.redirect)
    response.statusCode = given.status ?? 302
    response.end()
    return
  }
  response.statusCode = given.status ?? 200
  if (given.json !== undefined) {
    if (!response.hasHeader("content-type")) response.setHeader("content-type", "application/json")
    response.end(JSON.stringify(given.json))
  } else if (given.body === undefined || typeof given.body === "string" || given.body instanceof Uint8Array) {
    response.end(given.body)
  } else {
    // Fails only when the client went away, which is what `abandoned` tells.
    await pipeline(Readable.from(given.body), response).catch(() => {})
  }
}

const misbehave = (response: ServerResponse, fault: "hang" | "hang_after_headers" | "reset" | "truncate"): void => {
  switch (fault) {
    case "hang":
      return
    case "hang_after_headers":
      response.writeHead(200, { "content-type": "text/plain", "content-length": "1000" })
      response.flushHeaders()
      return
    case "reset":
      response.socket?.resetAndDestroy()
      return
    case "truncate":
      response.writeHead(200, { "content-type": "text/plain", "content-length": "1000" })
      response.write("x".repeat(500), () => response.destroy())
  }
}
