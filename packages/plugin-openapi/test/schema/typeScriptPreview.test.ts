import ts from "typescript"
import { describe, expect, it } from "vitest"
import { typeScriptPreview } from "../../src/schema/typeScriptPreview.ts"

describe("the preview", () => {
  it.each<[object, string]>([
    [{}, "unknown"],
    [{ type: "string" }, "string"],
    [{ type: ["integer", "null"] }, "number | null"],
    [{ enum: ["a", 1, null] }, '"a" | 1 | null'],
    [{ const: "a" }, '"a"'],
    [{ type: "array", items: { anyOf: [{ type: "string" }, { type: "number" }] } }, "(string | number)[]"],
    [{ type: "array", prefixItems: [{ type: "string" }, {}] }, "[string, unknown]"],
    [{ type: "object" }, "Record<string, unknown>"],
    [{ type: "object", additionalProperties: { type: "string" } }, "Record<string, string>"],
    [{ type: "object", properties: {}, additionalProperties: false }, "{}"],
    [
      { allOf: [{ type: "object", properties: { a: {} } }, { anyOf: [{ type: "null" }, { type: "string" }] }] },
      "{\n  a?: unknown\n} & (null | string)",
    ],
    [
      { type: "object", properties: { a: {} }, anyOf: [{ required: ["a"] }, { required: ["b"] }] },
      "{\n  a?: unknown\n}",
    ],
  ])("of %j is %s", (schema, expected) => {
    expect(typeScriptPreview(schema as Record<string, unknown>)).toBe(expected)
  })

  it("shows what is required, what it is for, and declares what is referred to", () => {
    const preview = typeScriptPreview({
      type: "object",
      properties: {
        id: { type: "string", description: "The id. It never changes.\nMore." },
        "x-y": { $ref: "#/$defs/Node-1" },
        note: { type: "string", description: "Ends */ early" },
      },
      required: ["id"],
      $defs: { "Node-1": { type: "object", properties: { next: { $ref: "#/$defs/Node-1" } } } },
    })
    expect(preview).toBe(`{
  /** The id. */
  id: string
  "x-y"?: Node_1
  /** Ends * / early */
  note?: string
}

type Node_1 = {
  next?: Node_1
}`)
  })

  it("is TypeScript that parses, and stays short, for a schema of any size", () => {
    const wide = (depth: number): object =>
      depth === 0
        ? { type: "string", enum: ['a`"\\', "b"] }
        : {
            type: "object",
            properties: Object.fromEntries(
              ["a", "b-c", "1", "d e"].map((name) => [name, { ...wide(depth - 1), description: `*/ ${name}` }]),
            ),
          }
    const preview = typeScriptPreview(wide(7) as Record<string, unknown>)
    expect(preview.length).toBeLessThan(60_000)
    const { diagnostics } = ts.transpileModule(`type Preview = ${preview}`, { reportDiagnostics: true })
    expect(diagnostics).toEqual([])
  })
})
