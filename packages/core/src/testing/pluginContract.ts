/**
 * The contract suite of plugins: what a host relies on whatever kind of service a plugin speaks to, as cases that any test
 * runner can run, through a real executor against real servers on the loopback.
 */
import * as assert from "node:assert/strict"
import type { Plugin } from "../integration/Plugin.ts"
import type { ToolSchema } from "../tool/Tool.ts"
import { type ContractCase, soon } from "./ContractCase.ts"
import type { UpstreamAnswer } from "./fakeUpstream.ts"
import { type MakePlugin, type PluginCall, type PluginProbe, type PluginSuite, pluginSuite } from "./pluginProbe.ts"

/**
 * The cases a plugin must pass; `make` is called at least once per case.
 *
 * A case rejects with an `AssertionError` when its sentence does not hold. The connection's credential is made of canaries,
 * which must reach the upstream and appear nowhere else.
 *
 * @example
 * ```ts
 * import { definePlugin } from "@keyward/core"
 * import { pluginContract } from "@keyward/core/testing"
 * import { it } from "node:test"
 *
 * const acme = () =>
 *   definePlugin({
 *     id: "acme",
 *     extension: (ctx) => ({
 *       add: (baseUrl: string) =>
 *         ctx.integrations.register({ slug: "acme", baseUrl, authTemplates: [{ slug: "bearer", type: "bearer" }] }),
 *     }),
 *     resolveTools: () => [{ name: "status", inputSchema: { type: "object", properties: {} } }],
 *     invokeTool: async ({ send }) => (await send({ url: "/status" })).json(),
 *   })
 *
 * const cases = pluginContract(() => ({
 *   plugin: acme(),
 *   register: async (executor, baseUrl) => ({ slug: (await executor.acme.add(baseUrl)).slug, template: "bearer" }),
 *   calls: [{ tool: "status" }],
 * }))
 * for (const { name, run } of cases) it(name, run)
 * ```
 */
export const pluginContract = <const P extends Plugin>(make: MakePlugin<P>): ReadonlyArray<ContractCase> => {
  const suite = pluginSuite(make)
  for (const add of [addToolCases, addCredentialCases, addHostileArgumentCases, addTroubleCases]) add(suite)
  return suite.cases
}

const addToolCases = ({ test, withProbe }: PluginSuite): void => {
  test("lists tools whose names are there, unique, and the same each time they are asked for", async (probe) => {
    const names = (await probe.list()).map(({ name }) => name)
    assert.ok(names.length > 0, "There are no tools.")
    assert.equal(new Set(names).size, names.length, "Two tools have the same name.")
    const refreshed = (await probe.refresh()).map(({ name }) => name)
    assert.deepEqual(refreshed, names, "Asking again gave other names.")
    await withProbe(async (another) => {
      const others = (await another.list()).map(({ name }) => name)
      assert.deepEqual(others, names, "The same integration, registered anew, has other names.")
    })
    for (const { tool } of probe.calls) assert.ok(names.includes(tool), `The call's tool ${tool} is not listed.`)
  })

  test("describes every tool by schemas that compile as JSON Schema 2020-12", async (probe) => {
    const { Ajv2020 } = await import("ajv/dist/2020.js")
    for (const { address, name } of await probe.list()) {
      const schema = await soon(probe.tools.schema(address), `The schema of ${name}`)
      assert.ok(schema !== null, `The tool ${name} is listed and has no schema.`)
      assert.deepEqual(JSON.parse(JSON.stringify(schema)), dropUndefined(schema), `The schema of ${name} is no JSON.`)
      for (const part of [schema.inputSchema, schema.outputSchema]) {
        // An instance of its own: two tools may use one $id.
        if (part !== null) new Ajv2020({ strict: false, validateFormats: false, logger: false }).compile(part)
      }
      const own = probe.calls.filter((call) => call.tool === name)
      const accepts = new Ajv2020({ strict: false, validateFormats: false, logger: false }).compile(schema.inputSchema)
      for (const { args } of own) assert.ok(accepts(args ?? {}), `The schema of ${name} refuses its own call.`)
    }
  })

  test("shows no secret in its tools and schemas", async (probe) => {
    for (const tool of await probe.list()) {
      probe.scanner.expectNone(tool, `the tool ${tool.name}`)
      probe.scanner.expectNone(await probe.tools.schema(tool.address), `the schema of ${tool.name}`)
    }
  })
}

