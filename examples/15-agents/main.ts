/**
 * Agents that may use what they were granted, a share between users, and a sub-agent: `pnpm --filter @keyward/example-15-agents start`.
 *
 * Against a service on this machine that tells whose key it got. It asserts what it prints.
 */
import assert from "node:assert/strict"
import { AccessDeniedError, ConnectionNotFoundError, createExecutor, definePlugin, memoryProvider } from "@keyward/core"
import { fakeUpstream } from "@keyward/core/testing"

const owners = new Map([
  ["Bearer key-of-acme", "the organisation"],
  ["Bearer key-of-ada", "Ada"],
])
await using service = await fakeUpstream(({ headers }) => ({
  json: { account: owners.get(headers.authorization ?? "") ?? "nobody" },
}))

const tracker = definePlugin({
  id: "tracker",
  catalog: "integration",
  extension: (ctx) => ({
    add: () =>
      ctx.integrations.register({
        slug: "tracker",
        baseUrl: service.origin,
        authTemplates: [{ slug: "key", type: "bearer" }],
      }),
  }),
  resolveTools: () => [
    { name: "issues.list", annotations: { readOnlyHint: true } },
    { name: "issues.create", annotations: { readOnlyHint: false, destructiveHint: false } },
  ],
  invokeTool: async ({ send }) => (await send({ url: "/" })).json(),
})
await using executor = await createExecutor({
  tenant: "acme",
  plugins: [tracker],
  providers: [memoryProvider()],
  egress: { allowHosts: [service.host] },
  onElicitation: "accept-all",
})
await executor.tracker.add()
const ada = executor.withIdentity({ subject: "ada" })
const team = { owner: "org", integration: "tracker", name: "team" } as const
const own = { owner: "user", integration: "tracker", name: "own" } as const
await executor.connections.create({ ...team, template: "key", value: "key-of-acme" })
await ada.connections.create({ ...own, template: "key", value: "key-of-ada" })

console.log("1. An agent begins with nothing, not even names:")
const { id, key } = await executor.agents.create({ id: "triage", integrations: ["tracker"], key: true })
assert.ok(key !== undefined)
const triage = await ada.asAgent(key)
assert.deepEqual(await triage.tools.list(), [])
await assert.rejects(triage.execute("tools.tracker.org.team.issues.list"), ConnectionNotFoundError)
console.log("   no tool, no connection")

console.log("\n2. The organisation grants its account for reading, Ada hers for everything:")
await executor.agents.grant(id, { connection: team, access: "read" })
await ada.agents.grant(id, { connection: own, access: ["read", "write"], tools: ["issues.*"] })
for (const { address } of await triage.tools.list()) console.log(`   ${address}`)
await assert.rejects(triage.execute("tools.tracker.org.team.issues.create"), AccessDeniedError)
const accountOf = async (agent: Pick<typeof triage, "execute">, address: string): Promise<unknown> => {
  const result = await agent.execute(address)
  assert.ok(result.ok)
  return (result.data as { readonly account: string }).account
}
assert.equal(await accountOf(triage, "tools.tracker.org.team.issues.list"), "the organisation")
assert.equal(await accountOf(triage, "tools.tracker.user.own.issues.create"), "Ada")

console.log("\n3. What Ada granted counts while it acts for her:")
const forGrace = await executor.withIdentity({ subject: "grace" }).asAgent(id)
assert.deepEqual(
  (await forGrace.connections.list()).map(({ address }) => address),
  ["tools.tracker.org.team"],
)
console.log("   for Grace there is the organisation's account only")

console.log("\n4. A sub-agent gets less, never more:")
const helper = await triage.subAgents.create({ id: "helper", integrations: ["tracker"] })
await assert.rejects(triage.subAgents.grant(helper.id, { connection: team, access: "write" }), /does not have "write"/)
await triage.subAgents.grant(helper.id, { connection: own, access: "read", tools: ["issues.list"] })
const byHelper = await ada.asAgent(helper.id)
assert.equal(await accountOf(byHelper, "tools.tracker.user.own.issues.list"), "Ada")
await ada.agents.revoke(id, own)
await assert.rejects(byHelper.execute("tools.tracker.user.own.issues.list"), ConnectionNotFoundError)
console.log("   and it ended for the helper when it ended for the agent")

console.log("\n5. Ada lends Grace her account for reading, under a name that says whose it is:")
const grace = executor.withIdentity({ subject: "grace" })
const shared = await ada.connections.share(own, { with: { subject: "grace" }, access: "read", as: "work" })
const [lent] = await grace.connections.list({ owner: "user" })
assert.equal(lent?.sharedBy, "ada")
assert.equal(await accountOf(grace, "tools.tracker.user.workOfAda.issues.list"), "Ada")
console.log(`   ${shared.as}, by ${lent.sharedBy}, for ${String(lent.access?.join())}`)
await ada.connections.unshare(own, { subject: "grace" })
await assert.rejects(grace.execute("tools.tracker.user.workOfAda.issues.list"), ConnectionNotFoundError)

console.log("\n6. A key that is replaced ends the executors that were made by it:")
const { key: next } = await executor.agents.rotateKey(id)
await assert.rejects(triage.tools.list(), { _tag: "InvalidAgentKeyError" })
assert.equal((await (await executor.asAgent(next)).connections.list()).length, 1)
console.log("   the agent goes on with the next one")
