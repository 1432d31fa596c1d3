import { createExecutor, IntegrationNotFoundError, InvalidIntegrationInputError } from "@keyward/core"
import { canary, CanaryScanner, fakeUpstream } from "@keyward/core/testing"
import { describe, expect, it } from "vitest"
import { graphqlPlugin, GraphQLSchemaError } from "../src/index.ts"
import { startService, typeDefs } from "./support/service.ts"

const main = { owner: "org", integration: "people", name: "main" } as const

describe("addIntegration", () => {
  it("introspects an open endpoint and makes a tool of each query and mutation, and a raw one", async () => {
    await using service = await startService()
    const { executor, endpoint } = service
    const integration = await executor.graphql.addIntegration({ slug: "people", endpoint })
    expect(integration).toMatchObject({
      slug: "people",
      name: "people",
      plugin: "graphql",
      baseUrl: endpoint,
      origins: [new URL(endpoint).origin],
      authTemplates: [{ slug: "bearer", type: "bearer" }],
    })
    await service.connect()
    const tools = await executor.tools.list({ integration: "people" })
    expect(tools.map(({ name, annotations }) => [name, annotations.readOnlyHint, annotations.destructiveHint])).toEqual(
      [
        ["query.person", true, false],
        ["query.people", true, false],
        ["query.find", true, false],
        ["query.node", true, false],
        ["query.echo", true, false],
        ["query.whoami", true, false],
        ["query.fail", true, false],
        ["query.strict", true, false],
        ["mutation.createPerson", false, false],
        ["mutation.deletePerson", false, true],
        ["query", true, false],
      ],
    )
    expect(tools[0]?.description).toBe("Finds one person.")
    expect(service.seen[0]?.headers.authorization).toBeUndefined()
    expect(await executor.tools.schema("tools.people.org.main.mutation.createPerson")).toMatchObject({
      inputSchema: {
        required: ["input"],
        properties: { input: { $ref: "#/$defs/CreatePersonInput" }, select: { type: "string" } },
        $defs: { CreatePersonInput: { required: ["name"] }, Role: { enum: ["ADMIN", "MEMBER"] } },
      },
    })
  })

  it("takes SDL or the result of introspection instead, and asks nobody", async () => {
    await using service = await startService()
    const { executor, endpoint } = service
    const introspected = await executor.graphql.addIntegration({ slug: "people", endpoint })
    const asked = service.seen.length
    const bySdl = await executor.graphql.addIntegration({ slug: "sdl", endpoint, schema: typeDefs })
    expect(service.seen).toHaveLength(asked)
    expect(bySdl.revision).toBe(introspected.revision)
    const json = { data: JSON.parse(await introspectionOf(endpoint)).data as object }
    await executor.graphql.addIntegration({ slug: "json", endpoint, schema: json })
    await executor.graphql.addIntegration({ slug: "text", endpoint, schema: JSON.stringify(json) })
    const names = []
    for (const integration of ["people", "sdl", "json", "text"]) {
      await executor.connections.create({ ...main, integration, template: "none" })
      names.push((await executor.tools.list({ integration })).map(({ name }) => name))
    }
    expect(new Set(names.map((list) => list.join())).size).toBe(1)
  })

  it("registers an endpoint that wants an account with the raw tool, until it is asked with a connection", async () => {
    for (const refusal of ["401", "200"] as const) {
      const token = canary("token")
      await using service = await startService({ token, refusal })
      const { executor, endpoint } = service
      const first = await executor.graphql.addIntegration({ slug: "people", endpoint })
      await service.connect()
      expect((await executor.tools.list({ integration: "people" })).map(({ name }) => name)).toEqual(["query"])
      expect(await service.call("query", { query: '{ echo(text: "a") }' })).toMatchObject({ data: { echo: "a" } })
      await expect(executor.graphql.refreshSchema({ slug: "people" })).rejects.toThrow(/Pass a connection/)

      const refreshed = await executor.graphql.refreshSchema({ slug: "people", connection: main })
      expect(refreshed.revision).toBe(first.revision + 1)
      expect(await service.call("query.person", { id: "1" })).toMatchObject({ ok: true, data: { name: "Ada" } })
      // Adding it again asks nobody's account, and forgets nothing.
      const again = await executor.graphql.addIntegration({ slug: "people", endpoint })
      expect(again.revision).toBe(refreshed.revision)
      new CanaryScanner([token]).expectNone([first, refreshed, await executor.integrations.list()], "the integrations")
    }
  })

  it("leaves what was there when a refresh fails", async () => {
    await using service = await startService({ token: "right" })
    const { executor, endpoint } = service
    await executor.graphql.addIntegration({ slug: "people", endpoint, schema: typeDefs })
    await service.connect("wrong")
    const refreshing = executor.graphql.refreshSchema({ slug: "people", connection: main })
    await expect(refreshing).rejects.toBeInstanceOf(GraphQLSchemaError)
    await expect(refreshing).rejects.toThrow(/does not tell it to this connection/)
    expect(await executor.tools.list({ integration: "people" })).toHaveLength(11)
    await expect(executor.graphql.refreshSchema({ slug: "nobody" })).rejects.toBeInstanceOf(IntegrationNotFoundError)
    await expect(
      executor.graphql.refreshSchema({ slug: "people", connection: { ...main, integration: "other" } }),
    ).rejects.toBeInstanceOf(InvalidIntegrationInputError)
  })

  it.each([
    ["nonsense", /absolute http/],
    ["ftp://example.com/graphql", /absolute http/],
    ["wss://example.com/graphql", /subscriptions/],
    ["https://user:pass@example.com/graphql", /user information/],
  ])("refuses the endpoint %s and says why", async (endpoint, message) => {
    await using executor = await createExecutor({ plugins: [graphqlPlugin()] })
    const adding = executor.graphql.addIntegration({ slug: "people", endpoint, schema: typeDefs })
    await expect(adding).rejects.toBeInstanceOf(InvalidIntegrationInputError)
    await expect(adding).rejects.toThrow(message)
  })

  it.each([
    ["says that introspection is off", { status: 400, json: { errors: [{ message: "Introspection is disabled" }] } }],
    ["is no GraphQL service", { headers: { "content-type": "text/html" }, body: "<h1>Hello</h1>" }],
    ["has a fault", { status: 500, body: "" }],
  ])("refuses an endpoint that %s, and says to pass the schema", async (_, answer) => {
    await using upstream = await fakeUpstream(() => answer)
    await using executor = await createExecutor({
      plugins: [graphqlPlugin()],
      egress: { allowHosts: [upstream.host] },
    })
    const adding = executor.graphql.addIntegration({ slug: "a", endpoint: `${upstream.origin}/graphql?key=k` })
    await expect(adding).rejects.toBeInstanceOf(GraphQLSchemaError)
    await expect(adding).rejects.toThrow(/pass the schema/)
    await expect(adding).rejects.not.toThrow(/key=k/)
    expect(await executor.integrations.list()).toEqual([])
  })

  it("asks an older service in the words that it knows", async () => {
    await using service = await startService()
    const answer = JSON.parse(await introspectionOf(service.endpoint)) as object
    await using upstream = await fakeUpstream((request) =>
      request.text.includes("isOneOf")
        ? { status: 400, json: { errors: [{ message: 'Cannot query field "isOneOf" on type "__Type".' }] } }
        : { json: answer },
    )
    await using executor = await createExecutor({
      plugins: [graphqlPlugin()],
      egress: { allowHosts: [upstream.host] },
    })
    await executor.graphql.addIntegration({ slug: "people", endpoint: upstream.origin })
    expect(upstream.requests).toHaveLength(2)
  })

  it("does not reach internal addresses", async () => {
    await using upstream = await fakeUpstream(() => ({ json: {} }))
    await using executor = await createExecutor({ plugins: [graphqlPlugin()] })
    await expect(executor.graphql.addIntegration({ slug: "a", endpoint: upstream.origin })).rejects.toThrow(/internal/)
    expect(upstream.requests).toEqual([])
  })
})

