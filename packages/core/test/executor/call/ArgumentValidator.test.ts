/**
 * Arguments and the schemas of strangers: checks that would keep the process busy, schemas that hold themselves, awkward names.
 */
import type { JsonSchema } from "@keyward/core"
import { describe, expect, it } from "vitest"
import { acmePlugin, main, setStage, toolOfMain } from "../acme.ts"

const called = async (inputSchema: JsonSchema, args: Record<string, unknown>) => {
  const plugin = acmePlugin(
    { call: () => "done" },
    { resolveTools: () => [{ name: "call", inputSchema, annotations: { readOnlyHint: true } }] },
  )
  const { executor } = await setStage({ plugin })
  await executor.connections.create({ ...main, template: "bearer", value: "first-token" })
  return executor.execute(toolOfMain(), args)
}

const text = `${"a".repeat(60)}!`

/** Each definition asks for the next one twice. */
const branching = (): JsonSchema => ({
  $ref: "#/$defs/d0",
  $defs: Object.fromEntries(
    Array.from({ length: 60 }, (_, index) => {
      const next = { $ref: `#/$defs/d${index + 1}` }
      return [`d${index}`, { anyOf: [next, next] }] as const
    }).concat([["d60", { anyOf: [{ type: "string" }, { type: "string" }] }]] as never),
  ),
})

describe("a tool whose input schema would keep the process busy", () => {
  it.each([
    ["by a pattern", { properties: { text: { type: "string", pattern: "^(a+)+$" } } }, { text }],
    ["by a pattern of names", { patternProperties: { "^(a+)+$": { type: "null" } } }, { [text]: 1 }],
    ["by references that branch", branching(), {}],
    ["by references in a circle", { anyOf: [{ $ref: "#" }, { $ref: "#" }] }, {}],
  ])("%s is not called, and says so", async (_, inputSchema, args) => {
    const result = await called(inputSchema, args)
    expect(result).toMatchObject({ ok: false, error: { code: "invalid_arguments" } })
    expect(JSON.stringify(result)).toContain("cannot be checked by the tool's schema in time")
  })

  it("is called where the check ends, and told what does not fit", async () => {
    const schema = { properties: { text: { type: "string", pattern: "^(a+)+$" } } }
    expect(await called(schema, { text: "aaa" })).toMatchObject({ ok: true, data: "done" })
    expect(await called(schema, { text: "b" })).toMatchObject({
      ok: false,
      error: { details: { issues: [{ path: "/text", expected: 'must match pattern "^(a+)+$"' }] } },
    })
  })

  it("may hold itself, and then says where the arguments do not fit", async () => {
    const schema = { properties: { name: { type: "string" }, children: { type: "array", items: { $ref: "#" } } } }
    expect(await called(schema, { children: [{ name: "leaf" }] })).toMatchObject({ ok: true })
    expect(await called(schema, { children: [{ children: [{ name: 1 }] }] })).toMatchObject({
      ok: false,
      error: { details: { issues: [{ path: "/children/0/children/0/name" }] } },
    })
  })
})

describe("a schema that asks to be checked by and by", () => {
  it("is checked before the call all the same", async () => {
    const schema = { $async: true, properties: { text: { type: "string" } }, required: ["text"] }
    expect(await called(schema, { text: "here" })).toMatchObject({ ok: true })
    expect(await called(schema, { text: 1 })).toMatchObject({ ok: false, error: { code: "invalid_arguments" } })
    expect(await called(schema, {})).toMatchObject({ ok: false, error: { code: "invalid_arguments" } })
  })
})

describe("arguments with the names of what every object has", () => {
  const inputSchema = {
    properties: { constructor: { type: "string" }, toString: { type: "string" }, valueOf: { type: "integer" } },
    required: ["constructor"],
  }

  it("may be left out where they are optional", async () => {
    expect(await called(inputSchema, { constructor: "mclaren" })).toMatchObject({ ok: true })
  })

  it("are missed where they are required, and looked at where they are given", async () => {
    const issuesOf = async (args: Record<string, unknown>) => {
      const result = await called(inputSchema, args)
      return result.ok ? [] : result.error.details
    }
    expect(await issuesOf({})).toEqual({ issues: [{ path: "/constructor", expected: "is required" }] })
    expect(await issuesOf({ constructor: "mclaren", toString: 1 })).toMatchObject({ issues: [{ path: "/toString" }] })
  })
})
