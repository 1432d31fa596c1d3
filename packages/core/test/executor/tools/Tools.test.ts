/** Which tools a caller is shown, in which order, and where their catalogs come from. */
import { createExecutor, definePlugin, memoryProvider, memoryStore, type ToolDef } from "@keyward/core"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import {
  acmePlugin,
  countingProvider,
  main,
  received,
  rejectionOf,
  setStage,
  storeDown,
  templates,
  toolOfMain,
  unreliableStore,
} from "../acme.ts"

const defs: ReadonlyArray<ToolDef> = [
  { name: "issues.list", description: "Lists the issues of a repository", annotations: { readOnlyHint: true } },
  { name: "issues.create", description: "Creates an issue" },
  { name: "users.get" },
]

const setTools = async () => {
  const stage = await setStage({ plugin: acmePlugin({}, { resolveTools: () => defs }) })
  const { executor, upstream } = stage
  await executor.acme.add({ slug: "beta", baseUrl: upstream.origin, authTemplates: templates })
  const alice = executor.withIdentity({ subject: "alice" })
  await executor.connections.create({ ...main, template: "none" })
  await executor.connections.create({ ...main, integration: "beta", template: "none" })
  await alice.connections.create({ ...main, owner: "user", name: "my own", template: "none" })
  const addresses = async (caller: typeof executor, input = {}) =>
    (await caller.tools.list(input)).map(({ address }) => address)
  return { ...stage, alice, addresses }
}

