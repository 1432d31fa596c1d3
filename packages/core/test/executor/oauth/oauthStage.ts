/**
 * The stage of the OAuth tests: an authorization server that behaves until it is told not to, an integration at its resource, and an
 * executor whose provider and store are looked into.
 */
import {
  type AuthTemplate,
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
import {
  type AuthorizationServerOptions,
  misbehavingAuthorizationServer,
  type MisbehavingAuthorizationServer,
} from "@keyward/core/testing"
import { onTestFinished } from "vitest"
import { type AcmePlugin, acmePlugin, type CountingProvider, countingProvider, toJson } from "../acme.ts"

export const redirectUri = "http://127.0.0.1:4319/oauth/callback"

/** What {@link setOAuthStage} takes; everything has a default. */
export interface OAuthStageOptions {
  readonly server?: AuthorizationServerOptions
  readonly config?: Omit<ExecutorConfig, "plugins">
  readonly template?: Partial<OAuth2Template>
  readonly plugin?: AcmePlugin
}

export interface OAuthStage {
  readonly server: MisbehavingAuthorizationServer
  /** Acts for alice. */
  readonly executor: Executor<readonly [AcmePlugin]>
  readonly events: Array<ExecutorEvent>
  readonly vault: CountingProvider
  readonly store: Store
  /** Another executor over the same store and provider, as after a restart. */
  readonly restarted: () => Promise<Executor<readonly [AcmePlugin]>>
}

/** The user's connection of the stage. */
export const mine = { owner: "user", integration: "api", name: "main" } as const

/** A flow for {@link mine} through the client `app` of the organisation. */
export const flowOfMine: StartOAuthInput = { ...mine, client: "app", clientOwner: "org", template: "oauth" }

/** The stage; closed when the test is over. */
export const setOAuthStage = async (options: OAuthStageOptions = {}): Promise<OAuthStage> => {
  const server = await misbehavingAuthorizationServer(options.server)
  const events: Array<ExecutorEvent> = []
  const vault = countingProvider()
  const store = options.config?.store ?? memoryStore()
  const plugin = options.plugin ?? acmePlugin({ call: ({ fetch }) => fetch("/resource").then(toJson) })
  const restarted = async (): Promise<Executor<readonly [AcmePlugin]>> => {
    const executor = await createExecutor({
      tenant: "acme",
      subject: "alice",
      plugins: [plugin] as const,
      providers: [vault.provider],
      redirectUri,
      onEvent: (event) => void events.push(event),
      ...options.config,
      store,
      egress: { allowHosts: [server.host], ...options.config?.egress },
    })
    onTestFinished(() => executor.close())
    return executor
  }
  const executor = await restarted()
  onTestFinished(() => server.close())
  const templates: ReadonlyArray<AuthTemplate> = [
    { slug: "oauth", type: "oauth2", scopes: ["read", "write"], ...options.template },
    { slug: "bearer", type: "bearer" },
  ]
  await executor.acme.add({ slug: "api", baseUrl: server.origin, authTemplates: templates })
  events.length = 0
  return { server, executor, events, vault, store, restarted }
}

/** A client at the server of the stage, by its issuer. */
export const appOf = (
  server: MisbehavingAuthorizationServer,
  rest: Partial<CreateOAuthClientInput> = {},
): CreateOAuthClientInput => ({
  owner: "org",
  slug: "app",
  grant: "authorization_code",
  clientId: "app-id",
  ...(rest.tokenUrl === undefined ? { issuer: server.issuer } : {}),
  ...rest,
})

/** The same with its endpoints entered by hand. */
export const appByHand = (
  server: MisbehavingAuthorizationServer,
  rest: Partial<CreateOAuthClientInput> = {},
): CreateOAuthClientInput =>
  appOf(server, {
    authorizationUrl: server.authorizationUrl,
    tokenUrl: server.tokenUrl,
    revocationUrl: server.revocationUrl,
    ...rest,
  })

/** Starts a redirect flow; fails when it is of another kind. */
export const startRedirect = async (
  executor: Pick<Executor, "oauth">,
  input: StartOAuthInput = flowOfMine,
): Promise<{ readonly authorizationUrl: string; readonly state: string }> => {
  const started = await executor.oauth.start(input)
  if (started.status !== "redirect") throw new Error(`expected a redirect, got ${started.status}`)
  return started
}

/** Connects an account as a person would. */
export const connect = async (
  { executor, server }: Pick<OAuthStage, "executor" | "server">,
  input: StartOAuthInput = flowOfMine,
) => {
  const { authorizationUrl } = await startRedirect(executor, input)
  return executor.oauth.complete({ callbackUrl: await server.visit(authorizationUrl) })
}
