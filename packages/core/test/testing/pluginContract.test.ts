/**
 * The plugin contract on a sound plugin with several ways to authenticate, and on plugins that are broken on purpose.
 */
import { definePlugin, type InvokeToolInput, type Plugin, type ToolDef } from "@keyward/core"
import { canary, type MakePlugin, pluginContract, type PluginUnderTest } from "@keyward/core/testing"
import { describe, expect, it } from "vitest"
import { type AuthTemplate, variable } from "../../src/auth/AuthTemplate.ts"

const itemSchema = {
  type: "object",
  properties: { id: { type: "string" }, query: { type: "string" }, note: { type: "object" } },
  required: ["id"],
  additionalProperties: false,
}

const itemTools: ReadonlyArray<ToolDef> = [
  { name: "items.get", inputSchema: itemSchema },
  { name: "items.put", inputSchema: itemSchema, outputSchema: { type: "object" } },
]

interface Sketch {
  readonly tools?: () => ReadonlyArray<ToolDef>
  readonly invoke?: (input: InvokeToolInput) => unknown
  readonly templates?: ReadonlyArray<AuthTemplate>
  readonly variables?: ReadonlyArray<string>
}

const segment = (text: unknown): string => {
  const encoded = encodeURIComponent(String(text).toWellFormed())
  return /^\.+$/.test(encoded) ? encoded.replaceAll(".", "%252E") : encoded
}

const invokeSoundly = async ({ send, tool, args, signal }: InvokeToolInput): Promise<unknown> => {
  const { query } = args
  const search = new URLSearchParams(typeof query === "string" ? { q: query.toWellFormed() } : {}).toString()
  const answer = await send({
    method: tool.name === "items.put" ? "PUT" : "GET",
    url: `/items/${segment(args["id"])}?${search}`,
    ...(tool.name === "items.put" && {
      body: JSON.stringify(args["note"] ?? null),
      headers: { "content-type": "application/json" },
    }),
    signal,
  })
  if (answer.status >= 400) {
    return {
      ok: false,
      error: {
        code: "http_error",
        message: `The service answered ${answer.status}.`,
        status: answer.status,
        retryable: false,
      },
    }
  }
  const text = await answer.text()
  try {
    return { ok: true, data: JSON.parse(text) as unknown }
  } catch {
    return { ok: true, data: text }
  }
}

/** A sound plugin, changed where the sketch says so. */
const subject = (
  sketch: Sketch = {},
): PluginUnderTest<Plugin<"acme", { add: (baseUrl: string) => Promise<unknown> }>> => ({
  plugin: definePlugin({
    id: "acme",
    extension: (context) => ({
      add: (baseUrl: string) =>
        context.integrations.register({
          slug: "acme",
          baseUrl,
          authTemplates: sketch.templates ?? [{ slug: "auth", type: "bearer" }],
        }),
    }),
    resolveTools: () => sketch.tools?.() ?? itemTools,
    invokeTool: (input) => (sketch.invoke ?? invokeSoundly)(input),
  }),
  register: async (executor, baseUrl) => {
    await executor.acme.add(baseUrl)
    return { slug: "acme", template: "auth", variables: sketch.variables }
  },
  calls: [
    { tool: "items.get", args: { id: "1", query: "x" } },
    { tool: "items.put", args: { id: "1", note: { text: ["deep"] } } },
  ],
})

/** The names of the cases that fail, of those whose names match. */
const failuresOf = async (
  make: MakePlugin<ReturnType<typeof subject>["plugin"]>,
  which: RegExp,
): Promise<Array<string>> => {
  const cases = pluginContract(make).filter(({ name }) => which.test(name))
  expect(cases).not.toEqual([])
  const failed: Array<string> = []
  for (const { name, run } of cases) await run().catch(() => failed.push(name))
  return failed
}

describe.each<[string, Sketch]>([
  ["a bearer token", {}],
  ["basic authentication", { templates: [{ slug: "auth", type: "basic" }], variables: ["username", "password"] }],
  [
    "keys in header, query and cookie",
    {
      templates: [
        {
          slug: "auth",
          type: "apiKey",
          headers: { "X-API-Key": ["Key ", variable("one")] },
          queryParams: { key: [variable("two")] },
          cookies: { session: [variable("three")] },
        },
      ],
      variables: ["one", "two", "three"],
    },
  ],
])("a sound plugin with %s", (_, sketch) => {
  for (const { name, run } of pluginContract(() => subject(sketch))) it(name, run)
})

