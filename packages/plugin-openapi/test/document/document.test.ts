import { fakeUpstream } from "@keyward/core/testing"
import { describe, expect, it } from "vitest"
import { loadDocument, validateDocument } from "../../src/document/document.ts"
import type { DocumentSource } from "../../src/document/fetchDocument.ts"
import { OpenApiDocumentError } from "../../src/document/OpenApiDocumentError.ts"
import { catalogueOf, documentWith, load, operationWith } from "../support/catalogueOf.ts"

const source: DocumentSource = { fetch: (url, init) => fetch(url, init) }

const failureOf = async (spec: unknown, from: DocumentSource = source): Promise<OpenApiDocumentError> => {
  try {
    await loadDocument(spec as string, from)
  } catch (thrown) {
    if (thrown instanceof OpenApiDocumentError) return thrown
    throw thrown
  }
  throw new Error("the document was accepted")
}

describe("a document", () => {
  it("is read from an object, without changing it", async () => {
    const spec = documentWith({ "/a": { get: { "x-note": 1, tags: ["t"], responses: {} } } }, { tags: [] })
    const before = structuredClone(spec)
    expect((await load(spec)).root).toMatchObject({ paths: { "/a": { get: {} } } })
    expect(spec).toEqual(before)
  })

  it("is read from JSON text, with a byte order mark or without", async () => {
    const text = JSON.stringify(documentWith({}))
    expect((await load(`\uFEFF  ${text}`)).version).toBe("3.0.3")
  })

  it("is read from YAML, with merge keys, aliases and without YAML 1.1 surprises", async () => {
    const { root } = await load(`
openapi: 3.1.0
info: { title: T, version: 2024-01-01 }
x-shared: &shared
  description: shared
paths:
  /a:
    get:
      <<: *shared
      operationId: no
      responses: { 200: *shared }
`)
    expect(root["info"]).toEqual({ title: "T", version: "2024-01-01" })
    expect(root["paths"]).toEqual({
      "/a": { get: { description: "shared", operationId: "no", responses: { 200: { description: "shared" } } } },
    })
  })

  it("is read from an object that refers back to itself", async () => {
    const node: { type: string; properties: Record<string, unknown> } = { type: "object", properties: {} }
    node.properties["child"] = node
    const content = { "application/json": { schema: node } }
    const catalogue = await catalogueOf(operationWith({ requestBody: { content } }, { method: "post" }))
    expect(catalogue.describe("call")?.inputSchema).toMatchObject({
      properties: { body: { type: "object", properties: { child: { $ref: expect.stringMatching(/^#\/\$defs\//) } } } },
    })
  })

  it("may say its version as a number, as YAML makes it", async () => {
    expect((await load("swagger: 2.0\ninfo: {title: T, version: '1'}\npaths: {}")).version).toBe("2.0")
    expect((await load("openapi: 3.0\ninfo: {title: T, version: '1'}\npaths: {}")).version).toBe("3.0")
  })

  it("of a newer minor version is read with a warning", async () => {
    const document = await load({ ...documentWith({}), openapi: "3.7.0" })
    expect(document.warnings).toEqual([expect.stringContaining("3.7.0")])
  })
})

describe("what is no document", () => {
  it.each([
    ["", "spec", /empty/],
    ["<!doctype html><html></html>", "spec", /HTML/],
    ["{ nope", "spec", /not valid JSON/],
    ["a: [1\nb: }", "spec", /not valid YAML at line 2, column 1/],
    ["./openapi.yaml", "spec", /Files are not read/],
    ["file:///etc/passwd", "spec", /only http and https/],
    ["ftp://host/spec.json", "spec", /only http and https/],
    ["[]", "spec", /an object, and this is a list/],
    [7, "spec", /got number/],
    [null, "spec", /got object/],
    [{ asyncapi: "3.0.0" }, "spec#/openapi", /AsyncAPI/],
    [{ info: { _postman_id: "x" }, item: [] }, "spec#/openapi", /Postman/],
    [{ data: { __schema: {} } }, "spec#/openapi", /GraphQL/],
    [{ swaggerVersion: "1.2" }, "spec#/openapi", /Swagger 1/],
    [{ openapi: "4.0.0", paths: {} }, "spec#/openapi", /"4.0.0" is not supported/],
    [{ swagger: "1.2", paths: {} }, "spec#/swagger", /not supported/],
    [{ openapi: "3.0.0" }, "spec#/paths", /no operations/],
  ])("is refused with the place and the reason: %j", async (spec, location, reason) => {
    const failure = await failureOf(spec)
    expect(failure.location).toBe(location)
    expect(failure.reason).toMatch(reason)
    expect(failure.message).toContain(failure.reason)
    expect(failure.httpStatus).toBe(400)
  })

  it("is refused when aliases of aliases would fill the memory", async () => {
    const letters = "abcdefghijklmnopqrst".split("")
    const lines = letters.map((letter, index) =>
      index === 0
        ? "a: &a [x,x,x,x,x,x,x,x,x,x]"
        : `${letter}: &${letter} [${Array(10)
            .fill(`*${letters[index - 1]}`)
            .join(",")}]`,
    )
    expect((await failureOf(`openapi: 3.0.0\npaths: {}\n${lines.join("\n")}`)).reason).toMatch(/aliases/)
  })

  it("is refused when it is nested too deeply", async () => {
    expect((await failureOf(`openapi: 3.0.0\npaths: ${"[".repeat(2_000)}`)).reason).toMatch(/YAML|nested/)
  })
})

describe("a document at a URL", () => {
  it("is fetched, and relative servers and references resolve against where it came from in the end", async () => {
    await using upstream = await fakeUpstream({
      "/moved.json": { redirect: "/docs/openapi.yaml" },
      "/docs/openapi.yaml": {
        headers: { "content-type": "application/yaml" },
        body: `
openapi: 3.1.0
info: { title: T, version: '1' }
servers: [{ url: ../api }]
paths:
  /pets: { $ref: "paths/pets.yaml" }
`,
      },
      "/docs/paths/pets.yaml": {
        body: `
post:
  operationId: addPet
  requestBody: { content: { application/json: { schema: { $ref: "../schemas.json#/$defs/Pet" } } } }
  responses: {}
`,
      },
      "/docs/schemas.json": {
        json: {
          $defs: {
            Pet: {
              type: "object",
              properties: { name: { type: "string" }, parent: { $ref: "#/$defs/Pet" }, tag: { $ref: "./tags.json" } },
            },
          },
        },
      },
      "/docs/tags.json": { json: { enum: ["a", "b"] } },
    })
    const document = await loadDocument(`${upstream.origin}/moved.json`, source)
    expect(document.url).toBe(`${upstream.origin}/docs/openapi.yaml`)
    expect(document.warnings).toEqual([])
    // Whole: the rest needs no network.
    await upstream.close()
    const catalogue = await catalogueOf(document.root)
    expect(catalogue.describe("addPet")?.inputSchema).toMatchObject({
      properties: { body: { $ref: "#/$defs/Pet" } },
      $defs: { Pet: { properties: { parent: { $ref: "#/$defs/Pet" }, tag: { enum: ["a", "b"] } } } },
    })
  })

  it("is fetched once, however many references lead to it, and cycles between documents end", async () => {
    await using upstream = await fakeUpstream({
      "/a.json": {
        json: documentWith(
          {
            "/x": {
              get: {
                operationId: "call",
                parameters: [{ name: "q", in: "query", schema: { $ref: "b.json#/B" } }],
                responses: {},
              },
            },
          },
          {
            components: { schemas: { A: { type: "object", properties: { b: { $ref: "b.json#/B" } } } } },
          },
        ),
      },
      "/b.json": {
        json: {
          B: { type: "object", properties: { a: { $ref: "a.json#/components/schemas/A" }, b: { $ref: "#/B" } } },
        },
      },
    })
    const document = await loadDocument(`${upstream.origin}/a.json`, source)
    expect(upstream.requests.map(({ path }) => path)).toEqual(["/a.json", "/b.json"])
    const catalogue = await catalogueOf(document.root)
    expect(JSON.stringify(catalogue.describe("call")?.inputSchema)).toContain('"$ref":"#/$defs/B"')
  })

  it("names the status, the kind of page, or the fault when it cannot be had", async () => {
    await using upstream = await fakeUpstream({
      "/gone": { status: 404 },
      "/page": { body: "<html>Sign in</html>", headers: { "content-type": "text/html" } },
      "/reset": { fault: "reset" },
    })
    const reasonAt = async (path: string) => failureOf(`${upstream.origin}${path}?token=secret`)
    expect((await reasonAt("/gone")).reason).toMatch(/answered 404/)
    expect((await reasonAt("/page")).reason).toMatch(/HTML/)
    expect((await reasonAt("/reset")).reason).toMatch(/could not be fetched/)
    expect((await reasonAt("/gone")).location).toBe(`${upstream.origin}/gone`)
  })

  it("is not read beyond its cap, nor waited for beyond its time", async () => {
    await using upstream = await fakeUpstream({ "/big": { body: "x".repeat(10_000) }, "/slow": { fault: "hang" } })
    expect((await failureOf(`${upstream.origin}/big`, { ...source, maxBytes: 5_000 })).reason).toMatch(
      /larger than 5000/,
    )
    expect((await failureOf(`${upstream.origin}/slow`, { ...source, timeoutMs: 30 })).reason).toMatch(/in time/)
  })
})

describe("references to other documents", () => {
  const withReference = ($ref: string): object =>
    operationWith({ parameters: [{ name: "q", in: "query", schema: { $ref } }] })

  it.each(["file:///etc/passwd#/x", "data:application/json,{}", "gopher://x/y"])(
    "are never followed to %s",
    async ($ref) => {
      const document = await load(withReference($ref))
      expect(document.warnings).toEqual([expect.stringMatching(/only http and https/)])
    },
  )

  it("are left open with a warning when they are relative and nobody knows to what", async () => {
    const document = await load(withReference("other.yaml#/x"))
    expect(document.warnings).toEqual([expect.stringContaining("other.yaml")])
    expect((await catalogueOf(withReference("other.yaml#/x"))).describe("call")?.inputSchema["properties"]).toEqual({
      q: {},
    })
  })

  it("are left open with a warning when the document is not there", async () => {
    await using upstream = await fakeUpstream({})
    const document = await loadDocument(withReference(`${upstream.origin}/gone.json#/x`), source)
    expect(document.warnings).toEqual([expect.stringMatching(/gone\.json.*404/)])
  })

  it("stop at a number of documents", async () => {
    await using upstream = await fakeUpstream((request) => ({
      json: { x: { $ref: `/${Number(request.path.slice(1)) + 1}#/x` } },
    }))
    const document = await loadDocument(withReference(`${upstream.origin}/1#/x`), source)
    expect(upstream.requests).toHaveLength(100)
    expect(document.warnings).toEqual([expect.stringMatching(/more than 100/)])
  })

  it("inside examples and extensions are data and not followed", async () => {
    const schema = {
      type: "object",
      example: { $ref: "http://127.0.0.1:1/x" },
      properties: { example: { type: "string" } },
    }
    const document = await load(
      operationWith({ "x-a": { $ref: "http://127.0.0.1:1/y" }, parameters: [{ name: "q", in: "query", schema }] }),
    )
    expect(document.warnings).toEqual([])
  })
})

describe("Swagger 2.0", () => {
  const swagger = (paths: object, rest: object = {}): object => ({
    swagger: "2.0",
    info: { title: "T", version: "1" },
    host: "api.example.com",
    basePath: "/v1",
    schemes: ["http", "https"],
    paths,
    ...rest,
  })

  it("is upgraded: bodies, forms, files, collection formats, responses, https first", async () => {
    const catalogue = await catalogueOf(
      swagger(
        {
          "/a": {
            post: {
              operationId: "json",
              produces: ["application/vnd.a+json"],
              parameters: [
                { in: "body", name: "pet", required: true, schema: { $ref: "#/definitions/Pet" } },
                { in: "query", name: "ids", type: "array", items: { type: "integer" }, collectionFormat: "pipes" },
                { $ref: "#/parameters/page" },
              ],
              responses: { 200: { description: "", schema: { $ref: "#/definitions/Pet" } } },
            },
            put: {
              operationId: "form",
              consumes: ["multipart/form-data"],
              parameters: [
                { in: "formData", name: "file", type: "file", required: true },
                { in: "formData", name: "note", type: "string" },
              ],
              responses: {},
            },
          },
        },
        {
          produces: ["text/csv"],
          definitions: { Pet: { type: "object", properties: { name: { type: "string", "x-nullable": true } } } },
          parameters: { page: { in: "query", name: "page", type: "integer", default: 1 } },
        },
      ),
    )
    expect(catalogue.describe("json")).toMatchObject({
      inputSchema: {
        properties: {
          ids: { type: "array", items: { type: "integer" } },
          page: { type: "integer", default: 1 },
          body: { type: "object", properties: { name: { type: ["string", "null"] } } },
        },
        required: ["body"],
      },
      outputSchema: { type: "object" },
    })
    const request = catalogue.operation("json")!.build({ ids: [1, 2], body: {} })
    expect(request.url).toBe("https://api.example.com/v1/a?ids=1%7C2")
    expect(request.headers["accept"]).toMatch(/^application\/vnd\.a\+json/)
    expect(catalogue.describe("form")?.inputSchema["properties"]).toMatchObject({
      body: {
        properties: { file: { properties: { base64: {}, filename: {} } }, note: { type: "string" } },
        required: ["file"],
      },
    })
  })

  it("loses only the malformed corner, with a warning", async () => {
    const document = await load(
      swagger({
        "/good": {
          get: { operationId: "good", parameters: [null, 7, { name: "no place" }], responses: { 200: null } },
        },
        "/null": null,
        "/bad": { get: "nothing" },
        "/worse": { get: { operationId: "worse", parameters: { not: "a list" }, responses: "none" } },
      }),
    )
    const catalogue = await catalogueOf(document.root)
    expect(catalogue.operations.map(({ name }) => name)).toEqual(["good", "worse"])
    expect(document.warnings).toHaveLength(2)
  })
})

describe("validation", () => {
  it("reports findings with their pointer and never throws", async () => {
    const findings = await validateDocument({ openapi: "3.0.0", info: {}, paths: { "/x": { get: { responses: {} } } } })
    expect(findings.join("\n")).toMatch(/\/info: must have required property 'title'/)
    expect(await validateDocument({ openapi: "3.0.0", paths: Symbol("x") })).not.toEqual([])
  })
})