const addCredentialCases = ({ test }: PluginSuite): void => {
  test("sends every call with the whole credential, and to its own origin", async (probe) => {
    for (const call of probe.calls) {
      const before = probe.upstream.requests.length
      await probe.expectSuccess(call)
      const sent = probe.upstream.requests.slice(before).map(({ url, rawHeaders, body }) => [url, rawHeaders, body])
      assert.ok(sent.length > 0, `${call.tool} sent nothing.`)
      const seen = new Set(probe.scanner.find(sent).map(({ secret }) => secret))
      assert.equal(seen.size, probe.secrets.length, `${call.tool} sent only part of its credential.`)
      probe.expectOnlyAtHome(call.tool)
    }
  })

  test("shows no secret in results and events, also when the service echoes the request", async (probe) => {
    for (const call of probe.calls)
      probe.scanner.expectNone(await probe.expectSuccess(call), `the result of ${call.tool}`)
    probe.scanner.expectNone(probe.events, "the events")
  })

  test("gives equal calls equal results, one after the other and all at once", async (probe) => {
    for (const call of probe.calls) {
      const outcome = async (): Promise<boolean> => (await probe.expectSuccess(call)).ok
      assert.deepEqual(
        await Promise.all(Array.from({ length: 10 }, outcome)),
        Array.from({ length: 10 }, () => true),
      )
    }
  })

  test("does not follow a redirect to another origin with the credential", async (probe) => {
    for (const status of [301, 302, 303, 307, 308] as const) {
      probe.answerWith({ redirect: `${probe.elsewhere.origin}/caught`, status })
      for (const call of probe.calls) probe.scanner.expectNone(await probe.attempt(call), `the result of ${call.tool}`)
    }
    const caught = probe.elsewhere.requests.map(({ url, rawHeaders, body }) => [url, rawHeaders, body])
    probe.scanner.expectNone(caught, "what another origin received")
  })
}

const addHostileArgumentCases = ({ test }: PluginSuite): void => {
  test("moves neither origin, path nor headers by hostile text in any argument", async (probe) => {
    for (const call of probe.calls) {
      for (const hostile of hostileArguments(probe.elsewhere.host, probe.elsewhere.port)) {
        for (const args of replacements(call.args ?? {}, hostile)) {
          probe.scanner.expectNone(await probe.attempt({ tool: call.tool, args }), `the result of ${call.tool}`)
          probe.expectOnlyAtHome(`${call.tool} with ${JSON.stringify(hostile)}`)
        }
      }
    }
  })

  test("sends nothing for arguments that its schema refuses", async (probe) => {
    const before = probe.upstream.requests.length
    for (const { tool } of probe.calls) {
      for (const args of ["text", 1, null, ["text"]]) {
        const result = await probe.execute({ tool, args: args as unknown as Record<string, unknown> })
        assert.ok(!result.ok && result.error.code === "invalid_arguments", `${tool} took ${JSON.stringify(args)}.`)
      }
    }
    assert.equal(probe.upstream.requests.length, before, "A refused call sent a request.")
  })
}

const addTroubleCases = ({ test }: PluginSuite): void => {
  const answers: ReadonlyArray<readonly [string, UpstreamAnswer]> = [
    ...[400, 401, 403, 404, 409, 429, 500, 503].map(
      (status) => [`a ${status}`, { status, headers: { "retry-after": "1" }, json: { error: "no" } }] as const,
    ),
    ["a body that is not what its type says", { headers: { "content-type": "application/json" }, body: "{not json" }],
    ["an error page", { status: 502, headers: { "content-type": "text/html" }, body: "<h1>Bad gateway</h1>" }],
    ["bytes of no known type", { headers: { "content-type": "x/y; z=" }, body: Uint8Array.of(0, 255, 254, 0) }],
    ["a connection that is reset", { fault: "reset" }],
    ["a body that is cut", { fault: "truncate" }],
  ]
  for (const [what, answer] of answers) {
    test(`ends with a result that holds no secret when the service answers with ${what}`, async (probe) => {
      probe.answerWith(answer)
      for (const call of probe.calls) {
        const result = await probe.execute(call)
        const isFailure = "fault" in answer || (answer.status ?? 200) >= 400
        if (isFailure) assert.ok(!result.ok, `${call.tool} reports success.`)
        if (!result.ok) assert.ok(result.error.code !== "" && result.error.message !== "", "A failure says what it is.")
        probe.scanner.expectNone(result, `the result of ${call.tool}`)
      }
      probe.scanner.expectNone(probe.events, "the events")
    })
  }

  for (const [what, answer] of [
    ["before it answers", { fault: "hang" }],
    ["in the middle of its answer", { fault: "hang_after_headers" }],
  ] as const) {
    test(`stops at an abort, and closes the connection, while the service hangs ${what}`, async (probe) => {
      probe.answerWith(answer)
      for (const call of probe.calls) {
        await expectStopped(probe, call)
      }
    })
  }
}

