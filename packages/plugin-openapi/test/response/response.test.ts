import { describe, expect, it } from "vitest"
import { type ReadableResponse, readResponse } from "../../src/response/response.ts"

const now = (): number => Date.parse("2026-11-20T12:00:00Z")

const answer = (status: number, headers: Record<string, string>, body: string | Uint8Array): ReadableResponse => ({
  status,
  headers,
  text: () => Promise.resolve(Buffer.from(body).toString()),
  bytes: () => Promise.resolve(Buffer.from(body)),
})

const dataOf = async (headers: Record<string, string>, body: string | Uint8Array, status = 200, method = "GET") => {
  const result = await readResponse(answer(status, headers, body), method, now)
  if (!result.ok) throw new Error(result.error.message)
  return result.data
}

const errorOf = async (status: number, body: string, headers: Record<string, string> = {}, method = "GET") => {
  const result = await readResponse(answer(status, headers, body), method, now)
  if (result.ok) throw new Error("the result is no error")
  return result.error
}

describe("data", () => {
  it.each([
    ["application/json; charset=utf-8", '{"a":1}', { a: 1 }],
    ["application/problem+json", "[1]", [1]],
    ["application/json", "", null],
    ["application/json", "  \n", null],
    ["application/json", "OK", "OK"],
    ["text/plain", "hi", "hi"],
    ["application/xml", "<a/>", "<a/>"],
    ["application/x-ndjson", '{"a":1}\n{"a":2}', '{"a":1}\n{"a":2}'],
    ["image/png", "png", { mediaType: "image/png", base64: "cG5n", bytes: 3 }],
    ["application/octet-stream", "", null],
  ])("of %s %j is read as %j", async (contentType, body, expected) => {
    expect(await dataOf({ "content-type": contentType }, body)).toEqual(expected)
  })

  it("in text is read in the character set that it declares", async () => {
    const latin1 = Buffer.from("Grüße", "latin1")
    expect(await dataOf({ "content-type": "text/plain; charset=ISO-8859-1" }, latin1)).toBe("Grüße")
    expect(await dataOf({ "content-type": 'text/plain; charset="utf-8"' }, "Grüße")).toBe("Grüße")
    expect(await dataOf({ "content-type": "text/plain; charset=klingon" }, "Grüße")).toBe("Grüße")
  })

  it("without a media type is JSON if it parses, text if it is text, else bytes", async () => {
    expect(await dataOf({}, '{"a":1}')).toEqual({ a: 1 })
    expect(await dataOf({}, "plain")).toBe("plain")
    expect(await dataOf({}, new Uint8Array([255, 0]))).toEqual({
      mediaType: "application/octet-stream",
      base64: "/wA=",
      bytes: 2,
    })
  })

  it("is null where there is no body by definition", async () => {
    expect(await dataOf({ "content-type": "application/json" }, "x", 204)).toBeNull()
    expect(await dataOf({ "content-type": "application/json" }, "", 200, "HEAD")).toBeNull()
  })

  it("comes with status and headers, but not with session cookies", async () => {
    const result = await readResponse(
      answer(201, { "content-type": "text/plain", etag: "1", "set-cookie": "sid=secret" }, "x"),
      "POST",
      now,
    )
    expect(result).toEqual({
      ok: true,
      data: "x",
      http: { status: 201, headers: { "content-type": "text/plain", etag: "1" } },
    })
  })
})

