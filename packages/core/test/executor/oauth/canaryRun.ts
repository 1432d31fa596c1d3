/**
 * A run through all of OAuth with every secret a canary, written once for both surfaces, and a list of everything that came out.
 */
import { generateKeyPairSync } from "node:crypto"
import { inspect } from "node:util"
import {
  createExecutor,
  type CreateOAuthClientInput,
  type CredentialProvider,
  type Executor,
  type ExecutorConfig,
  type ExecutorEvent,
  memoryStore,
  type OAuth2Template,
  type Plugin,
  type StartOAuthInput,
  type Store,
} from "@keyward/core"
import { type ConnectionRow, createExecutor as createEffectExecutor, type EffectExecutor } from "@keyward/core/effect"
import {
  type AuthorizationServerEndpoint,
  type AuthorizationServerFault,
  type AuthorizationServerOptions,
  canary,
  type MisbehavingAuthorizationServer,
  misbehavingAuthorizationServer,
} from "@keyward/core/testing"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import { expect, onTestFinished } from "vitest"
import { acmePlugin, countingProvider } from "../acme.ts"
import { notedStore } from "../notedStore.ts"

/** The part of an executor that the run uses, on whichever surface. */
type Api = Pick<Executor, "execute"> & {
  readonly oauth: Omit<Executor["oauth"], "keepAlive">
  readonly connections: Pick<Executor["connections"], "get" | "list" | "remove" | "refresh" | "update">
  readonly tools: Pick<Executor["tools"], "list">
  readonly providers: { items(key: string): Promise<unknown> }
}

export type Surface = "promise" | "effect"

/** What came out, each under the name of what produced it. */
type Seen = Array<readonly [where: string, value: unknown]>

/** The stage of a run. */
export interface CanaryRun {
  readonly server: MisbehavingAuthorizationServer
  readonly api: Api
  /** Does something, and notes what comes of it, whatever it is. */
  readonly note: <A>(where: string, run: () => Promise<A>) => Promise<A | undefined>
  readonly seen: Seen
  readonly events: Array<ExecutorEvent>
  /** What the store was handed, and what it answered. */
  readonly records: ReadonlyArray<unknown>
  /** What a plugin was handed. */
  readonly handed: Array<unknown>
  readonly items: ReadonlyMap<string, string>
  /** What the provider was asked for; ids, that is. */
  readonly providerCalls: ReadonlyArray<string>
  /** Secrets, as they become known. */
  readonly secrets: Set<string>
  /** States of flows: the host is given them by `start`, and nobody else. */
  readonly states: Set<string>
  readonly expire: (name: string) => Promise<void>
  readonly close: () => Promise<void>
}

export const redirectUri = "http://127.0.0.1:4319/oauth/callback"

/** A flow for a connection of the run. */
export const flowOf = (name: string, rest: Partial<StartOAuthInput> = {}): StartOAuthInput => ({
  owner: "user",
  integration: "api",
  name,
  client: "app",
  clientOwner: "org",
  template: "oauth",
  ...rest,
})

/** Sets the stage. */
export const canaryRun = async (surface: Surface, options: AuthorizationServerOptions = {}): Promise<CanaryRun> => {
  const server = await misbehavingAuthorizationServer(options)
  onTestFinished(() => server.close())
  const seen: Seen = []
  const events: Array<ExecutorEvent> = []
  const handed: Array<unknown> = []
  const vault = countingProvider()
  const { store, records } = recordingStore()
  const plugin = acmePlugin({
    call: async (call) => {
      handed.push(call, call.connection, call.fetch, call.send, call.integration)
      const response = await call.fetch("/resource")
      const text = await response.text()
      return response.ok ? text : { ok: false, error: { code: "http_error", message: text, retryable: false } }
    },
  })
  const config = {
    tenant: "acme",
    subject: "alice",
    providers: [vault.provider] as ReadonlyArray<CredentialProvider>,
    store,
    redirectUri,
    egress: { allowHosts: [server.host], timeoutMs: 500, maxResponseBytes: 100_000 },
    onEvent: (event: ExecutorEvent) => void events.push(event),
  }
  const { api, addIntegration, close } = await surfaces[surface](config, plugin, seen)
  onTestFinished(close)
  const templates: ReadonlyArray<OAuth2Template> = [
    { slug: "oauth", type: "oauth2", scopes: ["read"] },
    { slug: "bound", type: "oauth2", scopes: ["read"], dpop: true },
  ]
  await addIntegration({ slug: "api", baseUrl: server.origin, authTemplates: templates })
  const secrets = new Set<string>()
  return {
    server,
    api,
    seen,
    events,
    records,
    handed,
    items: vault.items,
    providerCalls: vault.calls,
    secrets,
    states: new Set(),
    note: async (where, run) => {
      try {
        const answer = await run()
        seen.push([`the answer of ${where}`, answer])
        return answer
      } catch (error) {
        seen.push(
          [`the error of ${where}`, error],
          [`the error of ${where}, printed`, inspect(error, { depth: Infinity })],
        )
        return undefined
      }
    },
    expire: async (name) => {
      const key = { tenant: "acme", subject: "alice", owner: "user", integration: "api", name } as const
      const row = (await Effect.runPromise(store.connections.get(key))) as ConnectionRow
      await Effect.runPromise(
        store.connections.put({ ...row, expiresAt: Date.now() - 1, version: row.version + 1 }, row.version),
      )
    },
    close,
  }
}

