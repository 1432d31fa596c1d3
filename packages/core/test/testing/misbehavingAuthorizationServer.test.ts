/**
 * The authorization server for tests: that it is strict while it behaves, and that each fault is what it says, as a plain client sees it.
 */
import { createHash } from "node:crypto"
import {
  type AuthorizationServerFault,
  CanaryScanner,
  misbehavingAuthorizationServer,
  type MisbehavingAuthorizationServer,
} from "@keyward/core/testing"
import { describe, expect, it } from "vitest"

type Json = Record<string, unknown>

const verifier = "v".repeat(43)
const challenge = createHash("sha256").update(verifier).digest("base64url")
const redirectUri = "http://127.0.0.1:9/callback"

const authorizationUrl = (server: MisbehavingAuthorizationServer, extra: Record<string, string> = {}): string =>
  `${server.authorizationUrl}?${new URLSearchParams({
    response_type: "code",
    client_id: "app",
    redirect_uri: redirectUri,
    scope: "read write",
    state: "state",
    code_challenge: challenge,
    code_challenge_method: "S256",
    ...extra,
  }).toString()}`

const post = (
  url: string,
  parameters: Record<string, string>,
  headers: Record<string, string> = {},
): Promise<Response> =>
  fetch(url, { method: "POST", redirect: "manual", body: new URLSearchParams(parameters), headers })

const token = (server: MisbehavingAuthorizationServer, parameters: Record<string, string>): Promise<Response> =>
  post(server.tokenUrl, { client_id: "app", ...parameters })

const json = async (response: Response): Promise<Json> => (await response.json()) as Json

const redeem = async (server: MisbehavingAuthorizationServer, callback: string): Promise<Response> =>
  token(server, {
    grant_type: "authorization_code",
    code: new URL(callback).searchParams.get("code") ?? "",
    redirect_uri: redirectUri,
    code_verifier: verifier,
  })

const connect = async (server: MisbehavingAuthorizationServer): Promise<Json> =>
  json(await redeem(server, await server.visit(authorizationUrl(server))))

const refresh = (server: MisbehavingAuthorizationServer, refreshToken: unknown): Promise<Response> =>
  token(server, { grant_type: "refresh_token", refresh_token: String(refreshToken) })

const use = (server: MisbehavingAuthorizationServer, accessToken: unknown): Promise<Response> =>
  fetch(server.resourceUrl, { headers: { authorization: `Bearer ${String(accessToken)}` } })

