/**
 * Where values land on a request, what cannot be placed, and finding a secret again in every spelling of it.
 */
import { canary, CanaryScanner } from "@keyward/core/testing"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { applyAuth, CredentialNotPlaceableError, isSameCredential } from "../../src/auth/applyAuth.ts"
import { type AuthTemplate, compileTemplate, variable } from "../../src/auth/AuthTemplate.ts"
import type { RequestAuthorizer, WireRequest } from "../../src/http/Wire.ts"

const valuesOf = (values: Readonly<Record<string, string>>) =>
  new Map(Object.entries(values).map(([name, value]) => [name, Redacted.make(value)]))

const authorizerFor = (template: AuthTemplate, values: Readonly<Record<string, string>>): RequestAuthorizer =>
  Result.getOrThrow(applyAuth(compileTemplate(template), valuesOf(values)))

const failureFor = (template: AuthTemplate, values: Readonly<Record<string, string>>): CredentialNotPlaceableError =>
  Result.match(applyAuth(compileTemplate(template), valuesOf(values)), {
    onSuccess: () => expect.unreachable("the value was placed"),
    onFailure: (error) => error,
  })

const request = (parts: Partial<WireRequest> = {}): WireRequest => ({
  method: "GET",
  url: new URL("https://api.example.com/items"),
  headers: {},
  body: null,
  ...parts,
})

const header: AuthTemplate = { slug: "k", type: "apiKey", headers: { "X-API-Key": [variable("token")] } }
const query: AuthTemplate = { slug: "k", type: "apiKey", queryParams: { api_key: [variable("token")] } }
const cookie: AuthTemplate = { slug: "k", type: "apiKey", cookies: { sid: [variable("token")] } }
const basic: AuthTemplate = { slug: "b", type: "basic" }

const queryAfter = (search: string, template: AuthTemplate, values: Readonly<Record<string, string>>): string =>
  authorizerFor(template, values).authorize(request({ url: new URL(`https://api.example.com/items${search}`) })).url
    .search

const cookieAfter = (given: string | undefined, value = "new"): string | undefined =>
  authorizerFor(cookie, { token: value }).authorize(request({ headers: given === undefined ? {} : { cookie: given } }))
    .headers["cookie"]

