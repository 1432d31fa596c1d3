/**
 * The authorization code flow from start to connection, and everything that must end it before a token request is made.
 *
 * T1 to T4 of the OAuth reference's threats, M1 to M4 of its platform rules, B5 and B6 of its responses.
 */
import {
  createExecutor,
  type Executor,
  memoryProvider,
  OAuthCompleteError,
  OAuthSessionNotFoundError,
  type StartOAuthInput,
} from "@keyward/core"
import { CanaryScanner, misbehavingAuthorizationServer } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import { afterEach, describe, expect, it, vi } from "vitest"
import { eventually } from "../../eventually.ts"
import { acmePlugin, rejectionOf, storeDown, toJson, unreliableStore } from "../acme.ts"
import { appByHand, appOf, connect, flowOfMine, mine, redirectUri, setOAuthStage, startRedirect } from "./oauthStage.ts"

afterEach(() => {
  vi.useRealTimers()
})

/** A stage with the client `app`. */
const setApp = async (options: Parameters<typeof setOAuthStage>[0] = {}, app: Parameters<typeof appOf>[1] = {}) => {
  const stage = await setOAuthStage(options)
  await stage.executor.oauth.createClient(appOf(stage.server, app))
  stage.events.length = 0
  return stage
}

describe("a flow", () => {
  it.each([
    ["by issuer", appOf],
    ["by hand", appByHand],
  ])("connects an account through a client %s", async (_, app) => {
    const stage = await setOAuthStage()
    const { executor, server, events, vault } = stage
    await executor.oauth.createClient(app(server, { clientSecret: "app secret" }))
    events.length = 0
    const connection = await connect(stage, { ...flowOfMine, name: "my account", identityLabel: "alice@example.com" })
    expect(connection).toMatchObject({
      address: "tools.api.user.myAccount",
      template: "oauth",
      provider: "vault",
      status: "active",
      identityLabel: "alice@example.com",
      oauthClient: "app",
      oauthClientOwner: "org",
      oauthScope: "read write",
    })
    expect(connection.expiresAt).toBeGreaterThan(Date.now() + 3_500_000)
    expect(await executor.execute("tools.api.user.myAccount.call")).toMatchObject({ ok: true })
    expect([...vault.items.keys()].filter((id) => id.includes("oauth:"))).toEqual([
      "acme/alice/oauth:user:api:myAccount:refresh",
      "acme/alice/oauth:user:api:myAccount",
    ])
    expect(events.map(({ type }) => type)).toEqual([
      "oauth.started",
      "connection.created",
      "oauth.completed",
      "tool.called",
    ])
  })

  it("asks no server anything to start through a client that was entered by hand", async () => {
    const { executor, server } = await setOAuthStage()
    await executor.oauth.createClient(appByHand(server))
    await startRedirect(executor)
    for (const endpoint of ["metadata", "token", "pushed_authorization_request"] as const) {
      expect(server.requests(endpoint)).toEqual([])
    }
  })

  it("sends what the template and the client say, and remembers what was granted", async () => {
    const stage = await setApp(
      {
        server: { scopes: ["read"], metadata: { scopes_supported: ["read", "write", "offline_access"] } },
        template: { resource: "https://api.example/", authorizationParams: { prompt: "consent", hd: "template" } },
      },
      { authorizationParams: { hd: "client" } },
    )
    const { executor, server } = stage
    await connect(stage)
    const [pushed] = server.requests("pushed_authorization_request")
    const [token] = server.requests("token")
    expect(Object.fromEntries(pushed?.parameters ?? [])).toMatchObject({
      client_id: "app-id",
      response_type: "code",
      redirect_uri: redirectUri,
      scope: "read write offline_access",
      resource: "https://api.example/",
      code_challenge_method: "S256",
      prompt: "consent",
      hd: "client",
    })
    expect(Object.fromEntries(token?.parameters ?? [])).toMatchObject({
      grant_type: "authorization_code",
      resource: "https://api.example/",
      redirect_uri: redirectUri,
    })
    expect(await executor.oauth.grant(mine)).toMatchObject({
      type: "authorization_code",
      clientId: "app-id",
      issuer: server.issuer,
      requestedScopes: ["read", "write", "offline_access"],
      grantedScopes: ["read"],
      // That what `offline_access` asks for was granted shows in the refresh token.
      missingScopes: ["write"],
      hasRefreshToken: true,
      tokenType: "Bearer",
    })
    expect(await executor.oauth.grant({ ...mine, name: "other" })).toBeNull()
    server.behave({ issuesRefreshTokens: false })
    await connect(stage)
    expect(await executor.oauth.grant(mine)).toMatchObject({ missingScopes: ["write", "offline_access"] })
    expect(await executor.withIdentity({}).oauth.grant(mine)).toBeNull()
  })

  it("asks for no scope where the template names none, rather than for offline_access alone (A7, A8)", async () => {
    const stage = await setApp({
      server: { metadata: { scopes_supported: ["read", "offline_access"] } },
      template: { scopes: [] },
    })
    await connect(stage)
    expect(stage.server.requests("pushed_authorization_request")[0]?.parameters.has("scope")).toBe(false)
  })

  it("gives the new token to a plugin that lists the tools of the connection", async () => {
    const plugin = acmePlugin(
      { call: () => null },
      {
        catalog: "connection",
        resolveTools: async ({ fetch }) => [
          { name: ((await toJson(await fetch("/resource"))) as { scope: string }).scope },
        ],
      },
    )
    const stage = await setApp({ plugin, template: { scopes: ["read"] } })
    await connect(stage)
    expect(await stage.executor.tools.list()).toMatchObject([{ address: "tools.api.user.main.read" }])
  })

  it("reconnects in place: same reference, its words kept, what was there replaced", async () => {
    const stage = await setApp()
    const { executor, server, events, vault } = stage
    await connect(stage, { ...flowOfMine, identityLabel: "alice" })
    await executor.connections.update(mine, { description: "for reports" })
    server.endGrants()
    const again = await connect(stage)
    expect(again).toMatchObject({ identityLabel: "alice", description: "for reports", status: "active" })
    expect(await connect(stage, { ...flowOfMine, identityLabel: null })).toMatchObject({ identityLabel: null })
    expect(events.filter(({ type }) => type === "connection.replaced")).toHaveLength(2)
    expect(vault.items.size).toBe(2)
    expect(await executor.execute("tools.api.user.main.call")).toMatchObject({ ok: true })
  })

  it("does not revoke the grant before when it is of the same client: servers may end both", async () => {
    const stage = await setApp()
    await connect(stage)
    await connect(stage)
    expect(stage.server.requests("revocation")).toEqual([])
    expect(stage.server.grants.map(({ endedBy }) => endedBy)).toEqual([null, null])
  })
})

