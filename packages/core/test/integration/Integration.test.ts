/** Registering what a tenant can connect to: what is refused, what an update keeps, who may remove it. */
import {
  createExecutor,
  definePlugin,
  type IntegrationInput,
  InvalidAuthTemplateError,
  memoryProvider,
  memoryStore,
  variable,
} from "@keyward/core"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { compiledIntegration, makeIntegrationRecord } from "../../src/integration/Integration.ts"
import { acmePlugin, main, rejectionOf, setStage, templates, toolOfMain } from "../executor/acme.ts"

const acme = { id: "acme" }
const made = (input: IntegrationInput) => Effect.runPromise(makeIntegrationRecord("acme", acme, input))
const refused = (input: object) =>
  Effect.runPromise(Effect.flip(makeIntegrationRecord("acme", acme, input as IntegrationInput)))

describe("a registration", () => {
  it("fills in name, base URL and origins from what there is", async () => {
    expect(await made({ slug: "api" })).toMatchObject({
      slug: "api",
      name: "api",
      description: null,
      plugin: "acme",
      baseUrl: null,
      origins: [],
      authTemplates: [],
      config: null,
      tenant: "acme",
      revision: 1,
    })
    expect(await made({ slug: "api", baseUrl: "https://API.example:443/v1" })).toMatchObject({
      baseUrl: "https://api.example/v1",
      origins: ["https://api.example"],
    })
    expect(
      await made({ slug: "api", origins: ["https://one.example", "https://two.example/", "https://one.example:443"] }),
    ).toMatchObject({
      baseUrl: "https://one.example",
      origins: ["https://one.example", "https://two.example"],
    })
    expect(await made({ slug: "api", baseUrl: undefined, origins: [] })).toMatchObject({ baseUrl: null, origins: [] })
  })

  it.each<[string, object, string, string]>([
    ["a slug with a dot", { slug: "a.b" }, "slug", "without dots"],
    ["an empty slug", { slug: "" }, "slug", "1 to 128"],
    ["a slug with a slash", { slug: "a/b" }, "slug", "without dots"],
    ["a slug that is too long", { slug: "a".repeat(129) }, "slug", "1 to 128"],
    ["no slug", {}, "slug", "1 to 128"],
    ["a base URL that is none", { slug: "a", baseUrl: "/v1" }, "baseUrl", "absolute http(s)"],
    ["a base URL of another scheme", { slug: "a", baseUrl: "file:///etc" }, "baseUrl", "absolute http(s)"],
    ["a base URL with a password", { slug: "a", baseUrl: "https://u:p@x.example" }, "baseUrl", "user information"],
    [
      "a base URL outside its origins",
      { slug: "a", baseUrl: "https://x.example", origins: ["https://y.example"] },
      "baseUrl",
      "not among the origins",
    ],
    [
      "an origin with a path",
      { slug: "a", origins: ["https://x.example/v1"] },
      "origins[0]",
      "write https://x.example",
    ],
    ["an origin with a query", { slug: "a", origins: ["https://x.example?a"] }, "origins[0]", "path or a query"],
    [
      "an origin that is a wildcard",
      { slug: "a", origins: ["https://ok.example", "*"] },
      "origins[1]",
      "not an http(s) origin",
    ],
    [
      "a config with a cycle",
      {
        slug: "a",
        config: (() => {
          const config: Record<string, unknown> = {}
          config["self"] = config
          return config
        })(),
      },
      "config",
      "plain JSON",
    ],
    ["a config with a bigint", { slug: "a", config: { n: 1n } }, "config", "plain JSON"],
  ])("refuses %s, and names the field", async (_, input, field, message) => {
    const error = await refused(input)
    expect(error).toMatchObject({ _tag: "InvalidIntegrationInputError", field, httpStatus: 400 })
    expect(error.message).toContain(message)
    expect(error.message).not.toContain("u:p")
  })

  it("refuses templates with the path to the fault", async () => {
    const error = await refused({
      slug: "a",
      authTemplates: [{ slug: "k", type: "apiKey", headers: { "X-Key": [7] } }],
    })
    expect(error).toBeInstanceOf(InvalidAuthTemplateError)
    expect(error).toMatchObject({ path: "authTemplates[0].headers.X-Key[0]" })
  })

  it("tells by the fingerprint whether anything changed, the plugin's version included", async () => {
    const base: IntegrationInput = { slug: "a", baseUrl: "https://x.example", config: { a: 1 } }
    const fingerprint = async (input: IntegrationInput, plugin: { id: string; version?: string } = acme) =>
      (await Effect.runPromise(makeIntegrationRecord("acme", plugin, input))).fingerprint
    const first = await fingerprint(base)
    expect(await fingerprint({ ...base, baseUrl: "https://X.example/", name: "a" })).toBe(first)
    const changes = await Promise.all([
      fingerprint({ ...base, name: "b" }),
      fingerprint({ ...base, description: "b" }),
      fingerprint({ ...base, config: { a: 2 } }),
      fingerprint({ ...base, baseUrl: "https://x.example/v1" }),
      fingerprint({ ...base, origins: ["https://x.example", "https://y.example"] }),
      fingerprint({ ...base, authTemplates: [{ slug: "b", type: "bearer" }] }),
      fingerprint(base, { id: "acme", version: "2" }),
      fingerprint(base, { id: "other" }),
    ])
    expect(new Set([first, ...changes]).size).toBe(changes.length + 1)
  })

  it("offers the template none without declaring it, and no member of a prototype", async () => {
    const { template } = compiledIntegration(await made({ slug: "a", authTemplates: templates }))
    expect(template("none")).toMatchObject({ family: "none", variables: [] })
    expect(template("keys")).toMatchObject({ family: "apikey", variables: ["api", "app"] })
    for (const name of ["__proto__", "constructor", "toString", ""]) expect(template(name)).toBeUndefined()
  })

  it("never makes a record whose base URL is outside its origins", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.option(fc.webUrl(), { nil: undefined }),
        fc.option(
          fc.array(
            fc.webUrl().map((url) => new URL(url).origin),
            { maxLength: 3 },
          ),
          { nil: undefined },
        ),
        async (baseUrl, origins) => {
          const record = await made({ slug: "a", baseUrl, origins }).catch(() => undefined)
          if (record?.baseUrl == null) return
          expect(record.origins).toContain(new URL(record.baseUrl).origin)
          expect(new Set(record.origins).size).toBe(record.origins.length)
        },
      ),
    )
  })
})

