/** Resolve and apply alone: `connections.fetch` over a transport that answers at once. */
import { createExecutor, memoryProvider } from "@keyward/core"
import { localPlugin } from "./localPlugin.ts"
import { type Row, throughput } from "./measure.ts"

const target = 100_000
const bodiless = "no body (204)"

/** Runs the suite. */
export const connectionsFetch = async (): Promise<ReadonlyArray<Row>> => {
  const answers: ReadonlyArray<readonly [name: string, answer: () => Response]> = [
    [bodiless, () => new Response(null, { status: 204 })],
    ["a text body", () => new Response("ok")],
  ]
  const rows: Array<Row> = []
  for (const [name, answer] of answers) {
    await using executor = await createExecutor({
      plugins: [localPlugin],
      providers: [memoryProvider()],
      egress: { fetch: () => Promise.resolve(answer()) },
    })
    await executor.local.add("example")
    const ref = { owner: "org", integration: "example", name: "main" } as const
    await executor.connections.create({ ...ref, template: "apiKey", value: "bench-key" })
    const fetch = executor.connections.fetch(ref)
    const bare = await throughput(() => Promise.resolve(answer()), 1, 200_000)
    const rate = await throughput(() => fetch("https://api.example.com/v1/items?page=2"), 1, 200_000)
    const own = 1 / (1 / rate - 1 / bare)
    rows.push({
      suite: "connections.fetch",
      name: `requests per second, ${name}`,
      value: `${Math.round(rate).toLocaleString("en")} (making the Response alone: ${Math.round(bare).toLocaleString("en")})`,
      // Of a body, two more streams and a Response are made, none of which is resolving or applying.
      ...(name === bodiless && { target: `≥ ${target.toLocaleString("en")}`, isMet: rate >= target }),
    })
    rows.push({
      suite: "connections.fetch",
      name: `resolve and apply alone, ${name}, the Response deducted`,
      value: `${Math.round(own).toLocaleString("en")} per second`,
      target: `≥ ${target.toLocaleString("en")}`,
      isMet: own >= target,
    })
  }
  return rows
}
