/** Where a credential may come from, and that a connection is created whole or not at all. */
import {
  type CreateConnectionInput,
  createExecutor,
  credentialProvider,
  memoryProvider,
  memoryStore,
  ProviderDeniedError,
  ProviderUnavailableError,
  variable,
} from "@keyward/core"
import { createExecutor as createEffectExecutor } from "@keyward/core/effect"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  acmePlugin,
  contentsOf,
  countingProvider,
  failureOf,
  main,
  received,
  rejectionOf,
  setStage,
  storeDown,
  templates,
  toJson,
  toolOfMain,
  unreliableStore,
} from "../acme.ts"

const itemId = (variableName: string): string => `default/connection:org:api:main:${variableName}`

/** A stage whose provider and external vaults are counted. */
const setOrigins = async () => {
  const pasted = countingProvider()
  const other = countingProvider({ key: "other" })
  other.items.set("a", "from-other-a").set("b", "from-other-b").set("empty", "")
  const third = countingProvider({ key: "third" })
  const stage = await setStage({ config: { providers: [pasted.provider, other.provider, third.provider] } })
  return { ...stage, pasted, other, third }
}

describe("origins", () => {
  it.each<[string, Pick<CreateConnectionInput, "template">, Readonly<Record<string, unknown>>]>([
    ["value as the variable token", { template: "bearer", value: "v" } as never, { authorization: "Bearer v" }],
    ["values by variable", { template: "keys", values: { api: "1", app: "2" } } as never, { api: "1", app: "2" }],
    [
      "from as the variable token, kept elsewhere",
      { template: "bearer", from: { provider: "other", id: "a" } } as never,
      { authorization: "Bearer from-other-a" },
    ],
    [
      "inputs with values",
      { template: "bearer", inputs: { token: { value: "v" } } } as never,
      { authorization: "Bearer v" },
    ],
    [
      "inputs with references into one provider",
      {
        template: "keys",
        inputs: { api: { from: { provider: "other", id: "a" } }, app: { from: { provider: "other", id: "b" } } },
      } as never,
      { api: "from-other-a", app: "from-other-b" },
    ],
    [
      "values of the basic template",
      { template: "basic", values: { username: "u", password: "p" } } as never,
      { authorization: `Basic ${Buffer.from("u:p").toString("base64")}` },
    ],
    ["an empty text, which is a value", { template: "keys", values: { api: "", app: "2" } } as never, { app: "2" }],
    ["nothing, for the template none", { template: "none" }, { authorization: null }],
    ["an empty map, for the template none", { template: "none", values: {} } as never, { authorization: null }],
  ])("takes %s", async (_, origin, expected) => {
    const { executor, upstream } = await setOrigins()
    await executor.connections.create({ ...main, ...origin })
    expect(await executor.execute(toolOfMain())).toMatchObject({ ok: true })
    expect(upstream.requests.map(received)).toMatchObject([expected])
  })

  it.each<[string, object, string]>([
    ["two origins", { template: "bearer", value: "v", from: { provider: "other", id: "a" } }, "exactly one of"],
    ["value beside values", { template: "bearer", value: "v", values: { token: "v" } }, "value and values"],
    ["value beside inputs", { template: "bearer", value: "v", inputs: {} }, "value and inputs"],
    [
      "pasted and external values mixed",
      { template: "keys", inputs: { api: { value: "v" }, app: { from: { provider: "other", id: "a" } } } },
      "cannot be mixed",
    ],
    [
      "two external providers",
      {
        template: "keys",
        inputs: { api: { from: { provider: "other", id: "a" } }, app: { from: { provider: "third", id: "b" } } },
      },
      "one connection has one provider",
    ],
    [
      "value and from in one variable",
      { template: "bearer", inputs: { token: { value: "v", from: { provider: "other", id: "a" } } } },
      "both value and from",
    ],
    ["a variable without an origin", { template: "bearer", inputs: { token: {} } }, '"token" must be text'],
    ["a variable that is not text", { template: "bearer", values: { token: 7 } }, '"token" must be text'],
    ["a reference without an id", { template: "bearer", from: { provider: "other" } }, "needs from: { provider, id }"],
    ["a reference with an empty id", { template: "bearer", from: { provider: "other", id: "" } }, "needs from"],
    ["a missing variable", { template: "keys", values: { api: "v" } }, 'also needs "app"'],
    ["value for a template that needs others", { template: "keys", value: "v" }, 'also needs "api", "app"'],
    [
      "from for a template that needs others",
      { template: "keys", from: { provider: "other", id: "a" } },
      "Pass inputs",
    ],
    ["a variable that the template has not", { template: "bearer", values: { token: "v", extra: "x" } }, '"extra"'],
    [
      "a variable called __proto__",
      { template: "bearer", values: JSON.parse('{"token":"v","__proto__":"x"}') },
      "__proto__",
    ],
    ["no credential for a template that needs one", { template: "bearer" }, "Pass value, values, from or inputs"],
    ["an empty map for a template that needs one", { template: "bearer", values: {} }, 'also needs "token"'],
    ["empty inputs for a template that needs one", { template: "bearer", inputs: {} }, 'also needs "token"'],
    ["values that are no map", { template: "bearer", values: ["v"] }, "must be an object by variable"],
    ["a credential for the template none", { template: "none", value: "v" }, "takes no credential"],
    ["a template that is not declared", { template: "nope", value: "v" }, '"nope" is not declared by "api"'],
    ["a template called as a prototype's member", { template: "constructor", value: "v" }, "is not declared"],
    ["a label that is no text", { template: "bearer", value: "v", identityLabel: 7 }, "identityLabel"],
    ["a description without end", { template: "bearer", value: "v", description: "x".repeat(5000) }, "4096"],
  ])("refuses %s, and stores nothing", async (_, origin, message) => {
    const { executor, pasted, other, third, events } = await setOrigins()
    const error = await rejectionOf(executor.connections.create({ ...main, ...origin } as CreateConnectionInput))
    expect(error).toMatchObject({ _tag: "InvalidConnectionInputError", httpStatus: 400 })
    expect(error.message).toContain(message)
    expect(await executor.connections.list()).toEqual([])
    expect([pasted.calls, other.calls, third.calls, events]).toEqual([[], [], [], []])
  })

  it("names the template none among those declared, and the slugs there are", async () => {
    const { executor } = await setOrigins()
    const error = await rejectionOf(executor.connections.create({ ...main, template: "nope", value: "v" }))
    expect(error.message).toContain('declared: "bearer", "basic", "keys", "query", "none"')
  })

  it("refuses what no registered provider can keep", async () => {
    const { executor } = await setOrigins()
    expect(
      await rejectionOf(
        executor.connections.create({ ...main, template: "bearer", from: { provider: "gone", id: "a" } }),
      ),
    ).toMatchObject({ _tag: "CredentialProviderNotRegisteredError", provider: "gone", httpStatus: 409 })
    const readOnly = await setStage({ config: { providers: [credentialProvider({ key: "ro", get: () => "v" })] } })
    expect(
      await rejectionOf(readOnly.executor.connections.create({ ...main, template: "bearer", value: "v" })),
    ).toMatchObject({ _tag: "CredentialProviderNotRegisteredError", provider: null })
    expect(await readOnly.executor.connections.list()).toEqual([])
  })

  it("needs no provider for the template none", async () => {
    const { executor } = await setStage({ config: { providers: [] } })
    const created = await executor.connections.create({ ...main, template: "none" })
    expect(created).toMatchObject({ template: "none", provider: "none", status: "active" })
    expect(await executor.execute(toolOfMain())).toMatchObject({ ok: true })
    await executor.connections.remove(main)
    expect(await executor.connections.list()).toEqual([])
  })

  it("names an integration that is not there", async () => {
    const { executor } = await setOrigins()
    expect(
      await rejectionOf(executor.connections.create({ ...main, integration: "nope", template: "bearer", value: "v" })),
    ).toMatchObject({ _tag: "IntegrationNotFoundError", integration: "nope", httpStatus: 404 })
  })

  it("allows an external reference that leads nowhere, and says so when it is used", async () => {
    const { executor, other } = await setOrigins()
    await executor.connections.create({ ...main, template: "bearer", from: { provider: "other", id: "later" } })
    expect(other.calls).toEqual([])
    const failure = failureOf(await executor.execute(toolOfMain()))
    expect(failure).toMatchObject({
      code: "connection_value_missing",
      retryable: false,
      details: { category: "authentication", connection: "tools.api.org.main", authRequired: true },
    })
    other.items.set("later", "now")
    expect(await executor.execute(toolOfMain())).toMatchObject({ ok: true, data: { authorization: "Bearer now" } })
  })

  it("reads an external item on each use and never copies it", async () => {
    const { executor, upstream, pasted, other } = await setOrigins()
    await executor.connections.create({ ...main, template: "bearer", from: { provider: "other", id: "a" } })
    await executor.execute(toolOfMain())
    other.items.set("a", "rotated")
    await executor.execute(toolOfMain())
    expect(upstream.requests.map(received)).toMatchObject([
      { authorization: "Bearer from-other-a" },
      { authorization: "Bearer rotated" },
    ])
    expect(other.calls).toEqual(["get a", "get a"])
    expect(pasted.calls).toEqual([])
  })

  it("keeps pasted values under the documented ids in the first writable provider, unread", async () => {
    const { executor, pasted } = await setOrigins()
    await executor.connections.create({ ...main, template: "keys", values: { api: "1", app: "2" } })
    const alice = executor.withIdentity({ subject: "alice" })
    await alice.connections.create({ ...main, owner: "user", template: "bearer", value: "3" })
    expect(Object.fromEntries(pasted.items)).toEqual({
      [itemId("api")]: "1",
      [itemId("app")]: "2",
      "default/alice/connection:user:api:main:token": "3",
    })
    expect(pasted.calls.filter((call) => call.startsWith("get"))).toEqual([])
  })
})