describe("list", () => {
  it("shows each tool once per connection, in the order of connections and then of the plugin", async () => {
    const { alice, addresses, executor } = await setTools()
    const shared = defs.map(({ name }) => `tools.api.org.main.${name}`)
    const own = defs.map(({ name }) => `tools.api.user.myOwn.${name}`)
    const beta = defs.map(({ name }) => `tools.beta.org.main.${name}`)
    expect(await addresses(alice)).toEqual([...shared, ...own, ...beta])
    expect(await addresses(alice)).toEqual(await addresses(alice))
    expect(await addresses(executor)).toEqual([...shared, ...beta])
    expect(await addresses(executor.withIdentity({ subject: "bob" }))).toEqual([...shared, ...beta])
    expect(await addresses(executor.withIdentity({ tenant: "other", subject: "alice" }))).toEqual([])
    expect((await alice.tools.list())[0]).toEqual({
      address: "tools.api.org.main.issues.list",
      name: "issues.list",
      integration: "api",
      owner: "org",
      connection: "main",
      description: "Lists the issues of a repository",
      annotations: { readOnlyHint: true },
    })
    expect((await alice.tools.list())[2]).toMatchObject({ description: null, annotations: {} })
  })

  it.each<[string, object, ReadonlyArray<string>]>([
    ["an integration", { integration: "beta" }, defs.map(({ name }) => `tools.beta.org.main.${name}`)],
    ["an owner", { owner: "user" }, defs.map(({ name }) => `tools.api.user.myOwn.${name}`)],
    ["a connection's original spelling", { connection: "my own", query: "users" }, ["tools.api.user.myOwn.users.get"]],
    ["a connection's address", { connection: "tools.api.org.main", query: "users" }, ["tools.api.org.main.users.get"]],
    [
      "a connection's name over integrations",
      { connection: "main", query: "users" },
      ["tools.api.org.main.users.get", "tools.beta.org.main.users.get"],
    ],
    [
      "words of name and description, in any case",
      { query: "LIST repository", integration: "beta" },
      ["tools.beta.org.main.issues.list"],
    ],
    ["words in any order", { query: "  issue   an ", integration: "beta" }, ["tools.beta.org.main.issues.create"]],
    ["an empty query", { query: " ", integration: "beta" }, defs.map(({ name }) => `tools.beta.org.main.${name}`)],
    ["words that no tool has", { query: "list nonsense" }, []],
    [
      "all at once",
      { integration: "api", owner: "org", connection: "main", query: "get" },
      ["tools.api.org.main.users.get"],
    ],
    ["an integration that is not there", { integration: "nope" }, []],
    ["a connection that is not there", { connection: "nope" }, []],
    ["an address and another integration", { connection: "tools.api.org.main", integration: "beta" }, []],
  ])("narrows by %s", async (_, input, expected) => {
    const { alice, addresses } = await setTools()
    expect(await addresses(alice, input)).toEqual(expected)
  })

  it.each([1, 2, 3, 4, 8, 9, 100])("comes in pages of %i without losing or repeating one", async (limit) => {
    const { alice, addresses } = await setTools()
    for (const filter of [{}, { query: "issues" }, { owner: "org" }, { connection: "main" }]) {
      const pages: Array<string> = []
      for (let after: string | undefined; ; after = pages.at(-1)) {
        const page = await addresses(alice, { ...filter, limit, after })
        expect(page.length).toBeLessThanOrEqual(limit)
        if (page.length === 0) break
        pages.push(...page)
      }
      expect(pages).toEqual(await addresses(alice, filter))
    }
  })

  it("keeps to its filter on every page, and refuses a position that is no address", async () => {
    const { alice, addresses } = await setTools()
    const after = "tools.api.org.main.issues.list"
    expect(await addresses(alice, { after, integration: "beta" })).toEqual(
      await addresses(alice, { integration: "beta" }),
    )
    expect(await rejectionOf(alice.tools.list({ after: "nonsense" }))).toMatchObject({
      _tag: "InvalidConnectionInputError",
      field: "after",
    })
    expect(await addresses(alice, { after: "tools.zzz.org.main.x" })).toEqual([])
    expect(await addresses(alice, { limit: 0 })).toEqual([])
  })

  it("goes on past connections whose tools cannot be found out", async () => {
    const store = memoryStore()
    const acme = acmePlugin({}, { resolveTools: () => defs })
    const other = definePlugin({
      id: "other",
      extension: ({ integrations }) => ({ add: (slug: string) => integrations.register({ slug }) }),
      resolveTools: () => [{ name: "x" }],
      invokeTool: () => 1,
    })
    const both = await createExecutor({ plugins: [acme, other], store })
    await both.acme.add({ slug: "api" })
    await both.other.add("foreign")
    await both.connections.create({ ...main, template: "none" })
    await both.connections.create({ ...main, integration: "foreign", template: "none" })
    expect(await both.tools.list()).toHaveLength(4)
    const one = await createExecutor({ plugins: [acme], store })
    expect(await one.tools.list()).toHaveLength(3)
    expect(await rejectionOf(one.execute("tools.foreign.org.main.x"))).toMatchObject({
      _tag: "PluginNotRegisteredError",
      httpStatus: 409,
    })
  })

  it("says so when the store is down", async () => {
    let isBroken = false
    const store = unreliableStore((operation) => (isBroken ? storeDown(operation) : Effect.void))
    const { executor } = await setStage({ config: { store } })
    await executor.connections.create({ ...main, template: "none" })
    isBroken = true
    for (const call of [
      executor.tools.list(),
      executor.tools.schema(toolOfMain()),
      executor.execute(toolOfMain()),
      executor.connections.list(),
      executor.connections.get(main),
      executor.integrations.list(),
      executor.connections.fetch(main)("/"),
    ]) {
      expect(await rejectionOf(call)).toMatchObject({ _tag: "StoreUnavailableError", httpStatus: 503 })
    }
  })
})

