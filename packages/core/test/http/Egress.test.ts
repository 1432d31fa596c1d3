/**
 * Redirects followed by hand and addresses judged before anything leaves, over real servers on the loopback.
 */
import { canary, CanaryScanner, type FakeUpstream, fakeUpstream } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { describe, expect, it, onTestFinished } from "vitest"
import { applyAuth } from "../../src/auth/applyAuth.ts"
import { type AuthTemplate, compileTemplate, variable } from "../../src/auth/AuthTemplate.ts"
import { Egress, type EgressOptions } from "../../src/http/Egress.ts"
import {
  AddressNotAllowedError,
  type HttpError,
  InvalidRequestError,
  RedirectRefusedError,
} from "../../src/http/HttpError.ts"
import { toResponse } from "../../src/http/standardFetch.ts"
import { noAuthorizer, type RequestAuthorizer, type WireRequest } from "../../src/http/Wire.ts"

const upstream = async (answers: Parameters<typeof fakeUpstream>[0]): Promise<FakeUpstream> => {
  const server = await fakeUpstream(answers)
  onTestFinished(() => server.close())
  return server
}

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

const send = (egress: Egress, given: WireRequest, authorizer: RequestAuthorizer = noAuthorizer) =>
  Effect.runPromise(egress.send(given, authorizer))

const failure = (
  egress: Egress,
  given: WireRequest,
  authorizer: RequestAuthorizer = noAuthorizer,
): Promise<HttpError> => Effect.runPromise(Effect.flip(egress.send(given, authorizer)))

const everywhere: AuthTemplate = {
  slug: "k",
  type: "apiKey",
  headers: { "X-API-Key": [variable("token")], Authorization: ["Token ", variable("token")] },
  queryParams: { api_key: [variable("token")] },
  cookies: { sid: [variable("token")] },
}

const authorizerFor = (token: string, template: AuthTemplate = everywhere): RequestAuthorizer =>
  Result.getOrThrow(applyAuth(compileTemplate(template), new Map([["token", Redacted.make(token)]])))

const statuses = [301, 302, 303, 307, 308] as const

describe("a redirect to the same origin", () => {
  it.each(statuses)("keeps the credential and places it anew, in the query too (%i)", async (status) => {
    const token = canary("token")
    const server = await upstream({
      "/from": { redirect: "/to?page=2&api_key=stale", status },
      "/to": { json: "arrived" },
    })
    const given = request(`${server.origin}/from?q=1`, {
      method: "POST",
      headers: { "content-type": "text/plain", "content-language": "en", "x-trace": "7", cookie: "theme=dark" },
      body: "payload",
    })
    const response = await send(open(), given, authorizerFor(token))
    const [first, second] = server.requests
    expect(response).toMatchObject({ status: 200, isRedirected: true })
    expect(first?.url).toBe(`/from?q=1&api_key=${token}`)
    expect(second?.url).toBe(`/to?page=2&api_key=${token}`)
    for (const arrived of [first, second]) {
      expect(arrived?.headers).toMatchObject({
        "x-api-key": token,
        authorization: `Token ${token}`,
        cookie: `theme=dark; sid=${token}`,
        "x-trace": "7",
      })
    }
    const isKept = status === 307 || status === 308
    expect(second?.method).toBe(isKept ? "POST" : "GET")
    expect(second?.text).toBe(isKept ? "payload" : "")
    expect(second?.headers["content-type"]).toBe(isKept ? "text/plain" : undefined)
    expect(second?.headers["content-language"]).toBe(isKept ? "en" : undefined)
  })

  it.each([
    [301, "PUT", "PUT"],
    [302, "DELETE", "DELETE"],
    [303, "PUT", "GET"],
    [303, "HEAD", "HEAD"],
    [301, "HEAD", "HEAD"],
    [308, "PATCH", "PATCH"],
  ] as const)("on %i turns %s into %s", async (status, method, next) => {
    const server = await upstream({ "/from": { redirect: "/to", status }, "/to": { status: 204 } })
    await send(open(), request(`${server.origin}/from`, { method }))
    expect(server.requests.map((arrived) => arrived.method)).toEqual([method, next])
  })

  it.each(["to", "./to", "/a/../to", "?x=1", "//HOST/to", "http://HOST/to#part"])(
    "reads the Location %j",
    async (location) => {
      const server = await upstream(({ path, url, headers }) =>
        url === "/from" ? { redirect: location.replace("HOST", headers.host ?? "") } : { json: path },
      )
      const response = await send(open(), request(`${server.origin}/from`))
      expect(response.status).toBe(200)
      expect(server.requests[1]?.path).toBe(location.startsWith("?") ? "/from" : "/to")
      expect(response.url).not.toContain("#")
    },
  )
})

