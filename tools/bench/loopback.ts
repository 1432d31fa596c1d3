/**
 * What Keyward adds to an HTTP request: an OpenAPI tool over loopback, beside `undici.request` and the platform's `fetch` with the header
 * set by hand.
 *
 * The API runs in a process of its own, so that the two clients are measured and not the server.
 */
import { fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { createExecutor, memoryProvider } from "@keyward/core"
import { openApiPlugin } from "@keyward/plugin-openapi"
import { Agent, request } from "undici"
import { median, type Row, throughput } from "./measure.ts"

/** Runs the suite. */
export const loopback = async (): Promise<ReadonlyArray<Row>> => {
  const server = fork(fileURLToPath(new URL("loopbackServer.ts", import.meta.url)))
  const [port] = (await once(server, "message")) as [number]
  const host = `127.0.0.1:${port}`
  try {
    await using executor = await createExecutor({
      plugins: [openApiPlugin()],
      providers: [memoryProvider()],
      egress: { allowHosts: [host] },
    })
    await executor.openapi.addSpec({ slug: "items", spec: document(`http://${host}`) })
    await executor.connections.create({
      owner: "org",
      integration: "items",
      name: "main",
      template: "apiKey",
      value: "bench-key",
    })
    const dispatcher = new Agent()
    const byHand = async (): Promise<void> => {
      const response = await request(`http://${host}/items/7?verbose=true`, {
        dispatcher,
        headers: { "x-api-key": "bench-key" },
      })
      await response.body.json()
    }
    const byFetch = async (): Promise<void> => {
      const response = await fetch(`http://${host}/items/7?verbose=true`, { headers: { "x-api-key": "bench-key" } })
      await response.json()
    }
    const tool = async (): Promise<void> => {
      const result = await executor.execute("tools.items.org.main.getItem", { id: "7", verbose: true })
      if (!result.ok) throw new Error(result.error.message)
    }
    const rows: Array<Row> = []
    const beside = async (
      other: string,
      call: () => Promise<void>,
      inFlight: number,
      target?: number,
    ): Promise<Row> => {
      const ratios: Array<number> = []
      const rates: Array<readonly [number, number]> = []
      for (let round = 0; round < 7; round += 1) {
        const hand = await throughput(call, inFlight, 4_000)
        const own = await throughput(tool, inFlight, 4_000)
        ratios.push(own / hand)
        rates.push([own, hand])
      }
      const ratio = median(ratios)
      const own = Math.round(median(rates.map(([rate]) => rate))).toLocaleString("en")
      const hand = Math.round(median(rates.map(([, rate]) => rate))).toLocaleString("en")
      return {
        suite: "loopback",
        name: `an OpenAPI tool, ${inFlight} in flight, beside ${other}`,
        value: `${ratio.toFixed(2)} × (${own}/s beside ${hand}/s)`,
        ...(target !== undefined && { target: `≥ ${target} ×`, isMet: ratio >= target }),
      }
    }
    for (const inFlight of [1, 16]) {
      rows.push(await beside("undici.request", byHand, inFlight, 0.75))
      rows.push(await beside("fetch", byFetch, inFlight))
    }
    await dispatcher.close()
    return rows
  } finally {
    server.kill()
  }
}

const document = (url: string): object => ({
  openapi: "3.1.0",
  info: { title: "Items", version: "1" },
  servers: [{ url }],
  components: { securitySchemes: { apiKey: { type: "apiKey", in: "header", name: "X-API-Key" } } },
  security: [{ apiKey: [] }],
  paths: {
    "/items/{id}": {
      get: {
        operationId: "getItem",
        parameters: [
          { name: "id", in: "path", required: true, schema: { type: "string" } },
          { name: "verbose", in: "query", schema: { type: "boolean" } },
        ],
        responses: {
          "200": { description: "An item", content: { "application/json": { schema: { type: "object" } } } },
        },
      },
    },
  },
})
