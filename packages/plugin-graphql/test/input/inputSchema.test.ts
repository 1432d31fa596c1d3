import { Ajv2020 } from "ajv/dist/2020.js"
import { describe, expect, it } from "vitest"
import { catalogueOf, inputOf } from "../support/catalogueOf.ts"

const schemaOf = (argument: string, types = "") =>
  inputOf(catalogueOf(`type Query { call(${argument}): Int }\n${types}`), "query.call")

const propertyOf = (argument: string, types = "") => (schemaOf(argument, types)["properties"] as { a: unknown }).a

const accepts = (schema: object, value: unknown): boolean =>
  new Ajv2020({ strict: true, allowUnionTypes: true }).compile(schema)(value)

describe("an argument", () => {
  it.each([
    ["Int!", { type: "integer", minimum: -2147483648, maximum: 2147483647 }],
    ["Float!", { type: "number" }],
    ["String!", { type: "string" }],
    ["Boolean", { type: ["boolean", "null"] }],
    ["ID!", { type: ["string", "integer"] }],
    ["ID", { type: ["string", "integer", "null"] }],
    ["[String!]!", { type: "array", items: { type: "string" } }],
    ["[String]", { type: ["array", "null"], items: { type: ["string", "null"] } }],
  ])("of %s is described as that", (type, expected) => {
    expect(propertyOf(`a: ${type}`)).toEqual(expected)
  })

  it("is required when it is not null and has no default", () => {
    expect(schemaOf("a: Int!, b: Int, c: Int! = 3")).toMatchObject({
      required: ["a"],
      properties: { c: { default: 3 } },
      additionalProperties: false,
    })
  })

  it("shows description, deprecation and default", () => {
    expect(propertyOf(`"How many." a: Int = 10 @deprecated(reason: "Use b.")`)).toEqual({
      type: ["integer", "null"],
      minimum: -2147483648,
      maximum: 2147483647,
      description: "How many.\nDeprecated: Use b.",
      default: 10,
      deprecated: true,
    })
    expect(propertyOf(`a: In = { list: [A, B], deep: { text: "x" }, none: null }`, inTypes)).toMatchObject({
      default: { list: ["A", "B"], deep: { text: "x" }, none: null },
    })
  })

  it("of an enum lists its values with what they mean", () => {
    const types = `"Order." enum E { "Up." ASC DESC @deprecated(reason: "No.") }`
    expect(propertyOf("a: E", types)).toEqual({ anyOf: [{ $ref: "#/$defs/E" }, { type: "null" }] })
    expect(schemaOf("a: E", types)).toMatchObject({
      $defs: {
        E: { type: "string", enum: ["ASC", "DESC"], description: "Order.\n- ASC: Up.\n- DESC: Deprecated: No." },
      },
    })
  })

  it("of a custom scalar takes any value but null, and says what the schema says of it", () => {
    const schema = schemaOf("a: Time!", `"When." scalar Time @specifiedBy(url: "https://example.com/time")`)
    expect(schema).toMatchObject({
      $defs: { Time: { title: "Time", description: "When. See https://example.com/time." } },
    })
    expect([accepts(schema, { a: "x" }), accepts(schema, { a: { b: 1 } }), accepts(schema, { a: null })]).toEqual([
      true,
      true,
      false,
    ])
  })
})

const inTypes = `
  enum E { A B }
  input Deep { text: String!, other: Int }
  input In { list: [E!], deep: Deep, none: Int, self: In, many: [In!] }
`

describe("an input object", () => {
  it("is checked field by field, and may hold itself", () => {
    const schema = schemaOf("a: In!", inTypes)
    for (const [value, isRight] of [
      [{}, true],
      [{ self: { self: { list: ["A"] } }, many: [{ deep: { text: "t" } }] }, true],
      [{ list: ["C"] }, false],
      [{ deep: {} }, false],
      [{ deep: null }, true],
      [{ many: [null] }, false],
      [{ unknown: 1 }, false],
    ] as const)
      expect([value, accepts(schema, { a: value })]).toEqual([value, isRight])
  })

  it("marked as one of takes exactly one member, which is not null", () => {
    const schema = schemaOf("a: Pick!", "input Pick @oneOf { id: ID, name: String }")
    expect([{}, { id: "1" }, { id: null }, { id: "1", name: "n" }].map((a) => accepts(schema, { a }))).toEqual([
      false,
      true,
      false,
      false,
    ])
  })

  it("of a very large family is left open at its far ends, and still compiles", () => {
    const tables = Array.from({ length: 400 }, (_, index) => index)
    const types = tables
      .map(
        (index) =>
          `input T${index} { ${tables
            .slice(0, 20)
            .map((column) => `column_${column}: T${(index * 7 + column * 13) % 400}`)
            .join(" ")} }`,
      )
      .join("\n")
    const schema = schemaOf("a: T0!", types)
    expect(JSON.stringify(schema).length).toBeLessThan(200_000)
    expect(accepts(schema, { a: { column_0: { column_1: {} } } })).toBe(true)
    expect(accepts(schema, { a: { wrong: 1 } })).toBe(false)
    expect(JSON.stringify(schema)).toContain("not written out here")
  })
})

describe("the selection", () => {
  it("is an argument of its own where there is something to select, and makes way for one of its name", () => {
    const catalogue = catalogueOf(`
      type Query { user(select: Int, _select: Int): User, users(first: Int): [User!]!, count: Int }
      type User { id: ID!, friends(first: Int!): [User!]! }
    `)
    expect(Object.keys(inputOf(catalogue, "query.user")["properties"] as object)).toEqual([
      "select",
      "_select",
      "__select",
    ])
    expect(inputOf(catalogue, "query.users")["properties"]).toMatchObject({
      select: {
        type: "string",
        default: "{id}",
        description: expect.stringContaining("User has: id: ID!; friends(first: Int!): [User!]!"),
      },
    })
    expect(inputOf(catalogue, "query.count")["properties"]).toEqual({})
  })
})

describe("names", () => {
  it("of Object.prototype are names like any other", () => {
    const schema = schemaOf("toString: hasOwnProperty!", "input hasOwnProperty { valueOf: Int!, constructor: Int }")
    expect(accepts(schema, { toString: { valueOf: 1, constructor: 2 } })).toBe(true)
    expect(accepts(schema, { toString: { valueOf: 1, constructor: "2" } })).toBe(false)
  })
})
