/**
 * A secret that stays in 1Password: a connection refers to it, each call reads it through the CLI, nothing copies it.
 *
 * Runs on your own 1Password when `op` is on PATH and `KEYWARD_1PASSWORD_REFERENCE` holds a secret reference
 * (`op://vault/item/field`), and otherwise on the stand-in for `op` that the provider's tests use, and says which.
 * Run it with `pnpm --filter @keyward/example-06-onepassword start`. It asserts what it prints.
 */
import assert from "node:assert/strict"
import { accessSync, constants } from "node:fs"
import { delimiter, join } from "node:path"
import { createExecutor, definePlugin } from "@keyward/core"
import { fakeUpstream } from "@keyward/core/testing"
import { onePasswordProvider } from "@keyward/provider-onepassword"
import { FakeOp, loginItem } from "../../packages/provider-onepassword/test/fake-op/FakeOp.ts"

const isInstalled = (process.env["PATH"] ?? "").split(delimiter).some((folder) => {
  try {
    accessSync(join(folder, "op"), constants.X_OK)
    return true
  } catch {
    return false
  }
})
const ownReference = isInstalled ? process.env["KEYWARD_1PASSWORD_REFERENCE"] : undefined

const apiCredential = (secret: string) =>
  loginItem("Billing API", "", {
    category: "API_CREDENTIAL",
    fields: [{ id: "credential", type: "CONCEALED", label: "credential", value: secret }],
  })
const firstSecret = "first-secret-of-the-billing-api"
const secondSecret = "second-secret-of-the-billing-api"

using fake = new FakeOp({ items: [apiCredential(firstSecret)] })
const reference = ownReference ?? "op://Agents/Billing API/credential"
const provider =
  ownReference === undefined
    ? onePasswordProvider({ command: fake.command, vaults: ["Agents"], serviceAccountToken: "ops_example" })
    : onePasswordProvider()

if (ownReference === undefined) {
  const why = isInstalled ? "KEYWARD_1PASSWORD_REFERENCE is not set" : "`op` is not installed"
  console.log(`0. ${why}: this runs on a stand-in for \`op\`, not on 1Password.\n`)
} else {
  console.log(
    `0. \`op\` is installed: this reads ${ownReference} from your 1Password, which may ask you to unlock it.\n`,
  )
}

/** The API accepts one key and says 401 to others. */
let accepted: string | undefined
await using upstream = await fakeUpstream({
  "GET /invoices": ({ headers }) =>
    accepted === undefined || headers.authorization === `Bearer ${accepted}`
      ? { json: { invoices: 3 } }
      : { status: 401, json: { error: "unknown key" } },
})

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
  resolveTools: () => [{ name: "invoices", annotations: { readOnlyHint: true } }],
  invokeTool: async ({ send }) => (await send({ url: "/invoices" })).json(),
})

await using executor = await createExecutor({
  plugins: [billing],
  providers: [provider],
  egress: { allowHosts: [upstream.host] },
})
await executor.billing.add()

console.log("1. A connection refers to the secret:")
const { address } = await executor.connections.create({
  owner: "org",
  integration: "billing",
  name: "main",
  template: "bearer",
  from: { provider: "1password", id: reference },
})
assert.equal(fake.journal().length, 0)
console.log(`   ${address} → ${reference}; 1Password was not asked yet\n`)

console.log("2. A call reads it, and sends it where it belongs:")
const tool = `${address}.invoices`
assert.deepEqual(await executor.execute(tool), { ok: true, data: { invoices: 3 } })
assert.match(upstream.requests.at(-1)?.headers.authorization ?? "", /^Bearer .+/)
console.log(`   ${tool} answered; the request carried the secret, this code never had it`)
await executor.execute(tool)
console.log("   the next call took it from memory, where it stays for five minutes\n")

if (ownReference === undefined) {
  assert.equal(fake.journal().length, 1)
  assert.equal(upstream.requests.at(-1)?.headers.authorization, `Bearer ${firstSecret}`)

  console.log("3. What `op` was told:")
  const [run] = fake.journal()
  assert.ok(
    run !== undefined && !run.argv.join(" ").includes(firstSecret) && !run.argv.join(" ").includes("ops_example"),
  )
  console.log(`   op ${run.argv.join(" ")}`)
  console.log(`   with ${Object.keys(run.env).length} environment variables and a closed standard input\n`)

  console.log("4. The secret is rotated in 1Password:")
  accepted = secondSecret
  fake.put(apiCredential(secondSecret))
  assert.deepEqual(await executor.execute(tool), { ok: true, data: { invoices: 3 } })
  assert.equal(fake.journal().length, 2)
  console.log("   the API answered 401 to the old one, so it was read anew and the call repeated\n")

  console.log("5. What can go wrong says what to do:")
  fake.change({
    rules: [{ when: ["item"], exit: 1, stderr: "[ERROR] 2026/11/20 12:00:00 account is not signed in\n" }],
  })
  await executor.connections.create({
    owner: "org",
    integration: "billing",
    name: "other",
    template: "bearer",
    from: { provider: "1password", id: "op://Agents/Another API/credential" },
  })
  const failed = await executor.execute("tools.billing.org.other.invoices")
  assert.ok(!failed.ok)
  assert.equal(failed.error.code, "credential_provider_unavailable")
  console.log(`   ${failed.error.code}: ${failed.error.message}`)

  await executor.connections.create({
    owner: "org",
    integration: "billing",
    name: "confined",
    template: "bearer",
    from: { provider: "1password", id: "op://Private/Bank/password" },
  })
  fake.change({ rules: [] })
  const refused = await executor.execute("tools.billing.org.confined.invoices")
  assert.ok(!refused.ok && refused.error.code === "credential_provider_denied")
  console.log(`   ${refused.error.code}: ${refused.error.message}`)
}
