/** Refreshing: when it happens, how often, and what every kind of failure means for the connection. */
import { inspect } from "node:util"
import type { AuthorizationServerFault } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { acmePlugin, toJson } from "../acme.ts"
import { connectAccount, failureOf } from "./account.ts"
import { appOf, connect, mine, setOAuthStage } from "./oauthStage.ts"

describe("a token that is due", () => {
  it("is refreshed before it is used", async () => {
    const account = await connectAccount()
    await account.expire()
    const before = await account.row()
    expect(await account.call()).toMatchObject({ ok: true, http: { status: 200 } })
    const after = await account.row()
    expect(account.refreshes()).toBe(1)
    expect(account.server.requests("resource")).toHaveLength(1)
    expect(after.expiresAt).toBeGreaterThan(Date.now())
    expect(after.grant).toMatchObject({ id: before.grant?.id, hasRefreshToken: true, intent: null })
    expect(account.server.reuses).toBe(0)
  })

  it("is left alone while it is fresh", async () => {
    const account = await connectAccount()
    await account.call()
    await account.call()
    expect(account.refreshes()).toBe(0)
  })

  it("is refreshed again and again with the token that came last", async () => {
    const account = await connectAccount()
    for (let round = 1; round <= 5; round += 1) {
      await account.expire()
      expect((await account.call()).ok).toBe(true)
      expect(account.refreshes()).toBe(round)
    }
    expect(account.server.reuses).toBe(0)
  })

  it("is refreshed once for five hundred calls at the same time", async () => {
    const account = await connectAccount()
    await account.expire()
    const results = await Promise.all(Array.from({ length: 500 }, () => account.call()))
    expect(results.filter(({ ok }) => ok)).toHaveLength(500)
    expect(account.refreshes()).toBe(1)
  })

  it("keeps its refresh token when the answer holds no other", async () => {
    const account = await connectAccount({ server: { rotation: "none" } })
    await account.expire()
    expect((await account.call()).ok).toBe(true)
    await account.expire()
    expect((await account.call()).ok).toBe(true)
    expect(account.refreshes()).toBe(2)
  })

  it("asks for the resource that the grant is for, and for no scope", async () => {
    const account = await connectAccount({ template: { resource: "https://files.example/api" } })
    await account.expire()
    await account.call()
    const parameters = account.server.requests("token").at(-1)?.parameters
    expect(parameters?.get("grant_type")).toBe("refresh_token")
    expect(parameters?.get("resource")).toBe("https://files.example/api")
    expect(parameters?.has("scope")).toBe(false)
  })

  it("does not hold up another connection of the same app", async () => {
    const account = await connectAccount()
    const other = { ...account.ref, name: "other" }
    const started = await account.executor.oauth.start({
      ...other,
      client: "app",
      clientOwner: "org",
      template: "oauth",
    })
    if (started.status !== "redirect") throw new Error(started.status)
    await account.executor.oauth.complete({ callbackUrl: await account.server.visit(started.authorizationUrl) })
    const released = Promise.withResolvers<void>()
    account.server.next("token", { fault: "hold", until: released.promise })
    await account.edit({ expiresAt: Date.now() - 1 })
    const held = account.call()
    expect((await account.executor.execute("tools.files.user.other.whoami")).ok).toBe(true)
    released.resolve()
    expect((await held).ok).toBe(true)
  })
})

describe("a caller who gives up", () => {
  it("does not stop the refresh, whose tokens are kept", async () => {
    const account = await connectAccount()
    await account.expire()
    const released = Promise.withResolvers<void>()
    account.server.next("token", { fault: "hold", until: released.promise, isProcessed: true })
    const controller = new AbortController()
    const abandoned = account.call(controller.signal)
    await account.server.received("token", 2)
    controller.abort(new Error("enough"))
    await expect(abandoned).rejects.toThrow("enough")
    const joined = account.call()
    released.resolve()
    expect((await joined).ok).toBe(true)
    expect(account.refreshes()).toBe(1)
    expect(account.server.reuses).toBe(0)
  })
})

const passing: ReadonlyArray<readonly [name: string, fault: AuthorizationServerFault]> = [
  ["500", { fault: "error", error: "server_error", status: 500 }],
  ["502 with a page", { fault: "html", status: 502 }],
  ["503 with Retry-After", { fault: "answer", status: 503, headers: { "retry-after": "30" } }],
  ["429 without a body", { fault: "answer", status: 429 }],
  ["425", { fault: "answer", status: 425 }],
  ["408", { fault: "answer", status: 408 }],
  ["500 that says invalid_grant", { fault: "error", error: "invalid_grant", status: 500 }],
  ["a redirect", { fault: "redirect", location: "https://elsewhere.example/token" }],
  ["a page with status 200", { fault: "html" }],
  ["JSON cut short", { fault: "answer", body: '{"access_token":"hal' }],
  ["a body without end", { fault: "huge" }],
  ["a reset before an answer", { fault: "reset" }],
  ["temporarily_unavailable", { fault: "error", error: "temporarily_unavailable" }],
  ["slow_down", { fault: "error", error: "slow_down" }],
]

