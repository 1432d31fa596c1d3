/**
 * Reading what `fetch` takes and making what it gives, compared with the platform's own over a real server.
 */
import { once } from "node:events"
import { type AddressInfo, createServer } from "node:net"
import { type FakeUpstream, fakeUpstream } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest"
import { Egress } from "../../src/http/Egress.ts"
import { InvalidRequestError } from "../../src/http/HttpError.ts"
import {
  encodeBody,
  readFetchArguments,
  readHeaders,
  toResponse,
  type UnboundRequest,
} from "../../src/http/standardFetch.ts"
import { noAuthorizer } from "../../src/http/Wire.ts"

const egress = new Egress({ allowHosts: ["127.0.0.1"] })
let server: FakeUpstream
beforeAll(async () => {
  server = await fakeUpstream({ "/": { headers: { "x-answer": "yes", "set-cookie": ["a=1", "b=2"] }, json: [1] } })
})
afterAll(async () => {
  await Effect.runPromise(egress.close())
  await server.close()
})

const read = async (input: string | URL | Request, init?: RequestInit): Promise<UnboundRequest> =>
  readFetchArguments(input, init)

const ours = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
  const unbound = await read(input, init)
  const response = await Effect.runPromise(egress.send({ ...unbound, url: new URL(String(unbound.url)) }, noAuthorizer))
  return toResponse(response, response.url)
}

/** What arrived last, without the boundary that differs each time and the headers that each client adds. */
const arrived = (): { readonly method: string; readonly type: string | undefined; readonly body: string } => {
  const last = server.requests.at(-1) ?? expect.unreachable()
  const type = last.headers["content-type"]
  const boundary = /boundary=(\S+)/.exec(type ?? "")?.[1]
  const neutral = (text: string): string => (boundary === undefined ? text : text.replaceAll(boundary, "B"))
  return {
    method: last.method,
    type: type === undefined ? undefined : neutral(type),
    body: neutral(last.body.toString("latin1")),
  }
}

const form = (): FormData => {
  const data = new FormData()
  data.append("name", "grüße")
  data.append("file", new Blob([Uint8Array.of(0, 255, 13, 10)], { type: "image/png" }), "a.png")
  return data
}
const backing = Uint8Array.from({ length: 16 }, (_, index) => index + 65)

