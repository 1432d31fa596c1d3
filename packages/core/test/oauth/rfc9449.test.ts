/**
 * DPoP: RFC 9449. Proofs are checked with a library that is not ours to write, and by a certified authorization server.
 */
import { createHash, generateKeyPairSync } from "node:crypto"
import {
  canary,
  CanaryScanner,
  type UpstreamAnswer,
  type UpstreamHandler,
  type UpstreamRequest,
} from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as fc from "fast-check"
import {
  calculateJwkThumbprint,
  decodeProtectedHeader,
  EmbeddedJWK,
  exportJWK,
  type JWK,
  type JWTPayload,
  jwtVerify,
} from "jose"
import { describe, expect, it } from "vitest"
import { type DpopKey, DpopNonces, dpopProof, makeDpopKey, readDpopKey } from "../../src/oauth/Dpop.ts"
import { requestTokens, type TokenContext } from "../../src/oauth/TokenEndpoint.ts"
import type { TokenSet } from "../../src/oauth/TokenSet.ts"
import { certifiedServer } from "./certifiedServer.ts"
import {
  answering,
  clear,
  clientCredentials,
  expectNoSecret,
  failureOf,
  openHttp,
  refresh,
  tokenServer,
  tokensOf,
} from "./tokenServer.ts"

const newKey = (): Promise<DpopKey> => Effect.runPromise(makeDpopKey())

const now = Date.UTC(2026, 10, 21)

const verified = async (proof: string, currentDate = new Date(now)): Promise<JWTPayload> => {
  const { payload } = await jwtVerify(proof, EmbeddedJWK, { typ: "dpop+jwt", algorithms: ["ES256"], currentDate })
  return payload
}

const proofOf = (request: UpstreamRequest | undefined): string => {
  const proof = request?.headers["dpop"]
  if (typeof proof !== "string") throw new Error("The request carries no proof.")
  return proof
}

const claimsOf = (request: UpstreamRequest | undefined): Promise<JWTPayload> => verified(proofOf(request), new Date())

const bound = { access_token: "access-1", token_type: "DPoP", refresh_token: "refresh-2" }

describe("a proof", () => {
  it("names the request, is signed by the key it shows, and shows only the public half", async () => {
    const key = await newKey()
    const proof = dpopProof(key, { method: "GET", url: "https://api.example:8443/a/b?q=1#f", now: now + 999 })
    expect(await verified(proof)).toEqual({
      htm: "GET",
      htu: "https://api.example:8443/a/b",
      iat: now / 1000,
      jti: expect.any(String) as string,
    })
    const { jwk = {} } = decodeProtectedHeader(proof)
    expect(Object.keys(jwk).toSorted()).toEqual(["crv", "kty", "x", "y"])
    expect(await calculateJwkThumbprint(jwk as JWK)).toBe(key.thumbprint)
  })

  it("names the access token and the nonce where there are any", async () => {
    const accessToken = canary("access")
    const proof = dpopProof(await newKey(), {
      method: "POST",
      url: new URL("https://api.example/"),
      now,
      accessToken: Redacted.make(accessToken),
      nonce: "nonce-1",
    })
    expect(await verified(proof)).toMatchObject({
      ath: createHash("sha256").update(accessToken).digest("base64url"),
      nonce: "nonce-1",
    })
    new CanaryScanner([accessToken]).expectNone(proof, "the proof")
  })

  it("is never the same twice", async () => {
    const key = await newKey()
    const ids = await Promise.all(
      [1, 2, 3].map(
        async () => (await verified(dpopProof(key, { method: "GET", url: "https://api.example/", now }))).jti,
      ),
    )
    expect(new Set(ids).size).toBe(3)
  })
})

describe("a key", () => {
  it("is fresh each time, and the same again when it is read back", async () => {
    const [key, other] = [await newKey(), await newKey()]
    const again = await Effect.runPromise(readDpopKey(key.privateJwk))
    expect(again.thumbprint).toBe(key.thumbprint)
    expect(other.thumbprint).not.toBe(key.thumbprint)
    const proof = dpopProof(again, { method: "GET", url: "https://api.example/", now })
    expect(await calculateJwkThumbprint(decodeProtectedHeader(proof).jwk as JWK)).toBe(key.thumbprint)
    const copied = { ...key }
    expect(dpopProof(copied, { method: "GET", url: "https://api.example/", now })).not.toBe(proof)
  })

  it("does not print its private half", async () => {
    const key = await newKey()
    const { d } = JSON.parse(Redacted.value(key.privateJwk)) as { readonly d: string }
    dpopProof(key, { method: "GET", url: "https://api.example/", now })
    new CanaryScanner([d]).expectNone(key, "the key")
  })

  it("that is damaged is a defect that does not tell it", async () => {
    const secret = canary("jwk")
    const rsa = await exportJWK(generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey)
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-384" })
    const damaged = [
      secret,
      `{"kty":"EC","d":"${secret}"}`,
      JSON.stringify(rsa),
      JSON.stringify(await exportJWK(privateKey)),
    ]
    for (const text of damaged) {
      const reading = readDpopKey(Redacted.make(text))
      expect(await Effect.runPromise(Effect.exit(reading))).toMatchObject({ _tag: "Failure" })
      await expectNoSecret(reading, [secret, text])
    }
  })
})

