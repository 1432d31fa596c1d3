/**
 * Grants that ask no person: client credentials (RFC 6749, section 4.4), token exchange (RFC 8693) and JWT bearer (RFC 7523), each
 * connected by `start` itself.
 */
import type { CreateOAuthClientInput, StartOAuthInput } from "@keyward/core"
import { canary, CanaryScanner, fakeUpstream } from "@keyward/core/testing"
import { exportPKCS8, generateKeyPair, jwtVerify } from "jose"
import { describe, expect, it, onTestFinished } from "vitest"
import { rejectionOf } from "../acme.ts"
import { appByHand, appOf, flowOfMine, mine, setOAuthStage } from "./oauthStage.ts"

const exchange = "urn:ietf:params:oauth:grant-type:token-exchange"
const bearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"
const accessTokenType = "urn:ietf:params:oauth:token-type:access_token"

const setApp = async (app: Partial<CreateOAuthClientInput>) => {
  const stage = await setOAuthStage()
  await stage.executor.oauth.createClient(appOf(stage.server, app))
  stage.events.length = 0
  const start = (input: Partial<StartOAuthInput> = {}) => stage.executor.oauth.start({ ...flowOfMine, ...input })
  const sent = () => Object.fromEntries(stage.server.requests("token").at(-1)?.parameters ?? [])
  return { ...stage, start, sent }
}

describe("client credentials", () => {
  const grant = "client_credentials"

  it("connect at once", async () => {
    const { executor, server, start, sent, events } = await setApp({
      grant,
      clientSecret: "s",
      resource: "https://api.example/",
    })
    expect(await start()).toMatchObject({
      status: "connected",
      connection: { address: "tools.api.user.main", status: "active", oauthClient: "app", oauthScope: "read write" },
    })
    expect(sent()).toMatchObject({ grant_type: grant, scope: "read write", resource: "https://api.example/" })
    expect(server.requests("token")[0]?.headers.authorization).toMatch(/^Basic /)
    expect(await executor.execute("tools.api.user.main.call")).toMatchObject({ ok: true })
    expect(await executor.oauth.grant(mine)).toMatchObject({ type: grant, hasRefreshToken: false })
    expect(events.map(({ type }) => type).slice(0, 3)).toEqual([
      "oauth.started",
      "connection.created",
      "oauth.completed",
    ])
  })

  it("connect for the organisation without anybody acting", async () => {
    const { executor } = await setApp({ grant, clientSecret: "s" })
    const started = await executor.withIdentity({}).oauth.start({ ...flowOfMine, owner: "org" })
    expect(started).toMatchObject({ status: "connected", connection: { address: "tools.api.org.main" } })
  })

  it("need only a token endpoint by hand", async () => {
    const { executor, server } = await setOAuthStage()
    await executor.oauth.createClient(appByHand(server, { grant, clientSecret: "s", authorizationUrl: undefined }))
    expect(await executor.oauth.start(flowOfMine)).toMatchObject({ status: "connected" })
    expect(server.requests("metadata")).toEqual([])
  })

  it("do not ask for offline_access: there is nobody to be absent", async () => {
    const stage = await setOAuthStage({ server: { metadata: { scopes_supported: ["offline_access"] } } })
    await stage.executor.oauth.createClient(appOf(stage.server, { grant, clientSecret: "s" }))
    await stage.executor.oauth.start(flowOfMine)
    expect(stage.server.requests("token")[0]?.parameters.get("scope")).toBe("read write")
  })

  it.each([
    ["turns the client down", { fault: "error", error: "invalid_client", status: 401 }, false],
    ["is down", { fault: "html", status: 503 }, true],
  ] as const)("leave nothing behind when the server %s", async (_, fault, retryable) => {
    const { executor, server, start, vault, events } = await setApp({ grant, clientSecret: "s" })
    server.always("token", fault)
    const error = await rejectionOf(start())
    expect(error).toMatchObject({ _tag: "OAuthStartError", reason: "token_request_failed", retryable })
    expect(await executor.connections.list()).toEqual([])
    expect([...vault.items.keys()]).toEqual(["acme/oauth-client:org:app:secret"])
    expect(events.at(-1)).toMatchObject({ type: "oauth.failed" })
  })
})

describe("token exchange", () => {
  it("connects with another party's token", async () => {
    const { executor, server, start, sent, events } = await setApp({ grant: exchange, clientSecret: "s" })
    const subjectToken = canary("subject token")
    const actorToken = canary("actor token")
    const started = await start({
      subjectToken,
      subjectTokenType: "urn:ietf:params:oauth:token-type:id_token",
      actorToken,
      actorTokenType: accessTokenType,
      audience: "api",
      requestedTokenType: accessTokenType,
    })
    expect(started).toMatchObject({ status: "connected", connection: { status: "active" } })
    expect(sent()).toMatchObject({
      grant_type: exchange,
      subject_token: subjectToken,
      subject_token_type: "urn:ietf:params:oauth:token-type:id_token",
      actor_token: actorToken,
      actor_token_type: accessTokenType,
      audience: "api",
      requested_token_type: accessTokenType,
    })
    expect(await executor.execute("tools.api.user.main.call")).toMatchObject({ ok: true })
    server.always("token", { fault: "error", error: "invalid_request", description: subjectToken })
    const error = await rejectionOf(start({ subjectToken, subjectTokenType: accessTokenType }))
    new CanaryScanner([subjectToken, actorToken]).expectNone([started, events, error], "the exchange")
  })

  it.each([
    ["subject_token_missing", {}],
    ["subject_token_missing", { subjectToken: "t" }],
    ["actor_token_incomplete", { subjectToken: "t", subjectTokenType: accessTokenType, actorToken: "a" }],
  ])("is refused with %s: %j", async (reason, input) => {
    const { server, start } = await setApp({ grant: exchange, clientSecret: "s" })
    expect(await rejectionOf(start(input))).toMatchObject({ _tag: "OAuthStartError", reason })
    expect(server.requests("token")).toEqual([])
  })

  it("does not send a token that is not for sending as one (H5)", async () => {
    const { server, executor, start } = await setApp({ grant: exchange, clientSecret: "s" })
    server.next("token", { fault: "change", json: { token_type: "N_A" } })
    expect(await rejectionOf(start({ subjectToken: "t", subjectTokenType: accessTokenType }))).toMatchObject({
      reason: "token_request_failed",
    })
    expect(await executor.connections.list()).toEqual([])
  })
})

