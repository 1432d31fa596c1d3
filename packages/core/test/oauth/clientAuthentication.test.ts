/**
 * How clients prove themselves: RFC 6749, section 2.3.1, and RFC 7523, section 2.2. One method in each request, never two.
 */
import { generateKeyPairSync } from "node:crypto"
import { canary } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { TestClock } from "effect/testing"
import { decodeProtectedHeader, exportJWK, jwtVerify } from "jose"
import { describe, expect, it } from "vitest"
import type { ClientCredential } from "../../src/oauth/ClientAuthentication.ts"
import { requestTokens } from "../../src/oauth/TokenEndpoint.ts"
import { clientCredentials, expectNoSecret, failureOf, formOf, tokenServer, tokensOf } from "./tokenServer.ts"

const good = { json: { access_token: "access-1", token_type: "Bearer" } }

const client = (parts: Partial<ClientCredential>): ClientCredential => ({
  clientId: "client-1",
  method: "none",
  issuer: "https://as.example",
  ...parts,
})

/** Secrets with characters that the encodings treat differently. */
const secrets = ["plain", "a:b", "50%", "a+b c", "é", "-_.!~*'()", "%41&=", "日本"]

describe("a client without a secret", () => {
  it("names itself in the body and sends nothing else, even where it has a secret", async () => {
    const { upstream, context } = await tokenServer(good)
    const clientSecret = Redacted.make("unused")
    await tokensOf({ ...context, client: client({ method: "none", clientSecret }) }, clientCredentials)
    expect(formOf(upstream)).toEqual({ grant_type: "client_credentials", client_id: "client-1" })
    expect(upstream.requests[0]?.headers.authorization).toBeUndefined()
  })
})

describe("client_secret_post", () => {
  it.each(secrets)("sends %j in the body alone", async (secret) => {
    const { upstream, context } = await tokenServer(good)
    await tokensOf(
      { ...context, client: client({ method: "client_secret_post", clientSecret: Redacted.make(secret) }) },
      clientCredentials,
    )
    expect(formOf(upstream)).toMatchObject({ client_id: "client-1", client_secret: secret })
    expect(upstream.requests[0]?.headers.authorization).toBeUndefined()
  })
})

describe("client_secret_basic", () => {
  const basicOf = (header: string | undefined): string =>
    Buffer.from((header ?? "").replace(/^Basic /, ""), "base64").toString("utf8")

  it.each(secrets)("encodes %j as a form does, and puts nothing into the body", async (secret) => {
    const { upstream, context } = await tokenServer(good)
    const clientSecret = Redacted.make(secret)
    const clientId = "https://app.example/client:1"
    await tokensOf(
      { ...context, client: client({ clientId, method: "client_secret_basic", clientSecret }) },
      clientCredentials,
    )
    const [id, password, ...rest] = basicOf(upstream.requests[0]?.headers.authorization).split(":")
    const decode = (text: string | undefined): string | null => new URLSearchParams(`x=${text ?? ""}`).get("x")
    expect([decode(id), decode(password), rest]).toEqual([clientId, secret, []])
    expect(formOf(upstream)).toEqual({ grant_type: "client_credentials" })
  })

  it("leaves what forms leave, so that servers which decode nothing understand most of it", async () => {
    const { upstream, context } = await tokenServer(good)
    const clientSecret = Redacted.make("pre-registered_secret.1*")
    await tokensOf({ ...context, client: client({ method: "client_secret_basic", clientSecret }) }, clientCredentials)
    expect(basicOf(upstream.requests[0]?.headers.authorization)).toBe("client-1:pre-registered_secret.1*")
  })

  it.each(secrets)("sends %j as it is where the server does not decode", async (secret) => {
    const quirks = { basicEncoding: "raw" } as const
    const { upstream, context } = await tokenServer(good, { quirks })
    const clientSecret = Redacted.make(secret)
    await tokensOf({ ...context, client: client({ method: "client_secret_basic", clientSecret }) }, clientCredentials)
    expect(basicOf(upstream.requests[0]?.headers.authorization)).toBe(`client-1:${secret}`)
  })
})

