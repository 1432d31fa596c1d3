/**
 * A process that keeps the accounts alive: `fork("keeperProcess.ts", [JSON.stringify(place)])`. Says `null` when it has opened its store,
 * begins when it is told to, and then says with each refresh what it has done so far.
 */
import { postgresStore, sqliteStore } from "@keyward/store-sql"
import { Pool } from "pg"
import { openExecutor, type Place } from "./Accounts.ts"

/** What a process has done since it began. */
export interface Done {
  readonly refreshed: number
  /** Sent to Postgres; 0 over SQLite. */
  readonly statements: number
  /** Its own processor time. */
  readonly cpuMs: number
}

let statements = 0

const countingPool = (connectionString: string): Pool => {
  const pool = new Pool({ connectionString, max: 10 })
  pool.on("connect", (client) => {
    const query = client.query.bind(client) as (...input: ReadonlyArray<unknown>) => unknown
    Object.assign(client, {
      query: (...input: ReadonlyArray<unknown>) => {
        statements += 1
        return query(...input)
      },
    })
  })
  return pool
}

const place = JSON.parse(process.argv[2] ?? "{}") as Place
const store = "filename" in place ? sqliteStore(place) : postgresStore({ pool: countingPool(place.connectionString) })
let refreshed = 0
let before = process.cpuUsage()
const executor = await openExecutor(store, (event) => {
  if (event.type !== "credential.refreshed") return
  const { user, system } = process.cpuUsage(before)
  process.send?.({ refreshed: (refreshed += 1), statements, cpuMs: (user + system) / 1000 } satisfies Done)
})
await store.ready()
process.once("message", () => {
  statements = 0
  before = process.cpuUsage()
  executor.oauth.keepAlive({ everyMs: 1000 })
})
process.send?.(null)
