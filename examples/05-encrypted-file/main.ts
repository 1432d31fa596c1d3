/**
 * A pasted secret that survives a restart in one encrypted file, its keys rotated while it is in use, and what damage costs.
 *
 * Run it with `pnpm --filter @keyward/example-05-encrypted-file start`. It works in a temporary folder and asserts what it
 * prints.
 */
import assert from "node:assert/strict"
import { randomBytes } from "node:crypto"
import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createExecutor, definePlugin } from "@keyward/core"
import { canary, CanaryScanner, fakeUpstream } from "@keyward/core/testing"
import { encryptedFileProvider, inspectVault } from "@keyward/provider-encrypted-file"

const folder = await mkdtemp(join(tmpdir(), "keyward-example-"))
const path = join(folder, "vault")
// A host takes this from its environment, a KMS or the OS keychain: `key` may be a function that fetches it.
const key = randomBytes(32).toString("base64")
const secret = canary("billing")

await using upstream = await fakeUpstream({ "GET /me": { json: { name: "Ada" } } })
const sentSecret = (): string | undefined => upstream.requests.at(-1)?.headers.authorization

const billing = definePlugin({
  id: "billing",
  extension: (ctx) => ({
    add: () =>
      ctx.integrations.register({
        slug: "billing",
        baseUrl: upstream.origin,
        authTemplates: [{ slug: "bearer", type: "bearer" }],
      }),
  }),
  resolveTools: () => [{ name: "me", annotations: { readOnlyHint: true } }],
  invokeTool: async ({ send }) => (await send({ url: "/me" })).json(),
})
const start = async (provider: ReturnType<typeof encryptedFileProvider>) => {
  const executor = await createExecutor({
    plugins: [billing],
    providers: [provider],
    egress: { allowHosts: [upstream.host] },
  })
  await executor.billing.add()
  return executor
}

console.log("1. A pasted secret goes into the file:")
const first = await start(encryptedFileProvider({ path, key }))
const created = await first.connections.create({
  owner: "org",
  integration: "billing",
  name: "main",
  template: "bearer",
  value: secret,
})
assert.deepEqual(await first.execute(`${created.address}.me`), { ok: true, data: { name: "Ada" } })
assert.equal(sentSecret(), `Bearer ${secret}`)
const [item] = await first.providers.items("encrypted-file")
assert.ok(item)
await new CanaryScanner([secret, item.id]).expectNoneInFolder(folder)
console.log(`   ${created.address} works; neither its secret nor its id is in ${path} in clear\n`)
await first.close()

console.log("2. After a restart it is still there:")
const provider = encryptedFileProvider({ path, key })
await using executor = await start(provider)
const { address } = await executor.connections.create({
  owner: "org",
  integration: "billing",
  name: "again",
  template: "bearer",
  from: { provider: "encrypted-file", id: item.id },
})
assert.deepEqual(await executor.execute(`${address}.me`), { ok: true, data: { name: "Ada" } })
assert.equal(sentSecret(), `Bearer ${secret}`)
console.log(`   ${address} reads ${JSON.stringify(item.id)} from the same file\n`)

console.log("3. Keys change while it is in use:")
await provider.rotateDataKey()
await provider.changeKey({ passphrase: "correct horse battery staple" })
assert.equal((await executor.execute(`${address}.me`)).ok, true)
const { opensWith, entries, generation, verified } = await inspectVault(path, {
  passphrase: "correct horse battery staple",
})
assert.deepEqual({ opensWith, entries }, { opensWith: "passphrase", entries: 1 })
assert.deepEqual(verified, { damagedRecords: 0, damagedEntries: 0, hasUnknownDamage: false })
console.log(`   inspectVault: opens with a ${opensWith}, generation ${generation}, ${entries} entry, all verified`)

await using stale = await start(encryptedFileProvider({ path, key }))
await stale.connections.create({
  owner: "org",
  integration: "billing",
  name: "stale",
  template: "bearer",
  from: { provider: "encrypted-file", id: item.id },
})
const wrongKey = await stale.execute("tools.billing.org.stale.me")
assert.ok(!wrongKey.ok && wrongKey.error.code === "credential_provider_denied")
console.log(`   with the former key: ${wrongKey.error.message}\n`)

console.log("4. Damage is an answer, never an older or an empty secret:")
const intact = await readFile(path)
const damaged = Buffer.from(intact)
const inTheEntry = damaged.length - 200
damaged[inTheEntry] = (damaged[inTheEntry] ?? 0) ^ 1
await replace(damaged)
const corrupt = await executor.execute(`${address}.me`)
assert.ok(!corrupt.ok && corrupt.error.code === "credential_provider_denied")
console.log(`   ${corrupt.error.message}`)
await replace(intact)
assert.equal((await executor.execute(`${address}.me`)).ok, true)
console.log("   put back, it works again; nothing had been changed")

await rm(folder, { recursive: true })

/** Replaces the file in one step, as a restore from a backup does. */
async function replace(bytes: Uint8Array): Promise<void> {
  await writeFile(`${path}.restored`, bytes, { mode: 0o600 })
  await rename(`${path}.restored`, path)
}
