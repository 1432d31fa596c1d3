import { Ajv2020 } from "ajv/dist/2020.js"
import { describe, expect, it } from "vitest"
import { catalogueOf, operationWith } from "../support/catalogueOf.ts"

const describeCall = async (operation: object, rest: object = {}) =>
  (await catalogueOf(operationWith(operation, { method: "post", rest }))).describe("call")!

const bodyOf = async (schema: unknown, schemas: object = {}): Promise<unknown> => {
  const requestBody = { content: { "application/json": { schema } } }
  const { inputSchema } = await describeCall({ requestBody }, { components: { schemas } })
  new Ajv2020({
    strict: true,
    strictTypes: false,
    strictRequired: false,
    strictTuples: false,
    validateFormats: false,
  }).compile(inputSchema)
  const properties = inputSchema["properties"] as Record<string, unknown>
  return properties["body"]
}

const validatorOf = async (schema: unknown, schemas: object = {}) => {
  const requestBody = { required: true, content: { "application/json": { schema } } }
  const { inputSchema } = await describeCall({ requestBody }, { components: { schemas } })
  const validate = new Ajv2020({ strict: false }).compile(inputSchema)
  return (body: unknown): boolean => validate({ body })
}

describe("the input", () => {
  it("is one flat object of parameters and body, with what a model must send", async () => {
    const { inputSchema } = await describeCall({
      parameters: [
        { name: "limit", in: "query", description: "How many.", schema: { type: "integer", default: 10, maximum: 50 } },
        { name: "X-Trace", in: "header", required: true, deprecated: true, schema: { type: "string" }, example: "abc" },
        { name: "mode", in: "query", schema: { type: "string", enum: ["a", "b"] }, examples: { one: { value: "a" } } },
      ],
      requestBody: {
        required: true,
        description: "The thing.",
        content: { "application/json": { schema: { type: "object" }, example: { a: 1 } } },
      },
    })
    expect(inputSchema).toEqual({
      type: "object",
      properties: {
        limit: { type: "integer", default: 10, maximum: 50, description: "How many." },
        "X-Trace": { type: "string", deprecated: true, examples: ["abc"] },
        mode: { type: "string", enum: ["a", "b"], examples: ["a"] },
        body: { type: "object", description: "The thing.", examples: [{ a: 1 }] },
      },
      required: ["X-Trace", "body"],
      additionalProperties: false,
    })
  })

  it("tells parameters of one name apart by where they go, whatever their order", async () => {
    const parameters = ["cookie", "header", "query", "path"].map((place) => ({
      name: "id",
      in: place,
      required: place === "path",
      schema: { type: "string" },
    }))
    const body = [{ name: "body", in: "query", schema: {} }]
    for (const order of [parameters, parameters.toReversed()]) {
      const catalogue = await catalogueOf(operationWith({ parameters: [...order, ...body] }, { path: "/x/{id}" }))
      const { inputSchema } = catalogue.describe("call")!
      expect(Object.keys(inputSchema["properties"] as object).sort()).toEqual([
        "cookie_id",
        "header_id",
        "id",
        "query_body",
        "query_id",
      ])
      const request = catalogue
        .operation("call")!
        .build({ id: "p", query_id: "q", header_id: "h", cookie_id: "c", query_body: 1 })
      expect(request).toMatchObject({ headers: { id: "h", cookie: "id=c" } })
      expect(request.url).toMatch(/\/x\/p\?(id=q&body=1)$/)
    }
  })

  it("leaves out what the credential fills, unless the operation is sent without one", async () => {
    const parameters = [
      { name: "x-api-key", in: "header", required: true, schema: { type: "string" } },
      { name: "q", in: "query", schema: { type: "string" } },
    ]
    const template = { slug: "k", type: "apiKey" as const, headers: { "X-API-Key": [{ variable: "token" }] } }
    const keysOf = async (operation: object) => {
      const catalogue = await catalogueOf(operationWith(operation), { authTemplates: [template] })
      return Object.keys(catalogue.describe("call")!.inputSchema["properties"] as object)
    }
    expect(await keysOf({ parameters })).toEqual(["q"])
    expect(await keysOf({ parameters, security: [] })).toEqual(["x-api-key", "q"])
  })

  it("lets an operation's parameter replace its path's", async () => {
    const catalogue = await catalogueOf({
      openapi: "3.1.0",
      paths: {
        "/x": {
          parameters: [{ name: "a", in: "query", schema: { type: "string" } }, { $ref: "#/components/parameters/B" }],
          get: {
            operationId: "call",
            parameters: [{ name: "a", in: "query", schema: { type: "integer" } }],
            responses: {},
          },
        },
      },
      components: { parameters: { B: { name: "b", in: "query", schema: { type: "boolean" } } } },
    })
    expect(catalogue.describe("call")!.inputSchema["properties"]).toEqual({
      a: { type: "integer" },
      b: { type: "boolean" },
    })
  })
})

