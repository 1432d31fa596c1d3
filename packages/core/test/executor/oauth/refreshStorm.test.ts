/** What many callers, the background and a flow cost the authorization server: one request per token that has run out, and no more. */
import { createExecutor, memoryProvider, memoryStore, type Store } from "@keyward/core"
import { type CredentialProvider, ProviderUnavailableError, StoreUnavailableError } from "@keyward/core/effect"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { connectAccount, resourcePlugin } from "./account.ts"

describe("five hundred callers at the same time", () => {
  it("share one refresh of an expired token, whichever way they call", async () => {
    const account = await connectAccount()
    await account.expire()
    const fetch = account.executor.connections.fetch(account.ref)
    const statuses = await Promise.all(
      Array.from({ length: 500 }, async (_, index) =>
        index % 2 === 0 ? (await fetch("/resource")).status : (await account.call()).ok ? 200 : 0,
      ),
    )
    expect(statuses.filter((status) => status === 200)).toHaveLength(500)
    expect(account.refreshes()).toBe(1)
    expect(account.server.reuses).toBe(0)
  })

  it("share one refresh of a token that the service turned down", async () => {
    const account = await connectAccount()
    account.server.expireAccessTokens()
    const results = await Promise.all(Array.from({ length: 500 }, () => account.call()))
    expect(results.filter(({ ok }) => ok)).toHaveLength(500)
    expect(account.refreshes()).toBe(1)
    expect(account.server.reuses).toBe(0)
  })
})

describe("the background", () => {
  it("does not renew again and again what could not be saved yet", async () => {
    const looks = watchedStore()
    const provider = failingProvider()
    const account = await connectAccount({ store: looks.store, provider })
    provider.isFailing = true
    await account.expire()
    expect((await account.call()).ok).toBe(true)
    expect(account.events.map(({ type }) => type)).toContain("credential.unsaved")
    await using _ = account.executor.oauth.keepAlive({ everyMs: 1 })
    await looks.seen(5)
    expect(account.refreshes()).toBe(1)
  })

  it("leaves alone what a call has renewed while it was busy with others", async () => {
    const looks = watchedStore()
    const account = await connectAccount({ store: looks.store })
    const other = { ...account.ref, name: "other" } as const
    const started = await account.executor.oauth.start({
      ...other,
      client: "app",
      clientOwner: "org",
      template: "oauth",
    })
    if (started.status !== "redirect") throw new Error(started.status)
    await account.executor.oauth.complete({ callbackUrl: await account.server.visit(started.authorizationUrl) })
    const requests = account.server.requests("token").length
    await account.edit({ expiresAt: Date.now() - 2000 })
    const key = { ...other, tenant: "default", subject: "alice" }
    const row = await Effect.runPromise(looks.store.connections.get(key))
    if (row === undefined) throw new Error("The row is gone.")
    const due = { ...row, expiresAt: Date.now() - 1000, version: row.version + 1 }
    await Effect.runPromise(looks.store.connections.put(due, row.version))
    const released = Promise.withResolvers<void>()
    account.server.next("token", { fault: "hold", until: released.promise })
    await using _ = account.executor.oauth.keepAlive({ everyMs: 1, concurrency: 1 })
    await account.server.received("token", requests + 1)
    expect((await account.executor.execute("tools.files.user.other.whoami")).ok).toBe(true)
    const looked = looks.seen(2)
    released.resolve()
    await looked
    expect(account.server.requests("token").length - requests).toBe(2)
  })
})

describe("two executors over the same records", () => {
  it("keep the tokens that came last, although the first could not save its own", async () => {
    const records = memoryStore()
    const failing = { isOn: false }
    const store: Store = {
      ...records,
      connections: {
        ...records.connections,
        put: (row, expected) =>
          Effect.suspend(() =>
            failing.isOn && row.grant?.intent === null
              ? Effect.fail(new StoreUnavailableError({ operation: "write a connection", reason: "offline" }))
              : records.connections.put(row, expected),
          ),
      },
    }
    const account = await connectAccount({ store })
    const other = await account.another()
    await account.expire()
    failing.isOn = true
    expect((await account.call()).ok).toBe(true)
    expect(account.events.map(({ type }) => type)).toContain("credential.unsaved")
    failing.isOn = false
    await account.expire()
    expect((await other.execute("tools.files.user.main.whoami")).ok).toBe(true)
    expect((await account.call()).ok).toBe(true)
    expect(account.refreshes()).toBe(2)
    expect(account.server.reuses).toBe(0)
  })
})

describe("starting a flow of a client that was entered by hand", () => {
  it("asks no server anything", async () => {
    let requests = 0
    await using executor = await createExecutor({
      subject: "alice",
      plugins: [resourcePlugin] as const,
      providers: [memoryProvider()],
      redirectUri: "http://127.0.0.1:4319/oauth/callback",
      egress: {
        fetch: () => {
          requests += 1
          return Promise.reject(new Error("There is no network."))
        },
      },
    })
    await executor.acme.add({
      slug: "files",
      baseUrl: "https://files.example",
      authTemplates: [{ slug: "oauth", type: "oauth2", scopes: ["files:read"] }],
    })
    await executor.oauth.createClient({
      owner: "org",
      slug: "app",
      grant: "authorization_code",
      clientId: "keyward",
      authorizationUrl: "https://login.example/authorize",
      tokenUrl: "https://login.example/token",
    })
    const started = await executor.oauth.start({
      owner: "user",
      integration: "files",
      name: "main",
      client: "app",
      clientOwner: "org",
      template: "oauth",
    })
    expect(started.status).toBe("redirect")
    expect(requests).toBe(0)
  })
})

/** A store that tells how often the background has looked. */
const watchedStore = (): { readonly store: Store; readonly seen: (looks: number) => Promise<void> } => {
  const store = memoryStore()
  let count = 0
  const waiting: Array<{ readonly looks: number; readonly resolve: () => void }> = []
  return {
    store: {
      ...store,
      connections: {
        ...store.connections,
        expiring: (query) =>
          Effect.suspend(() => {
            count += 1
            for (const { looks, resolve } of waiting) if (looks === count) resolve()
            return store.connections.expiring(query)
          }),
      },
    },
    seen: (looks) => new Promise((resolve) => void waiting.push({ looks: count + looks, resolve })),
  }
}

const failingProvider = (): CredentialProvider & { isFailing: boolean } => {
  const inner = memoryProvider()
  const provider = {
    ...inner,
    isFailing: false,
    set: (...[id, value]: Parameters<NonNullable<CredentialProvider["set"]>>) =>
      Effect.suspend(() =>
        provider.isFailing
          ? Effect.fail(new ProviderUnavailableError({ provider: inner.key, reason: "offline", nextStep: "Wait." }))
          : (inner.set?.(id, value) ?? Effect.void),
      ),
  }
  return provider
}
