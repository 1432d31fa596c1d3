/** The fake upstream, asked by real clients over real sockets. */
import { once } from "node:events"
import { connect } from "node:net"
import { drip, type FakeUpstream, fakeUpstream, filler, type UpstreamRoutes } from "@keyward/core/testing"
import { afterEach, describe, expect, it } from "vitest"

const running: Array<FakeUpstream> = []

const start = async (answers: Parameters<typeof fakeUpstream>[0]): Promise<FakeUpstream> => {
  const upstream = await fakeUpstream(answers)
  running.push(upstream)
  return upstream
}

afterEach(async () => {
  for (const upstream of running.splice(0)) await upstream.close()
})

describe("what it records", () => {
  it("keeps method, raw target, headers and body byte for byte", async () => {
    const upstream = await start(() => ({ status: 204 }))
    const socket = connect(upstream.port, "127.0.0.1")
    socket.write(
      "POST /a%2Fb/..;/c?x=%31&x=2 HTTP/1.1\r\nHost: ignored\r\nX-Twice: one\r\nx-twice: two\r\nContent-Length: 4\r\nConnection: close\r\n\r\n\u00ff\0!",
    )
    await once(socket.resume(), "close")
    const [request] = upstream.requests
    expect(request).toMatchObject({ method: "POST", url: "/a%2Fb/..;/c?x=%31&x=2", path: "/a%2Fb/..;/c" })
    expect(request?.query.getAll("x")).toEqual(["1", "2"])
    expect(request?.headers["x-twice"]).toBe("one, two")
    expect(request?.rawHeaders.filter(([name]) => name.toLowerCase() === "x-twice")).toEqual([
      ["X-Twice", "one"],
      ["x-twice", "two"],
    ])
    expect([...(request?.body ?? [])]).toEqual([0xc3, 0xbf, 0, 0x21])
    expect(await request?.abandoned).toBe(false)
  })

  it("gives bodies as text and JSON, in order of arrival", async () => {
    const upstream = await start(() => ({ json: "ok" }))
    await fetch(`${upstream.origin}/1`, { method: "PUT", body: JSON.stringify({ a: "ü" }) })
    await fetch(`${upstream.origin}/2`)
    expect(upstream.requests.map(({ method, path }) => `${method} ${path}`)).toEqual(["PUT /1", "GET /2"])
    expect(upstream.requests[0]?.json()).toEqual({ a: "ü" })
    expect(upstream.requests[0]?.text).toBe('{"a":"ü"}')
    expect(() => upstream.requests[1]?.json()).toThrow(SyntaxError)
  })

  it("resolves a wait for a request before and after it has arrived", async () => {
    const upstream = await start(() => ({ status: 204 }))
    const second = upstream.received(2)
    await fetch(`${upstream.origin}/first`)
    await fetch(`${upstream.origin}/second`)
    expect((await second).path).toBe("/second")
    expect((await upstream.received(1)).path).toBe("/first")
  })
})

