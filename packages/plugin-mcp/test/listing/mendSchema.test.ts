/** Schemas as servers write them: what is broken in them is left out, and the rest goes on constraining. */
import type { JsonSchema } from "@keyward/core"
import { AjvJsonSchemaValidator } from "@modelcontextprotocol/client/validators/ajv"
import { Ajv2020 } from "ajv/dist/2020.js"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { mendSchema } from "../../src/listing/mendSchema.ts"

const validatorOf = (schema: JsonSchema) =>
  new Ajv2020({
    strict: false,
    ownProperties: true,
    validateFormats: false,
    validateSchema: false,
    logger: false,
  }).compile(schema)

const withProperty = (property: unknown): JsonSchema => ({
  type: "object",
  properties: { odd: property, count: { type: "integer" } },
  required: ["count"],
})

const sound: ReadonlyArray<JsonSchema> = [
  { type: "object", properties: { a: { $ref: "#/$defs/a" } }, $defs: { a: { type: ["string", "null"] } } },
  { type: "object", properties: { children: { type: "array", items: { $ref: "#" } } } },
  { $defs: { "a/b~c": true, "100% é": false }, $ref: "#/$defs/a~1b~0c", items: { $ref: "#/$defs/100%25%20%C3%A9" } },
  JSON.parse('{ "properties": { "__proto__": { "type": "string" }, "constructor": { "enum": [1] } } }') as JsonSchema,
  { $schema: "http://json-schema.org/draft-07/schema#", definitions: { a: {} }, $ref: "#/definitions/a", "x-own": 1 },
  { type: "string", nullable: true, format: "date", if: { minLength: 2 }, else: { pattern: "^a$" }, not: false },
  { patternProperties: { "^x-": true }, dependentRequired: { a: ["b"] }, additionalProperties: { type: "integer" } },
]

describe("a sound schema", () => {
  it.each(sound.map((schema) => [schema] as const))("stays as it is (%#)", (schema) => {
    const mended = mendSchema(schema)
    expect(mended.leftOut).toEqual([])
    expect(mended.schema).toBe(schema)
    validatorOf(schema)
  })
})

describe("a schema that does not compile", () => {
  it.each([
    ["a pattern that is none", { type: "string", pattern: "(" }, "/pattern"],
    ["a reference that leads nowhere", { $ref: "#/$defs/nowhere" }, "/$ref"],
    ["a reference to somewhere else", { $ref: "https://schemas.example.com/one.json" }, "/$ref"],
    ["a type that is none", { type: "any" }, "/type"],
    ["types of which one is none", { type: ["string", "uuid"] }, "/type"],
    ["a property that is required by itself", { type: "string", required: true }, "/required"],
    ["a bound of draft 4", { type: "string", exclusiveMinimum: true }, "/exclusiveMinimum"],
    ["an empty choice", { enum: [] }, "/enum"],
    ["nothing", null, ""],
  ])("because of %s loses only that", (_, property, place) => {
    const given = withProperty(property)
    expect(() => validatorOf(given)).toThrow()
    const { schema, leftOut } = mendSchema(given)
    expect(leftOut).toEqual([`/properties/odd${place}`])
    const validate = validatorOf(schema)
    expect(validate({ odd: "any", count: 1 })).toBe(true)
    expect(validate({ odd: "any", count: "one" })).toBe(false)
  })

  it("keeps what else is said beside it", () => {
    const { schema } = mendSchema(withProperty({ type: "string", description: "A name.", pattern: "[" }))
    expect(schema).toMatchObject({ properties: { odd: { type: "string", description: "A name." } } })
    expect(validatorOf(schema)({ odd: 1, count: 1 })).toBe(false)
  })

  it("may give itself a name of the drafts', or one name twice", () => {
    const given = {
      $id: "https://json-schema.org/draft/2020-12/schema",
      properties: { one: { $id: "urn:x", type: "string" }, two: { $id: "urn:x", type: "number" } },
    }
    expect(() => validatorOf(given)).toThrow()
    const { schema, leftOut } = mendSchema(given)
    expect(leftOut).toEqual([])
    const validate = validatorOf(schema)
    expect(validate({ one: "1", two: 2 })).toBe(true)
    expect(validate({ one: 1, two: 2 })).toBe(false)
  })

  it("is of an older draft, and means the same afterwards", () => {
    const tuple = { items: [{ type: "string" }, { type: "number" }], additionalItems: false }
    const { schema, leftOut } = mendSchema(withProperty(tuple))
    expect(leftOut).toEqual([])
    const validate = validatorOf(schema)
    expect(validate({ odd: ["a", 1], count: 1 })).toBe(true)
    for (const odd of [
      [1, 1],
      ["a", 1, 2],
    ])
      expect(validate({ odd, count: 1 })).toBe(false)
  })

  it("is not followed for ever", () => {
    let nested: unknown = { type: "string" }
    for (let depth = 0; depth < 5_000; depth += 1) nested = { not: nested }
    const { schema, leftOut } = mendSchema(withProperty(nested))
    expect(leftOut).toHaveLength(1)
    validatorOf(schema)
  })
})