describe("JWT bearer", () => {
  it("connects with an assertion that somebody else signed", async () => {
    const { executor, start, sent } = await setApp({ grant: bearer })
    expect(await start({ assertion: "header.payload.signature" })).toMatchObject({ status: "connected" })
    expect(sent()).toMatchObject({ grant_type: bearer, assertion: "header.payload.signature" })
    expect(await executor.oauth.grant(mine)).toMatchObject({ type: bearer, hasRefreshToken: false })
  })

  it("signs an assertion for the subject with the client's own key", async () => {
    const keys = await generateKeyPair("ES256", { extractable: true })
    const privateKey = await exportPKCS8(keys.privateKey)
    const { server, start, sent } = await setApp({ grant: bearer, privateKey, tokenEndpointAuthMethod: "none" })
    expect(await start({ subject: "alice@example.com" })).toMatchObject({ status: "connected" })
    const { payload } = await jwtVerify(sent()["assertion"] ?? "", keys.publicKey)
    expect(payload).toMatchObject({ iss: "app-id", sub: "alice@example.com", aud: server.issuer })
    expect(sent()["client_assertion"]).toBeUndefined()
  })

  it.each([
    ["assertion_missing", {}, {}],
    ["private_key_missing", {}, { subject: "alice" }],
    [
      "private_key_unusable",
      { privateKey: "-----BEGIN PRIVATE KEY-----", tokenEndpointAuthMethod: "none" },
      { subject: "alice" },
    ],
  ] as const)("is refused with %s", async (reason, app, input) => {
    const { server, start } = await setApp({ grant: bearer, ...app })
    expect(await rejectionOf(start(input))).toMatchObject({ _tag: "OAuthStartError", reason })
    expect(server.requests("token")).toEqual([])
  })
})

describe("an identity provider's assertion", () => {
  const jag = "urn:ietf:params:oauth:token-type:id-jag"
  const issued = { access_token: "assertion-1", token_type: "N_A", issued_token_type: jag }

  const setProvider = async (answer: Readonly<Record<string, unknown>> = issued) => {
    const provider = await fakeUpstream(() => ({ json: answer }))
    onTestFinished(() => provider.close())
    const stage = await setOAuthStage({ config: { egress: { allowHosts: ["127.0.0.1"] } } })
    const { executor, server } = stage
    await executor.oauth.createClient({
      owner: "org",
      slug: "workforce",
      grant: exchange,
      clientId: "at-provider",
      tokenUrl: `${provider.origin}/token`,
    })
    await executor.oauth.createClient(
      appOf(server, { grant: bearer, clientSecret: "s", resource: "https://api.example/" }),
    )
    const start = (input: Partial<StartOAuthInput> = {}) =>
      executor.oauth.start({ ...flowOfMine, identityClient: "workforce", ...input })
    return { ...stage, provider, start }
  }

  it("is had for the person's ID token and connects them without their consent", async () => {
    const subjectToken = canary("id-token")
    const { start, provider, server, events } = await setProvider()
    const started = await start({ subjectToken })
    expect(started).toMatchObject({ status: "connected", connection: { address: "tools.api.user.main" } })
    expect(Object.fromEntries(new URLSearchParams(provider.requests[0]?.text))).toEqual({
      grant_type: exchange,
      subject_token: subjectToken,
      subject_token_type: "urn:ietf:params:oauth:token-type:id_token",
      requested_token_type: jag,
      audience: server.issuer,
      resource: "https://api.example/",
      scope: "read write",
      client_id: "at-provider",
    })
    expect(Object.fromEntries(server.requests("token").at(-1)?.parameters ?? [])).toMatchObject({
      grant_type: bearer,
      assertion: "assertion-1",
    })
    new CanaryScanner([subjectToken]).expectNone([started, events], "the result and the events")
  })

  it("is not had for an access token, which the provider must not give in its place", async () => {
    const { start, server } = await setProvider({ ...issued, issued_token_type: accessTokenType })
    expect(await rejectionOf(start({ subjectToken: "id-token-1" }))).toMatchObject({ reason: "identity_refused" })
    expect(server.requests("token")).toEqual([])
  })

  it("needs the ID token and a client of the provider", async () => {
    const { start } = await setProvider()
    expect(await rejectionOf(start())).toMatchObject({ reason: "subject_token_missing" })
    const absent = start({ identityClient: "absent", subjectToken: "id-token-1" })
    expect(await rejectionOf(absent)).toMatchObject({ reason: "client_not_found" })
    const wrong = start({ identityClient: "app", subjectToken: "id-token-1" })
    expect(await rejectionOf(wrong)).toMatchObject({ reason: "client_not_found" })
  })
})
