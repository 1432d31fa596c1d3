/**
 * The stage of the executor's tests: a plugin made of functions, an upstream that tells what it got, providers that count,
 * and stores that fail on demand.
 */
import {
  type AuthTemplate,
  createExecutor,
  type CredentialProvider,
  credentialProvider,
  type CredentialProviderDefinition,
  definePlugin,
  type Executor,
  type ExecutorConfig,
  type ExecutorEvent,
  type IntegrationInput,
  type InvokeToolInput,
  memoryProvider,
  memoryStore,
  type Plugin,
  type PluginContext,
  type PluginHandlers,
  type Store,
  StoreUnavailableError,
  type ToolResult,
  variable,
} from "@keyward/core"
import {
  type FakeUpstream,
  fakeUpstream,
  type UpstreamHandler,
  type UpstreamRequest,
  type UpstreamRoutes,
} from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { onTestFinished } from "vitest"

/** A tool as a function of the call. */
export type Run = (call: InvokeToolInput) => unknown

/** What the stage's plugin adds to an executor. */
interface AcmeExtension {
  readonly add: (input: IntegrationInput) => ReturnType<PluginContext["integrations"]["register"]>
  readonly context: () => PluginContext
}

export type AcmePlugin = Plugin<"acme", AcmeExtension>

/** A plugin whose tools are the given functions; handlers may be replaced. */
export const acmePlugin = (
  tools: Readonly<Record<string, Run>> = {},
  handlers: Partial<Omit<PluginHandlers, "id">> = {},
): AcmePlugin =>
  definePlugin({
    id: "acme",
    catalog: "integration",
    extension: (context) => ({
      add: (input: IntegrationInput) => context.integrations.register(input),
      context: () => context,
    }),
    resolveTools: () => Object.keys(tools).map((name) => ({ name, annotations: { readOnlyHint: true } })),
    invokeTool: (call) => tools[call.tool.name]?.(call),
    ...handlers,
  })

/** Templates of every shape that a credential is pasted into. */
export const templates: ReadonlyArray<AuthTemplate> = [
  { slug: "bearer", type: "bearer" },
  { slug: "basic", type: "basic" },
  {
    slug: "keys",
    type: "apiKey",
    headers: { "X-Api": [variable("api")] },
    queryParams: { app: [variable("app")] },
  },
  { slug: "query", type: "apiKey", queryParams: { key: [variable("token")] } },
]

/** What {@link setStage} takes; everything has a default. */
export interface StageOptions {
  readonly tools?: Readonly<Record<string, Run>>
  readonly plugin?: AcmePlugin
  readonly upstream?: UpstreamHandler | UpstreamRoutes
  readonly config?: Omit<ExecutorConfig, "plugins">
}

export interface Stage {
  readonly upstream: FakeUpstream
  readonly executor: Executor<readonly [AcmePlugin]>
  /** What the executor told its listener. */
  readonly events: ReadonlyArray<ExecutorEvent>
}

/** An executor with the integration `api` at a fresh upstream, both closed when the test is over. */
export const setStage = async (options: StageOptions = {}): Promise<Stage> => {
  const upstream = await fakeUpstream(options.upstream ?? echo)
  const events: Array<ExecutorEvent> = []
  const executor = await createExecutor({
    plugins: [options.plugin ?? acmePlugin(options.tools ?? { call: ({ fetch }) => fetch("/").then(toJson) })] as const,
    providers: [memoryProvider()],
    onEvent: (event) => void events.push(event),
    ...options.config,
    egress: { allowHosts: [upstream.host], ...options.config?.egress },
  })
  onTestFinished(async () => {
    await executor.close()
    await upstream.close()
  })
  await executor.acme.add({ slug: "api", baseUrl: upstream.origin, authTemplates: templates })
  events.length = 0
  return { upstream, executor, events }
}

/** The credentials that arrived with a request. */
export const received = ({ headers, query }: Pick<UpstreamRequest, "headers" | "query">) => ({
  authorization: headers.authorization ?? null,
  api: headers["x-api"] ?? null,
  app: query.get("app"),
  key: query.get("key"),
})

/** Answers with what arrived. */
const echo: UpstreamHandler = (request) => ({ json: received(request) })