describe("placing", () => {
  it("sends a bearer token, an OAuth access token and a basic pair as Authorization", () => {
    const bearer = authorizerFor({ slug: "t", type: "bearer" }, { token: "abc" }).authorize(request())
    const oauth = authorizerFor({ slug: "t", type: "oauth2" }, { token: "abc" }).authorize(request())
    const pair = authorizerFor(basic, { username: "Aladdin", password: "open sesame" }).authorize(request())
    expect(bearer.headers).toEqual({ authorization: "Bearer abc" })
    expect(oauth.headers).toEqual({ authorization: "Bearer abc" })
    // RFC 7617, section 2.
    expect(pair.headers).toEqual({ authorization: "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==" })
  })

  it("encodes a basic pair as UTF-8 and keeps colons in the password", () => {
    const { headers } = authorizerFor(basic, { username: "test", password: "12:3£" }).authorize(request())
    // RFC 7617, section 2.1, has 123£ as MTIzwqM=.
    expect(Buffer.from((headers["authorization"] ?? "").slice(6), "base64").toString("utf8")).toBe("test:12:3£")
  })

  it("sends an API key that stands alone as the user name of a basic pair", () => {
    const { headers } = authorizerFor(basic, { username: "sk_live_1", password: "" }).authorize(request())
    expect(headers["authorization"]).toBe(`Basic ${btoa("sk_live_1:")}`)
  })

  it("fills several variables and literals in several places", () => {
    const template: AuthTemplate = {
      slug: "k",
      type: "apiKey",
      headers: { "DD-API-KEY": [variable("api")], "X-Signed": ["v1=", variable("api"), ";k=", variable("app")] },
      queryParams: { app: [variable("app")], version: ["2"] },
      cookies: { sid: ["s-", variable("api")] },
    }
    const sent = authorizerFor(template, { api: "A1", app: "B/2" }).authorize(request())
    expect(sent.headers).toEqual({ "dd-api-key": "A1", "x-signed": "v1=A1;k=B/2", cookie: "sid=s-A1" })
    expect(sent.url.search).toBe("?app=B%2F2&version=2")
    expect(compileTemplate(template).variables).toEqual(["api", "app"])
  })

  it("replaces the caller's header of that name and leaves method, body and other headers alone", () => {
    const given = request({ method: "POST", body: "text", headers: { "x-api-key": "forged", accept: "*/*" } })
    const sent = authorizerFor(header, { token: "real" }).authorize(given)
    expect(sent).toMatchObject({ ...given, headers: { "x-api-key": "real", accept: "*/*" } })
    expect(given.headers["x-api-key"]).toBe("forged")
  })

  it("does not touch the caller's request or URL", () => {
    const given = request({ url: new URL("https://api.example.com/items?a=1"), headers: { cookie: "a=1" } })
    authorizerFor(query, { token: "t" }).authorize(given)
    authorizerFor(cookie, { token: "t" }).authorize(given)
    expect(given.url.href).toBe("https://api.example.com/items?a=1")
    expect(given.headers).toEqual({ cookie: "a=1" })
  })

  it.each([
    ["?api_key=forged", "?api_key=real"],
    ["?api_key=1&api_key=2&api_key", "?api_key=real"],
    ["?api%5Fkey=forged", "?api_key=real"],
    ["?%61%70i_key=forged", "?api_key=real"],
    ["?API_KEY=other&api_key=forged", "?API_KEY=other&api_key=real"],
    ["?a=1&&b=x+y%20z&c=%zz&api_key=forged&d", "?a=1&b=x+y%20z&c=%zz&d&api_key=real"],
    ["", "?api_key=real"],
    ["?", "?api_key=real"],
  ])("replaces the parameter in %s, however its name is spelled", (before, after) => {
    expect(queryAfter(before, query, { token: "real" })).toBe(after)
  })

  it("replaces a parameter whose name has a space, written with a plus too", () => {
    const template: AuthTemplate = { slug: "k", type: "apiKey", queryParams: { "api key": [variable("token")] } }
    expect(queryAfter("?api+key=1&api%20key=2", template, { token: "real" })).toBe("?api%20key=real")
  })

  it("keeps a value in one parameter (property)", () => {
    const text = fc.string({ unit: "grapheme", minLength: 1 })
    fc.assert(
      fc.property(text, text, fc.webQueryParameters(), (name, value, search) => {
        const template: AuthTemplate = { slug: "k", type: "apiKey", queryParams: { [name]: [variable("token")] } }
        fc.pre(name !== "__proto__")
        const url = new URL(`https://api.example.com/items?${search}`)
        const sent = authorizerFor(template, { token: value }).authorize(request({ url })).url
        expect(sent.searchParams.getAll(name)).toEqual([value])
        expect(sent.origin + sent.pathname + sent.hash).toBe("https://api.example.com/items")
        for (const other of new Set(url.searchParams.keys())) {
          if (other !== name) expect(sent.searchParams.getAll(other)).toEqual(url.searchParams.getAll(other))
        }
      }),
    )
  })

  it("merges cookies and replaces the one of its name", () => {
    expect(cookieAfter(undefined)).toBe("sid=new")
    expect(cookieAfter("")).toBe("sid=new")
    expect(cookieAfter("a=1; b=2")).toBe("a=1; b=2; sid=new")
    expect(cookieAfter("a=1;sid=forged; sid =forged;sid;b=2")).toBe("a=1; b=2; sid=new")
    expect(cookieAfter("xsid=1; SID=2")).toBe("xsid=1; SID=2; sid=new")
  })

  it("tells which headers it places, the cookie header included", () => {
    const both = authorizerFor({ ...cookie, ...header, cookies: { sid: [variable("token")] } }, { token: "t" })
    expect(["x-api-key", "cookie", "authorization", "X-API-Key"].map((name) => both.places(name))).toEqual([
      true,
      true,
      false,
      false,
    ])
    expect(authorizerFor(query, { token: "t" }).places("cookie")).toBe(false)
  })

  it("places nothing for the template none", () => {
    const authorizer = authorizerFor({ slug: "none", type: "none" }, {})
    const given = request()
    expect(authorizer.authorize(given)).toBe(given)
    expect(authorizer.places("authorization") || authorizer.carries("anything")).toBe(false)
  })
})