describe("a token request", () => {
  it("carries a proof for the endpoint, and its tokens are bound", async () => {
    const dpop = await newKey()
    const { upstream, context } = await tokenServer({ json: bound }, { dpop })
    expect(clear(await tokensOf(context))).toMatchObject({ tokenType: "DPoP", refreshToken: "refresh-2" })
    const claims = await claimsOf(upstream.requests[0])
    expect(claims).toMatchObject({ htm: "POST", htu: context.tokenUrl })
    expect(claims).not.toHaveProperty("ath")
    expect(claims).not.toHaveProperty("nonce")
  })

  const demanded: UpstreamAnswer = {
    status: 400,
    json: { error: "use_dpop_nonce" },
    headers: { "dpop-nonce": "nonce-1" },
  }
  const challenged: UpstreamAnswer = {
    status: 401,
    headers: { "dpop-nonce": "nonce-1", "www-authenticate": 'Basic realm="x", DPoP error="use_dpop_nonce"' },
  }

  it.each([
    ["in the body", demanded],
    ["in the challenge", challenged],
  ])("is sent again with the nonce that the server demands %s, with a fresh proof", async (_, demand) => {
    const { upstream, context } = await tokenServer([demand, { json: bound }], { dpop: await newKey() })
    await tokensOf(context)
    const [first, second] = await Promise.all(upstream.requests.map(claimsOf))
    expect(upstream.requests).toHaveLength(2)
    expect([first?.["nonce"], second?.["nonce"]]).toEqual([undefined, "nonce-1"])
    expect(first?.jti).not.toBe(second?.jti)
  })

  it("is sent again exactly once", async () => {
    const { upstream, context } = await tokenServer(demanded, { dpop: await newKey() })
    expect(await failureOf(context)).toMatchObject({ kind: "transient", code: "use_dpop_nonce" })
    expect(upstream.requests).toHaveLength(2)
  })

  it.each([
    ["no key is used", demanded, false],
    ["the server gives no nonce", { status: 400, json: { error: "use_dpop_nonce" } }, true],
    [
      "the failure is another one",
      { status: 400, json: { error: "invalid_grant" }, headers: { "dpop-nonce": "n" } },
      true,
    ],
    ["the server fails", { ...demanded, status: 500 }, true],
  ] satisfies ReadonlyArray<readonly [string, UpstreamAnswer, boolean]>)(
    "is not sent again where %s",
    async (_, answer, hasKey) => {
      const { upstream, context } = await tokenServer(answer, hasKey ? { dpop: await newKey() } : {})
      await failureOf(context)
      expect(upstream.requests).toHaveLength(1)
    },
  )

  it("knows the newest nonce of any response of the origin", async () => {
    const nonces = ["a", "b", "c"]
    const serve: UpstreamHandler = () => ({ json: bound, headers: { "dpop-nonce": nonces.shift() ?? "d" } })
    const { upstream, context } = await tokenServer(serve, { dpop: await newKey() })
    for (let count = 0; count < 3; count += 1) await tokensOf(context)
    const claims = await Promise.all(upstream.requests.map(claimsOf))
    expect(claims.map((claim) => claim["nonce"])).toEqual([undefined, "a", "b"])
    await tokensOf({ ...context, http: openHttp() })
    expect(await claimsOf(upstream.requests[3])).not.toHaveProperty("nonce")
  })

  it("proves anew, with a new client assertion, when it is sent again", async () => {
    const { privateKey } = generateKeyPairSync("ed25519")
    const client = {
      clientId: "client-1",
      method: "private_key_jwt",
      privateKey: Redacted.make(privateKey.export({ type: "pkcs8", format: "pem" }).toString()),
      issuer: "https://as.example",
    } as const
    const { upstream, context } = await tokenServer([demanded, { json: bound }], { dpop: await newKey(), client })
    await tokensOf(context)
    const assertions = upstream.requests.map(({ text }) => new URLSearchParams(text).get("client_assertion"))
    expect(new Set(assertions).size).toBe(2)
  })

  it.each(["Bearer", "bearer"])("is not content with a token of type %s", async (type) => {
    const context = answering({ body: JSON.stringify({ ...bound, token_type: type }) }, { dpop: await newKey() })
    expect(await failureOf(context)).toMatchObject({ kind: "request_rejected", code: "dpop_downgraded" })
  })

  it("takes a missing type for what it asked for", async () => {
    const context = answering({ body: JSON.stringify({ ...bound, token_type: undefined }) }, { dpop: await newKey() })
    expect((await tokensOf(context)).tokenType).toBe("DPoP")
  })

  it("that fails tells neither the key nor a token", async () => {
    const dpop = await newKey()
    const { d } = JSON.parse(Redacted.value(dpop.privateJwk)) as { readonly d: string }
    const [used, access] = [canary("used"), canary("access")]
    const context = answering(
      { body: JSON.stringify({ ...bound, access_token: access, token_type: "Bearer" }) },
      { dpop },
    )
    await expectNoSecret(requestTokens(context, refresh(used)), [d, used, access])
  })
})