describe("start", () => {
  it.each<[reason: string, Partial<StartOAuthInput>]>([
    ["client_not_found", { client: "other" }],
    ["client_not_found", { clientOwner: "user" }],
    ["client_not_found", { clientOwner: "team" as never }],
    ["owner_mismatch", { owner: "org", clientOwner: "user" }],
    ["template_not_oauth2", { template: "bearer" }],
    ["template_not_found", { template: "none-such" }],
    ["redirect_uri_unusable", { redirectUri: "http://app.example/callback" }],
    ["redirect_uri_unusable", { redirectUri: "javascript:alert(1)" }],
    ["redirect_uri_unusable", { redirectUri: `${redirectUri}#fragment` }],
  ])("refuses with %s: %j", async (reason, wrong) => {
    const { executor, server, events } = await setApp()
    const error = await rejectionOf(executor.oauth.start({ ...flowOfMine, ...wrong }))
    expect(error).toMatchObject({ _tag: "OAuthStartError", reason, httpStatus: 400 })
    expect(server.requests("token")).toEqual([])
    expect(events).toEqual([])
  })

  it("refuses without a redirect URI from anywhere", async () => {
    const { executor } = await setApp({ config: { redirectUri: undefined } })
    expect(await rejectionOf(executor.oauth.start(flowOfMine))).toMatchObject({ reason: "redirect_uri_missing" })
    expect(await executor.oauth.start({ ...flowOfMine, redirectUri })).toMatchObject({ status: "redirect" })
  })

  it("refuses an integration that is not there, and a user's connection where no user acts", async () => {
    const { executor } = await setApp()
    const start = (by: Pick<Executor, "oauth">, input: Partial<StartOAuthInput>) =>
      rejectionOf(by.oauth.start({ ...flowOfMine, ...input }))
    expect(await start(executor, { integration: "other" })).toMatchObject({ _tag: "IntegrationNotFoundError" })
    expect(await start(executor.withIdentity({}), {})).toMatchObject({ _tag: "InvalidConnectionInputError" })
  })

  it.each([
    ["issuer", "https://other.example"],
    ["authorizationUrl", "https://other.example/authorize"],
    ["tokenUrl", "https://other.example/token"],
  ])("does not lend a client to a template that names another server by its %s (M2)", async (field, url) => {
    const { executor } = await setApp({ template: { [field]: url } })
    expect(await rejectionOf(executor.oauth.start(flowOfMine))).toMatchObject({ reason: "issuer_mismatch" })
  })

  it("lends a client to a template that names the same server, parameters of an endpoint apart", async () => {
    const { executor, server } = await setOAuthStage()
    await executor.oauth.createClient(appByHand(server, { authorizationUrl: `${server.authorizationUrl}?tenant=1` }))
    await executor.acme.add({
      slug: "api",
      baseUrl: server.origin,
      authTemplates: [
        { slug: "oauth", type: "oauth2", authorizationUrl: server.authorizationUrl, tokenUrl: server.tokenUrl },
      ],
    })
    const { authorizationUrl } = await startRedirect(executor)
    expect(new URL(authorizationUrl).searchParams.get("tenant")).toBe("1")
  })
})