const condition = JSON.parse('{ "if": { "const": 1 }, "then": { "minimum": 0 }, "else": false }') as object

describe("schemas of every dialect", () => {
  it.each<[string, unknown, unknown]>([
    ["nullable", { type: "string", nullable: true }, { type: ["string", "null"] }],
    [
      "nullable enums",
      { type: "string", nullable: true, enum: ["a"] },
      { type: ["string", "null"], enum: ["a", null] },
    ],
    [
      "nullable compositions",
      { nullable: true, anyOf: [{ type: "string" }] },
      { anyOf: [{ type: "string" }, { type: "null" }] },
    ],
    ["type lists", { type: ["string", "null"] }, { type: ["string", "null"] }],
    [
      "boolean exclusive bounds",
      { type: "number", minimum: 1, exclusiveMinimum: true, maximum: 9, exclusiveMaximum: false },
      { type: "number", exclusiveMinimum: 1, maximum: 9 },
    ],
    ["numeric exclusive bounds", { type: "number", exclusiveMinimum: 1 }, { type: "number", exclusiveMinimum: 1 }],
    ["examples", { type: "string", example: "a" }, { type: "string", examples: ["a"] }],
    [
      "tuples of draft 4",
      { type: "array", items: [{ type: "string" }, { type: "integer" }] },
      { type: "array", prefixItems: [{ type: "string" }, { type: "integer" }] },
    ],
    [
      "invented types",
      { type: "object", properties: { a: { type: "int64" }, b: { type: "File" }, c: { type: "any" } } },
      { type: "object", properties: { a: { type: "integer" }, b: { type: "string" }, c: {} } },
    ],
    ["enums of another type", { type: "string", enum: [1, true, "1"] }, { type: "string", enum: ["1", "true"] }],
    ["enums of numbers as text", { type: "integer", enum: ["1", "2"] }, { type: "integer", enum: [1, 2] }],
    ["patterns that no engine takes", { type: "string", pattern: "(?i)[a" }, { type: "string" }],
    [
      "patterns with needless escapes",
      { type: "string", pattern: "^[a\\_b]+\\-\\@$" },
      { type: "string", pattern: "^[a_b]+-@$" },
    ],
    ["patterns between slashes", { type: "string", pattern: "/^a$/i" }, { type: "string", pattern: "^a$" }],
    [
      "required on a property",
      { type: "object", properties: { a: { type: "string", required: true } } },
      { type: "object", properties: { a: { type: "string" } }, required: ["a"] },
    ],
    [
      "empty and broken keywords",
      { type: "object", enum: [], allOf: [], required: "a", minLength: "x", multipleOf: 0, items: 7 },
      { type: "object" },
    ],
    ["counts as text", { type: "string", maxLength: "5" }, { type: "string", maxLength: 5 }],
    ["markup in descriptions", { description: "<p>A <b>List<string></b>.</p>" }, { description: "A List<string>." }],
    ["vendor extensions", { type: "string", "x-foo": 1, xml: {}, externalDocs: {} }, { type: "string" }],
    [
      "a described reference",
      { allOf: [{ type: "string", format: "uuid" }], description: "The id." },
      { type: "string", format: "uuid", description: "The id." },
    ],
    [
      "a reference described by a second member",
      { allOf: [{ type: "string" }, { description: "The name." }] },
      { type: "string", description: "The name." },
    ],
    [
      "members that constrain beside members that describe",
      { allOf: [{ minLength: 1 }, { title: "T" }, { minLength: 2 }], type: "string" },
      { type: "string", title: "T", allOf: [{ minLength: 1 }, { minLength: 2 }] },
    ],
    ["booleans", true, {}],
    ["what is no schema", "nonsense", {}],
    [
      "prototype names",
      {
        type: "object",
        properties: JSON.parse('{"__proto__":{"type":"string"},"constructor":{"type":"string"}}') as object,
      },
      { type: "object", properties: { constructor: { type: "string" } } },
    ],
    ["constants and conditions of 3.1", condition, condition],
  ])("%s", async (_, schema, expected) => {
    expect(await bodyOf(schema)).toEqual(expected)
  })
})

