/** What selecting the account adds to a call: among 10,000 connections of one caller, with and without a default. */
import { createExecutor, memoryProvider } from "@keyward/core"
import { localPlugin } from "./localPlugin.ts"
import { type Row, sample } from "./measure.ts"

const integrations = 100
const connectionsEach = 100

/** Runs the suite. */
export const selection = async (): Promise<ReadonlyArray<Row>> => {
  await using executor = await createExecutor({ plugins: [localPlugin], providers: [memoryProvider()] })
  const alice = executor.withIdentity({ subject: "alice" })
  const create = (integration: string, name: string) =>
    alice.connections.create({ owner: "user", integration, name, template: "apiKey", value: "bench-key" })
  for (let index = 0; index < integrations; index += 1) {
    await executor.local.add(`sums${index}`)
    for (let each = 0; each < connectionsEach; each += 1) await create(`sums${index}`, `account${each}`)
  }
  await executor.local.add("sums")
  await create("sums", "main")
  await alice.connections.setDefault({ owner: "user", integration: "sums50", name: "account50" })
  const args = { one: 1, other: 2 }
  const ways = {
    "a full address": () => alice.execute("tools.sums.user.main.add", args),
    "call, the only account": () => alice.call("sums", "add", args),
    "a short address, the only account": () => alice.execute("tools.sums.add", args),
    "call, the default of 100": () => alice.call("sums50", "add", args),
    "call, one of 100 by name": () => alice.call("sums50", "add", args, { account: "account70" }),
  }
  const p50: Record<string, number> = {}
  for (const [name, call] of Object.entries(ways)) {
    const result = await call()
    if (!result.ok) throw new Error(result.error.message)
    p50[name] = (await sample(call, 50_000)).p50Us
  }
  const base = p50["a full address"] ?? 0
  return Object.entries(p50).map(([name, us]) =>
    name === "a full address"
      ? { suite: "selection", name: `${name}, 10,000 connections, p50`, value: `${us.toFixed(1)} µs` }
      : {
          suite: "selection",
          name: `${name}, p50`,
          value: `${us.toFixed(1)} µs (${(us - base).toFixed(1)} µs more)`,
          target: "≤ 3 µs more",
          isMet: us - base <= 3,
        },
  )
}
