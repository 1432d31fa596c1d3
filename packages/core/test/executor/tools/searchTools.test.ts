/** What a search finds, in which order, and whose connections it shows. */
import { createExecutor, definePlugin, memoryStore, type ToolDef } from "@keyward/core"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { acmePlugin, main, rejectionOf, setStage, storeDown, templates, unreliableStore } from "../acme.ts"

const defs: ReadonlyArray<ToolDef> = [
  { name: "issues.list", description: "Lists the issues of a repository", annotations: { readOnlyHint: true } },
  { name: "issues.create", description: "Creates an issue. Notifies those who watch." },
  { name: "issues.createComment", description: "Creates a comment" },
  { name: "users.get", annotations: { title: "Profile of a person" } },
  { name: "op17", keywords: ["DELETE", "/warehouse/{id}/pallets"] },
]

const setTools = async () => {
  const stage = await setStage({ plugin: acmePlugin({}, { resolveTools: () => defs }) })
  const { executor, upstream } = stage
  await executor.acme.add({ slug: "beta", name: "Tracker", baseUrl: upstream.origin, authTemplates: templates })
  const alice = executor.withIdentity({ subject: "alice" })
  await executor.connections.create({ ...main, template: "none" })
  await executor.connections.create({ ...main, integration: "beta", template: "none" })
  await alice.connections.create({ ...main, owner: "user", name: "my own", template: "none" })
  const names = async (query: string, input = {}) =>
    (await alice.tools.search({ query, ...input })).map(({ name }) => name)
  return { ...stage, alice, names }
}