describe("registering again", () => {
  it("updates in place: the revision counts changes, connections and their credentials stay", async () => {
    const { executor, upstream, events } = await setStage()
    await executor.connections.create({ ...main, template: "bearer", value: "kept-value" })
    const before = await executor.integrations.get("api")
    const again = { slug: "api", baseUrl: upstream.origin, authTemplates: templates }
    expect(await executor.acme.add(again)).toEqual(before)
    expect(await executor.acme.add({ ...again, description: "now described" })).toEqual({
      ...before,
      description: "now described",
      revision: 2,
    })
    expect(await executor.execute(toolOfMain())).toMatchObject({ ok: true })
    expect(upstream.requests.at(-1)?.headers.authorization).toBe("Bearer kept-value")
    expect(events.filter(({ type }) => type.startsWith("integration"))).toHaveLength(1)
  })

  it("changes where the credential goes, for connections that are there", async () => {
    const { executor, upstream } = await setStage()
    await executor.connections.create({ ...main, template: "bearer", value: "kept-value" })
    await executor.acme.add({
      slug: "api",
      baseUrl: upstream.origin,
      authTemplates: [{ slug: "bearer", type: "apiKey", headers: { "X-Api": [variable("token")] } }],
    })
    await executor.execute(toolOfMain())
    expect(upstream.requests.at(-1)?.headers).toMatchObject({ "x-api": "kept-value" })
    expect(upstream.requests.at(-1)?.headers).not.toHaveProperty("authorization")
  })

  it("is refused to another plugin, and what was there stays", async () => {
    const other = definePlugin({
      id: "other",
      extension: ({ integrations }) => ({ add: (slug: string) => integrations.register({ slug }) }),
      resolveTools: () => [],
      invokeTool: () => null,
    })
    await using executor = await createExecutor({ plugins: [acmePlugin(), other] as const })
    await executor.acme.add({ slug: "api" })
    expect(await rejectionOf(executor.other.add("api"))).toMatchObject({
      _tag: "InvalidIntegrationInputError",
      field: "slug",
    })
    expect(await executor.integrations.get("api")).toMatchObject({ plugin: "acme", revision: 1 })
  })

  it("at the same time, in one executor and in two, loses no revision", async () => {
    const store = memoryStore()
    const make = () => createExecutor({ plugins: [acmePlugin()] as const, store })
    const [one, two] = await Promise.all([make(), make()])
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) =>
        (index % 2 === 0 ? one : two).acme.add({ slug: "api", description: `${index}` }),
      ),
    )
    const successes = outcomes.filter(({ status }) => status === "fulfilled")
    expect(await one.integrations.get("api")).toMatchObject({ revision: successes.length })
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ _tag: "InvalidIntegrationInputError" })
    }
  })
})

