/**
 * An account connected from a program that has no browser: `pnpm --filter @keyward/example-09-device-code start`.
 *
 * The person opens a page elsewhere and types in a code; the program asks in the meantime, no sooner than it may, and a restart of it
 * changes nothing. Against an authorization server and an API on this machine. It asserts what it prints.
 */
import assert from "node:assert/strict"
import { createExecutor, credentialProvider, definePlugin, memoryStore, OAuthCompleteError } from "@keyward/core"
import { CanaryScanner, misbehavingAuthorizationServer } from "@keyward/core/testing"

await using server = await misbehavingAuthorizationServer({
  // The person needs a moment: the first question comes too early. Real servers ask for 5 seconds between two.
  device: { pending: 1, interval: 1 },
})

const account = definePlugin({
  id: "account",
  extension: (ctx) => ({
    add: () =>
      ctx.integrations.register({
        slug: "account",
        baseUrl: server.origin,
        authTemplates: [{ slug: "oauth", type: "oauth2", scopes: ["notes:read"] }],
      }),
  }),
  resolveTools: () => [{ name: "read", annotations: { readOnlyHint: true } }],
  invokeTool: async ({ send }) => (await send({ url: "/resource" })).json(),
})

// What lasts longer than the program: in reality a database and a vault.
const store = memoryStore()
const items = new Map<string, string>()
const vault = credentialProvider({
  key: "vault",
  get: (id) => items.get(id),
  set: (id, value) => void items.set(id, value),
  delete: (id) => void items.delete(id),
})
const start = async () => {
  const executor = await createExecutor({
    subject: "ada",
    plugins: [account],
    providers: [vault],
    store,
    egress: { allowHosts: [server.host] },
  })
  await executor.account.add()
  return executor
}

console.log("1. A flow begins, and the person is told where to go:")
const executor = await start()
await executor.oauth.createClient({
  owner: "org",
  slug: "terminal",
  grant: "device_code",
  issuer: server.issuer,
  clientId: "terminal",
})
const target = {
  client: "terminal",
  clientOwner: "org",
  owner: "user",
  integration: "account",
  name: "laptop",
  template: "oauth",
} as const
const started = await executor.oauth.start(target)
assert.ok(started.status === "device")
const { state, userCode, verificationUri, interval } = started
console.log(`   Open ${verificationUri} and enter ${userCode}. Asking every ${interval} s.`)

console.log("\n2. Asking too early asks nobody:")
const early = await executor.oauth.poll(state)
assert.ok(early.status === "pending")
assert.equal(server.requests("token").length, 0)
console.log(`   pending, and no request was made; next in ${Math.round((early.nextPollAt - Date.now()) / 100) / 10} s`)

console.log("\n3. The program is restarted. The flow and its clock are where they were:")
await executor.close()
await using restarted = await start()
const again = await restarted.oauth.poll(state)
assert.deepEqual(again, early)
console.log("   the same answer, from the store")

console.log("\n4. The person types in the code:")
const received: Array<unknown> = [early, again]
for (;;) {
  const answer = await restarted.oauth.poll(state)
  received.push(answer)
  if (answer.status === "connected") {
    console.log(`   ${answer.connection.address} after ${server.requests("token").length} questions`)
    break
  }
  await new Promise((resolve) => setTimeout(resolve, answer.nextPollAt - Date.now()))
}
assert.equal(server.requests("token").length, 2)
const result = await restarted.execute("tools.account.user.laptop.read")
received.push(result)
assert.ok(result.ok)
console.log("   read →", result.data)

console.log("\n5. Another flow for the same connection, and this time the person says no:")
server.behave({ device: { outcome: "deny", interval: 1 } })
const second = await restarted.oauth.start(target)
assert.ok(second.status === "device")
await new Promise((resolve) => setTimeout(resolve, second.interval * 1000))
await assert.rejects(restarted.oauth.poll(second.state), (error) => {
  assert.ok(error instanceof OAuthCompleteError && error.reason === "access_denied")
  console.log(`   ${error.message}`)
  received.push(error)
  return true
})
assert.ok((await restarted.execute("tools.account.user.laptop.read")).ok)
console.log("   the connection that was there still works")

const codes = new Set([userCode, second.userCode]) // which are for showing
const secrets = server.secrets.filter((secret) => !codes.has(secret))
new CanaryScanner(secrets).expectNone(received, "what the caller received")
console.log(`\n6. ${received.length} things came back, and neither a device code nor a token is in any of them.`)
