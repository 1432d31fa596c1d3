/** What plugins add to an executor, on both surfaces, and what their context can do. */
import {
  ConnectionCredentialError,
  createExecutor,
  definePlugin,
  IntegrationNotFoundError,
  memoryProvider,
  type PluginContext,
} from "@keyward/core"
import {
  createExecutor as createEffectExecutor,
  definePlugin as defineEffectPlugin,
  type EffectPluginContext,
} from "@keyward/core/effect"
import { canary, CanaryScanner, fakeUpstream } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { describe, expect, expectTypeOf, it } from "vitest"
import { main, rejectionOf, setStage, templates, toJson } from "./acme.ts"

const handlers = { resolveTools: () => [], invokeTool: () => null } as const

describe("extension methods", () => {
  class Counter {
    #count = 0
    readonly label = "counter"
    get count(): number {
      return this.#count
    }
    raise(by: number): number {
      return (this.#count += by)
    }
  }
  class AsyncCounter extends Counter {
    raiseLater(by: number): Promise<number> {
      return Promise.resolve(this.raise(by))
    }
  }

  it("appear under the plugin's id: values, Promises, fields and instances of classes", async () => {
    const plain = definePlugin({
      ...handlers,
      id: "plain",
      extension: ({ identity }) => ({
        version: 3,
        who: () => identity.subject,
        later: async (text: string) => text.toUpperCase(),
        helper() {
          return 7
        },
        viaThis() {
          return this.helper()
        },
      }),
    })
    const counting = definePlugin({ ...handlers, id: "counting", extension: () => new AsyncCounter() })
    const bare = definePlugin({ ...handlers, id: "bare" })
    await using executor = await createExecutor({ subject: "alice", plugins: [plain, counting, bare] as const })
    expect([executor.plain.version, executor.plain.who(), await executor.plain.later("a")]).toEqual([3, "alice", "A"])
    expect(executor.plain.viaThis()).toBe(7)
    expect([executor.counting.label, executor.counting.raise(2), await executor.counting.raiseLater(3)]).toEqual([
      "counter",
      2,
      5,
    ])
    expect(executor.withIdentity({ subject: "bob" }).plain.who()).toBe("bob")
    expect(executor.bare).toBeUndefined()
    expectTypeOf(executor.plain.later).toEqualTypeOf<(text: string) => Promise<string>>()
  })

  it("written with Effect become Promises on one surface and stay Effects on the other, errors included", async () => {
    const failure = new IntegrationNotFoundError({ integration: "x" })
    const plugin = defineEffectPlugin({
      ...handlers,
      id: "lazy",
      extension: (context: EffectPluginContext) => ({
        who: () => Effect.succeed(context.identity.subject),
        fail: () => Effect.fail(failure),
        list: () => context.integrations.list(),
      }),
    })
    await using executor = await createExecutor({ subject: "alice", plugins: [plugin] as const })
    expect(await executor.lazy.who()).toBe("alice")
    expect(await rejectionOf(executor.lazy.fail())).toBe(failure)
    expectTypeOf(executor.lazy.who).toEqualTypeOf<() => Promise<string | null>>()
    await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const effect = yield* createEffectExecutor({ plugins: [plugin] })
          const lazy = effect.extension("lazy") as ReturnType<NonNullable<(typeof plugin)["effectExtension"]>>
          expect(yield* lazy.who()).toBeNull()
          expect(yield* Effect.flip(lazy.fail())).toBe(failure)
          expect(yield* lazy.list()).toEqual([])
        }),
      ),
    )
  })

  it("are made when they are first asked for, once per view", async () => {
    let made = 0
    const plugin = definePlugin({
      ...handlers,
      id: "costly",
      extension: () => ({
        nth: (
          (nth) => () =>
            nth
        )((made += 1)),
      }),
    })
    await using executor = await createExecutor({ plugins: [plugin] as const })
    const bob = executor.withIdentity({ subject: "bob" })
    expect(made).toBe(0)
    expect([executor.costly.nth(), executor.costly.nth(), bob.costly.nth()]).toEqual([1, 1, 2])
  })
})

