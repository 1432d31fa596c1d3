import { type AuthTemplate, createExecutor, InvalidIntegrationInputError, memoryProvider } from "@keyward/core"
import { fakeUpstream, type UpstreamHandler, type UpstreamRoutes } from "@keyward/core/testing"
import { describe, expect, it } from "vitest"
import { OpenApiDocumentError, openApiPlugin } from "../src/index.ts"

/** A host with a fake API: the document is served beside it, or passed with its origin. */
const host = async (answers: UpstreamHandler | UpstreamRoutes) => {
  const upstream = await fakeUpstream(answers)
  const executor = await createExecutor({
    plugins: [openApiPlugin()],
    providers: [memoryProvider()],
    egress: { allowHosts: [upstream.host] },
  })
  const connect = (template: string, value?: string) =>
    executor.connections.create({
      owner: "org",
      integration: "shop",
      name: "main",
      template,
      ...(value === undefined ? {} : { value }),
    })
  const close = async () => {
    await executor.close()
    await upstream.close()
  }
  return { upstream, executor, connect, [Symbol.asyncDispose]: close }
}

const shop = (origin: string, rest: object = {}): object => ({
  openapi: "3.1.0",
  info: { title: "The shop", version: "2", description: "Sells things." },
  servers: [{ url: `${origin}/api` }],
  security: [{ key: [] }],
  components: { securitySchemes: { key: { type: "apiKey", in: "header", name: "X-API-Key" } } },
  paths: {
    "/items/{id}": {
      get: {
        operationId: "items/get",
        summary: "Get an item",
        parameters: [
          { name: "id", in: "path", required: true, schema: { type: "string" } },
          { name: "fields", in: "query", explode: false, schema: { type: "array", items: { type: "string" } } },
        ],
        responses: {
          200: {
            description: "",
            content: { "application/json": { schema: { type: "object", properties: { id: { type: "string" } } } } },
          },
        },
      },
      delete: {
        operationId: "items/delete",
        parameters: [{ name: "id", in: "path", required: true, schema: { type: "string" } }],
        responses: { 204: { description: "" } },
      },
    },
    "/items": {
      post: {
        operationId: "items/create",
        requestBody: {
          required: true,
          content: {
            "application/json": {
              schema: { type: "object", properties: { name: { type: "string" } }, required: ["name"] },
            },
          },
        },
        responses: {},
      },
    },
    "/health": { get: { operationId: "health", security: [], responses: {} } },
  },
  ...rest,
})

