/**
 * Whose account a call runs as: `pnpm --filter @keyward/example-14-identity-modes start`.
 *
 * Against an authorization server and an API on this machine. It asserts what it prints.
 */
import assert from "node:assert/strict"
import { randomBytes } from "node:crypto"
import {
  createExecutor,
  definePlugin,
  type ExecutorEvent,
  IdentityModeError,
  InvalidSealedIdentityError,
  memoryProvider,
  sealIdentity,
  SubjectRequiredError,
  type ToolResult,
} from "@keyward/core"
import { canary, CanaryScanner, fakeUpstream, misbehavingAuthorizationServer } from "@keyward/core/testing"

await using server = await misbehavingAuthorizationServer({ clients: [{ clientId: "calendar-app" }] })
await using shop = await fakeUpstream(() => ({ json: { orders: [] } }))

const services = definePlugin({
  id: "services",
  catalog: "integration",
  extension: (ctx) => ({
    add: () =>
      Promise.all([
        ctx.integrations.register({
          slug: "ozon",
          baseUrl: shop.origin,
          authTemplates: [{ slug: "bearer", type: "bearer" }],
        }),
        ctx.integrations.register({
          slug: "calendar",
          baseUrl: server.origin,
          identityMode: "per_user",
          authTemplates: [{ slug: "oauth", type: "oauth2", scopes: ["events:read"], issuer: server.issuer }],
        }),
      ]),
  }),
  resolveTools: () => [{ name: "list", annotations: { readOnlyHint: true } }],
  invokeTool: async ({ send, integration }) =>
    (await send({ url: integration.slug === "ozon" ? "/orders" : "/resource" })).status,
})

const seal = { keys: [{ id: "2026-11", secret: new Uint8Array(randomBytes(32)) }], audience: "workers" }
const events: Array<ExecutorEvent> = []
await using executor = await createExecutor({
  tenant: "acme",
  plugins: [services],
  providers: [memoryProvider()],
  redirectUri: "https://app.acme.example/oauth/callback",
  connectUrl: ({ integration }) => `https://app.acme.example/connect/${integration}`,
  sealedIdentity: seal,
  egress: { allowHosts: [server.host, shop.host] },
  onEvent: (event) => void events.push(event),
})
await executor.services.add()
await executor.oauth.createClient({
  owner: "org",
  slug: "calendar",
  grant: "authorization_code",
  issuer: server.issuer,
  clientId: "calendar-app",
})
const received: Array<unknown> = [events]
const alice = executor.withIdentity({ subject: "alice" })

const secrets = [canary("cabinet-one"), canary("cabinet-two"), canary("own")] as const
const cabinets = { owner: "org", integration: "ozon" } as const
const connect = async (name: string, identityLabel: string, value: string): Promise<void> => {
  const template = "bearer"
  received.push(await executor.connections.create({ ...cabinets, name, identityLabel, template, value }))
}
const ran = (result: ToolResult): string => {
  received.push(result)
  assert.ok(result.ok, JSON.stringify(result))
  return `${result.account?.connection ?? "?"} (${result.account?.chosenBy ?? "?"})`
}
const codeOf = (result: ToolResult): string => {
  received.push(result)
  assert.ok(!result.ok)
  return result.error.code
}

console.log("1. One cabinet needs no choice:")
await connect("topZip", "Top Zip", secrets[0])
assert.equal(ran(await executor.call("ozon", "list")), "tools.ozon.org.topZip (only)")
assert.equal(shop.requests.at(-1)?.headers.authorization, `Bearer ${secrets[0]}`)
console.log("   ran as tools.ozon.org.topZip, the only one")

console.log("\n2. With a second one, nobody guesses:")
await connect("megaStore", "Mega Store", secrets[1])
const ambiguous = await executor.execute("tools.ozon.list")
assert.equal(codeOf(ambiguous), "ambiguous_account")
assert.ok(!ambiguous.ok)
console.log(`   ${ambiguous.error.message}`)

