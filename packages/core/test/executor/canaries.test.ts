/**
 * Canaries nowhere: every credential is a canary, every failure there is is run through, and everything that comes out is
 * searched: results, errors, events, console output, what the store was handed, what other origins and other callers got.
 */
import {
  type CreateConnectionInput,
  createExecutor,
  credentialProvider,
  type ExecutorEvent,
  type InvokeToolInput,
  memoryProvider,
  memoryStore,
  variable,
} from "@keyward/core"
import { createExecutor as createEffectExecutor } from "@keyward/core/effect"
import { canary, CanaryScanner, fakeUpstream, type UpstreamHandler } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { acmePlugin, countingProvider, main, templates, unreliableStore } from "./acme.ts"
import { notedStore } from "./notedStore.ts"
import { collectPrinted } from "./printed.ts"

const secrets = {
  bearer: canary("bearer"),
  username: canary("username"),
  password: canary("password"),
  api: canary("api"),
  app: canary("app"),
  query: canary("query"),
  cookie: canary("cookie"),
  external: canary("external"),
  stale: canary("stale"),
  fresh: canary("fresh"),
  refused: canary("refused"),
  ofAlice: canary("of alice"),
}
const scanner = new CanaryScanner(Object.values(secrets))

/** Everything that came out, each under the name of what produced it. */
type Seen = Array<readonly [where: string, value: unknown]>

const printed = collectPrinted()

/** Notes a promise's outcome, whichever it is. */
const noting =
  (seen: Seen) =>
  async (where: string, run: () => unknown): Promise<void> => {
    try {
      seen.push([`the answer of ${where}`, await run()])
    } catch (error) {
      seen.push([`the error of ${where}`, error])
    }
  }

const echoOf = (request: Parameters<UpstreamHandler>[0]): string =>
  JSON.stringify({ url: request.url, headers: request.headers, body: request.text })

/** Misbehaves by path, with everything it was sent in every place where it can say something. */
const hostileService =
  (elsewhere: () => string): UpstreamHandler =>
  (request) => {
    const echo = echoOf(request)
    const token = request.headers.authorization ?? request.headers["x-api"]?.toString() ?? "none"
    const headers = {
      "x-echo": [token, request.url],
      "www-authenticate": `Bearer error="${token}", realm="${request.url}"`,
    }
    switch (request.path) {
      case "/reset":
        return { fault: "reset" }
      case "/hang":
        return { fault: "hang" }
      case "/truncate":
        return { fault: "truncate" }
      case "/large":
        return { body: echo.repeat(400) }
      case "/malformed":
        return { headers, body: `${echo}{` }
      case "/encoded":
        return { headers: { "content-encoding": "gzip" }, body: echo }
      case "/away":
        return {
          redirect: `${elsewhere()}/?took=${encodeURIComponent(request.url)}&token=${encodeURIComponent(token)}`,
        }
      case "/away-307":
        return { status: 307, redirect: `${elsewhere()}/${encodeURIComponent(token)}` }
      case "/circle":
        return { redirect: request.url }
      case "/nowhere":
        return { redirect: `https://u:${encodeURIComponent(token)}@[` }
      default: {
        const status = Number(/^\/(\d{3})$/.exec(request.path)?.[1] ?? 200)
        return { status, headers, body: echo }
      }
    }
  }

const paths = [
  "/200",
  "/400",
  "/401",
  "/403",
  "/404",
  "/429",
  "/500",
  "/503",
  "/reset",
  "/hang",
  "/truncate",
  "/large",
  "/malformed",
  "/encoded",
  "/away",
  "/away-307",
  "/circle",
  "/nowhere",
]

