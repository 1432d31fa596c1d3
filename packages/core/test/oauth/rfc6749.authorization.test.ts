/**
 * RFC 6749, sections 3.1 and 4.1: the authorization request and its response, without the extensions that have files of their own.
 */
import { canary, CanaryScanner } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { OAuthQuirks } from "../../src/auth/OAuthQuirks.ts"
import { authorizationRequest, hashState, newState } from "../../src/oauth/AuthorizationRequest.ts"
import {
  type Callback,
  type CallbackInput,
  isAtRedirectUri,
  readAuthorizationResponse,
  readCallback,
} from "../../src/oauth/AuthorizationResponse.ts"
import type { OAuthCompleteError } from "../../src/oauth/OAuthError.ts"
import { request, server, unreachable } from "./authorization.ts"

const addressOf = async (input: Parameters<typeof request>[0] = {}): Promise<URL> =>
  new URL(await Effect.runPromise(authorizationRequest(request(input))))

const refusalOf = (input: Parameters<typeof request>[0]) =>
  Effect.runPromise(Effect.flip(authorizationRequest(request(input))))

describe("an authorization request", () => {
  it("carries what section 4.1.1 names, and makes no network call", async () => {
    const { state } = newState()
    const address = await addressOf({ state, scope: "files:read files:write", http: unreachable })
    expect(`${address.origin}${address.pathname}`).toBe("https://as.example/authorize")
    expect(Object.fromEntries(address.searchParams)).toEqual({
      response_type: "code",
      client_id: "the client",
      redirect_uri: "http://127.0.0.1:4319/oauth/callback",
      scope: "files:read files:write",
      state: Redacted.value(state),
      code_challenge: expect.stringMatching(/^[\w-]{43}$/) as string,
      code_challenge_method: "S256",
    })
  })

  it("leaves the scope out where none is asked for", async () => {
    expect((await addressOf({ scope: null })).searchParams.has("scope")).toBe(false)
  })

  it("keeps the endpoint's own query as it is spelled", async () => {
    const address = await addressOf({
      server: server({ authorizationUrl: "https://as.example/a?tenant=x%20y&flag&z=~*" }),
    })
    expect(address.search).toMatch(/^\?tenant=x%20y&flag&z=~\*&response_type=code&/)
  })

  it("overrides protocol parameters in the endpoint's own query instead of sending them twice", async () => {
    const authorizationUrl = "https://as.example/a?state=fixed&tenant=x&redirect_uri=https%3A%2F%2Fevil.example"
    const { searchParams } = await addressOf({ server: server({ authorizationUrl }) })
    expect(searchParams.getAll("state")).toHaveLength(1)
    expect(searchParams.get("state")).not.toBe("fixed")
    expect(searchParams.getAll("redirect_uri")).toEqual(["http://127.0.0.1:4319/oauth/callback"])
    expect(searchParams.get("tenant")).toBe("x")
  })

  it("writes spaces so that readers of forms and of URLs see the same, and a plus sign as itself", async () => {
    const address = await addressOf({ scope: "a b+c" })
    expect(address.search).toContain("scope=a%20b%2Bc")
  })

  it("adds provider parameters", async () => {
    const { searchParams } = await addressOf({
      params: { access_type: "offline", prompt: "consent", response_mode: "query" },
    })
    expect(searchParams.get("access_type")).toBe("offline")
    expect(searchParams.get("prompt")).toBe("consent")
    expect(searchParams.get("response_mode")).toBe("query")
  })

  it.each([
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "State",
    "resource",
    "code_challenge",
    "code_challenge_method",
    "dpop_jkt",
    "request",
    "request_uri",
    "client_secret",
    "client_key",
    "user_scope",
  ])("is refused when a provider parameter is called %s", async (name) => {
    const quirks: OAuthQuirks = { clientIdParameter: "client_key", scopeParameter: "user_scope" }
    const value = canary("value")
    const error = await refusalOf({ params: { [name]: value }, quirks })
    expect(error).toMatchObject({ _tag: "OAuthStartError", reason: "reserved_parameter", retryable: false })
    expect(error.message).toContain(JSON.stringify(name))
    new CanaryScanner([value]).expectNone(error, "the refusal")
  })

  it("is not upset by provider parameters named like parts of a prototype", async () => {
    const params = JSON.parse('{"__proto__":"a","constructor":"b"}') as Record<string, string>
    const { searchParams } = await addressOf({ params })
    expect([searchParams.get("__proto__"), searchParams.get("constructor")]).toEqual(["a", "b"])
  })

  it("follows the quirks for the names of the scope and the client, and for what is between scopes", async () => {
    const quirks: OAuthQuirks = { clientIdParameter: "client_key", scopeParameter: "user_scope", scopeSeparator: "," }
    const { searchParams } = await addressOf({ scope: "a b", quirks })
    expect(searchParams.get("client_key")).toBe("the client")
    expect(searchParams.get("user_scope")).toBe("a,b")
    expect(searchParams.has("client_id")).toBe(false)
    expect(searchParams.has("scope")).toBe(false)
  })

  it.each([
    "javascript:alert(1)//https://as.example",
    "data:text/html,x",
    "file:///etc/passwd",
    "vbscript:x",
    "http://as.example/authorize",
    "https://user@as.example/authorize",
    "https://user:secret@as.example/authorize",
    "https://as.example/authorize#part",
    "ftp://as.example",
    "//as.example/authorize",
    "not an address",
    "",
  ])("does not send anybody to %j", async (authorizationUrl) => {
    const error = await refusalOf({ server: server({ authorizationUrl }) })
    expect(error).toMatchObject({ _tag: "OAuthStartError", reason: "insecure_endpoint" })
  })

  it("may go to plain http on this machine", async () => {
    const address = await addressOf({ server: server({ authorizationUrl: "http://127.0.0.1:9000/authorize" }) })
    expect(address.host).toBe("127.0.0.1:9000")
  })

  it("is refused where the server has no authorization endpoint", async () => {
    const error = await refusalOf({ server: server({ authorizationUrl: null }) })
    expect(error.reason).toBe("authorization_endpoint_missing")
  })

  it.each(["/callback", "https://app.example/callback#part"])(
    "is refused for the redirect URI %j",
    async (redirectUri) => {
      expect((await refusalOf({ redirectUri })).reason).toBe("invalid_redirect_uri")
    },
  )
})

