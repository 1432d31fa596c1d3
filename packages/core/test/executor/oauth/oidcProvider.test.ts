/**
 * The whole way, from `oauth.start` to a call, against the certified oidc-provider in a process of its own.
 */
import { generateKeyPairSync } from "node:crypto"
import { clientMetadataDocument, type CreateOAuthClientInput } from "@keyward/core"
import { describe, expect, it, onTestFinished, vi } from "vitest"
import { eventually } from "../../eventually.ts"
import { rejectionOf } from "../acme.ts"
import { dpopResource } from "./dpopResource.ts"
import {
  account,
  claimsOf,
  clientOf,
  connectAt,
  flowOfAccount,
  oidcCallback,
  type OidcStage,
  setOidcStage,
} from "./oidcStage.ts"

const resource = "https://files.example/api"

/** The alarm of the provider: a code or a refresh token was used twice. */
const alarms = async ({ provider }: Pick<OidcStage, "provider">): Promise<number> =>
  (await provider.events()).filter(({ name }) => name === "grant.revoked").length

describe("an authorization code", () => {
  it("with PKCE and a resource becomes tokens for that resource, which are refreshed for it too", async () => {
    const stage = await setOidcStage({ template: { resource } })
    await stage.executor.oauth.createClient(clientOf(stage.provider))
    const connection = await connectAt(stage)
    // `offline_access` is asked for where the server knows it, and granted.
    expect(connection.oauthScope?.split(" ")).toEqual(
      expect.arrayContaining(["openid", "files:read", "offline_access"]),
    )
    expect(claimsOf(stage.accessToken())).toMatchObject({ aud: resource, sub: "alice" })
    expect(await stage.call()).toMatchObject({ ok: true })
    const before = stage.accessToken()
    await stage.expire()
    expect(await stage.call()).toMatchObject({ ok: true })
    expect(stage.accessToken()).not.toBe(before)
    expect(claimsOf(stage.accessToken())).toMatchObject({ aud: resource })
    expect(await stage.provider.tokenRequests("refresh_token")).toEqual({ succeeded: 1, failed: 0 })
    expect(await alarms(stage)).toBe(0)
  })

  it("that the person denies leaves an existing connection as it was", async () => {
    const stage = await setOidcStage()
    await stage.executor.oauth.createClient(clientOf(stage.provider))
    await connectAt(stage)
    const before = { row: await stage.row(), token: stage.accessToken() }
    expect(await rejectionOf(connectAt(stage, { isDenied: true }))).toMatchObject({
      _tag: "OAuthCompleteError",
      reason: "access_denied",
    })
    expect({ row: await stage.row(), token: stage.accessToken() }).toEqual(before)
    expect(await stage.call()).toMatchObject({ ok: true })
    expect(await stage.provider.tokenRequests("authorization_code")).toEqual({ succeeded: 1, failed: 0 })
    expect(await alarms(stage)).toBe(0)
  })

  it("is redeemed once when its callback arrives twice, which the server would take for a theft", async () => {
    const stage = await setOidcStage()
    await stage.executor.oauth.createClient(clientOf(stage.provider))
    const started = await stage.executor.oauth.start(flowOfAccount)
    if (started.status !== "redirect") throw new Error(started.status)
    const callbackUrl = await stage.provider.authorize(started.authorizationUrl)
    const outcomes = await Promise.allSettled([1, 2, 3].map(() => stage.executor.oauth.complete({ callbackUrl })))
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected", "rejected"])
    expect(await stage.provider.tokenRequests("authorization_code")).toEqual({ succeeded: 1, failed: 0 })
    expect(await alarms(stage)).toBe(0)
    expect(await stage.call()).toMatchObject({ ok: true })
  })
})