describe("direction", () => {
  const Thing = {
    type: "object",
    required: ["id", "name", "secret"],
    properties: {
      id: { type: "string", readOnly: true },
      name: { type: "string" },
      secret: { $ref: "#/components/schemas/Secret" },
    },
  }
  const schemas = { Thing, Secret: { type: "string", writeOnly: true } }
  const reference = { $ref: "#/components/schemas/Thing" }

  it("drops readOnly properties from inputs and writeOnly ones from outputs, also where they are required", async () => {
    const content = { "application/json": { schema: reference } }
    const { inputSchema, outputSchema } = await describeCall(
      { requestBody: { content }, responses: { 200: { content } } },
      { components: { schemas } },
    )
    expect(inputSchema).toMatchObject({ properties: { body: { required: ["name", "secret"] } } })
    expect(JSON.stringify(inputSchema)).not.toContain('"id"')
    expect(outputSchema).toMatchObject({ required: ["id", "name"] })
    expect(JSON.stringify(outputSchema)).not.toContain('"secret"')
  })

  it("does not require in one member of allOf what another member dropped", async () => {
    const validate = await validatorOf({ allOf: [reference, { required: ["id"], properties: { extra: {} } }] }, schemas)
    expect(validate({ name: "n", secret: "s" })).toBe(true)
  })
})

describe("references", () => {
  it("become local definitions, holding only what is reachable; what is used once is written in place", async () => {
    const schemas = {
      Used: {
        type: "object",
        properties: {
          once: { $ref: "#/components/schemas/Once" },
          a: { $ref: "#/components/schemas/Twice" },
          b: { $ref: "#/components/schemas/Twice" },
        },
      },
      Once: { type: "object", properties: { x: { type: "integer" } } },
      Twice: { type: "object", properties: { y: { type: "integer" } } },
      Unused: { type: "object", properties: { z: {} } },
    }
    const requestBody = { content: { "application/json": { schema: { $ref: "#/components/schemas/Used" } } } }
    const { inputSchema } = await describeCall({ requestBody }, { components: { schemas } })
    expect(inputSchema["$defs"]).toEqual({ Twice: schemas.Twice })
    expect(inputSchema).toMatchObject({
      properties: {
        body: { properties: { once: schemas.Once, a: { $ref: "#/$defs/Twice" }, b: { $ref: "#/$defs/Twice" } } },
      },
    })
  })

  it("may be recursive", async () => {
    const validate = await validatorOf(
      { $ref: "#/components/schemas/Node" },
      {
        Node: {
          type: "object",
          required: ["v"],
          properties: { v: { type: "integer" }, next: { $ref: "#/components/schemas/Node" } },
        },
      },
    )
    expect(validate({ v: 1, next: { v: 2, next: { v: 3 } } })).toBe(true)
    expect(validate({ v: 1, next: { v: 2, next: {} } })).toBe(false)
  })

  it("of a base to its children and back do not send a validator round in circles", async () => {
    const validate = await validatorOf(
      { $ref: "#/components/schemas/Pet" },
      {
        Pet: {
          type: "object",
          required: ["kind"],
          properties: { kind: { type: "string" } },
          oneOf: [{ $ref: "#/components/schemas/Cat" }, { $ref: "#/components/schemas/Dog" }],
          discriminator: { propertyName: "kind", mapping: { cat: "#/components/schemas/Cat", dog: "Dog" } },
        },
        Cat: {
          allOf: [
            { $ref: "#/components/schemas/Pet" },
            { type: "object", required: ["lives"], properties: { lives: { type: "integer" } } },
          ],
        },
        Dog: {
          allOf: [{ $ref: "#/components/schemas/Pet" }, { type: "object", properties: { tricks: { type: "array" } } }],
        },
      },
    )
    expect(validate({ kind: "cat", lives: 9 })).toBe(true)
    expect(validate({ kind: "dog" })).toBe(true)
    expect(validate({ kind: "cat" })).toBe(false)
    expect(validate({ kind: "fish", lives: 9 })).toBe(false)
    expect(validate({ lives: 9 })).toBe(false)
  })

  it.each([
    ["to themselves", { A: { $ref: "#/components/schemas/A" } }],
    ["to each other", { A: { $ref: "#/components/schemas/B" }, B: { $ref: "#/components/schemas/A" } }],
    ["through allOf", { A: { type: "object", allOf: [{ $ref: "#/components/schemas/A" }] } }],
    ["through anyOf and not", { A: { anyOf: [{ not: { $ref: "#/components/schemas/A" } }, { type: "object" }] } }],
    ["to nowhere", {}],
    ["to something else", { A: "text" }],
  ])("that lead %s are left open", async (_, schemas) => {
    const validate = await validatorOf({ $ref: "#/components/schemas/A" }, schemas)
    expect(validate({ anything: 1 })).toBe(true)
  })

  it("may be percent-encoded, point into other parts, or name an anchor", async () => {
    const schemas = {
      "A b": { type: "object", properties: { deep: { type: "integer" } } },
      Named: { $anchor: "named", type: "boolean" },
    }
    expect(await bodyOf({ $ref: "#/components/schemas/A%20b/properties/deep" }, schemas)).toEqual({ type: "integer" })
    expect(await bodyOf({ $ref: "#named" }, schemas)).toEqual({ type: "boolean" })
    expect(await bodyOf({ $dynamicRef: "#named" }, schemas)).toEqual({ type: "boolean" })
  })

  it("keep what stands beside them", async () => {
    const schemas = { Name: { type: "string", description: "A name." } }
    expect(
      await bodyOf({ $ref: "#/components/schemas/Name", description: "The name.", nullable: true }, schemas),
    ).toEqual({
      description: "The name.",
      anyOf: [{ type: "string", description: "A name." }, { type: "null" }],
    })
  })

  it("stop where the definitions grow beyond what anybody reads", async () => {
    const schemas = Object.fromEntries(
      Array.from({ length: 400 }, (_, index) => {
        const next = { $ref: `#/components/schemas/S${index + 1}` }
        return [`S${index}`, { type: "object", description: "x".repeat(1_000), properties: { a: next, b: next } }]
      }),
    )
    const requestBody = { content: { "application/json": { schema: { $ref: "#/components/schemas/S0" } } } }
    const { inputSchema } = await describeCall({ requestBody }, { components: { schemas } })
    expect(JSON.stringify(inputSchema).length).toBeLessThan(300_000)
    expect(new Ajv2020({ strict: false }).compile(inputSchema)({ body: {} })).toBe(true)
  })
})