describe("names", () => {
  it.each([
    ["my-api-key", "myApiKey"],
    ["My API Key", "myAPIKey"],
    ["work@example.com", "workExampleCom"],
    ["1password", "_1password"],
    ["дом", "дом"],
    ["__proto__", "__proto__"],
  ])("makes an identifier of %j and accepts the original spelling everywhere", async (name, identifier) => {
    const { executor } = await setStage()
    const created = await executor.connections.create({ ...main, name, template: "bearer", value: "v" })
    expect(created).toMatchObject({ name: identifier, address: `tools.api.org.${identifier}` })
    for (const spelling of [name, identifier]) {
      const ref = { ...main, name: spelling }
      expect(await executor.connections.get(ref)).toEqual(created)
      expect(await executor.connections.update(ref, { description: "d" })).toMatchObject({ name: identifier })
      expect(await executor.connections.update(ref, { description: null })).toMatchObject({ name: identifier })
      expect(await executor.connections.refresh(ref)).toMatchObject([{ address: `tools.api.org.${identifier}.call` }])
      expect(await executor.connections.disable(ref)).toMatchObject({ name: identifier, status: "disabled" })
      expect(await executor.connections.enable(ref)).toMatchObject({ name: identifier, status: "active" })
      expect(await executor.connections.fetch(ref)("/").then(toJson)).toMatchObject({ authorization: "Bearer v" })
      expect(await executor.tools.list({ connection: spelling })).toHaveLength(1)
    }
    await executor.connections.create({ ...main, name: identifier, template: "bearer", value: "w" })
    expect(await executor.connections.list()).toHaveLength(1)
    await executor.connections.remove({ ...main, name })
    expect(await executor.connections.list()).toEqual([])
  })

  it.each(["", "---", "🔑", "\0"])("refuses %j, in which nothing usable is left", async (name) => {
    const { executor } = await setStage()
    expect(
      await rejectionOf(executor.connections.create({ ...main, name, template: "bearer", value: "v" })),
    ).toMatchObject({ _tag: "InvalidConnectionInputError", field: "name" })
  })

  it("needs a subject for a user's connection", async () => {
    const { executor } = await setStage()
    const user = { ...main, owner: "user" } as const
    for (const call of [
      executor.connections.create({ ...user, template: "bearer", value: "v" }),
      executor.connections.update(user, {}),
      executor.connections.remove(user),
      executor.connections.refresh(user),
      executor.connections.disable(user),
      executor.connections.enable(user),
      executor.connections.fetch(user)("/"),
    ]) {
      expect(await rejectionOf(call)).toMatchObject({ _tag: "InvalidConnectionInputError", field: "owner" })
    }
    expect(await executor.connections.get(user)).toBeNull()
    expect(await executor.connections.list({ owner: "user" })).toEqual([])
  })

  it("refuses an owner that is neither org nor user", async () => {
    const { executor } = await setStage()
    const input = { ...main, owner: "admin" as "org", template: "bearer", value: "v" }
    expect(await rejectionOf(executor.connections.create(input))).toMatchObject({ field: "owner" })
  })
})