describe("previewIntegration", () => {
  it("shows the tools and what is left out, and stores nothing", async () => {
    await using service = await startService()
    const preview = await service.executor.graphql.previewIntegration({ endpoint: service.endpoint })
    expect(preview).toMatchObject({
      isCredentialRequired: false,
      warnings: [expect.stringMatching(/1 subscriptions? .*left out/)],
    })
    expect(preview.tools).toHaveLength(10)
    expect(preview.tools[8]).toMatchObject({ name: "mutation.createPerson", kind: "mutation" })
    expect(await service.executor.integrations.list()).toEqual([])
  })

  it("says when a credential is required", async () => {
    await using service = await startService({ token: "t" })
    expect(await service.executor.graphql.previewIntegration({ endpoint: service.endpoint })).toMatchObject({
      isCredentialRequired: true,
      tools: [],
    })
  })
})

describe("a call", () => {
  const withService = async () => {
    const service = await startService({ token: canary("token") })
    await service.executor.graphql.addIntegration({ slug: "people", endpoint: service.endpoint, schema: typeDefs })
    await service.connect()
    return service
  }

  it("gives the field's value with the default selection", async () => {
    await using service = await withService()
    expect(await service.call("query.person", { id: 1 })).toMatchObject({
      ok: true,
      data: { id: "1", name: "Ada", role: "ADMIN", team: { id: "t1", name: "Red" } },
      http: { status: 200 },
    })
    expect(await service.call("query.person", { id: "none" })).toMatchObject({ ok: true, data: null })
    expect(await service.call("query.find", { text: "a" })).toMatchObject({
      ok: true,
      data: [
        { __typename: "Person", name: "Ada" },
        { __typename: "Team", name: "Red" },
      ],
    })
    expect(await service.call("query.people", { filter: { and: [{ role: "ADMIN" }] } })).toMatchObject({
      ok: true,
      data: { totalCount: 1, nodes: [{ name: "Ada" }], pageInfo: { hasNextPage: false } },
    })
    expect(await service.call("mutation.createPerson", { input: { name: "Bob" } })).toMatchObject({
      ok: true,
      data: { person: { id: "2", name: "Bob" } },
    })
  })

  it("selects what the caller asks for, judged by the schema before anything is sent", async () => {
    await using service = await withService()
    expect(await service.call("query.person", { id: "1", select: "{ posts(first: 2) { title } }" })).toMatchObject({
      ok: true,
      data: { posts: [{ title: "First 2" }] },
    })
    expect(await service.call("query.person", { id: "1", select: "name # no more" })).toMatchObject({
      data: { name: "Ada" },
    })
    const before = service.seen.length
    for (const select of [
      "{ nope }",
      "{ posts { title } }",
      "{ team }",
      "{ }",
      "{ name",
      "name } mutation { deletePerson(id: 1)",
      "{ name } { deletePerson(id: 1) }",
      "name } deletePerson(id: 1) { x",
      "mutation { deletePerson(id: 1) }",
      "{ ...F }",
      `{ ${"team { ".repeat(5_000)}`,
      " ",
    ]) {
      const result = await service.call("query.person", { id: "1", select })
      expect([select.slice(0, 60), result]).toMatchObject([
        select.slice(0, 60),
        { ok: false, error: { code: "invalid_arguments", details: { issues: [{ path: "/select" }] } } },
      ])
    }
    expect(service.seen).toHaveLength(before)
  })

  it("passes arguments as variables only", async () => {
    await using service = await withService()
    for (const text of ['") { id } mutation { deletePerson(id: 1) } #', "${text}", "\u0000\ud800", "$text"]) {
      const result = await service.call("query.echo", { text })
      const sent = service.seen.at(-1)
      expect(sent?.query).toBe("query echo($text: String) {\n  echo(text: $text)\n}")
      expect([sent?.variables, result.ok]).toEqual([
        { text: text.toWellFormed() === text ? text : expect.anything() },
        true,
      ])
    }
    await service.call("query.echo")
    expect(service.seen.at(-1)?.variables).toEqual({})
  })

  it("of the raw tool runs queries with variables, and refuses the rest with a reason", async () => {
    await using service = await withService()
    const query = "query A($id: ID!) { person(id: $id) { name } } query B { whoami }"
    expect(await service.call("query", { query, variables: { id: "1" }, operationName: "A" })).toMatchObject({
      ok: true,
      data: { person: { name: "Ada" } },
    })
    const before = service.seen.length
    expect(await service.call("query", { query: "mutation { deletePerson(id: 1) }" })).toMatchObject({
      error: { code: "mutation_refused", message: expect.stringContaining("mutation.deletePerson"), retryable: false },
    })
    expect(await service.call("query", { query: "subscription { personAdded { id } }" })).toMatchObject({
      error: { code: "subscription_refused", message: expect.stringContaining("stream") },
    })
    for (const [text, problem] of [
      ["{ nope }", "Cannot query field"],
      ["{ person { id } }", "is required"],
      ["{ person(id: 1) }", "must have a selection"],
      ["nonsense", "cannot be parsed"],
      ["fragment F on Query { whoami }", "no operation"],
      [query, "operationName"],
      ["type Query { a: Int }", "no operation"],
      [`{ ${Array.from({ length: 2_000 }, (_, index) => `a${index}: whoami`).join(" ")} }`, "token"],
    ] as const) {
      expect([text.slice(0, 40), await service.call("query", { query: text })]).toMatchObject([
        text.slice(0, 40),
        { ok: false, error: { code: "invalid_arguments", message: expect.stringContaining(problem) } },
      ])
    }
    expect(service.seen).toHaveLength(before)
  })

  it("tells data with errors from errors without", async () => {
    await using service = await withService()
    expect(await service.call("query.person", { id: "1", select: "name broken" })).toMatchObject({
      ok: false,
      error: {
        code: "partial_result",
        message: expect.stringContaining("Broken."),
        retryable: false,
        details: {
          data: { name: "Ada", broken: null },
          errors: [{ message: "Broken.", path: ["person", "broken"], type: "INTERNAL_SERVER_ERROR" }],
        },
      },
    })
    expect(await service.call("query.strict")).toMatchObject({
      ok: false,
      error: { code: "graphql_error", message: expect.stringContaining("Not to be had") },
    })
    expect(await service.call("query.fail", { code: "NOT_FOUND" })).toMatchObject({ error: { code: "not_found" } })
    expect(await service.call("query.fail", { code: "RATE_LIMITED" })).toMatchObject({
      error: { code: "rate_limited", retryable: true },
    })
  })

  it("reports a credential that a 200 turns down like one that a 401 does", async () => {
    const token = canary("token")
    await using service = await startService({ token: "another", refusal: "200" })
    const { executor, endpoint } = service
    await executor.graphql.addIntegration({ slug: "people", endpoint, schema: typeDefs })
    await service.connect(token)
    const result = await service.call("query.whoami")
    expect(result).toMatchObject({
      ok: false,
      error: {
        code: "connection_rejected",
        details: {
          category: "authentication",
          connection: "tools.people.org.main",
          reason: "graphql_error",
          authRequired: true,
          nextStep: expect.stringContaining("Sign in first"),
        },
      },
    })
    new CanaryScanner([token]).expectNone(result, "the result")
  })

  it("never hands out the credential that a service echoes", async () => {
    await using service = await withService()
    const result = await service.call("query.whoami")
    const token = service.seen.at(-1)?.headers.authorization?.slice("Bearer ".length) ?? ""
    expect(token).not.toBe("")
    expect(result.ok).toBe(true)
    new CanaryScanner([token]).expectNone(result, "the result")
  })
})

const introspectionOf = async (endpoint: string): Promise<string> => {
  const { getIntrospectionQuery } = await import("graphql")
  const response = await fetch(endpoint, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query: getIntrospectionQuery({ inputValueDeprecation: true }) }),
  })
  return response.text()
}
