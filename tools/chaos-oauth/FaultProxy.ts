/**
 * Stands before a token endpoint and gets in the way, always before a request reaches it and never after.
 *
 * So whatever goes wrong here, the server has not processed the request, and a client under strict rotation must survive it.
 */
import { Agent, createServer, type IncomingMessage, request as httpRequest, type ServerResponse } from "node:http"
import { type AddressInfo, createServer as createListener, type Server, type Socket } from "node:net"
import { setTimeout as delay } from "node:timers/promises"
import type { Random } from "./Random.ts"

/** A running proxy. */
export interface FaultProxy extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`. */
  readonly origin: string
  /** The share of requests that meet a fault, and whether there are outages; to begin with, none. */
  misbehave(share: number): void
  /** What happened to requests so far. */
  readonly tally: ReadonlyMap<string, number>
  /** Answers of the server that the client did not wait for. */
  readonly lostAnswers: number
  /** Requests that came to where the proxy redirected to. */
  readonly redirectsFollowed: number
}

/** Starts a proxy before a server. With `hangs` it also keeps clients waiting until they give up, which takes its time. */
export const faultProxy = async (
  target: string,
  random: Random,
  { hangs }: { readonly hangs: boolean },
): Promise<FaultProxy> => {
  const faults = hangs ? [...quickFaults, hang] : quickFaults
  const tally = new Map<string, number>()
  const count = (what: string): void => void tally.set(what, (tally.get(what) ?? 0) + 1)
  const agent = new Agent({ keepAlive: true })
  const state = { share: 0, lostAnswers: 0, redirectsFollowed: 0, isClosed: false }

  const forward = (request: IncomingMessage, body: Buffer, response: ServerResponse): void => {
    if (request.socket.destroyed) return
    const onward = httpRequest(new URL(request.url ?? "/", target), {
      method: request.method,
      headers: request.headers,
      agent,
    })
    response.once("close", () => {
      if (!response.writableFinished) state.lostAnswers += 1
    })
    onward.once("response", (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(response)
    })
    onward.once("error", () => response.destroy())
    onward.end(body)
  }

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.url?.startsWith("/elsewhere") === true) state.redirectsFollowed += 1
    const chunks: Array<Buffer> = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    if (!random.chance(state.share)) {
      count("passed on")
      forward(request, Buffer.concat(chunks), response)
      return
    }
    const [name, act] = random.pick(faults)
    count(name)
    if (await act({ request, response, random, origin })) forward(request, Buffer.concat(chunks), response)
  }

  const busy = new Set<Socket>()
  const sockets = new Set<Socket>()
  const web = createServer((request, response) => {
    const { socket } = request
    busy.add(socket)
    response.once("close", () => busy.delete(socket))
    serve(request, response).catch(() => socket.destroy())
  })
  const listen = (port: number): Promise<Server> =>
    new Promise((resolve) => {
      const listener = createListener((socket) => {
        sockets.add(socket)
        socket.once("close", () => sockets.delete(socket))
        web.emit("connection", socket)
      })
      listener.listen(port, "127.0.0.1", () => resolve(listener))
    })
  let listener = await listen(0)
  const { port } = listener.address() as AddressInfo
  const origin = `http://127.0.0.1:${port}`

  /** Nobody listens for a while: connections are refused, and those that are idle end. */
  const outages = async (): Promise<void> => {
    while (!state.isClosed) {
      await delay(random.between(500, 2500))
      if (state.isClosed || state.share === 0) continue
      count("outages (connections refused for 50 to 400 ms)")
      listener.close()
      for (const socket of sockets) if (!busy.has(socket)) socket.destroy()
      await delay(random.between(50, 400))
      listener = await listen(port)
    }
  }
  const outagesOver = outages()

  return {
    origin,
    misbehave: (share) => {
      state.share = share
    },
    tally,
    get lostAnswers() {
      return state.lostAnswers
    },
    get redirectsFollowed() {
      return state.redirectsFollowed
    },
    [Symbol.asyncDispose]: async () => {
      state.isClosed = true
      await outagesOver
      listener.close()
      for (const socket of sockets) socket.destroy()
      agent.destroy()
    },
  }
}

interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly random: Random
  readonly origin: string
}

/** What goes wrong; answers whether the request is passed on all the same. */
type Fault = (exchange: Exchange) => Promise<boolean> | boolean

const page = "<!doctype html><title>Bad gateway</title><p>Something went wrong."

const answer = (status: number, contentType: string, body: string): Fault => {
  return ({ response, random }) => {
    const wait = random.pick([
      undefined,
      "0",
      "1",
      "2",
      new Date(Date.now() + random.between(0, 2000)).toUTCString(),
      "soon",
    ])
    response.writeHead(status, { "content-type": contentType, ...(wait !== undefined && { "retry-after": wait }) })
    response.end(body)
    return false
  }
}

const oauthError = (status: number, error: string): Fault =>
  answer(status, "application/json", JSON.stringify({ error, error_description: "Not now." }))

type NamedFault = readonly [name: string, act: Fault]

const hang: NamedFault = ["no answer until the client gives up", () => false]

const quickFaults: ReadonlyArray<NamedFault> = [
  ["500", oauthError(500, "server_error")],
  ["500 that says invalid_grant", oauthError(500, "invalid_grant")],
  ["502 with a page", answer(502, "text/html", page)],
  ["503", answer(503, "text/plain", "")],
  ["429", answer(429, "text/plain", "Slow down.")],
  ["408", answer(408, "text/plain", "")],
  ["400 temporarily_unavailable", oauthError(400, "temporarily_unavailable")],
  ["401 invalid_client", oauthError(401, "invalid_client")],
  ["200 with a page", answer(200, "text/html", page)],
  ["200 with an empty body", answer(200, "application/json", "")],
  [
    "redirect",
    ({ response, random, origin }) => {
      response.writeHead(random.pick([301, 302, 303, 307, 308]), { location: `${origin}/elsewhere` }).end()
      return false
    },
  ],
  [
    "reset before an answer",
    ({ request }) => {
      request.socket.resetAndDestroy()
      return false
    },
  ],
  [
    "half of an answer, then a reset",
    ({ response }) => {
      response.writeHead(200, { "content-type": "application/json", "content-length": "400" })
      response.write(`{"access_token":"hal`, () => response.socket?.resetAndDestroy())
      return false
    },
  ],
  [
    "slow",
    async ({ random }) => {
      await delay(random.between(50, 400))
      return true
    },
  ],
  [
    "slow",
    async ({ random }) => {
      await delay(random.between(5, 100))
      return true
    },
  ],
]
