/**
 * A model of the AI SDK works with GitHub's 1,223 operations through two tools, one that finds and one that calls.
 *
 * Offline: the model follows a script, and `egress.fetch` answers in GitHub's stead. Exchange `model` for a real one and leave
 * `egress` out, and nothing else changes.
 */
import assert from "node:assert/strict"
import { readFile } from "node:fs/promises"
import { aiSdkTools } from "@keyward/adapter-ai-sdk"
import { createExecutor, type FetchFunction, memoryProvider } from "@keyward/core"
import { canary, CanaryScanner } from "@keyward/core/testing"
import { openApiPlugin } from "@keyward/plugin-openapi"
import { generateText, isStepCount } from "ai"
import { scriptedModel } from "./scriptedModel.ts"

const token = canary("github")
const sent: Array<string> = []
const inGitHubsStead: FetchFunction = async (url, { method, headers }) => {
  assert.equal(new Headers(headers).get("authorization"), `Bearer ${token}`)
  sent.push(`${method} ${url}`)
  return Response.json({ number: 7, title: "The lamp flickers" }, { status: 201 })
}

await using executor = await createExecutor({
  plugins: [openApiPlugin()],
  providers: [memoryProvider()],
  egress: { fetch: inGitHubsStead },
})
await executor.openapi.addSpec({
  slug: "github",
  spec: await readFile(new URL(import.meta.resolve("@octokit/openapi/generated/api.github.com.json")), "utf8"),
  authTemplates: [{ slug: "token", type: "bearer" }],
})
await executor.connections.create({
  owner: "org",
  integration: "github",
  name: "main",
  template: "token",
  value: token,
})

console.log("1. What a query finds:")
for (const { name, score, description } of await executor.tools.search({ query: "create an issue", limit: 3 })) {
  console.log(`   ${score.toFixed(1).padStart(5)}  ${name}: ${description?.split("\n")[0]}`)
}

console.log("\n2. A model finds a tool and calls it:")
const model = scriptedModel([
  () => ({ tool: "search_tools", input: { query: "create an issue", limit: 3 } }),
  (shown) => {
    const [address] = /tools\.github\.org\.main\.issues\.create(?=\\?")/.exec(shown) ?? []
    return {
      tool: "call_tool",
      input: { address, arguments: { owner: "acme", repo: "shop", body: { title: "The lamp flickers" } } },
    }
  },
  () => ({ text: "I opened issue 7." }),
])
const { text, steps } = await generateText({
  model,
  tools: await aiSdkTools(executor, { integration: "github", search: true }),
  prompt: "Report that the lamp flickers.",
  stopWhen: isStepCount(5),
})
for (const { toolCalls } of steps) {
  for (const { toolName, input } of toolCalls) console.log(`   ${toolName} ${JSON.stringify(input)}`)
}
console.log(`   → ${text}`)
assert.deepEqual(sent, ["POST https://api.github.com/repos/acme/shop/issues"])
assert.equal(text, "I opened issue 7.")

console.log("\n3. A few tools, one by one, under names that every model's API takes:")
const few = await aiSdkTools(executor, { integration: "github", tools: ["issues.create", "issues.createComment"] })
for (const name of Object.keys(few)) console.log(`   ${name}`)
assert.deepEqual(Object.keys(few), ["github_org_main_issues_create", "github_org_main_issues_createComment"])

new CanaryScanner([token]).expectNone([model.doGenerateCalls, steps], "what the model and the host were shown")
console.log("\n4. The token was in nothing that the model was shown.")