describe("complete", () => {
  it("takes state, code and iss in place of the callback's URL", async () => {
    const { executor, server } = await setApp()
    const { authorizationUrl, state } = await startRedirect(executor)
    const { searchParams } = new URL(await server.visit(authorizationUrl))
    const code = searchParams.get("code") ?? ""
    const iss = searchParams.get("iss") ?? ""
    expect(await executor.oauth.complete({ state, code, iss })).toMatchObject({ status: "active" })
  })

  it("redeems a code once when two callbacks arrive together (B5)", async () => {
    const { executor, server, restarted } = await setApp()
    const other = await restarted()
    const { authorizationUrl } = await startRedirect(executor)
    const callbackUrl = await server.visit(authorizationUrl)
    const outcomes = await Promise.allSettled(
      [executor, other, executor, other].map((by) => by.oauth.complete({ callbackUrl })),
    )
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1)
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") expect(outcome.reason).toBeInstanceOf(OAuthSessionNotFoundError)
    }
    expect(server.requests("token")).toHaveLength(1)
    expect(server.grants.map(({ endedBy }) => endedBy)).toEqual([null])
  })

  it("knows no flow that was finished, cancelled, never begun, or begun in another tenant (T2)", async () => {
    const stage = await setApp()
    const { executor, server } = stage
    const finish = (by: Pick<Executor, "oauth">, callbackUrl: string) => rejectionOf(by.oauth.complete({ callbackUrl }))
    const begun = await startRedirect(executor)
    const callbackUrl = await server.visit(begun.authorizationUrl)
    const elsewhere = await finish(executor.withIdentity({ tenant: "globex", subject: "alice" }), callbackUrl)
    const unknown = await finish(executor, `${redirectUri}?state=${"x".repeat(43)}&code=c`)
    await executor.oauth.complete({ callbackUrl })
    const finished = await finish(executor, callbackUrl)
    const cancelled = await startRedirect(executor)
    await executor.oauth.cancel(cancelled.state)
    await executor.oauth.cancel(cancelled.state)
    const afterwards = await finish(executor, await server.visit(cancelled.authorizationUrl))
    for (const error of [elsewhere, unknown, finished, afterwards]) {
      expect(error).toBeInstanceOf(OAuthSessionNotFoundError)
      expect(error.message).toBe(elsewhere.message)
    }
    expect(server.requests("token")).toHaveLength(1)
  })

  it("knows no flow that is older than ten minutes", async () => {
    vi.useFakeTimers({ toFake: ["Date"] })
    const { executor, server, store } = await setApp()
    const { authorizationUrl } = await startRedirect(executor)
    const callbackUrl = await server.visit(authorizationUrl)
    vi.setSystemTime(Date.now() + 10 * 60_000)
    expect(await rejectionOf(executor.oauth.complete({ callbackUrl }))).toBeInstanceOf(OAuthSessionNotFoundError)
    expect(server.requests("token")).toEqual([])
    expect(await Effect.runPromise(store.oauth.sessions.removeExpired("acme", Date.now() + 1))).toBe(0)
  })

  it.each([
    ["bob", { subject: "bob" }],
    ["nobody in particular", { subject: null }],
  ])("is not for %s when alice began: no request, and the flow is burned (T3, M3)", async (_, identity) => {
    const { executor, server, events } = await setApp()
    const { authorizationUrl } = await startRedirect(executor)
    const callbackUrl = await server.visit(authorizationUrl)
    const error = await rejectionOf(executor.withIdentity(identity).oauth.complete({ callbackUrl }))
    expect(error).toBeInstanceOf(OAuthCompleteError)
    expect(error).toMatchObject({ reason: "identity_mismatch" })
    expect(await rejectionOf(executor.oauth.complete({ callbackUrl }))).toBeInstanceOf(OAuthSessionNotFoundError)
    expect(server.requests("token")).toEqual([])
    expect(await executor.connections.list()).toEqual([])
    expect(events).toMatchObject([
      { type: "oauth.started", subject: "alice" },
      { type: "oauth.failed", reason: "identity_mismatch", subject: identity.subject },
    ])
  })

  it("is not for an organisation's flow that alice began and bob finishes", async () => {
    const { executor, server } = await setApp()
    const { authorizationUrl } = await startRedirect(executor, { ...flowOfMine, owner: "org" })
    const callbackUrl = await server.visit(authorizationUrl)
    const error = await rejectionOf(executor.withIdentity({ subject: "bob" }).oauth.complete({ callbackUrl }))
    expect(error).toMatchObject({ reason: "identity_mismatch" })
    expect(server.requests("token")).toEqual([])
  })

  it("leaves another person's flow alone when somebody cancels it", async () => {
    const { executor, server } = await setApp()
    const { authorizationUrl, state } = await startRedirect(executor)
    await executor.withIdentity({ subject: "bob" }).oauth.cancel(state)
    const callbackUrl = await server.visit(authorizationUrl)
    expect(await executor.oauth.complete({ callbackUrl })).toMatchObject({ status: "active" })
  })

  it.each([
    "http://127.0.0.1:4319/other",
    "http://127.0.0.1:4320/oauth/callback",
    "https://evil.example/oauth/callback",
  ])("is not for a callback that arrived at %s (M1)", async (location) => {
    const { executor, server } = await setApp()
    const { authorizationUrl } = await startRedirect(executor)
    const callbackUrl = location + new URL(await server.visit(authorizationUrl)).search
    expect(await rejectionOf(executor.oauth.complete({ callbackUrl }))).toMatchObject({
      reason: "redirect_uri_mismatch",
    })
    expect(server.requests("token")).toEqual([])
  })

  it("sends no code anywhere when another server answers in the flow's name (T1)", async () => {
    const { executor, server } = await setApp()
    await using other = await misbehavingAuthorizationServer()
    const { state } = await startRedirect(executor)
    // The person is led to another server, with the state of this flow.
    const led = new URL(other.authorizationUrl)
    led.search = new URLSearchParams({ client_id: "app-id", redirect_uri: redirectUri, state }).toString()
    const callbackUrl = await other.visit(led.href)
    expect(await rejectionOf(executor.oauth.complete({ callbackUrl }))).toMatchObject({ reason: "iss_mismatch" })
    expect(server.requests("token")).toEqual([])
    expect(other.requests("token")).toEqual([])
  })

  it("goes to the server that was pinned at the start, or nowhere, when the client moved since (M4)", async () => {
    const { executor, server } = await setOAuthStage()
    await using other = await misbehavingAuthorizationServer()
    await executor.oauth.createClient(appByHand(server))
    const { authorizationUrl } = await startRedirect(executor)
    const callbackUrl = await server.visit(authorizationUrl)
    await executor.oauth.createClient(appByHand(other, { clientSecret: "secret of the other server" }))
    expect(await rejectionOf(executor.oauth.complete({ callbackUrl }))).toMatchObject({ reason: "client_changed" })
    expect([...server.requests("token"), ...other.requests("token")]).toEqual([])
  })

  it("goes on with the pinned endpoint when the metadata names another one since (A4)", async () => {
    const { executor, server } = await setApp()
    await using other = await misbehavingAuthorizationServer()
    const { authorizationUrl } = await startRedirect(executor)
    const callbackUrl = await server.visit(authorizationUrl)
    server.always("metadata", { fault: "change", json: { token_endpoint: other.tokenUrl } })
    await executor.oauth.complete({ callbackUrl })
    expect(server.requests("token")).toHaveLength(1)
    expect(other.requests("token")).toEqual([])
  })

  it("goes to a regional host that the client lists, and to none that only the template does (M2)", async () => {
    await using other = await misbehavingAuthorizationServer()
    const regional = { tokenHostParameter: "domain", tokenHosts: [other.host] }
    const { executor, server } = await setApp(
      { template: { quirks: regional } },
      { clientSecret: "canary-client-secret-0123456789" },
    )
    const finish = async () => {
      const { authorizationUrl } = await startRedirect(executor)
      server.next("authorize", { fault: "callback", parameters: { domain: other.host } })
      return rejectionOf(executor.oauth.complete({ callbackUrl: await server.visit(authorizationUrl) }))
    }
    expect(await finish()).toMatchObject({ reason: "token_host_refused" })
    expect([...other.requests("token"), ...server.requests("token")]).toEqual([])
    await executor.oauth.createClient(appOf(server, { quirks: regional }))
    const { authorizationUrl } = await startRedirect(executor)
    server.next("authorize", { fault: "callback", parameters: { domain: server.host } })
    const elsewhere = executor.oauth.complete({ callbackUrl: await server.visit(authorizationUrl) })
    expect(await rejectionOf(elsewhere)).toMatchObject({ reason: "token_host_refused" })
  })

  it("says so when the person said no, and leaves an existing connection as it was (B6)", async () => {
    const stage = await setApp()
    const { executor, server, vault, events } = stage
    await connect(stage)
    const before = new Map(vault.items)
    const connection = await executor.connections.get(mine)
    const { authorizationUrl } = await startRedirect(executor)
    const callbackUrl = await server.visit(authorizationUrl, { isDenied: true })
    const error = await rejectionOf(executor.oauth.complete({ callbackUrl }))
    expect(error).toMatchObject({ _tag: "OAuthCompleteError", reason: "access_denied", retryable: false })
    expect(await executor.connections.get(mine)).toEqual(connection)
    expect(vault.items).toEqual(before)
    expect(events.at(-1)).toMatchObject({ type: "oauth.failed", reason: "access_denied" })
    expect(await rejectionOf(executor.oauth.complete({ callbackUrl }))).toBeInstanceOf(OAuthSessionNotFoundError)
  })

  it.each([
    ["the server turns the code down", { fault: "error", error: "invalid_grant" }],
    ["the server is down", { fault: "html", status: 503 }],
    ["the answer is lost", { fault: "reset", isProcessed: true }],
    ["the token endpoint redirects", { fault: "redirect", location: "https://evil.example/" }],
  ] as const)("ends, and leaves an existing connection as it was, when %s", async (_, fault) => {
    const stage = await setApp()
    const { executor, server, vault } = stage
    await connect(stage)
    const before = new Map(vault.items)
    const { authorizationUrl } = await startRedirect(executor)
    const callbackUrl = await server.visit(authorizationUrl)
    server.next("token", fault)
    const error = await rejectionOf(executor.oauth.complete({ callbackUrl }))
    expect(error).toMatchObject({ _tag: "OAuthCompleteError", reason: "token_request_failed" })
    expect(vault.items).toEqual(before)
    expect(server.requests("token")).toHaveLength(2)
  })

  it("revokes tokens that no connection could be made of", async () => {
    let isDown = false
    const store = unreliableStore((operation) =>
      isDown && operation === "connections.put" ? storeDown(operation) : Effect.void,
    )
    const { executor, server, vault } = await setApp({ config: { store } })
    const { authorizationUrl } = await startRedirect(executor)
    const callbackUrl = await server.visit(authorizationUrl)
    isDown = true
    expect(await rejectionOf(executor.oauth.complete({ callbackUrl }))).toMatchObject({ _tag: "StoreUnavailableError" })
    await server.received("revocation", 1)
    await eventually(() => expect(vault.items.size).toBe(0))
    expect(server.grants.map(({ endedBy }) => endedBy)).toEqual(["revocation"])
  })

  it("keeps the connection before, and its grant, when the new one cannot be stored", async () => {
    let isDown = false
    const store = unreliableStore((operation) =>
      isDown && operation === "connections.put" ? storeDown(operation) : Effect.void,
    )
    const stage = await setApp({ config: { store } })
    const { executor, server, vault } = stage
    await connect(stage)
    const before = new Map(vault.items)
    const { authorizationUrl } = await startRedirect(executor)
    const callbackUrl = await server.visit(authorizationUrl)
    isDown = true
    await rejectionOf(executor.oauth.complete({ callbackUrl }))
    isDown = false
    expect(new Map(vault.items)).toEqual(before)
    expect(await executor.execute("tools.api.user.main.call")).toMatchObject({ ok: true })
    expect(server.requests("revocation")).toEqual([])
  })
})

