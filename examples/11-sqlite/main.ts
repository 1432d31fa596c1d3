/**
 * A process that ends and starts again, and goes on where it was: `pnpm --filter @keyward/example-11-sqlite start`.
 *
 * Records and secrets are in one SQLite file, the secrets sealed with a key that is not in it. It works in a temporary folder and
 * asserts what it prints.
 */
import assert from "node:assert/strict"
import { randomBytes } from "node:crypto"
import { mkdtemp, readdir, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createExecutor, definePlugin } from "@keyward/core"
import { canary, CanaryScanner, fakeUpstream, misbehavingAuthorizationServer } from "@keyward/core/testing"
import { sqliteStore, sqlSecretProvider } from "@keyward/store-sql"

const folder = await mkdtemp(join(tmpdir(), "keyward-example-"))
const filename = join(folder, "keyward.db")
// A host takes this from its environment, a KMS or the OS keychain: `key` may be a function that fetches it.
const key = randomBytes(32).toString("base64")
const [secret, clientSecret] = [canary("billing"), canary("client-secret")]

await using upstream = await fakeUpstream({ "GET /me": { json: { name: "Ada" } } })
await using server = await misbehavingAuthorizationServer({
  clients: [{ clientId: "reporting", clientSecret }],
  rotation: "strict",
  accessTokenSeconds: 1,
})

const apis = definePlugin({
  id: "apis",
  extension: (ctx) => ({
    add: async () => {
      await ctx.integrations.register({
        slug: "billing",
        baseUrl: upstream.origin,
        authTemplates: [{ slug: "bearer", type: "bearer" }],
        config: "/me",
      })
      await ctx.integrations.register({
        slug: "account",
        baseUrl: server.origin,
        authTemplates: [{ slug: "oauth", type: "oauth2", scopes: ["reports:read"] }],
        config: "/resource",
      })
    },
  }),
  resolveTools: () => [{ name: "read", annotations: { readOnlyHint: true } }],
  invokeTool: async ({ send, integration }) => (await send({ url: integration.config as string })).json(),
})

/** What a process does when it starts. */
const start = () => {
  const store = sqliteStore({ filename })
  return createExecutor({
    subject: "ada",
    plugins: [apis],
    store,
    providers: [sqlSecretProvider({ store, key })],
    redirectUri: "https://app.example/oauth/callback",
    egress: { allowHosts: [upstream.host, server.host] }, // this machine is off limits unless it is listed
  })
}

console.log("1. The first run saves an API key and connects an account:")
const first = await start()
await first.apis.add()
const billing = await first.connections.create({
  owner: "org",
  integration: "billing",
  name: "main",
  template: "bearer",
  value: secret,
})
await first.oauth.createClient({
  owner: "org",
  slug: "app",
  grant: "authorization_code",
  issuer: server.issuer,
  clientId: "reporting",
  clientSecret,
})
const target = { owner: "user", integration: "account", name: "ada", template: "oauth" } as const
const started = await first.oauth.start({ ...target, client: "app", clientOwner: "org" })
assert.ok(started.status === "redirect")
const account = await first.oauth.complete({ callbackUrl: await server.visit(started.authorizationUrl) })
assert.ok((await first.execute(`${account.address}.read`)).ok)
await first.close()
console.log(`   ${billing.address} and ${account.address}, with keys kept by "${billing.provider}"`)
console.log(`   ${(await readdir(folder)).join(", ")}\n`)

console.log("2. The second run is asked for nothing:")
const second = await start()
const found = await second.connections.list()
assert.deepEqual(new Set(found.map(({ address }) => address)), new Set([billing.address, account.address]))
assert.ok(found.every(({ status }) => status === "active"))
assert.deepEqual(await second.execute(`${billing.address}.read`), { ok: true, data: { name: "Ada" } })
assert.equal(upstream.requests.at(-1)?.headers.authorization, `Bearer ${secret}`)
await new Promise((resolve) => setTimeout(resolve, 1000))
server.behave({ accessTokenSeconds: 3600 })
assert.ok((await second.execute(`${account.address}.read`)).ok)
assert.equal(server.requests("token").at(-1)?.parameters.get("grant_type"), "refresh_token")
console.log(`   both work; the account's token had run out and was refreshed`)
await second.close()

console.log("\n3. A third one uses what the second one got, and no token is asked for:")
const requests = server.requests("token").length
const third = await start()
assert.ok((await third.execute(`${account.address}.read`)).ok)
assert.equal(server.requests("token").length, requests)
assert.equal(server.reuses, 0)
await new CanaryScanner([secret, clientSecret, key]).expectNoneInFolder(folder)
await third.close()
await new CanaryScanner([secret, clientSecret, key]).expectNoneInFolder(folder)
console.log("   neither a secret nor the key is in the file in clear")

await rm(folder, { recursive: true })
