/**
 * The harness around the real provider: a plain client gets through every flow that other tests rely on, and alarms are heard.
 */
import { createHash, generateKeyPairSync } from "node:crypto"
import { SignJWT } from "jose"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { oidcRedirectUri } from "./OidcOptions.ts"
import { oidcProvider, type OidcProvider } from "./oidcProvider.ts"

const verifier = "v".repeat(43)
const challenge = createHash("sha256").update(verifier).digest("base64url")
const callbackUri = oidcRedirectUri.replace("127.0.0.1", "127.0.0.1:9")

const authorizationUrl = (provider: OidcProvider, extra: Record<string, string> = {}): string =>
  `${provider.issuer}/auth?${new URLSearchParams({
    response_type: "code",
    client_id: "public",
    redirect_uri: callbackUri,
    scope: "openid offline_access files:read",
    prompt: "consent",
    state: "state",
    code_challenge: challenge,
    code_challenge_method: "S256",
    ...extra,
  }).toString()}`

const token = async (
  provider: OidcProvider,
  parameters: Record<string, string>,
): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> => {
  const body = new URLSearchParams({ client_id: "public", ...parameters })
  const response = await fetch(`${provider.issuer}/token`, { method: "POST", body })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

const redeem = (provider: OidcProvider, callback: string, extra: Record<string, string> = {}) =>
  token(provider, {
    grant_type: "authorization_code",
    code: new URL(callback).searchParams.get("code") ?? "",
    redirect_uri: callbackUri,
    code_verifier: verifier,
    ...extra,
  })

describe("the real provider in its own process", () => {
  let provider: OidcProvider
  beforeAll(async () => {
    provider = await oidcProvider()
  })
  afterAll(() => provider.close())

  it("takes a public client through code and PKCE to its resource", async () => {
    const callback = new URL(await provider.authorize(authorizationUrl(provider)))
    expect(`${callback.origin}${callback.pathname}`).toBe(callbackUri)
    expect(callback.searchParams.get("state")).toBe("state")
    expect(callback.searchParams.get("iss")).toBe(provider.issuer)
    const { body } = await redeem(provider, callback.href)
    expect(body).toMatchObject({ token_type: "Bearer", expires_in: 3600, scope: "openid offline_access files:read" })
    const authorization = `Bearer ${String(body["access_token"])}`
    expect((await fetch(provider.resourceUrl, { headers: { authorization } })).status).toBe(200)
    expect((await fetch(provider.resourceUrl, { headers: { authorization: "Bearer other" } })).status).toBe(401)
    expect((await fetch(provider.resourceUrl)).status).toBe(401)
  })

  it("denies", async () => {
    const callback = await provider.authorize(authorizationUrl(provider), { isDenied: true })
    expect(new URL(callback).searchParams.get("error")).toBe("access_denied")
  })

  it("approves a device", async () => {
    const parameters = new URLSearchParams({ client_id: "device", scope: "openid files:read" })
    const response = await fetch(`${provider.issuer}/device/auth`, { method: "POST", body: parameters })
    const device = (await response.json()) as Record<string, string>
    const poll = () =>
      token(provider, {
        client_id: "device",
        grant_type: "urn:ietf:params:oauth:grant-type:device_code",
        device_code: device["device_code"] ?? "",
      })
    expect((await poll()).body).toMatchObject({ error: "authorization_pending" })
    await provider.approveDevice(device["verification_uri_complete"] ?? "")
    expect((await poll()).body).toHaveProperty("refresh_token")
  })

  it("mints a JWT for a resource that was asked for", async () => {
    const resource = "https://api.example.test/files"
    const callback = await provider.authorize(authorizationUrl(provider, { resource }))
    const { body } = await redeem(provider, callback, { resource })
    const [, payload = ""] = String(body["access_token"]).split(".")
    expect(JSON.parse(Buffer.from(payload, "base64url").toString())).toMatchObject({ aud: resource })
    const authorization = `Bearer ${String(body["access_token"])}`
    expect((await fetch(provider.resourceUrl, { headers: { authorization } })).status).toBe(200)
  })

  it("raises an alarm when a spent refresh token is used, and counts token requests", async () => {
    await using strict = await oidcProvider()
    const first = await redeem(strict, await strict.authorize(authorizationUrl(strict)))
    const refresh = (from: { readonly body: Record<string, unknown> }) =>
      token(strict, { grant_type: "refresh_token", refresh_token: String(from.body["refresh_token"]) })
    const second = await refresh(first)
    expect(second.body["refresh_token"]).not.toBe(first.body["refresh_token"])
    expect((await strict.events()).filter(({ name }) => name === "grant.revoked")).toEqual([])
    expect((await refresh(first)).body).toMatchObject({ error: "invalid_grant" })
    expect((await strict.events()).map(({ name }) => name)).toContain("grant.revoked")
    expect((await refresh(second)).status).toBe(400)
    expect(await strict.tokenRequests("refresh_token")).toEqual({ succeeded: 1, failed: 2 })
    expect((await strict.events()).find(({ name }) => name === "grant.error")).toMatchObject({
      clientId: "public",
      error: "invalid_grant",
      detail: "refresh token already used",
    })
  })
})

describe("its options", () => {
  it.each([
    ["optional", 200],
    ["nonce", 400],
  ] as const)("make the nonce of DPoP proofs %s", async (dpop, status) => {
    await using provider = await oidcProvider({ dpop })
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
    const jwk = publicKey.export({ format: "jwk" })
    const tokenUrl = `${provider.issuer}/token`
    const proof = await new SignJWT({ jti: "one", htm: "POST", htu: tokenUrl })
      .setProtectedHeader({ alg: "ES256", typ: "dpop+jwt", jwk })
      .setIssuedAt()
      .sign(privateKey)
    const body = new URLSearchParams({ grant_type: "client_credentials" })
    const authorization = `Basic ${Buffer.from("machine:secret+of+machine").toString("base64")}`
    const response = await fetch(tokenUrl, { method: "POST", body, headers: { authorization, dpop: proof } })
    expect(response.status).toBe(status)
    expect(await response.json()).toMatchObject(dpop === "nonce" ? { error: "use_dpop_nonce" } : { token_type: "DPoP" })
    expect(response.headers.has("dpop-nonce")).toBe(true)
  })

  it("demand pushed requests, shorten lifetimes, stop rotation, serve metadata documents", async () => {
    const documentUrl = "https://app.example.test/client.json"
    await using provider = await oidcProvider({
      dpop: "nonce",
      requiresPushedAuthorizationRequests: true,
      accessTokenSeconds: 2,
      rotates: false,
      clientMetadataDocuments: {
        [documentUrl]: {
          client_id: documentUrl,
          client_name: "Example",
          redirect_uris: [oidcRedirectUri],
          application_type: "native",
          token_endpoint_auth_method: "none",
          grant_types: ["authorization_code", "refresh_token"],
          response_types: ["code"],
        },
      },
    })
    const push = async (clientId: string): Promise<string> => {
      const body = new URL(authorizationUrl(provider, { client_id: clientId })).searchParams
      const response = await fetch(`${provider.issuer}/request`, { method: "POST", body })
      expect(response.status).toBe(201)
      const { request_uri: uri } = (await response.json()) as { readonly request_uri: string }
      return `${provider.issuer}/auth?${new URLSearchParams({ client_id: clientId, request_uri: uri }).toString()}`
    }
    for (const clientId of ["public", documentUrl]) {
      const callback = await provider.authorize(await push(clientId))
      const { body } = await redeem(provider, callback, { client_id: clientId })
      expect(body["expires_in"]).toBe(2)
      const refreshed = await token(provider, {
        client_id: clientId,
        grant_type: "refresh_token",
        refresh_token: String(body["refresh_token"]),
      })
      expect(refreshed.body["refresh_token"]).toBe(body["refresh_token"])
    }
    const direct = await provider.authorize(authorizationUrl(provider))
    expect(new URL(direct).searchParams.get("error")).toBe("invalid_request")
    expect((await provider.events()).map(({ name }) => name)).toContain("authorization.error")
  })
})
