/**
 * What a plugin returned is a result only when it has exactly that shape; an API's own look-alike is data.
 */
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { toToolResult } from "../../src/tool/ToolResult.ts"

const error = { code: "http_error", message: "No.", retryable: false }

describe("toToolResult", () => {
  it.each<[result: unknown]>([
    [{ ok: true, data: 1 }],
    [{ ok: true, data: undefined }],
    [{ ok: true, data: null, http: { status: 200, headers: {} } }],
    [{ ok: false, error }],
    [{ ok: false, error: { ...error, status: 503, details: { a: 1 } } }],
  ])("hands on %j", (result) => {
    expect(toToolResult(result)).toBe(result)
  })

  it.each<[value: unknown]>([
    [null],
    [0],
    ["text"],
    [[]],
    [{ ok: true }],
    [{ ok: true, data: 1, page: 2 }],
    [{ ok: "true", data: 1 }],
    [{ ok: false, error: "invalid_auth" }],
    [{ ok: false, error: null }],
    [{ ok: false, error: { code: 1, message: "No.", retryable: false } }],
    [{ ok: false, error: { code: "a", message: "No." } }],
    [{ ok: false, error, warning: "x" }],
    [{ ok: false }],
  ])("takes %j for data", (value) => {
    expect(toToolResult(value)).toEqual({ ok: true, data: value })
  })

  it("answers nothing with null", () => {
    expect(toToolResult(undefined)).toEqual({ ok: true, data: null })
  })

  it("never throws and always answers a result (property)", () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true, withBigInt: true, withMap: true }), (value) => {
        expect(typeof toToolResult(value).ok).toBe("boolean")
      }),
    )
  })
})
