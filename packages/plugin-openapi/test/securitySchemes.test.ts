import { type AuthTemplate, createExecutor } from "@keyward/core"
import { describe, expect, it } from "vitest"
import { openApiPlugin } from "../src/index.ts"
import { documentWith } from "./support/catalogueOf.ts"

/** The templates of a document, checked by core when the integration is registered. */
const templatesOf = async (securitySchemes: object, security?: unknown, operationSecurity?: unknown) => {
  await using executor = await createExecutor({ plugins: [openApiPlugin()] })
  const operation = {
    operationId: "call",
    responses: {},
    ...(operationSecurity === undefined ? {} : { security: operationSecurity }),
  }
  const spec = documentWith(
    { "/a": { get: operation } },
    { components: { securitySchemes }, ...(security === undefined ? {} : { security }) },
  )
  const { authTemplates } = await executor.openapi.addSpec({ slug: "api", spec })
  const { warnings } = await executor.openapi.previewSpec(spec)
  return { authTemplates, warnings: warnings.filter((warning) => warning.includes("security scheme")) }
}

const token = { variable: "token" }

describe("one scheme", () => {
  it.each<[object, AuthTemplate]>([
    [
      { type: "http", scheme: "basic" },
      { slug: "main", type: "basic" },
    ],
    [
      { type: "http", scheme: "Bearer" },
      { slug: "main", type: "bearer" },
    ],
    [
      { type: "apiKey", in: "header", name: "X-API-Key" },
      { slug: "main", type: "apiKey", headers: { "X-API-Key": [token] } },
    ],
    [
      { type: "apiKey", in: "query", name: "key" },
      { slug: "main", type: "apiKey", queryParams: { key: [token] } },
    ],
    [
      { type: "apiKey", in: "cookie", name: "sid" },
      { slug: "main", type: "apiKey", cookies: { sid: [token] } },
    ],
    [
      { type: "http", scheme: "Token" },
      { slug: "main", type: "apiKey", headers: { Authorization: ["Token ", token] } },
    ],
    [
      { type: "openIdConnect", openIdConnectUrl: "https://id.example/tenant/.well-known/openid-configuration" },
      { slug: "main", type: "oauth2", scopes: ["read"], issuer: "https://id.example/tenant" },
    ],
    [
      {
        type: "oauth2",
        flows: {
          authorizationCode: {
            authorizationUrl: "https://id.example/a",
            tokenUrl: "/token",
            scopes: { read: "", write: "" },
          },
        },
      },
      {
        slug: "main",
        type: "oauth2",
        scopes: ["read"],
        authorizationUrl: "https://id.example/a",
        tokenUrl: "https://api.example.com/token",
      },
    ],
  ])("%j becomes %j", async (scheme, template) => {
    const { authTemplates, warnings } = await templatesOf({ main: scheme }, [{ main: ["read"] }])
    expect(authTemplates).toEqual([template])
    expect(warnings).toEqual([])
  })

  it.each([
    { type: "http", scheme: "digest" },
    { type: "http", scheme: "negotiate" },
    { type: "mutualTLS" },
    { type: "apiKey", in: "header", name: "bad name" },
    { type: "apiKey", in: "header", name: "Content-Length" },
    { type: "apiKey", in: "body", name: "x" },
    { type: "magic" },
    { type: "apiKey", in: "header", name: "Authorization", "x-amazon-apigateway-authtype": "awsSigv4" },
  ])("%j cannot be expressed and says so", async (scheme) => {
    const { authTemplates, warnings } = await templatesOf({ main: scheme }, [{ main: [] }])
    expect(authTemplates).toEqual([{ slug: "none", type: "none" }])
    expect(warnings).toHaveLength(1)
  })

  it("that nobody declared is a warning", async () => {
    expect((await templatesOf({}, [{ ghost: [] }])).warnings).toEqual([expect.stringContaining('"ghost"')])
  })

  it("counts without any requirement when the document has none", async () => {
    const { authTemplates } = await templatesOf({ key: { type: "apiKey", in: "query", name: "k" } })
    expect(authTemplates).toEqual([{ slug: "key", type: "apiKey", queryParams: { k: [token] } }])
  })

  it("called none gets another slug", async () => {
    const { authTemplates } = await templatesOf({ none: { type: "http", scheme: "bearer" } }, [{ none: [] }])
    expect(authTemplates).toEqual([{ slug: "none2", type: "bearer" }])
  })
})

