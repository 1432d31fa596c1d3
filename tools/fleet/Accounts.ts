/** Accounts at a token server that answers at once, inside the process: what is measured is everything but the network. */
import { createExecutor, definePlugin, type ExecutorEvent, type Store } from "@keyward/core"
import { sqlSecretProvider, type SqlStore } from "@keyward/store-sql"
import * as Effect from "effect/Effect"

/** Where the records are. Plain JSON, so that it can be told to a process. */
export type Place = { readonly filename: string } | { readonly connectionString: string }

/** The tenant whose accounts are really refreshed; those that only fill the tables are of another. */
export const tenant = "live"

const plugin = definePlugin({
  id: "fleet",
  catalog: "integration",
  extension: (context) => ({
    add: () =>
      context.integrations.register({
        slug: "service",
        baseUrl: "https://api.example.com",
        authTemplates: [{ slug: "oauth", type: "oauth2", scopes: ["read"] }],
      }),
  }),
  resolveTools: () => [],
  invokeTool: () => undefined,
})

/** Opens an executor over a store that keeps the secrets too. */
export const openExecutor = (store: SqlStore, onEvent?: (event: ExecutorEvent) => void) => {
  let answers = 0
  return createExecutor({
    tenant,
    subject: "somebody",
    plugins: [plugin] as const,
    providers: [sqlSecretProvider({ store, key: Buffer.alloc(32, 7) })],
    store: store satisfies Store,
    redirectUri: "https://app.example.com/oauth/callback",
    onEvent,
    egress: {
      fetch: () => {
        answers += 1
        const unique = `${process.pid}-${answers}`
        return Promise.resolve(
          Response.json({
            access_token: `access-${unique}`,
            refresh_token: `refresh-${unique}`,
            token_type: "Bearer",
            expires_in: 3600,
          }),
        )
      },
    },
  })
}

type FleetExecutor = Awaited<ReturnType<typeof openExecutor>>

const keyOf = (index: number) => ({
  tenant,
  subject: "somebody",
  owner: "user" as const,
  integration: "service",
  name: `account${index}`,
})

/** Connects so many accounts, each through a flow. */
export const connect = async (executor: FleetExecutor, accounts: number): Promise<void> => {
  await executor.fleet.add()
  await executor.oauth.createClient({
    owner: "org",
    slug: "app",
    grant: "authorization_code",
    clientId: "keyward",
    clientSecret: "the secret of the fleet",
    authorizationUrl: "https://login.example.com/authorize",
    tokenUrl: "https://login.example.com/token",
  })
  for (let index = 0; index < accounts; index += 1) {
    const { owner, integration, name } = keyOf(index)
    const flow = { owner, integration, name, client: "app", clientOwner: "org", template: "oauth" } as const
    const started = await executor.oauth.start(flow)
    if (started.status !== "redirect") throw new Error(`The flow is ${started.status}.`)
    await executor.oauth.complete({ state: started.state, code: "code" })
  }
}

/** Has the tokens of all accounts run out. */
export const expire = async (store: SqlStore, accounts: number): Promise<void> => {
  for (let index = 0; index < accounts; index += 1) {
    const row = await Effect.runPromise(store.connections.get(keyOf(index)))
    if (row === undefined) throw new Error("A row is gone.")
    const run = { ...row, expiresAt: Date.now() - 1, version: row.version + 1 }
    await Effect.runPromise(store.connections.put(run, row.version))
  }
}
