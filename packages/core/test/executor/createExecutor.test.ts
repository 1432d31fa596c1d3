/** Configs that cannot work fail at once and say what to change; identities share everything but what they see. */
import {
  createExecutor,
  credentialProvider,
  definePlugin,
  type Executor,
  type ExecutorConfig,
  InvalidConfigError,
  InvalidIdentityError,
  memoryProvider,
} from "@keyward/core"
import * as surface from "@keyward/core"
import { createExecutor as createEffectExecutor } from "@keyward/core/effect"
import * as effectSurface from "@keyward/core/effect"
import * as Effect from "effect/Effect"
import { describe, expect, expectTypeOf, it } from "vitest"
import { acmePlugin, main, rejectionOf, setStage, templates, toolOfMain } from "./acme.ts"

const plugin = (id: string) => definePlugin({ id, resolveTools: () => [], invokeTool: () => null })

describe("a config that cannot work", () => {
  it.each<[string, object, string, string]>([
    ["two providers with one key", { providers: [memoryProvider(), memoryProvider()] }, "providers", '"memory"'],
    ["a provider without a key", { providers: [credentialProvider({ key: "", get: () => "x" })] }, "providers", "key"],
    ["two plugins with one id", { plugins: [plugin("a"), plugin("a")] }, "plugins", '"a"'],
    ["a plugin named as a part of the executor", { plugins: [plugin("connections")] }, "plugins", "rename"],
    ["a plugin named as a method of the executor", { plugins: [plugin("execute")] }, "plugins", "rename"],
    ["a plugin that would make the executor a thenable", { plugins: [plugin("then")] }, "plugins", "rename"],
    ["a plugin named as the prototype", { plugins: [plugin("__proto__")] }, "plugins", "rename"],
    ["a plugin whose id is no identifier", { plugins: [plugin("my-plugin")] }, "plugins", "rename"],
    ["a redirectUri that is no URL", { redirectUri: "/callback" }, "redirectUri", "absolute"],
    ["a redirectUri of another scheme", { redirectUri: "ftp://x.example/cb" }, "redirectUri", "http(s)"],
    ["a redirectUri with a fragment", { redirectUri: "https://x.example/cb#a" }, "redirectUri", "fragment"],
    ["a redirectUri in clear", { redirectUri: "http://x.example/cb" }, "redirectUri", "must be https"],
    ["an option that there is not", { provider: [] }, "provider", "Options: tenant"],
    ["an egress option that there is not", { egress: { allowHost: [] } }, "egress.allowHost", "allowHosts"],
    [
      "an allowed host that is a URL",
      { egress: { allowHosts: ["http://127.0.0.1"] } },
      "egress.allowHosts",
      "host:port",
    ],
    ["a limit of nothing", { providerTimeoutMs: 0 }, "providerTimeoutMs", "above 0"],
    ["a limit that is no number", { toolTimeoutMs: Number.NaN }, "toolTimeoutMs", "above 0"],
    ["an egress limit below nothing", { egress: { timeoutMs: -1 } }, "egress.timeoutMs", "above 0"],
    ["redirects below nothing", { egress: { maxRedirects: -1 } }, "egress.maxRedirects", "0 or more"],
  ])("refuses %s on both surfaces, and says what to change", async (_, config, field, hint) => {
    const error = await rejectionOf(createExecutor(config as ExecutorConfig))
    expect(error).toBeInstanceOf(InvalidConfigError)
    expect(error).toMatchObject({ field, httpStatus: 400 })
    expect(error.message).toContain(hint)
    const same = await Effect.runPromise(Effect.flip(Effect.scoped(createEffectExecutor(config as ExecutorConfig))))
    expect(same).toBeInstanceOf(InvalidConfigError)
    expect(same.message).toBe(error.message)
  })

  it.each([
    "http://127.0.0.1:4319/oauth/callback",
    "http://localhost/cb",
    "http://[::1]:1/cb",
    "https://x.example/cb?a=b",
  ])("takes the redirectUri %s", async (redirectUri) => {
    await (await createExecutor({ redirectUri })).close()
  })

  it.each([
    [{ tenant: "" }, "tenant"],
    [{ subject: "" }, "subject"],
    [{ tenant: "x".repeat(513) }, "tenant"],
    [{ subject: "\ud800" }, "subject"],
    [{ tenant: 7 as unknown as string }, "tenant"],
  ])("refuses an identity that names nobody: %j", async (identity, part) => {
    expect(await rejectionOf(createExecutor(identity))).toMatchObject({ _tag: "InvalidIdentityError", part })
    const executor = await createExecutor()
    expect(() => executor.withIdentity(identity)).toThrow(InvalidIdentityError)
  })
})