describe("how it answers", () => {
  const routes = {
    "GET /json": { json: { a: 1 } },
    "/any": { status: 201, headers: { "set-cookie": ["a=1", "b=2"] }, body: "text" },
    "/turns": [{ status: 503, headers: { "retry-after": "1" } }, () => ({ json: "then" })],
    "/none": [],
    "/moved": { redirect: "/json" },
    "/kept": { redirect: "/any", status: 307 },
    "/throws": () => {
      throw new Error("on purpose")
    },
    "/unsendable": { headers: { "x-bad": "a\r\nb" } },
    "/drip": { body: drip(["a", "b", Buffer.from("c")], 1) },
    "/huge": { body: filler(3_000_001) },
  } satisfies UpstreamRoutes

  it("routes by method and path, by path alone, and gives 404 to the rest", async () => {
    const upstream = await start(routes)
    const json = await fetch(`${upstream.origin}/json?q=1`)
    expect([json.headers.get("content-type"), await json.json()]).toEqual(["application/json", { a: 1 }])
    const any = await fetch(`${upstream.origin}/any`, { method: "DELETE" })
    expect([any.status, any.headers.getSetCookie(), await any.text()]).toEqual([201, ["a=1", "b=2"], "text"])
    for (const [method, path] of [
      ["POST", "/json"],
      ["GET", "/jso"],
      ["GET", "/none"],
      ["GET", "/__proto__"],
    ] as const) {
      expect((await fetch(`${upstream.origin}${path}`, { method })).status).toBe(404)
    }
  })

  it("gives answers in turn and repeats the last", async () => {
    const upstream = await start(routes)
    const statuses: Array<number> = []
    for (let turn = 0; turn < 3; turn++) statuses.push((await fetch(`${upstream.origin}/turns`)).status)
    expect(statuses).toEqual([503, 200, 200])
  })

  it("redirects with the status it is told, 302 if none", async () => {
    const upstream = await start(routes)
    const moved = await fetch(`${upstream.origin}/moved`, { redirect: "manual" })
    const kept = await fetch(`${upstream.origin}/kept`, { redirect: "manual" })
    expect([moved.status, moved.headers.get("location")]).toEqual([302, "/json"])
    expect([kept.status, kept.headers.get("location")]).toEqual([307, "/any"])
  })

  it("turns a throwing handler and an answer that cannot be sent into a 500 that says so", async () => {
    const upstream = await start(routes)
    const thrown = await fetch(`${upstream.origin}/throws`)
    expect([thrown.status, await thrown.text()]).toEqual([500, expect.stringContaining("on purpose")])
    const unsendable = await fetch(`${upstream.origin}/unsendable`)
    expect([unsendable.status, await unsendable.text()]).toEqual([500, expect.stringContaining("cannot be sent")])
  })

  it("drips a body piece by piece and makes a huge one as it is taken", async () => {
    const upstream = await start(routes)
    expect(await (await fetch(`${upstream.origin}/drip`)).text()).toBe("abc")
    expect((await (await fetch(`${upstream.origin}/huge`)).bytes()).length).toBe(3_000_001)
  })
})

describe("how it misbehaves", () => {
  it("hangs until the client gives up, and tells that it did", async () => {
    const upstream = await start({ "/hang": { fault: "hang" } })
    const controller = new AbortController()
    const answer = fetch(`${upstream.origin}/hang`, { signal: controller.signal })
    const request = await upstream.received(1)
    controller.abort()
    await expect(answer).rejects.toThrow("aborted")
    expect(await request.abandoned).toBe(true)
  })

  it("hangs after the headers", async () => {
    const upstream = await start({ "/hang": { fault: "hang_after_headers" } })
    const controller = new AbortController()
    const response = await fetch(`${upstream.origin}/hang`, { signal: controller.signal })
    expect(response.status).toBe(200)
    const body = response.text()
    controller.abort()
    await expect(body).rejects.toThrow("aborted")
    expect(await upstream.requests[0]?.abandoned).toBe(true)
  })

  it("resets the connection before an answer, and cuts it in the middle of a body", async () => {
    const upstream = await start({ "/reset": { fault: "reset" }, "/truncate": { fault: "truncate" } })
    await expect(fetch(`${upstream.origin}/reset`)).rejects.toMatchObject({ cause: { code: "ECONNRESET" } })
    const response = await fetch(`${upstream.origin}/truncate`)
    expect(response.status).toBe(200)
    await expect(response.text()).rejects.toThrow("terminated")
  })

  it("stops making a huge body when the client goes away", async () => {
    const upstream = await start({ "/huge": { body: filler(1e12) } })
    const response = await fetch(`${upstream.origin}/huge`)
    await response.body?.cancel()
    expect(await upstream.requests[0]?.abandoned).toBe(true)
  })

  it("closes with a request hanging, and closes again without harm", async () => {
    const upstream = await fakeUpstream({ "/hang": { fault: "hang" } })
    const answer = fetch(`${upstream.origin}/hang`).catch((error: unknown) => error)
    await upstream.received(1)
    await upstream.close()
    await upstream.close()
    expect(await answer).toBeInstanceOf(TypeError)
    await expect(fetch(upstream.origin)).rejects.toMatchObject({ cause: { code: "ECONNREFUSED" } })
  })

  it("is closed by `await using`", async () => {
    let origin: string
    {
      await using upstream = await fakeUpstream(() => ({ status: 204 }))
      origin = upstream.origin
      expect((await fetch(origin)).status).toBe(204)
    }
    await expect(fetch(origin)).rejects.toMatchObject({ cause: { code: "ECONNREFUSED" } })
  })
})