console.log("\n3. A call names the account, or the host marks a default:")
assert.equal(
  ran(await executor.call("ozon", "list", {}, { account: "ozon:Top Zip" })),
  "tools.ozon.org.topZip (account)",
)
await executor.connections.setDefault({ ...cabinets, name: "megaStore" })
assert.equal(ran(await executor.call("ozon", "list")), "tools.ozon.org.megaStore (default)")
assert.equal(shop.requests.at(-1)?.headers.authorization, `Bearer ${secrets[1]}`)
console.log("   ozon:Top Zip by its label, megaStore by default")

console.log("\n4. Under `either` a user's own comes first, and a model may ask for the organisation's:")
const own = { owner: "user", integration: "ozon", name: "mine" } as const
await alice.connections.create({ ...own, template: "bearer", value: secrets[2] })
assert.equal(ran(await alice.call("ozon", "list")), "tools.ozon.user.mine (only)")
assert.equal(ran(await alice.call("ozon", "list", { _identity: "org" })), "tools.ozon.org.megaStore (default)")
const schema = await alice.tools.schema("tools.ozon.list")
assert.ok(JSON.stringify(schema?.inputSchema).includes("_identity"))
console.log("   tools.ozon.user.mine, and with _identity tools.ozon.org.megaStore")

console.log("\n5. A pinned mode leaves no choice:")
await executor.integrations.setIdentityMode("ozon", "shared")
assert.equal(ran(await alice.call("ozon", "list")), "tools.ozon.org.megaStore (default)")
await assert.rejects(alice.call("ozon", "list", {}, { identity: "user" }), IdentityModeError)
await assert.rejects(alice.execute("tools.ozon.user.mine.list"), IdentityModeError)
assert.ok((await alice.tools.list({ integration: "ozon" })).every(({ owner }) => owner === "org"))
console.log("   shared: hers is refused, and not listed")

console.log("\n6. Nobody in particular cannot use a calendar that is each user's own:")
await assert.rejects(executor.call("calendar", "list"), SubjectRequiredError)
const missing = await alice.call("calendar", "list")
assert.equal(codeOf(missing), "connection_required")
assert.ok(!missing.ok)
const { authorizeUrl, connectUrl } = missing.error.details as {
  readonly authorizeUrl: string
  readonly connectUrl: string
}
assert.equal(connectUrl, "https://app.acme.example/connect/calendar")
console.log(`   ${missing.error.code}: ${missing.error.message}`)

console.log("\n7. She follows the address, and the same call succeeds:")
received.push(await alice.oauth.complete({ callbackUrl: await server.visit(authorizeUrl) }))
assert.equal(ran(await alice.call("calendar", "list")), "tools.calendar.user.main (only)")
console.log("   ran as tools.calendar.user.main")

console.log("\n8. The edge seals who she is; a worker believes that, once, and nothing else:")
const token = await sealIdentity({ tenant: "acme", subject: "alice" }, seal)
const worker = await executor.withSealedIdentity(token)
assert.deepEqual(worker.identity, { tenant: "acme", subject: "alice" })
assert.equal(ran(await worker.call("calendar", "list")), "tools.calendar.user.main (only)")
for (const not of [token, "alice", `${token}x`]) {
  await assert.rejects(executor.withSealedIdentity(not), InvalidSealedIdentityError)
}
console.log("   opened once; replayed, made up and changed tokens are refused")

const told = events.filter(({ type }) => type === "account.not_selected")
assert.deepEqual(
  told.map((event) => (event as { readonly code: string }).code),
  ["ambiguous_account", "IdentityModeError", "IdentityModeError", "SubjectRequiredError", "connection_required"],
)
console.log(`\n9. The host was told of ${told.length} calls for which no account was chosen.`)

new CanaryScanner([...secrets, ...server.secrets]).expectNone(received, "what the host received")
console.log(`   ${received.length} things came back, and no secret is in any of them.`)