describe("a redirect to another origin", () => {
  const given = (origin: string): WireRequest =>
    request(`${origin}/from?q=1`, {
      method: "POST",
      headers: {
        "content-type": "text/plain",
        "x-trace": "7",
        authorization: "Basic Y2FsbGVyOm93bg==",
        cookie: "own=1",
        "proxy-authorization": "Basic cHJveHk6cHc=",
      },
      body: "payload",
    })

  it.each(statuses)("gets neither the credential nor the caller's own (%i)", async (status) => {
    const token = canary("token")
    const other = await upstream({ "/to": { json: "arrived" } })
    const server = await upstream({ "/from": { redirect: `${other.origin}/to?page=2`, status } })
    const response = await send(open(), given(server.origin), authorizerFor(token))
    expect(response.status).toBe(200)
    expect(response.url).toBe(`${other.origin}/to?page=2`)
    const [arrived] = other.requests
    new CanaryScanner([token]).expectNone(arrived, "the request to another origin")
    expect(arrived?.headers).not.toHaveProperty("authorization")
    expect(arrived?.headers).not.toHaveProperty("cookie")
    expect(arrived?.headers).not.toHaveProperty("x-api-key")
    expect(arrived?.headers).not.toHaveProperty("proxy-authorization")
    expect(arrived?.headers["x-trace"]).toBe("7")
    expect(arrived?.text).toBe(status === 307 || status === 308 ? "payload" : "")
  })

  it("does not get a caller's header that holds the secret, or stands where the credential is placed", async () => {
    const token = canary("token")
    const other = await upstream({ "/to": {} })
    const server = await upstream({ "/from": { redirect: `${other.origin}/to` } })
    const headers = { "x-copy": `v=${encodeURIComponent(token)}`, "x-api-key": "caller's" }
    await send(open(), request(`${server.origin}/from`, { headers }), authorizerFor(token))
    expect(other.requests[0]?.headers).not.toHaveProperty("x-copy")
    expect(other.requests[0]?.headers).not.toHaveProperty("x-api-key")
  })

  it("does not bring the credential back when it returns: A → B → A", async () => {
    const token = canary("token")
    const home = await upstream((arrived): { redirect: string } | { json: string } =>
      arrived.path === "/from" ? { redirect: `${other.origin}/bounce` } : { json: "home again" },
    )
    const other: FakeUpstream = await upstream({ "/bounce": () => ({ redirect: `${home.origin}/secret` }) })
    const response = await send(open(), given(home.origin), authorizerFor(token))
    expect(response.status).toBe(200)
    expect(home.requests).toHaveLength(2)
    const scanner = new CanaryScanner([token])
    scanner.expectNone(home.requests[1], "the request that came back")
    scanner.expectNone(other.requests, "the requests to the other origin")
    expect(home.requests[1]?.headers).not.toHaveProperty("authorization")
    expect(home.requests[1]?.headers).not.toHaveProperty("cookie")
  })

  it("counts a different port, and a different spelling of the same host, as another origin", async () => {
    const token = canary("token")
    const server = await upstream(({ path, headers }) =>
      path === "/from"
        ? { redirect: `http://localhost:${(headers.host ?? "").split(":")[1] ?? ""}/to` }
        : { json: "arrived" },
    )
    await send(open({ allowHosts: ["127.0.0.1", "localhost"] }), request(`${server.origin}/from`), authorizerFor(token))
    expect(server.requests).toHaveLength(2)
    new CanaryScanner([token]).expectNone(server.requests[1], "the request to localhost")
  })

  const secret = `${canary("echo")}/+=& "é`
  const percentAll = (text: string): string =>
    Array.from(Buffer.from(text, "utf8"), (byte) => `%${byte.toString(16).padStart(2, "0")}`).join("")

  it.each<[how: string, spelled: string]>([
    ["encoded", encodeURIComponent(secret)],
    ["encoded twice", encodeURIComponent(encodeURIComponent(secret))],
    ["encoded in every character", percentAll(secret)],
    ["in a nested URL", encodeURIComponent(`https://back.example/?api_key=${encodeURIComponent(secret)}`)],
    ["in JSON", encodeURIComponent(JSON.stringify({ key: secret }))],
    ["in base64", encodeURIComponent(Buffer.from(secret).toString("base64"))],
    ["form-encoded", new URLSearchParams({ v: secret }).toString().slice(2)],
  ])("loses query values that echo the secret %s, and keeps the others", async (_, spelled) => {
    const other = await upstream({ "/to": {} })
    const server = await upstream({
      "/from": { redirect: `${other.origin}/to?page=2&api_key=${spelled}&${spelled}=1&z=3` },
    })
    const authorizer = authorizerFor(secret, {
      slug: "k",
      type: "apiKey",
      queryParams: { api_key: [variable("token")] },
    })
    await send(open(), request(`${server.origin}/from`), authorizer)
    expect(other.requests[0]?.url).toBe("/to?page=2&z=3")
    new CanaryScanner([secret, secret.slice(0, 40)]).expectNone(other.requests, "the other origin's requests")
  })

  it.each<[where: string, location: (origin: string, token: string) => string]>([
    ["path", (origin, token) => `${origin}/to/${token}/x?a=1`],
    ["path, encoded twice", (origin, token) => `${origin}/to/${encodeURIComponent(percentAll(token))}`],
    ["host name", (_, token) => `http://${token}.example/`],
  ])("is refused when its %s holds the secret", async (_, location) => {
    const token = `${canary("echo")}-UPPER`
    const other = await upstream({})
    const server = await upstream({ "/from": { redirect: location(other.origin, token) } })
    const error = await failure(open(), request(`${server.origin}/from`), authorizerFor(token))
    expect(error).toMatchObject({ _tag: "RedirectRefusedError", reason: "carries_credential", httpStatus: 502 })
    expect(other.requests).toHaveLength(0)
    new CanaryScanner([token, token.toLowerCase()]).expectNone(error, "the error")
  })

  it("is followed when only the fragment holds the secret, which is not sent", async () => {
    const token = canary("echo")
    const other = await upstream({ "/to": {} })
    const server = await upstream({ "/from": { redirect: `${other.origin}/to#access_token=${token}` } })
    const response = await send(open(), request(`${server.origin}/from`), authorizerFor(token))
    new CanaryScanner([token]).expectNone([other.requests, response.url], "what left and came back")
  })

  it.each([307, 308] as const)("is refused on %i when the body holds the secret, as text or bytes", async (status) => {
    const token = `${canary("body")}é`
    const other = await upstream({ "/to": {} })
    const server = await upstream({ "/from": { redirect: `${other.origin}/to`, status } })
    const authorizer = authorizerFor(token, {
      slug: "k",
      type: "apiKey",
      queryParams: { api_key: [variable("token")] },
    })
    for (const body of [
      `{"key":${JSON.stringify(token)}}`,
      Buffer.from(`\ufffd${token}`),
      new URLSearchParams({ token }).toString(),
    ]) {
      const error = await failure(open(), request(`${server.origin}/from`, { method: "POST", body }), authorizer)
      expect(error).toMatchObject({ reason: "carries_credential" })
    }
    expect(other.requests).toHaveLength(0)
  })

  it.each([301, 302, 303] as const)("drops a body that holds the secret on %i", async (status) => {
    const token = canary("body")
    const other = await upstream({ "/to": {} })
    const server = await upstream({ "/from": { redirect: `${other.origin}/to`, status } })
    await send(open(), request(`${server.origin}/from`, { method: "POST", body: token }), authorizerFor(token))
    expect(other.requests[0]).toMatchObject({ method: "GET", text: "" })
  })

  it.each(["//HOST/to", "\\\\HOST/to", "/\\HOST/to", "http:\\\\HOST\\to", "http:/\\HOST/to", "///HOST/to"])(
    "is recognized in the Location %j",
    async (location) => {
      const token = canary("token")
      const other = await upstream({ "/to": {} })
      const server = await upstream({ "/from": { redirect: location.replace("HOST", other.host) } })
      await send(open(), request(`${server.origin}/from`), authorizerFor(token))
      expect(other.requests).toHaveLength(1)
      new CanaryScanner([token]).expectNone(other.requests, "the other origin's requests")
    },
  )
})