describe("an executor", () => {
  it("needs no config at all", async () => {
    await using executor = await createExecutor()
    expect(executor.identity).toEqual({ tenant: "default", subject: null })
    expect([executor.providers.list(), await executor.tools.list(), await executor.integrations.list()]).toEqual([
      [],
      [],
      [],
    ])
  })

  it("lists providers by key, in order, and what can be picked from them", async () => {
    await using executor = await createExecutor({
      providers: [
        credentialProvider({ key: "vault", get: () => "x" }),
        memoryProvider({ items: { b: "2", a: "1" } }),
        credentialProvider({ key: "listed", get: () => "x", list: () => [{ id: "op://a", name: "A" }] }),
      ],
    })
    expect(executor.providers.list()).toEqual(["vault", "memory", "listed"])
    expect(await executor.providers.items("memory")).toEqual([
      { id: "a", name: "a" },
      { id: "b", name: "b" },
    ])
    expect(await executor.providers.items("listed")).toEqual([{ id: "op://a", name: "A" }])
    expect(await rejectionOf(executor.providers.items("vault"))).toMatchObject({ _tag: "ProviderDeniedError" })
    expect(await rejectionOf(executor.providers.items("nope"))).toMatchObject({
      _tag: "CredentialProviderNotRegisteredError",
    })
  })

  it("answers as the same executor for another caller", async () => {
    const { executor } = await setStage({ config: { tenant: "acme", subject: "alice" } })
    const identityOf = (input: surface.IdentityInput) => executor.withIdentity(input).identity
    expect(executor.identity).toEqual({ tenant: "acme", subject: "alice" })
    expect(identityOf({})).toEqual({ tenant: "acme", subject: null })
    expect(identityOf({ subject: null })).toEqual({ tenant: "acme", subject: null })
    expect(identityOf({ subject: "bob" })).toEqual({ tenant: "acme", subject: "bob" })
    expect(identityOf({ tenant: "other" })).toEqual({ tenant: "other", subject: null })
    expect(executor.withIdentity({ tenant: "other" }).withIdentity({ subject: "bob" }).identity).toEqual({
      tenant: "other",
      subject: "bob",
    })
    const bob = executor.withIdentity({ subject: "bob" })
    await bob.connections.create({ ...main, template: "none" })
    expect(await executor.connections.get(main)).toMatchObject({ address: "tools.api.org.main" })
    expect(bob.acme).not.toBe(executor.acme)
    expectTypeOf(bob).toEqualTypeOf<typeof executor>()
  })
})