export const toJson = (response: Response): Promise<unknown> => response.json()

/** The organisation's connection of the stage. */
export const main = { owner: "org", integration: "api", name: "main" } as const

/** The address of a tool of {@link main}. */
export const toolOfMain = (tool = "call"): string => `tools.api.org.main.${tool}`

/** The error of a result that must be one. */
export const failureOf = (result: ToolResult): Extract<ToolResult, { ok: false }>["error"] => {
  if (result.ok) throw new Error(`expected a failure, got ${JSON.stringify(result)}`)
  return result.error
}

/** What a promise rejects with; fails when it does not. */
export const rejectionOf = (promise: PromiseLike<unknown>): Promise<Error> =>
  Promise.resolve(promise).then(
    (value) => {
      throw new Error(`expected a rejection, got ${JSON.stringify(value)}`)
    },
    (error: unknown) => error as Error,
  )

/** A writable provider over a map that remembers how it was called. */
export interface CountingProvider {
  readonly provider: CredentialProvider
  readonly items: Map<string, string>
  /** `get <id>`, `set <id>`, `delete <id>`, in order. */
  readonly calls: Array<string>
}

export const countingProvider = (overrides: Partial<CredentialProviderDefinition> = {}): CountingProvider => {
  const items = new Map<string, string>()
  const calls: Array<string> = []
  const provider = credentialProvider({
    key: "vault",
    get: (id) => items.get(id),
    set: (id, value) => void items.set(id, value),
    delete: (id) => void items.delete(id),
    list: () => [...items.keys()].map((id) => ({ id, name: id })),
    ...overrides,
  })
  const noted = <A>(call: string, run: () => A): A => {
    calls.push(call)
    return run()
  }
  return {
    items,
    calls,
    provider: {
      ...provider,
      get: (id) => noted(`get ${id}`, () => provider.get(id)),
      set: (id, value) => noted(`set ${id}`, () => provider.set?.(id, value) ?? Effect.void),
      delete: (id) => noted(`delete ${id}`, () => provider.delete?.(id) ?? Effect.void),
    },
  }
}

/** A store over the memory store whose operations, named as `connections.put`, fail or wait when told to. */
export const unreliableStore = (before: (operation: string) => Effect.Effect<void, StoreUnavailableError>): Store => {
  const reliable = memoryStore()
  const guarded = <Part extends object>(name: string, part: Part): Part =>
    Object.fromEntries(
      Object.entries(part).map(([operation, call]: [string, (...input: Array<unknown>) => Effect.Effect<unknown>]) => [
        operation,
        (...input: Array<unknown>) =>
          Effect.andThen(
            Effect.suspend(() => before(`${name}.${operation}`)),
            Effect.suspend(() => call(...input)),
          ),
      ]),
    ) as Part
  return {
    integrations: guarded("integrations", reliable.integrations),
    accounts: guarded("accounts", reliable.accounts),
    connections: guarded("connections", reliable.connections),
    catalogs: guarded("catalogs", reliable.catalogs),
    oauth: {
      clients: guarded("oauth.clients", reliable.oauth.clients),
      sessions: guarded("oauth.sessions", reliable.oauth.sessions),
      revocations: guarded("oauth.revocations", reliable.oauth.revocations),
    },
    policies: guarded("policies", reliable.policies),
    approvals: guarded("approvals", reliable.approvals),
    audit: guarded("audit", reliable.audit),
    access: guarded("access", reliable.access),
    lease: guarded("lease", reliable.lease),
  }
}

/** The failure of {@link unreliableStore}. */
export const storeDown = (operation: string): Effect.Effect<never, StoreUnavailableError> =>
  Effect.fail(new StoreUnavailableError({ operation, reason: "the test broke it" }))

/** The values in a provider by id, unwrapped. */
export const contentsOf = async (provider: CredentialProvider): Promise<Readonly<Record<string, string>>> => {
  const listed = await Effect.runPromise(provider.list?.() ?? Effect.succeed([]))
  const values = await Promise.all(
    listed.map(async ({ id }) => [id, await Effect.runPromise(provider.get(id))] as const),
  )
  return Object.fromEntries(values.map(([id, value]) => [id, value === undefined ? "" : Redacted.value(value)]))
}
