import { describe, expect, it } from "vitest"
import { InvalidArgumentError } from "../../src/request/request.ts"
import { closeServer, declaredOrigins, expandServer, serversOf } from "../../src/request/servers.ts"
import { catalogueOf, documentWith, operationWith } from "../support/catalogueOf.ts"

const regional = {
  url: "https://{region}.example.com:{port}/{base}",
  variables: {
    region: { default: "eu", enum: ["eu", "us"] },
    port: { default: "443", enum: ["443", "8443"] },
    base: { default: "v2" },
  },
}
const open = { url: "https://{shop}.example.com/api", variables: { shop: { default: "your-shop" } } }

describe("origins", () => {
  it("are those of all servers, with the values of enums written out", () => {
    expect(declaredOrigins(serversOf([regional, { url: "https://other.example" }], null)).origins).toEqual([
      "https://eu.example.com",
      "https://eu.example.com:8443",
      "https://us.example.com",
      "https://us.example.com:8443",
      "https://other.example",
    ])
  })

  it("leave out plain http where https is declared too", () => {
    const servers = serversOf(
      [{ url: "http://a.example" }, { url: "https://a.example" }, { url: "http://b.example" }],
      null,
    )
    expect(declaredOrigins(servers).origins).toEqual(["https://a.example", "http://b.example"])
  })

  it("stay bounded, whatever the enums", () => {
    const names = ["a", "b", "c", "d"]
    const values = Array.from({ length: 50 }, (_, index) => `v${index}`)
    const variables = Object.fromEntries(names.map((name) => [name, { default: "v0", enum: values }]))
    const server = { url: `https://${names.map((name) => `{${name}}`).join(".")}.example.com`, variables }
    expect(declaredOrigins(serversOf([server], null)).origins.length).toBeLessThanOrEqual(200)
  })

  it("are not guessed for a variable that may be anything", () => {
    expect(declaredOrigins(serversOf([open], null))).toEqual({ origins: [], openTemplate: open.url })
  })

  it("of an origin given by the host fill the variable", () => {
    const [server] = serversOf([open], null)
    const closed = closeServer(server!, ["https://acme.example.com"])
    expect(expandServer(closed!, {})).toEqual({ baseUrl: "https://acme.example.com/api" })
    expect(closeServer(server!, ["https://acme.example.org"])).toBeUndefined()
    expect(closeServer(server!, ["https://a.b/x.example.com"])).toBeUndefined()
  })
})

describe("relative servers", () => {
  it("resolve against where the document came from", () => {
    const bases = serversOf(
      [{ url: "/v2" }, { url: "../v3/{stage}" }, { url: "//cdn.example" }, { url: "ftp://x" }, {}, 7],
      "https://d.example/docs/openapi.json",
    )
    expect(bases.map(({ template }) => template)).toEqual([
      "https://d.example/v2",
      "https://d.example/v3/{stage}",
      "https://cdn.example",
    ])
  })

  it("are no servers where that is not known", () => {
    expect(serversOf([{ url: "/v2" }], null)).toEqual([])
  })
})

describe("server variables", () => {
  const callable = async (server: object, origins: string[]) =>
    (await catalogueOf(operationWith({}, { rest: { servers: [server] } }), { origins })).operation("call")!
  const regionalOrigins = ["https://eu.example.com", "https://us.example.com"]

  it("choose the server of a call", async () => {
    const operation = await callable(regional, regionalOrigins)
    expect(operation.build({}).url).toBe("https://eu.example.com/v2/")
    expect(operation.build({ serverVariables: { region: "us", base: "v3" } }).url).toBe("https://us.example.com/v3/")
  })

  it.each([
    { region: "evil.example/" },
    { region: "eu@evil" },
    { region: 7 },
    { base: ".." },
    { base: "a/b" },
    { base: "%2e%2e" },
    { base: "" },
    { base: "x\r\ny" },
    { base: "@evil" },
    { port: "8443" },
  ])("are refused when they are %j", async (serverVariables) => {
    const operation = await callable(regional, regionalOrigins)
    expect(() => operation.build({ serverVariables })).toThrow(InvalidArgumentError)
  })

  it("appear in the input schema only where there is a choice", async () => {
    const schemaOf = async (server: object, origins: string[]) => {
      const catalogue = await catalogueOf(operationWith({}, { rest: { servers: [server] } }), { origins })
      return catalogue.describe("call")!.inputSchema["properties"]
    }
    expect(await schemaOf(regional, regionalOrigins)).toMatchObject({
      serverVariables: { properties: { region: { enum: ["eu", "us"], default: "eu" }, base: { default: "v2" } } },
    })
    expect(await schemaOf(open, ["https://acme.example.com"])).toEqual({})
  })
})

describe("the server of an operation", () => {
  const paths = {
    "/a": { get: { operationId: "own", servers: [{ url: "https://uploads.example.com/u" }], responses: {} } },
    "/b": { servers: [{ url: "/relative" }], get: { operationId: "shared", responses: {} } },
    "/c": { get: { operationId: "plain", responses: {} } },
  }
  const urls = async (target: Parameters<typeof catalogueOf>[1]) => {
    const catalogue = await catalogueOf(documentWith(paths), target)
    return ["own", "shared", "plain"].map((name) => catalogue.operation(name)!.build({}).url)
  }

  it("is its own, then its path's, then the document's", async () => {
    expect(await urls({ origins: ["https://api.example.com", "https://uploads.example.com"] })).toEqual([
      "https://uploads.example.com/u/a",
      "https://api.example.com/v1/b",
      "https://api.example.com/v1/c",
    ])
  })

  it("is the host's base URL where its own is at no allowed origin", async () => {
    expect(await urls({ baseUrl: "https://ghes.example/api", origins: ["https://ghes.example"] })).toEqual([
      "https://ghes.example/api/a",
      "https://ghes.example/relative/b",
      "https://ghes.example/api/c",
    ])
  })

  it("is the https one where http is no allowed origin", async () => {
    const servers = [
      { url: "{scheme}://api.example.com", variables: { scheme: { default: "http", enum: ["http", "https"] } } },
    ]
    const catalogue = await catalogueOf(operationWith({}, { rest: { servers } }))
    expect(catalogue.operation("call")!.build({}).url).toBe("https://api.example.com/")
  })
})
