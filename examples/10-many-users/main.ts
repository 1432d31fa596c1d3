/**
 * One OAuth app, many users, each with an account of their own: `pnpm --filter @keyward/example-10-many-users start`.
 *
 * Against an authorization server and an API on this machine. It asserts what it prints.
 */
import assert from "node:assert/strict"
import {
  ConnectionNotFoundError,
  createExecutor,
  definePlugin,
  type ExecutorEvent,
  memoryProvider,
} from "@keyward/core"
import { canary, CanaryScanner, misbehavingAuthorizationServer } from "@keyward/core/testing"

const clientSecret = canary("client-secret")
await using server = await misbehavingAuthorizationServer({
  clients: [{ clientId: "team-app", clientSecret }],
  accessTokenSeconds: 1,
})

const account = definePlugin({
  id: "account",
  extension: (ctx) => ({
    add: () =>
      ctx.integrations.register({
        slug: "account",
        baseUrl: server.origin,
        authTemplates: [{ slug: "oauth", type: "oauth2", scopes: ["mail:read"] }],
      }),
  }),
  resolveTools: () => [{ name: "read", annotations: { readOnlyHint: true } }],
  invokeTool: async ({ send }) => (await send({ url: "/resource" })).json(),
})
const events: Array<ExecutorEvent> = []
await using executor = await createExecutor({
  tenant: "acme",
  plugins: [account],
  providers: [memoryProvider()],
  redirectUri: "https://app.acme.example/oauth/callback",
  egress: { allowHosts: [server.host] },
  onEvent: (event) => void events.push(event),
})
await executor.account.add()

console.log("1. The organisation enters its app once:")
const client = await executor.oauth.createClient({
  owner: "org",
  slug: "mail",
  grant: "authorization_code",
  issuer: server.issuer,
  clientId: "team-app",
  clientSecret,
})
console.log(`   ${client.slug}, at ${client.issuer}`)

const mailbox = { owner: "user", integration: "account", name: "mailbox" } as const
const viewOf = (user: string) => executor.withIdentity({ subject: user })

console.log("\n2. Three users connect an account each:")
const users = ["ada", "grace", "linus"]
const received: Array<unknown> = [client, events]
for (const user of users) received.push(await connect(user))
const grantOf = async (user: string): Promise<unknown> => {
  const result = await viewOf(user).execute("tools.account.user.mailbox.read")
  received.push(result)
  assert.ok(result.ok)
  return (result.data as { readonly grant: string }).grant
}
const grants = new Map<string, unknown>()
for (const user of users) grants.set(user, await grantOf(user))
assert.equal(new Set(grants.values()).size, 3)
for (const user of users) console.log(`   ${user}: tools.account.user.mailbox, grant ${String(grants.get(user))}`)

console.log("\n3. The address is the same, and nobody reaches another one's account:")
assert.equal((await viewOf("ada").connections.list()).length, 1)
await assert.rejects(viewOf("mallory").execute("tools.account.user.mailbox.read"))
await assert.rejects(viewOf("mallory").connections.fetch(mailbox)("/resource"), ConnectionNotFoundError)
assert.equal(await executor.withIdentity({ tenant: "other", subject: "ada" }).connections.get(mailbox), null)
console.log("   Mallory, and an Ada of another tenant, see no connection")

console.log("\n4. Every token runs out, and everybody calls at once:")
await new Promise((resolve) => setTimeout(resolve, 1000))
server.behave({ accessTokenSeconds: 3600 })
const before = server.requests("token").length
const calls = users.flatMap((user) => Array.from({ length: 50 }, () => grantOf(user)))
const answers = await Promise.all(calls)
assert.deepEqual(new Set(answers), new Set(grants.values()))
const refreshes = server.requests("token").slice(before)
assert.deepEqual(
  refreshes.map(({ parameters }) => parameters.get("grant_type")),
  ["refresh_token", "refresh_token", "refresh_token"],
)
assert.equal(server.reuses, 0)
console.log(
  `   ${answers.length} calls, ${answers.length} answers, ${refreshes.length} refreshes, no refresh token used twice`,
)

console.log("\n5. Grace withdraws her consent. That is hers alone:")
server.expireAccessTokens()
server.next("token", { fault: "error", error: "invalid_grant" })
const ended = await viewOf("grace").execute("tools.account.user.mailbox.read")
received.push(ended)
assert.ok(!ended.ok && ended.error.code === "oauth_reauth_required")
const { authorizeUrl } = ended.error.details as { readonly authorizeUrl: string }
assert.equal((await viewOf("grace").connections.get(mailbox))?.statusReason, "grant_rejected")
assert.equal(await grantOf("ada"), grants.get("ada"))
const expired = events.filter(({ type }) => type === "connection.expired")
assert.deepEqual(
  expired.map(({ subject }) => subject),
  ["grace"],
)
console.log(`   ${ended.error.code}: ${ended.error.message}`)

console.log("\n6. She follows the address in the error, and is back in place:")
const callbackUrl = await server.visit(authorizeUrl)
await assert.rejects(viewOf("mallory").oauth.complete({ callbackUrl: await freshCallback("grace") }))
received.push(await viewOf("grace").oauth.complete({ callbackUrl }))
assert.notEqual(await grantOf("grace"), grants.get("grace"))
assert.equal((await viewOf("grace").connections.get(mailbox))?.status, "active")
console.log("   active again; nobody else could finish it for her")

console.log("\n7. The app is removed. Whoever needs new tokens is told what is missing:")
await executor.oauth.removeClient("org", "mail")
const orphaned = await viewOf("linus").execute("tools.account.user.mailbox.read")
received.push(orphaned)
assert.ok(!orphaned.ok && orphaned.error.code === "oauth_reauth_required")
assert.equal((await viewOf("linus").connections.get(mailbox))?.statusReason, "client_removed")
console.log(`   ${orphaned.error.message}`)

new CanaryScanner([clientSecret, ...server.secrets]).expectNone(received, "what the host received")
console.log(`\n8. ${received.length} things came back, and no secret is in any of them.`)

/** A user connects their account: to the server and back. */
async function connect(user: string) {
  return viewOf(user).oauth.complete({ callbackUrl: await freshCallback(user) })
}

/** Where the browser of a user who agreed comes back to. */
async function freshCallback(user: string): Promise<string> {
  const started = await viewOf(user).oauth.start({ ...mailbox, client: "mail", clientOwner: "org", template: "oauth" })
  assert.ok(started.status === "redirect")
  return server.visit(started.authorizationUrl)
}
