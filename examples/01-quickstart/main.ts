/**
 * From nothing to an authorized tool call: `npx -y pnpm@12.21.0 quickstart`.
 *
 * The host saves an API key once. Whoever calls tools afterwards, an agent say, gets results and errors to act on, and never
 * the key. Every line that is printed is asserted; the process ends with 1 when something else happens.
 *
 * With `--data DIR` it keeps its data there, and the next run finds the key saved.
 */
import assert from "node:assert/strict"
import { resolve } from "node:path"
import { parseArgs } from "node:util"
import { createExecutor, memoryProvider, OriginNotAllowedError } from "@keyward/core"
import { canary, CanaryScanner } from "@keyward/core/testing"
import { openApiPlugin } from "@keyward/plugin-openapi"
import { startInventoryApi } from "./inventoryApi.ts"
import { InventoryClient } from "./inventoryClient.ts"
import { digestOf, openKeptData } from "./keptData.ts"

const { data } = parseArgs({ options: { data: { type: "string" } } }).values
// pnpm runs scripts in the package's folder, and says in INIT_CWD where it was called.
const folder = data === undefined ? undefined : resolve(process.env["INIT_CWD"] ?? ".", data)
const kept = folder === undefined ? undefined : openKeptData(folder)

const newKey = canary("inventory-key")
const keyDigest = kept?.api?.keyDigest ?? digestOf(newKey)
await using api = await startInventoryApi(keyDigest, kept?.api?.port ?? 0)

console.log(`1. A real HTTP API runs at ${api.origin} and demands X-API-Key.`)
const bare = await fetch(`${api.origin}/items`)
assert.equal(bare.status, 401)
console.log(`   GET /items without a key: ${bare.status}\n`)

const known = kept?.api !== undefined
console.log(
  known
    ? `2. The host makes an executor over what is in ${folder}, the key saved by an earlier run included.`
    : "2. The host makes an executor, registers the API's document and saves the key.",
)
await using executor = await createExecutor({
  plugins: [openApiPlugin()],
  ...(kept?.config ?? { providers: [memoryProvider()] }),
  egress: { allowHosts: [api.host] }, // this machine is off limits unless it is listed
})
const main = { owner: "org", integration: "inventory", name: "main" } as const
if (!known) {
  await executor.openapi.addSpec({ slug: "inventory", spec: `${api.origin}/openapi.json` })
  await executor.connections.create({ ...main, template: "apiKey", value: newKey })
  kept?.keepApi({ port: api.port, keyDigest })
}
const integration = await executor.integrations.get("inventory")
assert.ok(integration)
assert.deepEqual(integration.origins, [api.origin])
const connection = await executor.connections.get(main)
assert.ok(connection)
assert.equal(connection.address, "tools.inventory.org.main")
console.log(`   integration ${integration.slug}: may send to ${integration.origins.join(", ")}`)
console.log(`   connection ${connection.address}: ${connection.status}, key kept by "${connection.provider}"\n`)

// From here on nobody touches the key. Everything that comes back is kept, to be searched for it at the end.
const received: Array<unknown> = [connection]

console.log("3. An agent sees the tools of that connection.")
const tools = await executor.tools.list({ integration: "inventory" })
received.push(tools)
assert.deepEqual(
  tools.map(({ name }) => name),
  ["listItems", "getItem", "reserveItem"],
)
for (const { address, description, annotations } of tools) {
  console.log(`   ${address}  ${description}${annotations.readOnlyHint === true ? " (only reads)" : ""}`)
}

console.log("\n4. It asks what one of them takes.")
const schema = await executor.tools.schema(`${connection.address}.reserveItem`)
received.push(schema)
assert.deepEqual(schema?.inputSchema["required"], ["sku", "body"])
console.log(indented(schema?.inputTypeScript ?? ""))

console.log("\n5. It calls a tool. The key is put on the request as it leaves.")
const reservation = { sku: "LAMP-1", body: { quantity: 3 } }
const reserved = await executor.execute(`${connection.address}.reserveItem`, reservation)
received.push(reserved)
assert.ok(reserved.ok)
assert.deepEqual(reserved.data, { sku: "LAMP-1", reserved: 3, left: 1 })
assert.equal(digestOf(api.keysSeen.at(-1)), keyDigest)
console.log("   reserveItem →", reserved.data)
console.log("   the API saw the right key\n")

console.log("6. What goes wrong comes back as an error that says what to do.")
const sent = api.keysSeen.length
const mistaken = await executor.execute(`${connection.address}.reserveItem`, { sku: "LAMP-1", body: { quantity: 0 } })
received.push(mistaken)
assert.ok(!mistaken.ok && mistaken.error.code === "invalid_arguments")
assert.equal(api.keysSeen.length, sent, "Nothing was sent.")
console.log(`   wrong arguments → ${mistaken.error.code}\n${indented(mistaken.error.message, 6)}`)

const refused = await executor.execute(`${connection.address}.reserveItem`, { sku: "LAMP-1", body: { quantity: 3 } })
received.push(refused)
assert.ok(!refused.ok && refused.error.status === 409)
console.log(`   refused by the API → ${refused.error.code}\n${indented(refused.error.message, 6)}`)

const old = { owner: "org", integration: "inventory", name: "old" } as const
await executor.connections.create({ ...old, template: "apiKey", value: canary("revoked-key") })
const rejected = await executor.execute("tools.inventory.org.old.listItems")
received.push(rejected)
assert.ok(!rejected.ok && rejected.error.code === "connection_rejected")
console.log(`   a revoked key → ${rejected.error.code}\n${indented(rejected.error.message, 6)}\n`)
await executor.connections.remove(old)

console.log("7. Ordinary client code gets an authorized fetch.")
const authorizedFetch = executor.connections.fetch(main)
const client = new InventoryClient({ baseUrl: api.origin, fetch: authorizedFetch })
const item = await client.getItem("DESK-7")
received.push(item)
assert.deepEqual(item, { sku: "DESK-7", name: "Standing desk", stock: 1 })
assert.equal(digestOf(api.keysSeen.at(-1)), keyDigest)
console.log("   client.getItem →", item)
await assert.rejects(authorizedFetch("https://elsewhere.example/collect"), (error) => {
  assert.ok(error instanceof OriginNotAllowedError)
  console.log(`   fetch to another origin → ${error.name}\n${indented(error.message, 6)}\n`)
  received.push(error)
  return true
})

const apiKey = api.keysSeen.at(-1)
assert.ok(apiKey)
const scanner = new CanaryScanner([apiKey])
scanner.expectNone(received, "what the caller received")
console.log(`8. ${received.length} things came back, and the key is in none of them.`)
if (folder !== undefined) {
  await scanner.expectNoneInFolder(folder)
  console.log(`   Nor is it in clear in ${folder}. Run this again, and nobody has to paste it.`)
}

function indented(text: string, width = 3): string {
  return text
    .split("\n")
    .map((line) => " ".repeat(width) + line)
    .join("\n")
}
