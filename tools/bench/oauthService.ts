/** One OAuth connection and one with a static token, over a transport that answers everything at once. */
import { createExecutor, definePlugin, type Executor, memoryProvider, memoryStore } from "@keyward/core"
import type { ConnectionKey } from "@keyward/core/effect"
import * as Effect from "effect/Effect"

/** What the oauth suite measures on. */
export interface OAuthService extends AsyncDisposable {
  readonly executor: Executor<readonly [typeof servicePlugin]>
  /** The connection whose tokens are refreshed. */
  readonly ref: typeof granted
  /** The one that has nothing to refresh. */
  readonly staticRef: typeof fixed
  /** What has left so far: token requests, requests of the service, anything at all. */
  readonly sent: { tokens: number; service: number; all: number }
  /** When the transport handed the last token response over, and when the last request of the service left; milliseconds. */
  readonly times: { answered: number; used: number }
  /** Lets the row say that the access token has run out. */
  readonly expire: () => Promise<void>
}

const granted = { owner: "org", integration: "service", name: "granted" } as const
const fixed = { owner: "org", integration: "service", name: "fixed" } as const
const key: ConnectionKey = { ...granted, tenant: "default", subject: "" }

const servicePlugin = definePlugin({
  id: "service",
  catalog: "integration",
  extension: (context) => ({
    add: () =>
      context.integrations.register({
        slug: "service",
        baseUrl: "https://api.example.com",
        authTemplates: [
          { slug: "oauth", type: "oauth2", scopes: ["read"] },
          { slug: "bearer", type: "bearer" },
        ],
      }),
  }),
  resolveTools: () => [],
  invokeTool: () => undefined,
})

/** Connects both. */
export const oauthService = async (): Promise<OAuthService> => {
  const sent = { tokens: 0, service: 0, all: 0 }
  const times = { answered: 0, used: 0 }
  const store = memoryStore()
  const executor = await createExecutor({
    plugins: [servicePlugin] as const,
    providers: [memoryProvider()],
    store,
    redirectUri: "https://app.example.com/oauth/callback",
    egress: {
      fetch: (url) => {
        sent.all += 1
        if (!url.startsWith("https://login.example.com/")) {
          sent.service += 1
          times.used = performance.now()
          return Promise.resolve(new Response(null, { status: 204 }))
        }
        sent.tokens += 1
        const response = Response.json({
          access_token: `access-${sent.tokens}`,
          refresh_token: `refresh-${sent.tokens}`,
          token_type: "Bearer",
          expires_in: 3600,
        })
        times.answered = performance.now()
        return Promise.resolve(response)
      },
    },
  })
  await executor.service.add()
  await executor.connections.create({ ...fixed, template: "bearer", value: "bench-token" })
  await executor.oauth.createClient({
    owner: "org",
    slug: "app",
    grant: "authorization_code",
    clientId: "keyward",
    clientSecret: "bench-secret",
    authorizationUrl: "https://login.example.com/authorize",
    tokenUrl: "https://login.example.com/token",
  })
  const started = await executor.oauth.start({ ...granted, client: "app", clientOwner: "org", template: "oauth" })
  if (started.status !== "redirect") throw new Error(`The flow is ${started.status}.`)
  await executor.oauth.complete({ state: started.state, code: "bench-code" })
  return {
    executor,
    ref: granted,
    staticRef: fixed,
    sent,
    times,
    expire: async () => {
      const row = await Effect.runPromise(store.connections.get(key))
      if (row === undefined) throw new Error("The row is gone.")
      const next = { ...row, expiresAt: Date.now() - 1, version: row.version + 1 }
      await Effect.runPromise(store.connections.put(next, row.version))
    },
    [Symbol.asyncDispose]: () => executor.close(),
  }
}