describe("whole or not at all", () => {
  it.each(["integration", "connection"] as const)(
    "leaves nothing behind when the tools of a catalog per %s cannot be listed",
    async (catalog) => {
      const vault = countingProvider()
      const plugin = acmePlugin({}, { catalog, resolveTools: () => Promise.reject(new Error("the service is down")) })
      const { executor, events } = await setStage({ plugin, config: { providers: [vault.provider] } })
      const error = await rejectionOf(executor.connections.create({ ...main, template: "bearer", value: "v" }))
      expect(error).toMatchObject({ _tag: "ToolResolutionError", integration: "api", plugin: "acme", httpStatus: 502 })
      expect(error.message).toContain("the service is down")
      expect([await executor.connections.list(), [...vault.items], vault.calls, events]).toEqual([[], [], [], []])
    },
  )

  it.each([1, 2, 3])("puts back every secret when write %i fails", async (failing) => {
    let writes = 0
    const offline = new ProviderUnavailableError({ provider: "vault", reason: "offline", nextStep: "Wait." })
    const vault = countingProvider({
      set: (id, value) => {
        writes += 1
        if (writes === failing) throw offline
        vault.items.set(id, value)
      },
    })
    const { executor } = await setStage({ config: { providers: [vault.provider] } })
    await executor.acme.add({
      slug: "three",
      baseUrl: "https://three.example",
      authTemplates: [
        { slug: "abc", type: "apiKey", headers: { a: [variable("a")], b: [variable("b")], c: [variable("c")] } },
      ],
    })
    const input = { ...main, integration: "three", template: "abc" }
    const create = (value: string) =>
      executor.connections.create({ ...input, values: { a: value, b: value, c: value } })
    expect(await rejectionOf(create("first"))).toMatchObject({ _tag: "ProviderUnavailableError", reason: "offline" })
    expect([[...vault.items], await executor.connections.list()]).toEqual([[], []])

    await create("second")
    writes = 0
    expect(await rejectionOf(create("third"))).toMatchObject({ _tag: "ProviderUnavailableError" })
    expect([...vault.items.values()]).toEqual(["second", "second", "second"])
    expect(await executor.connections.list()).toHaveLength(1)
  })

  it.each(["connections.put", "catalogs.put", "connections.get", "catalogs.get", "integrations.get"])(
    "leaves neither row, secret nor catalog when the store fails at %s, and a replacement changes nothing",
    async (operation) => {
      let isBroken = false
      const vault = countingProvider()
      const store = unreliableStore((current) => (isBroken && current === operation ? storeDown(current) : Effect.void))
      let tools = ["one"]
      const plugin = acmePlugin(
        { one: () => 1, two: () => 2 },
        { catalog: "connection", resolveTools: () => tools.map((name) => ({ name })) },
      )
      const { executor } = await setStage({ plugin, config: { providers: [vault.provider], store } })
      const create = (value: string) => executor.connections.create({ ...main, template: "bearer", value })
      isBroken = true
      expect(await rejectionOf(create("first"))).toMatchObject({ _tag: "StoreUnavailableError", httpStatus: 503 })
      isBroken = false
      expect([[...vault.items], await executor.connections.list()]).toEqual([[], []])

      await create("second")
      const before = await executor.connections.list()
      tools = ["two"]
      isBroken = true
      expect(await rejectionOf(create("third"))).toMatchObject({ _tag: "StoreUnavailableError" })
      isBroken = false
      expect([...vault.items.values()]).toEqual(["second"])
      expect(await executor.connections.list()).toEqual(before)
      expect((await executor.tools.list()).map(({ name }) => name)).toEqual(["one"])
    },
  )

  it("leaves no catalog of a connection that was never created", async () => {
    let isBroken = true
    const store = unreliableStore((current) =>
      isBroken && current === "connections.put" ? storeDown(current) : Effect.void,
    )
    let resolutions = 0
    const resolveTools = () => [{ name: `v${(resolutions += 1)}` }]
    const { executor } = await setStage({
      plugin: acmePlugin({}, { catalog: "connection", resolveTools }),
      config: { store },
    })
    const create = () => executor.connections.create({ ...main, template: "bearer", value: "v" })
    await rejectionOf(create())
    isBroken = false
    const key = { owner: "org", integration: "api", name: "main", tenant: "default", subject: "" } as const
    expect(
      await Effect.runPromise(
        store.catalogs.get({ tenant: "default", integration: "api", revision: 1, connection: key }),
      ),
    ).toBeUndefined()
  })

  it("undoes the secrets even when the store breaks in a way it does not describe", async () => {
    const vault = countingProvider()
    const store = unreliableStore((current) =>
      current === "connections.put" ? Effect.die(new Error("out of memory")) : Effect.void,
    )
    const { executor } = await setStage({ config: { providers: [vault.provider], store } })
    await rejectionOf(executor.connections.create({ ...main, template: "bearer", value: "v" }))
    expect([...vault.items]).toEqual([])
  })

  it("gives up on a provider that hangs while writing, and undoes what it can", async () => {
    const vault = countingProvider({ set: () => new Promise<never>(() => {}) })
    const { executor } = await setStage({ config: { providers: [vault.provider], providerTimeoutMs: 30 } })
    expect(await rejectionOf(executor.connections.create({ ...main, template: "bearer", value: "v" }))).toMatchObject({
      _tag: "ProviderTimeoutError",
      timeoutMs: 30,
      httpStatus: 504,
    })
    expect(await executor.connections.list()).toEqual([])
    expect(vault.calls.at(-1)).toBe(`delete ${itemId("token")}`)
  })

  it("replaces an old value that is damaged for good, and keeps a new one out while the old is only locked", async () => {
    const trouble = { provider: "vault", reason: "trouble", nextStep: "See the vault." }
    let failure: Error | undefined
    const vault = countingProvider({
      get: (id) => (failure === undefined ? vault.items.get(id) : Promise.reject(failure)),
    })
    const { executor } = await setStage({ config: { providers: [vault.provider] } })
    const create = (value: string) => executor.connections.create({ ...main, template: "bearer", value })
    await create("first")
    failure = new ProviderUnavailableError(trouble)
    expect(await rejectionOf(create("second"))).toBe(failure)
    expect([...vault.items.values()]).toEqual(["first"])
    failure = new ProviderDeniedError(trouble)
    await create("second")
    expect([...vault.items.values()]).toEqual(["second"])
  })

  it("replaces in place: the same row, the new credential, nothing left of the old one", async () => {
    const { executor, pasted, other, events } = await setOrigins()
    const first = await executor.connections.create({
      ...main,
      template: "keys",
      values: { api: "1", app: "2" },
      identityLabel: "old",
      description: "old",
    })
    expect(first).toEqual({
      owner: "org",
      name: "main",
      integration: "api",
      template: "keys",
      provider: "vault",
      address: "tools.api.org.main",
      identityLabel: "old",
      description: "old",
      expiresAt: null,
      oauthClient: null,
      oauthClientOwner: null,
      oauthScope: null,
      status: "active",
      statusReason: null,
    })
    await executor.connections.create({ ...main, template: "bearer", value: "3" })
    expect(Object.fromEntries(pasted.items)).toEqual({ [itemId("token")]: "3" })
    await executor.connections.create({ ...main, template: "bearer", from: { provider: "other", id: "a" } })
    expect([...pasted.items]).toEqual([])
    expect(await executor.connections.list()).toMatchObject([{ template: "bearer", provider: "other" }])
    await executor.connections.create({ ...main, template: "none" })
    expect([...other.items.keys()]).toEqual(["a", "b", "empty"])
    expect(events.map(({ type }) => type)).toEqual([
      "connection.created",
      "connection.replaced",
      "connection.replaced",
      "connection.replaced",
    ])
  })

  it("is whole or absent wherever an interruption hits it", async () => {
    const plugin = acmePlugin({}, { catalog: "connection", resolveTools: () => Effect.as(Effect.sleep(1), []) })
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 14 }), async (delayMs) => {
        const slow = <A>(value: A): Promise<A> => new Promise((resolve) => setTimeout(resolve, 1, value))
        const vault = countingProvider({
          set: async (id, value) => {
            await slow(undefined)
            vault.items.set(id, value)
          },
        })
        const store = unreliableStore(() => Effect.sleep(1))
        await Effect.runPromise(
          Effect.scoped(
            Effect.gen(function* () {
              const executor = yield* createEffectExecutor({ plugins: [plugin], providers: [vault.provider], store })
              const acme = executor.extension("acme") as ReturnType<NonNullable<typeof plugin.extension>>
              yield* Effect.promise(() =>
                acme.add({ slug: "api", baseUrl: "https://api.example", authTemplates: templates }),
              )
              const creating = yield* Effect.forkChild(
                executor.connections.create({ ...main, template: "keys", values: { api: "1", app: "2" } }),
              )
              yield* Effect.sleep(delayMs)
              yield* Fiber.interrupt(creating)
              const rows = yield* executor.connections.list()
              expect([...vault.items.values()]).toEqual(rows.length === 0 ? [] : ["1", "2"])
            }),
          ),
        )
      }),
      { numRuns: 30 },
    )
  })
})

