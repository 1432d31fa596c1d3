/**
 * Rules about calls, and people who approve them now or later: `pnpm --filter @keyward/example-16-approvals start`.
 *
 * It asserts what it prints, without a network.
 */
import assert from "node:assert/strict"
import { randomBytes } from "node:crypto"
import { createExecutor, definePlugin, memoryProvider, ToolBlockedError } from "@keyward/core"

const done: Array<string> = []
const repositories = definePlugin({
  id: "repositories",
  catalog: "integration",
  extension: (ctx) => ({ add: () => ctx.integrations.register({ slug: "github", name: "GitHub" }) }),
  resolveTools: () => [
    { name: "repos/get", annotations: { readOnlyHint: true } },
    { name: "repos/delete", annotations: { title: "Delete a repository", destructiveHint: true } },
    { name: "repos/transfer" },
  ],
  invokeTool: ({ tool, args }) => {
    done.push(`${tool.name} ${String(args["repo"])}`)
    return "done"
  },
})

await using executor = await createExecutor({
  tenant: "acme",
  plugins: [repositories],
  providers: [memoryProvider()],
  onElicitation: "defer",
  approvals: { key: randomBytes(32) },
})
await executor.repositories.add()
await executor.connections.create({
  owner: "org",
  integration: "github",
  name: "main",
  template: "none",
  identityLabel: "acme-bot",
})
const alice = executor.withIdentity({ subject: "alice" })
const tool = (name: string): string => `tools.github.org.main.${name}`

console.log("1. What reads is called at once; what may destroy, or does not say, asks:")
for (const name of ["repos/get", "repos/delete", "repos/transfer"]) {
  const { action, reason } = await alice.policies.resolve(tool(name))
  console.log(`   ${name}: ${action}, ${reason}`)
}
assert.ok((await alice.execute(tool("repos/get"), { repo: "site" })).ok)

console.log("\n2. A call that needs a person waits for one, and says so to the model:")
const deletion = { repo: "site", token: "not-for-everyone" }
const asked = await alice.execute(tool("repos/delete"), deletion)
assert.ok(!asked.ok && asked.error.code === "approval_required")
console.log(`   ${asked.error.code}`)

console.log("\n3. Alice reads what will happen, and agrees once:")
const [question] = await alice.approvals.list({ status: "pending" })
assert.ok(question)
console.log(`   ${question.what}`)
assert.ok(!JSON.stringify(question).includes("not-for-everyone"))
assert.deepEqual(await executor.withIdentity({ subject: "bob" }).approvals.list(), [])
await alice.approvals.answer(question.id, { action: "accept" })
assert.ok(!(await alice.execute(tool("repos/delete"), { repo: "another" })).ok)
assert.ok((await alice.execute(tool("repos/delete"), deletion)).ok)
assert.ok(!(await alice.execute(tool("repos/delete"), deletion)).ok)
console.log("   with these arguments it ran, with others it did not, and a second time it asks again")

console.log("\n4. Another answer holds for the conversation:")
const inTalk = { conversation: "talk-7" }
const first = await alice.execute(tool("repos/transfer"), { repo: "a" }, inTalk)
assert.ok(!first.ok)
const { approvalId } = first.error.details as { readonly approvalId: string }
await alice.approvals.answer(approvalId, { action: "accept", remember: "conversation" })
for (const repo of ["a", "b"]) assert.ok((await alice.execute(tool("repos/transfer"), { repo }, inTalk)).ok)
assert.ok(!(await alice.execute(tool("repos/transfer"), { repo: "a" }, { conversation: "talk-8" })).ok)
await alice.approvals.revoke(approvalId)
assert.ok(!(await alice.execute(tool("repos/transfer"), { repo: "a" }, inTalk)).ok)
console.log("   in talk-7 only, and until Alice takes it back")

console.log("\n5. The organisation blocks deleting; it is gone from lists, and no user can loosen that:")
const rule = await executor.policies.create({
  owner: "org",
  pattern: "tools.github.*.*.repos/delete*",
  action: "block",
})
await alice.policies.create({ owner: "user", pattern: "*", action: "approve" })
const names = (await alice.tools.list()).map(({ name }) => name)
assert.deepEqual(names, ["repos/get", "repos/transfer"])
await assert.rejects(alice.execute(tool("repos/delete"), deletion), (error) => {
  assert.ok(error instanceof ToolBlockedError && error.rule === rule.id)
  console.log(`   ${error.message}`)
  return true
})
assert.ok((await alice.execute(tool("repos/transfer"), { repo: "c" })).ok)
console.log("   her own rule spares her the question about transfers")

assert.deepEqual(done, [
  "repos/get site",
  "repos/delete site",
  "repos/transfer a",
  "repos/transfer b",
  "repos/transfer c",
])
console.log(`\n6. ${done.length} calls were made, each for a reason.`)