describe("state", () => {
  it("has 256 bits, is new each time, and is stored as a hash only", () => {
    const states = Array.from({ length: 100 }, newState)
    expect(new Set(states.map(({ state }) => Redacted.value(state))).size).toBe(100)
    for (const { state, stateHash } of states) {
      expect(Buffer.from(Redacted.value(state), "base64url")).toHaveLength(32)
      expect(stateHash).toBe(hashState(Redacted.value(state)))
    }
    new CanaryScanner(states.map(({ state }) => Redacted.value(state))).expectNone(states, "what newState answers")
  })

  it("is hashed with SHA-256", () => {
    // FIPS 180-4 test vector "abc".
    expect(hashState("abc")).toBe("ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0")
  })
})

const callbackUrl = (query: string): string => `http://127.0.0.1:4319/oauth/callback${query}`

const taken = (input: CallbackInput): Callback => Result.getOrThrow(readCallback(input))

const refusedCallback = (input: unknown): OAuthCompleteError => {
  const read = readCallback(input as CallbackInput)
  if (Result.isSuccess(read)) throw new Error("The callback was accepted.")
  return read.failure
}

describe("a callback", () => {
  it("gives state, parameters and the place that it arrived at", () => {
    const callback = taken({ callbackUrl: callbackUrl("?code=c&state=s&iss=i&extra=1") })
    expect(callback.state).toBe("s")
    expect(callback.location).toBe(callbackUrl(""))
    expect(Object.fromEntries(callback.parameters)).toEqual({ code: "c", state: "s", iss: "i", extra: "1" })
  })

  it("may be given as its parts", () => {
    const callback = taken({ state: "s", code: "c", iss: "i" })
    expect(callback.location).toBeNull()
    expect(Object.fromEntries(callback.parameters)).toEqual({ code: "c", state: "s", iss: "i" })
    expect(taken({ state: "s", code: "c" }).parameters.has("iss")).toBe(false)
  })

  it("is read without its fragment, which may hold anything", () => {
    const callback = taken({ callbackUrl: callbackUrl("?code=c&state=s#state=evil&code=evil&error=access_denied") })
    expect(Object.fromEntries(callback.parameters)).toEqual({ code: "c", state: "s" })
    expect(refusedCallback({ callbackUrl: callbackUrl("#code=c&state=s") }).reason).toBe("state_missing")
  })

  it.each(["state", "code", "iss", "error", "error_description", "error_uri"])("is refused with two of %s", (name) => {
    const [first, second] = [canary("first"), canary("second")]
    const error = refusedCallback({ callbackUrl: callbackUrl(`?code=c&state=s&${name}=${first}&${name}=${second}`) })
    expect(error.reason).toBe("duplicate_parameter")
    new CanaryScanner([first, second]).expectNone(error, "the refusal")
  })

  it("is not refused for parameters that nobody knows, twice or not", () => {
    expect(taken({ callbackUrl: callbackUrl("?code=c&state=s&x=1&x=2&session_state=3") }).state).toBe("s")
  })

  it.each(["?code=c", "?code=c&state=", "", "?", "?error=access_denied"])("is refused without a state: %j", (query) => {
    expect(refusedCallback({ callbackUrl: callbackUrl(query) }).reason).toBe("state_missing")
  })

  it.each([
    undefined,
    null,
    callbackUrl("?code=c&state=s"),
    { callbackUrl: "/oauth/callback?code=c&state=s" },
    { callbackUrl: "?code=c&state=s" },
    { callbackUrl: "" },
    { callbackUrl: 7 },
    { callbackUrl: undefined },
    { callbackUrl: callbackUrl(`?state=s&code=${"c".repeat(70_000)}`) },
    { state: ["s"], code: "c" },
    { state: "s", code: { length: 1 } },
    { state: null, code: "c" },
  ])("is refused when it is not one: %#", (input) => {
    expect(refusedCallback(input).reason).toBe("invalid_callback")
  })

  it("gives an answer to any text at all, and never repeats it", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: "binary" }), fc.webUrl({ withQueryParameters: true, withFragments: true })),
        fc.webQueryParameters(),
        (start, query) => {
          const secret = canary("code")
          const read = readCallback({ callbackUrl: `${start}?code=${secret}&${query}` })
          if (Result.isFailure(read)) new CanaryScanner([secret]).expectNone(read.failure, "the refusal")
          else expect(read.success.state).not.toBe("")
        },
      ),
    )
  })

  it("reads any state and code back as they were written", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string(), (state, code) => {
        const query = new URLSearchParams({ code, state })
        const callback = taken({ callbackUrl: callbackUrl(`?${query.toString()}`) })
        expect(callback.state).toBe(state)
        expect(callback.parameters.get("code")).toBe(code)
      }),
    )
  })
})

