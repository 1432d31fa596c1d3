/** Schemas made at random: whatever they hold, their tools have schemas that compile and operations that fit. */
import { Ajv2020 } from "ajv/dist/2020.js"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { checkDocument, parseDocument } from "../src/operation/checkedDocument.ts"
import { withSelection } from "../src/operation/fieldOperation.ts"
import { InvalidDocumentError } from "../src/operation/InvalidDocumentError.ts"
import { catalogueOf, complaints, inputOf } from "./support/catalogueOf.ts"

/** Names that collide with each other and with those of JavaScript, of GraphQL's grammar and of this plugin. */
const fieldName = fc.constantFrom(
  ..."id name a b select _select query mutation type input on fragment true null nodes edges node pageInfo first".split(
    " ",
  ),
  ..."constructor toString hasOwnProperty valueOf token state_A0 x_y Z9".split(" "),
)

const wrappers = fc.constantFrom("%", "%!", "[%]", "[%!]!", "[[%]]!")

const wrapped = (names: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(wrappers, names).map(([wrapper, name]) => wrapper.replace("%", name))

const named = (prefix: string, count: number): fc.Arbitrary<string> =>
  fc.constantFrom(...Array.from({ length: count }, (_, index) => `${prefix}${index}`))

const scalars = fc.constantFrom("Int", "Float", "String", "Boolean", "ID", "Custom", "E0")
const outputs = fc.oneof(scalars, named("A", 4), named("I", 2), fc.constantFrom("U0", "A0Connection", "Query"))
const inputs = fc.oneof(scalars, named("In", 3))

const argument = fc.tuple(fieldName, wrapped(inputs), fc.boolean()).map(([name, type, isOld]) => {
  const old = isOld && !type.endsWith("!") ? ' @deprecated(reason: "old \\"one\\"")' : ""
  return [name, `${name}: ${type}${old}`] as const
})

const distinct = (entries: ReadonlyArray<readonly [string, string]>): string =>
  [...new Map(entries).values()].join("\n  ")

const argumentsOf = fc.array(argument, { maxLength: 3 }).map((list) => (list.length === 0 ? "" : `(${distinct(list)})`))

const field = fc
  .tuple(fieldName, argumentsOf, wrapped(outputs), fc.boolean())
  .map(([name, args, type, isOld]) => [name, `${name}${args}: ${type}${isOld ? " @deprecated" : ""}`] as const)

const fields = fc.array(field, { minLength: 1, maxLength: 6 }).map(distinct)

const inputFields = fc
  .array(fc.tuple(fieldName, wrapped(inputs)), { minLength: 1, maxLength: 4 })
  .map((list) => distinct(list.map(([name, type]) => [name, `${name}: ${type}`] as const)))

const schemas = fc
  .record({
    roots: fc.tuple(fields, fields),
    objects: fc.array(fields, { minLength: 4, maxLength: 4 }),
    interfaces: fc.array(fields, { minLength: 2, maxLength: 2 }),
    inputs: fc.array(inputFields, { minLength: 3, maxLength: 3 }),
    implemented: fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
  })
  .map(({ roots, objects, interfaces, inputs: inputObjects, implemented }) =>
    [
      "scalar Custom enum E0 { A B constructor }",
      `type Query {\n  ${roots[0]}\n}`,
      `type Mutation {\n  ${roots[1]}\n}`,
      "union U0 = A0 | A1 | A2",
      "type A0Connection { nodes: [A0] pageInfo: A1 }",
      ...interfaces.map((body, index) => `interface I${index} {\n  ${body}\n}`),
      // Implementing without having the fields is against the rules, and happens.
      ...objects.map((body, index) => {
        const list = [0, 1].filter((one) => implemented[index * 2 + one]).map((one) => `I${one}`)
        return `type A${index}${list.length > 0 ? ` implements ${list.join(" & ")}` : ""} {\n  ${body}\n}`
      }),
      ...inputObjects.map((body, index) => `input In${index}${index === 2 ? " @oneOf" : ""} {\n  ${body}\n}`),
    ].join("\n"),
  )

describe("any schema", () => {
  it("gives tools with distinct names, input schemas that compile and operations that fit it", () => {
    fc.assert(
      fc.property(schemas, (sdl) => {
        const catalogue = catalogueOf(sdl)
        const names = catalogue.tools().map(({ name }) => name)
        expect(new Set(names).size).toBe(names.length)
        for (const { name } of catalogue.fields) {
          const operation = catalogue.operation(name)
          expect(complaints(catalogue.schema, operation?.document ?? "")).toEqual([])
          const schema = inputOf(catalogue, name)
          new Ajv2020({ strict: false }).compile(schema)
          // The default, given by the caller, is taken as well, and comes to the same document.
          if (operation?.selection !== undefined && catalogue.schema !== undefined) {
            expect(withSelection(catalogue.schema, operation, operation.selection)).toBe(operation.document)
          }
        }
      }),
      { numRuns: 30 },
    )
  }, 60_000)
})

describe("any text", () => {
  const catalogue = catalogueOf("type Query { a(b: Int): T, t: T } type T { id: ID, t: T } type Mutation { evil: Int }")
  const operation = catalogue.operation("query.t")
  const pieces = fc.constantFrom(
    ...'{ } ( ) t id a : , ... on T Query mutation evil query # \n " """ $x @include fragment F 1'.split(" "),
  )
  const texts = fc.oneof(
    fc.string(),
    fc.array(pieces, { maxLength: 30 }).map((list) => list.join(" ")),
  )

  it("as a selection leads to one operation on one field, or to a refusal", () => {
    const { schema } = catalogue
    if (schema === undefined || operation === undefined) throw new Error("the schema has no field `t`")
    fc.assert(
      fc.property(texts, (text) => {
        let document: string
        try {
          document = withSelection(schema, operation, text)
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(InvalidDocumentError)
          return
        }
        const parsed = parseDocument(document)
        checkDocument(schema, parsed)
        expect(parsed.definitions).toMatchObject([
          { operation: "query", selectionSet: { selections: [{ kind: "Field", name: { value: "t" } }] } },
        ])
        expect(parsed.definitions).toHaveLength(1)
        expect(document).not.toContain("evil")
      }),
      { numRuns: 2_000 },
    )
  })
})