describe("at the same time", () => {
  it("serves creates of one key one after the other within an executor", async () => {
    const vault = countingProvider()
    const { executor } = await setStage({ config: { providers: [vault.provider] } })
    const values = Array.from({ length: 10 }, (_, index) => `v${index}`)
    const created = await Promise.all(
      values.map((value) =>
        executor.connections.create({ ...main, template: "keys", values: { api: value, app: value } }),
      ),
    )
    expect(created).toHaveLength(10)
    expect([...vault.items.values()]).toEqual(["v9", "v9"])
    expect(await executor.connections.list()).toHaveLength(1)
  })

  it("lets neither of two executors break what the other created", async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), async (scheduler) => {
        const vault = countingProvider({
          set: (id, value) =>
            scheduler.schedule(Promise.resolve(), "set").then(() => {
              vault.items.set(id, value)
            }),
        })
        const store = memoryStore()
        const plugin = acmePlugin({ call: () => 1 })
        const make = () => createExecutor({ plugins: [plugin], providers: [vault.provider], store })
        const [one, two] = await Promise.all([make(), make()])
        await one.acme.add({ slug: "api", baseUrl: "https://api.example", authTemplates: templates })
        const outcomes = Promise.all([
          one.connections.create({ ...main, template: "keys", values: { api: "one", app: "one" }, description: "one" }),
          two.connections.create({ ...main, template: "keys", values: { api: "two", app: "two" }, description: "two" }),
        ])
        await scheduler.waitFor(outcomes)
        const row = await one.connections.get(main)
        expect([...vault.items.values()]).toEqual([row?.description, row?.description])
      }),
      { numRuns: 50 },
    )
  })
})

