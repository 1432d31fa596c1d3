/**
 * An executor before the certified oidc-provider: real flows, with tokens that run out when a test says so.
 */
import {
  createExecutor,
  type CreateOAuthClientInput,
  type Executor,
  type ExecutorConfig,
  type ExecutorEvent,
  memoryStore,
  type OAuth2Template,
  type StartOAuthInput,
  type Store,
} from "@keyward/core"
import type { ConnectionRow } from "@keyward/core/effect"
import * as Effect from "effect/Effect"
import { onTestFinished } from "vitest"
import type { OidcOptions } from "../../oauth/oidc/OidcOptions.ts"
import { type OidcProvider, oidcProvider } from "../../oauth/oidc/oidcProvider.ts"
import { type AcmePlugin, acmePlugin, type CountingProvider, countingProvider } from "../acme.ts"

/** Where the provider's native clients are called back: their port is free. */
export const oidcCallback = "http://127.0.0.1:4319/callback"

/** What {@link setOidcStage} takes; everything has a default. */
export interface OidcStageOptions {
  readonly provider?: OidcOptions
  readonly config?: Omit<ExecutorConfig, "plugins">
  readonly template?: Partial<OAuth2Template>
  /** The base URL of the integration, when it is not the provider's own resource. */
  readonly baseUrl?: string
}

export interface OidcStage {
  readonly provider: OidcProvider
  /** Acts for alice. */
  readonly executor: Executor<readonly [AcmePlugin]>
  readonly events: ReadonlyArray<ExecutorEvent>
  readonly vault: CountingProvider
  readonly store: Store
  /** Calls the tool of {@link account}. */
  readonly call: () => ReturnType<Executor["execute"]>
  readonly row: () => Promise<ConnectionRow>
  /** The access token has run out, by the row. */
  readonly expire: () => Promise<void>
  /** The access token in force. */
  readonly accessToken: () => string
}

/** The connection of the stage. */
export const account = { owner: "user", integration: "files", name: "main" } as const

/** A flow for {@link account}. */
export const flowOfAccount: StartOAuthInput = { ...account, client: "app", clientOwner: "org", template: "oauth" }

/** The stage; closed when the test is over. */
export const setOidcStage = async (options: OidcStageOptions = {}): Promise<OidcStage> => {
  const provider = await oidcProvider(options.provider)
  onTestFinished(() => provider.close())
  const baseUrl = options.baseUrl ?? provider.issuer
  const events: Array<ExecutorEvent> = []
  const vault = countingProvider()
  const store = memoryStore()
  const executor = await createExecutor({
    tenant: "acme",
    subject: "alice",
    plugins: [acmePlugin({ call: async ({ fetch }) => reported(await fetch("/resource")) })] as const,
    providers: [vault.provider],
    store,
    redirectUri: oidcCallback,
    onEvent: (event) => void events.push(event),
    egress: { allowHosts: [provider.host, new URL(baseUrl).host] },
    ...options.config,
  })
  onTestFinished(() => executor.close())
  await executor.acme.add({
    slug: "files",
    baseUrl,
    authTemplates: [{ slug: "oauth", type: "oauth2", scopes: ["openid", "files:read"], ...options.template }],
  })
  const row = async (): Promise<ConnectionRow> => {
    const key = { ...account, tenant: "acme", subject: "alice" }
    const found = await Effect.runPromise(store.connections.get(key))
    if (found === undefined) throw new Error("There is no connection.")
    return found
  }
  return {
    provider,
    executor,
    events,
    vault,
    store,
    call: () => executor.execute("tools.files.user.main.call"),
    row,
    expire: async () => {
      const current = await row()
      const next = { ...current, expiresAt: Date.now() - 1, version: current.version + 1 }
      await Effect.runPromise(store.connections.put(next, current.version))
    },
    accessToken: () => {
      const id = [...vault.items.keys()].find((one) => one.endsWith("oauth:user:files:main"))
      return vault.items.get(id ?? "") ?? ""
    },
  }
}

/** A client of the provider that is entered by its issuer, with parameters that make the provider give a refresh token. */
export const clientOf = (
  provider: OidcProvider,
  rest: Partial<CreateOAuthClientInput> = {},
): CreateOAuthClientInput => ({
  owner: "org",
  slug: "app",
  grant: "authorization_code",
  clientId: "public",
  issuer: provider.issuer,
  authorizationParams: { prompt: "consent" },
  ...rest,
})

/** Goes through a redirect flow as a person who approves, or denies. */
export const connectAt = async (
  { executor, provider }: Pick<OidcStage, "executor" | "provider">,
  { isDenied = false, ...input }: Partial<StartOAuthInput> & { readonly isDenied?: boolean } = {},
) => {
  const started = await executor.oauth.start({ ...flowOfAccount, ...input })
  if (started.status !== "redirect") throw new Error(`expected a redirect, got ${started.status}`)
  return executor.oauth.complete({ callbackUrl: await provider.authorize(started.authorizationUrl, { isDenied }) })
}

/** The claims of a JWT, unverified. */
export const claimsOf = (jwt: string): Readonly<Record<string, unknown>> =>
  JSON.parse(Buffer.from(jwt.split(".")[1] ?? "", "base64url").toString()) as Record<string, unknown>

const reported = async (response: Response): Promise<unknown> => ({
  ok: response.ok,
  data: await response.json(),
  http: { status: response.status, headers: {} },
  ...(!response.ok && { error: { code: "http_error", message: `status ${response.status}`, retryable: false } }),
})