describe("a body", () => {
  it.each<[kind: string, init: () => RequestInit]>([
    ["no body", () => ({})],
    ["an empty string", () => ({ method: "POST", body: "" })],
    ["a string", () => ({ method: "POST", body: "grüße" })],
    [
      "a string with a type of its own",
      () => ({ method: "POST", body: "{}", headers: { "Content-Type": "application/json" } }),
    ],
    ["URLSearchParams", () => ({ method: "PUT", body: new URLSearchParams({ a: "1 2", b: "ü&" }) })],
    ["FormData", () => ({ method: "POST", body: form() })],
    ["a Blob with a type", () => ({ method: "POST", body: new Blob(["x"], { type: "image/svg+xml" }) })],
    ["a Blob without a type", () => ({ method: "POST", body: new Blob(["x"]) })],
    [
      "a Blob and a type of the caller's",
      () => ({ method: "POST", body: new Blob(["x"], { type: "a/b" }), headers: [["content-type", "c/d"]] }),
    ],
    ["an ArrayBuffer", () => ({ method: "POST", body: backing.buffer.slice(2, 5) })],
    ["a Uint8Array with an offset", () => ({ method: "POST", body: backing.subarray(3, 7) })],
    ["a Buffer from the pool", () => ({ method: "POST", body: Buffer.from("pooled") })],
    ["a Uint16Array with an offset", () => ({ method: "POST", body: new Uint16Array(backing.buffer, 4, 3) })],
    ["a DataView with an offset", () => ({ method: "POST", body: new DataView(backing.buffer, 5, 4) })],
    ["a stream", () => ({ method: "POST", body: new Blob(["one", "two"]).stream(), duplex: "half" })],
  ])("arrives as the platform's fetch sends it: %s", async (_, init) => {
    await fetch(server.origin, init())
    const expected = arrived()
    await ours(server.origin, init())
    expect(arrived()).toEqual(expected)
  })

  it.each<[kind: string, make: () => Request]>([
    ["bare", () => new Request(server.origin)],
    [
      "with a method, headers and a body",
      () => new Request(server.origin, { method: "PATCH", headers: { "x-a": "1" }, body: "text" }),
    ],
    ["with a form", () => new Request(server.origin, { method: "POST", body: form() })],
  ])("arrives as the platform's fetch sends it from a Request %s", async (_, make) => {
    await fetch(make())
    const expected = arrived()
    await ours(make())
    expect(arrived()).toEqual(expected)
  })

  it("of a Request gives way to that of the init, as method and headers do", async () => {
    const base = new Request(server.origin, { method: "POST", headers: { "x-a": "1", "x-b": "2" }, body: "old" })
    await ours(base, { method: "PUT", headers: { "x-a": "3" }, body: "new" })
    expect(server.requests.at(-1)).toMatchObject({ method: "PUT", text: "new" })
    expect(server.requests.at(-1)?.headers["x-a"]).toBe("3")
    expect(server.requests.at(-1)?.headers).not.toHaveProperty("x-b")
  })

  it("of bytes is copied, so that the caller may use the buffer again at once", async () => {
    const bytes = Buffer.from("first")
    const unbound = await read(server.origin, { method: "POST", body: bytes })
    bytes.fill("x")
    expect(Buffer.from(unbound.body as Uint8Array).toString()).toBe("first")
  })

  it("is encoded at once, but for those that have to be read first", () => {
    expect(readFetchArguments("/", { method: "POST", body: "x" })).not.toBeInstanceOf(Promise)
    expect(readFetchArguments("/", { method: "POST", body: form() })).toBeInstanceOf(Promise)
  })

  it("of bytes arrives whatever the view (property)", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 50 }), fc.nat(50), fc.nat(50), async (bytes, start, length) => {
        const view = bytes.subarray(start, start + length)
        const encoded = await encodeBody(view, {})
        expect(Buffer.from(encoded as Uint8Array).equals(view)).toBe(true)
        const dataView = await encodeBody(new DataView(bytes.buffer, 0, Math.min(length, bytes.length)), {})
        expect(dataView).toHaveLength(Math.min(length, bytes.length))
      }),
    )
  })
})

describe("readFetchArguments", () => {
  it("takes text, a URL, and a Request, with GET by default", async () => {
    expect(await read("/items?a=1")).toMatchObject({ url: "/items?a=1", method: "GET", headers: {}, body: null })
    expect((await read(new URL("https://a.example/b"))).url).toEqual(new URL("https://a.example/b"))
    expect((await read(new Request("https://a.example/b#c"))).url).toBe("https://a.example/b#c")
    expect((await read("/", { method: "patch" })).method).toBe("PATCH")
  })

  it("takes what to do with redirects", async () => {
    expect((await read("/", { redirect: "manual" })).redirect).toBe("manual")
    expect((await read(new Request("https://a.example/", { redirect: "error" }))).redirect).toBe("error")
    expect((await read("/")).redirect).toBeUndefined()
  })

  it("takes the signal of the init before that of the Request", async () => {
    const one = new AbortController()
    const two = new AbortController()
    const base = new Request("https://a.example/", { signal: one.signal })
    two.abort()
    expect((await read(base, { signal: two.signal })).signal?.aborted).toBe(true)
    expect((await read(base)).signal?.aborted).toBe(false)
    one.abort()
    expect((await read(base)).signal?.aborted).toBe(true)
    expect((await read("/")).signal).toBeUndefined()
  })
})

