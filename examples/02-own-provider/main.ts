/**
 * A provider of one's own, held to the same contract as those that ship, and used by a connection.
 *
 * Run it with `pnpm --filter @keyward/example-02-own-provider start`. It asserts what it prints.
 */
import assert from "node:assert/strict"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createExecutor, definePlugin, variable } from "@keyward/core"
import { canary, fakeUpstream, providerContract, type ProviderUnderTest } from "@keyward/core/testing"
import { isSecretFileName, secretFilesProvider } from "./secretFiles.ts"

console.log("1. The contract suite, run on the provider:")

const underTest = async (): Promise<ProviderUnderTest> => {
  const folder = await mkdtemp(join(tmpdir(), "secret-files-"))
  return {
    provider: secretFilesProvider({ folder }),
    seed: (id, value) => writeFile(join(folder, id), value, { mode: 0o600 }),
    breakBackend: async (failure, id) => {
      await rm(join(folder, id))
      if (failure === "a folder stands where the file should be") await mkdir(join(folder, id))
      else await writeFile(join(folder, id), Uint8Array.of(0xff, 0xfe))
    },
    dispose: () => rm(folder, { recursive: true }),
  }
}
const cases = providerContract(underTest, {
  writable: false,
  closable: false,
  acceptedIds: isSecretFileName,
  failures: ["a folder stands where the file should be", "the file is not UTF-8"],
})
for (const { name, run } of cases) {
  await run()
  console.log(`   ✓ ${name}`)
}
console.log(`   ${cases.length} sentences hold.\n`)

console.log("2. A connection that refers to a file:")

const folder = await mkdtemp(join(tmpdir(), "run-secrets-"))
const mount = (name: string, secret: string): Promise<void> => writeFile(join(folder, name), secret, { mode: 0o600 })
await using upstream = await fakeUpstream({ "GET /me": (request) => ({ json: { key: request.headers["x-api-key"] } }) })

const service = definePlugin({
  id: "service",
  extension: (ctx) => ({
    add: (slug: string, baseUrl: string) =>
      ctx.integrations.register({
        slug,
        baseUrl,
        authTemplates: [{ slug: "apiKey", type: "apiKey", headers: { "X-API-Key": [variable("token")] } }],
      }),
  }),
  resolveTools: () => [{ name: "me", annotations: { readOnlyHint: true } }],
  // The service echoes the key; a plugin's answer is cleaned of it before anybody sees it.
  invokeTool: async ({ send }) => (await send({ url: "/me" })).json(),
})

await using executor = await createExecutor({
  plugins: [service],
  providers: [secretFilesProvider({ folder })],
  egress: { allowHosts: [upstream.host] },
})
await executor.service.add("billing", upstream.origin)

const first = canary("first")
await mount("billing-key", first)
console.log("   a person may pick from", await executor.providers.items("secret-files"))
const connection = await executor.connections.create({
  owner: "org",
  integration: "billing",
  name: "main",
  template: "apiKey",
  from: { provider: "secret-files", id: "billing-key" },
})
console.log("   created", connection.address, "whose credential stays in", connection.provider)

const tool = `${connection.address}.me`
const sentKey = (): string | undefined => upstream.requests.at(-1)?.headers["x-api-key"] as string | undefined
assert.deepEqual(await executor.execute(tool), { ok: true, data: { key: "<redacted>" } })
assert.equal(sentKey(), first)
console.log("   called", tool, "and the service got the key from the file")

const second = canary("second")
await mount("billing-key", second)
await executor.execute(tool)
assert.equal(sentKey(), second)
console.log("   replaced the file: the next call carries the new key, nothing was copied\n")

console.log("3. Missing and broken are different answers:")

await rm(join(folder, "billing-key"))
const missing = await executor.execute(tool)
assert.ok(!missing.ok && missing.error.code === "connection_value_missing")
console.log(`   ${missing.error.code}: ${missing.error.message}`)

await mkdir(join(folder, "billing-key"))
const broken = await executor.execute(tool)
assert.ok(!broken.ok && broken.error.code === "credential_provider_denied")
console.log(`   ${broken.error.code}: ${broken.error.message}`)

assert.equal(upstream.requests.length, 2, "Nothing is sent without a credential.")
await rm(folder, { recursive: true })