describe("private_key_jwt", () => {
  const pairs = {
    RS256: generateKeyPairSync("rsa", { modulusLength: 2048 }),
    ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
    ES384: generateKeyPairSync("ec", { namedCurve: "P-384" }),
    ES512: generateKeyPairSync("ec", { namedCurve: "P-521" }),
    EdDSA: generateKeyPairSync("ed25519"),
  }

  it.each(Object.entries(pairs))("signs with a key as PEM: %s", async (alg, { privateKey, publicKey }) => {
    const { upstream, context } = await tokenServer(good)
    const pem = Redacted.make(privateKey.export({ type: "pkcs8", format: "pem" }).toString())
    await tokensOf({ ...context, client: client({ method: "private_key_jwt", privateKey: pem }) }, clientCredentials)
    const form = formOf(upstream)
    expect(form).toEqual({
      grant_type: "client_credentials",
      client_id: "client-1",
      client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
      client_assertion: expect.any(String) as string,
    })
    expect(upstream.requests[0]?.headers.authorization).toBeUndefined()
    const { payload } = await jwtVerify(form["client_assertion"] ?? "", publicKey, { algorithms: [alg] })
    expect(payload).toMatchObject({ iss: "client-1", sub: "client-1", aud: "https://as.example" })
  })

  it.each([
    ["the key's own algorithm", { alg: "PS256", kid: "key-7" }, { alg: "PS256", kid: "key-7" }],
    ["the usual one", {}, { alg: "RS256" }],
    ["the usual one where the key names one for encryption", { alg: "RSA-OAEP" }, { alg: "RS256" }],
  ])("signs with a key as JWK, under %s", async (_, members, header) => {
    const { upstream, context } = await tokenServer(good)
    const jwk = { ...(await exportJWK(pairs.RS256.privateKey)), ...members }
    const privateKey = Redacted.make(JSON.stringify(jwk))
    await tokensOf({ ...context, client: client({ method: "private_key_jwt", privateKey }) }, clientCredentials)
    const assertion = formOf(upstream)["client_assertion"] ?? ""
    expect(decodeProtectedHeader(assertion)).toEqual({ typ: "JWT", ...header })
    await jwtVerify(assertion, pairs.RS256.publicKey)
  })

  it("lives for a minute of our clock, is for the issuer alone, and is never the same twice", async () => {
    const { upstream, context } = await tokenServer(good)
    const privateKey = Redacted.make(pairs.ES256.privateKey.export({ type: "pkcs8", format: "pem" }).toString())
    const now = Date.UTC(2031, 0, 1)
    const twice = Effect.gen(function* () {
      yield* TestClock.setTime(now)
      const request = requestTokens(
        { ...context, client: client({ method: "private_key_jwt", privateKey }) },
        clientCredentials,
      )
      yield* request
      yield* request
    })
    await Effect.runPromise(Effect.provide(twice, TestClock.layer()))
    const claims = await Promise.all(
      [0, 1].map(async (index) => {
        const assertion = formOf(upstream, index)["client_assertion"] ?? ""
        return (await jwtVerify(assertion, pairs.ES256.publicKey, { currentDate: new Date(now) })).payload
      }),
    )
    for (const { aud, iat, exp } of claims) {
      expect({ aud, iat, exp }).toEqual({ aud: "https://as.example", iat: now / 1000, exp: now / 1000 + 60 })
    }
    expect(new Set(claims.map(({ jti }) => jti)).size).toBe(2)
  })

  it("is for the token endpoint where the client knows no issuer", async () => {
    const { upstream, context } = await tokenServer(good)
    const privateKey = Redacted.make(JSON.stringify(await exportJWK(pairs.EdDSA.privateKey)))
    const byHand = client({ method: "private_key_jwt", privateKey, issuer: null })
    await tokensOf({ ...context, client: byHand }, clientCredentials)
    const assertion = formOf(upstream)["client_assertion"] ?? ""
    expect((await jwtVerify(assertion, pairs.EdDSA.publicKey)).payload.aud).toBe(context.tokenUrl)
  })
})

describe("a client that cannot prove itself", () => {
  const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey
  const key = canary("key")
  const cases: Readonly<Record<string, readonly [Partial<ClientCredential>, string]>> = {
    "no secret to post": [{ method: "client_secret_post" }, "client_secret_missing"],
    "no secret for Basic": [{ method: "client_secret_basic" }, "client_secret_missing"],
    "an empty secret": [{ method: "client_secret_basic", clientSecret: Redacted.make("") }, "client_secret_missing"],
    "no key": [{ method: "private_key_jwt" }, "private_key_missing"],
    "a key of garbage": [{ method: "private_key_jwt", privateKey: Redacted.make(key) }, "private_key_unusable"],
    "a JWK cut short": [
      { method: "private_key_jwt", privateKey: Redacted.make(`{"kty":"RSA","d":"${key}`) },
      "private_key_unusable",
    ],
    "a JWK without its private part": [
      { method: "private_key_jwt", privateKey: Redacted.make(`{"kty":"EC","crv":"P-256","x":"${key}","y":"${key}"}`) },
      "private_key_unusable",
    ],
    "a symmetric key": [
      { method: "private_key_jwt", privateKey: Redacted.make(`{"kty":"oct","k":"${key}","alg":"HS256"}`) },
      "private_key_unusable",
    ],
    "a key that is too short": [
      {
        method: "private_key_jwt",
        privateKey: Redacted.make(weak.export({ type: "pkcs8", format: "pem" }).toString()),
      },
      "private_key_unusable",
    ],
  }

  it.each(Object.entries(cases))("sends nothing and says so: %s", async (_, [parts, code]) => {
    const { upstream, context } = await tokenServer(good)
    const unready = { ...context, client: client(parts) }
    expect(await failureOf(unready, clientCredentials)).toMatchObject({ kind: "client_rejected", code })
    await expectNoSecret(requestTokens(unready, clientCredentials), [key])
    expect(upstream.requests).toEqual([])
  })

  it("is told what the server says of it, and nothing of what was sent", async () => {
    const secret = canary("client-secret")
    const answer = { status: 401, json: { error: "invalid_client", error_description: secret } }
    const headers = { "www-authenticate": `Basic realm="${secret}"` }
    const { context } = await tokenServer({ ...answer, headers })
    for (const method of ["client_secret_basic", "client_secret_post"] as const) {
      const refused = { ...context, client: client({ method, clientSecret: Redacted.make(secret) }) }
      expect(await failureOf(refused, clientCredentials)).toMatchObject({
        kind: "client_rejected",
        code: "invalid_client",
        status: 401,
      })
      await expectNoSecret(requestTokens(refused, clientCredentials), [secret])
    }
  })
})
