/**
 * The transport over real sockets: limits, decoding, cancellation, connection reuse, and servers that misbehave.
 */
import { once } from "node:events"
import { createServer as createHttpServer, type RequestListener } from "node:http"
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net"
import { gzipSync } from "node:zlib"
import { drip, type FakeUpstream, fakeUpstream, filler } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { beforeAll, describe, expect, it, onTestFinished } from "vitest"
import { Egress, type EgressOptions } from "../../src/http/Egress.ts"
import type { HttpError } from "../../src/http/HttpError.ts"
import { noAuthorizer, type WireRequest, type WireResponse } from "../../src/http/Wire.ts"

// Loaded with the first request, which would count against the short limits below.
beforeAll(() => import("undici"))

const upstream = async (answers: Parameters<typeof fakeUpstream>[0]): Promise<FakeUpstream> => {
  const server = await fakeUpstream(answers)
  onTestFinished(() => server.close())
  return server
}

interface Counted {
  readonly origin: string
  readonly sockets: ReadonlyArray<Socket>
  /** Resolves when the first socket is closed, which must be there already. */
  closed(): Promise<void>
}

const listening = async (server: ReturnType<typeof createTcpServer>): Promise<Counted> => {
  const sockets: Array<Socket> = []
  const closings: Array<Promise<void>> = []
  server.on("connection", (socket) => {
    sockets.push(socket)
    socket.on("error", () => undefined)
    closings.push(new Promise((resolve) => socket.once("close", () => resolve())))
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sockets,
    closed: () => closings[0] ?? expect.unreachable("nobody connected"),
  }
}

const httpServer = (listener: RequestListener): Promise<Counted> => listening(createHttpServer(listener))
/** Answers each connection with bytes as they are, then keeps it open. */
const rawServer = (answer: string | Buffer): Promise<Counted> =>
  listening(
    createTcpServer((socket) => {
      socket.once("data", () => socket.write(answer))
    }),
  )

const open = (options: EgressOptions = {}): Egress => {
  const egress = new Egress({ allowHosts: ["127.0.0.1"], ...options })
  onTestFinished(() => Effect.runPromise(egress.close()))
  return egress
}

const request = (url: string, parts: Partial<WireRequest> = {}): WireRequest => ({
  method: "GET",
  url: new URL(url),
  headers: {},
  body: null,
  ...parts,
})

const send = (egress: Egress, url: string, parts?: Partial<WireRequest>): Promise<WireResponse> =>
  Effect.runPromise(egress.send(request(url, parts), noAuthorizer))

const failure = (egress: Egress, url: string, parts?: Partial<WireRequest>): Promise<HttpError> =>
  Effect.runPromise(Effect.flip(egress.send(request(url, parts), noAuthorizer)))

const text = async (response: WireResponse): Promise<string> => Buffer.from(await response.bytes()).toString("utf8")
const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => expect.unreachable(`resolved with ${String(value)}`),
    (error: unknown) => error,
  )

