/**
 * What selecting the account, an agent's grants and policy rules add to a call together: an agent with 1,000 grants among 10,000
 * connections under 1,000 rules, beside an executor with one connection and nothing of the kind.
 *
 * Both are called by turns, a little at a time, so that whatever else the machine does slows both alike.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  type AgentExecutor,
  createExecutor,
  type GrantInput,
  memoryProvider,
  memoryStore,
  type Store,
} from "@keyward/core"
import { sqliteStore } from "@keyward/store-sql"
import { localPlugin } from "./localPlugin.ts"
import { median, type Row, sample } from "./measure.ts"
import { unrelatedPatterns } from "./unrelatedPatterns.ts"

const integrationCount = 10
const connectionCount = 10_000
const grantCount = 1_000
const ruleCount = 1_000

const rounds = 25
const callsPerRound = 2_000

/** Runs the suite. */
export const rights = async (): Promise<ReadonlyArray<Row>> => {
  const folder = mkdtempSync(join(tmpdir(), "keyward-bench-"))
  const inFile = (name: string): Store => sqliteStore({ filename: join(folder, name) })
  try {
    return [
      ...(await compared("in memory", memoryStore(), memoryStore())),
      ...(await compared("in SQLite", inFile("plain.db"), inFile("full.db"))),
    ]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const compared = async (place: string, plainStore: Store, fullStore: Store): Promise<ReadonlyArray<Row>> => {
  await using plain = await executorOver(plainStore)
  await using full = await executorOver(fullStore)
  await plain.local.add("sums0")
  const plainAddress = await connect(plain, 0)
  const { agent, granted } = await fill(full)
  const some = granted[7] ?? ""
  let next = 0
  const args = { one: 1, other: 2 }
  const bare = () => plain.execute(plainAddress, args)
  const ways = {
    "execute, one address": () => agent.execute(some, args),
    "execute, 1,000 addresses in turn": () =>
      agent.execute(granted[(next = (next + 379) % granted.length)] ?? "", args),
    "execute of a short address, the default account": () => agent.execute("tools.sums0.add", args),
    "call, an account by name": () => agent.call("sums1", "add", args, { identity: "org", account: "account1" }),
  }
  const rows: Array<Row> = []
  for (const [name, call] of Object.entries(ways)) {
    for (const one of [bare, call]) {
      const result = await one()
      if (!result.ok || result.data !== 3) throw new Error(`${name}: ${JSON.stringify(result)}`)
    }
    const { without, withAll } = await byTurns(bare, call)
    rows.push(rowOf(`${name}, ${place}`, without, withAll))
  }
  return rows
}

/** The p50 of each, in microseconds: the middle one of many rounds. */
const byTurns = async (bare: () => Promise<unknown>, call: () => Promise<unknown>) => {
  await sample(bare, 0, 20_000)
  await sample(call, 0, 20_000)
  const p50s = { without: [] as Array<number>, withAll: [] as Array<number> }
  for (let round = 0; round < rounds; round += 1) {
    p50s.without.push((await sample(bare, callsPerRound, 100)).p50Us)
    p50s.withAll.push((await sample(call, callsPerRound, 100)).p50Us)
  }
  return { without: median(p50s.without), withAll: median(p50s.withAll) }
}

const rowOf = (name: string, without: number, withAll: number): Row => {
  const added = withAll - without
  return {
    suite: "rights",
    name: `${name}, 10,000 connections, 1,000 grants, 1,000 rules, p50`,
    value: `${withAll.toFixed(1)} µs, ${added.toFixed(1)} µs more than one connection without any`,
    target: "≤ 6 µs more",
    isMet: added <= 6,
  }
}

const executorOver = (store: Store) =>
  createExecutor({ plugins: [localPlugin], providers: [memoryProvider()], subject: "alice", store })

type Bench = Awaited<ReturnType<typeof executorOver>>

/** Half of them are the organisation's, half the user's. */
const refOf = (index: number) =>
  ({
    owner: index % 2 === 0 ? "user" : "org",
    integration: `sums${Math.floor(index / 2) % integrationCount}`,
    name: `account${Math.floor(index / 2 / integrationCount)}`,
  }) as const

const addressOf = (index: number): string => {
  const { owner, integration, name } = refOf(index)
  return `tools.${integration}.${owner}.${name}.add`
}

const connect = async (executor: Bench, index: number): Promise<string> => {
  await executor.connections.create({ ...refOf(index), template: "apiKey", value: "bench-key" })
  return addressOf(index)
}

/** Connections, rules of both kinds, and an agent that acts for the user: all of what a call may have to look at. */
const fill = async (
  executor: Bench,
): Promise<{ readonly agent: AgentExecutor; readonly granted: ReadonlyArray<string> }> => {
  for (let index = 0; index < integrationCount; index += 1) await executor.local.add(`sums${index}`)
  for (let index = 0; index < connectionCount; index += 1) await connect(executor, index)
  await executor.connections.setDefault(refOf(0))
  for (const [index, pattern] of unrelatedPatterns(ruleCount - 2).entries()) {
    await executor.policies.create({ owner: index % 2 === 0 ? "org" : "user", pattern, action: "block" })
  }
  // One rule of each that decides, behind all others.
  await executor.policies.create({ owner: "org", pattern: "tools.*.*.*.add", action: "approve" })
  await executor.policies.create({ owner: "user", pattern: "tools.*.*.*.a*", action: "approve" })
  await executor.agents.create({ id: "worker", integrations: "all" })
  const organisation = executor.withIdentity({})
  for (let index = 0; index < grantCount; index += 1) {
    const granting = index % 2 === 0 ? executor : organisation
    await granting.agents.grant("worker", { connection: refOf(index), ...scopeOf(index) })
  }
  const agent = await executor.asAgent("worker")
  return { agent, granted: Array.from({ length: grantCount }, (_, index) => addressOf(index)) }
}

/** Of every kind: whole, by patterns over tools' names, and with an end. */
const scopeOf = (index: number): Omit<GrantInput, "connection"> => {
  switch (index % 3) {
    case 0:
      return { access: "read" }
    case 1:
      return { access: ["read", "write"], tools: ["list*", "get*", "a*d"] }
    default:
      return { access: "read", tools: ["add"], expiresAt: Date.now() + 86_400_000 }
  }
}
