/**
 * From nothing to an authorized tool call: `npx -y pnpm@12.21.0 quickstart`.
 *
 * The host saves an API key once. Whoever calls tools afterwards, an agent say, gets results and errors to act on, and never
 * the key. Every line that is printed is asserted; the process ends with 1 when something else happens.
 */
import assert from "node:assert/strict"
import { createExecutor, memoryProvider, OriginNotAllowedError } from "@keyward/core"
import { canary, CanaryScanner } from "@keyward/core/testing"
import { openApiPlugin } from "@keyward/plugin-openapi"
import { startInventoryApi } from "./inventoryApi.ts"
import { InventoryClient } from "./inventoryClient.ts"

const apiKey = canary("inventory-key")
await using api = await startInventoryApi(apiKey)

console.log(`1. A real HTTP API runs at ${api.origin} and demands X-API-Key.`)
const bare = await fetch(`${api.origin}/items`)
assert.equal(bare.status, 401)
console.log(`   GET /items without a key: ${bare.status}\n`)

console.log("2. The host makes an executor, registers the API's document and saves the key.")
await using executor = await createExecutor({
  plugins: [openApiPlugin()],
  providers: [memoryProvider()],
  egress: { allowHosts: [api.host] }, // this machine is off limits unless it is listed
})
const integration = await executor.openapi.addSpec({ slug: "inventory", spec: `${api.origin}/openapi.json` })
assert.deepEqual(integration.origins, [api.origin])
const connection = await executor.connections.create({
  owner: "org",
  integration: "inventory",
  name: "main",
  template: "apiKey",
  value: apiKey,
})
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
assert.equal(api.keysSeen.at(-1), apiKey)
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

const ref = { owner: "org", integration: "inventory", name: "old" } as const
await executor.connections.create({ ...ref, template: "apiKey", value: canary("revoked-key") })
const rejected = await executor.execute("tools.inventory.org.old.listItems")
received.push(rejected)
assert.ok(!rejected.ok && rejected.error.code === "connection_rejected")
console.log(`   a revoked key → ${rejected.error.code}\n${indented(rejected.error.message, 6)}\n`)

console.log("7. Ordinary client code gets an authorized fetch.")
const authorizedFetch = executor.connections.fetch({ owner: "org", integration: "inventory", name: "main" })
const client = new InventoryClient({ baseUrl: api.origin, fetch: authorizedFetch })
const item = await client.getItem("DESK-7")
received.push(item)
assert.deepEqual(item, { sku: "DESK-7", name: "Standing desk", stock: 1 })
assert.equal(api.keysSeen.at(-1), apiKey)
console.log("   client.getItem →", item)
await assert.rejects(authorizedFetch("https://elsewhere.example/collect"), (error) => {
  assert.ok(error instanceof OriginNotAllowedError)
  console.log(`   fetch to another origin → ${error.name}\n${indented(error.message, 6)}\n`)
  received.push(error)
  return true
})

new CanaryScanner([apiKey]).expectNone(received, "what the caller received")
console.log(`8. ${received.length} things came back, and the key is in none of them.`)

function indented(text: string, width = 3): string {
  return text
    .split("\n")
    .map((line) => " ".repeat(width) + line)
    .join("\n")
}