const expectStopped = async (probe: PluginProbe, call: PluginCall): Promise<void> => {
  const controller = new AbortController()
  const reason = new Error("The caller gave up.")
  const next = probe.upstream.received(probe.upstream.requests.length + 1)
  const ended = probe.execute(call, { signal: controller.signal }).then(
    (result) => ({ result }),
    (thrown: unknown) => ({ thrown }),
  )
  const first = await soon(Promise.race([next, ended]), `A request of ${call.tool}`)
  assert.ok("abandoned" in first, `${call.tool} ended though the service hangs.`)
  controller.abort(reason)
  const end = await ended
  assert.ok("thrown" in end && end.thrown === reason, `${call.tool} did not reject with the reason of the abort.`)
  assert.equal(await soon(first.abandoned, "The end of the connection"), true, `${call.tool} left its connection open.`)
}

/** Text that makes careless URL and header templating reach another host, another path, or another header. */
const hostileArguments = (host: string, port: number): ReadonlyArray<string> => [
  `//${host}/x`,
  `/\\${host}/x`,
  `\\\\${host}\\x`,
  `\t//${host}/x`,
  `@${host}/x`,
  `:80@${host}/x`,
  `x@${host}`,
  `.${host}`,
  `http://${host}/x`,
  `http:${host}/x`,
  `HTTP://user:password@${host}/x`,
  `http://2130706433:${port}/x`,
  `http:\\\\${host}\\x`,
  `?@${host}/x#`,
  `#@${host}/x`,
  ".",
  "..",
  "../../../admin",
  "..;/..;/admin",
  "..\\..\\admin",
  "%2e%2e/%2e%2e/admin",
  "%2e%2e%2f%2e%2e%2fadmin",
  "%252e%252e%252fadmin",
  "..%2f..%2fadmin",
  "..%5c..%5cadmin",
  "/../../admin",
  "x/../../../admin",
  "%2f%2f",
  "%00",
  "a\r\nx-injected: 1",
  "a\nx-injected: 1\n\nGET /admin HTTP/1.1",
  "%0d%0ax-injected:%201",
  "\u010d\u010ax-injected: 1",
  "\uff0f\uff0fadmin",
  "\u2025/admin",
  "javascript:alert(1)",
  "file:///etc/passwd",
  `{baseUrl}\${host}{{host}}${host}`,
  "\0",
  "\ud800",
  "x".repeat(10_000),
]

/** The arguments with each text in them replaced in turn; nothing to replace gives nothing. */
const replacements = (
  args: Readonly<Record<string, unknown>>,
  hostile: string,
): ReadonlyArray<Readonly<Record<string, unknown>>> =>
  pathsToText(args).map((path) => replaced(args, path, hostile) as Record<string, unknown>)

const pathsToText = (value: unknown): ReadonlyArray<ReadonlyArray<string>> => {
  if (typeof value === "string") return [[]]
  if (typeof value !== "object" || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => pathsToText(inner).map((path) => [key, ...path]))
}

const replaced = (value: unknown, [key, ...rest]: ReadonlyArray<string>, hostile: string): unknown => {
  if (key === undefined) return hostile
  const copy: Record<string, unknown> | Array<unknown> = Array.isArray(value)
    ? [...(value as ReadonlyArray<unknown>)]
    : { ...(value as Record<string, unknown>) }
  Reflect.set(copy, key, replaced(Reflect.get(copy, key), rest, hostile))
  return copy
}

/** The value without properties that are present and `undefined`, which JSON cannot say. */
const dropUndefined = (schema: ToolSchema): unknown =>
  Object.fromEntries(Object.entries(schema).filter(([, value]) => value !== undefined))
