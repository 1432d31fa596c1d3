/**
 * A plugin of one's own: tools, arguments that are checked, the two ways of asking a person, and the contract suite.
 *
 * Run it with `pnpm --filter @keyward/example-03-own-integration start`. It asserts what it prints.
 */
import assert from "node:assert/strict"
import { createExecutor, ElicitationDeclinedError, type ElicitationRequest, memoryProvider } from "@keyward/core"
import { canary, pluginContract } from "@keyward/core/testing"
import { notesPlugin } from "./notes.ts"
import { startNotesService } from "./notesService.ts"

const token = canary("token")
await using service = await startNotesService(token)
await using executor = await createExecutor({
  plugins: [notesPlugin()],
  providers: [memoryProvider()],
  egress: { allowHosts: [service.host] },
})

console.log("1. The plugin adds a namespace to the executor:")
const integration = await executor.notes.add({ slug: "notes", baseUrl: service.origin })
const { address } = await executor.connections.create({
  owner: "org",
  integration: integration.slug,
  name: "team",
  template: "bearer",
  value: token,
})
for (const tool of await executor.tools.list()) console.log(`   ${tool.address}: ${tool.description}`)

console.log("\n2. A tool is called:")
const added = await executor.execute(`${address}.add`, { text: "Buy milk" })
assert.deepEqual(added, { ok: true, data: { id: "1", audience: "nobody", text: "Buy milk" } })
console.log("   add →", added)

console.log("\n3. Arguments are checked before anything is sent:")
const before = service.requests.length
const wrong = await executor.execute(`${address}.add`, { txt: "Buy milk" })
assert.ok(!wrong.ok && wrong.error.code === "invalid_arguments")
assert.equal(service.requests.length, before)
console.log(`   ${wrong.error.message}`)

console.log("\n4. What deletes needs a person's approval, and without anybody to answer it is declined:")
await assert.rejects(executor.execute(`${address}.delete`, { id: "1" }), (error) => {
  assert.ok(error instanceof ElicitationDeclinedError && error.action === "unanswered")
  console.log(`   ${error.message}`)
  return true
})
assert.equal(service.requests.length, before, "Nothing was sent.")

console.log("\n5. A plugin may ask a question of its own while it works:")
const questions: Array<ElicitationRequest> = []
const published = await executor.execute(
  `${address}.publish`,
  { id: "1" },
  {
    onElicitation: (request) => {
      questions.push(request)
      return { action: "accept", content: { audience: "team" } }
    },
  },
)
assert.deepEqual(published, { ok: true, data: { id: "1", audience: "team", text: "Buy milk" } })
assert.equal(questions[0]?.kind, "form")
console.log(`   asked: ${questions[0]?.message}  answered: team  →`, published)

console.log("\n6. With a person who agrees, the note is deleted:")
const deleted = await executor.execute(
  `${address}.delete`,
  { id: "1" },
  {
    onElicitation: (request) => {
      questions.push(request)
      return { action: "accept" }
    },
  },
)
assert.deepEqual(deleted, { ok: true, data: null })
console.log(`   asked: ${questions[1]?.message}  answered: accept  →`, deleted)

console.log("\n7. What the service refuses comes back as an error that a model can read:")
const gone = await executor.execute(`${address}.publish`, { id: "1" }, { onElicitation: "accept-all" })
assert.ok(!gone.ok && gone.error.status === 404)
console.log(`   ${gone.error.code}: ${gone.error.message}`)

console.log("\n8. The contract suite, run on the plugin:")
const cases = pluginContract(() => ({
  plugin: notesPlugin(),
  register: async (host, baseUrl) => ({
    slug: (await host.notes.add({ slug: "notes", baseUrl })).slug,
    template: "bearer",
  }),
  calls: [{ tool: "list" }, { tool: "add", args: { text: "Buy milk" } }, { tool: "delete", args: { id: "1" } }],
}))
for (const { name, run } of cases) {
  await run()
  console.log(`   ✓ ${name}`)
}
console.log(`   ${cases.length} sentences hold.`)