describe("what is kept for others", () => {
  it("cannot be reached by an external reference", async () => {
    const memory = memoryProvider()
    const { executor } = await setStage({ config: { providers: [memory], tenant: "acme", subject: "alice" } })
    await executor.connections.create({ ...main, template: "bearer", value: "org-secret" })
    await executor.connections.create({ ...main, owner: "user", template: "bearer", value: "alice-secret" })
    const ids = Object.keys(await contentsOf(memory))
    expect(ids).toEqual(["acme/alice/connection:user:api:main:token", "acme/connection:org:api:main:token"])
    const [ofAlice = "", ofOrg = ""] = ids
    const bob = executor.withIdentity({ subject: "bob" })
    const evil = executor.withIdentity({ tenant: "evil", subject: "alice" })
    await evil.acme.add({ slug: "api", baseUrl: "https://evil.example", authTemplates: templates })
    const refer = (caller: typeof executor, owner: "org" | "user", id: string) =>
      caller.connections.create({ ...main, owner, name: "thief", template: "bearer", from: { provider: "memory", id } })
    for (const theft of [
      refer(bob, "user", ofAlice),
      refer(bob, "org", ofAlice),
      refer(bob, "user", ofOrg),
      refer(evil, "user", ofAlice),
      refer(evil, "org", ofOrg),
      refer(evil, "org", `${ofOrg}:refresh`),
      refer(evil, "org", ofOrg.toUpperCase()),
      refer(executor.withIdentity({ tenant: "acme" }), "org", ofAlice),
    ]) {
      expect(await rejectionOf(theft)).toMatchObject({ _tag: "InvalidConnectionInputError", field: "from" })
    }
    expect(await refer(executor, "org", ofOrg)).toMatchObject({ name: "thief" })
    expect(await refer(executor, "user", ofAlice)).toMatchObject({ name: "thief" })
  })

  it("is not listed among a provider's items", async () => {
    const memory = memoryProvider({ items: { billing: "v", "a/b": "v" } })
    const { executor } = await setStage({ config: { providers: [memory], tenant: "acme", subject: "alice" } })
    await executor.connections.create({ ...main, template: "bearer", value: "v" })
    await executor.connections.create({ ...main, owner: "user", template: "bearer", value: "v" })
    const idsFor = async (identity: { tenant?: string; subject?: string }) =>
      (await executor.withIdentity(identity).providers.items("memory")).map(({ id }) => id)
    const [ofAlice, ofOrg] = ["acme/alice/connection:user:api:main:token", "acme/connection:org:api:main:token"]
    expect(await idsFor({ subject: "alice" })).toEqual(["a/b", ofAlice, ofOrg, "billing"])
    expect(await idsFor({ subject: "bob" })).toEqual(["a/b", ofOrg, "billing"])
    expect(await idsFor({})).toEqual(["a/b", ofOrg, "billing"])
    expect(await idsFor({ tenant: "evil", subject: "alice" })).toEqual(["a/b", "billing"])
  })
})