describe("the context", () => {
  const secrets = { api: canary("api"), app: canary("app") }

  it("resolves values as text for Promise authors, on an object without a prototype", async () => {
    const { executor } = await setStage()
    await executor.connections.create({ ...main, template: "keys", values: secrets })
    await executor.connections.create({ ...main, name: "one", template: "bearer", value: secrets.api })
    const { connections } = executor.acme.context()
    const values = await connections.resolveValues(main)
    expect({ ...values }).toEqual(secrets)
    expect(Object.getPrototypeOf(values)).toBeNull()
    expect(await connections.resolveValue({ ...main, name: "one" })).toBe(secrets.api)
    const missing = await rejectionOf(connections.resolveValue(main))
    expect(missing).toBeInstanceOf(ConnectionCredentialError)
    expect(missing).toMatchObject({ code: "connection_value_missing" })
    expect(missing.message).toContain("resolveValues")
  })

  it("gives a fetch that is authorized for a connection", async () => {
    const { executor, upstream } = await setStage({ config: { subject: "alice" } })
    await executor.connections.create({ ...main, owner: "user", template: "bearer", value: secrets.api })
    const ref = { ...main, owner: "user" } as const
    const { connections } = executor.acme.context()
    expect(await (await connections.fetch(ref)("/")).json()).toMatchObject({ authorization: `Bearer ${secrets.api}` })
    await expect(connections.fetch(ref)("https://elsewhere.example/")).rejects.toThrow(/elsewhere/)
    const bob: PluginContext = executor.withIdentity({ subject: "bob" }).acme.context()
    expect(await rejectionOf(bob.connections.fetch(ref)("/"))).toMatchObject({ _tag: "ConnectionNotFoundError" })
    expect(upstream.requests).toHaveLength(1)
  })

  it("resolves redacted values for Effect authors", async () => {
    const plugin = defineEffectPlugin({
      ...handlers,
      id: "lazy",
      extension: (context: EffectPluginContext) => ({ context }),
    })
    await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const executor = yield* createEffectExecutor({ plugins: [plugin], providers: [memoryProvider()] })
          const { context } = executor.extension("lazy") as { readonly context: EffectPluginContext }
          yield* context.integrations.register({ slug: "api", authTemplates: templates })
          yield* executor.connections.create({ ...main, template: "bearer", value: secrets.api })
          const value = yield* context.connections.resolveValue(main)
          const values = yield* context.connections.resolveValues(main)
          new CanaryScanner(Object.values(secrets)).expectNone(
            [value, values, JSON.stringify([value, ...values.values()])],
            "the wrappers",
          )
          expect([Redacted.value(value), ...[...values.values()].map((one) => Redacted.value(one))]).toEqual([
            secrets.api,
            secrets.api,
          ])
        }),
      ),
    )
  })

  it("resolves nothing for a caller who does not see the connection, or that may not be used", async () => {
    const { executor } = await setStage({ config: { subject: "alice" } })
    await executor.connections.create({ ...main, owner: "user", template: "bearer", value: secrets.api })
    const ref = { ...main, owner: "user" } as const
    const contextOf = (identity: object): PluginContext => executor.withIdentity(identity).acme.context()
    for (const identity of [{ subject: "bob" }, { tenant: "other", subject: "alice" }]) {
      expect(await rejectionOf(contextOf(identity).connections.resolveValue(ref))).toMatchObject({
        _tag: "ConnectionNotFoundError",
      })
    }
    await executor.connections.disable(ref)
    expect(await rejectionOf(executor.acme.context().connections.resolveValues(ref))).toMatchObject({
      code: "connection_disabled",
    })
  })

  it("registers, finds, lists and removes integrations of the caller's tenant", async () => {
    const { executor, upstream } = await setStage()
    const { integrations, identity } = executor.withIdentity({ tenant: "acme", subject: "alice" }).acme.context()
    expect(identity).toEqual({ tenant: "acme", subject: "alice" })
    expect(await integrations.list()).toEqual([])
    const registered = await integrations.register({ slug: "mine", baseUrl: upstream.origin, config: { a: 1 } })
    expect(registered).toMatchObject({ slug: "mine", plugin: "acme", revision: 1 })
    expect(registered).not.toHaveProperty("config")
    expect(await integrations.get("mine")).toMatchObject({ config: { a: 1 }, tenant: "acme" })
    expect(await integrations.get("api")).toBeNull()
    await integrations.remove("mine")
    expect(await integrations.list()).toEqual([])
    expect(await rejectionOf(integrations.remove("mine"))).toBeInstanceOf(IntegrationNotFoundError)
  })

  it("fetches without any credential, under the same address policy", async () => {
    const { executor, upstream } = await setStage()
    const { fetch } = executor.acme.context()
    expect(await fetch(`${upstream.origin}/`).then(toJson)).toMatchObject({ authorization: null })
    await using inside = await fakeUpstream({ "/": { json: 1 } })
    expect(await rejectionOf(fetch(`${inside.origin}/`))).toMatchObject({ _tag: "AddressNotAllowedError" })
    expect(await rejectionOf(fetch("/relative"))).toMatchObject({ _tag: "InvalidRequestError" })
    expect(inside.requests).toEqual([])
  })
})
