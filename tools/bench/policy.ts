/** What rules cost a call: `execute` with no rule, and with 1,000 rules over 10,000 connections, which are called in turn. */
import { createExecutor, type Executor, memoryProvider } from "@keyward/core"
import { localPlugin } from "./localPlugin.ts"
import { type Row, sample } from "./measure.ts"
import { unrelatedPatterns } from "./unrelatedPatterns.ts"

const ruleCount = 1_000
const connectionCount = 10_000

/** Runs the suite. */
export const policy = async (): Promise<ReadonlyArray<Row>> => {
  const suite = "policy"
  await using bare = await createExecutor({ plugins: [localPlugin], providers: [memoryProvider()] })
  await using ruled = await createExecutor({ plugins: [localPlugin], providers: [memoryProvider()] })
  for (const executor of [bare, ruled]) await connect(executor)
  for (const pattern of unrelatedPatterns(ruleCount))
    await ruled.policies.create({ owner: "org", pattern, action: "block" })
  const same = () => "tools.sums.org.account7.add"
  let next = 0
  const any = () => `tools.sums.org.account${(next = (next + 7919) % connectionCount)}.add`
  const rows: Array<Row> = []
  for (const [name, address] of [
    ["one address", same],
    ["10,000 addresses in turn", any],
  ] as const) {
    const call = (executor: Executor) => () => executor.execute(address(), { one: 1, other: 2 })
    const without = await sample(call(bare), 50_000)
    const withRules = await sample(call(ruled), 50_000)
    const added = withRules.p50Us - without.p50Us
    rows.push({
      suite,
      name: `execute with ${ruleCount.toLocaleString("en")} rules, ${name}, p50`,
      value: `${withRules.p50Us.toFixed(1)} µs, ${added.toFixed(1)} µs more than without rules`,
      target: "≤ 6 µs more",
      isMet: added <= 6,
    })
  }
  return rows
}

const connect = async (executor: Executor<readonly [typeof localPlugin]>): Promise<void> => {
  await executor.local.add("sums")
  for (let index = 0; index < connectionCount; index += 1) {
    const name = `account${index}`
    await executor.connections.create({
      owner: "org",
      integration: "sums",
      name,
      template: "apiKey",
      value: "bench-key",
    })
  }
}