describe("an error", () => {
  it.each([
    ['{"message":"Not Found","documentation_url":"https://d"}', "The service answered 404 (not found): Not Found"],
    [
      '{"title":"Invalid","detail":"The name is taken.","errors":[{"message":"name: taken"}]}',
      "The service answered 404 (not found): Invalid: The name is taken. (name: taken)",
    ],
    ['{"error":{"code":3,"message":"No such user"}}', "The service answered 404 (not found): No such user"],
    ['{"error":"invalid_grant","error_description":"Expired."}', "The service answered 404 (not found): Expired."],
    ['{"errors":["one","two"]}', "The service answered 404 (not found): one; two"],
    ['{"errors":{"email":["is taken"]}}', "The service answered 404 (not found): email is taken"],
    ["no such thing\nat all", "The service answered 404 (not found): no such thing"],
    ["", "The service answered 404 (not found)."],
    ["{broken", "The service answered 404 (not found): {broken"],
  ])("says what the service said in %j", async (body, message) => {
    expect(await errorOf(404, body)).toMatchObject({ code: "not_found", message, status: 404, retryable: false })
  })

  it("keeps the body where it is short, and its useful part where it is long", async () => {
    expect((await errorOf(422, '{"message":"no","extra":[1]}')).details).toEqual({
      body: { message: "no", extra: [1] },
    })
    const long = JSON.stringify({ message: "no", code: "E1", trace: "x".repeat(5_000) })
    expect((await errorOf(422, long)).details).toEqual({ body: { message: "no", code: "E1" } })
    const text = await errorOf(500, "y".repeat(100_000))
    expect(JSON.stringify(text).length).toBeLessThan(3_000)
    const huge = await errorOf(500, JSON.stringify({ message: "z".repeat(100_000) }))
    expect(JSON.stringify(huge).length).toBeLessThan(3_000)
  })

  it("strips a page to its words", async () => {
    const page =
      "<!DOCTYPE html><html><head><title>502 Bad Gateway</title><style>p{}</style></head><body><script>x()</script><h1>Bad&nbsp;Gateway</h1><p>nginx &amp; co</p></body></html>"
    expect(await errorOf(502, page, { "content-type": "text/html" })).toMatchObject({
      message: "The service answered 502: 502 Bad Gateway",
      details: { body: "502 Bad Gateway\nBad Gateway nginx & co" },
    })
  })

  it("leaves out a body that is no text", async () => {
    expect((await errorOf(500, "\0\u0001PNG", { "content-type": "image/png" })).details).toBeUndefined()
  })

  it.each([
    ["GET", [408, 425, 429, 500, 502, 503, 504], [400, 401, 403, 404, 409, 422, 501, 505]],
    ["PUT", [408, 425, 429, 500, 502, 503, 504], [400, 404, 501]],
    ["POST", [425, 429, 503], [408, 500, 502, 504, 409]],
    ["PATCH", [425, 429, 503], [408, 500, 502, 504]],
  ])("of %s is worth repeating for %j and not for %j", async (method, yes, no) => {
    for (const status of yes) expect((await errorOf(status, "", {}, method)).retryable).toBe(true)
    for (const status of no) expect((await errorOf(status, "", {}, method)).retryable).toBe(false)
  })

  it.each([
    [429, { "retry-after": "7" }, 7_000],
    [503, { "retry-after": "0.5" }, 500],
    [429, { "retry-after": "Fri, 20 Nov 2026 12:00:30 GMT" }, 30_000],
    [429, { "retry-after": "Fri, 20 Nov 2026 12:00:30 GMT", date: "Fri, 20 Nov 2026 12:00:20 GMT" }, 10_000],
    [429, { "retry-after": "Fri, 20 Nov 2020 12:00:30 GMT" }, 0],
    [429, { "x-ratelimit-reset": String(Date.parse("2026-11-20T12:01:00Z") / 1_000) }, 60_000],
    [429, { "ratelimit-reset": "9" }, 9_000],
    [
      403,
      { "x-ratelimit-remaining": "0", "x-ratelimit-reset": String(Date.parse("2026-11-20T12:01:00Z") / 1_000) },
      60_000,
    ],
    [429, { "retry-after": "99999999999" }, 2_592_000_000],
    [429, { "retry-after": "soon" }, undefined],
    [500, { "retry-after": "7" }, undefined],
    [403, { "x-ratelimit-remaining": "5", "x-ratelimit-reset": "99" }, undefined],
  ])("%i with %j carries a wait of %s ms", async (status, headers, wait) => {
    const { details } = await errorOf(status, "", headers)
    expect((details as { retryAfterMs?: number } | undefined)?.retryAfterMs).toBe(wait)
  })

  it("that says the quota is used up is a rate limit, also as 403", async () => {
    expect(await errorOf(403, "", { "x-ratelimit-remaining": "0" })).toMatchObject({
      code: "rate_limited",
      status: 403,
      retryable: true,
    })
    expect(await errorOf(403, "")).toMatchObject({ code: "forbidden", status: 403, retryable: false })
  })
})
