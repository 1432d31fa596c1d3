/**
 * A credential goes to declared origins only: whatever a caller passes as URL, the bound one is at a declared origin.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { InvalidRequestError, OriginNotAllowedError } from "../../src/http/HttpError.ts"
import { bindUrl, type OriginBinding, parseOrigin } from "../../src/http/originBinding.ts"

const binding: OriginBinding = {
  baseUrl: "https://api.example.com/v1",
  origins: ["https://api.example.com", "https://upload.example.com:8443"],
}

const bind = (target: string | URL, to: OriginBinding = binding) => Effect.runSync(Effect.result(bindUrl(target, to)))

const bound = (target: string | URL, to?: OriginBinding): string => Result.getOrThrow(bind(target, to)).href

const refusal = (target: string | URL, to?: OriginBinding): Error =>
  Result.match(bind(target, to), {
    onSuccess: (url) => expect.unreachable(`bound to ${url.href}`),
    onFailure: (error) => error,
  })

describe("bindUrl", () => {
  it.each([
    ["/items", "https://api.example.com/v1/items"],
    ["items", "https://api.example.com/v1/items"],
    ["items?limit=2#top", "https://api.example.com/v1/items?limit=2#top"],
    ["", "https://api.example.com/v1"],
    ["?a=b", "https://api.example.com/v1?a=b"],
    ["/a/../b", "https://api.example.com/v1/b"],
    ["a%3Ab/c", "https://api.example.com/v1/a%3Ab/c"],
    ["https://api.example.com/v2", "https://api.example.com/v2"],
    ["HTTPS://API.EXAMPLE.COM:443/v2", "https://api.example.com/v2"],
    ["https://upload.example.com:8443/x", "https://upload.example.com:8443/x"],

    ["/search?path=C:\\temp", "https://api.example.com/v1/search?path=C:\\temp"],
  ])("resolves %j to %s", (target, href) => {
    expect(bound(target)).toBe(href)
  })

  it("appends to a base with and without a slash at its end, and drops the base's own query", () => {
    const under = (baseUrl: string): string => bound("/items", { ...binding, baseUrl })
    expect(under("https://api.example.com")).toBe("https://api.example.com/items")
    expect(under("https://api.example.com/")).toBe("https://api.example.com/items")
    expect(under("https://api.example.com/v1/")).toBe("https://api.example.com/v1/items")
    expect(under("https://api.example.com/v1?x=/y#z")).toBe("https://api.example.com/v1/items")
  })

  it.each([
    "https://evil.example",
    "http://api.example.com/",
    "https://api.example.com:444/",
    "https://api.example.com.evil.example/",
    "https://api.example.com./",
    "https:evil.example",
    "https:/evil.example",
    "https:///evil.example",
    "https://evil.example#@api.example.com",
    "https://evil.example?@api.example.com",
    "https://upload.example.com/",
    "https://аpi.example.com/",
  ])("refuses %s as another origin", (target) => {
    expect(refusal(target)).toBeInstanceOf(OriginNotAllowedError)
  })

  it.each([
    "//evil.example",
    "///evil.example",
    "\\\\evil.example",
    "/\\evil.example",
    "/\t/evil.example",
    "\t//evil.example",
    "ht\ntps://evil.example",
    "/items\r\nX-Injected: 1",
    "/items\u0000",
    "https://user@api.example.com/",
    "https://user:password@api.example.com/",
    "https://api.example.com\\@evil.example/",
    "https://:p@api.example.com/",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "data:text/plain,x",
    "blob:https://api.example.com/1",
    "ftp://api.example.com/",
    "ws://api.example.com/",
    "https://",
    "https://[",
    "https://a b/",
  ])("refuses %j as no usable URL", (target) => {
    expect(refusal(target)).toBeInstanceOf(InvalidRequestError)
  })

  it("keeps what only looks hostile inside the path", () => {
    for (const target of [
      "@evil.example",
      "/@evil.example",
      " //evil.example",
      "/..;/x",
      "/%2e%2e%2fx",
      "/%5cevil",
      ".evil.example",
    ]) {
      expect(new URL(bound(target)).origin).toBe("https://api.example.com")
    }
  })

  it("sends nowhere without origins, and nowhere relative without a base URL", () => {
    expect(refusal("https://api.example.com/", { baseUrl: null, origins: [] })).toBeInstanceOf(OriginNotAllowedError)
    expect(refusal("/items", { baseUrl: null, origins: binding.origins })).toBeInstanceOf(InvalidRequestError)
  })

  it("binds a copy, so that a URL changed after it was judged changes nothing", () => {
    const target = new URL("https://api.example.com/items")
    const result = Result.getOrThrow(bind(target))
    target.host = "evil.example"
    expect(result.href).toBe("https://api.example.com/items")
  })

  it("judges what an object says once, however often it changes its mind", () => {
    let reads = 0
    const shifty = new URL("https://evil.example/")
    const say = (): string => ((reads += 1) === 1 ? "https://api.example.com/items" : "https://evil.example/")
    Object.defineProperties(shifty, {
      href: { get: say },
      toString: { value: say },
      origin: { value: "https://api.example.com" },
    })
    const result = Result.getOrThrow(bind(shifty))
    expect(Object.getPrototypeOf(result)).toBe(URL.prototype)
    expect(result.href).toBe("https://api.example.com/items")
    expect(refusal(shifty)).toBeInstanceOf(OriginNotAllowedError)
  })

  const hostile = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.webUrl({ withFragments: true, withQueryParameters: true }),
    fc
      .array(
        fc.constantFrom(
          "/",
          "//",
          "\\",
          "@",
          ":",
          "?",
          "#",
          ".",
          "..",
          "..;",
          "%2f",
          "%252f",
          "%5c",
          "%40",
          "%00",
          "\t",
          "\r\n",
          " ",
          "https:",
          "http:",
          "javascript:",
          "evil.example",
          "api.example.com",
          "upload.example.com:8443",
          "[::1]",
          "127.0.0.1",
          "user:pw@",
          "\u3002",
          "\uff0f",
          "\u2044",
          "\u00ad",
          "a",
          "v1",
          ";",
          "&",
          "=",
          "{x}",
        ),
        { maxLength: 8 },
      )
      .map((parts) => parts.join("")),
  )

  it("never binds to an undeclared origin, a user or another protocol (property)", () => {
    const bases = fc.constantFrom(
      null,
      "https://api.example.com",
      "https://api.example.com/v1/",
      "https://upload.example.com:8443/a?b#c",
    )
    fc.assert(
      fc.property(hostile, bases, (target, baseUrl) => {
        const result = bind(target, { ...binding, baseUrl })
        if (Result.isFailure(result)) return
        expect(binding.origins).toContain(result.success.origin)
        expect(result.success.username + result.success.password).toBe("")
        // What the transport parses is what was judged.
        expect(new URL(result.success.href).origin).toBe(result.success.origin)
      }),
      { numRuns: 3000 },
    )
  })

  it("stays at the base URL's origin for every relative reference (property)", () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const result = bind(`/${text.replace(/^\/+/, "")}`)
        if (Result.isSuccess(result)) expect(result.success.origin).toBe("https://api.example.com")
      }),
      { numRuns: 3000 },
    )
  })
})

describe("parseOrigin", () => {
  it("normalizes what is an origin", () => {
    expect(parseOrigin("HTTPS://API.example.com:443/")).toEqual({ origin: "https://api.example.com" })
    expect(parseOrigin("http://127.1:8080")).toEqual({ origin: "http://127.0.0.1:8080" })
  })

  it.each([
    "",
    "api.example.com",
    "/",
    "*",
    "ftp://a",
    "javascript:1",
    "null",
    "https://user@a",
    "https://:pw@a",
    "https://a/path",
    "https://a/?q",
    "https://a/#f",
  ])("says what is wrong with %j", (text) => {
    expect(parseOrigin(text)).toHaveProperty("fault")
  })
})
