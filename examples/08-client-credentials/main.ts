/**
 * A service that acts for itself, with no person involved: `pnpm --filter @keyward/example-08-client-credentials start`.
 *
 * Against an authorization server and an API on this machine. It asserts what it prints.
 */
import assert from "node:assert/strict"
import { generateKeyPairSync } from "node:crypto"
import { createExecutor, definePlugin, InvalidOAuthClientError, memoryProvider } from "@keyward/core"
import { canary, CanaryScanner, misbehavingAuthorizationServer } from "@keyward/core/testing"

const clientSecret = canary("client-secret")
await using server = await misbehavingAuthorizationServer({
  clients: [{ clientId: "reporting", clientSecret }, { clientId: "billing" }],
  accessTokenSeconds: 1,
})

const account = definePlugin({
  id: "account",
  extension: (ctx) => ({
    add: () =>
      ctx.integrations.register({
        slug: "account",
        baseUrl: server.origin,
        authTemplates: [{ slug: "oauth", type: "oauth2", scopes: ["reports:read"] }],
      }),
  }),
  resolveTools: () => [{ name: "read", annotations: { readOnlyHint: true } }],
  invokeTool: async ({ send }) => (await send({ url: "/resource" })).json(),
})
await using executor = await createExecutor({
  plugins: [account],
  providers: [memoryProvider()],
  egress: { allowHosts: [server.host] }, // this machine is off limits unless it is listed
})
await executor.account.add()

console.log("1. A confidential client, and a connection at once:")
const reporting = {
  owner: "org",
  slug: "reporting",
  grant: "client_credentials",
  issuer: server.issuer,
  clientId: "reporting",
} as const
const client = await executor.oauth.createClient({ ...reporting, clientSecret })
const target = { clientOwner: "org", owner: "org", integration: "account", template: "oauth" } as const
const started = await executor.oauth.start({ ...target, client: "reporting", name: "reporting" })
assert.ok(started.status === "connected")
const { address, expiresAt, oauthScope } = started.connection
assert.ok(expiresAt !== null && expiresAt > Date.now())
console.log(`   ${address}, scope ${oauthScope}, until ${new Date(expiresAt).toISOString()}`)

console.log("\n2. Calls are authorized. When the token has run out, another one is asked for:")
const received: Array<unknown> = [client, started]
const read = async (of: string) => {
  const result = await executor.execute(`${of}.read`)
  received.push(result)
  return result
}
await new Promise((resolve) => setTimeout(resolve, 1000))
server.behave({ accessTokenSeconds: 3600 })
assert.ok((await read(address)).ok)
assert.ok((await read(address)).ok)
assert.deepEqual(
  server.requests("token").map(({ parameters }) => parameters.get("grant_type")),
  ["client_credentials", "client_credentials"],
)
console.log("   1 token at the start, 1 after it had run out; nobody was asked")

console.log("\n3. A private key instead of a secret, which is never sent:")
const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
await executor.oauth.createClient({
  ...reporting,
  slug: "billing",
  clientId: "billing",
  privateKey: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
})
const billing = await executor.oauth.start({ ...target, client: "billing", name: "billing" })
assert.ok(billing.status === "connected")
assert.ok((await read(billing.connection.address)).ok)
const assertion = server.requests("token").at(-1)?.parameters.get("client_assertion") ?? ""
const claims = JSON.parse(Buffer.from(assertion.split(".")[1] ?? "", "base64url").toString()) as {
  readonly aud: string
}
assert.equal(claims.aud, server.issuer)
console.log(`   ${billing.connection.address}: an assertion for ${claims.aud} alone`)

console.log("\n4. A client that is wrong is the client's trouble, and not the end of the connection:")
await executor.oauth.createClient({ ...reporting, clientSecret: canary("another-secret") })
server.expireAccessTokens()
const refused = await read(address)
assert.ok(!refused.ok && refused.error.code === "oauth_refresh_failed")
const { reason, retryAfterMs } = refused.error.details as { readonly reason: string; readonly retryAfterMs: number }
assert.equal(reason, "invalid_client")
const ref = { owner: "org", integration: "account", name: "reporting" } as const
assert.equal((await executor.connections.get(ref))?.status, "active")
console.log(`   ${refused.error.code} (${reason}): ${refused.error.message}`)

await executor.oauth.createClient({ ...reporting, clientSecret })
await new Promise((resolve) => setTimeout(resolve, retryAfterMs))
assert.ok((await read(address)).ok)
console.log("   with the right secret again, it goes on")

console.log("\n5. This grant is for clients that can prove themselves:")
await assert.rejects(executor.oauth.createClient({ ...reporting, slug: "public" }), (error) => {
  assert.ok(error instanceof InvalidOAuthClientError)
  console.log(`   ${error.message}`)
  return true
})

new CanaryScanner([clientSecret, ...server.secrets]).expectNone(received, "what the caller received")
console.log(`\n6. ${received.length} things came back, and neither the secret nor a token is in any of them.`)
