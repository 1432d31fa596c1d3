/**
 * What SQL stores cost: calls, creating, reading and listing with few and with many connections in SQLite, and round trips to a Postgres on
 * loopback, counted at its pool.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createExecutor, memoryProvider } from "@keyward/core"
import { postgresStore, sqliteStore, type SqlStore } from "@keyward/store-sql"
import { Pool } from "pg"
import { startPostgres } from "../../packages/store-sql/test/support/postgresServer.ts"
import { localPlugin } from "./localPlugin.ts"
import { median, type Row, sample, throughput } from "./measure.ts"

/** So many connections there are when calls are measured. */
const sizes = [1, 10_000, 100_000] as const

interface Costs {
  readonly p50Us: number
  readonly spreadP50Us: number
  readonly perSecond: number
  readonly createUs: number
  readonly getUs: number
  readonly listUs: number
}

const executorOver = (store: SqlStore) =>
  createExecutor({ plugins: [localPlugin], providers: [memoryProvider()], store, onElicitation: "accept-all" })

type Bench = Awaited<ReturnType<typeof executorOver>>

const create = (executor: Bench, index: number): Promise<unknown> =>
  executor.connections.create({
    owner: "org",
    integration: "sums",
    name: `account${String(index).padStart(6, "0")}`,
    template: "apiKey",
    value: "bench-key",
  })

const addressOf = (index: number): string => `tools.sums.org.account${String(index).padStart(6, "0")}.add`

const measured = async (executor: Bench, count: number): Promise<Costs> => {
  const call = (): Promise<unknown> => executor.execute(addressOf(0), { one: 1, other: 2 })
  const one = await sample(call, 20_000)
  // Over more connections than are kept in memory, each call another one.
  let at = 0
  const spread = await sample(
    () => executor.execute(addressOf((at += 7919) % count), { one: 1, other: 2 }),
    20_000,
    2_000,
  )
  const rates: Array<number> = []
  for (let round = 0; round < 5; round += 1) rates.push(await throughput(call, 1, 20_000))
  const ref = { owner: "org", integration: "sums", name: "account000000" } as const
  const get = await sample(() => executor.connections.get(ref), 20_000, 2_000)
  const list = await sample(() => executor.connections.list({ limit: 50 }), 300, 50)
  let made = count
  const made1 = await sample(() => create(executor, made++), 500, 0)
  return {
    p50Us: one.p50Us,
    spreadP50Us: spread.p50Us,
    perSecond: median(rates),
    createUs: made1.p50Us,
    getUs: get.p50Us,
    listUs: list.p50Us,
  }
}

/** Runs the suite of SQLite. */
export const sqlite = async (): Promise<ReadonlyArray<Row>> => {
  const suite = "sqlite"
  const folder = mkdtempSync(join(tmpdir(), "keyward-bench-"))
  try {
    await using executor = await executorOver(sqliteStore({ filename: join(folder, "keyward.db") }))
    await executor.local.add("sums")
    const found = new Map<number, Costs>()
    let made = 0
    for (const size of sizes) {
      for (; made < size; made += 1) await create(executor, made)
      found.set(size, await measured(executor, size))
      made += 500
    }
    const [alone, , many] = sizes.map((size) => found.get(size))
    if (alone === undefined || many === undefined) throw new Error("Nothing was measured.")
    const each = (value: (costs: Costs) => number, unit: "µs" | "ms"): string =>
      [...found]
        .map(([size, costs]) => {
          const us = value(costs)
          return `${unit === "ms" ? (us / 1000).toFixed(2) : us.toFixed(1)} ${unit} with ${size.toLocaleString("en")}`
        })
        .join(", ")
    const worst = (value: (costs: Costs) => number): number => Math.max(...[...found.values()].map(value))
    const slowdown = many.p50Us / alone.p50Us
    return [
      {
        suite,
        name: "execute, p50, one at a time, the same connection",
        value: each(({ p50Us }) => p50Us, "µs"),
        target: "≤ 40 µs, < 20 % more with 100,000",
        isMet: worst(({ p50Us }) => p50Us) <= 40 && slowdown < 1.2,
      },
      {
        suite,
        name: "execute, calls per second, one at a time",
        value: [...found.values()].map(({ perSecond }) => Math.round(perSecond).toLocaleString("en")).join(", "),
        target: "≥ 25,000",
        isMet: [...found.values()].every(({ perSecond }) => perSecond >= 25_000),
      },
      {
        suite,
        name: "execute, p50, each call another connection (10,000 are kept in memory)",
        value: each(({ spreadP50Us }) => spreadP50Us, "µs"),
      },
      {
        suite,
        name: "connections.create, p50",
        value: each(({ createUs }) => createUs, "ms"),
        target: "≤ 1 ms",
        isMet: worst(({ createUs }) => createUs) <= 1000,
      },
      {
        suite,
        name: "connections.get, p50",
        value: each(({ getUs }) => getUs, "µs"),
        target: "≤ 30 µs",
        isMet: worst(({ getUs }) => getUs) <= 30,
      },
      {
        suite,
        name: "first page of connections.list (50), p50",
        value: each(({ listUs }) => listUs, "ms"),
        target: "≤ 2 ms",
        isMet: worst(({ listUs }) => listUs) <= 2000,
      },
    ]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Runs the suite of Postgres; nothing where there is none. */
export const postgres = async (): Promise<ReadonlyArray<Row>> => {
  const suite = "postgres"
  await using server = await startPostgres()
  if (server === undefined) return []
  let statements = 0
  const pool = new Pool({ connectionString: server.connectionString, max: 4 })
  pool.on("connect", (client) => {
    const query = client.query.bind(client) as (...input: ReadonlyArray<unknown>) => unknown
    Object.assign(client, {
      query: (...input: ReadonlyArray<unknown>) => {
        statements += 1
        return query(...input)
      },
    })
  })
  const maker = await executorOver(postgresStore({ connectionString: server.connectionString }))
  await maker.local.add("sums")
  const count = 200
  for (let index = 0; index < count; index += 1) await create(maker, index)
  const provider = memoryProvider()
  await using executor = await createExecutor({
    plugins: [localPlugin],
    providers: [provider],
    store: postgresStore({ pool }),
    onElicitation: "accept-all",
  })
  const call = (index: number): Promise<unknown> => executor.execute(addressOf(index), { one: 1, other: 2 })
  await call(0)
  // Until it listens, and a little longer.
  await new Promise((resolve) => setTimeout(resolve, 1500))
  await call(0)
  statements = 0
  const cold = await sample(
    (
      (index) => () =>
        call((index += 1))
    )(0),
    count - 1,
    0,
  )
  const coldStatements = statements / (count - 1)
  statements = 0
  let called = 0
  const warm = await sample(() => {
    const result = call(0)
    called += 1
    // A process that never comes to its event loop is not told of changes, and asks.
    return called % 256 === 0 ? result.then(() => new Promise(setImmediate)) : result
  }, 20_000)
  const warmStatements = statements
  await maker.close()
  await pool.end()
  return [
    {
      suite,
      name: "execute of a warm connection",
      value: `${warmStatements} statements in 40,000 calls, p50 ${warm.p50Us.toFixed(1)} µs`,
      target: "no statement",
      isMet: warmStatements === 0,
    },
    {
      suite,
      name: "execute of a cold connection",
      value: `${coldStatements.toFixed(2)} statements, p50 ${(cold.p50Us / 1000).toFixed(2)} ms`,
      target: "1 round trip",
      isMet: coldStatements <= 1,
    },
  ]
}