describe("a client", () => {
  const key = generateKeyPairSync("ec", { namedCurve: "P-256" })
  const code = {
    application_type: "native",
    grant_types: ["authorization_code", "refresh_token"],
    redirect_uris: ["http://127.0.0.1/callback"],
  }
  const oddSecrets = ["a:b%c+d", "-_.!~*'()", 'x"&=#/?\\', "pass word", "%41%zz"]
  const clients: ReadonlyArray<readonly [name: string, metadata: object, input: Partial<CreateOAuthClientInput>]> = [
    ["none", { token_endpoint_auth_method: "none" }, {}],
    ...oddSecrets.map((secret, index) => {
      const client = {
        client_id: `odd:${index}%`,
        client_secret: secret,
        token_endpoint_auth_method: "client_secret_basic",
      }
      return [`client_secret_basic with the secret ${secret}`, client, { clientSecret: secret }] as const
    }),
    [
      "client_secret_post",
      { client_secret: "post+secret%", token_endpoint_auth_method: "client_secret_post" },
      { clientSecret: "post+secret%", tokenEndpointAuthMethod: "client_secret_post" },
    ],
    [
      "private_key_jwt with a PEM",
      {
        token_endpoint_auth_method: "private_key_jwt",
        token_endpoint_auth_signing_alg: "ES256",
        jwks: { keys: [{ ...key.publicKey.export({ format: "jwk" }), alg: "ES256", use: "sig" }] },
      },
      { privateKey: key.privateKey.export({ format: "pem", type: "pkcs8" }) as string },
    ],
  ]
  it.each(clients)("proves itself by %s, for a code and for a refresh", async (_, metadata, input) => {
    const client = { client_id: "the-client", ...code, ...metadata }
    const stage = await setOidcStage({ provider: { clients: [client] } })
    await stage.executor.oauth.createClient(clientOf(stage.provider, { clientId: client.client_id, ...input }))
    await connectAt(stage)
    await stage.expire()
    expect(await stage.call()).toMatchObject({ ok: true })
    expect(await stage.provider.tokenRequests("refresh_token")).toEqual({ succeeded: 1, failed: 0 })
  })

  it("pushes its authorization request where the server insists (RFC 9126)", async () => {
    const stage = await setOidcStage({ provider: { requiresPushedAuthorizationRequests: true } })
    await stage.executor.oauth.createClient(
      clientOf(stage.provider, { clientId: "basic", clientSecret: "secret of basic" }),
    )
    const started = await stage.executor.oauth.start(flowOfAccount)
    if (started.status !== "redirect") throw new Error(started.status)
    expect([...new URL(started.authorizationUrl).searchParams.keys()].toSorted()).toEqual(["client_id", "request_uri"])
    await stage.executor.oauth.complete({ callbackUrl: await stage.provider.authorize(started.authorizationUrl) })
    expect(await stage.call()).toMatchObject({ ok: true })
  })

  it("registers itself, connects, and is gone from the server when it is removed (RFC 7591, 7592)", async () => {
    const stage = await setOidcStage()
    const { executor, provider } = stage
    const client = await executor.oauth.registerDynamicClient({
      owner: "org",
      slug: "app",
      issuer: provider.issuer,
      integration: "files",
    })
    expect(client).toMatchObject({ origin: "dynamic" })
    await connectAt(stage)
    await stage.expire()
    expect(await stage.call()).toMatchObject({ ok: true })
    // Another start reuses the registration.
    expect(
      await executor.oauth.registerDynamicClient({
        owner: "org",
        slug: "app",
        issuer: provider.issuer,
        integration: "files",
      }),
    ).toEqual(client)
    const isKnown = async (): Promise<boolean> => {
      const query = new URLSearchParams({
        client_id: client.clientId,
        response_type: "code",
        redirect_uri: oidcCallback,
      })
      const response = await fetch(`${provider.issuer}/auth?${query.toString()}`, { redirect: "manual" })
      return !(await response.text()).includes("invalid_client")
    }
    expect(await isKnown()).toBe(true)
    await executor.oauth.removeClient("org", "app")
    await eventually(async () => expect(await isKnown()).toBe(false))
  })

  it("names itself by the document that its host serves, where the server reads such (CIMD)", async () => {
    const clientMetadataUrl = "https://app.example.test/oauth/client.json"
    const document = clientMetadataDocument({
      clientId: clientMetadataUrl,
      clientName: "Example",
      redirectUris: [oidcCallback],
    })
    const stage = await setOidcStage({
      provider: { clientMetadataDocuments: { [clientMetadataUrl]: document } },
      config: { clientMetadataUrl },
    })
    const client = await stage.executor.oauth.registerDynamicClient({
      owner: "org",
      slug: "app",
      issuer: stage.provider.issuer,
      integration: "files",
    })
    expect(client).toMatchObject({ origin: "metadata_document", clientId: clientMetadataUrl })
    await connectAt(stage)
    await stage.expire()
    expect(await stage.call()).toMatchObject({ ok: true })
    expect(await stage.provider.tokenRequests("refresh_token")).toEqual({ succeeded: 1, failed: 0 })
  })
})