describe("a redirect that is refused", () => {
  it.each([
    "http://user:password@127.0.0.1/",
    "http://user@127.0.0.1/",
    "javascript:alert(1)",
    "data:text/plain,x",
    "file:///etc/passwd",
    "blob:http://127.0.0.1/x",
    "ftp://127.0.0.1/",
    "http://",
    "http://[::1",
    "http://127.0.0.1:99999/",
    "http://a b/",
  ])("leads to %j", async (location) => {
    const token = canary("token")
    const server = await upstream({ "/from": { redirect: location } })
    const error = await failure(open(), request(`${server.origin}/from`), authorizerFor(token))
    expect(error).toMatchObject({ _tag: "RedirectRefusedError", reason: "invalid_location" })
    expect(server.requests).toHaveLength(1)
    new CanaryScanner([token]).expectNone(error, "the error")
  })

  it("goes in circles: one request more than the redirects allowed", async () => {
    const server = await upstream({ "/loop": { redirect: "/loop" } })
    const error = await failure(open({ maxRedirects: 3 }), request(`${server.origin}/loop`))
    expect(error).toMatchObject({ _tag: "RedirectRefusedError", reason: "too_many" })
    expect(server.requests).toHaveLength(4)
  })

  it("follows five by default", async () => {
    const hops =
      (count: number) =>
      ({ path }: { readonly path: string }) => {
        const hop = Number(path.slice(1))
        return hop < count ? { redirect: `/${hop + 1}` } : { json: hop }
      }
    const five = await upstream(hops(5))
    const six = await upstream(hops(6))
    expect((await send(open(), request(`${five.origin}/0`))).status).toBe(200)
    expect(await failure(open(), request(`${six.origin}/0`))).toMatchObject({ reason: "too_many" })
  })

  it.each([307, 308, 301] as const)("would have to send a stream again (%i)", async (status) => {
    const server = await upstream({ "/from": { redirect: "/to", status } })
    const body = new Blob(["once"]).stream()
    const method = status === 301 ? "PUT" : "POST"
    const error = await failure(open(), request(`${server.origin}/from`, { method, body }))
    expect(error).toMatchObject({ reason: "body_not_replayable" })
    expect(server.requests.map(({ text }) => text)).toEqual(["once"])
  })

  it("is not a stream on 303, which goes on without a body", async () => {
    const server = await upstream({ "/from": { redirect: "/to", status: 303 }, "/to": {} })
    const body = new Blob(["once"]).stream()
    await send(open(), request(`${server.origin}/from`, { method: "POST", body }))
    expect(server.requests.map(({ method, text }) => [method, text])).toEqual([
      ["POST", "once"],
      ["GET", ""],
    ])
  })

  it("leads from https to http, on the same host too", async () => {
    const token = canary("token")
    const sent: Array<string> = []
    const fetch = async (url: string): Promise<Response> => {
      sent.push(url)
      return new Response(null, { status: 307, headers: { location: "http://api.example.com/to" } })
    }
    const error = await failure(open({ fetch }), request("https://api.example.com/from"), authorizerFor(token))
    expect(error).toBeInstanceOf(RedirectRefusedError)
    expect(error).toMatchObject({
      reason: "downgrade",
      from: "https://api.example.com",
      to: "http://api.example.com",
    })
    expect(sent).toHaveLength(1)
    new CanaryScanner([token]).expectNone(error, "the error")
  })

  it("leads inside: to an address or a port that the host did not list", async () => {
    const inside = await upstream({})
    for (const target of [
      inside.origin,
      "http://169.254.169.254/latest/meta-data/",
      "http://[::ffff:127.0.0.1]/",
      "http://2130706433/",
    ]) {
      const server = await upstream({ "/from": { redirect: target } })
      const error = await failure(open({ allowHosts: [server.host] }), request(`${server.origin}/from`))
      expect(error).toBeInstanceOf(AddressNotAllowedError)
    }
    expect(inside.requests).toHaveLength(0)
  })
})