describe("what a flow keeps", () => {
  it("is nothing that a reader of the store could use", async () => {
    const { executor, server, store, events } = await setApp({}, { clientSecret: "canary-client-secret-0123456789" })
    const { authorizationUrl, state } = await startRedirect(executor)
    const { hashState } = await import("../../../src/oauth/AuthorizationRequest.ts")
    const session = await Effect.runPromise(store.oauth.sessions.get("acme", hashState(state)))
    expect(session).toMatchObject({ startedBy: "alice", grant: "authorization_code", redirectUri })
    const connection = await executor.oauth.complete({ callbackUrl: await server.visit(authorizationUrl) })
    const verifier = server.requests("token")[0]?.parameters.get("code_verifier") ?? ""
    expect(verifier).toHaveLength(43)
    const scanner = new CanaryScanner([state, verifier, "canary-client-secret-0123456789", ...server.secrets])
    scanner.expectNone([session, events, connection], "the record, the events and the connection")
  })

  it("is swept away with later flows when nobody finishes it", async () => {
    vi.useFakeTimers({ toFake: ["Date"] })
    const { executor, store } = await setApp()
    const { state } = await startRedirect(executor)
    const { hashState } = await import("../../../src/oauth/AuthorizationRequest.ts")
    vi.setSystemTime(Date.now() + 11 * 60_000)
    await startRedirect(executor)
    await eventually(async () =>
      expect(await Effect.runPromise(store.oauth.sessions.get("acme", hashState(state)))).toBeUndefined(),
    )
  })
})

describe("a host without OAuth", () => {
  it("has the namespace and no clients", async () => {
    await using executor = await createExecutor({ providers: [memoryProvider()] })
    expect(await executor.oauth.listClients()).toEqual([])
  })
})
