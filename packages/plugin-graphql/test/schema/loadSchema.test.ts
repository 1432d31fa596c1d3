import { buildSchema, introspectionFromSchema, printSchema } from "graphql"
import { describe, expect, it } from "vitest"
import { GraphQLSchemaError } from "../../src/index.ts"
import { compileSchema, loadSchema } from "../../src/schema/loadSchema.ts"
import { gitHubSchema } from "../support/catalogueOf.ts"

const sdl = 'type Query { a(b: Int = 3, c: [E!]): String @deprecated(reason: "no") } enum E { X Y }'
const introspection = () => introspectionFromSchema(buildSchema(sdl))

const problemOf = (input: string | object, maxBytes?: number): string => {
  try {
    loadSchema(input, "schema", maxBytes)
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(GraphQLSchemaError)
    return (thrown as Error).message
  }
  throw new Error("it was taken")
}

describe("a schema", () => {
  it("is the same from SDL, from introspection, and from what is stored", () => {
    const bySdl = loadSchema(sdl, "schema")
    for (const input of [introspection(), { data: introspection() }, JSON.stringify({ data: introspection() })]) {
      expect(loadSchema(input, "schema").text).toBe(bySdl.text)
    }
    expect(printSchema(compileSchema(bySdl.text))).toBe(bySdl.text)
  })

  it("of GitHub is used though it breaks a rule, and is the same either way", () => {
    const { schema, text, warnings } = loadSchema(gitHubSchema(), "schema")
    expect(warnings[0]).toContain("must not be deprecated")
    expect(Object.keys(schema.getMutationType()?.getFields() ?? {}).length).toBeGreaterThan(200)
    expect(loadSchema(introspectionFromSchema(schema), "schema").text).toBe(text)
  })

  it.each([
    ["", /Syntax Error/],
    ["nonsense", /Syntax Error/],
    ["type Query { a: Missing }", /Unknown type/],
    ["{", /JSON/],
    ["{}", /no __schema/],
    [{ data: null, errors: [] }, /no __schema/],
    [{ __schema: {} }, /Pass SDL/],
    [{ __schema: { types: [{}] } }, /Pass SDL/],
    [{ __schema: { types: [{ kind: "OBJECT", name: "a b" }] } }, /Pass SDL/],
  ])("that is none is refused: %j", (input, message) => {
    expect(problemOf(input)).toMatch(message)
  })

  it("is refused when it is too large", () => {
    expect(problemOf(sdl, 20)).toMatch(/larger than 20 bytes/)
    expect(problemOf(introspection(), 20)).toMatch(/larger than 20 bytes/)
  })
})

describe("a hostile schema", () => {
  const withType = (type: unknown, name = "a"): object => ({
    __schema: {
      queryType: { name: "Query" },
      types: [
        { kind: "SCALAR", name: "String" },
        { kind: "OBJECT", name: "Query", interfaces: [], fields: [{ name, args: [], type }] },
      ],
      directives: [],
    },
  })
  const text = { kind: "SCALAR", name: "String" }
  const nested = (depth: number): unknown => {
    let type: unknown = text
    for (let level = 0; level < depth; level += 1) type = { kind: "LIST", ofType: type }
    return type
  }

  it("with types wrapped in wrappers without end is refused", () => {
    expect(loadSchema(withType(nested(5)), "schema").text).toContain("[[[[[String]]]]]")
    for (const depth of [20, 500, 100_000]) expect(problemOf(withType(nested(depth)))).toMatch(/nested too deeply/)
    for (const depth of [20, 100_000]) {
      expect(problemOf(`type Query { a: ${"[".repeat(depth)}Int${"]".repeat(depth)} }`)).toMatch(/nested too deeply/)
    }
  })

  it("with defaults nested without end is refused, or shows no default", () => {
    expect(problemOf(`type Query { a(b: S = ${"[".repeat(100_000)}${"]".repeat(100_000)}): Int } scalar S`)).toMatch(
      /nested too deeply/,
    )
    expect(
      loadSchema(`type Query { a(b: S = ${"[".repeat(50)}${"]".repeat(50)}): Int } scalar S`, "schema"),
    ).toBeDefined()
  })

  it.each(["a b", "a{b}", 'a"', "a\n", "", "1a", "ä", "a) { x } #"])(
    "with the field name %j is refused, because it would be part of documents",
    (name) => {
      expect(problemOf(withType(text, name))).toMatch(/name/i)
    },
  )

  it("cannot smuggle definitions in with descriptions, reasons or defaults", () => {
    const attack = '""" } type Mutation { evil: Int } """ "\n}\ntype Mutation { evil: Int }'
    const schema = introspection()
    const hostile = JSON.parse(
      JSON.stringify(schema, (key, value: unknown) =>
        key === "description" || key === "deprecationReason" ? attack : value,
      ),
    ) as object
    const loaded = loadSchema(hostile, "schema")
    expect(loaded.schema.getMutationType() ?? null).toBeNull()
    expect(compileSchema(loaded.text).getMutationType() ?? null).toBeNull()
  })
})