describe("a redirect that is handed on", () => {
  it("has no Location, another status, or comes when none may be followed", async () => {
    const server = await upstream({
      "/none": { status: 302 },
      "/300": { status: 300, headers: { location: "/to" } },
      "/304": { status: 304, headers: { location: "/to" } },
      "/201": { status: 201, headers: { location: "/to" } },
      "/from": { redirect: "/to" },
    })
    const egress = open()
    for (const path of ["/none", "/300", "/304", "/201"]) {
      const response = await send(egress, request(server.origin + path))
      expect(response.isRedirected).toBe(false)
      response.discard()
    }
    const off = await send(open({ maxRedirects: 0 }), request(`${server.origin}/from`))
    expect(off).toMatchObject({ status: 302, headers: { location: "/to" }, isRedirected: false })
    expect(server.requests.map(({ path }) => path)).toEqual(["/none", "/300", "/304", "/201", "/from"])
  })

  it("is the last one of several, and says that others led to it", async () => {
    const server = await upstream({ "/from": { redirect: "/none" }, "/none": { status: 302 } })
    expect(await send(open(), request(`${server.origin}/from`))).toMatchObject({ status: 302, isRedirected: true })
  })

  it("is one that the caller wants to see, or refused where the caller wants none", async () => {
    const server = await upstream({ "/from": { redirect: "/to" }, "/to": {} })
    const egress = open()
    const seen = await send(egress, request(`${server.origin}/from`, { redirect: "manual" }))
    expect(seen).toMatchObject({ status: 302, headers: { location: "/to" }, isRedirected: false })
    const error = await failure(egress, request(`${server.origin}/from`, { redirect: "error" }))
    expect(error).toMatchObject({ _tag: "RedirectRefusedError", reason: "not_wanted" })
    expect((await send(egress, request(`${server.origin}/to`, { redirect: "error" }))).status).toBe(200)
    expect(server.requests.map(({ path }) => path)).toEqual(["/from", "/from", "/to"])
  })
})