describe("timeouts", () => {
  it("ends a wait for the response, and the server sees the socket close", async () => {
    const server = await upstream({ "/": { fault: "hang" } })
    const error = await failure(open({ timeoutMs: 600 }), server.origin)
    expect(error).toMatchObject({ _tag: "EgressTimeoutError", phase: "response", timeoutMs: 600, httpStatus: 504 })
    expect(await server.requests[0]?.abandoned).toBe(true)
  })

  it("ends a wait for the body", async () => {
    const server = await upstream({ "/": { fault: "hang_after_headers" } })
    const response = await send(open({ timeoutMs: 600 }), server.origin)
    expect(await rejection(response.bytes())).toMatchObject({ _tag: "EgressTimeoutError", phase: "body" })
    expect(await server.requests[0]?.abandoned).toBe(true)
  })

  it("ends a body that drips for longer than the limit, however regularly", async () => {
    const server = await upstream({ "/": { body: drip(Array<string>(1000).fill("x"), 20) } })
    const response = await send(open({ timeoutMs: 600 }), server.origin)
    expect(await rejection(response.bytes())).toMatchObject({ _tag: "EgressTimeoutError", phase: "body" })
    expect(await server.requests[0]?.abandoned).toBe(true)
  })

  it("ends a response that nobody reads", async () => {
    const server = await upstream({ "/": { body: filler(64 * 1024 * 1024) } })
    await send(open({ timeoutMs: 600 }), server.origin)
    expect(await server.requests[0]?.abandoned).toBe(true)
  })

  it("ends a wait for headers that drip in", async () => {
    const server = await listening(
      createTcpServer((socket) => {
        socket.write("HTTP/1.1 200 OK\r\n")
        const timer = setInterval(() => socket.write("x-drip: 1\r\n"), 20)
        socket.on("close", () => clearInterval(timer))
      }),
    )
    expect(await failure(open({ timeoutMs: 600 }), server.origin)).toMatchObject({ phase: "response" })
  })

  it("ends a wait for a connection, and says so", async () => {
    // A TLS handshake that is never answered: the socket is there, the connection is not.
    const server = await listening(createTcpServer((socket) => socket.resume()))
    const error = await failure(open({ timeoutMs: 600 }), server.origin.replace("http:", "https:"))
    expect(error).toMatchObject({ _tag: "EgressTimeoutError", phase: "connect" })
    await server.closed()
  })

  it("let a stream run for longer than the limit while it moves", async () => {
    const events = Array.from({ length: 40 }, (_, index) => `data: ${index}\n\n`)
    const server = await upstream({ "/": { headers: { "content-type": "text/event-stream" }, body: drip(events, 50) } })
    const response = await send(open({ timeoutMs: 1500 }), server.origin)
    const received: Array<string> = []
    for await (const chunk of response.stream() ?? []) received.push(Buffer.from(chunk).toString("utf8"))
    expect(received.join("")).toBe(events.join(""))
    expect(received.length).toBeGreaterThan(1)
  })

  it("end a stream that falls silent", async () => {
    const server = await httpServer((_, response) => {
      response.write("data: 1\n\n")
    })
    const response = await send(open({ timeoutMs: 600 }), server.origin)
    const reader = response.stream()?.getReader()
    expect(Buffer.from((await reader?.read())?.value ?? []).toString("utf8")).toBe("data: 1\n\n")
    expect(await rejection(Promise.resolve(reader?.read()))).toMatchObject({
      _tag: "EgressTimeoutError",
      phase: "body",
    })
    await server.closed()
  })

  it("let an event stream that was asked for be silent for longer than the limit", async () => {
    const server = await httpServer((_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" })
      response.write("data: 1\n\n")
      setTimeout(() => response.end("data: 2\n\n"), 1500)
    })
    const headers = { accept: "application/json, text/event-stream" }
    const response = await send(open({ timeoutMs: 500 }), server.origin, { headers })
    expect(await new Response(response.stream()).text()).toBe("data: 1\n\ndata: 2\n\n")
  })

  it("end what is no event stream although one would have been taken", async () => {
    const server = await httpServer((_, response) => {
      response.writeHead(200, { "content-type": "application/json" })
      response.write("[")
    })
    const headers = { accept: "application/json, text/event-stream" }
    const response = await send(open({ timeoutMs: 600 }), server.origin, { headers })
    const text = new Response(response.stream()).text()
    expect(await rejection(text)).toMatchObject({ _tag: "EgressTimeoutError", phase: "body" })
    await server.closed()
  })

  it("end an upload that the server does not take", async () => {
    const server = await listening(createTcpServer((socket) => socket.pause()))
    const body = Buffer.alloc(32 * 1024 * 1024)
    const error = await failure(open({ timeoutMs: 600 }), server.origin, { method: "POST", body })
    expect(error).toMatchObject({ _tag: "EgressTimeoutError", phase: "response" })
  })
})