describe("trouble that passes", () => {
  it.each(passing)("never ends a connection: %s", async (_, fault) => {
    const account = await connectAccount()
    await account.expire()
    account.server.always("token", fault)
    const failure = failureOf(await account.call())
    expect(failure).toMatchObject({ code: "oauth_refresh_failed", retryable: true })
    expect(failure.details["authRequired"]).toBeUndefined()
    expect(await account.executor.connections.get(account.ref)).toMatchObject({ status: "active", statusReason: null })
    expect(account.refreshes()).toBeLessThanOrEqual(3)
    for (const secret of account.server.secrets) expect(inspect(failure, { depth: 10 })).not.toContain(secret)
  })

  it.each(passing)("does not matter while the access token is good: %s", async (_, fault) => {
    const account = await connectAccount()
    const { grant } = await account.row()
    const now = Date.now()
    if (grant === null) throw new Error("The row has no grant.")
    await account.edit({ expiresAt: now + 5_000, grant: { ...grant, issuedAt: now - 3_600_000 } })
    account.server.always("token", fault)
    expect(await account.call()).toMatchObject({ ok: true })
    expect(account.events.map(({ type }) => type)).toContain("credential.refresh_failed")
  })

  it("is not asked about by every call: a connection cools down", async () => {
    const account = await connectAccount()
    await account.expire()
    account.server.always("token", { fault: "answer", status: 503, headers: { "retry-after": "30" } })
    await account.call()
    const failures = await Promise.all(Array.from({ length: 20 }, () => account.call()))
    expect(account.refreshes()).toBe(1)
    for (const result of failures) {
      const { details } = failureOf(result)
      expect(details["retryAfterMs"]).toBeGreaterThan(20_000)
      expect(details["retryAfterMs"]).toBeLessThanOrEqual(30_000)
    }
  })

  it("is over when it is over: a failure is not remembered as a refresh", async () => {
    const account = await connectAccount()
    await account.expire()
    account.server.next("token", { fault: "answer", status: 503 })
    // A request that was not processed is repeated once, soon.
    expect((await account.call()).ok).toBe(true)
    expect(account.refreshes()).toBe(2)
  })

  it("is not waited out by a connection that was connected anew meanwhile", async () => {
    const account = await connectAccount()
    await account.expire()
    account.server.always("token", { fault: "answer", status: 503, headers: { "retry-after": "30" } })
    await account.call()
    account.server.always("token", undefined)
    await account.reconnect()
    expect((await account.call()).ok).toBe(true)
  })
})

describe("a grant that the server ended", () => {
  it.each([400, 401, 403])("makes the connection expired within one attempt (HTTP %i)", async (status) => {
    const account = await connectAccount()
    await account.expire()
    account.server.always("token", { fault: "error", error: "invalid_grant", status, isChallenged: true })
    const failure = failureOf(await account.call())
    expect(failure).toMatchObject({ code: "oauth_reauth_required", retryable: false })
    expect(failure.details).toMatchObject({ authRequired: true, reason: "grant_rejected" })
    expect(account.refreshes()).toBe(1)
    expect(await account.executor.connections.get(account.ref)).toMatchObject({
      status: "expired",
      statusReason: "grant_rejected",
    })
    await account.call()
    await account.call()
    expect(account.refreshes()).toBe(1)
    expect(account.events.filter(({ type }) => type === "connection.expired")).toHaveLength(1)
  })

  it("keeps the tokens, and says where to go", async () => {
    const account = await connectAccount()
    await account.expire()
    account.server.endGrants()
    const { details } = failureOf(await account.call())
    const url = new URL(String(details["authorizeUrl"]))
    expect(url.origin + url.pathname).toBe(account.server.authorizationUrl)
    expect(failureOf(await account.call()).details["authorizeUrl"]).toBe(url.href)
    // Following it restores the connection in place.
    await account.executor.oauth.complete({ callbackUrl: await account.server.visit(url.href) })
    expect(await account.executor.connections.get(account.ref)).toMatchObject({ status: "active", statusReason: null })
    expect((await account.call()).ok).toBe(true)
  })

  it("is restored in place by connecting again", async () => {
    const account = await connectAccount()
    await account.expire()
    account.server.endGrants()
    await account.call()
    await account.reconnect()
    expect(await account.call()).toMatchObject({ ok: true })
    expect(await account.executor.connections.list()).toHaveLength(1)
  })
})

