/**
 * The program that the scenarios run: a host which adds the server that it is given, connects an account, and calls every tool.
 *
 * Uses nothing but what Keyward exports. The scenario's name says which kind of account there is, as a host knows it from its users;
 * what the server wants in all other respects is Keyward's to find out.
 */
import { createExecutor, type ElicitationHandler, memoryProvider, ToolResolutionError } from "@keyward/core"
import { mcpPlugin } from "@keyward/plugin-mcp"
import { callTools } from "./callTools.ts"
import { connect } from "./connect.ts"
import { readContext } from "./Context.ts"

/** Says yes, and leaves forms as they are. */
const agree: ElicitationHandler = () => Promise.resolve({ action: "accept", content: {} })

const executor = await createExecutor({
  tenant: "conformance",
  subject: "alice",
  plugins: [mcpPlugin()] as const,
  providers: [memoryProvider()],
  redirectUri: "http://localhost:3000/callback",
  // The document that the scenarios expect; nobody fetches it.
  clientMetadataUrl: "https://conformance-test.local/client-metadata.json",
  onElicitation: agree,
  egress: { allowHosts: ["localhost"] },
})

const context = readContext()
const run = async (): Promise<void> => {
  await connect(executor, context)
  await callTools(executor, context)
}
try {
  // A server that turns away what it has just permitted is asked once more how it wants to be connected to.
  await run().catch((error: unknown) => {
    if (error instanceof ToolResolutionError) return run()
    throw error
  })
} finally {
  await executor.close()
}
