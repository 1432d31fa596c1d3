/**
 * A GraphQL service that tells its schema to accounts only: its tools, what they take, what they give back, and how failures read.
 *
 * Run it with `pnpm --filter @keyward/example-18-graphql start`. It asserts what it prints, and needs no network.
 */
import assert from "node:assert/strict"
import { createExecutor, memoryProvider } from "@keyward/core"
import { canary, CanaryScanner } from "@keyward/core/testing"
import { graphqlPlugin } from "@keyward/plugin-graphql"
import { startLibraryService } from "./libraryService.ts"

const token = canary("library-token")
await using service = await startLibraryService(token)
await using executor = await createExecutor({
  plugins: [graphqlPlugin()],
  providers: [memoryProvider()],
  egress: { allowHosts: [service.host] }, // this machine is off limits unless it is listed
})
const received: Array<unknown> = []

console.log("1. The service tells strangers nothing, so there is one tool at first:")
const { endpoint } = service
const preview = await executor.graphql.previewIntegration({ endpoint })
assert.equal(preview.isCredentialRequired, true)
await executor.graphql.addIntegration({ slug: "library", endpoint })
const main = { owner: "org", integration: "library", name: "main" } as const
const { address } = await executor.connections.create({ ...main, template: "bearer", value: token })
assert.deepEqual(await toolNames(), ["query"])
console.log(`   ${address}.query`)

console.log("\n2. Asked with the connection, it tells its schema:")
await executor.graphql.refreshSchema({ slug: "library", connection: main })
assert.deepEqual(await toolNames(), ["query.book", "query.books", "mutation.createLoan", "query"])
for (const { name, annotations } of await executor.tools.list()) {
  console.log(`   ${name}${annotations.readOnlyHint === true ? " (only reads)" : ""}`)
}

console.log("\n3. A tool's input says what to send, and what comes back without a wish:")
const schema = await executor.tools.schema(`${address}.query.books`)
const properties = schema?.inputSchema["properties"] as Record<string, { default?: unknown }>
assert.deepEqual(Object.keys(properties), ["genre", "limit", "select"])
assert.equal(properties["select"]?.default, "{id title genre author{id name biography}}")
console.log(JSON.stringify(schema?.inputSchema["$defs"]), properties["select"].default)

console.log("\n4. A tool is called, with arguments as variables:")
const found = await call("query.books", { genre: "SCIENCE" })
assert.deepEqual(found, [
  { id: "2", title: "Relativity", genre: "SCIENCE", author: { id: "b", name: "Albert Einstein", biography: null } },
])
console.log("   books →", found)

console.log("\n5. The caller says what it wants back:")
const lent = await call("mutation.createLoan", { input: { book: "1", reader: "Grace" }, select: "{ left }" })
assert.deepEqual(lent, { left: 2 })
console.log("   createLoan →", lent)
const own = await call("query", { query: "{ book(id: 1) { title loans(first: 1) { reader } } }" })
assert.deepEqual(own, { book: { title: "Frankenstein", loans: [{ reader: "Ada" }] } })
console.log("   a query of its own →", own)

console.log("\n6. What does not fit the schema is not sent:")
const before = service.requests()
for (const [tool, args, code] of [
  ["query.book", { id: "1", select: "{ titel }" }, "invalid_arguments"],
  ["query.books", { genre: "POETRY" }, "invalid_arguments"],
  ["query", { query: "mutation { createLoan }" }, "mutation_refused"],
  ["query", { query: "subscription { bookReturned { id } }" }, "subscription_refused"],
] as const) {
  const refused = await failure(tool, args)
  assert.equal(refused.code, code)
  console.log(`   ${refused.code}: ${refused.message}`)
}
assert.equal(service.requests(), before, "Nothing was sent.")

console.log("\n7. Half an answer, and a credential that is turned down inside a 200:")
const partial = await failure("query.book", { id: "1", select: "{ title shelf }" })
assert.equal(partial.code, "partial_result")
assert.deepEqual((partial.details as { data: unknown }).data, { title: "Frankenstein", shelf: null })
console.log(`   ${partial.code}: ${partial.message}`)
await executor.connections.create({ ...main, template: "bearer", value: canary("revoked-token") })
const rejected = await failure("query.book", { id: "1" })
assert.equal(rejected.code, "connection_rejected")
console.log(`   ${rejected.code}: ${rejected.message}`)

new CanaryScanner([token]).expectNone(received, "what the caller received")
console.log(`\n8. ${received.length} things came back, and the token is in none of them.`)

async function toolNames(): Promise<ReadonlyArray<string>> {
  return (await executor.tools.list({ integration: "library" })).map(({ name }) => name)
}

async function call(tool: string, args: Record<string, unknown>): Promise<unknown> {
  const result = await executor.execute(`${address}.${tool}`, args)
  received.push(result)
  assert.ok(result.ok, JSON.stringify(result))
  return JSON.parse(JSON.stringify(result.data)) as unknown
}

async function failure(tool: string, args: Record<string, unknown>) {
  const result = await executor.execute(`${address}.${tool}`, args)
  received.push(result)
  assert.ok(!result.ok, `${tool} succeeded`)
  return result.error
}
