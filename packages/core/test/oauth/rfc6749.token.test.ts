/**
 * Token requests and responses: RFC 6749, sections 4.1.3, 4.4.2, 5.1 and 5.2, with RFC 8707 and the token request of RFC 8628.
 */
import { inspect } from "node:util"
import { fakeUpstream, type UpstreamAnswer } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { OAuthQuirks } from "../../src/auth/OAuthQuirks.ts"
import { requestTokens, type TokenRequest } from "../../src/oauth/TokenEndpoint.ts"
import { rotatedTokenOf } from "../../src/oauth/tokenFailure.ts"
import {
  answering,
  canaries,
  clear,
  clientCredentials,
  expectNoSecret,
  failureOf,
  formOf,
  refresh,
  tokenServer,
  tokensOf,
} from "./tokenServer.ts"

const good = { access_token: "access-1", token_type: "Bearer" }

const code = (parts: Partial<Extract<TokenRequest, { type: "authorization_code" }>> = {}): TokenRequest => ({
  type: "authorization_code",
  code: Redacted.make("code/1+2"),
  redirectUri: "http://127.0.0.1:4319/cb",
  codeVerifier: Redacted.make("verifier-1"),
  resource: null,
  ...parts,
})

const given = (body: unknown, quirks: OAuthQuirks = {}) => answering({ body: JSON.stringify(body) }, { quirks })

describe("a token request", () => {
  it("redeems a code with its verifier, as a form, asking for JSON", async () => {
    const { upstream, context } = await tokenServer({ json: good })
    await tokensOf(context, code())
    expect(formOf(upstream)).toEqual({
      grant_type: "authorization_code",
      code: "code/1+2",
      redirect_uri: "http://127.0.0.1:4319/cb",
      code_verifier: "verifier-1",
      client_id: "client-1",
      client_secret: "secret-of-client-1",
    })
    expect(upstream.requests[0]).toMatchObject({
      method: "POST",
      headers: {
        accept: "application/json",
        "content-type": expect.stringMatching(/^application\/x-www-form-urlencoded/) as string,
      },
    })
  })

  it("leaves out what there is none of", async () => {
    const { upstream, context } = await tokenServer({ json: good })
    await tokensOf(context, code({ codeVerifier: undefined }))
    await tokensOf(context, clientCredentials)
    expect(formOf(upstream, 0)).not.toHaveProperty("code_verifier")
    expect(formOf(upstream, 1)).toEqual({
      grant_type: "client_credentials",
      client_id: "client-1",
      client_secret: "secret-of-client-1",
    })
  })

  it("carries scopes, the resource (RFC 8707) and the device code (RFC 8628)", async () => {
    const { upstream, context } = await tokenServer({ json: good })
    const resource = "https://mcp.example/mcp"
    await tokensOf(context, { type: "client_credentials", scope: "a b", resource })
    await tokensOf(context, code({ resource }))
    await tokensOf(context, { type: "device_code", deviceCode: Redacted.make("device-1"), resource: null })
    expect(formOf(upstream, 0)).toMatchObject({ scope: "a b", resource })
    expect(formOf(upstream, 1)).toMatchObject({ resource })
    expect(formOf(upstream, 2)).toMatchObject({
      grant_type: "urn:ietf:params:oauth:grant-type:device_code",
      device_code: "device-1",
    })
  })

  it("keeps the endpoint's own query", async () => {
    const { upstream, context } = await tokenServer({ json: good })
    await tokensOf({ ...context, tokenUrl: `${context.tokenUrl}?tenant=x` }, clientCredentials)
    expect(upstream.requests[0]?.url).toBe("/token?tenant=x")
  })

  it("carries extra parameters, which cannot replace those of the protocol", async () => {
    const quirks: OAuthQuirks = {
      tokenParams: { expiring: "1", grant_type: "password", client_id: "x", Client_Secret: "x", code: "x", scope: "x" },
      refreshParams: { expiring: "2", refresh_token: "x", audience: "a" },
    }
    const { upstream, context } = await tokenServer({ json: good }, { quirks })
    await tokensOf(context, clientCredentials)
    await tokensOf(context, refresh())
    const proof = { client_id: "client-1", client_secret: "secret-of-client-1" }
    expect(formOf(upstream, 0)).toEqual({ grant_type: "client_credentials", expiring: "1", ...proof })
    expect(formOf(upstream, 1)).toEqual({
      grant_type: "refresh_token",
      refresh_token: "refresh-1",
      expiring: "2",
      audience: "a",
      ...proof,
    })
  })

  it.each([301, 302, 303, 307, 308] as const)("does not follow a %i", async (status) => {
    const sink = await fakeUpstream({ "/sink": { json: good } })
    const { upstream, context } = await tokenServer({ redirect: `${sink.origin}/sink`, status })
    expect(await failureOf(context, code())).toMatchObject({ kind: "transient", code: "redirected", status })
    expect([upstream.requests.length, sink.requests.length]).toEqual([1, 0])
    await sink.close()
  })
})

