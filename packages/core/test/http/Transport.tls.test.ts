/**
 * HTTPS over real handshakes, HTTP/1.1 and HTTP/2: trust, downgrades, and the same limits.
 */
import { once } from "node:events"
import type { RequestListener } from "node:http"
import { constants, createSecureServer, type ServerHttp2Stream } from "node:http2"
import { createServer } from "node:https"
import type { AddressInfo, Server } from "node:net"
import { getCACertificates, setDefaultCACertificates } from "node:tls"
import { gzipSync } from "node:zlib"
import { canary, CanaryScanner, fakeUpstream } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest"
import { applyAuth } from "../../src/auth/applyAuth.ts"
import { compileTemplate, variable } from "../../src/auth/AuthTemplate.ts"
import { Egress, type EgressOptions } from "../../src/http/Egress.ts"
import type { HttpError } from "../../src/http/HttpError.ts"
import { noAuthorizer, type RequestAuthorizer, type WireRequest, type WireResponse } from "../../src/http/Wire.ts"
import { selfSigned } from "./selfSigned.ts"

const trusted = selfSigned(["127.0.0.1", "localhost"])
const untrusted = selfSigned(["127.0.0.1"])
const misnamed = selfSigned(["api.example.com"])

const known = getCACertificates("default")
beforeAll(() => {
  setDefaultCACertificates([trusted.cert, misnamed.cert])
})
afterAll(() => {
  setDefaultCACertificates(known)
})

