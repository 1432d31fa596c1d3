/** What the processes of a run share: the database, the file of secrets, and the accounts as each of them calls them. */
import {
  type ConnectionRef,
  createExecutor,
  definePlugin,
  type Executor,
  type ExecutorEvent,
  type Store,
} from "@keyward/core"
import { encryptedFileProvider } from "@keyward/provider-encrypted-file"
import { postgresStore, sqliteStore, sqlSecretProvider, type SqlStore } from "@keyward/store-sql"

const key = Buffer.alloc(32, 7)

/** Where everything is. Plain JSON, so that it can be told to a process. */
export interface Stage {
  readonly database: { readonly filename: string } | { readonly connectionString: string; readonly schema: string }
  readonly vault: string
  /** `undefined`: what the stores take by themselves. */
  readonly leaseMs: number | undefined
  readonly accounts: number
}

/** The address of an account's only tool. */
export const addressOf = ({ integration, owner, name }: ConnectionRef): string =>
  `tools.${integration}.${owner}.${name}.read`

/** The accounts of a stage. */
export const refsOf = ({ accounts }: Stage): ReadonlyArray<ConnectionRef> =>
  Array.from({ length: accounts }, (_, index) => ({
    owner: index % 2 === 0 ? "org" : "user",
    integration: "service",
    name: `account${index}`,
  }))

/** A plugin with one tool, which asks the service's resource. */
const stormPlugin = definePlugin({
  id: "storm",
  catalog: "integration",
  extension: (context) => ({
    add: (baseUrl: string) =>
      context.integrations.register({
        slug: "service",
        baseUrl,
        authTemplates: [{ slug: "oauth", type: "oauth2", scopes: ["read"] }],
      }),
  }),
  resolveTools: () => [{ name: "read", annotations: { readOnlyHint: true } }],
  invokeTool: async ({ fetch }) => {
    const response = await fetch("/resource")
    return response.ok
      ? { ok: true as const, data: await response.text() }
      : {
          ok: false as const,
          error: { code: `http_${response.status}`, message: "The service said no.", retryable: false },
        }
  },
})

/** An executor over the stage, for its only tenant and a person who sees all accounts. */
export type StormExecutor = Executor<readonly [typeof stormPlugin]>

/** The store of a stage, as each process opens its own. */
export const openStore = ({ database, leaseMs }: Stage): SqlStore =>
  "filename" in database
    ? sqliteStore({ ...database, leaseMs })
    : postgresStore({ ...database, leaseMs, maxConnections: 4 })

/** Opens an executor of its own over the stage; `seenAs` is what it sees of the store. */
export const openExecutor = (
  stage: Stage,
  { store, seenAs = store }: { readonly store: SqlStore; readonly seenAs?: Store },
  onEvent?: (event: ExecutorEvent) => void,
): Promise<StormExecutor> =>
  createExecutor({
    tenant,
    subject,
    plugins: [stormPlugin] as const,
    providers: [
      "filename" in stage.database
        ? encryptedFileProvider({ path: stage.vault, key })
        : sqlSecretProvider({ store, key }),
    ],
    store: seenAs,
    redirectUri: "http://127.0.0.1:4319/oauth/callback",
    egress: { allowHosts: ["127.0.0.1"], timeoutMs: 10_000 },
    onEvent,
  })

export const tenant = "storm"
export const subject = "somebody"
