/**
 * Refreshing: RFC 6749, section 6. The one rule above all: reading an answer never costs a refresh token that was rotated in it.
 */
import { canary } from "@keyward/core/testing"
import * as Redacted from "effect/Redacted"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { requestTokens, type TokenRequest } from "../../src/oauth/TokenEndpoint.ts"
import { rotatedTokenOf } from "../../src/oauth/tokenFailure.ts"
import type { TokenSet } from "../../src/oauth/TokenSet.ts"
import { certifiedServer } from "./certifiedServer.ts"
import { answering, clear, expectNoSecret, failureOf, formOf, refresh, tokenServer, tokensOf } from "./tokenServer.ts"

const rotated = { access_token: "access-2", token_type: "Bearer", refresh_token: "refresh-2", expires_in: 60 }

describe("a refresh", () => {
  it("sends the refresh token, once, and takes the new one", async () => {
    const { upstream, context } = await tokenServer({ json: rotated })
    expect(clear(await tokensOf(context, refresh("refresh-1")))).toMatchObject({
      accessToken: "access-2",
      refreshToken: "refresh-2",
    })
    expect(upstream.requests).toHaveLength(1)
    expect(formOf(upstream)).toEqual({
      grant_type: "refresh_token",
      refresh_token: "refresh-1",
      client_id: "client-1",
      client_secret: "secret-of-client-1",
    })
  })

  it("sends scope and resource only where they are given", async () => {
    const { upstream, context } = await tokenServer({ json: rotated })
    const resource = "https://mcp.example/mcp"
    const request = { type: "refresh_token", refreshToken: Redacted.make("refresh-1"), resource } as const
    await tokensOf(context, { ...request, scope: "a b" })
    await tokensOf(context, { ...request, scope: null })
    expect(formOf(upstream, 0)).toMatchObject({ scope: "a b", resource })
    expect(formOf(upstream, 1)).toMatchObject({ resource })
    expect(formOf(upstream, 1)).not.toHaveProperty("scope")
  })

  it.each([undefined, null, "", 7, {}])(
    "answered with the refresh token %j keeps the old one",
    async (refreshToken) => {
      const body = JSON.stringify({ ...rotated, refresh_token: refreshToken })
      expect((await tokensOf(answering({ body }))).refreshToken).toBeUndefined()
    },
  )

  it("turned down for its scopes does not say that the grant is dead", async () => {
    const { context } = await tokenServer({ status: 400, json: { error: "invalid_scope" } })
    expect(await failureOf(context)).toMatchObject({ kind: "request_rejected", code: "invalid_scope" })
  })

  it.each([500, 502, 503])(
    "answered with invalid_grant by a server that fails (%i) does not either",
    async (status) => {
      const { upstream, context } = await tokenServer({ status, json: { error: "invalid_grant" } })
      expect(await failureOf(context)).toMatchObject({ kind: "transient" })
      expect(upstream.requests).toHaveLength(1)
    },
  )

  it("is never repeated here, whatever comes of it", async () => {
    for (const answer of [{ fault: "reset" }, { status: 429 }, { status: 200, body: "<html>" }] as const) {
      const { upstream, context } = await tokenServer(answer)
      await failureOf(context)
      expect(upstream.requests).toHaveLength(1)
    }
  })
})