describe("a client that is turned down", () => {
  it.each([
    ["invalid_client", 401],
    ["unauthorized_client", 400],
    ["invalid_scope", 400],
    ["invalid_target", 400],
    ["unsupported_grant_type", 400],
  ])("leaves the grant alone: %s", async (error, status) => {
    const account = await connectAccount()
    await account.expire()
    account.server.always("token", { fault: "error", error, status, isChallenged: status === 401 })
    expect(failureOf(await account.call())).toMatchObject({
      code: "oauth_refresh_failed",
      details: { reason: error },
    })
    expect(await account.executor.connections.get(account.ref)).toMatchObject({ status: "active" })
    expect(account.refreshes()).toBe(1)
    account.server.always("token", undefined)
    await account.reconnect()
    expect((await account.call()).ok).toBe(true)
  })

  it("is named when it is gone", async () => {
    const account = await connectAccount()
    await account.executor.oauth.removeClient("org", "app")
    expect((await account.call()).ok).toBe(true)
    await account.expire()
    const failure = failureOf(await account.call())
    expect(failure).toMatchObject({ code: "oauth_reauth_required", details: { reason: "client_removed" } })
    expect(failure.message).toContain('"app"')
    expect(account.refreshes()).toBe(0)
  })
})

describe("an answer that was lost", () => {
  it.each<AuthorizationServerFault>([{ fault: "reset", isProcessed: true }, { fault: "truncate" }])(
    "is had again at once from a server with a grace window ($fault)",
    async (fault) => {
      const account = await connectAccount({ server: { rotation: "grace" } })
      await account.expire()
      account.server.next("token", fault)
      expect((await account.call()).ok).toBe(true)
      expect(account.refreshes()).toBe(2)
      expect((await account.row()).grant?.intent).toBeNull()
    },
  )

  it("ends the grant at a strict server, which is said truthfully", async () => {
    const account = await connectAccount()
    await account.expire()
    account.server.next("token", { fault: "reset", isProcessed: true })
    expect(failureOf(await account.call()).details).toMatchObject({ reason: "rotation_lost", authRequired: true })
    expect(await account.executor.connections.get(account.ref)).toMatchObject({
      status: "expired",
      statusReason: "rotation_lost",
    })
  })

  it("is not asked for a fourth time, and not at all while the access token is good", async () => {
    const account = await connectAccount({ server: { rotation: "grace" } })
    const { grant } = await account.row()
    if (grant === null) throw new Error("The row has no grant.")
    const now = Date.now()
    await account.edit({ expiresAt: now + 50_000, grant: { ...grant, issuedAt: now - 3_600_000 } })
    account.server.always("token", { fault: "reset", isProcessed: true })
    expect((await account.call()).ok).toBe(true)
    expect(account.refreshes()).toBe(3)
    expect((await account.row()).grant?.intent).toMatchObject({ state: "unknown" })
    const other = await account.another()
    expect((await other.execute("tools.files.user.main.whoami")).ok).toBe(true)
    expect(account.refreshes()).toBe(3)
    // When there is nothing left to lose it is tried again.
    account.server.always("token", undefined)
    await account.expire()
    expect((await other.execute("tools.files.user.main.whoami")).ok).toBe(true)
    expect(account.refreshes()).toBe(4)
  })
})

describe("an answer that cannot be used", () => {
  it.each<Readonly<Record<string, unknown>>>([
    { token_type: "MAC" },
    { token_type: "DPoP" },
    { access_token: "tok\r\nX-Evil: 1" },
    { access_token: null },
  ])("does not cost the refresh token in it: %j", async (json) => {
    const account = await connectAccount()
    await account.expire()
    account.server.next("token", { fault: "change", json })
    const failure = failureOf(await account.call())
    expect(failure).toMatchObject({ code: "oauth_refresh_failed", retryable: true })
    expect(account.refreshes()).toBe(1)
    const other = await account.another()
    expect((await other.execute("tools.files.user.main.whoami")).ok).toBe(true)
    expect(account.refreshes()).toBe(2)
    expect(account.server.reuses).toBe(0)
  })
})

