/**
 * A host that starts a local command and ends without closing its executor. `argv`: the command's script, and the file for its starts.
 */
import { createExecutor, memoryProvider } from "@keyward/core"
import { mcpPlugin } from "../../src/index.ts"

const [, , script = "", file = ""] = process.argv
const executor = await createExecutor({ subject: "alice", plugins: [mcpPlugin()], providers: [memoryProvider()] })
await executor.mcp.addServer({
  slug: "srv",
  transport: "stdio",
  command: process.execPath,
  args: [script, "stubborn", file],
})
await executor.connections.create({ owner: "user", integration: "srv", name: "main", template: "none" })
await executor.execute("tools.srv.user.main.hello")
process.exit(0)