describe("a token that is bound to a key (RFC 9449)", () => {
  it("is minted, used and refreshed with proofs, nonces of both servers included", async () => {
    await using service = await dpopResource()
    const stage = await setOidcStage({
      provider: { dpop: "nonce" },
      template: { resource: service.upstream.origin, dpop: true },
      baseUrl: service.upstream.origin,
    })
    service.trust(stage.provider.issuer)
    await stage.executor.oauth.createClient(clientOf(stage.provider))
    await connectAt(stage)
    expect((await stage.row()).grant).toMatchObject({ tokenType: "DPoP" })
    const first = claimsOf(stage.accessToken())
    expect(first["cnf"]).toHaveProperty("jkt")

    expect(await stage.call()).toMatchObject({ ok: true })
    service.demandNonce("nonce-1")
    expect(await stage.call()).toMatchObject({ ok: true })
    expect(await stage.call()).toMatchObject({ ok: true })
    service.demandNonce("nonce-2")
    expect(await Promise.all([stage.call(), stage.call()])).toMatchObject([{ ok: true }, { ok: true }])
    expect(service.verdicts.slice(0, 4)).toEqual(["ok", "nonce", "ok", "ok"])
    expect(new Set(service.verdicts)).toEqual(new Set(["ok", "nonce"]))

    await stage.expire()
    expect(await stage.call()).toMatchObject({ ok: true })
    expect(claimsOf(stage.accessToken())["cnf"]).toEqual(first["cnf"])
    expect(await stage.provider.tokenRequests("refresh_token")).toMatchObject({ succeeded: 1 })
    expect(await alarms(stage)).toBe(0)
    // The nonce of the token endpoint is remembered: one more refresh needs one request.
    const { failed } = await stage.provider.tokenRequests("refresh_token")
    await stage.expire()
    expect(await stage.call()).toMatchObject({ ok: true })
    expect(await stage.provider.tokenRequests("refresh_token")).toEqual({ succeeded: 2, failed })
  })

  it("is of no use without its key: the connection says what is missing, and sends no bearer token", async () => {
    await using service = await dpopResource()
    const stage = await setOidcStage({
      template: { resource: service.upstream.origin, dpop: true },
      baseUrl: service.upstream.origin,
    })
    service.trust(stage.provider.issuer)
    await stage.executor.oauth.createClient(clientOf(stage.provider))
    await connectAt(stage)
    for (const id of stage.vault.items.keys()) if (id.endsWith(":dpop")) stage.vault.items.delete(id)
    expect(await stage.call()).toMatchObject({
      ok: false,
      error: { code: "oauth_reauth_required", details: { reason: "dpop_key_missing", authRequired: true } },
    })
    expect(service.verdicts).toEqual([])
  })
})

describe("a device", () => {
  const poll = async ({ executor }: OidcStage, state: string, at: number) => {
    vi.setSystemTime(at)
    return executor.oauth.poll(state)
  }

  const startDevice = async (stage: OidcStage) => {
    vi.useFakeTimers({ toFake: ["Date"] })
    onTestFinished(() => void vi.useRealTimers())
    await stage.executor.oauth.createClient(
      clientOf(stage.provider, { grant: "device_code", clientId: "device", authorizationParams: {} }),
    )
    const started = await stage.executor.oauth.start(flowOfAccount)
    if (started.status !== "device") throw new Error(started.status)
    return started
  }

  it("is approved by a person elsewhere", async () => {
    const stage = await setOidcStage()
    const { state, interval, verificationUri, verificationUriComplete } = await startDevice(stage)
    expect(new URL(verificationUri).origin).toBe(stage.provider.issuer)
    // The provider names no interval.
    expect(interval).toBe(5)
    const waiting = await poll(stage, state, Date.now() + 5000)
    if (waiting.status !== "pending") throw new Error(waiting.status)
    await stage.provider.approveDevice(verificationUriComplete ?? "")
    // Too early: nobody is asked.
    expect(await stage.executor.oauth.poll(state)).toEqual(waiting)
    expect(await poll(stage, state, waiting.nextPollAt)).toMatchObject({ status: "connected" })
    await stage.expire()
    expect(await stage.call()).toMatchObject({ ok: true })
    expect(await stage.provider.tokenRequests("urn:ietf:params:oauth:grant-type:device_code")).toEqual({
      succeeded: 1,
      failed: 1,
    })
  })

  it("is denied by a person elsewhere, and not asked about again", async () => {
    const stage = await setOidcStage()
    const { state, verificationUriComplete } = await startDevice(stage)
    await stage.provider.approveDevice(verificationUriComplete ?? "", { isDenied: true })
    expect(await rejectionOf(poll(stage, state, Date.now() + 5000))).toMatchObject({
      _tag: "OAuthCompleteError",
      reason: "access_denied",
    })
    expect(await rejectionOf(poll(stage, state, Date.now() + 5000))).toMatchObject({
      _tag: "OAuthSessionNotFoundError",
    })
    expect(await stage.executor.connections.get(account)).toBeNull()
  })
})