type Config = Omit<ExecutorConfig, "plugins">
interface Opened {
  readonly api: Api
  readonly addIntegration: (input: Parameters<ReturnType<typeof extensionOf>["add"]>[0]) => PromiseLike<unknown>
  readonly close: () => Promise<void>
}
type AcmePlugin = ReturnType<typeof acmePlugin>
const extensionOf = (executor: Executor<readonly [AcmePlugin]>) => executor.acme

const surfaces: Readonly<Record<Surface, (config: Config, plugin: AcmePlugin, seen: Seen) => Promise<Opened>>> = {
  promise: async (config, plugin) => {
    const executor = await createExecutor({ ...config, plugins: [plugin] as const })
    return { api: executor, addIntegration: (input) => executor.acme.add(input), close: () => executor.close() }
  },
  effect: async (config, plugin, seen) => {
    // The integration is registered over the Promise surface, which has the plugin's extension typed; the records are the same.
    const registrar = await createExecutor({ ...config, plugins: [plugin] as const })
    const scope = await Effect.runPromise(Scope.make())
    const executor: EffectExecutor = await Effect.runPromise(
      createEffectExecutor({ ...config, plugins: [plugin] as ReadonlyArray<Plugin> }).pipe(Scope.provide(scope)),
    )
    return {
      api: toApi(executor, watched(seen)),
      addIntegration: (input) => registrar.acme.add(input),
      close: async () => {
        await Effect.runPromise(Scope.close(scope, Exit.void))
        await registrar.close()
      },
    }
  },
}

type Watch = <A, E>(effect: Effect.Effect<A, E>) => Promise<A>

/** Runs an effect as a host written with Effect would, with a tracer and a logger that tell everything. */
const watched = (seen: Seen): Watch => {
  const spans: Array<Tracer.NativeSpan> = []
  const logger = Logger.make((options) => void seen.push(["a log line", [options.message, options.cause]]))
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    },
  })
  return async (effect) => {
    const noted = Effect.tapCause(Effect.withSpan(effect, "host"), (cause) => Effect.logError("it failed", cause))
    const exit = await Effect.runPromise(
      Effect.exit(noted).pipe(Effect.provideService(Tracer.Tracer, tracer), Effect.provide(Logger.layer([logger]))),
    )
    // What a span tells its exporter; the value that its effect gave is the host's.
    for (const { name, attributes, events, status } of spans.splice(0)) {
      const failure = status._tag === "Ended" && Exit.isFailure(status.exit) ? status.exit : undefined
      seen.push(["a span", [name, attributes, events, failure]])
    }
    if (Exit.isSuccess(exit)) return exit.value
    seen.push(
      ["a cause", exit.cause],
      ["a cause, pretty", Cause.pretty(exit.cause)],
      ["an exit as JSON", JSON.stringify(exit)],
      ["an exit, inspected", inspect(exit, { depth: Infinity, showHidden: true })],
    )
    throw Cause.squash(exit.cause)
  }
}

const toApi = (executor: EffectExecutor, run: Watch): Api =>
  ({
    execute: (...input: Parameters<EffectExecutor["execute"]>) => run(executor.execute(...input)),
    oauth: promised(executor.oauth, run),
    connections: promised(executor.connections, run),
    tools: promised(executor.tools, run),
    providers: { items: (key: string) => run(executor.providers.items(key)) },
  }) as unknown as Api

const promised = (namespace: object, run: Watch): object =>
  Object.fromEntries(
    Object.entries(namespace).map(([name, method]: [string, (...input: Array<unknown>) => Effect.Effect<unknown>]) => [
      name,
      (...input: Array<unknown>) => run(method(...input)),
    ]),
  )

/** A memory store with everything that it is given and gives, each once. */
const recordingStore = (): { readonly store: Store; readonly records: ReadonlyArray<unknown> } => {
  const records: Array<unknown> = []
  const known = new Set<string>()
  const keep = (value: unknown): void => {
    const text = JSON.stringify(value) ?? "undefined"
    if (known.has(text)) return
    known.add(text)
    records.push(value)
  }
  const store = notedStore(memoryStore(), (method, part) => {
    if (part === "lease") return method
    return (...input) => {
      for (const one of input) keep(one)
      const answer = method(...input)
      return Effect.isEffect(answer) ? Effect.tap(answer, (value) => Effect.sync(() => keep(value))) : answer
    }
  })
  return { records, store }
}