describe("the place that a callback arrived at", () => {
  const arrived = (at: string, redirectUri: string): boolean =>
    isAtRedirectUri(taken({ callbackUrl: `${at}${at.includes("?") ? "&" : "?"}code=c&state=s` }), redirectUri)

  it("is the redirect URI, whatever else its query holds", () => {
    expect(arrived("https://app.example/cb", "https://app.example/cb")).toBe(true)
    expect(arrived("https://app.example/cb?tenant=a", "https://app.example/cb?tenant=a")).toBe(true)
    expect(arrived("com.example.app:/cb", "com.example.app:/cb")).toBe(true)
  })

  it.each([
    ["https://app.example/other", "https://app.example/cb"],
    ["https://app.example/cb/", "https://app.example/cb"],
    ["https://app.example:8443/cb", "https://app.example/cb"],
    ["http://app.example/cb", "https://app.example/cb"],
    ["https://evil.example/cb", "https://app.example/cb"],
    ["https://x@app.example/cb", "https://app.example/cb"],
    ["https://app.example/cb?tenant=b", "https://app.example/cb?tenant=a"],
    ["https://app.example/cb", "not an address"],
  ])("is not another place: %s for %s", (at, redirectUri) => {
    expect(arrived(at, redirectUri)).toBe(false)
  })

  it("is not known where only state and code were given", () => {
    expect(isAtRedirectUri(taken({ state: "s", code: "c" }), "https://app.example/cb")).toBe(true)
  })
})

const tokenUrl = "https://accounts.example.com/oauth/token?v=2"
const session = { server: { issuer: null, tokenUrl, revocationUrl: null, isIssRequired: false } }

const answered = (query: Record<string, string> | string, quirks: OAuthQuirks = {}) =>
  readAuthorizationResponse(new URLSearchParams(query), session, quirks)

const refusedAnswer = (query: Record<string, string> | string, quirks: OAuthQuirks = {}): OAuthCompleteError => {
  const read = answered(query, quirks)
  if (Result.isSuccess(read)) throw new Error("The response was accepted.")
  return read.failure
}