describe("addSpec", () => {
  it("turns a document into tools that reach the API with the credential on them", async () => {
    await using world = await host((request) => ({
      json: { path: request.url, key: request.headers["x-api-key"] ?? null },
    }))
    const { executor, upstream } = world
    const integration = await executor.openapi.addSpec({ slug: "shop", spec: shop(upstream.origin) })
    expect(integration).toMatchObject({
      slug: "shop",
      name: "The shop",
      description: "Sells things.",
      plugin: "openapi",
      baseUrl: `${upstream.origin}/api`,
      origins: [upstream.origin],
    })
    await world.connect("key", "s3cret")

    const tools = await executor.tools.list({ integration: "shop" })
    expect(
      tools.map(({ name, annotations }) => [
        name,
        annotations.readOnlyHint,
        annotations.destructiveHint,
        annotations.idempotentHint,
      ]),
    ).toEqual([
      ["items.get", true, false, true],
      ["items.delete", false, true, true],
      ["items.create", false, false, false],
      ["health", true, false, true],
    ])
    expect(await executor.tools.schema("tools.shop.org.main.items.get")).toMatchObject({
      inputSchema: { properties: { id: { type: "string" }, fields: { type: "array" } }, required: ["id"] },
      outputSchema: { properties: { id: { type: "string" } } },
      inputTypeScript: "{\n  id: string\n  fields?: string[]\n}",
      outputTypeScript: "{\n  id?: string\n}",
    })

    const result = await executor.execute("tools.shop.org.main.items.get", { id: "a/b", fields: ["x", "y"] })
    expect(result).toMatchObject({ ok: true, http: { status: 200 }, data: { path: "/api/items/a%2Fb?fields=x,y" } })
    expect(upstream.requests[0]!.headers["x-api-key"]).toBe("s3cret")
    await executor.execute("tools.shop.org.main.items.create", { body: { name: "n" } })
    expect(upstream.requests[1]!.json()).toEqual({ name: "n" })
    expect(upstream.requests[1]!.headers["content-type"]).toBe("application/json")
  })

  it("sends an operation that needs no credential without it", async () => {
    await using world = await host(() => ({ json: "up" }))
    await world.executor.openapi.addSpec({ slug: "shop", spec: shop(world.upstream.origin) })
    await world.connect("key", "s3cret")
    expect(await world.executor.execute("tools.shop.org.main.health")).toMatchObject({ ok: true, data: "up" })
    expect(world.upstream.requests[0]!.headers["x-api-key"]).toBeUndefined()
  })

  it("reads text, and a URL whose relative server is where the document came from", async () => {
    const document = JSON.stringify(shop("", { servers: [{ url: "/api" }] }))
    await using world = await host({ "/spec.json": { body: document }, "GET /api/health": { json: "up" } })
    const { executor, upstream } = world
    await executor.openapi.addSpec({ slug: "shop", spec: `${upstream.origin}/spec.json` })
    await world.connect("key", "k")
    expect(await executor.execute("tools.shop.org.main.health")).toMatchObject({ ok: true })
    const again = await executor.openapi.addSpec({ slug: "shop", spec: document, baseUrl: `${upstream.origin}/api/` })
    expect(again.baseUrl).toBe(`${upstream.origin}/api`)
  })

  it("updates in place when a slug is added again, and connections see the new tools", async () => {
    await using world = await host((request) => ({ json: request.path }))
    const { executor, upstream } = world
    const first = await executor.openapi.addSpec({ slug: "shop", spec: shop(upstream.origin) })
    await world.connect("key", "k")
    const same = await executor.openapi.addSpec({ slug: "shop", spec: shop(upstream.origin) })
    expect(same.revision).toBe(first.revision)
    const paths = { "/v2/health": { get: { operationId: "health", responses: {} } } }
    const changed = await executor.openapi.addSpec({ slug: "shop", spec: shop(upstream.origin, { paths }) })
    expect(changed.revision).toBe(first.revision + 1)
    expect((await executor.tools.list({ integration: "shop" })).map(({ name }) => name)).toEqual(["health"])
    expect(await executor.execute("tools.shop.org.main.health")).toMatchObject({ ok: true, data: "/api/v2/health" })
    expect(upstream.requests.at(-1)!.headers["x-api-key"]).toBe("k")
  })

  it("takes templates, base URL, origins and names from the host instead", async () => {
    await using world = await host((request) => ({ json: request.headers.authorization ?? null }))
    const { executor, upstream } = world
    const authTemplates: AuthTemplate[] = [{ slug: "bearer", type: "bearer" }]
    const integration = await executor.openapi.addSpec({
      slug: "shop",
      name: "Mine",
      description: "Ours.",
      spec: shop("https://elsewhere.example"),
      baseUrl: upstream.origin,
      origins: [upstream.origin, "https://also.example"],
      authTemplates,
    })
    expect(integration).toMatchObject({
      name: "Mine",
      description: "Ours.",
      origins: [upstream.origin, "https://also.example"],
      authTemplates,
    })
    await world.connect("bearer", "t")
    await executor.execute("tools.shop.org.main.items.get", { id: "1" })
    expect(upstream.requests[0]).toMatchObject({ url: "/items/1", headers: { authorization: "Bearer t" } })
  })

  it.each([
    [{ servers: [] }, {}, /does not say where the API is.*Pass baseUrl/],
    [{ servers: [{ url: "/relative" }] }, {}, /Pass baseUrl/],
    [
      { servers: [{ url: "https://{shop}.example.com", variables: { shop: { default: "x" } } }] },
      {},
      /"https:\/\/\{shop\}\.example\.com".*may be anything.*baseUrl, or origins/,
    ],
    [{}, { origins: ["https://other.example"] }, /none of the document's servers is at https:\/\/other\.example/],
    [{}, { baseUrl: "nonsense" }, /absolute http\(s\) URL/],
    [{}, { baseUrl: "https://user:pass@api.example.com" }, /user information/],
  ])("says what to pass when it is not known where the API is: %j %j", async (rest, input, message) => {
    await using world = await host({})
    const adding = world.executor.openapi.addSpec({
      slug: "shop",
      spec: shop("https://api.example.com", rest),
      ...input,
    })
    const error = await adding.catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(InvalidIntegrationInputError)
    expect((error as Error).message).toMatch(message)
    expect(await world.executor.integrations.list()).toEqual([])
  })

  it("refuses a document without a usable operation, and says why", async () => {
    await using world = await host({})
    const adding = world.executor.openapi.addSpec({
      slug: "shop",
      spec: { openapi: "3.0.0", paths: { "/a": { get: 7 } } },
    })
    const error = await adding.catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(OpenApiDocumentError)
    expect((error as OpenApiDocumentError).location).toBe("spec#/paths")
    expect((error as Error).message).toMatch(/no usable operation; .*info/)
  })

  it("does not reach internal addresses for documents", async () => {
    await using executor = await createExecutor({ plugins: [openApiPlugin()] })
    await using upstream = await fakeUpstream({ "/spec.json": { json: shop("https://api.example.com") } })
    await expect(executor.openapi.addSpec({ slug: "shop", spec: `${upstream.origin}/spec.json` })).rejects.toThrow(
      /it could not be fetched: "127\.0\.0\.1" is an internal address\. .*egress\.allowHosts\.$/,
    )
    expect(upstream.requests).toEqual([])
  })
})

describe("a call", () => {
  it("with arguments that do not fit is refused before anything is sent", async () => {
    await using world = await host(() => ({ json: 1 }))
    await world.executor.openapi.addSpec({ slug: "shop", spec: shop(world.upstream.origin) })
    await world.connect("key", "k")
    const call = (args: object) => world.executor.execute("tools.shop.org.main.items.get", args)
    for (const args of [{}, { id: 7 }, { id: "1", unknown: 1 }, { id: ".." }, { id: "" }, { id: "a\0" }]) {
      expect(await call(args)).toMatchObject({
        ok: false,
        error: {
          code: "invalid_arguments",
          retryable: false,
          details: { issues: [{ path: expect.stringMatching(/^\//) }] },
        },
      })
    }
    expect(world.upstream.requests).toEqual([])
  })

  it("that the service refuses becomes a readable result", async () => {
    await using world = await host({
      "GET /api/items/1": { status: 429, headers: { "retry-after": "3" }, json: { message: "Slow down" } },
      "GET /api/items/2": { status: 401, json: { message: "Bad key s3cret" } },
      "DELETE /api/items/1": { status: 204 },
    })
    const { executor } = world
    await executor.openapi.addSpec({ slug: "shop", spec: shop(world.upstream.origin) })
    await world.connect("key", "s3cret")
    expect(await executor.execute("tools.shop.org.main.items.get", { id: "1" })).toEqual({
      ok: false,
      error: {
        code: "rate_limited",
        message: "The service answered 429 (rate limited): Slow down",
        status: 429,
        retryable: true,
        details: { retryAfterMs: 3_000, body: { message: "Slow down" } },
      },
    })
    const rejected = await executor.execute("tools.shop.org.main.items.get", { id: "2" })
    expect(rejected).toMatchObject({ ok: false, error: { code: "connection_rejected", status: 401 } })
    expect(JSON.stringify(rejected)).not.toContain("s3cret")
    const approved = { onElicitation: "accept-all" } as const
    expect(await executor.execute("tools.shop.org.main.items.delete", { id: "1" }, approved)).toMatchObject({
      ok: true,
      data: null,
    })
    expect(await executor.execute("tools.shop.org.main.items.get", { id: "gone" })).toMatchObject({
      ok: false,
      error: { code: "not_found", status: 404 },
    })
  })

  it("carries bytes both ways", async () => {
    const bytes = Buffer.from([0, 1, 254, 255])
    await using world = await host((request) => ({ headers: { "content-type": "image/png" }, body: request.body }))
    const paths = {
      "/echo": { post: { operationId: "echo", requestBody: { content: { "image/png": {} } }, responses: {} } },
    }
    await world.executor.openapi.addSpec({ slug: "shop", spec: shop(world.upstream.origin, { paths }) })
    await world.connect("key", "k")
    const result = await world.executor.execute("tools.shop.org.main.echo", {
      body: { base64: bytes.toString("base64") },
    })
    expect(result).toMatchObject({
      ok: true,
      data: { mediaType: "image/png", base64: bytes.toString("base64"), bytes: 4 },
    })
  })
})

describe("previewSpec", () => {
  it("shows what would come, and what is wrong, without storing anything", async () => {
    await using world = await host({})
    const spec = shop("https://api.example.com", {
      info: { title: "T" },
      components: { securitySchemes: { key: { type: "http", scheme: "digest" } } },
      paths: { "/a": { get: { operationId: "good", security: [], responses: {} }, post: "broken" } },
    })
    const preview = await world.executor.openapi.previewSpec(spec)
    expect(preview).toMatchObject({
      title: "T",
      version: null,
      openapi: "3.1.0",
      baseUrl: "https://api.example.com/api",
      origins: ["https://api.example.com"],
      authTemplates: [{ slug: "none", type: "none" }],
      tools: [{ name: "good", method: "GET", path: "/a", isAnonymous: true, description: "GET /a" }],
    })
    const warnings = preview.warnings.join("\n")
    expect(warnings).toMatch(/\/info: .*version/)
    expect(warnings).toMatch(/POST \/a/)
    expect(warnings).toMatch(/digest/)
    expect(await world.executor.integrations.list()).toEqual([])
  })

  it("says that only the host knows the base URL, where that is so", async () => {
    await using world = await host({})
    expect(
      await world.executor.openapi.previewSpec(shop("", { servers: [{ url: "https://{x}.example.com" }] })),
    ).toMatchObject({ baseUrl: null, origins: [] })
  })
})
