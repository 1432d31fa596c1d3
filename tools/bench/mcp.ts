/**
 * What Keyward adds to a call of an MCP tool: over loopback, beside the official client with the header set by hand.
 *
 * The server runs in a process of its own, so that the two clients are measured and not the server.
 */
import { fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { createExecutor, memoryProvider } from "@keyward/core"
import { mcpPlugin } from "@keyward/plugin-mcp"
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { median, type Row, throughput } from "./measure.ts"

/** At most so much slower than the client alone. */
const mostOverhead = 0.1
const token = "bench-token-of-no-use"

/** Runs the suite. */
export const mcp = async (): Promise<ReadonlyArray<Row>> => {
  const server = fork(fileURLToPath(new URL("mcpServer.ts", import.meta.url)))
  const [port] = (await once(server, "message")) as [number]
  const url = `http://127.0.0.1:${port}/mcp`
  const client = new Client({ name: "bench", version: "1" }, { versionNegotiation: { mode: "auto" } })
  try {
    await using executor = await createExecutor({
      plugins: [mcpPlugin()],
      providers: [memoryProvider()],
      egress: { allowHosts: [`127.0.0.1:${port}`] },
    })
    const authTemplates = [{ slug: "bearer", type: "bearer" }] as const
    await executor.mcp.addServer({ slug: "bench", transport: "http", url, authTemplates })
    const account = { owner: "org", integration: "bench", name: "main" } as const
    await executor.connections.create({ ...account, template: "bearer", value: token })
    const requestInit = { headers: { authorization: `Bearer ${token}` } }
    await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }))
    await client.listTools()
    const alone = async (): Promise<void> => {
      const { structuredContent } = await client.callTool({ name: "add", arguments: { a: 1, b: 2 } })
      if (structuredContent === undefined) throw new Error("The client got no answer.")
    }
    const tool = async (): Promise<void> => {
      const result = await executor.execute("tools.bench.org.main.add", { a: 1, b: 2 })
      if (!result.ok) throw new Error(result.error.message)
    }
    const rows: Array<Row> = []
    for (const inFlight of [1, 16]) {
      const ratios: Array<number> = []
      const rates: Array<readonly [number, number]> = []
      for (let round = 0; round < 7; round += 1) {
        const bare = await throughput(alone, inFlight, 1_000)
        const own = await throughput(tool, inFlight, 1_000)
        ratios.push(bare / own - 1)
        rates.push([own, bare])
      }
      const overhead = median(ratios)
      const own = Math.round(median(rates.map(([rate]) => rate))).toLocaleString("en")
      const bare = Math.round(median(rates.map(([, rate]) => rate))).toLocaleString("en")
      rows.push({
        suite: "mcp",
        name: `an MCP tool, ${inFlight} in flight, beside the official client`,
        value: `${(100 * overhead).toFixed(1)} % more time (${own}/s beside ${bare}/s)`,
        target: `≤ ${100 * mostOverhead} %`,
        isMet: overhead <= mostOverhead,
      })
    }
    return rows
  } finally {
    await client.close()
    server.kill()
  }
}