describe("integrations", () => {
  it("are listed by slug, in pages, without the plugin's own data, per tenant", async () => {
    await using executor = await createExecutor({ plugins: [acmePlugin()] as const })
    for (const slug of ["b", "a", "B", "é", "c"]) await executor.acme.add({ slug, config: { private: slug } })
    const slugs = async (input = {}) => (await executor.integrations.list(input)).map(({ slug }) => slug)
    expect(await slugs()).toEqual(["B", "a", "b", "c", "é"])
    expect(await slugs({ limit: 2 })).toEqual(["B", "a"])
    expect(await slugs({ limit: 2, after: "a" })).toEqual(["b", "c"])
    expect(await slugs({ after: "é" })).toEqual([])
    const other = executor.withIdentity({ tenant: "other" })
    expect([await other.integrations.list(), await other.integrations.get("a")]).toEqual([[], null])
    expect(Object.keys((await executor.integrations.get("a")) ?? {}).toSorted()).toEqual([
      "authTemplates",
      "baseUrl",
      "description",
      "identityMode",
      "name",
      "origins",
      "plugin",
      "revision",
      "slug",
    ])
    expect(JSON.stringify(await executor.integrations.list())).not.toContain("private")
  })

  it("stay while anybody of the tenant has a connection of them", async () => {
    await using executor = await createExecutor({ plugins: [acmePlugin()] as const, providers: [memoryProvider()] })
    await executor.acme.add({ slug: "api" })
    const alice = executor.withIdentity({ subject: "alice" })
    const ref = { owner: "user", integration: "api", name: "main" } as const
    await alice.connections.create({ ...ref, template: "none" })
    expect(await rejectionOf(executor.integrations.remove("api"))).toMatchObject({
      _tag: "IntegrationInUseError",
      integration: "api",
      httpStatus: 409,
    })
    await alice.connections.remove(ref)
    await executor.integrations.remove("api")
    expect(await executor.integrations.list()).toEqual([])
    expect(await rejectionOf(executor.integrations.remove("api"))).toMatchObject({ _tag: "IntegrationNotFoundError" })
    expect(await executor.acme.add({ slug: "api" })).toMatchObject({ revision: 1 })
  })

  it("that vanished under a connection do not keep it from being removed", async () => {
    const store = memoryStore()
    const { executor } = await setStage({ config: { store } })
    await executor.connections.create({ ...main, template: "bearer", value: "v" })
    await Effect.runPromise(store.integrations.remove("default", "api"))
    expect(await rejectionOf(executor.execute(toolOfMain()))).toMatchObject({ _tag: "IntegrationNotFoundError" })
    expect(await executor.connections.list()).toEqual([await executor.connections.get(main)])
    expect(await executor.tools.list()).toEqual([])
    await executor.connections.remove(main)
    expect(await executor.connections.list()).toEqual([])
  })
})