describe("two surfaces, one implementation", () => {
  it("export the same classes", () => {
    const shared = Object.keys(effectSurface).filter((name) => name.endsWith("Error") && name in surface)
    expect(shared.length).toBeGreaterThan(3)
    for (const name of shared) expect(Reflect.get(effectSurface, name)).toBe(Reflect.get(surface, name))
  })

  it("give every error a tag, a message and an HTTP status, as a property and as an annotation of its schema", () => {
    const classes = Object.entries(surface).filter(([name]) => name.endsWith("Error") && !name.startsWith("is"))
    expect(classes.map(([name]) => name)).toEqual(
      expect.arrayContaining([
        "IntegrationNotFoundError",
        "ConnectionNotFoundError",
        "ToolNotFoundError",
        "InvalidConnectionInputError",
        "CredentialProviderNotRegisteredError",
        "ElicitationDeclinedError",
        "ToolBlockedError",
        "StoreUnavailableError",
        "ProviderUnavailableError",
      ]),
    )
    for (const [name, Class] of classes) {
      const { prototype, ast } = Class as unknown as {
        prototype: { httpStatus: number }
        ast: { annotations?: object }
      }
      expect([name, prototype.httpStatus]).toEqual([
        name,
        expect.toSatisfy((status: number) => status >= 400 && status < 600),
      ])
      expect([name, (Class as unknown as { identifier?: string }).identifier ?? name]).toEqual([name, name])
      expect([name, Reflect.get(ast.annotations ?? {}, "httpApiStatus")]).toEqual([name, prototype.httpStatus])
    }
    const statuses = {
      IntegrationNotFoundError: 404,
      ConnectionNotFoundError: 404,
      ToolNotFoundError: 404,
      InvalidConnectionInputError: 400,
      CredentialProviderNotRegisteredError: 409,
    }
    for (const [name, status] of Object.entries(statuses)) {
      expect([
        name,
        (Reflect.get(surface, name) as { prototype: { httpStatus: number } }).prototype.httpStatus,
      ]).toEqual([name, status])
    }
  })

  it("fail and reject with the same classes, and hand on a provider's own instance", async () => {
    const locked = new surface.ProviderUnavailableError({ provider: "memory", reason: "locked", nextStep: "Unlock." })
    const acme = acmePlugin({ call: () => 1 }, { resolveTools: () => [{ name: "call", requiresApproval: true }] })
    const provider = { ...memoryProvider(), set: () => Effect.fail(locked) }
    const config = { plugins: [acme] as const, providers: [provider] }
    await using promise = await createExecutor(config)
    await promise.acme.add({ slug: "api", authTemplates: templates })
    await promise.connections.create({ ...main, name: "open", template: "none" })
    const bearer = { ...main, template: "bearer", value: "v" }
    await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const effect = yield* createEffectExecutor(config)
          const extension = effect.extension("acme") as typeof promise.acme
          yield* Effect.promise(() => extension.add({ slug: "api", authTemplates: templates }))
          yield* effect.connections.create({ ...main, name: "open", template: "none" })
          expect(effect.extension("nope")).toBeUndefined()
          const calls: ReadonlyArray<readonly [Effect.Effect<unknown, Error>, () => Promise<unknown>, string]> = [
            [effect.connections.create(bearer), () => promise.connections.create(bearer), "ProviderUnavailableError"],
            [effect.connections.remove(main), () => promise.connections.remove(main), "ConnectionNotFoundError"],
            [effect.execute(toolOfMain()), () => promise.execute(toolOfMain()), "ConnectionNotFoundError"],
            [
              effect.execute("tools.api.org.open.no"),
              () => promise.execute("tools.api.org.open.no"),
              "ToolNotFoundError",
            ],
            [
              effect.execute("tools.api.org.open.call"),
              () => promise.execute("tools.api.org.open.call"),
              "ElicitationDeclinedError",
            ],
            [
              effect.connections.create({ ...bearer, integration: "no" }),
              () => promise.connections.create({ ...bearer, integration: "no" }),
              "IntegrationNotFoundError",
            ],
            [
              effect.connections.create({ ...main, template: "no" }),
              () => promise.connections.create({ ...main, template: "no" }),
              "InvalidConnectionInputError",
            ],
            [
              effect.connections.create({ ...main, template: "bearer", from: { provider: "no", id: "x" } }),
              () => promise.connections.create({ ...main, template: "bearer", from: { provider: "no", id: "x" } }),
              "CredentialProviderNotRegisteredError",
            ],
            [effect.integrations.remove("no"), () => promise.integrations.remove("no"), "IntegrationNotFoundError"],
            [effect.integrations.remove("api"), () => promise.integrations.remove("api"), "IntegrationInUseError"],
            [
              effect.withIdentity({ tenant: "" }),
              () => Promise.resolve().then(() => promise.withIdentity({ tenant: "" })),
              "InvalidIdentityError",
            ],
          ]
          for (const [failing, rejecting, tag] of calls) {
            const failed = yield* Effect.flip(failing)
            const rejected = yield* Effect.promise(() => rejectionOf(rejecting()))
            const Class: unknown = Reflect.get(surface, tag)
            expect(failed).toBeInstanceOf(Class)
            expect(rejected).toBeInstanceOf(Class)
            expect(rejected.message).toBe(failed.message)
          }
          expect(yield* Effect.flip(effect.connections.create(bearer))).toBe(locked)
          expect(yield* Effect.promise(() => rejectionOf(promise.connections.create(bearer)))).toBe(locked)
          expect(yield* effect.tools.list()).toEqual(yield* Effect.promise(() => promise.tools.list()))
        }),
      ),
    )
  })

  it("can be passed, with its plugins, where any executor is wanted", async () => {
    const tenantOf = (executor: Executor): string => executor.identity.tenant
    await using executor = await createExecutor({ plugins: [acmePlugin()], tenant: "acme" })
    expectTypeOf(executor.acme.add).toBeFunction()
    expect(tenantOf(executor)).toBe("acme")
    expect(tenantOf(executor.withIdentity({ tenant: "other" }))).toBe("other")
  })

  it("closes an Effect executor with its scope", async () => {
    let isClosed = false
    const provider = credentialProvider({ key: "vault", get: () => undefined, close: () => void (isClosed = true) })
    await Effect.runPromise(
      Effect.scoped(
        Effect.tap(createEffectExecutor({ providers: [provider] }), () =>
          Effect.sync(() => expect(isClosed).toBe(false)),
        ),
      ),
    )
    expect(isClosed).toBe(true)
  })
})
