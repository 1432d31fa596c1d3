/**
 * MCP servers, over HTTP and as a local command: `pnpm --filter @keyward/example-17-mcp start`.
 *
 * Against servers on this machine. It asserts what it prints.
 */
import assert from "node:assert/strict"
import { fileURLToPath } from "node:url"
import { createExecutor, memoryProvider, variable } from "@keyward/core"
import { canary, CanaryScanner } from "@keyward/core/testing"
import { mcpPlugin } from "@keyward/plugin-mcp"
import { serveNotes } from "./notesServer.ts"

const server = await serveNotes()
const tokens = { alice: canary("alice"), bob: canary("bob") }
const shown: Array<unknown> = []
try {
  await using executor = await createExecutor({
    plugins: [mcpPlugin()],
    providers: [memoryProvider()],
    egress: { allowHosts: [server.host] },
    onElicitation: async (request) =>
      request.kind === "form" ? { action: "accept", content: { name: "Alice" } } : { action: "accept" },
    onEvent: (event) => void shown.push(event),
  })

  console.log("1. What is at that URL?")
  const found = await executor.mcp.probe({ url: server.url })
  assert.equal(found.authorizationRequired, true)
  console.log(
    `   a server that wants a credential; templates: ${found.authTemplates.map(({ slug }) => slug).join(", ")}`,
  )

  console.log("\n2. Two users connect, each with a token of their own:")
  await executor.mcp.addServer({ slug: "notes", transport: "http", url: server.url })
  const view = (user: keyof typeof tokens) => executor.withIdentity({ subject: user })
  for (const user of ["alice", "bob"] as const) {
    const account = { owner: "user", integration: "notes", name: "main" } as const
    await view(user).connections.create({ ...account, template: "bearer", value: tokens[user] })
    const tools = await view(user).tools.list()
    console.log(`   ${user}: ${tools.map(({ name }) => name).join(", ")}`)
  }

  console.log("\n3. Each has notes of their own:")
  for (const user of ["alice", "bob"] as const) {
    const added = await view(user).execute("tools.notes.user.main.add", { text: `a note of ${user}` })
    assert.ok(added.ok)
    const listed = await view(user).execute("tools.notes.user.main.list")
    assert.deepEqual(listed, { ok: true, data: { structured: { notes: [`a note of ${user}`] } } })
    shown.push(added, listed)
    console.log(`   ${user}: ${JSON.stringify(listed.ok && listed.data)}`)
  }

  console.log("\n4. A tool that asks the person:")
  const greeted = await view("alice").execute("tools.notes.user.main.greet")
  assert.deepEqual(greeted, { ok: true, data: { text: "Hello, Alice!" } })
  console.log(`   ${JSON.stringify(greeted.ok && greeted.data)}`)

  console.log("\n5. The same server as a local command, with its credential in the environment:")
  await executor.mcp.addServer({
    slug: "local",
    transport: "stdio",
    command: process.execPath,
    args: [
      "--disable-warning=ExperimentalWarning",
      fileURLToPath(new URL("notesServer.ts", import.meta.url)),
      "--stdio",
    ],
    authTemplates: [{ slug: "key", type: "apiKey", env: { NOTES_TOKEN: [variable("token")] } }],
  })
  const local = { owner: "user", integration: "local", name: "main" } as const
  await view("alice").connections.create({ ...local, template: "key", value: tokens.alice })
  const kept = await view("alice").execute("tools.local.user.main.list")
  assert.deepEqual(kept, { ok: true, data: { structured: { notes: [] } } })
  shown.push(greeted, kept)
  console.log(`   ${JSON.stringify(kept.ok && kept.data)}`)

  new CanaryScanner(Object.values(tokens)).expectNone(shown, "what the host was shown")
  console.log("\nNo token was shown in results or events.")
} finally {
  server.close()
}