describe("client credentials", () => {
  it("are connected at once, and minted anew when they are due", async () => {
    const stage = await setOidcStage({ template: { scopes: ["files:read"], resource } })
    await stage.executor.oauth.createClient(
      clientOf(stage.provider, {
        grant: "client_credentials",
        clientId: "machine",
        clientSecret: "secret of machine",
        authorizationParams: {},
      }),
    )
    expect(await stage.executor.oauth.start(flowOfAccount)).toMatchObject({ status: "connected" })
    const before = stage.accessToken()
    expect(claimsOf(before)).toMatchObject({ aud: resource, client_id: "machine", scope: "files:read" })
    expect(await stage.call()).toMatchObject({ ok: true })
    await stage.expire()
    expect(await Promise.all(Array.from({ length: 20 }, () => stage.call()))).toSatisfy(
      (results: ReadonlyArray<{ readonly ok: boolean }>) => results.every(({ ok }) => ok),
    )
    expect(stage.accessToken()).not.toBe(before)
    expect(await stage.provider.tokenRequests("client_credentials")).toEqual({ succeeded: 2, failed: 0 })
  })
})

describe("removal", () => {
  it("revokes at the server: neither token works any more (RFC 7009)", async () => {
    const stage = await setOidcStage()
    await stage.executor.oauth.createClient(clientOf(stage.provider))
    await connectAt(stage)
    const authorization = `Bearer ${stage.accessToken()}`
    const refreshToken = [...stage.vault.items].find(([id]) => id.endsWith(":refresh"))?.[1] ?? ""
    expect((await fetch(stage.provider.resourceUrl, { headers: { authorization } })).status).toBe(200)
    await stage.executor.connections.remove(account)
    await eventually(() => expect(stage.events.map(({ type }) => type)).toContain("oauth.revoked"))
    expect((await fetch(stage.provider.resourceUrl, { headers: { authorization } })).status).toBe(401)
    const body = new URLSearchParams({ grant_type: "refresh_token", client_id: "public", refresh_token: refreshToken })
    const refused = await fetch(`${stage.provider.issuer}/token`, { method: "POST", body })
    expect(await refused.json()).toMatchObject({ error: "invalid_grant" })
    expect([...stage.vault.items.keys()].filter((id) => /oauth:user|revocation/.test(id))).toEqual([])
  })
})

describe("strict rotation with reuse detection", () => {
  it("raises no alarm in five expiries under a hundred callers each", async () => {
    const stage = await setOidcStage()
    await stage.executor.oauth.createClient(clientOf(stage.provider))
    await connectAt(stage)
    for (let expiry = 1; expiry <= 5; expiry++) {
      await stage.expire()
      const results = await Promise.all(Array.from({ length: 100 }, () => stage.call()))
      expect(results.filter(({ ok }) => !ok)).toEqual([])
      expect(await stage.provider.tokenRequests("refresh_token")).toEqual({ succeeded: expiry, failed: 0 })
    }
    expect(await alarms(stage)).toBe(0)
    expect(await stage.row()).toMatchObject({ status: "active", grant: { intent: null } })
  })
})
