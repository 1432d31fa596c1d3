/**
 * The authoring dialect is strict: each fault is reported with the path that leads to it, and what passes is plain JSON.
 */
import * as Result from "effect/Result"
import { describe, expect, it } from "vitest"
import {
  type AuthTemplate,
  compileTemplate,
  familyOf,
  type InvalidAuthTemplateError,
  variable,
} from "../../src/auth/AuthTemplate.ts"
import { parseAuthTemplates } from "../../src/auth/parseAuthTemplates.ts"

const faultOf = (input: unknown): InvalidAuthTemplateError =>
  Result.match(parseAuthTemplates(input), {
    onSuccess: () => expect.unreachable("the templates were accepted"),
    onFailure: (error) => error,
  })

const accepted = (...templates: ReadonlyArray<unknown>): ReadonlyArray<AuthTemplate> =>
  Result.getOrThrow(parseAuthTemplates(templates))

const key = (placements: object): unknown => ({ slug: "k", type: "apiKey", ...placements })
const oauth = (fields: object): unknown => ({ slug: "o", type: "oauth2", ...fields })
const token = [variable("token")]

describe("parseAuthTemplates", () => {
  it("accepts every family, as it is written in the contract", () => {
    const templates: ReadonlyArray<AuthTemplate> = [
      { slug: "apiKey", type: "apiKey", headers: { "X-API-Key": [variable("token")] } },
      {
        slug: "keys",
        type: "apiKey",
        headers: { "DD-API-KEY": [variable("api")] },
        queryParams: { app: [variable("app")] },
        cookies: {},
      },
      { slug: "bearer", type: "bearer", headers: { "X-Version": ["2"] } },
      { slug: "basic", type: "basic" },
      {
        slug: "oauth",
        type: "oauth2",
        scopes: ["read:user", "a/b.c"],
        issuer: "https://issuer.example",
        authorizationUrl: "https://issuer.example/authorize",
        tokenUrl: "http://127.0.0.1:4000/token",
        resource: "urn:example:api",
        dpop: true,
        authorizationParams: { prompt: "consent" },
        quirks: { tokenResponse: { accessToken: "authed_user.access_token" }, scopeSeparator: "," },
      },
      { slug: "none", type: "none" },
    ]
    expect(accepted(...templates)).toEqual(templates)
    expect(templates.map(familyOf)).toEqual(["apikey", "apikey", "bearer", "basic", "oauth2", "none"])
  })

  it("keeps a copy, which later changes of the input do not reach", () => {
    const input = { slug: "k", type: "apiKey", headers: { "X-Key": [variable("token")] } }
    const [template] = accepted(input)
    input.headers["X-Key"].push(variable("other"))
    expect(template).toEqual({ slug: "k", type: "apiKey", headers: { "X-Key": [variable("token")] } })
  })

  it.each<[path: string, input: unknown]>([
    ["authTemplates", {}],
    ["authTemplates", "apiKey"],
    ["authTemplates[0]", [null]],
    ["authTemplates[0]", [["bearer"]]],
    ["authTemplates[1]", [{ slug: "b", type: "bearer" }, "basic"]],
    ["authTemplates[0].slug", [{ type: "bearer" }]],
    ["authTemplates[0].slug", [{ slug: "", type: "bearer" }]],
    ["authTemplates[0].slug", [{ slug: "a b", type: "bearer" }]],
    ["authTemplates[0].slug", [{ slug: "a".repeat(129), type: "bearer" }]],
    ["authTemplates[0].slug", [{ slug: "none", type: "bearer" }]],
    [
      "authTemplates[1].slug",
      [
        { slug: "a", type: "bearer" },
        { slug: "a", type: "basic" },
      ],
    ],
    ["authTemplates[0].type", [{ slug: "a" }]],
    ["authTemplates[0].type", [{ slug: "a", type: "apikey" }]],
    ["authTemplates[0].type", [{ slug: "a", type: "constructor" }]],
    ["authTemplates[0].type", [{ slug: "a", type: "__proto__" }]],
    ["authTemplates[0].header", [key({ header: {} })]],
    ["authTemplates[0].scopes", [{ slug: "b", type: "bearer", scopes: [] }]],
    ["authTemplates[0].headers", [{ slug: "none", type: "none", headers: {} }]],
    ["authTemplates[0].__proto__", [JSON.parse('{"slug":"b","type":"bearer","__proto__":{"a":1}}')]],
    ["authTemplates[0]", [key({})]],
    ["authTemplates[0]", [key({ headers: { "X-Key": ["literal"] } })]],
    ["authTemplates[0].headers", [key({ headers: token })]],
    ["authTemplates[0].headers", [key({ headers: "X-Key" })]],
    ["authTemplates[0].headers.X-Key", [key({ headers: { "X-Key": "token" } })]],
    ["authTemplates[0].headers.X-Key", [key({ headers: { "X-Key": [] } })]],
    ["authTemplates[0].headers.X-Key[1]", [key({ headers: { "X-Key": ["a", 1] } })]],
    ["authTemplates[0].headers.X-Key[0]", [key({ headers: { "X-Key": [{ variable: "" }] } })]],
    ["authTemplates[0].headers.X-Key[0]", [key({ headers: { "X-Key": [{ variable: 1 }] } })]],
    ["authTemplates[0].headers.X-Key[0]", [key({ headers: { "X-Key": [{ variable: "\ud800" }] } })]],
    ["authTemplates[0].headers.X-Key[0]", [key({ headers: { "X-Key": [{ variable: "a", value: "b" }] } })]],
    ["authTemplates[0].headers.X-Key[1]", [key({ headers: { "X-Key": [variable("a"), "\r\nX-Admin: 1"] } })]],
    ["authTemplates[0].headers.X-Key[0]", [key({ headers: { "X-Key": ["密", variable("a")] } })]],
    ["authTemplates[0].headers.X Key", [key({ headers: { "X Key": token } })]],
    ["authTemplates[0].headers.X:Key", [key({ headers: { "X:Key": token } })]],
    ["authTemplates[0].headers.", [key({ headers: { "": token } })]],
    ["authTemplates[0].headers.X\r\nKey", [key({ headers: { "X\r\nKey": token } })]],
    [
      "authTemplates[0].headers.__proto__",
      [key({ headers: JSON.parse('{"__proto__":[{"variable":"token"}]}') as object })],
    ],
    ["authTemplates[0].headers.__PROTO__", [key({ headers: { __PROTO__: token } })]],
    ["authTemplates[0].headers.x-key", [key({ headers: { "X-Key": token, "x-key": token } })]],
    ["authTemplates[0].headers.Host", [key({ headers: { Host: token } })]],
    ["authTemplates[0].headers.Transfer-Encoding", [key({ headers: { "Transfer-Encoding": token } })]],
    ["authTemplates[0].headers.Content-Length", [key({ headers: { "Content-Length": token } })]],
    ["authTemplates[0].headers.Cookie", [key({ headers: { Cookie: token } })]],
    ["authTemplates[0].headers.authorization", [{ slug: "b", type: "bearer", headers: { authorization: token } }]],
    ["authTemplates[0].headers.Authorization", [{ slug: "b", type: "basic", headers: { Authorization: token } }]],
    ["authTemplates[0].queryParams.", [key({ queryParams: { "": token } })]],
    ["authTemplates[0].queryParams.\ud800", [key({ queryParams: { "\ud800": token } })]],
    ["authTemplates[0].queryParams.q[0]", [key({ queryParams: { q: ["a\n", variable("a")] } })]],
    ["authTemplates[0].queryParams.q[0]", [key({ queryParams: { q: ["\ud800", variable("a")] } })]],
    ["authTemplates[0].cookies.a;b", [key({ cookies: { "a;b": token } })]],
    ["authTemplates[0].cookies.a=b", [key({ cookies: { "a=b": token } })]],
    ["authTemplates[0].cookies.sid[0]", [key({ cookies: { sid: ["a; admin=1", variable("a")] } })]],
    ["authTemplates[0].scopes", [oauth({ scopes: "read write" })]],
    ["authTemplates[0].scopes", [oauth({ scopes: ["read write"] })]],
    ["authTemplates[0].scopes", [oauth({ scopes: ['a"b'] })]],
    ["authTemplates[0].scopes", [oauth({ scopes: [1] })]],
    ["authTemplates[0].issuer", [oauth({ issuer: "issuer.example" })]],
    ["authTemplates[0].authorizationUrl", [oauth({ authorizationUrl: "/authorize" })]],
    ["authTemplates[0].authorizationUrl", [oauth({ authorizationUrl: "javascript:alert(1)//" })]],
    ["authTemplates[0].tokenUrl", [oauth({ tokenUrl: "file:///etc/passwd" })]],
    ["authTemplates[0].tokenUrl", [oauth({ tokenUrl: 1 })]],
    ["authTemplates[0].resource", [oauth({ resource: "api" })]],
    ["authTemplates[0].dpop", [oauth({ dpop: "yes" })]],
    ["authTemplates[0].authorizationParams", [oauth({ authorizationParams: [] })]],
    ["authTemplates[0].authorizationParams.prompt", [oauth({ authorizationParams: { prompt: 1 } })]],
    ["authTemplates[0].quirks", [oauth({ quirks: "none" })]],
    ["authTemplates[0].quirks.revive", [oauth({ quirks: { revive: () => 1 } })]],
    ["authTemplates[0].quirks.scopeSeparator", [oauth({ quirks: { scopeSeparator: ";" } })]],
    ["authTemplates[0].quirks.expiresInSeconds", [oauth({ quirks: { expiresInSeconds: 1n } })]],
    ["authTemplates[0].quirks.tokenResponse", [oauth({ quirks: { tokenResponse: { accessToken: "a..b" } } })]],
  ])("reports %j for a fault there", (path, input) => {
    const error = faultOf(input)
    expect(error.path).toBe(path)
    expect(error.message).toBe(`${path}: ${error.expected}`)
    expect(error.httpStatus).toBe(400)
  })

  it("lets an API key be an Authorization header of its own making", () => {
    const [template] = accepted(key({ headers: { Authorization: ["Token ", variable("token")] } }))
    expect(template && compileTemplate(template).placements).toEqual([
      { location: "header", name: "authorization", parts: ["Token ", variable("token")], encoding: "plain" },
    ])
  })
})

describe("a variable of an environment", () => {
  it("has a usable name that does not decide what a process runs", () => {
    const env = (name: string) => parseAuthTemplates([{ slug: "k", type: "apiKey", env: { [name]: [variable("t")] } }])
    expect(Result.isSuccess(env("API_TOKEN"))).toBe(true)
    for (const name of [
      "",
      "A-B",
      "1A",
      "A=B",
      "__proto__",
      "PATH",
      "Node_Options",
      "LD_PRELOAD",
      "DYLD_INSERT",
      "GIT_SSH",
    ]) {
      expect(Result.isFailure(env(name))).toBe(true)
    }
  })
})