const listening = async (server: Server): Promise<string> => {
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  onTestFinished(() => void server.close())
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const httpsServer = (listener: RequestListener, certificate = trusted): Promise<string> =>
  listening(createServer(certificate, listener))

const open = (options: EgressOptions = {}): Egress => {
  const egress = new Egress({ allowHosts: ["127.0.0.1", "localhost"], timeoutMs: 5000, ...options })
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

const send = (
  egress: Egress,
  given: WireRequest,
  authorizer: RequestAuthorizer = noAuthorizer,
): Promise<WireResponse> => Effect.runPromise(egress.send(given, authorizer))
const failure = (
  egress: Egress,
  given: WireRequest,
  authorizer: RequestAuthorizer = noAuthorizer,
): Promise<HttpError> => Effect.runPromise(Effect.flip(egress.send(given, authorizer)))
const text = async (response: WireResponse): Promise<string> => Buffer.from(await response.bytes()).toString("utf8")

const authorizerFor = (token: string): RequestAuthorizer =>
  Result.getOrThrow(
    applyAuth(
      compileTemplate({ slug: "k", type: "bearer", queryParams: { key: [variable("token")] } }),
      new Map([["token", Redacted.make(token)]]),
    ),
  )

describe("a certificate", () => {
  it("that is trusted lets the credential through", async () => {
    const token = canary("token")
    const origin = await httpsServer((message, response) => response.end(message.headers.authorization))
    expect(await text(await send(open(), request(origin), authorizerFor(token)))).toBe(`Bearer ${token}`)
  })

  it.each([
    ["nobody trusts", untrusted],
    ["is for another name", misnamed],
  ])("that %s ends the call before the request is sent", async (_, certificate) => {
    let requests = 0
    const origin = await httpsServer((_message, response) => {
      requests += 1
      response.end()
    }, certificate)
    const token = canary("token")
    const error = await failure(open(), request(origin), authorizerFor(token))
    expect(error).toMatchObject({
      _tag: "NetworkError",
      code: expect.stringMatching(/^[A-Z_]*(CERT|SIGNATURE)[A-Z_]*$/) as string,
    })
    expect(requests).toBe(0)
    new CanaryScanner([token]).expectNone(error, "the error")
  })
})

describe("redirects", () => {
  it.each([301, 302, 303, 307, 308])(
    "from https to http are refused (%i), and nothing reaches the other side",
    async (status) => {
      const plain = await fakeUpstream({})
      onTestFinished(() => plain.close())
      const origin = await httpsServer((_, response) =>
        response.writeHead(status, { location: `${plain.origin}/to` }).end(),
      )
      const token = canary("token")
      const error = await failure(open(), request(origin, { method: "POST", body: "x" }), authorizerFor(token))
      expect(error).toMatchObject({ _tag: "RedirectRefusedError", reason: "downgrade", from: origin, to: plain.origin })
      expect(plain.requests).toHaveLength(0)
      new CanaryScanner([token]).expectNone(error, "the error")
    },
  )

  it("from http to https leave the credential behind", async () => {
    const token = canary("token")
    const arrived: Array<unknown> = []
    const origin = await httpsServer((message, response) => {
      arrived.push(message.url, message.rawHeaders)
      response.end("secure")
    })
    const plain = await fakeUpstream({ "/from": { redirect: `${origin}/to` } })
    onTestFinished(() => plain.close())
    expect(await text(await send(open(), request(`${plain.origin}/from`), authorizerFor(token)))).toBe("secure")
    new CanaryScanner([token]).expectNone(arrived, "the request over https")
  })

  it("from https to https keep it for the same origin and drop it for another port or name", async () => {
    const token = canary("token")
    const seen: Array<readonly [host: string | undefined, authorization: string | undefined]> = []
    const other = await httpsServer((message, response) => {
      seen.push(["other", message.headers.authorization])
      response.end("other")
    })
    const origin = await httpsServer((message, response) => {
      seen.push([message.url?.split("?")[0], message.headers.authorization])
      const location =
        message.url?.startsWith("/from") === true
          ? "/same"
          : message.url?.startsWith("/same") === true
            ? other
            : undefined
      if (location === undefined) response.end()
      else response.writeHead(307, { location }).end()
    })
    expect(await text(await send(open(), request(`${origin}/from`), authorizerFor(token)))).toBe("other")
    expect(seen).toEqual([
      ["/from", `Bearer ${token}`],
      ["/same", `Bearer ${token}`],
      ["other", undefined],
    ])
  })
})

describe("HTTP/2", () => {
  type Answer = (stream: ServerHttp2Stream, headers: Readonly<Record<string, unknown>>) => void

  const http2Server = async (answer: Answer) => {
    const server = createSecureServer(trusted)
    let sessions = 0
    server.on("session", (session) => {
      sessions += 1
      onTestFinished(() => session.destroy())
    })
    server.on("stream", (stream, headers) => {
      stream.on("error", () => undefined)
      answer(stream, headers)
    })
    const origin = await listening(server)
    return { origin, sessions: () => sessions }
  }

  it("carries credential, body, cookies and status, over one connection", async () => {
    const token = canary("token")
    const server = await http2Server((stream, headers) => {
      const chunks: Array<Buffer> = []
      stream.on("data", (chunk: Buffer) => chunks.push(chunk))
      stream.on("end", () => {
        stream.respond({ ":status": 201, "set-cookie": ["a=1", "b=2"], "content-encoding": "gzip" })
        stream.end(
          gzipSync(
            JSON.stringify([
              headers[":method"],
              headers[":path"],
              headers["authorization"],
              Buffer.concat(chunks).toString(),
            ]),
          ),
        )
      })
    })
    const egress = open()
    const post = request(`${server.origin}/x?q=1`, {
      method: "POST",
      body: "payload",
      headers: { "content-type": "text/plain" },
    })
    for (let count = 0; count < 5; count += 1) {
      const response = await send(egress, post, authorizerFor(token))
      expect(response).toMatchObject({ status: 201, setCookies: ["a=1", "b=2"] })
      expect(Object.keys(response.headers).filter((name) => name.startsWith(":"))).toEqual([])
      expect(JSON.parse(await text(response))).toEqual(["POST", `/x?q=1&key=${token}`, `Bearer ${token}`, "payload"])
    }
    expect(server.sessions()).toBeLessThan(3)
  })

  it("serves 50 requests at once, each with its own answer", async () => {
    const server = await http2Server((stream, headers) => {
      stream.respond({ ":status": 200 })
      stream.end(String(headers[":path"]))
    })
    const egress = open()
    const answers = await Promise.all(
      Array.from({ length: 50 }, async (_, n) => text(await send(egress, request(`${server.origin}/${n}`)))),
    )
    expect(answers).toEqual(Array.from({ length: 50 }, (_, n) => `/${n}`))
  })

  it("answers HEAD, 204 and an informational response first", async () => {
    const server = await http2Server((stream, headers) => {
      if (headers[":method"] === "GET") stream.additionalHeaders({ ":status": 103, link: "</a>; rel=preload" })
      stream.respond(
        { ":status": headers[":method"] === "HEAD" ? 200 : 204, "content-encoding": "br" },
        { endStream: true },
      )
    })
    const egress = open()
    for (const [method, status] of [
      ["HEAD", 200],
      ["GET", 204],
    ] as const) {
      const response = await send(egress, request(server.origin, { method }))
      expect([response.status, await text(response), response.headers["link"]]).toEqual([status, "", undefined])
    }
  })

  it("is held to the size cap and the timeout, and stops on an interruption, stream by stream", async () => {
    const closed: Array<Promise<unknown>> = []
    const server = await http2Server((stream, headers) => {
      // A server of Node keeps a reset stream with unsent data until its session ends.
      if (headers[":path"] !== "/large") closed.push(once(stream, "close"))
      if (headers[":path"] === "/hang") return
      stream.respond({ ":status": 200 })
      if (headers[":path"] === "/large") stream.end(Buffer.alloc(1024 * 1024))
      else if (headers[":path"] === "/silent") stream.write("x")
      else stream.end("ok")
    })
    const egress = open({ timeoutMs: 1500, maxResponseBytes: 1000 })
    await text(await send(egress, request(server.origin)))
    await expect(text(await send(egress, request(`${server.origin}/large`)))).rejects.toMatchObject({
      _tag: "ResponseTooLargeError",
    })
    expect(await failure(egress, request(`${server.origin}/hang`))).toMatchObject({
      _tag: "EgressTimeoutError",
      phase: "response",
    })
    await expect(text(await send(egress, request(`${server.origin}/silent`)))).rejects.toMatchObject({
      _tag: "EgressTimeoutError",
    })
    const fiber = Effect.runFork(egress.send(request(`${server.origin}/hang`), noAuthorizer))
    while (closed.length < 4) await new Promise((resolve) => setImmediate(resolve))
    await Effect.runPromise(Fiber.interrupt(fiber))
    await Promise.all(closed)
    expect(await text(await send(egress, request(server.origin)))).toBe("ok")
  })

  it("refused by the server is the network's fault", async () => {
    const server = await http2Server((stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR))
    expect(await failure(open(), request(server.origin))).toMatchObject({ _tag: "NetworkError" })
  })
})
