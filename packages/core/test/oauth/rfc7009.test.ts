/**
 * Revocation: RFC 7009.
 */
import { canary, type FakeUpstream, fakeUpstream, type UpstreamAnswer } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { describe, expect, it, onTestFinished } from "vitest"
import type { TokenRequestError } from "../../src/oauth/tokenFailure.ts"
import { type RevocationContext, revokeToken } from "../../src/oauth/TokenRevocation.ts"
import { certifiedServer } from "./certifiedServer.ts"
import { expectNoSecret, failureOf as tokenFailureOf, formOf, openHttp, refresh } from "./tokenServer.ts"

const server = async (
  answer: UpstreamAnswer,
  parts: Partial<RevocationContext> = {},
): Promise<{ readonly upstream: FakeUpstream; readonly context: RevocationContext }> => {
  const upstream = await fakeUpstream({ "POST /revoke": answer })
  onTestFinished(() => upstream.close())
  const context: RevocationContext = {
    http: openHttp({ timeoutMs: 1_500 }),
    tokenUrl: `${upstream.origin}/token`,
    revocationUrl: `${upstream.origin}/revoke`,
    client: {
      clientId: "client-1",
      method: "client_secret_basic",
      clientSecret: Redacted.make("secret-of-client-1"),
      issuer: null,
    },
    quirks: {},
    ...parts,
  }
  return { upstream, context }
}

const revoke = (
  context: RevocationContext,
  token = "refresh-1",
  hint: "refresh_token" | "access_token" = "refresh_token",
): Effect.Effect<void, TokenRequestError> => revokeToken(context, Redacted.make(token), hint)

const failureOf = (context: RevocationContext): Promise<TokenRequestError> =>
  Effect.runPromise(Effect.flip(revoke(context)))

describe("revoking a token", () => {
  it.each(["refresh_token", "access_token"] as const)("sends it with its kind, authenticated: %s", async (hint) => {
    const { upstream, context } = await server({ status: 200 })
    await Effect.runPromise(revoke(context, "token/1+2", hint))
    expect(formOf(upstream)).toEqual({ token: "token/1+2", token_type_hint: hint })
    expect(upstream.requests[0]?.headers.authorization).toMatch(/^Basic /)
  })

  it("names a public client in the body", async () => {
    const client = { clientId: "client-1", method: "none", issuer: null } as const
    const { upstream, context } = await server({ status: 200 }, { client })
    await Effect.runPromise(revoke(context))
    expect(formOf(upstream)).toMatchObject({ client_id: "client-1" })
  })

  it.each([
    ["nothing, as for a token that it never knew", { status: 200 }],
    ["no content", { status: 204 }],
    ["a page", { body: "<html>Done.</html>" }],
    ["JSON", { json: { success: true } }],
  ] satisfies ReadonlyArray<readonly [string, UpstreamAnswer]>)(
    "succeeds when the server says %s",
    async (_, answer) => {
      const { upstream, context } = await server(answer)
      await Effect.runPromise(revoke(context))
      expect(upstream.requests).toHaveLength(1)
    },
  )

  it.each([
    [
      { status: 503, headers: { "retry-after": "30" } },
      { kind: "transient", retryAfterMs: 30_000, status: 503 },
    ],
    [{ status: 500, json: { error: "invalid_grant" } }, { kind: "transient" }],
    [{ status: 429 }, { kind: "transient", code: "rate_limited" }],
    [
      { redirect: "/revoke", status: 307 },
      { kind: "transient", code: "redirected" },
    ],
    [{ fault: "reset" }, { kind: "ambiguous" }],
    [{ fault: "hang" }, { kind: "ambiguous", code: "response_timeout" }],
    [
      { status: 400, json: { error: "unsupported_token_type" } },
      { kind: "request_rejected", code: "unsupported_token_type" },
    ],
    [
      { status: 400, json: { error: "invalid_token" } },
      { kind: "request_rejected", code: "invalid_token" },
    ],
    [
      { status: 401, json: { error: "invalid_client" }, headers: { "www-authenticate": "Basic" } },
      { kind: "client_rejected", code: "invalid_client" },
    ],
    [
      { status: 200, json: { error: "invalid_client" } },
      { kind: "client_rejected", code: "invalid_client" },
    ],
  ] satisfies ReadonlyArray<readonly [UpstreamAnswer, object]>)(
    "answered with %j fails as %j",
    async (answer, failure) => {
      const { upstream, context } = await server(answer)
      expect(await failureOf(context)).toMatchObject({ ...failure, host: upstream.host })
      expect(upstream.requests).toHaveLength(1)
    },
  )

  it("sends nothing where it may not or cannot", async () => {
    const { upstream, context } = await server({ status: 200 })
    const plain = { ...context, revocationUrl: "http://as.example/revoke" }
    expect(await failureOf(plain)).toMatchObject({ kind: "refused", code: "insecure_endpoint" })
    const quirky: RevocationContext = { ...context, quirks: { revocation: "none" } }
    expect(await failureOf(quirky)).toMatchObject({ kind: "refused", code: "revocation_not_supported" })
    const unready: RevocationContext = { ...context, client: { ...context.client, clientSecret: undefined } }
    expect(await failureOf(unready)).toMatchObject({ kind: "client_rejected", code: "client_secret_missing" })
    expect(upstream.requests).toEqual([])
  })

  it("tells nobody the token", async () => {
    const token = canary("token")
    const { context } = await server({ status: 400, json: { error: token, error_description: token } })
    await expectNoSecret(revoke(context, token), [token])
  })
})

describe("against oidc-provider", () => {
  it("ends the grant of a refresh token, and is content with a token that is gone or was never there", async () => {
    const { context, grant } = await certifiedServer()
    const revocation: RevocationContext = {
      ...context,
      revocationUrl: `${context.client.issuer ?? ""}/token/revocation`,
    }
    const { refreshToken = Redacted.make("") } = await grant()
    await Effect.runPromise(revokeToken(revocation, refreshToken, "refresh_token"))
    expect(await tokenFailureOf(context, refresh(Redacted.value(refreshToken)))).toMatchObject({ kind: "grant_dead" })
    await Effect.runPromise(revokeToken(revocation, refreshToken, "refresh_token"))
    await Effect.runPromise(revoke(revocation, "never there"))
  })
})