/** A client whose secret is a canary. */
export const clientOf = (
  { server, secrets }: CanaryRun,
  rest: Partial<CreateOAuthClientInput> = {},
): CreateOAuthClientInput => {
  const input: CreateOAuthClientInput = {
    owner: "org",
    slug: "app",
    grant: "authorization_code",
    clientId: "app-id",
    issuer: server.issuer,
    ...(rest.privateKey === undefined &&
      rest.tokenEndpointAuthMethod !== "none" && { clientSecret: canary("client secret") }),
    ...rest,
  }
  if (input.clientSecret !== undefined) secrets.add(input.clientSecret)
  return input
}

/** A private key as PEM; the secret part of it is noted. */
export const privateKeyOf = ({ secrets }: CanaryRun): string => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
  const pem = privateKey.export({ format: "pem", type: "pkcs8" }) as string
  const { d } = privateKey.export({ format: "jwk" })
  for (const line of pem.split("\n").filter((one) => one.length > 20 && !one.startsWith("-"))) secrets.add(line)
  if (d !== undefined) secrets.add(d)
  return pem
}

/** Begins a redirect flow; its state is noted, and what `start` answers is the host's. */
export const begin = async (run: CanaryRun, input: StartOAuthInput): Promise<string> => {
  const started = await run.api.oauth.start(input)
  if (started.status !== "redirect") throw new Error(`expected a redirect, got ${started.status}`)
  run.states.add(started.state)
  return started.authorizationUrl
}

/** Connects, and fails when that does not work. */
export const connect = async (run: CanaryRun, input: StartOAuthInput): Promise<void> => {
  const callbackUrl = await run.server.visit(await begin(run, input))
  const connection = await run.note(`connecting ${input.name}`, () => run.api.oauth.complete({ callbackUrl }))
  expect(connection).toMatchObject({ status: "active" })
}

/** Every way to fail that an endpoint has, where it can with all that the server has ever handed out. */
export const faultsOf = ({ server, secrets }: CanaryRun): Readonly<Record<string, () => AuthorizationServerFault>> => {
  const all = (): ReadonlyArray<string> => [...server.secrets.slice(-12), ...secrets]
  const token = (): string => server.secrets.at(-1) ?? ""
  const text = (): string => all().join(" ")
  const echo = (): string => JSON.stringify({ refresh_token: token(), access_token: token(), all: all() })
  const challenge = () => ({ "www-authenticate": `Bearer error="${token()}", error_description="${text()}"` })
  const error = (code: string, status: number) => (): AuthorizationServerFault => ({
    fault: "error",
    error: code,
    description: text(),
    status,
    headers: challenge(),
  })
  return {
    invalid_grant: error("invalid_grant", 400),
    "invalid_grant as 403": error("invalid_grant", 403),
    invalid_client: error("invalid_client", 401),
    invalid_scope: error("invalid_scope", 400),
    access_denied: error("access_denied", 400),
    "rate limited": error("slow_down", 429),
    "a token as the code": () => ({ fault: "error", error: token(), description: text(), status: 400 }),
    "a challenge only": () => ({ fault: "answer", status: 401, headers: challenge(), body: "" }),
    "an outage": () => ({ fault: "answer", status: 503, headers: challenge(), body: text() }),
    "a web page": () => ({ fault: "answer", headers: { "content-type": "text/html" }, body: `<p>${text()}` }),
    "text that begins like JSON": () => ({
      fault: "answer",
      headers: { "content-type": "application/json" },
      body: `${echo().slice(0, -1)},"x":${token()}`,
    }),
    "an error with 200": () => ({
      fault: "answer",
      json: { error: token(), access_token: token(), refresh_token: token() },
    }),
    "a token of an odd type": () => ({ fault: "change", json: { token_type: token() } }),
    "a token that breaks lines": () => ({ fault: "change", json: { access_token: `${token()}\r\nx: 1` } }),
    "a token that is a list": () => ({ fault: "change", json: { access_token: all() } }),
    "an odd lifetime": () => ({ fault: "change", json: { expires_in: token() } }),
    "a redirect": () => ({ fault: "redirect", location: `https://evil.example/?t=${encodeURIComponent(token())}` }),
    "a redirect to nowhere": () => ({
      fault: "redirect",
      location: `https://u:${encodeURIComponent(token())}@[`,
      status: 307,
    }),
    "half an answer": () => ({ fault: "truncate" }),
    "a reset": () => ({ fault: "reset", isProcessed: true }),
    "an answer without end": () => ({ fault: "huge", bytes: 2_000_000 }),
    "no answer": () => ({ fault: "hang" }),
    "headers without a body": () => ({ fault: "hang_after_headers" }),
  }
}

/** Lets an endpoint fail for the length of something. */
export const failing = async (
  { server }: CanaryRun,
  endpoint: AuthorizationServerEndpoint,
  fault: AuthorizationServerFault,
  run: () => Promise<unknown>,
): Promise<void> => {
  server.always(endpoint, fault)
  await run()
  server.always(endpoint, undefined)
}