describe("values that cannot be placed", () => {
  it.each([
    ["a line feed", "key\n"],
    ["CR LF and a header", "key\r\nx-admin: 1"],
    ["a NUL", "key\0"],
    ["a delete", "key\u007f"],
    ["letters beyond latin1", "密钥"],
    ["a lone surrogate", "\ud800"],
  ])("refuses %s in a header, without quoting it", (_, value) => {
    const secret = canary("header") + value
    const error = failureFor(header, { token: secret })
    expect(error).toBeInstanceOf(CredentialNotPlaceableError)
    expect(error).toMatchObject({ location: "header", name: "x-api-key", httpStatus: 400 })
    new CanaryScanner([secret, secret.slice(0, -value.length)]).expectNone(error, "the error")
  })

  it("accepts tabs and latin1 in a header", () => {
    expect(authorizerFor(header, { token: "a\té" }).authorize(request()).headers["x-api-key"]).toBe("a\té")
  })

  it.each([";", ",", " ", '"', "\\", "é", "\n", "\0"])("refuses %j in a cookie", (character) => {
    expect(failureFor(cookie, { token: `a${character}b` })).toMatchObject({ location: "cookie", name: "sid" })
  })

  it("sends anything well-formed in a query, encoded, and refuses what is not", () => {
    expect(queryAfter("", query, { token: "a&b=c#d e\r\n+%密" })).toBe(
      "?api_key=a%26b%3Dc%23d%20e%0D%0A%2B%25%E5%AF%86",
    )
    expect(failureFor(query, { token: "\udc00" })).toMatchObject({ location: "query", name: "api_key" })
  })

  it("refuses a colon in a basic user name, which would become part of the password", () => {
    expect(failureFor(basic, { username: "a:b", password: "c" })).toMatchObject({ name: "authorization" })
  })

  it("sends a basic pair with line breaks, which base64 hides from the header", () => {
    const { headers } = authorizerFor(basic, { username: "a", password: "b\r\nc" }).authorize(request())
    expect(headers["authorization"]).toBe(`Basic ${btoa("a:b\r\nc")}`)
  })

  it("refuses a missing value", () => {
    expect(failureFor(header, {})).toBeInstanceOf(CredentialNotPlaceableError)
  })

  it("places an empty value as it is; creating a connection with one is refused elsewhere", () => {
    expect(authorizerFor(header, { token: "" }).authorize(request()).headers["x-api-key"]).toBe("")
    expect(authorizerFor(header, { token: "" }).carries("")).toBe(false)
    expect(authorizerFor(header, { token: "" }).redact("text")).toBe("text")
  })
})

const percentAll = (text: string): string =>
  Array.from(Buffer.from(text, "utf8"), (byte) => `%${byte.toString(16).padStart(2, "0")}`).join("")