describe("the response size cap", () => {
  const maxResponseBytes = 100_000

  it.each([
    ["with a content-length", { "content-length": "100001" }],
    ["chunked", {}],
  ])("refuses one byte too many (%s) and closes the socket", async (_, headers) => {
    const server = await upstream({ "/": { headers, body: filler(100_001) } })
    const response = await send(open({ maxResponseBytes }), server.origin)
    expect(await rejection(response.bytes())).toMatchObject({
      _tag: "ResponseTooLargeError",
      maxResponseBytes,
      httpStatus: 502,
    })
  })

  it("takes a body of exactly that size", async () => {
    const server = await upstream({ "/": { body: filler(100_000) } })
    expect((await (await send(open({ maxResponseBytes }), server.origin)).bytes()).byteLength).toBe(100_000)
  })

  it("stops an endless body, as a whole and as a stream", async () => {
    const server = await upstream({ "/": () => ({ body: filler(Number.MAX_SAFE_INTEGER) }) })
    const egress = open({ maxResponseBytes })
    expect(await rejection((await send(egress, server.origin)).bytes())).toMatchObject({
      _tag: "ResponseTooLargeError",
    })
    const stream = (await send(egress, server.origin)).stream() ?? expect.unreachable()
    expect(await rejection(new Response(stream).arrayBuffer())).toMatchObject({ _tag: "ResponseTooLargeError" })
    for (const arrived of server.requests) expect(await arrived.abandoned).toBe(true)
  })

  it("counts after decoding: 64 MiB in 64 KB of gzip are refused early, and gzip in gzip too", async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024), { level: 9 })
    const server = await upstream({
      "/once": { headers: { "content-encoding": "gzip" }, body: bomb },
      "/twice": { headers: { "content-encoding": "gzip, gzip" }, body: gzipSync(bomb) },
    })
    const egress = open({ maxResponseBytes })
    for (const path of ["/once", "/twice"]) {
      const response = await send(egress, server.origin + path)
      expect(await rejection(response.bytes())).toMatchObject({ _tag: "ResponseTooLargeError" })
    }
  })

  it("holds back a body that is read slowly", async () => {
    let sent = 0
    const server = await upstream({
      "/": {
        body: (function* () {
          for (const piece of filler(64 * 1024 * 1024)) {
            sent += piece.byteLength
            yield piece
          }
        })(),
      },
    })
    const response = await send(open({ maxResponseBytes: 128 * 1024 * 1024 }), server.origin)
    const reader = response.stream()?.getReader()
    await reader?.read()
    // Another exchange in the meantime gives the first server every chance to send on.
    const other = await upstream({ "/": { body: drip(["a", "b"], 50) } })
    await text(await send(open(), other.origin))
    expect(sent).toBeLessThan(48 * 1024 * 1024)
    await reader?.cancel()
    expect(await server.requests[0]?.abandoned).toBe(true)
  })
})

describe("an interruption", () => {
  it("closes the socket before the headers", async () => {
    const server = await upstream({ "/": { fault: "hang" } })
    const fiber = Effect.runFork(open().send(request(server.origin), noAuthorizer))
    const arrived = await server.received(1)
    await Effect.runPromise(Fiber.interrupt(fiber))
    expect(await arrived.abandoned).toBe(true)
  })

  it("sends nothing when it comes before the first request has left", async () => {
    const server = await upstream({ "/": {} })
    const egress = open()
    const fiber = Effect.runFork(egress.send(request(`${server.origin}/never`), noAuthorizer))
    await Effect.runPromise(Fiber.interrupt(fiber))
    await send(egress, server.origin)
    expect(server.requests.map(({ path }) => path)).toEqual(["/"])
  })

  it("closes the socket while a TLS handshake is under way", async () => {
    const server = await listening(createTcpServer((socket) => socket.resume()))
    const egress = open()
    const fiber = Effect.runFork(egress.send(request(server.origin.replace("http:", "https:")), noAuthorizer))
    while (server.sockets.length === 0) await new Promise((resolve) => setImmediate(resolve))
    await Effect.runPromise(Fiber.interrupt(fiber))
    await Effect.runPromise(egress.close())
    await server.closed()
  })

  it("of a reader closes the socket: abort, and cancelling the stream", async () => {
    const server = await upstream(() => ({ body: drip(Array<string>(10_000).fill("x"), 5) }))
    const egress = open()
    const aborted = await send(egress, server.origin)
    const reading = rejection(aborted.bytes())
    aborted.abort()
    expect(await reading).toMatchObject({ name: "AbortError" })
    const cancelled = (await send(egress, server.origin)).stream()
    await cancelled?.cancel()
    for (const arrived of server.requests) expect(await arrived.abandoned).toBe(true)
  })

  it("ends the upload of a stream", async () => {
    const server = await upstream({ "/": { fault: "hang" } })
    let isCancelled: (() => void) | undefined
    const cancelled = new Promise<void>((resolve) => (isCancelled = resolve))
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(Buffer.alloc(1024)),
      cancel: () => isCancelled?.(),
    })
    const fiber = Effect.runFork(open().send(request(server.origin, { method: "POST", body }), noAuthorizer))
    while (!body.locked) await new Promise((resolve) => setImmediate(resolve))
    await Effect.runPromise(Fiber.interrupt(fiber))
    await cancelled
  })
})