/** The ways in which a plugin may use what it is given. */
const uses: Readonly<Record<string, (call: InvokeToolInput, path: string) => unknown>> = {
  fetchJson: async ({ fetch }, path) => (await fetch(path)).json(),
  fetchAll: async ({ fetch }, path) => {
    const response = await fetch(path, { method: "POST", body: "the body" })
    return { status: response.status, url: response.url, headers: response.headers, text: await response.text() }
  },
  fetchBytes: async ({ fetch }, path) => (await fetch(path)).arrayBuffer(),
  sendAll: async ({ send }, path) => {
    const sent = await send({ url: path, method: "PUT", body: "the body" })
    return { status: sent.status, url: sent.url, headers: sent.headers, text: await sent.text() }
  },
  sendJson: async ({ send }, path) => (await send({ url: path })).json(),
  throwing: async ({ fetch }, path) => {
    const response = await fetch(path)
    throw new Error(`${response.status} ${await response.text()}`, { cause: Object.fromEntries(response.headers) })
  },
  failing: async ({ send }, path) => {
    const sent = await send({ url: path })
    const body = await sent.text()
    return { ok: false, error: { code: "http_error", message: body, retryable: false, details: { body, sent } } }
  },
  dying: ({ fetch }, path) =>
    Effect.flatMap(
      Effect.promise(() => fetch(path).then((response) => response.text())),
      (text) => Effect.die(new Error(text)),
    ),
}

