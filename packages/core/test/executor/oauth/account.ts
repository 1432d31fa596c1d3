/**
 * The stage of the refresh tests: one person's account, connected through a real flow at a server that misbehaves on demand.
 *
 * Tokens are made to run out by what the row and the server say of them, so that no test waits for a clock.
 */
import {
  connectionAddress,
  type ConnectionRef,
  createExecutor,
  type CredentialProvider,
  definePlugin,
  type Executor,
  type ExecutorConfig,
  type ExecutorEvent,
  memoryProvider,
  memoryStore,
  type OAuth2Template,
  type Store,
  type ToolResult,
} from "@keyward/core"
import type { ConnectionRow } from "@keyward/core/effect"
import {
  type AuthorizationServerOptions,
  type MisbehavingAuthorizationServer,
  misbehavingAuthorizationServer,
} from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import { onTestFinished } from "vitest"

/** A plugin with one tool, which asks the server's resource. */
export const resourcePlugin = definePlugin({
  id: "acme",
  catalog: "integration",
  extension: (context) => ({
    add: (input: Parameters<typeof context.integrations.register>[0]) => context.integrations.register(input),
  }),
  resolveTools: () => [{ name: "whoami", annotations: { readOnlyHint: true } }],
  invokeTool: async ({ fetch, integration }) => {
    const response = await fetch(integration.config as string)
    return { ok: response.ok as true, data: await response.text(), http: { status: response.status, headers: {} } }
  },
})

/** What {@link connectAccount} takes; everything has a default. */
export interface AccountOptions {
  readonly server?: AuthorizationServerOptions | undefined
  readonly template?: Partial<OAuth2Template> | undefined
  readonly store?: Store | undefined
  readonly provider?: CredentialProvider | undefined
  readonly config?: Partial<ExecutorConfig> | undefined
  readonly name?: string | undefined
}

/** A connected account; see the file's header. */
export interface Account {
  readonly server: MisbehavingAuthorizationServer
  readonly executor: Executor<readonly [typeof resourcePlugin]>
  readonly store: Store
  readonly provider: CredentialProvider
  readonly events: ReadonlyArray<ExecutorEvent>
  readonly ref: ConnectionRef
  /** Calls the tool. */
  readonly call: (signal?: AbortSignal) => Promise<ToolResult>
  readonly row: () => Promise<ConnectionRow>
  /** Rewrites the row. */
  readonly edit: (change: Partial<ConnectionRow>) => Promise<void>
  /** The access token has run out, by the row and by the server. */
  readonly expire: () => Promise<void>
  /** How many token requests there were since the account was connected. */
  readonly refreshes: () => number
  /** Connects the account again, through the whole flow. */
  readonly reconnect: () => Promise<void>
  /** Another process over the same records: an executor of its own. */
  readonly another: (config?: Partial<ExecutorConfig>) => Promise<Executor<readonly [typeof resourcePlugin]>>
}

/** Connects an account. */
export const connectAccount = async (options: AccountOptions = {}): Promise<Account> => {
  const server = await misbehavingAuthorizationServer(options.server)
  onTestFinished(() => server.close())
  const store = options.store ?? memoryStore()
  const provider = options.provider ?? memoryProvider()
  const events: Array<ExecutorEvent> = []
  const config = {
    subject: "alice",
    plugins: [resourcePlugin] as const,
    providers: [provider],
    store,
    redirectUri: "http://127.0.0.1:4319/oauth/callback",
    egress: { allowHosts: [server.host] },
    onEvent: (event: ExecutorEvent) => void events.push(event),
    ...options.config,
  }
  const another = async (changes: Partial<ExecutorConfig> = {}) => {
    const executor = await createExecutor({ ...config, ...changes, plugins: [resourcePlugin] as const })
    onTestFinished(() => executor.close())
    return executor
  }
  const executor = await another()
  const template: OAuth2Template = { slug: "oauth", type: "oauth2", scopes: ["files:read"], ...options.template }
  await executor.acme.add({
    slug: "files",
    baseUrl: server.origin,
    authTemplates: [template],
    config: server.resourceUrl,
  })
  await executor.oauth.createClient({
    owner: "org",
    slug: "app",
    grant: "authorization_code",
    clientId: "keyward",
    clientSecret: "client-secret-of-keyward",
    authorizationUrl: server.authorizationUrl,
    tokenUrl: server.tokenUrl,
    revocationUrl: server.revocationUrl,
  })
  const ref = { owner: "user", integration: "files", name: options.name ?? "main" } as const
  const connect = async (): Promise<void> => {
    const started = await executor.oauth.start({ ...ref, client: "app", clientOwner: "org", template: template.slug })
    if (started.status !== "redirect") throw new Error(`The flow is ${started.status}.`)
    await executor.oauth.complete({ callbackUrl: await server.visit(started.authorizationUrl) })
  }
  await connect()
  const before = server.requests("token").length
  const key = { ...ref, tenant: "default", subject: "alice" }
  const row = async (): Promise<ConnectionRow> => {
    const found = await Effect.runPromise(store.connections.get(key))
    if (found === undefined) throw new Error("The row is gone.")
    return found
  }
  const edit = async (change: Partial<ConnectionRow>): Promise<void> => {
    const current = await row()
    await Effect.runPromise(
      store.connections.put({ ...current, ...change, version: current.version + 1 }, current.version),
    )
  }
  return {
    server,
    executor,
    store,
    provider,
    events,
    ref,
    call: (signal) => executor.execute(`${connectionAddress(ref)}.whoami`, {}, signal === undefined ? {} : { signal }),
    row,
    edit,
    expire: async () => {
      server.expireAccessTokens()
      await edit({ expiresAt: Date.now() - 1 })
    },
    refreshes: () => server.requests("token").length - before,
    reconnect: connect,
    another,
  }
}

/** The failure of a result that has one. */
export const failureOf = (
  result: ToolResult,
): Extract<ToolResult, { ok: false }>["error"] & {
  readonly details: Readonly<Record<string, unknown>>
} => {
  if (result.ok) throw new Error(`The call succeeded: ${JSON.stringify(result.data)}`)
  return { ...result.error, details: (result.error.details ?? {}) as Readonly<Record<string, unknown>> }
}