describe("an authorization server that behaves", () => {
  it("describes itself under every well-known form of its issuer", async () => {
    await using server = await misbehavingAuthorizationServer({ issuerPath: "/tenant", metadata: { jwks_uri: "x" } })
    for (const path of [
      "/.well-known/oauth-authorization-server/tenant",
      "/.well-known/openid-configuration/tenant",
      "/tenant/.well-known/openid-configuration",
    ]) {
      const metadata = await json(await fetch(`${server.origin}${path}`))
      expect(metadata).toMatchObject({ issuer: server.issuer, token_endpoint: server.tokenUrl, jwks_uri: "x" })
    }
    expect(server.requests("metadata")).toHaveLength(3)
    const resource = await json(await fetch(`${server.origin}/.well-known/oauth-protected-resource/resource`))
    expect(resource).toMatchObject({ resource: server.resourceUrl, authorization_servers: [server.issuer] })
    expect((await fetch(`${server.origin}/elsewhere`)).status).toBe(404)
  })

  it("answers a code flow with state, iss and tokens that its resource accepts", async () => {
    await using server = await misbehavingAuthorizationServer({ scopes: ["read"] })
    const callback = new URL(await server.visit(authorizationUrl(server)))
    expect(callback.searchParams.get("state")).toBe("state")
    expect(callback.searchParams.get("iss")).toBe(server.issuer)
    const tokens = await json(await redeem(server, callback.href))
    expect(tokens).toMatchObject({ token_type: "Bearer", expires_in: 3600, scope: "read" })
    expect((await use(server, tokens["access_token"])).status).toBe(200)
    expect(server.requests("token").map(({ parameters }) => parameters.get("grant_type"))).toEqual([
      "authorization_code",
    ])
    expect(server.grants).toMatchObject([{ clientId: "app", scope: "read", resource: null, endedBy: null }])
  })

  it("denies when told to", async () => {
    await using server = await misbehavingAuthorizationServer()
    const { searchParams } = new URL(await server.visit(authorizationUrl(server), { isDenied: true }))
    expect([searchParams.get("error"), searchParams.get("code")]).toEqual(["access_denied", null])
    await expect(server.visit(`${server.authorizationUrl}?client_id=app`)).rejects.toThrow("answered 400")
  })

  it("refuses a wrong verifier, and ends the grant of a code that is replayed", async () => {
    await using server = await misbehavingAuthorizationServer()
    const callback = await server.visit(authorizationUrl(server))
    const code = new URL(callback).searchParams.get("code") ?? ""
    const wrong = { grant_type: "authorization_code", code, redirect_uri: redirectUri, code_verifier: "wrong" }
    expect(await json(await token(server, wrong))).toMatchObject({ error: "invalid_grant" })
    const tokens = await json(await redeem(server, callback))
    expect((await redeem(server, callback)).status).toBe(400)
    expect(server.grants[0]?.endedBy).toBe("replay")
    expect((await use(server, tokens["access_token"])).status).toBe(401)
  })

  it("rotates refresh tokens, and ends the grant whose spent one is used", async () => {
    await using server = await misbehavingAuthorizationServer()
    const first = await connect(server)
    const second = await json(await refresh(server, first["refresh_token"]))
    expect(second["refresh_token"]).not.toBe(first["refresh_token"])
    expect(server.reuses).toBe(0)
    expect(await json(await refresh(server, first["refresh_token"]))).toMatchObject({ error: "invalid_grant" })
    expect([server.reuses, server.grants[0]?.endedBy]).toEqual([1, "reuse"])
    expect((await refresh(server, second["refresh_token"])).status).toBe(400)
  })

  it("forgives a spent refresh token within its grace, and not after", async () => {
    let now = 0
    await using server = await misbehavingAuthorizationServer({ rotation: "grace", graceMs: 1000, now: () => now })
    const { refresh_token: spent } = await connect(server)
    await refresh(server, spent)
    now = 1000
    const again = await json(await refresh(server, spent))
    expect((await use(server, again["access_token"])).status).toBe(200)
    now = 1001
    expect((await refresh(server, spent)).status).toBe(400)
    expect((await refresh(server, again["refresh_token"])).status).toBe(400)
    expect([server.reuses, server.grants[0]?.endedBy]).toEqual([2, "reuse"])
  })

  it("does not rotate, hand out refresh tokens or say lifetimes when told not to", async () => {
    await using server = await misbehavingAuthorizationServer({ rotation: "none", accessTokenSeconds: null })
    const { refresh_token: kept, ...tokens } = await connect(server)
    expect(tokens).not.toHaveProperty("expires_in")
    for (let turn = 0; turn < 2; turn++) {
      const answer = await json(await refresh(server, kept))
      expect(answer).not.toHaveProperty("refresh_token")
    }
    server.behave({ issuesRefreshTokens: false })
    expect(await connect(server)).not.toHaveProperty("refresh_token")
  })

  it("refuses a wider scope on refresh, and leaves the token unspent", async () => {
    await using server = await misbehavingAuthorizationServer()
    const { refresh_token: refreshToken } = await connect(server)
    const wider = { grant_type: "refresh_token", refresh_token: String(refreshToken), scope: "read admin" }
    expect(await json(await token(server, wider))).toEqual({ error: "invalid_scope" })
    expect((await refresh(server, refreshToken)).status).toBe(200)
  })

  it("checks the secrets of the clients that it knows, by Basic, by post and by assertion", async () => {
    const clients = [{ clientId: "a:b", clientSecret: "s+%é" }, { clientId: "signer" }]
    await using server = await misbehavingAuthorizationServer({ clients })
    const grant = { grant_type: "client_credentials" }
    const basic = (id: string, secret: string): Record<string, string> => ({
      authorization: `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString("base64")}`,
    })
    const assertion = `e.${Buffer.from(JSON.stringify({ sub: "signer" })).toString("base64url")}.s`
    expect((await post(server.tokenUrl, grant, basic("a:b", "s+%é"))).status).toBe(200)
    expect((await post(server.tokenUrl, { ...grant, client_id: "a:b", client_secret: "s+%é" })).status).toBe(200)
    expect((await post(server.tokenUrl, { ...grant, client_assertion: assertion })).status).toBe(200)
    const refused = [
      await post(server.tokenUrl, grant, basic("a:b", "wrong")),
      await post(server.tokenUrl, { ...grant, client_id: "a:b" }),
      await post(server.tokenUrl, { ...grant, client_id: "nobody" }),
      await post(server.tokenUrl, { ...grant, client_assertion: "garbage" }),
      await post(server.pushedAuthorizationRequestUrl, { client_id: "nobody" }),
      await post(server.deviceAuthorizationUrl, { client_id: "nobody" }),
      await post(server.revocationUrl, { client_id: "nobody" }),
    ]
    expect(refused.map(({ status }) => status)).toEqual(refused.map(() => 401))
    expect(refused[0]?.headers.get("www-authenticate")).toMatch(/^Basic/)
  })

  it("lets a device wait, slow down, and be approved, denied or too late", async () => {
    await using server = await misbehavingAuthorizationServer({ device: { pending: 1, slowDown: 1, interval: 1 } })
    const begin = async (): Promise<Json> => json(await post(server.deviceAuthorizationUrl, { client_id: "app" }))
    const poll = async (device: Json): Promise<Json> =>
      json(
        await token(server, {
          grant_type: "urn:ietf:params:oauth:grant-type:device_code",
          device_code: String(device["device_code"]),
        }),
      )
    const device = await begin()
    expect(device).toMatchObject({ interval: 1, expires_in: 600 })
    expect(await poll(device)).toEqual({ error: "authorization_pending" })
    expect(await poll(device)).toEqual({ error: "slow_down" })
    expect(await poll(device)).toHaveProperty("refresh_token")
    expect(await poll(device)).toEqual({ error: "invalid_grant" })
    server.behave({ device: { outcome: "deny", interval: null } })
    const denied = await begin()
    expect(denied).not.toHaveProperty("interval")
    expect(await poll(denied)).toEqual({ error: "access_denied" })
    server.behave({ device: { outcome: "expire" } })
    expect(await poll(await begin())).toEqual({ error: "expired_token" })
  })

  it("takes pushed authorization requests, each once", async () => {
    await using server = await misbehavingAuthorizationServer()
    const request = { client_id: "app", redirect_uri: redirectUri, state: "pushed", code_challenge: challenge }
    const pushed = await json(await post(server.pushedAuthorizationRequestUrl, request))
    const url = `${server.authorizationUrl}?${new URLSearchParams({ client_id: "app", request_uri: String(pushed["request_uri"]) }).toString()}`
    expect(new URL(await server.visit(url)).searchParams.get("state")).toBe("pushed")
    await expect(server.visit(url)).rejects.toThrow("answered 400")
  })

  it("registers clients, knows their secret and redirect URIs, and deletes them", async () => {
    await using server = await misbehavingAuthorizationServer({ clients: [] })
    const register = async (metadata: Json): Promise<Json> =>
      json(
        await fetch(server.registrationUrl, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(metadata),
        }),
      )
    const client = await register({ redirect_uris: [redirectUri], client_name: "Example" })
    expect(client).toMatchObject({ client_name: "Example", client_secret_expires_at: 0 })
    expect(await register({ token_endpoint_auth_method: "none" })).not.toHaveProperty("client_secret")
    const id = String(client["client_id"])
    const credentials = { client_id: id, client_secret: String(client["client_secret"]) }
    const grant = { grant_type: "client_credentials", ...credentials }
    expect((await post(server.tokenUrl, grant)).status).toBe(200)
    expect((await fetch(authorizationUrl(server, { client_id: id }), { redirect: "manual" })).status).toBe(302)
    const elsewhere = { client_id: id, redirect_uri: "https://evil.example/" }
    expect((await fetch(authorizationUrl(server, elsewhere), { redirect: "manual" })).status).toBe(400)
    const remove = (bearer: string): Promise<Response> =>
      fetch(String(client["registration_client_uri"]), {
        method: "DELETE",
        headers: { authorization: `Bearer ${bearer}` },
      })
    expect((await remove("wrong")).status).toBe(401)
    expect((await remove(String(client["registration_access_token"]))).status).toBe(204)
    expect((await post(server.tokenUrl, grant)).status).toBe(401)
  })

  it("revokes what it is given, and says nothing about what it does not know", async () => {
    await using server = await misbehavingAuthorizationServer()
    const tokens = await connect(server)
    const revoke = (value: unknown): Promise<Response> =>
      post(server.revocationUrl, { client_id: "app", token: String(value) })
    expect((await revoke("unknown")).status).toBe(200)
    expect((await revoke(tokens["refresh_token"])).status).toBe(200)
    expect(server.grants[0]?.endedBy).toBe("revocation")
    expect((await use(server, tokens["access_token"])).status).toBe(401)
  })

  it("challenges at its resource: no token, a dead one, one that covers too little", async () => {
    let now = 0
    await using server = await misbehavingAuthorizationServer({ accessTokenSeconds: 60, now: () => now })
    const tokens = await connect(server)
    const challengeOf = async (accessToken?: unknown): Promise<readonly [number, string]> => {
      const response = await (accessToken === undefined ? fetch(server.resourceUrl) : use(server, accessToken))
      return [response.status, response.headers.get("www-authenticate") ?? ""]
    }
    const metadata = `resource_metadata="${server.origin}/.well-known/oauth-protected-resource/resource"`
    expect(await challengeOf()).toEqual([401, `Bearer ${metadata}`])
    expect(await challengeOf("unknown")).toEqual([401, `Bearer error="invalid_token", ${metadata}`])
    server.requireScope("write admin")
    expect(await challengeOf(tokens["access_token"])).toEqual([
      403,
      `Bearer error="insufficient_scope", scope="write admin", ${metadata}`,
    ])
    server.requireScope("write")
    expect(await challengeOf(tokens["access_token"])).toEqual([200, ""])
    now = 60_000
    expect((await challengeOf(tokens["access_token"]))[0]).toBe(401)
    const fresh = await json(await refresh(server, tokens["refresh_token"]))
    server.expireAccessTokens()
    expect((await challengeOf(fresh["access_token"]))[0]).toBe(401)
    server.endGrants()
    expect((await refresh(server, fresh["refresh_token"])).status).toBe(400)
    expect(server.grants[0]?.endedBy).toBe("host")
  })

  it("exchanges tokens and takes assertions, without refresh tokens", async () => {
    await using server = await misbehavingAuthorizationServer()
    const types = ["urn:ietf:params:oauth:grant-type:token-exchange", "urn:ietf:params:oauth:grant-type:jwt-bearer"]
    const [exchanged, asserted] = await Promise.all(
      types.map(async (type) => json(await token(server, { grant_type: type, subject_token: "s", assertion: "a" }))),
    )
    expect(exchanged).toHaveProperty("issued_token_type", "urn:ietf:params:oauth:token-type:access_token")
    expect(asserted).toHaveProperty("access_token")
    expect({ ...exchanged, ...asserted }).not.toHaveProperty("refresh_token")
    expect(await json(await token(server, { grant_type: "password" }))).toEqual({ error: "unsupported_grant_type" })
  })

  it("tells every secret that it handed out, for a scanner", async () => {
    await using server = await misbehavingAuthorizationServer()
    const callback = await server.visit(authorizationUrl(server))
    const tokens = await json(await redeem(server, callback))
    const found = new CanaryScanner(server.secrets).find({ callback, tokens }).map(({ secret }) => secret)
    expect([...new Set(found)].sort()).toEqual(["access", "code", "refresh"])
  })

  it("logs requests by endpoint, form and JSON alike, and tells when one arrives", async () => {
    await using server = await misbehavingAuthorizationServer()
    const second = server.received("token", 2)
    const grant = { grant_type: "client_credentials", client_id: "app" }
    await post(server.tokenUrl, grant)
    const headers = { "content-type": "application/json", "x-mark": "1" }
    await fetch(server.tokenUrl, { method: "POST", headers, body: JSON.stringify({ ...grant, count: 1 }) })
    const { parameters, headers: arrived, method } = await second
    expect([method, parameters.get("count"), arrived["x-mark"]]).toEqual(["POST", "1", "1"])
    expect(await server.received("token", 1)).toBe(server.requests("token")[0])
    expect(server.requests("resource")).toEqual([])
  })
})