describe("connections", () => {
  it("are reused one request after the other", async () => {
    const server = await httpServer((_, response) => response.end("ok"))
    const egress = open()
    for (let count = 0; count < 20; count += 1) expect(await text(await send(egress, server.origin))).toBe("ok")
    // Not one: undici opens a second where it has not seen the first one idle yet.
    expect(server.sockets.length).toBeLessThan(4)
  })

  it("are reused across a redirect to the same origin, and after a response that was discarded", async () => {
    const server = await httpServer((message, response) => {
      if (message.url === "/from") response.writeHead(302, { location: "/to" }).end("moved")
      else response.end("ok")
    })
    const egress = open()
    for (let count = 0; count < 10; count += 1) {
      expect(await text(await send(egress, `${server.origin}/from`))).toBe("ok")
      const discarded = await send(egress, server.origin)
      discarded.discard()
      await new Promise<void>((resolve) => {
        discarded.whenDone(resolve)
      })
    }
    expect(server.sockets.length).toBeLessThan(4)
  })

  it("serve 100 requests at once, each with its own answer", async () => {
    const server = await upstream(({ query }) => ({ json: query.get("n") }))
    const egress = open()
    const answers = await Promise.all(
      Array.from({ length: 100 }, async (_, n) => text(await send(egress, `${server.origin}/?n=${n}`))),
    )
    expect(answers).toEqual(Array.from({ length: 100 }, (_, n) => JSON.stringify(String(n))))
  })

  it("that fail are told by their code: refused, reset, cut short", async () => {
    const server = await upstream({ "/reset": { fault: "reset" }, "/truncate": { fault: "truncate" } })
    const closed = await fakeUpstream({})
    await closed.close()
    const egress = open()
    expect(await failure(egress, closed.origin)).toMatchObject({ _tag: "NetworkError", code: "ECONNREFUSED" })
    expect(await failure(egress, `${server.origin}/reset`)).toMatchObject({ _tag: "NetworkError" })
    const cut = await send(egress, `${server.origin}/truncate`)
    expect(await rejection(cut.bytes())).toMatchObject({ _tag: "NetworkError" })
    expect(await failure(egress, "http://does-not-exist.invalid/")).toMatchObject({ _tag: "NetworkError" })
  })

  it("that the executor closes fail the requests on them", async () => {
    const server = await upstream({ "/": { fault: "hang" } })
    const egress = open()
    const failed = failure(egress, server.origin)
    const arrived = await server.received(1)
    await Effect.runPromise(egress.close())
    expect(await failed).toMatchObject({ _tag: "NetworkError" })
    expect(await arrived.abandoned).toBe(true)
  })

  it.each([
    ["no HTTP at all", "SSH-2.0-OpenSSH_9.9\r\n"],
    ["a header with a NUL", "HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 0\r\n\r\n"],
    ["two different lengths", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"],
    ["a length and chunks", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["an upgrade nobody asked for", "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"],
  ])("with %s fail as the network's fault", async (_, answer) => {
    const server = await rawServer(answer)
    expect(await failure(open({ timeoutMs: 2000 }), server.origin)).toMatchObject({ _tag: "NetworkError" })
  })

  it("with headers of a megabyte are cut", async () => {
    const server = await rawServer(`HTTP/1.1 200 OK\r\nx-large: ${"a".repeat(1024 * 1024)}\r\n\r\n`)
    expect(await failure(open(), server.origin)).toMatchObject({ _tag: "NetworkError" })
  })
})

describe("responses", () => {
  it("without a body: HEAD, 204, 205, 304, and none at all, also under a content encoding", async () => {
    const server = await httpServer((message, response) => {
      const status = Number(message.url?.slice(1))
      response.writeHead(status, {
        "content-encoding": "br",
        ...(message.method === "HEAD" ? { "content-length": "5" } : {}),
      })
      response.end()
    })
    const egress = open({ timeoutMs: 2000 })
    for (const [method, status] of [
      ["HEAD", 200],
      ["GET", 204],
      ["GET", 205],
      ["GET", 304],
      ["GET", 200],
    ] as const) {
      const whole = await send(egress, `${server.origin}/${status}`, { method })
      expect([whole.status, await text(whole)]).toEqual([status, ""])
      const streamed = await send(egress, `${server.origin}/${status}`, { method })
      const stream = streamed.stream()
      expect(stream === null).toBe(method === "HEAD" || status !== 200)
      if (stream !== null) expect(await new Response(stream).text()).toBe("")
    }
  })

  it("after informational ones are the final ones", async () => {
    const server = await httpServer((_, response) => {
      response.writeEarlyHints({ link: "</style.css>; rel=preload" })
      response.writeProcessing()
      response.writeHead(201, { "x-final": "yes" }).end("done")
    })
    const response = await send(open(), server.origin)
    expect(response).toMatchObject({ status: 201, headers: { "x-final": "yes" } })
    expect(response.headers).not.toHaveProperty("link")
    expect(await text(response)).toBe("done")
  })

  it("keep each cookie apart, and join other headers that come several times", async () => {
    const cookies = ["a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Path=/", "b=2; HttpOnly"]
    const server = await upstream({ "/": { headers: { "set-cookie": cookies, vary: ["accept", "origin"] } } })
    const response = await send(open(), server.origin)
    expect(response.setCookies).toEqual(cookies)
    expect(response.headers).toMatchObject({ vary: "accept, origin" })
    expect(response.headers).not.toHaveProperty("set-cookie")
    expect((await send(open(), `${server.origin}/none`)).setCookies).toEqual([])
  })

  it("with a header called __proto__ or constructor are plain records all the same", async () => {
    const server = await rawServer("HTTP/1.1 200 OK\r\n__proto__: a\r\nconstructor: b\r\ncontent-length: 0\r\n\r\n")
    const { headers } = await send(open(), server.origin)
    expect(Object.getPrototypeOf(headers)).toBe(Object.prototype)
    expect(headers).toMatchObject({ constructor: "b" })
  })

  it("end with their connection where they have no length", async () => {
    const server = await listening(
      createTcpServer((socket) => socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\n\r\nuntil the end"))),
    )
    expect(await text(await send(open(), server.origin))).toBe("until the end")
  })

  it("are given while the request is still being sent", async () => {
    const server = await httpServer((_, response) => response.writeHead(413).end("too much"))
    const body = new ReadableStream<Uint8Array>({ pull: (controller) => controller.enqueue(Buffer.alloc(1024)) })
    const response = await send(open(), server.origin, { method: "POST", body })
    expect([response.status, await text(response)]).toEqual([413, "too much"])
  })
})

describe("request bodies", () => {
  it.each<[kind: string, body: () => WireRequest["body"], sent: string]>([
    ["text", () => "grüße", "grüße"],
    ["bytes", () => Buffer.from("bytes"), "bytes"],
    ["a view into a larger buffer", () => new Uint8Array(Buffer.from("__view__").buffer.slice(0)).subarray(0, 0), ""],
    ["a stream", () => new Blob(["one", "two"]).stream(), "onetwo"],
    ["nothing", () => null, ""],
  ])("are sent as they are: %s", async (_, body, sent) => {
    const server = await upstream({ "/": {} })
    await send(open(), server.origin, { method: "POST", body: body() })
    expect(server.requests[0]?.text).toBe(sent)
  })

  it("whose stream fails fail the request", async () => {
    const server = await upstream({ "/": {} })
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.error(new Error("the file is gone: /home/alice/token.txt")),
    })
    const error = await failure(open(), server.origin, { method: "POST", body })
    expect(error).toMatchObject({ _tag: "NetworkError" })
    expect(error.message).not.toContain("alice")
  })
})