describe("a rotated refresh token", () => {
  const expired = `${btoa('{"alg":"HS256"}')}.${btoa('{"iss":"https://evil.example","aud":"x","exp":1}')}.AAAA`

  it.each([
    ["an id token of garbage", { id_token: "garbage" }],
    ["an id token that is no text", { id_token: { a: 1 } }],
    ["an empty id token", { id_token: "" }],
    ["an id token of another issuer, expired, under HS256", { id_token: expired }],
    ["a lifetime that is no number", { expires_in: "soon" }],
    ["a lifetime of nothing", { expires_in: null }],
    ["a negative lifetime", { expires_in: -1 }],
    ["a lifetime in a list", { expires_in: [60] }],
    ["scopes in a list", { scope: ["a", "b"] }],
    ["scopes that are an object", { scope: {} }],
    ["no token type", { token_type: undefined }],
    ["a token type that is no text", { token_type: 7 }],
    ["an error beside the tokens", { error: "invalid_grant" }],
    ["an issued token type that is no text", { issued_token_type: 7 }],
  ])("survives %s", async (_, odd) => {
    const { context } = await tokenServer({ json: { ...rotated, ...odd } })
    expect(clear(await tokensOf(context))).toMatchObject({ accessToken: "access-2", refreshToken: "refresh-2" })
  })

  it("survives anything in members that it does not need", async () => {
    const members = fc.constantFrom(
      "expires_in",
      "scope",
      "id_token",
      "error",
      "error_description",
      "state",
      "__proto__",
    )
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(members, fc.jsonValue())), async (odd) => {
        const body = JSON.stringify({
          ...Object.fromEntries(odd),
          ...rotated,
          ...(odd.length > 3 && { expires_in: odd }),
        })
        expect(clear(await tokensOf(answering({ body })))).toMatchObject({
          accessToken: "access-2",
          refreshToken: "refresh-2",
        })
      }),
    )
  })

  it.each([
    ["a body cut short", { body: '{"access_token":"access-2","refresh_token":"refr' }],
    ["a page", { body: "<html></html>" }],
  ])("that cannot be had leaves the outcome unknown: %s", async (_, parts) => {
    expect(await failureOf(answering(parts))).toMatchObject({ kind: "ambiguous" })
  })

  it.each([
    ["another status", { status: 202 }],
    ["a type that nobody knows", { body: JSON.stringify({ ...rotated, token_type: "mac" }) }],
  ])("is noted beside the failure where nothing else can be used: %s", async (_, parts) => {
    const failure = await failureOf(answering({ body: JSON.stringify(rotated), ...parts }))
    expect(failure).toMatchObject({ kind: "request_rejected" })
    expect(Redacted.value(rotatedTokenOf(failure) ?? Redacted.make(""))).toBe(rotated.refresh_token)
  })

  it("is not told by the failure it is lost in", async () => {
    const [old, fresh, access] = [canary("old"), canary("fresh"), canary("access")]
    const body = JSON.stringify({ access_token: access, refresh_token: fresh, token_type: "mac" })
    await expectNoSecret(requestTokens(answering({ body }), refresh(old)), [old, fresh, access])
  })
})

describe("against oidc-provider, which rotates strictly", () => {
  const used = ({ refreshToken }: TokenSet): string => (refreshToken === undefined ? "" : Redacted.value(refreshToken))

  it("takes the new refresh token each time, and is told that the grant is dead once an old one is used", async () => {
    const { provider, context, grant } = await certifiedServer()
    const first = await grant()
    expect(first).toMatchObject({ tokenType: "Bearer", scope: "openid offline_access files:read" })
    const second = await tokensOf(context, refresh(used(first)))
    const third = await tokensOf(context, refresh(used(second)))
    expect(new Set([first, second, third].map(used)).size).toBe(3)
    expect(third.expiresAt).toBe(third.issuedAt + 3600_000)
    expect(await failureOf(context, refresh(used(first)))).toMatchObject({ kind: "grant_dead", code: "invalid_grant" })
    expect(await failureOf(context, refresh(used(third)))).toMatchObject({ kind: "grant_dead", code: "invalid_grant" })
    expect(await provider.tokenRequests("refresh_token")).toEqual({ succeeded: 2, failed: 2 })
  })

  it("keeps the grant when more scopes are asked for than it has", async () => {
    const { context, grant } = await certifiedServer()
    const tokens = await grant()
    const wider = { ...refresh(used(tokens)), type: "refresh_token", scope: "files:read files:write" } as TokenRequest
    expect(await failureOf(context, wider)).toMatchObject({ kind: "request_rejected", code: "invalid_scope" })
    expect(await tokensOf(context, refresh(used(tokens)))).toMatchObject({ tokenType: "Bearer" })
  })
})