describe("readHeaders", () => {
  it("reads records, lists and Headers alike, in lower case, joined", () => {
    expect(readHeaders({ "X-A": "1", "x-a": "2" })).toEqual({ "x-a": "1, 2" })
    expect(
      readHeaders([
        ["X-A", "1"],
        ["X-A", "2"],
        ["Y", ""],
      ]),
    ).toEqual({ "x-a": "1, 2", y: "" })
    expect(
      readHeaders(
        new Headers([
          ["X-A", "1"],
          ["x-a", "2"],
        ]),
      ),
    ).toEqual({ "x-a": "1, 2" })
    expect(readHeaders(new Map([["X-A", "1"]]) as unknown as Headers)).toEqual({ "x-a": "1" })
    expect(readHeaders(undefined)).toEqual({})
    expect(readHeaders({ a: undefined, b: null, c: 3 } as unknown as Record<string, string>)).toEqual({ c: "3" })
  })

  it("drops what frames and routes the message", () => {
    const framing = [
      "Host",
      "Content-Length",
      "Transfer-Encoding",
      "Connection",
      "Proxy-Connection",
      "Keep-Alive",
      "Upgrade",
      "TE",
      "Trailer",
      "Expect",
      "Proxy-Authorization",
    ]
    expect(readHeaders(Object.fromEntries(framing.map((name) => [name, "x"])))).toEqual({})
  })

  it("keeps names that objects have to themselves apart from those of headers", () => {
    const headers = readHeaders([
      ["constructor", "a"],
      ["toString", "b"],
      ["__proto__", "c"],
      ["hasOwnProperty", "d"],
    ])
    expect(Object.entries(headers)).toEqual([
      ["constructor", "a"],
      ["tostring", "b"],
      ["hasownproperty", "d"],
    ])
  })

  it.each(["1\r\nx-admin: 1", "1\n", "\0", "\u007f", "密", "\ud800"])(
    "refuses the value %j and does not quote it",
    (value) => {
      const error = (() => {
        try {
          return readHeaders({ "X-A": `start${value}` })
        } catch (thrown) {
          return thrown
        }
      })()
      expect(error).toBeInstanceOf(InvalidRequestError)
      expect((error as Error).message).toContain('"x-a"')
      expect((error as Error).message).not.toContain("start")
    },
  )
})

describe("toResponse", () => {
  it("keeps status, headers, cookies, URL and body", async () => {
    const [mine, platforms] = [
      await ours(`${server.origin}/?q=1#f`.replace("/?q=1#f", "/")),
      await fetch(`${server.origin}/`),
    ]
    expect([mine.status, mine.ok, mine.url, mine.redirected]).toEqual([200, true, platforms.url, false])
    expect(mine.headers.get("x-answer")).toBe("yes")
    expect(mine.headers.getSetCookie()).toEqual(["a=1", "b=2"])
    expect(await mine.clone().json()).toEqual([1])
    expect(await mine.text()).toBe("[1]")
    expect(mine.bodyUsed).toBe(true)
  })

  it.each(["204 No Content", "304 Not Modified", "205 Reset Content"])("has no body for %s", async (line) => {
    const response = await raw(`HTTP/1.1 ${line}\r\ncontent-type: text/plain\r\n\r\n`)
    expect([response.status, response.body]).toEqual([Number(line.slice(0, 3)), null])
  })

  it.each([600, 700, 999])("hands on the status %i, as the platform's fetch does", async (status) => {
    const response = await raw(`HTTP/1.1 ${status} Denied\r\ncontent-length: 2\r\n\r\nno`)
    expect([response.status, response.ok, await response.text()]).toEqual([status, false, "no"])
  })

  it("takes header bytes beyond ASCII as the platform's fetch does", async () => {
    const response = await raw(
      `HTTP/1.1 200 OK\r\nx-name: ${Buffer.from("grüße 密").toString("latin1")}\r\ncontent-length: 0\r\n\r\n`,
    )
    expect(Buffer.from(response.headers.get("x-name") ?? "", "latin1").toString("utf8")).toBe("grüße 密")
  })
})

/** The response to one request, of a server that says exactly this. */
const raw = async (answer: string): Promise<Response> => {
  const listener = createServer((socket) => {
    socket.on("error", () => undefined)
    socket.once("data", () => socket.end(Buffer.from(answer, "latin1")))
  })
  listener.listen(0, "127.0.0.1")
  await once(listener, "listening")
  onTestFinished(() => void listener.close())
  return ours(`http://127.0.0.1:${(listener.address() as AddressInfo).port}/`)
}