describe("a fault", () => {
  /** A connected client whose next token request meets the fault. */
  const refreshUnder = async (
    fault: AuthorizationServerFault,
  ): Promise<{ server: MisbehavingAuthorizationServer; spent: unknown; answer: Promise<Response> }> => {
    const server = await misbehavingAuthorizationServer()
    const { refresh_token: spent } = await connect(server)
    server.next("token", fault)
    return { server, spent, answer: refresh(server, spent) }
  }

  it.each<[string, AuthorizationServerFault, number, RegExp, RegExp]>([
    ["an answer", { fault: "answer", status: 503, headers: { "retry-after": "7" }, body: "busy" }, 503, /./, /^busy$/],
    ["an error", { fault: "error", error: "invalid_grant" }, 400, /json/, /^{"error":"invalid_grant"}$/],
    [
      "an error in a 200",
      { fault: "error", error: "bad", status: 200, description: "d" },
      200,
      /json/,
      /"error_description":"d"/,
    ],
    ["html", { fault: "html", status: 502 }, 502, /html/, /^<!doctype html>/],
    ["a redirect", { fault: "redirect", location: "https://evil.example/", status: 307 }, 307, /./, /^$/],
  ])("%s leaves the server's state alone", async (_, fault, status, type, body) => {
    const { server, spent, answer } = await refreshUnder(fault)
    await using _server = server
    const response = await answer
    expect(response.status).toBe(status)
    expect(response.headers.get("content-type") ?? "none").toMatch(type)
    expect(await response.text()).toMatch(body)
    expect((await refresh(server, spent)).status).toBe(200)
    expect(server.reuses).toBe(0)
  })

  it("challenges on a 400 when told to", async () => {
    const { server, answer } = await refreshUnder({ fault: "error", error: "invalid_grant", isChallenged: true })
    await using _server = server
    expect((await answer).headers.get("www-authenticate")).toBe(`Bearer error="invalid_grant"`)
  })

  it.each<[string, AuthorizationServerFault, boolean]>([
    ["a reset", { fault: "reset" }, false],
    ["a reset after the work", { fault: "reset", isProcessed: true }, true],
    ["half an answer", { fault: "truncate" }, true],
  ])("%s breaks the connection", async (_, fault, isProcessed) => {
    const { server, spent, answer } = await refreshUnder(fault)
    await using _server = server
    await expect(answer.then((response) => response.text())).rejects.toThrow()
    await refresh(server, spent)
    expect(server.reuses).toBe(isProcessed ? 1 : 0)
  })

  it("gives half of the real answer", async () => {
    const { server, answer } = await refreshUnder({ fault: "truncate" })
    await using _server = server
    const { body, status, headers } = await answer
    const pieces: Array<Uint8Array> = []
    await expect(
      (async () => {
        for await (const piece of body ?? []) pieces.push(piece)
      })(),
    ).rejects.toThrow()
    const text = Buffer.concat(pieces).toString()
    expect([status, headers.get("content-type")]).toEqual([200, "application/json"])
    expect(text).toMatch(/^{"access_token":"canary-access-/)
    expect(text.length).toBe(Number(headers.get("content-length")) >> 1)
  })

  it.each<[string, AuthorizationServerFault, boolean]>([
    ["before the work", { fault: "hang" }, false],
    ["after the work", { fault: "hang", isProcessed: true }, true],
  ])("hangs without headers, %s", async (_, fault, isProcessed) => {
    await using server = await misbehavingAuthorizationServer()
    const { refresh_token: spent } = await connect(server)
    server.next("token", fault)
    const giveUp = new AbortController()
    const body = new URLSearchParams({ grant_type: "refresh_token", client_id: "app", refresh_token: String(spent) })
    const answer = fetch(server.tokenUrl, { method: "POST", body, signal: giveUp.signal })
    const request = await server.received("token", 2)
    giveUp.abort()
    await expect(answer).rejects.toThrow("aborted")
    expect(await request.abandoned).toBe(true)
    await refresh(server, spent)
    expect(server.reuses).toBe(isProcessed ? 1 : 0)
  })

  it("hangs after headers", async () => {
    const { server, spent, answer } = await refreshUnder({ fault: "hang_after_headers" })
    await using _server = server
    const response = await answer
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/json"])
    await response.body?.cancel()
    expect(await server.requests("token").at(-1)?.abandoned).toBe(true)
    await refresh(server, spent)
    expect(server.reuses).toBe(1)
  })

  it("holds an answer until told, with the work done before or after", async () => {
    await using server = await misbehavingAuthorizationServer()
    const { refresh_token: spent } = await connect(server)
    let release = (): void => {}
    const until = new Promise<void>((resolve) => {
      release = resolve
    })
    server.next("token", { fault: "hold", until, isProcessed: true }, { fault: "hold", until })
    const [first, second] = [refresh(server, spent), server.received("token", 2).then(() => refresh(server, spent))]
    await server.received("token", 3)
    expect(server.reuses).toBe(0)
    release()
    expect((await first).status).toBe(200)
    expect((await second).status).toBe(400)
    expect(server.reuses).toBe(1)
  })

  it("changes, nests, encodes and drips the answer", async () => {
    await using server = await misbehavingAuthorizationServer()
    const grant = { grant_type: "client_credentials" }
    server.next(
      "token",
      { fault: "change", status: 201, json: { token_type: "mac", expires_in: "3600", scope: undefined } },
      { fault: "nest", under: "authed_user" },
      { fault: "form" },
      { fault: "drip", everyMs: 0 },
      { fault: "none" },
    )
    const changed = await token(server, { ...grant, scope: "read" })
    expect(changed.status).toBe(201)
    const body = await json(changed)
    expect(body).toMatchObject({ token_type: "mac", expires_in: "3600" })
    expect(body).not.toHaveProperty("scope")
    expect(await json(await token(server, grant))).toMatchObject({ ok: true, authed_user: { token_type: "Bearer" } })
    const form = await token(server, grant)
    expect(form.headers.get("content-type")).toBe("application/x-www-form-urlencoded")
    expect(new URLSearchParams(await form.text()).get("token_type")).toBe("Bearer")
    expect(await json(await token(server, grant))).toMatchObject({ token_type: "Bearer" })
    expect((await token(server, grant)).status).toBe(200)
  })

  it("sends as much as told", async () => {
    await using server = await misbehavingAuthorizationServer()
    server.next("metadata", { fault: "huge", bytes: 3_000_000 })
    const response = await fetch(`${server.origin}/.well-known/oauth-authorization-server`)
    const { filler } = (await response.json()) as { filler: string }
    expect(filler).toHaveLength(3_000_000)
  })

  it("speaks of another issuer, in metadata and in the callback, and of another resource", async () => {
    await using server = await misbehavingAuthorizationServer()
    server.always("metadata", { fault: "change", json: { issuer: "https://evil.example" } })
    server.always("protected_resource_metadata", { fault: "change", json: { resource: "https://evil.example/" } })
    server.next("authorize", { fault: "callback", parameters: { iss: "https://evil.example", state: null } })
    const metadata = `${server.origin}/.well-known/openid-configuration`
    for (let turn = 0; turn < 2; turn++) {
      expect(await json(await fetch(metadata))).toMatchObject({ issuer: "https://evil.example" })
    }
    server.always("metadata", undefined)
    expect(await json(await fetch(metadata))).toMatchObject({ issuer: server.issuer })
    const resource = await json(await fetch(`${server.origin}/.well-known/oauth-protected-resource`))
    expect(resource["resource"]).toBe("https://evil.example/")
    const { searchParams } = new URL(await server.visit(authorizationUrl(server)))
    expect([searchParams.get("iss"), searchParams.get("state")]).toEqual(["https://evil.example", null])
    expect(searchParams.get("code")).not.toBeNull()
  })

  it("comes in the order of the script, before the one that stands", async () => {
    await using server = await misbehavingAuthorizationServer()
    server.always("token", { fault: "html", status: 500 })
    server.next("token", { fault: "none" }, { fault: "error", error: "slow_down" })
    const statuses: Array<number> = []
    for (let turn = 0; turn < 4; turn++) {
      statuses.push((await token(server, { grant_type: "client_credentials" })).status)
    }
    expect(statuses).toEqual([200, 400, 500, 500])
  })
})
