/**
 * A person connects an account in a browser, and the connection stays alive: `pnpm --filter @keyward/example-07-oauth-authorization-code start`.
 *
 * Four parties on this machine: a web application that embeds Keyward, an issue tracker, the tracker's authorization server (certified,
 * in a process of its own), and a browser that goes from one to the other. It asserts what it prints.
 */
import assert from "node:assert/strict"
import { createExecutor, type ExecutorEvent, memoryProvider } from "@keyward/core"
import { canary, CanaryScanner } from "@keyward/core/testing"
import { openApiPlugin } from "@keyward/plugin-openapi"
import { Browser } from "./browser.ts"
import { startAuthorizationServer } from "./startAuthorizationServer.ts"
import { startTrackerApi, trackerDocument } from "./trackerApi.ts"
import { startWebHost, trackerConnection } from "./webHost.ts"

const clientSecret = canary("client-secret")
const apiSecret = canary("api-secret")

await using host = await startWebHost()
const redirectUri = `${host.origin}/oauth/callback`
await using server = await startAuthorizationServer([
  {
    client_id: "example-app",
    client_secret: clientSecret,
    redirect_uris: [redirectUri],
    grant_types: ["authorization_code", "refresh_token"],
  },
  { client_id: "tracker-api", client_secret: apiSecret, redirect_uris: [], grant_types: [], response_types: [] },
])
await using api = await startTrackerApi(`${server.origin}/token/introspection`, {
  id: "tracker-api",
  secret: apiSecret,
})

console.log(
  "1. The host makes an executor, registers the tracker, and enters the app it has at the authorization server.",
)
const events: Array<ExecutorEvent> = []
await using executor = await createExecutor({
  plugins: [openApiPlugin()],
  providers: [memoryProvider()],
  redirectUri,
  egress: { allowHosts: [api.host, server.host] }, // this machine is off limits unless it is listed
  onEvent: (event) => void events.push(event),
})
host.executor = executor
await executor.openapi.addSpec({
  slug: "tracker",
  spec: trackerDocument,
  baseUrl: api.origin,
  authTemplates: [
    {
      slug: "oauth",
      type: "oauth2",
      scopes: ["issues:read", "offline_access"],
      authorizationParams: { prompt: "consent" }, // this server gives refresh tokens to those who were asked
    },
  ],
})
const client = await executor.oauth.createClient({
  owner: "org",
  slug: "tracker",
  grant: "authorization_code",
  issuer: server.origin,
  clientId: "example-app",
  clientSecret,
})
assert.equal(client.isConfidential, true)
console.log(`   client ${client.slug} of ${client.issuer}, ${client.tokenEndpointAuthMethod}\n`)

console.log("2. Ada, logged in to the host, connects her account.")
const ada = new Browser()
await ada.open(`${host.origin}/login?user=ada`)
const page = await ada.open(`${host.origin}/connect`)
assert.equal(page.text, "Connected: tools.tracker.user.main")
const authorization = new URL(ada.history.find((address) => address.startsWith(`${server.origin}/auth`)) ?? "")
assert.deepEqual(
  [...authorization.searchParams.keys()],
  ["client_id", "request_uri"],
  "The rest was pushed (RFC 9126).",
)
const view = executor.withIdentity({ subject: "ada" })
const connection = await view.connections.get(trackerConnection)
assert.equal(connection?.status, "active")
assert.equal(connection.oauthScope, "issues:read offline_access")
console.log(`   ${page.text}, scopes: ${connection.oauthScope}\n`)

console.log("3. An agent calls a tool for her.")
const received: Array<unknown> = [client, connection, events]
const listed = await view.execute(`${connection.address}.listIssues`)
received.push(listed)
assert.ok(listed.ok)
console.log("   listIssues →", listed.data, "\n")

console.log("4. The tracker turns the access token down. Calls get another one by themselves.")
const [firstToken] = tokensSeen()
assert.ok(firstToken)
const before = server.tokenRequests.length
api.refuse(firstToken)
const again = await Promise.all(Array.from({ length: 20 }, () => view.execute(`${connection.address}.listIssues`)))
received.push(again)
assert.ok(again.every(({ ok }) => ok))
assert.deepEqual(server.tokenRequests.slice(before), ["refresh_token"])
console.log("   20 calls at once, 20 answers, 1 refresh\n")

console.log("5. A tool needs more than was agreed to.")
const refused = await view.execute(`${connection.address}.createIssue`, { body: { title: "The desk wobbles" } })
received.push(refused)
assert.ok(!refused.ok && refused.error.code === "insufficient_scope")
const { authorizeUrl } = refused.error.details as { readonly authorizeUrl: string }
console.log(`   createIssue → ${refused.error.code}: ${refused.error.message}`)
assert.ok((await view.execute(`${connection.address}.listIssues`)).ok, "What was agreed to still works.")
const stepUp = await ada.open(authorizeUrl)
assert.equal(stepUp.text, "Connected: tools.tracker.user.main")
const created = await view.execute(`${connection.address}.createIssue`, { body: { title: "The desk wobbles" } })
received.push(created)
assert.ok(created.ok)
assert.deepEqual(created.data, { title: "The desk wobbles", by: "ada" })
console.log("   Ada agrees, and createIssue →", created.data, "\n")

console.log("6. Somebody else's browser cannot finish her flow.")
const unfinished = await ada.open(`${host.origin}/connect`, redirectUri)
const mallory = new Browser()
await mallory.open(`${host.origin}/login?user=mallory`)
const sent = server.tokenRequests.length
const stolen = await mallory.open(unfinished.url)
assert.match(stolen.text, /OAuth/)
assert.equal(server.tokenRequests.length, sent, "The code went nowhere.")
assert.equal(await executor.withIdentity({ subject: "mallory" }).connections.get(trackerConnection), null)
console.log(`   ${stolen.text}\n`)

console.log("7. The connection is removed, and its tokens are revoked at the server.")
const [lastToken] = tokensSeen().slice(-1)
assert.ok(lastToken)
await view.connections.remove(trackerConnection)
await until(() => events.some(({ type }) => type === "oauth.revoked"))
assert.equal((await fetch(`${api.origin}/issues`, { headers: { authorization: `Bearer ${lastToken}` } })).status, 401)
console.log(`   ${events.at(-1)?.type}; the last token is worth nothing any more\n`)

new CanaryScanner([clientSecret, ...new Set(tokensSeen())]).expectNone(received, "what the host received")
console.log(`8. ${new Set(tokensSeen()).size} access tokens were used, and none is in anything that came back.`)

/** The tokens that the API was shown, oldest first. */
function tokensSeen(): ReadonlyArray<string> {
  return api.requests.flatMap(({ headers }) => /^Bearer (.+)$/.exec(headers.authorization ?? "")?.[1] ?? [])
}

async function until(isSo: () => boolean): Promise<void> {
  for (const end = Date.now() + 10_000; !isSo();) {
    assert.ok(Date.now() < end, "It does not happen.")
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
