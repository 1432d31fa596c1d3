/** Accounts that are connected through real flows, some the organisation's and some of several people, in two tenants. */
import {
  type ConnectionRef,
  createExecutor,
  definePlugin,
  type Executor,
  type ExecutorEvent,
  type Store,
} from "@keyward/core"
import type { CredentialProvider } from "@keyward/core/effect"

/** One connected account as its owner uses it. */
export interface Account {
  readonly executor: Executor<readonly [typeof chaosPlugin]>
  readonly ref: ConnectionRef
  readonly address: string
}

/** Where accounts are and what is behind them. */
export interface Stage {
  /** The base URL of the service, whose `/resource` wants an access token. */
  readonly serviceOrigin: string
  readonly authorizationUrl: string
  readonly tokenUrl: string
  readonly store: Store
  readonly provider: CredentialProvider
  readonly onEvent?: ((event: ExecutorEvent) => void) | undefined
  /** Visits an authorization URL as somebody who consents, and gives the callback's URL. */
  readonly visit: (authorizationUrl: string) => Promise<string>
}

/** `quiet` only refreshes when called; in `lively` the background may refresh ahead. */
export const tenants = ["quiet", "lively"] as const

/** A plugin with one tool, which asks the service's resource. */
export const chaosPlugin = definePlugin({
  id: "chaos",
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

/** Milliseconds for one exchange: how long a server that does not answer is waited for. */
const exchangeTimeoutMs = 5_000

/** An executor over the stage, for the first tenant. */
export const openExecutor = (stage: Stage): Promise<Executor<readonly [typeof chaosPlugin]>> =>
  createExecutor({
    tenant: tenants[0],
    plugins: [chaosPlugin] as const,
    providers: [stage.provider],
    store: stage.store,
    redirectUri: "http://127.0.0.1:4319/oauth/callback",
    egress: { allowHosts: ["127.0.0.1"], timeoutMs: exchangeTimeoutMs },
    onEvent: stage.onEvent,
  })

/** Connects so many accounts. */
export const connectAccounts = async (
  executor: Executor<readonly [typeof chaosPlugin]>,
  stage: Stage,
  howMany: number,
): Promise<ReadonlyArray<Account>> => {
  for (const tenant of tenants) {
    const view = executor.withIdentity({ tenant })
    await view.chaos.add(stage.serviceOrigin)
    await view.oauth.createClient({
      owner: "org",
      slug: "app",
      grant: "authorization_code",
      clientId: "keyward",
      clientSecret: "the secret of keyward",
      authorizationUrl: stage.authorizationUrl,
      tokenUrl: stage.tokenUrl,
    })
  }
  const accounts = accountsOf(executor, howMany)
  for (const { executor: view, ref } of accounts) await connect(view, ref, stage)
  return accounts
}

/** The accounts of {@link connectAccounts} as another executor over the same records sees them. */
export const accountsOf = (
  executor: Executor<readonly [typeof chaosPlugin]>,
  howMany: number,
): ReadonlyArray<Account> =>
  Array.from({ length: howMany }, (_, index) => {
    const tenant = tenants[index % tenants.length] ?? tenants[0]
    const subject = `person ${index % 7}`
    const ref: ConnectionRef = {
      owner: index % 3 === 0 ? "org" : "user",
      integration: "service",
      name: `account${index}`,
    }
    return {
      executor: executor.withIdentity({ tenant, subject }),
      ref,
      address: `tools.${ref.integration}.${ref.owner}.${ref.name}.read`,
    }
  })

/** Connects one account, or connects it again. */
export const connect = async (
  executor: Executor<readonly [typeof chaosPlugin]>,
  ref: ConnectionRef,
  { visit }: Pick<Stage, "visit">,
): Promise<void> => {
  const started = await executor.oauth.start({ ...ref, client: "app", clientOwner: "org", template: "oauth" })
  if (started.status !== "redirect") throw new Error(`The flow is ${started.status}.`)
  await executor.oauth.complete({ callbackUrl: await visit(started.authorizationUrl) })
}