describe("a plugin that is broken on purpose", () => {
  it.each<[string, Sketch, RegExp]>([
    ["has no tools", { tools: () => [] }, /lists tools/],
    ["renames its tools each time", { tools: () => [...itemTools, { name: canary("tool") }] }, /lists tools/],
    [
      "has a schema that does not compile",
      {
        tools: () => [
          ...itemTools,
          { name: "bad", inputSchema: { type: "object", properties: { a: { type: "text" } } } },
        ],
      },
      /compile as JSON Schema/,
    ],
    [
      "has a reference that leads nowhere",
      { tools: () => [...itemTools, { name: "bad", inputSchema: { $ref: "#/$defs/none" } }] },
      /compile as JSON Schema/,
    ],
    [
      "writes its schemas for another draft",
      {
        tools: () => [
          ...itemTools,
          { name: "bad", inputSchema: { $schema: "http://json-schema.org/draft-07/schema#", type: "object" } },
        ],
      },
      /compile as JSON Schema/,
    ],
    [
      "has an output schema that does not compile",
      { tools: () => [...itemTools, { name: "bad", inputSchema: itemSchema, outputSchema: { type: 1 } }] },
      /compile as JSON Schema/,
    ],
    [
      "refuses its own call",
      { tools: () => itemTools.map((tool) => ({ ...tool, inputSchema: { ...itemSchema, required: ["other"] } })) },
      /compile as JSON Schema/,
    ],
    ["sends nothing", { invoke: () => ({ id: 1 }) }, /with the whole credential/],
    [
      "sends without the credential",
      {
        invoke: (input) =>
          invokeSoundly({
            ...input,
            send: (request) => input.send({ ...request, anonymous: true }),
          }),
      },
      /with the whole credential/,
    ],
    [
      "does not encode a path segment",
      {
        invoke: async ({ send, args, signal }) => (await send({ url: `/items/${String(args["id"])}`, signal })).json(),
      },
      /moves neither origin, path nor headers/,
    ],
    [
      "lets an argument choose the URL",
      { invoke: async ({ send, args, signal }) => (await send({ url: String(args["id"]), signal })).json() },
      /moves neither origin, path nor headers/,
    ],
    [
      "takes an error for data",
      { invoke: async ({ send, signal }) => (await send({ url: "/items", signal })).text() },
      /when the service answers with a 404/,
    ],
    [
      "answers when the service was cut off",
      {
        invoke: async (input) => {
          try {
            return await invokeSoundly(input)
          } catch {
            return { ok: true, data: null }
          }
        },
      },
      /a connection that is reset/,
    ],
    [
      "sends by a fetch of its own",
      { invoke: async ({ integration }) => (await fetch(`${integration.baseUrl}/items`)).json() },
      /with the whole credential/,
    ],
  ])("fails where it %s", async (_, sketch, expected) => {
    expect(await failuresOf(() => subject(sketch), expected)).toHaveLength(1)
  })

  it("fails where it keeps a secret in the schema of a tool", async () => {
    const make = (): ReturnType<typeof subject> => {
      const sound = subject()
      let seen: string | undefined
      return {
        ...sound,
        plugin: {
          ...sound.plugin,
          resolveTools: async (input) => {
            if (input.connection !== null) {
              const echoed = (await (await input.fetch("/echo")).json()) as {
                readonly headers: ReadonlyArray<readonly [string, string]>
              }
              seen = new Map(echoed.headers.map(([name, value]) => [name.toLowerCase(), value])).get("authorization")
            }
            return itemTools.map(({ name }) => ({ name }))
          },
          describeTool: () => ({ inputSchema: { ...itemSchema, description: `Uses ${seen}` }, outputSchema: null }),
        },
      }
    }
    expect(await failuresOf(make, /shows no secret in its tools/)).toEqual(["shows no secret in its tools and schemas"])
  })

  it("fails without a call to make", async () => {
    expect(await failuresOf(() => ({ ...subject(), calls: [] }), /with the whole credential/)).toHaveLength(1)
  })
})