describe("schema", () => {
  it("shows what a tool takes and gives", async () => {
    const inputSchema = { type: "object", properties: { id: { type: "integer" } } }
    const plugin = acmePlugin(
      {},
      {
        resolveTools: () => [
          {
            name: "full",
            description: "d",
            inputSchema,
            outputSchema: { type: "string" },
            annotations: { title: "T" },
          },
          { name: "bare", data: { hidden: true } },
        ],
      },
    )
    const { executor } = await setStage({ plugin })
    await executor.connections.create({ ...main, template: "none" })
    expect(await executor.tools.schema(toolOfMain("full"))).toEqual({
      inputSchema,
      outputSchema: { type: "string" },
      description: "d",
      annotations: { title: "T" },
    })
    expect(await executor.tools.schema(toolOfMain("bare"))).toEqual({
      inputSchema: { type: "object", additionalProperties: true },
      outputSchema: null,
    })
  })

  it("is null for what the caller does not see", async () => {
    const { alice, executor } = await setTools()
    expect(await alice.tools.schema("tools.api.user.myOwn.users.get")).not.toBeNull()
    expect(await alice.tools.schema("tools.api.user.my own.users.get")).not.toBeNull()
    for (const [caller, address] of [
      [alice, "tools.api.user.myOwn.nope"],
      [alice, "tools.api.org.nope.users.get"],
      [alice, "tools.nope.org.main.users.get"],
      [executor, "tools.api.user.myOwn.users.get"],
      [executor.withIdentity({ subject: "bob" }), "tools.api.user.myOwn.users.get"],
      [executor.withIdentity({ tenant: "other" }), "tools.api.org.main.users.get"],
    ] as const) {
      expect(await caller.tools.schema(address)).toBeNull()
    }
  })
})

