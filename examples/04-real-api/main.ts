/**
 * A real API: GitHub's published OpenAPI document, and one call of it.
 *
 * With GITHUB_TOKEN in the environment the call is real and only reads (`GET /user`). Without, it is a dry run: `egress.fetch`
 * takes the place of the network, shows the request that would leave with the secret redacted, and answers in its stead.
 */
import assert from "node:assert/strict"
import { readFile } from "node:fs/promises"
import { createExecutor, envProvider, type FetchFunction } from "@keyward/core"
import { CanaryScanner } from "@keyward/core/testing"
import { openApiPlugin } from "@keyward/plugin-openapi"

const isReal = (process.env["GITHUB_TOKEN"] ?? "") !== ""
const env = isReal ? process.env : { GITHUB_TOKEN: "ghp_exampleTokenThatOpensNothing" }
const token = env["GITHUB_TOKEN"] ?? ""

const document = await readFile(new URL(import.meta.resolve("@octokit/openapi/generated/api.github.com.json")), "utf8")

const left: Array<{ readonly url: string; readonly authorization: string | null }> = []
const dryRun: FetchFunction = async (url, { method, headers }) => {
  const sent = new Headers(headers)
  left.push({ url, authorization: sent.get("authorization") })
  sent.set("authorization", sent.get("authorization")?.replace(token, "<redacted>") ?? "<none>")
  console.log(`   ${method} ${url}`)
  for (const [name, value] of sent) console.log(`   ${name}: ${value}`)
  return Response.json({ login: "nobody", note: `a dry run; an echo of ${token} is redacted on its way back` })
}

await using executor = await createExecutor({
  plugins: [openApiPlugin()],
  providers: [envProvider({ allow: ["GITHUB_TOKEN"], env })],
  egress: isReal ? {} : { fetch: dryRun },
})

console.log("1. GitHub's document becomes an integration:")
const startedAt = performance.now()
const github = await executor.openapi.addSpec({
  slug: "github",
  spec: document,
  authTemplates: [{ slug: "token", type: "bearer" }], // the document declares no security scheme
})
const { address } = await executor.connections.create({
  owner: "org",
  integration: "github",
  name: "main",
  template: "token",
  from: { provider: "env", id: "GITHUB_TOKEN" }, // read on each use, never copied
})
const tools = await executor.tools.list({ integration: "github" })
console.log(
  `   ${tools.length} tools after ${Math.round(performance.now() - startedAt)} ms, at ${github.origins.join(" and ")}`,
)
assert.ok(tools.length > 1_000)
assert.deepEqual(github.origins, ["https://api.github.com", "https://uploads.github.com"])

console.log('\n2. Tools whose name or description holds "users.get", "authenticated" and "user":')
const found = await executor.tools.list({ integration: "github", query: "users.get authenticated user" })
for (const tool of found) console.log(`   ${tool.address}`)

const tool = `${address}.users.getAuthenticated`
assert.ok(found.some((one) => one.address === tool && one.annotations.readOnlyHint === true))

console.log(isReal ? "\n3. The call:" : "\n3. The request that would leave (no GITHUB_TOKEN: a dry run):")
const result = await executor.execute(tool)
assert.ok(result.ok, result.ok ? "" : result.error.message)
const { login } = result.data as { readonly login: string }
if (isReal) console.log(`   ${tool} → signed in as ${login}`)
else {
  assert.deepEqual(left, [{ url: "https://api.github.com/user", authorization: `Bearer ${token}` }])
  console.log("   answer:", result.data)
}

new CanaryScanner([token]).expectNone([github, tools, result], "what the caller received")
console.log("\n4. The token is in nothing that came back.")
