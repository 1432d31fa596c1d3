/** What a call costs that sends nothing: `execute` with a static credential, a memory store and a tool without I/O. */
import { createExecutor, memoryProvider } from "@keyward/core"
import { localPlugin } from "./localPlugin.ts"
import { allocatedPerCall, median, type Row, sample, throughput } from "./measure.ts"

/** Runs the suite. */
export const execute = async (): Promise<ReadonlyArray<Row>> => {
  await using executor = await createExecutor({ plugins: [localPlugin], providers: [memoryProvider()] })
  await executor.local.add("sums")
  await executor.connections.create({
    owner: "org",
    integration: "sums",
    name: "main",
    template: "apiKey",
    value: "bench-key",
  })
  const call = (): Promise<unknown> => executor.execute("tools.sums.org.main.add", { one: 1, other: 2 })
  const one = await sample(call, 100_000)
  const ones: Array<number> = []
  const manies: Array<number> = []
  for (let round = 0; round < 9; round += 1) {
    ones.push(await throughput(call, 1, 50_000))
    manies.push(await throughput(call, 64, 50_000))
  }
  const alone = median(ones)
  const many = median(manies)
  const bytes = await allocatedPerCall(call, 2_000)
  const suite = "execute"
  return [
    {
      suite,
      name: "p50 (p99), one at a time",
      value: `${one.p50Us.toFixed(1)} µs (${one.p99Us.toFixed(1)} µs)`,
      target: "p50 ≤ 10 µs",
      isMet: one.p50Us <= 10,
    },
    { suite, name: "calls per second, 1 in flight", value: Math.round(alone).toLocaleString("en") },
    {
      suite,
      name: "calls per second, 64 in flight",
      value: `${Math.round(many).toLocaleString("en")} (${(many / alone).toFixed(2)} × one in flight)`,
      target: "no slower per call",
      isMet: many >= alone * 0.95,
    },
    {
      suite,
      name: "allocated per call",
      value: `${(bytes / 1024).toFixed(1)} KB`,
      target: "≤ 6 KB",
      isMet: bytes <= 6 * 1024,
    },
  ]
}