describe("catalogs", () => {
  const setCatalog = async (catalog: "integration" | "connection", version?: string, store = memoryStore()) => {
    const asked: Array<string | null> = []
    const plugin = acmePlugin(
      {},
      {
        catalog,
        version,
        resolveTools: ({ connection }) => {
          asked.push(connection?.address ?? null)
          return [{ name: `of-${connection?.name ?? "all"}` }]
        },
      },
    )
    return { ...(await setStage({ plugin, config: { store, providers: [memoryProvider()] } })), asked, store }
  }

  it("asks for an integration's tools once, however many connections and callers there are", async () => {
    const { executor, asked } = await setCatalog("integration")
    for (const name of ["a", "b", "c"]) {
      await executor.connections.create({ ...main, name, template: "none" })
      await executor
        .withIdentity({ subject: name })
        .connections.create({ ...main, owner: "user", name, template: "none" })
    }
    expect(await executor.withIdentity({ subject: "a" }).tools.list()).toHaveLength(4)
    expect(asked).toEqual([null])
    const other = executor.withIdentity({ tenant: "other" })
    await other.acme.add({ slug: "api" })
    await other.connections.create({ ...main, template: "none" })
    expect(asked).toEqual([null, null])
  })

  it("asks once when many ask at the same time", async () => {
    const { executor, asked } = await setCatalog("integration")
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        executor.connections.create({ ...main, name: `c${index}`, template: "none" }),
      ),
    )
    expect(asked).toEqual([null])
  })

  it("asks for each connection's own tools at its create", async () => {
    const { executor, asked } = await setCatalog("connection")
    await executor.connections.create({ ...main, name: "a", template: "none" })
    await executor
      .withIdentity({ subject: "x" })
      .connections.create({ ...main, owner: "user", name: "a", template: "none" })
    await executor
      .withIdentity({ subject: "y" })
      .connections.create({ ...main, owner: "user", name: "a", template: "none" })
    const tools = await executor.withIdentity({ subject: "x" }).tools.list()
    expect(tools.map(({ address }) => address)).toEqual(["tools.api.org.a.of-a", "tools.api.user.a.of-a"])
    expect(asked).toEqual(["tools.api.org.a", "tools.api.user.a", "tools.api.user.a"])
  })

  it.each(["integration", "connection"] as const)(
    "asks again for the tools of an %s when the integration or the plugin changed, and not before",
    async (catalog) => {
      const { executor, asked, store, upstream } = await setCatalog(catalog)
      await executor.connections.create({ ...main, template: "none" })
      await executor.acme.add({ slug: "api", baseUrl: upstream.origin, authTemplates: templates })
      await executor.tools.list()
      expect(asked).toHaveLength(1)
      await executor.acme.add({ slug: "api", baseUrl: upstream.origin, authTemplates: templates, config: { v: 2 } })
      await executor.tools.list()
      await executor.tools.list()
      expect(asked).toHaveLength(2)
      const later = await setCatalog(catalog, "2", store)
      await later.executor.tools.list()
      expect(later.asked).toHaveLength(1)
    },
  )

  it("gives the plugin the new credential to list tools with, before anything is stored", async () => {
    const vault = countingProvider()
    const plugin = acmePlugin(
      {},
      {
        catalog: "connection",
        resolveTools: async ({ fetch, connection }) => {
          const response = await fetch("/tools")
          return [{ name: `${connection?.status}-${response.status}-${vault.items.size}` }]
        },
      },
    )
    const { executor, upstream } = await setStage({ plugin, config: { providers: [vault.provider] } })
    await executor.connections.create({ ...main, template: "bearer", value: "new-secret" })
    expect(upstream.requests.map(received)).toMatchObject([{ authorization: "Bearer new-secret" }])
    expect(await executor.tools.list()).toMatchObject([{ name: "active-200-0" }])
    await executor.connections.refresh(main)
    expect(upstream.requests.map(received)[1]).toMatchObject({ authorization: "Bearer new-secret" })
  })

  it("sends no credential for an integration's shared tools", async () => {
    const plugin = acmePlugin(
      {},
      {
        resolveTools: async ({ fetch, send }) => [
          { name: `${(await fetch("/")).status}-${(await send({ url: "/" })).status}` },
        ],
      },
    )
    const { executor, upstream } = await setStage({ plugin })
    await executor.connections.create({ ...main, template: "bearer", value: "new-secret" })
    await executor.connections.refresh(main)
    expect(upstream.requests).toHaveLength(4)
    expect(upstream.requests.every(({ headers }) => headers.authorization === undefined)).toBe(true)
  })

  it.each<[string, unknown, string, string]>([
    ["two tools of one name", [{ name: "a" }, { name: "b" }, { name: "a" }], "InvalidToolError", "used twice"],
    ["a tool without a name", [{ name: "" }], "InvalidToolError", "1 to 512"],
    ["a name that is no text", [{ name: 7 }], "InvalidToolError", "1 to 512"],
    ["a name that is too long", [{ name: "x".repeat(513) }], "InvalidToolError", "1 to 512"],
    ["a name that is not well-formed", [{ name: "\ud800" }], "InvalidToolError", "1 to 512"],
    ["no list", { name: "a" }, "ToolResolutionError", "did not return a list"],
    ["nothing", undefined, "ToolResolutionError", "did not return a list"],
  ])("refuses %s", async (_, tools, tag, message) => {
    const { executor } = await setStage({
      plugin: acmePlugin({}, { resolveTools: () => tools as ReadonlyArray<ToolDef> }),
    })
    const error = await rejectionOf(executor.connections.create({ ...main, template: "none" }))
    expect(error).toMatchObject({ _tag: tag })
    expect(error.message).toContain(message)
    expect(await executor.connections.list()).toEqual([])
  })

  it.each<[string, () => unknown]>([
    ["a list", () => [{ name: "a" }]],
    ["a Promise", () => Promise.resolve([{ name: "a" }])],
    ["an Effect", () => Effect.succeed([{ name: "a" }])],
  ])("takes %s", async (_, resolveTools) => {
    const { executor } = await setStage({
      plugin: acmePlugin({}, { resolveTools: resolveTools as () => Array<ToolDef> }),
    })
    await executor.connections.create({ ...main, template: "none" })
    expect(await executor.tools.list()).toHaveLength(1)
  })

  it("gives up on a plugin that hangs, and tells it", async () => {
    const told = Promise.withResolvers<void>()
    const plugin = acmePlugin(
      {},
      {
        resolveTools: ({ signal }) => {
          signal.addEventListener("abort", () => told.resolve())
          return new Promise<never>(() => {})
        },
      },
    )
    const { executor } = await setStage({ plugin, config: { toolTimeoutMs: 30 } })
    expect(await rejectionOf(executor.connections.create({ ...main, template: "none" }))).toMatchObject({
      _tag: "ToolResolutionError",
      reason: expect.stringContaining("longer than 30 ms") as string,
    })
    await told.promise
  })
})