describe("a schema with names", () => {
  it.each([
    ["an anchor", { $anchor: "text", type: "string" }, "#text"],
    ["an anchor that others may move", { $dynamicAnchor: "text", type: "string" }, "#text"],
    ["an id", { $id: "urn:keyward:text", type: "string" }, "urn:keyward:text"],
    ["a place within an id", { $id: "text.json", items: { type: "string" } }, "text.json#/items"],
    [
      "a place relative to an id",
      { $id: "t", $ref: "#/$defs/text", $defs: { text: { type: "string" } } },
      "#/$defs/one",
    ],
  ])("means the same without %s", (_, one, $ref) => {
    for (const keyword of ["$ref", "$dynamicRef"]) {
      const { schema, leftOut } = mendSchema({ ...withProperty({ [keyword]: $ref }), $defs: { one } })
      expect(leftOut).toEqual([])
      expect(JSON.stringify(schema)).not.toMatch(/\$(id|anchor|dynamic)/i)
      const validate = validatorOf(schema)
      expect(validate({ odd: "text", count: 1 })).toBe(true)
      expect(validate({ odd: 1, count: 1 })).toBe(false)
    }
  })
})

describe("any JSON at any place of a schema", () => {
  const names = [
    ..."type enum const required pattern format nullable multipleOf uniqueItems minimum maximum maxLength".split(" "),
    ..."exclusiveMinimum minItems maxProperties minContains patternProperties dependentRequired dependencies".split(
      " ",
    ),
    ..."properties $defs definitions dependentSchemas prefixItems allOf anyOf oneOf items contains not if then".split(
      " ",
    ),
    ..."else additionalProperties unevaluatedItems unevaluatedProperties propertyNames additionalItems".split(" "),
    ..."$schema $id $anchor $dynamicAnchor $ref $dynamicRef $recursiveRef $async id $vocabulary $comment".split(" "),
    ..."discriminator readOnly description default x-own __proto__ constructor".split(" "),
  ]
  const texts = fc.constantFrom(
    ..."string object array null a ( ^a$ # #a #/$defs/a #/properties/a #/items/0 #/allOf/0 #/not urn:a urn:b".split(
      " ",
    ),
    ..."urn:a#a http://json-schema.org/draft-04/schema# https://json-schema.org/draft/2020-12/schema %".split(" "),
    "",
    "#/properties/\ud800",
  )
  const { schemas } = fc.letrec<{ schemas: unknown }>((tie) => ({
    schemas: fc.oneof(
      { depthSize: "medium", withCrossShrink: true },
      fc.oneof(texts, fc.boolean(), fc.integer(), fc.constant(null), fc.constant(-1.5), fc.constant(Infinity)),
      fc.array(tie("schemas"), { maxLength: 3 }),
      fc.dictionary(fc.oneof(fc.constantFrom(...names), fc.constantFrom("a", "b", "\ud800")), tie("schemas"), {
        maxKeys: 5,
      }),
    ),
  }))

  it("gives a schema that compiles, for arguments and for answers", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...names), schemas, { maxKeys: 6 }), (given) => {
        const { schema } = mendSchema(given)
        validatorOf(schema)
        new AjvJsonSchemaValidator().getValidator(schema)
        // What was mended needs no mending.
        expect(mendSchema(schema)).toEqual({ schema, leftOut: [] })
      }),
      { numRuns: 1_000 },
    )
  }, 60_000)
})