describe("the URL that a response tells", () => {
  it.each(["1234", canary("url")])("never holds what was placed in the query, however short: %s", async (token) => {
    const template: AuthTemplate = { slug: "k", type: "apiKey", queryParams: { key: [variable("token")] } }
    const server = await upstream({ "/from": { redirect: "/to?page=2" }, "/to": {} })
    for (const egress of [open(), open({ fetch: globalThis.fetch })]) {
      const direct = await send(egress, request(`${server.origin}/to?page=1`), authorizerFor(token, template))
      const followed = await send(egress, request(`${server.origin}/from`), authorizerFor(token, template))
      expect([direct.url, followed.url]).toEqual([`${server.origin}/to?page=1`, `${server.origin}/to?page=2`])
      expect(toResponse(followed, followed.url).url).toBe(`${server.origin}/to?page=2`)
    }
    expect(server.requests.every(({ query }) => query.get("key") === token)).toBe(true)
  })
})

describe("addresses", () => {
  it.each([
    "http://127.0.0.1/",
    "https://127.0.0.1/",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0177.0.0.1/",
    "http://127.0.0.1./",
    "http://0/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://100.100.100.200/",
    "http://169.254.169.254/latest/meta-data/",
    "http://168.63.129.16/",
    "http://[::1]/",
    "http://[::]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[fe80::1]/",
    "http://[fd00:ec2::254]/",
  ])("refuses %s before a socket is opened, over either transport", async (url) => {
    let calls = 0
    const fetch = async (): Promise<Response> => {
      calls += 1
      return new Response()
    }
    for (const egress of [open({ allowHosts: [] }), open({ allowHosts: [], fetch })]) {
      const error = await failure(egress, request(url))
      expect(error).toBeInstanceOf(AddressNotAllowedError)
      expect(error).toMatchObject({ host: new URL(url).hostname, httpStatus: 403 })
    }
    expect(calls).toBe(0)
  })

  it.each(["localhost", "LOCALHOST"])("refuses the name %s, which resolves inside", async (name) => {
    const server = await upstream({})
    const error = await failure(open({ allowHosts: [] }), request(`http://${name}:${server.port}/`))
    expect(error).toBeInstanceOf(AddressNotAllowedError)
    expect(server.requests).toHaveLength(0)
  })

  it("lets through what the host lists: with a port, without one, by name", async () => {
    const server = await upstream({ "/": { json: "in" } })
    for (const allowHosts of [[server.host], ["127.0.0.1"]]) {
      expect((await send(open({ allowHosts }), request(server.origin))).status).toBe(200)
    }
    const named = request(`http://localhost:${server.port}/`)
    for (const allowHosts of [[`localhost:${server.port}`], ["localhost"]]) {
      expect((await send(open({ allowHosts }), named)).status).toBe(200)
    }
    expect(await failure(open({ allowHosts: [`localhost:${server.port + 1}`] }), named)).toBeInstanceOf(
      AddressNotAllowedError,
    )
    expect(await failure(open({ allowHosts: ["127.0.0.1"] }), named)).toBeInstanceOf(AddressNotAllowedError)
  })
})