describe("an authorization response", () => {
  it("gives the code, wrapped", () => {
    const code = canary("code")
    const response = Result.getOrThrow(answered({ code, state: "s" }))
    expect(Redacted.value(response.code)).toBe(code)
    expect(response).not.toHaveProperty("tokenUrl")
    new CanaryScanner([code]).expectNone(response, "the response")
  })

  it.each([{}, { code: "" }])("is refused without a code: %j", (query) => {
    expect(refusedAnswer({ state: "s", ...query }).reason).toBe("code_missing")
  })

  it("tells a denial apart, even when a code came with it", () => {
    const error = refusedAnswer({ error: "access_denied", code: "c", state: "s" })
    expect(error).toMatchObject({ _tag: "OAuthCompleteError", reason: "access_denied", retryable: false })
  })

  it("knows a provider's word for a denial by its quirk", () => {
    const quirks: OAuthQuirks = { errorCodes: { user_cancelled_login: "access_denied" } }
    expect(refusedAnswer({ error: "user_cancelled_login" }, quirks).reason).toBe("access_denied")
  })

  it("passes on the registry's codes, and says which of them may go away by themselves", () => {
    expect(refusedAnswer({ error: "invalid_scope" })).toMatchObject({ reason: "invalid_scope", retryable: false })
    expect(refusedAnswer({ error: "temporarily_unavailable" })).toMatchObject({ retryable: true })
    expect(refusedAnswer({ error: "server_error" })).toMatchObject({ retryable: true })
  })

  it("does not take another word for a reason of ours", () => {
    expect(refusedAnswer({ error: "iss_mismatch" }).reason).toBe("authorization_failed")
    expect(refusedAnswer({ error: "constructor" }).reason).toBe("authorization_failed")
    expect(refusedAnswer({ error: "" }).reason).toBe("authorization_failed")
  })

  it("shows an unknown code that looks like one, and nothing else of what the server said", () => {
    expect(refusedAnswer({ error: "odd_code" }).message).toContain("odd_code")
    const [echo, description, uri] = [canary("echo"), canary("description"), canary("uri")]
    const scanner = new CanaryScanner([echo, description, uri])
    const query = { error: "odd_code", error_description: description, error_uri: `https://x.example/${uri}` }
    scanner.expectNone(refusedAnswer(query), "the error")
    scanner.expectNone(refusedAnswer({ error: echo }), "the error that echoes")
    fc.assert(
      fc.property(fc.string({ unit: "binary", minLength: 8 }), (error) => {
        fc.pre(!/^[A-Za-z_.-]{1,64}$/.test(error))
        const refusal = refusedAnswer({ error })
        expect(refusal.reason).toBe("authorization_failed")
        expect(refusal.message).toMatch(/^[ -~]+$/)
      }),
    )
  })

  it("keeps code and state out of every error", () => {
    const [code, state] = [canary("code"), canary("state")]
    const queries = [`code=${code}&code=${code}`, `code=${code}&error=access_denied`, `code=&state=${state}`]
    const errors = queries.map((query) => refusedAnswer(`${query}&state=${state}`))
    new CanaryScanner([code, state]).expectNone(errors, "the errors")
  })
})

describe("a regional token host", () => {
  const quirks: OAuthQuirks = {
    tokenHostParameter: "accounts-server",
    tokenHosts: ["accounts.example.eu", "accounts.example.in:8443"],
  }
  const regional = (host: string): string | undefined =>
    Result.getOrThrow(answered({ code: "c", "accounts-server": host }, quirks)).tokenUrl

  it("replaces the host of the pinned endpoint, given as a host or as an origin", () => {
    expect(regional("accounts.example.eu")).toBe("https://accounts.example.eu/oauth/token?v=2")
    expect(regional("https://accounts.example.eu")).toBe("https://accounts.example.eu/oauth/token?v=2")
    expect(regional("https://accounts.example.eu/")).toBe("https://accounts.example.eu/oauth/token?v=2")
    expect(regional("accounts.example.in:8443")).toBe("https://accounts.example.in:8443/oauth/token?v=2")
  })

  it("is the pinned one where the response names none, and where no quirk asks for it", () => {
    expect(Result.getOrThrow(answered({ code: "c" }, quirks))).not.toHaveProperty("tokenUrl")
    expect(Result.getOrThrow(answered({ code: "c", "accounts-server": "evil.example" }))).not.toHaveProperty("tokenUrl")
  })

  it.each([
    "evil.example",
    "http://accounts.example.eu",
    "https://accounts.example.eu.evil.example",
    "accounts.example.eu@evil.example",
    "evil.example/accounts.example.eu",
    "https://evil.example\\accounts.example.eu",
    "accounts.example.eu:444",
    "ACCOUNTS.example.eu",
    "accounts.example.eu.",
    "https://accounts.example.eu/path",
    "https://accounts.example.eu?x",
    "//accounts.example.eu",
    "",
  ])("is refused when the list does not have it letter by letter: %j", (host) => {
    const error = refusedAnswer({ code: "c", "accounts-server": host }, quirks)
    expect(error.reason).toBe("token_host_refused")
  })

  it("is refused for any text that is not in the list, and where there is no list", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (host) => {
        fc.pre(!/^(https:\/\/)?accounts\.example\.(eu|in:8443)\/?$/.test(host))
        expect(refusedAnswer({ code: "c", "accounts-server": host }, quirks).reason).toBe("token_host_refused")
      }),
    )
    const unlisted = { tokenHostParameter: "domain" }
    expect(refusedAnswer({ code: "c", domain: "accounts.example.eu" }, unlisted).reason).toBe("token_host_refused")
  })

  it("is refused when it is named twice", () => {
    const query = "code=c&accounts-server=accounts.example.eu&accounts-server=accounts.example.eu"
    expect(refusedAnswer(query, quirks).reason).toBe("duplicate_parameter")
    expect(refusedAnswer("code=c&code=c", quirks).reason).toBe("duplicate_parameter")
  })
})
