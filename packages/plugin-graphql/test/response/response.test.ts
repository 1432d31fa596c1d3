import { ConnectionCredentialError, type SentResponse } from "@keyward/core"
import { describe, expect, it } from "vitest"
import { type AnsweredRequest, readResponse } from "../../src/response/response.ts"

interface Answer {
  readonly status?: number
  readonly headers?: Record<string, string>
  readonly body: unknown
}

const read = ({ status = 200, headers = {}, body }: Answer, request: Partial<AnsweredRequest> = {}) => {
  const text = typeof body === "string" ? body : JSON.stringify(body)
  const response: SentResponse = {
    status,
    headers,
    url: "https://api.example.com/graphql",
    text: () => Promise.resolve(text),
    json: () => Promise.resolve(JSON.parse(text) as unknown),
    bytes: () => Promise.resolve(new TextEncoder().encode(text)),
  }
  return readResponse(response, { connection: "tools.a.org.b", isMutation: false, field: "a", ...request })
}

const failing = (...errors: ReadonlyArray<object>) => ({ errors })

describe("data", () => {
  it("is the field's value, or all of it for the raw tool", async () => {
    const body = { data: { a: { b: 1 } }, extensions: { cost: 1 } }
    expect(await read({ body, headers: { "set-cookie": "s", etag: "e" } })).toEqual({
      ok: true,
      data: { b: 1 },
      http: { status: 200, headers: { etag: "e" } },
    })
    expect(await read({ body }, { field: undefined })).toMatchObject({ ok: true, data: { a: { b: 1 } } })
    expect(await read({ body: { data: { a: null } } })).toMatchObject({ ok: true, data: null })
    expect(await read({ body: { data: {} } }, { field: "constructor" })).toMatchObject({ ok: true, data: null })
  })

  it("with errors is a partial result, which holds both", async () => {
    const body = { data: { a: [1, null] }, ...failing({ message: "No.", path: ["a", 1] }) }
    expect(await read({ body })).toMatchObject({
      ok: false,
      error: {
        code: "partial_result",
        retryable: false,
        details: { data: [1, null], errors: [{ message: "No.", path: ["a", 1] }] },
      },
    })
    const changed = await read({ body }, { isMutation: true })
    expect(changed).toMatchObject({ error: { message: expect.stringContaining("may have had an effect") } })
  })
})

describe("errors without data", () => {
  it.each([
    [{ message: "x", extensions: { code: "FORBIDDEN" } }, "forbidden", false],
    [{ message: "x", type: "NOT_FOUND" }, "not_found", false],
    [{ message: "x", extensions: { code: "BAD_USER_INPUT" } }, "bad_request", false],
    [{ message: "x", extensions: { code: "THROTTLED" } }, "rate_limited", true],
    [{ message: "x", type: "RATE_LIMITED" }, "rate_limited", true],
    [{ message: "x", extensions: { code: "INTERNAL_SERVER_ERROR" } }, "upstream_error", false],
    [{ message: "PersistedQueryNotFound" }, "persisted_query_required", false],
    [{ message: "x", extensions: { code: "PERSISTED_QUERY_NOT_IN_LIST" } }, "persisted_query_required", false],
    [{ message: "Only persisted queries are allowed." }, "persisted_query_required", false],
    [{ message: "x" }, "graphql_error", false],
    [{}, "graphql_error", false],
  ])("are told apart: %j is %s", async (error, code, retryable) => {
    for (const data of [undefined, null, { a: null }]) {
      expect(await read({ body: { data, ...failing(error) } })).toMatchObject({ ok: false, error: { code, retryable } })
    }
  })

  it.each([
    [{ message: "x", extensions: { code: "UNAUTHENTICATED" } }, "connection_rejected"],
    [
      { message: "Authentication required, not authenticated", extensions: { code: "AUTHENTICATION_ERROR" } },
      "connection_rejected",
    ],
    [{ message: "Bad credentials" }, "connection_rejected"],
    [{ message: "Invalid API key" }, "connection_rejected"],
    [{ message: "x", type: "INSUFFICIENT_SCOPES" }, "insufficient_scope"],
  ])("that turn the credential down inside a 200 say so: %j", async (fault, code) => {
    const thrown: unknown = await read({ body: failing({ message: "other" }, fault) }).catch((one: unknown) => one)
    expect(thrown).toBeInstanceOf(ConnectionCredentialError)
    expect(thrown).toMatchObject({ code, connection: "tools.a.org.b", reason: "graphql_error", authRequired: true })
  })

  it.each([
    "The token field is required.",
    "Unauthenticated visitors are 3",
    "invalid tokenizer",
    "You authenticated it",
  ])("that only mention such words do not: %s", async (message) => {
    expect(await read({ body: failing({ message, extensions: { code: "OTHER" } }) })).toMatchObject({
      error: { code: "graphql_error" },
    })
  })

  it("with a status are GraphQL's whichever of the two types they have", async () => {
    for (const type of ["application/graphql-response+json; charset=utf-8", "application/json"]) {
      expect(
        await read({ status: 400, headers: { "content-type": type }, body: failing({ message: "Cannot query x." }) }),
      ).toMatchObject({
        error: {
          code: "bad_request",
          status: 400,
          message: expect.stringContaining("Cannot query x"),
          retryable: false,
        },
      })
    }
    expect(
      await read({ status: 503, headers: { "retry-after": "2" }, body: failing({ message: "later" }) }),
    ).toMatchObject({
      error: { code: "upstream_unavailable", retryable: true, details: { retryAfterMs: 2_000 } },
    })
    expect(await read({ status: 502, body: failing({ message: "x" }) }, { isMutation: true })).toMatchObject({
      error: { code: "upstream_error", retryable: false },
    })
  })

  it("are at most twenty, each short", async () => {
    const errors = Array.from({ length: 100 }, (_, index) => ({ message: `${index} ${"x".repeat(10_000)}` }))
    const result = await read({ body: { errors } })
    expect(JSON.stringify(result).length).toBeLessThan(20_000)
  })
})

describe("an answer that is none of GraphQL's", () => {
  it.each([
    [
      { body: "<html><body><h1>Welcome</h1></body></html>", headers: { "content-type": "text/html" } },
      "invalid_response",
    ],
    [{ body: "" }, "invalid_response"],
    [{ body: [] }, "invalid_response"],
    [{ body: { ok: true } }, "invalid_response"],
    [{ body: { data: 3 } }, "invalid_response"],
    [{ status: 404, body: "not here" }, "not_found"],
    [{ status: 500, body: { message: "boom" } }, "upstream_error"],
    [{ status: 504, body: "" }, "upstream_timeout"],
    [{ status: 302, body: "" }, "http_error"],
    [{ status: 418, body: { data: { a: 1 } } }, "http_error"],
  ] as const)("is told by its status: %j is %s", async (answer, code) => {
    expect(await read(answer)).toMatchObject({
      ok: false,
      error: { code, status: "status" in answer ? answer.status : 200 },
    })
  })
})