describe("OAuth", () => {
  const flow = {
    authorizationUrl: "https://id.example/a",
    tokenUrl: "https://id.example/t",
    scopes: { a: "", b: "", "bad scope": "" },
  }

  it("asks for what operations require, and for all declared scopes where none says", async () => {
    const schemes = { o: { type: "oauth2", flows: { authorizationCode: flow } } }
    expect((await templatesOf(schemes, [{ o: [] }], [{ o: ["b"] }])).authTemplates).toMatchObject([{ scopes: ["b"] }])
    expect((await templatesOf(schemes, [{ o: [] }])).authTemplates).toMatchObject([{ scopes: ["a", "b"] }])
  })

  it("asks for the first of alternatives that differ in their scopes only", async () => {
    const schemes = { o: { type: "oauth2", flows: { authorizationCode: flow } } }
    const { authTemplates } = await templatesOf(schemes, undefined, [{ o: ["a"] }, { o: ["b"] }])
    expect(authTemplates).toMatchObject([{ scopes: ["a"] }])
  })

  it("has a second template where client credentials go to another token endpoint", async () => {
    const flows = { authorizationCode: flow, clientCredentials: { tokenUrl: "https://id.example/machine", scopes: {} } }
    const { authTemplates } = await templatesOf({ o: { type: "oauth2", flows } }, [{ o: [] }])
    expect(authTemplates.map((one) => [one.slug, one.type === "oauth2" ? one.tokenUrl : undefined])).toEqual([
      ["o", "https://id.example/t"],
      ["o2", "https://id.example/machine"],
    ])
  })
})

describe("several schemes", () => {
  const schemes = {
    api: { type: "apiKey", in: "header", name: "DD-API-KEY" },
    app: { type: "apiKey", in: "query", name: "app" },
    user: { type: "http", scheme: "basic" },
    bearer: { type: "http", scheme: "bearer" },
  }

  it("required together merge into one template with a variable each", async () => {
    expect((await templatesOf(schemes, [{ api: [], app: [] }])).authTemplates).toEqual([
      {
        slug: "api_app",
        type: "apiKey",
        headers: { "DD-API-KEY": [{ variable: "api" }] },
        queryParams: { app: [{ variable: "app" }] },
      },
    ])
    expect((await templatesOf(schemes, [{ user: [], api: [] }])).authTemplates).toEqual([
      { slug: "user_api", type: "basic", headers: { "DD-API-KEY": [{ variable: "api" }] } },
    ])
  })

  it("required together that both set Authorization cannot merge, and say so", async () => {
    const { authTemplates, warnings } = await templatesOf(schemes, [{ user: [], bearer: [] }])
    expect(authTemplates).toEqual([{ slug: "none", type: "none" }])
    expect(warnings).toEqual([expect.stringMatching(/"user" and "bearer".*both set Authorization/)])
  })

  it("that are flows of one authorization server mean one token", async () => {
    const flows = (name: string, flow: object) => ({
      type: "oauth2",
      flows: { [name]: { scopes: { a: "" }, authorizationUrl: "https://id.example/a", ...flow } },
    })
    const google = {
      implicit: flows("implicit", {}),
      code: flows("authorizationCode", { tokenUrl: "https://id.example/t" }),
    }
    expect((await templatesOf(google, [{ implicit: ["a"], code: ["a", "b"] }])).authTemplates).toEqual([
      {
        slug: "implicit_code",
        type: "oauth2",
        scopes: ["a", "b"],
        authorizationUrl: "https://id.example/a",
        tokenUrl: "https://id.example/t",
      },
    ])
  })

  it("offered as alternatives are a template each, the root's first; an empty alternative is none", async () => {
    const { authTemplates } = await templatesOf(
      schemes,
      [{ bearer: [] }, {}],
      [{ user: [] }, { app: [], api: [] }, { api: [], app: [] }],
    )
    expect(authTemplates.map(({ slug }) => slug)).toEqual(["bearer", "user", "app_api", "none"])
  })
})
