/** Documents that are short and stand for a lot: they are refused before anything is compared, and sensible ones are not. */
import { buildSchema, getIntrospectionQuery } from "graphql"
import { describe, expect, it } from "vitest"
import { checkDocument, parseDocument } from "../../src/operation/checkedDocument.ts"
import { InvalidDocumentError } from "../../src/operation/InvalidDocumentError.ts"

const times = (count: number, write: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => write(index)).join(" ")

const nested = (depth: number, width: number): string =>
  depth === 0 ? "c" : times(width, () => `a { ${nested(depth - 1, width)} }`)

const problemOf = (text: string): string | undefined => {
  try {
    parseDocument(text)
    return undefined
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(InvalidDocumentError)
    return (thrown as Error).message
  }
}

describe("a document that stands for more than it looks", () => {
  it.each([
    ["one field over and over", `{ ${times(1_500, () => "c")} }`],
    ["one name for different fields", `{ ${times(500, (index) => `a { x: ${index % 2 === 0 ? "c" : "d"} }`)} }`],
    ["the same deep inside", `{ ${nested(8, 2)} }`],
    ["the same in fragments without a name", `{ ${times(400, () => "... on Query { c }")} }`],
    [
      "the same in fragments",
      `{ ${times(230, (i) => `...F${i}`)} } ${times(230, (i) => `fragment F${i} on Query { c }`)}`,
    ],
  ])("by %s is refused", (_, text) => {
    expect(problemOf(text)).toMatch(/the same too often/)
  })

  it("by fragments that spread the next one twice is refused", () => {
    const fragments = times(20, (i) => `fragment F${i} on Query { a { ...F${i + 1} } b { ...F${i + 1} } }`)
    expect(problemOf(`{ ...F0 } ${fragments} fragment F20 on Query { c }`)).toMatch(/its fragments put in/)
  })

  it.each([
    [
      "fragments within fragments",
      `{ ...F0 } ${times(40, (i) => `fragment F${i} on Query { a { ...F${i + 1} } }`)} fragment F40 on Query { c }`,
    ],
    ["a fragment within itself", "{ ...F } fragment F on Query { a { ...F } }"],
    [
      "two fragments within each other",
      "{ ...F } fragment F on Query { a { ...G } } fragment G on Query { b { ...F } }",
    ],
    ["itself", `{ ${nested(26, 1)} }`],
  ])("by %s is refused where it is too deep", (_, text) => {
    expect(problemOf(text)).toMatch(/levels deep/)
  })

  it("by a fragment that spreads itself is refused by the schema", () => {
    const schema = buildSchema("type Query { c: Int }")
    const document = parseDocument("{ ...F } fragment F on Query { c ...F }")
    expect(() => checkDocument(schema, document)).toThrow(/Cannot spread fragment "F" within itself/)
  })
})

describe("a document that is only long", () => {
  it.each([
    ["introspection", getIntrospectionQuery()],
    ["many fields", `{ ${times(900, (index) => `x${index}: c`)} }`],
    ["a union of many members", `{ ${times(60, (index) => `... on T${index} { id name url at }`)} }`],
    [
      "fragments that are used often",
      `{ ${times(100, (i) => `x${i}: a { ...F }`)} } fragment F on Query { ${times(60, (i) => `f${i}`)} }`,
    ],
    ["many operations", times(100, (index) => `query Q${index} { a { b { c } } }`)],
    ["levels", `{ ${nested(24, 1)} }`],
  ])("by %s is taken", (_, text) => {
    expect(problemOf(text)).toBeUndefined()
  })
})