describe("nonces", () => {
  it("are kept per origin, the hundred origins used last", () => {
    const nonces = new DpopNonces()
    const url = (index: number): string => `https://as-${index}.example/token?x=${index}`
    nonces.note(url(0), { "dpop-nonce": "first" })
    for (let index = 1; index < 150; index += 1) {
      nonces.note(url(index), { "dpop-nonce": `nonce-${index}` })
      expect(nonces.nonceFor("https://as-0.example/elsewhere")).toBe("first")
    }
    const kept = Array.from({ length: 150 }, (_, index) => nonces.nonceFor(url(index))).filter(
      (one) => one !== undefined,
    )
    expect(kept).toHaveLength(100)
    expect(nonces.nonceFor(url(1))).toBeUndefined()
    expect(nonces.nonceFor(url(149))).toBe("nonce-149")
  })

  it("are replaced by newer ones and not by none, nor by what cannot be one", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const nonces = new DpopNonces()
        nonces.note("https://as.example", { "dpop-nonce": "good" })
        nonces.note("https://as.example", {})
        nonces.note("https://as.example", { "dpop-nonce": text })
        const isNonce = /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(text)
        expect(nonces.nonceFor("https://as.example")).toBe(isNonce ? text : "good")
      }),
    )
  })
})

describe("against oidc-provider, which demands nonces", () => {
  const refreshOf = ({ refreshToken }: TokenSet) =>
    refresh(refreshToken === undefined ? "" : Redacted.value(refreshToken))

  it("refreshes tokens of a public client with the key that they are bound to, and with no other", async () => {
    const { provider, context, grant } = await certifiedServer({ dpop: "nonce" })
    const dpop = await newKey()
    const first = await grant(dpop)
    expect(first.tokenType).toBe("DPoP")
    const second = await tokensOf({ ...context, dpop }, refreshOf(first))
    expect(second.tokenType).toBe("DPoP")
    const stranger = { ...context, dpop: await newKey() }
    expect(await failureOf(stranger, refreshOf(second))).toMatchObject({ kind: "grant_dead", code: "invalid_grant" })
    expect(await failureOf(context, refreshOf(second))).toMatchObject({ kind: "grant_dead" })
    expect((await provider.events()).filter(({ name }) => name === "grant.revoked")).toEqual([])
  })

  it("proves a client by an assertion for the issuer, and tells a stranger's key apart", async () => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
    const jwks = { keys: [await exportJWK(publicKey)] }
    const { context } = await certifiedServer({
      dpop: "nonce",
      clients: [
        {
          client_id: "robot",
          grant_types: ["client_credentials"],
          redirect_uris: [],
          response_types: [],
          token_endpoint_auth_method: "private_key_jwt",
          token_endpoint_auth_signing_alg: "ES256",
          jwks,
        },
      ],
    })
    const as = (key: typeof privateKey): TokenContext => ({
      ...context,
      client: {
        clientId: "robot",
        method: "private_key_jwt",
        privateKey: Redacted.make(key.export({ type: "pkcs8", format: "pem" }).toString()),
        issuer: context.client.issuer,
      },
    })
    const dpop = await newKey()
    expect(await tokensOf({ ...as(privateKey), dpop }, clientCredentials)).toMatchObject({ tokenType: "DPoP" })
    expect(await tokensOf(as(privateKey), clientCredentials)).toMatchObject({ tokenType: "Bearer" })
    const stranger = as(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey)
    expect(await failureOf(stranger, clientCredentials)).toMatchObject({
      kind: "client_rejected",
      code: "invalid_client",
    })
  })
})
