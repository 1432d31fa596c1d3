/** What an audit trail and a tracer add to a call that sends nothing. */
import { createExecutor, type ExecutorConfig, memoryProvider } from "@keyward/core"
import * as Tracer from "effect/Tracer"
import { localPlugin } from "./localPlugin.ts"
import { median, type Row, sample } from "./measure.ts"

type Config = Omit<ExecutorConfig, "plugins">

/** Runs the suite. */
export const audit = async (): Promise<ReadonlyArray<Row>> => {
  const ways: ReadonlyArray<[string, Config]> = [
    ["neither", {}],
    ["a listener", { onEvent: () => {} }],
    ["an audit trail in memory", { audit: true }],
    ["a tracer of effect", { tracer: Tracer.make({ span: (options) => new Tracer.NativeSpan(options) }) }],
  ]
  const stages = await Promise.all(ways.map(async ([name, config]) => ({ name, ...(await setStage(config)) })))
  const figures = new Map<string, Array<number>>(ways.map(([name]) => [name, []]))
  // In turns, so that what the machine does besides is everybody's.
  for (let round = 0; round < 7; round += 1) {
    for (const { name, call, settle } of stages) {
      figures.get(name)?.push((await sample(call, 10_000)).p50Us)
      await settle()
    }
  }
  for (const { close } of stages) await close()
  const alone = median(figures.get("neither") ?? [])
  return ways.map(([name]) => {
    const p50 = median(figures.get(name) ?? [])
    const added = name === "neither" ? "" : ` (+${(p50 - alone).toFixed(1)} µs)`
    return { suite: "audit", name: `execute p50 with ${name}`, value: `${p50.toFixed(1)} µs${added}` }
  })
}

const setStage = async (config: Config) => {
  const executor = await createExecutor({
    plugins: [localPlugin],
    providers: [memoryProvider()],
    ...config,
    ...options(config),
  })
  await executor.local.add("sums")
  const main = { owner: "org", integration: "sums", name: "main" } as const
  await executor.connections.create({ ...main, template: "apiKey", value: "bench-key" })
  return {
    call: (): Promise<unknown> => executor.execute("tools.sums.org.main.add", { one: 1, other: 2 }),
    // What was recorded is removed again, so that the trail in memory does not grow from round to round.
    settle: async () => void (await executor.audit.prune({ before: Date.now() + 60_000 })),
    close: () => executor.close(),
  }
}

/** The queue holds a whole round. */
const options = ({ audit }: Config): Config => (audit === undefined ? {} : { audit: { maxPending: 50_000 } })