describe("a provider that wants scopes with each refresh", () => {
  const quirks = { scopeOnRefresh: true } as const
  const scopeSent = (account: Awaited<ReturnType<typeof connectAccount>>) =>
    account.server.requests("token").at(-1)?.parameters.get("scope")

  it("is asked for no more than it granted, which would end in invalid_scope (D3)", async () => {
    const template = { scopes: ["files:read", "files:write", "offline_access"], quirks }
    const account = await connectAccount({ server: { scopes: ["files:read", "offline_access"] }, template })
    await account.expire()
    expect((await account.call()).ok).toBe(true)
    expect(scopeSent(account)).toBe("files:read offline_access")
  })

  it.each(["https://graph.example/Files.Read", "files.read", "something else entirely"])(
    "is asked as before where it spells what it granted as %j",
    async (granted) => {
      const account = await connectAccount({ template: { scopes: ["Files.Read", "offline_access"], quirks } })
      await account.edit({ oauthScope: granted })
      await account.expire()
      await account.call()
      expect(scopeSent(account)).toBe("Files.Read offline_access")
    },
  )
})

describe("a service that turns a token down", () => {
  it("causes one refresh for a hundred calls, each of which is repeated once", async () => {
    const account = await connectAccount()
    await account.call()
    account.server.expireAccessTokens()
    const results = await Promise.all(Array.from({ length: 100 }, () => account.call()))
    expect(results.filter(({ ok }) => ok)).toHaveLength(100)
    expect(account.refreshes()).toBe(1)
  })

  it("refreshes for the next request after one whose body cannot be sent again", async () => {
    const account = await connectAccount({ server: { accessTokenSeconds: null } })
    account.server.expireAccessTokens()
    const fetch = account.executor.connections.fetch(account.ref)
    const body = new Blob(["once"]).stream()
    const turnedDown = await fetch(account.server.resourceUrl, { method: "POST", body, duplex: "half" })
    expect(turnedDown.status).toBe(401)
    expect(account.refreshes()).toBe(1)
    expect((await fetch(account.server.resourceUrl)).status).toBe(200)
    expect(account.refreshes()).toBe(1)
  })

  it("is asked once more and then believed", async () => {
    const account = await connectAccount()
    account.server.always("resource", { fault: "error", error: "invalid_token", status: 401, isChallenged: true })
    expect(failureOf(await account.call())).toMatchObject({
      code: "connection_rejected",
      details: { authRequired: true },
    })
    expect(account.refreshes()).toBe(1)
    await account.call()
    expect(account.refreshes()).toBe(1)
    expect(await account.executor.connections.get(account.ref)).toMatchObject({ status: "active" })
  })

  it("is not offered the token that came after, when that one has run out as well", async () => {
    let between = async (): Promise<void> => undefined
    const plugin = acmePlugin({
      call: async ({ fetch }) => {
        await fetch("/resource")
        await between()
        return fetch("/resource").then(toJson)
      },
    })
    const stage = await setOAuthStage({ plugin })
    const { executor, server, store } = stage
    await executor.oauth.createClient(appOf(server))
    await connect(stage)
    const key = { ...mine, tenant: "acme", subject: "alice" }
    const expire = async (): Promise<void> => {
      server.expireAccessTokens()
      const row = await Effect.runPromise(store.connections.get(key))
      if (row === undefined) throw new Error("The row is gone.")
      const next = { ...row, expiresAt: Date.now() - 1, version: row.version + 1 }
      await Effect.runPromise(store.connections.put(next, row.version))
    }
    const other = await stage.restarted()
    between = async () => {
      between = async () => undefined
      await expire()
      expect(await other.execute("tools.api.user.main.call")).toMatchObject({ ok: true })
      await expire()
    }
    expect(await executor.execute("tools.api.user.main.call")).toMatchObject({ ok: true })
    expect(server.requests("token")).toHaveLength(3)
  })

  it("is what refreshes a token whose end nobody knows", async () => {
    const account = await connectAccount({ server: { accessTokenSeconds: null } })
    expect((await account.row()).expiresAt).toBeNull()
    await account.call()
    expect(account.refreshes()).toBe(0)
    account.server.expireAccessTokens()
    expect((await account.call()).ok).toBe(true)
    expect(account.refreshes()).toBe(1)
  })
})

describe("a connection without a refresh token", () => {
  it("works until its token has run out, then needs a person, and never crashes", async () => {
    const account = await connectAccount({ server: { issuesRefreshTokens: false } })
    expect((await account.call()).ok).toBe(true)
    await account.expire()
    expect(failureOf(await account.call())).toMatchObject({
      code: "oauth_reauth_required",
      details: { reason: "no_refresh_token", authRequired: true },
    })
    expect(account.refreshes()).toBe(0)
  })

  it("is not given up because a service turned its token down", async () => {
    const account = await connectAccount({ server: { issuesRefreshTokens: false, accessTokenSeconds: null } })
    account.server.expireAccessTokens()
    expect(failureOf(await account.call())).toMatchObject({ code: "connection_rejected" })
    expect(await account.executor.connections.get(account.ref)).toMatchObject({ status: "active" })
  })
})