describe("a request", () => {
  it.each(["CONNECT", "TRACE", "TRACK"])("is refused with the method %s", async (method) => {
    const server = await upstream({})
    const error = await failure(open(), request(server.origin, { method }))
    expect(error).toBeInstanceOf(InvalidRequestError)
    expect(error.message).toContain(method)
    expect(server.requests).toHaveLength(0)
  })

  it.each<[what: string, parts: Partial<WireRequest>]>([
    ["method", { method: "GET / HTTP/1.1\r\nX: y" }],
    ["method", { method: "" }],
    ["header name", { headers: { "x\r\ny": "1" } }],
    ["header name", { headers: { "": "1" } }],
    ["header value", { headers: { x: "1\r\nx-admin: 1" } }],
    ["header value", { headers: { x: "密" } }],
  ])("is refused with a malformed %s: %j", async (_, parts) => {
    const server = await upstream({})
    expect(await failure(open(), request(server.origin, parts))).toBeInstanceOf(InvalidRequestError)
    expect(server.requests).toHaveLength(0)
  })

  it("is refused when an authorizer would move it to another origin", async () => {
    const server = await upstream({})
    const authorizer: RequestAuthorizer = {
      ...noAuthorizer,
      authorize: (given) => ({ ...given, url: new URL(`http://localhost:${server.port}/`) }),
    }
    expect(await failure(open(), request(server.origin), authorizer)).toBeInstanceOf(InvalidRequestError)
    expect(server.requests).toHaveLength(0)
  })

  it("is refused after close, which may be repeated", async () => {
    const server = await upstream({ "/": {} })
    const egress = open()
    await send(egress, request(server.origin))
    await Effect.runPromise(egress.close())
    await Effect.runPromise(egress.close())
    expect(await failure(egress, request(server.origin))).toBeInstanceOf(InvalidRequestError)
  })

  it("takes limits longer than a timer can be", async () => {
    const server = await upstream({ "/": {} })
    expect((await send(open({ timeoutMs: Number.MAX_SAFE_INTEGER }), request(server.origin))).status).toBe(200)
  })
})