describe("a token response", () => {
  it("gives wrapped tokens, times from when the request was sent, and the scopes granted", async () => {
    const tokens = await tokensOf(
      given({ ...good, refresh_token: "refresh-2", expires_in: 3600, scope: "b a", extra: { nested: true } }),
      code(),
    )
    expect(clear(tokens)).toEqual({
      accessToken: "access-1",
      tokenType: "Bearer",
      refreshToken: "refresh-2",
      issuedAt: 1_000_000,
      expiresAt: 1_000_000 + 3600_000,
      scope: "b a",
    })
  })

  it("that says no more than it must leaves the rest open", async () => {
    expect(clear(await tokensOf(given(good)))).toEqual({
      accessToken: "access-1",
      tokenType: "Bearer",
      refreshToken: undefined,
      issuedAt: 1_000_000,
      expiresAt: null,
      scope: null,
    })
  })

  it.each(["bearer", "Bearer", "BEARER", " bearer ", undefined, null, ""])("is a bearer token as %j", async (type) => {
    expect((await tokensOf(given({ ...good, token_type: type }))).tokenType).toBe("Bearer")
  })

  it.each([
    ["MAC", "unknown_token_type"],
    ["Bearer, DPoP", "unknown_token_type"],
    ["DPoP", "dpop_not_requested"],
  ])("of type %s is not sent as Bearer", async (type, reason) => {
    const failure = await failureOf(given({ ...good, token_type: type, refresh_token: "refresh-2" }))
    expect(failure).toMatchObject({ kind: "request_rejected", code: reason, status: 200 })
    expect(Redacted.value(rotatedTokenOf(failure) ?? Redacted.make(""))).toBe("refresh-2")
    expect(inspect(failure, { depth: null, showHidden: true })).not.toContain("refresh-2")
  })

  it.each([
    [3600, 3600_000],
    ["3600", 3600_000],
    [" 3600 ", 3600_000],
    ["3600.5", 3600_500],
    [0.0001, 1],
    [1e308, 10 * 365 * 86_400_000],
    ["1e308", 10 * 365 * 86_400_000],
    [0, null],
    ["0", null],
    [-1, null],
    ["-1", null],
    ["", null],
    ["soon", null],
    ["3600abc", null],
    ["Infinity", null],
    [null, null],
    [true, null],
    [[3600], null],
    [{}, null],
  ])("with expires_in %j lives for %j ms", async (expiresIn, life) => {
    const { expiresAt } = await tokensOf(given({ ...good, expires_in: expiresIn }))
    expect(expiresAt).toBe(life === null ? null : 1_000_000 + life)
  })

  it.each([
    ["a b", "a b"],
    ["  a   b a ", "a b"],
    ["", null],
    [["a", "b c"], "a b c"],
    [["a", 1, null], "a"],
    [{ a: true }, null],
    [7, null],
    [null, null],
    ["a\u0000b c\u001b[31m d", "d"],
  ])("with scope %j grants %j", async (scope, granted) => {
    expect((await tokensOf(given({ ...good, scope }))).scope).toBe(granted)
  })

  it.each([
    ["access_token", "tok\r\nX-Injected: 1"],
    ["access_token", "tok\u0000"],
    ["access_token", "tök"],
    ["access_token", "tok🙂"],
    ["refresh_token", "tok\n"],
    ["refresh_token", "tok\u007f"],
  ])("whose %s is %j is refused: it cannot be sent unchanged", async (name, value) => {
    const failure = await failureOf(given({ ...good, refresh_token: "refresh-2", [name]: value }))
    const kind = name === "access_token" ? "request_rejected" : "ambiguous"
    expect(failure).toMatchObject({ kind, code: "invalid_token_value" })
  })

  it.each([
    ["plain text", { body: JSON.stringify(good), headers: { "content-type": "text/plain" } }],
    ["no content type", { body: JSON.stringify(good) }],
    ["a byte order mark", { body: `\uFEFF${JSON.stringify(good)}`, headers: { "content-type": "application/json" } }],
    ["a challenge beside it", { json: good, headers: { "www-authenticate": 'Bearer error="invalid_token"' } }],
    [
      "a form",
      {
        body: "access_token=access-1&token_type=bearer&scope=",
        headers: { "content-type": "application/x-www-form-urlencoded; charset=utf-8" },
      },
    ],
  ] satisfies ReadonlyArray<readonly [string, UpstreamAnswer]>)("is read in spite of %s", async (_, answer) => {
    const { context } = await tokenServer(answer)
    expect(clear(await tokensOf(context, code()))).toMatchObject({ accessToken: "access-1", tokenType: "Bearer" })
  })

  it("is safe against names that objects inherit", async () => {
    const body = `{"__proto__":{"access_token":"polluted","refresh_token":"polluted"},"token_type":"Bearer"}`
    expect(await failureOf(answering({ body }))).toMatchObject({ kind: "ambiguous", code: "invalid_response" })
    const tokens = await tokensOf(answering({ body: body.replace("{", '{"access_token":"access-1",') }))
    expect(clear(tokens)).toMatchObject({ accessToken: "access-1", refreshToken: undefined })
  })

  it("gives its tokens or fails without them, whatever it is", async () => {
    const body = fc.oneof(fc.json(), fc.string(), fc.dictionary(fc.constantFrom(...members), fc.jsonValue()))
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(200, 201, 400, 401, 500), body, async (status, any) => {
        const context = answering({ status, body: typeof any === "string" ? any : JSON.stringify(any) })
        const exit = await Effect.runPromise(Effect.result(requestTokens(context, clientCredentials)))
        if (exit._tag === "Failure") expect(exit.failure._tag).toBe("TokenRequestError")
        else expect(Redacted.value(exit.success.accessToken)).toMatch(/^[\x20-\x7e]+$/)
      }),
    )
  })

  it("does not print its tokens", async () => {
    const { access, refresh: rotated, id } = canaries
    const body = { ...good, access_token: access, refresh_token: rotated, id_token: id }
    await expectNoSecret(requestTokens(given(body), code()), Object.values(canaries))
  })
})

const members = ["access_token", "token_type", "refresh_token", "expires_in", "scope", "id_token", "error", "data"]