describe("search", () => {
  it("shows a tool once, with the addresses of the caller's connections", async () => {
    const { alice, executor } = await setTools()
    const [hit] = await alice.tools.search({ query: "create an issue", integration: "api" })
    expect(hit).toEqual({
      address: "tools.api.org.main.issues.create",
      name: "issues.create",
      integration: "api",
      owner: "org",
      connection: "main",
      description: "Creates an issue. Notifies those who watch.",
      annotations: {},
      score: expect.any(Number),
      addresses: ["tools.api.org.main.issues.create", "tools.api.user.myOwn.issues.create"],
      addressCount: 2,
    })
    const [forAll] = await executor.tools.search({ query: "create an issue", integration: "api" })
    expect(forAll?.addresses).toEqual(["tools.api.org.main.issues.create"])
    const nobody = executor.withIdentity({ tenant: "other", subject: "alice" })
    expect(await nobody.tools.search({ query: "create an issue" })).toEqual([])
  })

  it.each<[string, string, string]>([
    ["the words of a name", "list issues", "issues.list"],
    ["a name in one word", "createComment", "issues.createComment"],
    ["a title", "profile", "users.get"],
    ["a description", "repository", "issues.list"],
    ["keywords, such as a path", "warehouse pallets", "op17"],
    ["another word for the same", "add issue", "issues.create"],
    ["another form of a word", "commented", "issues.createComment"],
    ["the beginning of a word", "pall", "op17"],
    ["a word that is misspelled", "warehuose", "op17"],
    ["words of which one is nowhere", "create zebra comment", "issues.createComment"],
    ["an address", "tools.api.org.main.users.get", "users.get"],
  ])("finds by %s", async (_, query, expected) => {
    const { names } = await setTools()
    expect((await names(query, { integration: "api" }))[0]).toBe(expected)
  })

  it.each(["", "  ", "?", "zzzzzz qqqqqq"])("finds nothing for %j", async (query) => {
    const { names } = await setTools()
    expect(await names(query)).toEqual([])
  })

  it("prefers an integration that is named, and shows what it has when nothing else is asked", async () => {
    const { alice } = await setTools()
    const hits = await alice.tools.search({ query: "create issue tracker", limit: 2 })
    expect(hits[0]).toMatchObject({ integration: "beta", name: "issues.create" })
    const all = await alice.tools.search({ query: "the tracker" })
    expect(all.map(({ address }) => address)).toEqual(defs.map(({ name }) => `tools.beta.org.main.${name}`))
  })

  it.each([
    [{ owner: "user" }, ["tools.api.user.myOwn.issues.create"]],
    [{ connection: "my own" }, ["tools.api.user.myOwn.issues.create"]],
    [{ connection: "tools.beta.org.main" }, ["tools.beta.org.main.issues.create"]],
    [{ integration: "beta", owner: "user" }, []],
    [{ integration: "nope" }, []],
  ] as const)("keeps to %j", async (filter, expected) => {
    const { alice } = await setTools()
    const hits = await alice.tools.search({ query: "create an issue", limit: 1, ...filter })
    expect(hits.flatMap(({ addresses }) => addresses)).toEqual(expected)
  })

  it("does not drown who has many accounts", async () => {
    const { executor } = await setTools()
    for (let index = 0; index < 50; index += 1) {
      await executor.connections.create({ ...main, name: `account${index}`, template: "none" })
    }
    const hits = await executor.tools.search({ query: "issue", integration: "api" })
    expect(hits.map(({ name }) => name).sort()).toEqual(["issues.create", "issues.createComment", "issues.list"])
    for (const hit of hits) expect([hit.addressCount, hit.addresses.length]).toEqual([51, 10])
  })

  it("joins the catalogs of connections that have their own", async () => {
    const plugin = definePlugin({
      id: "own",
      extension: ({ integrations }) => ({ add: (slug: string) => integrations.register({ slug }) }),
      resolveTools: ({ connection }) => [
        { name: "post", description: "Posts a message" },
        { name: `only.${connection?.name}`, description: "Posts a message to a channel" },
      ],
      invokeTool: () => 1,
    })
    await using executor = await createExecutor({ plugins: [plugin] })
    await executor.own.add("chat")
    for (const name of ["one", "two"]) {
      await executor.connections.create({ owner: "org", integration: "chat", name, template: "none" })
    }
    const hits = await executor.tools.search({ query: "post message" })
    expect(hits.map(({ name, addressCount }) => [name, addressCount])).toEqual([
      ["post", 2],
      ["only.one", 1],
      ["only.two", 1],
    ])
  })

  it("knows the tools that a refresh brought", async () => {
    let tools: ReadonlyArray<ToolDef> = defs.slice(0, 1)
    const { executor } = await setStage({ plugin: acmePlugin({}, { resolveTools: () => tools }) })
    await executor.connections.create({ ...main, template: "none" })
    expect(await executor.tools.search({ query: "create" })).toEqual([])
    tools = defs
    await executor.connections.refresh(main)
    expect((await executor.tools.search({ query: "create issue" }))[0]?.name).toBe("issues.create")
  })

  it.each<[string, object]>([
    ["query", { query: 7 }],
    ["query", {}],
    ["limit", { query: "x", limit: 0 }],
    ["limit", { query: "x", limit: 101 }],
    ["limit", { query: "x", limit: 1.5 }],
  ])("refuses a %s that makes no sense", async (field, input) => {
    const { alice } = await setTools()
    expect(await rejectionOf(alice.tools.search(input as { query: string }))).toMatchObject({
      _tag: "InvalidConnectionInputError",
      field,
    })
  })

  it("bears any text as a query", async () => {
    const { names } = await setTools()
    for (const query of ["__proto__", "constructor", "\ud800", "a".repeat(100_000), "issue ".repeat(50_000)]) {
      expect(Array.isArray(await names(query))).toBe(true)
    }
  })

  it("says so when the store is down", async () => {
    let isBroken = false
    const store = unreliableStore((operation) => (isBroken ? storeDown(operation) : Effect.void))
    const { executor } = await setStage({ config: { store } })
    await executor.connections.create({ ...main, template: "none" })
    isBroken = true
    expect(await rejectionOf(executor.tools.search({ query: "x" }))).toMatchObject({ _tag: "StoreUnavailableError" })
  })

  it("waits once for an index that several searches want", async () => {
    const store = memoryStore()
    const { executor } = await setStage({ plugin: acmePlugin({}, { resolveTools: () => defs }), config: { store } })
    await executor.connections.create({ ...main, template: "none" })
    const answers = await Promise.all(Array.from({ length: 5 }, () => executor.tools.search({ query: "create issue" })))
    for (const answer of answers) expect(answer).toEqual(answers[0])
  })
})