describe("canaries", () => {
  it("are nowhere after a run through every failure", async () => {
    const seen: Seen = []
    const note = noting(seen)
    const events: Array<ExecutorEvent> = []
    const handed: Array<unknown> = []
    const store = notedStore(memoryStore(), (method) => (...input) => {
      handed.push(input)
      return method(...input)
    })
    await using elsewhere = await fakeUpstream((request) => ({ body: echoOf(request) }))
    await using service = await fakeUpstream(hostileService(() => elsewhere.origin))
    let rotated = secrets.stale
    const stale = credentialProvider({
      key: "stale",
      get: () => rotated,
      invalidate: () => void (rotated = secrets.fresh),
    })
    const vault = credentialProvider({ key: "vault", get: (id) => (id === "token" ? secrets.external : undefined) })
    const seenByPlugins: Array<unknown> = []
    const tools = Object.fromEntries(
      Object.entries(uses).map(([name, use]) => [
        name,
        (call: InvokeToolInput) => {
          seenByPlugins.push(call, call.connection, call.fetch, call.send, call.signal, call.integration)
          return use(call, String(call.args["path"]))
        },
      ]),
    )
    await using executor = await createExecutor({
      tenant: "acme",
      subject: "alice",
      plugins: [acmePlugin(tools)] as const,
      providers: [memoryProvider(), vault, stale],
      store,
      onEvent: (event) => void events.push(event),
      toolTimeoutMs: 10_000,
      egress: {
        allowHosts: [service.host, elsewhere.host],
        timeoutMs: 1_500,
        maxResponseBytes: 60_000,
        maxRedirects: 2,
      },
    })
    await executor.acme.add({
      slug: "api",
      baseUrl: service.origin,
      authTemplates: [...templates, { slug: "cookie", type: "apiKey", cookies: { session: [variable("token")] } }],
    })
    const inputs: Readonly<Record<string, Partial<CreateConnectionInput> & { readonly template: string }>> = {
      bearer: { template: "bearer", value: secrets.bearer },
      basic: { template: "basic", values: { username: secrets.username, password: secrets.password } },
      keys: { template: "keys", inputs: { api: { value: secrets.api }, app: { value: secrets.app } } },
      query: { template: "query", value: secrets.query },
      cookie: { template: "cookie", value: secrets.cookie },
      external: { template: "bearer", from: { provider: "vault", id: "token" } },
      stale: { template: "bearer", from: { provider: "stale", id: "token" } },
      alice: { template: "bearer", value: secrets.ofAlice, owner: "user" },
    }
    for (const [name, input] of Object.entries(inputs)) {
      await note(`create ${name}`, () => executor.connections.create({ ...main, name, ...input }))
    }
    for (const [name, { owner = "org" }] of Object.entries(inputs)) {
      const authorized = executor.connections.fetch({ owner, integration: "api", name })
      for (const path of paths) {
        // Waiting for the limit once is enough.
        if (path === "/hang" && name !== "bearer") continue
        await Promise.all([
          ...Object.keys(uses).map((use) =>
            note(`${use} ${path} as ${name}`, () => executor.execute(`tools.api.${owner}.${name}.${use}`, { path })),
          ),
          // The host gets the service's own words from `fetch`, so only failures and what is Keyward's are looked at.
          note(`connections.fetch ${path} as ${name}`, async () => {
            const { status, url, redirected } = await authorized(path)
            return { status, url, redirected }
          }),
        ])
      }
      await note(`another origin as ${name}`, () => authorized(`${elsewhere.origin}/`))
      await note(`get ${name}`, () => executor.connections.get({ owner, integration: "api", name }))
      await note(`update ${name}`, () =>
        executor.connections.update({ owner, integration: "api", name }, { description: "d" }),
      )
      await note(`refresh ${name}`, () => executor.connections.refresh({ owner, integration: "api", name }))
      await note(`disable ${name}`, () => executor.connections.disable({ owner, integration: "api", name }))
      await note(`a disabled call as ${name}`, () =>
        executor.execute(`tools.api.${owner}.${name}.fetchJson`, { path: "/200" }),
      )
    }
    // What another caller is shown of all that, before it is removed.
    for (const other of [
      executor.withIdentity({ subject: "bob" }),
      executor.withIdentity({ tenant: "other", subject: "alice" }),
    ]) {
      await note("another caller's connections", () => other.connections.list())
      await note("another caller's tools", () => other.tools.list())
      await note("another caller's items", () => other.providers.items("memory"))
      await note("another caller's call", () => other.execute("tools.api.user.alice.fetchJson", { path: "/200" }))
    }
    await note("the connections", () => executor.connections.list())
    await note("the tools", () => executor.tools.list())
    await note("a schema", () => executor.tools.schema("tools.api.org.bearer.fetchJson"))
    await note("the integrations", () => executor.integrations.list())
    await note("the items", () => executor.providers.items("memory"))
    for (const [name, { owner = "org" }] of Object.entries(inputs)) {
      await note(`remove ${name}`, () => executor.connections.remove({ owner, integration: "api", name }))
    }

    // The run went through what it claims to: credentials arrived where they belong, and nowhere else.
    const arrived = scanner.find(service.requests.map(({ url, headers }) => [url, headers]))
    expect([...new Set(arrived.map(({ secret }) => secret))].toSorted()).toEqual([
      "api",
      "app",
      "bearer",
      "cookie",
      "external",
      "fresh",
      "of-alice",
      "password",
      "query",
      "stale",
      "username",
    ])
    expect(elsewhere.requests.length).toBeGreaterThan(0)
    expect(seen.filter(([where]) => where.startsWith("the error of create")).map(([, error]) => error)).toEqual([])
    const codes = new Set(events.flatMap((event) => (event.type === "tool.called" ? [event.outcome] : [])))
    expect([...codes].toSorted()).toEqual([
      "connection_disabled",
      "connection_rejected",
      "http_error",
      "network_error",
      "ok",
      "redirect_refused",
      "response_too_large",
      "timeout",
      "tool_failed",
    ])
    for (const [where, value] of seen) scanner.expectNone(value, where)
    scanner.expectNone(events, "the events")
    scanner.expectNone(handed, "what the store was handed")
    scanner.expectNone(seenByPlugins, "what plugins were handed")
    scanner.expectNone(
      elsewhere.requests.map(({ url, rawHeaders, text }) => [url, rawHeaders, text]),
      "another origin's requests",
    )
    scanner.expectNone(executor, "the executor")
    scanner.expectNone(printed(), "what was printed")
  }, 60_000)

  it("are nowhere when connections cannot be created, replaced or removed", async () => {
    const seen: Seen = []
    const note = noting(seen)
    const events: Array<ExecutorEvent> = []
    const secret = secrets.refused
    const plain = {
      key: "plain",
      writable: true,
      get: () => Effect.undefined,
      set: () => Effect.void,
      delete: () => Effect.void,
    }
    const fails = (_id: string, value?: unknown): Promise<never> =>
      Promise.reject(new Error(`cannot keep ${String(value)}`, { cause: value }))
    const providers = {
      working: countingProvider().provider,
      rejecting: countingProvider({ set: fails, delete: fails }).provider,
      hanging: countingProvider({ set: () => new Promise<never>(() => {}) }).provider,
      throwing: {
        ...plain,
        set: () => {
          throw new Error(secret)
        },
      },
      dying: { ...plain, set: () => Effect.die(new Error(secret)) },
      misbehaving: { ...plain, set: () => Effect.fail(new Error(secret) as never) },
      refusingToDelete: countingProvider({ delete: () => Promise.reject(new Error(secret)) }).provider,
    }
    const bad: ReadonlyArray<object> = [
      { template: "bearer", value: secret, from: { provider: "x", id: secret } },
      { template: "bearer", values: { token: secret, extra: secret } },
      { template: "bearer", inputs: { token: { value: secret, from: { provider: secret, id: "x" } } } },
      { template: "bearer", values: [secret] },
      { template: "bearer", values: { token: { toString: () => secret } } },
      { template: "keys", values: { api: secret } },
      { template: "none", value: secret },
      { template: "nope", value: secret },
      { template: "bearer", value: secret, description: 7 },
      { template: "bearer", value: secret, name: "" },
      { template: "bearer", value: secret, owner: "user" },
      { template: "bearer", value: secret, integration: "nope" },
      { template: "basic", values: { username: `a:${secret}`, password: secret } },
      { template: "bearer", value: `${secret}\r\nX-Injected: 1` },
    ]
    for (const [name, provider] of Object.entries(providers)) {
      for (const broken of ["nothing", "catalogs.put", "connections.put", "connections.remove"]) {
        for (const resolveTools of [
          () => [{ name: "call", annotations: { readOnlyHint: true } }],
          () => Promise.reject(new Error("down")),
          async ({ fetch }: { readonly fetch: typeof globalThis.fetch }) => {
            throw new Error(await fetch("/echo").then((response) => response.text()))
          },
        ]) {
          await using service = await fakeUpstream((request) => ({ body: echoOf(request) }))
          const store = unreliableStore((operation) =>
            operation === broken ? Effect.die(new Error("the disk is full")) : Effect.void,
          )
          await using executor = await createExecutor({
            plugins: [
              acmePlugin(
                { call: ({ fetch }) => fetch("/").then((response) => response.text()) },
                { catalog: "connection", resolveTools },
              ),
            ] as const,
            providers: [provider],
            store,
            providerTimeoutMs: 10,
            onEvent: (event) => void events.push(event),
            egress: { allowHosts: [service.host] },
          })
          await executor.acme.add({ slug: "api", baseUrl: service.origin, authTemplates: templates })
          const where = `${name}, ${broken} broken`
          for (const value of [secret, secret]) {
            await note(where, () => executor.connections.create({ ...main, template: "bearer", value }))
          }
          if (name === "working") {
            for (const input of bad)
              await note(where, () => executor.connections.create({ ...main, ...input } as CreateConnectionInput))
          }
          await note(where, () => executor.execute("tools.api.org.main.call"))
          await note(where, () => executor.connections.refresh(main))
          await note(where, () => executor.connections.remove(main))
          await note(where, () => executor.connections.list())
        }
      }
    }
    await note("an Effect executor", () =>
      Effect.runPromise(
        Effect.scoped(
          Effect.gen(function* () {
            const executor = yield* createEffectExecutor({ providers: [providers.misbehaving] })
            return yield* Effect.exit(executor.connections.create({ ...main, template: "bearer", value: secret }))
          }),
        ),
      ),
    )
    const errors = seen.filter(([where]) => where.startsWith("the error"))
    const tags = new Set(errors.map(([, error]) => (error as { readonly _tag?: string })._tag))
    for (const tag of [
      "InvalidConnectionInputError",
      "ProviderUnavailableError",
      "ProviderTimeoutError",
      "ToolResolutionError",
    ]) {
      expect(tags).toContain(tag)
    }
    for (const [where, value] of seen) scanner.expectNone(value, where)
    scanner.expectNone(events, "the events")
    scanner.expectNone(printed(), "what was printed")
  }, 60_000)
})