const spellings: ReadonlyArray<readonly [name: string, spell: (text: string) => string]> = [
  ["in clear", (text) => text],
  ["percent-encoded", encodeURIComponent],
  ["percent-encoded in small digits", (text) => encodeURIComponent(text).replace(/%../g, (code) => code.toLowerCase())],
  ["percent-encoded in every character", percentAll],
  ["percent-encoded twice", (text) => encodeURIComponent(encodeURIComponent(text))],
  ["percent-encoded three times, small at first", (text) => encodeURIComponent(encodeURIComponent(percentAll(text)))],
  ["form-encoded", (text) => new URLSearchParams({ v: text }).toString().slice(2)],
  ["JSON-encoded", (text) => JSON.stringify(text).slice(1, -1)],
  ["JSON-encoded twice", (text) => JSON.stringify(JSON.stringify(text)).slice(3, -3)],
  ["JSON-encoded with escaped slashes", (text) => JSON.stringify(text).slice(1, -1).replaceAll("/", "\\/")],
  [
    "JSON-encoded in ASCII",
    (text) =>
      JSON.stringify(text)
        .slice(1, -1)
        .replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`),
  ],
  ["JSON-encoded and then percent-encoded", (text) => encodeURIComponent(JSON.stringify(text).slice(1, -1))],
  ["in base64", (text) => Buffer.from(text).toString("base64")],
  ["in base64url", (text) => Buffer.from(text).toString("base64url")],
  ["as bytes read one by one", (text) => Buffer.from(text).toString("latin1")],
]

describe("finding secrets again", () => {
  const secret = `${canary("token")}/+=?&"\\ é密`

  it.each(spellings)("carries and redacts a secret %s", (_, spell) => {
    const authorizer = authorizerFor(query, { token: secret })
    const text = `before=${spell(secret)}&after`
    expect(authorizer.carries(text)).toBe(true)
    const redacted = authorizer.redact(text)
    // A mixture that no pattern takes apart is redacted whole.
    expect(redacted).toMatch(/^(before=.*<redacted>.*&after|<redacted>)$/s)
    expect(authorizer.carries(redacted)).toBe(false)
    new CanaryScanner([secret, secret.slice(0, 40)]).expectNone(redacted, "the redacted text")
  })

  it("leaves nothing of any secret that it carries, in any spelling and any company (property)", () => {
    const character = fc.oneof(
      fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 1 }),
      fc.constantFrom("é", "密", "😀"),
    )
    const text = fc.string({ unit: character, minLength: 8, maxLength: 40 }).map((some) => `k${some}`)
    const company = fc.string({ unit: fc.constantFrom("a", "1", "-", "&", "=", " ", "{", '"', ":", "\n", "é") })
    fc.assert(
      fc.property(text, company, company, fc.constantFrom(...spellings), (value, before, after, [, spell]) => {
        const authorizer = authorizerFor(query, { token: value })
        const whole = `${before} ${spell(value)} ${after}`
        expect(authorizer.carries(whole)).toBe(true)
        expect(authorizer.carries(authorizer.redact(whole))).toBe(false)
      }),
      { numRuns: 500 },
    )
  })

  it("finds both values of several, and a longer one before the shorter it contains", () => {
    const template: AuthTemplate = { slug: "k", type: "apiKey", headers: { a: [variable("a")], b: [variable("b")] } }
    const authorizer = authorizerFor(template, { a: "secret-1", b: "secret-1-and-more" })
    expect(authorizer.redact("x secret-1 y secret-1-and-more z")).toBe("x <redacted> y <redacted> z")
  })

  it("finds the value of a Basic header, and the password alone", () => {
    const password = canary("password")
    const authorizer = authorizerFor(basic, { username: "aladdin", password })
    const { headers } = authorizer.authorize(request())
    const sent = headers["authorization"] ?? ""
    expect(authorizer.redact(`got ${sent}`)).toMatch(/^got Basic <redacted>=*$/)
    expect(authorizer.redact(JSON.stringify({ user: "aladdin", password }))).toBe(
      '{"user":"aladdin","password":"<redacted>"}',
    )
  })

  it("leaves a basic user name readable, unless it stands alone as a key does", () => {
    expect(authorizerFor(basic, { username: "aladdin", password: "open sesame" }).redact("hi aladdin")).toBe(
      "hi aladdin",
    )
    expect(authorizerFor(basic, { username: "sk_live_1", password: "" }).redact("hi sk_live_1")).toBe("hi <redacted>")
  })

  it("redacts a variable called username in other families", () => {
    const template: AuthTemplate = { slug: "k", type: "apiKey", headers: { a: [variable("username")] } }
    expect(authorizerFor(template, { username: "topsecret" }).redact("hi topsecret")).toBe("hi <redacted>")
  })

  it("does not look for values so short that they are ordinary text", () => {
    const authorizer = authorizerFor(basic, { username: "a", password: "" })
    expect(authorizer.redact("banana YTo= a")).toBe("banana YTo= a")
    expect(authorizerFor(header, { token: "12345" }).carries("12345")).toBe(false)
  })

  it("takes text without the secret as it is, escapes included", () => {
    const authorizer = authorizerFor(query, { token: secret })
    for (const text of ["", "100%", "%41%zz%", '{"a":"\\u0041\\/"}', "\\", "%", "<redacted>", "\ud800"]) {
      expect(authorizer.redact(text)).toBe(text)
      expect(authorizer.carries(text)).toBe(false)
    }
  })

  it("takes a secret full of pattern characters literally", () => {
    const authorizer = authorizerFor(header, { token: ".*+?^${}()|[]\\" })
    expect(authorizer.redact("a.*+?^${}()|[]\\b")).toBe("a<redacted>b")
    expect(authorizer.redact(`a${percentAll(".*+?^${}()|[]\\")}b`)).toBe("a<redacted>b")
    expect(authorizer.carries("anything %41 else entirely")).toBe(false)
  })
})

describe("isSameCredential", () => {
  it("compares names and values", () => {
    const one = valuesOf({ a: "1", b: "2" })
    expect(isSameCredential(one, valuesOf({ b: "2", a: "1" }))).toBe(true)
    expect(isSameCredential(one, valuesOf({ a: "1", b: "3" }))).toBe(false)
    expect(isSameCredential(one, valuesOf({ a: "1" }))).toBe(false)
    expect(isSameCredential(one, valuesOf({ a: "1", c: "2" }))).toBe(false)
  })
})