describe("compositions", () => {
  it("accept input that fits several branches of a sloppy oneOf", async () => {
    const validate = await validatorOf({ oneOf: [{ type: "integer" }, { type: "number" }] })
    expect(validate(1)).toBe(true)
  })

  it("are satisfiable when a member of allOf forbids further properties", async () => {
    const closed = { type: "object", properties: { a: {} }, additionalProperties: false }
    const open = { type: "object", properties: { b: {} }, required: ["b"] }
    expect((await validatorOf({ allOf: [closed, open] }))({ a: 1, b: 2 })).toBe(true)
    expect(
      (await validatorOf({ allOf: [{ $ref: "#/components/schemas/Closed" }, open] }, { Closed: closed }))({
        a: 1,
        b: 2,
      }),
    ).toBe(true)
  })

  it("say which value selects a branch", async () => {
    const schemas = {
      A: { type: "object", properties: { kind: { type: "string" }, a: {} } },
      B: { type: "object", properties: { kind: { type: "string", enum: ["bee"] }, b: {} } },
    }
    const body = await bodyOf(
      {
        oneOf: [{ $ref: "#/components/schemas/A" }, { $ref: "#/components/schemas/B" }],
        discriminator: { propertyName: "kind" },
      },
      schemas,
    )
    expect(body).toMatchObject({
      anyOf: [
        { properties: { kind: { const: "A" } }, required: ["kind"] },
        { properties: { kind: { enum: ["bee"] } } },
      ],
    })
  })

  it("describe the values of a discriminator that has no branches", async () => {
    const schema = {
      type: "object",
      properties: { kind: { type: "string" } },
      discriminator: { propertyName: "kind", mapping: { a: "A", b: "B" } },
    }
    expect(await bodyOf(schema)).toMatchObject({ properties: { kind: { description: "One of: a, b." } } })
  })
})

describe("the output", () => {
  const outputOf = async (responses: object) => (await describeCall({ responses })).outputSchema

  it("is that of the successful responses", async () => {
    const json = (schema: unknown) => ({ description: "", content: { "application/json": { schema } } })
    expect(await outputOf({ 200: json({ type: "string" }), 404: json({ type: "integer" }) })).toEqual({
      type: "string",
    })
    expect(
      await outputOf({ 200: json({ type: "string" }), 201: json({ type: "integer" }), 204: { description: "" } }),
    ).toEqual({
      anyOf: [{ type: "string" }, { type: "integer" }, { type: "null" }],
    })
    expect(await outputOf({ "2XX": json({ type: "string" }) })).toEqual({ type: "string" })
    expect(await outputOf({ default: json({ type: "string" }) })).toEqual({ type: "string" })
    expect(await outputOf({ 204: { description: "" } })).toEqual({ type: "null" })
    expect(await outputOf({})).toBeNull()
  })

  it("is text or a file where the response is", async () => {
    expect(await outputOf({ 200: { content: { "text/csv": {} } } })).toEqual({ type: "string" })
    expect(await outputOf({ 200: { content: { "image/png": {} } } })).toMatchObject({
      properties: { mediaType: {}, base64: {}, bytes: {} },
    })
  })
})
