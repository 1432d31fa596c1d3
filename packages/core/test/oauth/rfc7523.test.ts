/**
 * JWTs as grants: RFC 7523, section 2.1. Those that authenticate clients are in `clientAuthentication.test.ts`.
 */
import { generateKeyPairSync } from "node:crypto"
import { canary } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { TestClock } from "effect/testing"
import { decodeProtectedHeader, exportJWK, jwtVerify } from "jose"
import { describe, expect, it } from "vitest"
import { InvalidOAuthClientError } from "../../src/oauth/OAuthError.ts"
import { type AssertionInput, signAssertion } from "../../src/oauth/signAssertion.ts"
import { requestTokens, type TokenRequest } from "../../src/oauth/TokenEndpoint.ts"
import { clear, expectNoSecret, failureOf, formOf, tokenServer, tokensOf } from "./tokenServer.ts"

const pairs = {
  RS256: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  EdDSA: generateKeyPairSync("ed25519"),
}

const input = (parts: Partial<AssertionInput> = {}): AssertionInput => ({
  privateKey: Redacted.make(pairs.ES256.privateKey.export({ type: "pkcs8", format: "pem" }).toString()),
  issuer: "service@app.example",
  subject: "ada@example.com",
  audience: "https://as.example",
  ...parts,
})

const assertion = async (parts?: Partial<AssertionInput>): Promise<string> =>
  Redacted.value(await Effect.runPromise(signAssertion(input(parts))))

describe("an assertion", () => {
  it.each(Object.entries(pairs))(
    "is signed with a key as PEM and as JWK: %s",
    async (alg, { privateKey, publicKey }) => {
      const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString()
      const jwk = JSON.stringify({ ...(await exportJWK(privateKey)), kid: "key-1" })
      for (const [text, kid] of [
        [`\n${pem}`, undefined],
        [jwk, "key-1"],
      ] as const) {
        const signed = await assertion({ privateKey: Redacted.make(text) })
        expect(decodeProtectedHeader(signed)).toEqual({ alg, typ: "JWT", ...(kid !== undefined && { kid }) })
        const { payload } = await jwtVerify(signed, publicKey, { audience: "https://as.example" })
        expect(payload).toMatchObject({ iss: "service@app.example", sub: "ada@example.com" })
      }
    },
  )

  it("lives for a minute of our clock unless told otherwise, and is never the same twice", async () => {
    const now = Date.UTC(2031, 0, 1)
    const both = Effect.gen(function* () {
      yield* TestClock.setTime(now)
      return [yield* signAssertion(input()), yield* signAssertion(input({ lifetimeSeconds: 3600 }))]
    })
    const signed = await Effect.runPromise(Effect.provide(both, TestClock.layer()))
    const [short, long] = await Promise.all(
      signed.map(async (one) => {
        const { payload } = await jwtVerify(Redacted.value(one), pairs.ES256.publicKey, { currentDate: new Date(now) })
        return payload
      }),
    )
    expect([short?.iat, short?.exp, long?.exp]).toEqual([now / 1000, now / 1000 + 60, now / 1000 + 3600])
    expect(short?.jti).not.toBe(long?.jti)
  })

  it("carries scopes and further claims, which cannot replace its own", async () => {
    const claims = { tenant: "t", aud: "https://evil.example", sub: "eve", exp: 1, iss: "x", scope: "all" }
    const { payload } = await jwtVerify(await assertion({ claims, scope: "a b" }), pairs.ES256.publicKey)
    expect(payload).toMatchObject({
      tenant: "t",
      aud: "https://as.example",
      sub: "ada@example.com",
      iss: "service@app.example",
      scope: "a b",
    })
  })

  it.each([
    ["no key", (key: string) => key],
    ["PEM of something else", (key: string) => `-----BEGIN PRIVATE KEY-----\n${btoa(key)}\n-----END PRIVATE KEY-----`],
    ["JSON of something else", (key: string) => `{"kty":"${key}"}`],
    ["half a JSON", (key: string) => `{"d":"${key}`],
  ])("cannot be made with %s, and the failure does not tell it", async (_, make) => {
    const key = canary("key")
    const signing = signAssertion(input({ privateKey: Redacted.make(make(key)) }))
    const failure = await Effect.runPromise(Effect.flip(signing))
    expect(failure).toBeInstanceOf(InvalidOAuthClientError)
    expect(failure.field).toBe("privateKey")
    await expectNoSecret(signing, [key])
  })
})

describe("the grant", () => {
  it("exchanges an assertion for a token", async () => {
    const { upstream, context } = await tokenServer({ json: { access_token: "access-1", token_type: "Bearer" } })
    const signed = await assertion()
    const request: TokenRequest = {
      type: "jwt_bearer",
      assertion: Redacted.make(signed),
      scope: "a b",
      resource: "https://api.example",
    }
    expect(clear(await tokensOf(context, request))).toMatchObject({ accessToken: "access-1" })
    expect(formOf(upstream)).toEqual({
      grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
      assertion: signed,
      scope: "a b",
      resource: "https://api.example",
      client_id: "client-1",
      client_secret: "secret-of-client-1",
    })
  })

  it("that is turned down does not tell the assertion", async () => {
    const signed = await assertion()
    const { context } = await tokenServer({ status: 400, json: { error: "invalid_grant", error_description: signed } })
    const request: TokenRequest = {
      type: "jwt_bearer",
      assertion: Redacted.make(signed),
      scope: null,
      resource: null,
    }
    expect(await failureOf(context, request)).toMatchObject({ kind: "grant_dead", code: "invalid_grant" })
    await expectNoSecret(requestTokens(context, request), [signed])
  })
})
