import { leaseContract, storeContract } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import { Pool } from "pg"
import { afterAll, describe, it } from "vitest"
import { postgresStore } from "../src/index.ts"
import { startPostgres } from "./support/postgresServer.ts"

const server = await startPostgres()
const connectionString = server?.connectionString ?? ""
const options = { skip: server === undefined }

afterAll(() => server?.[Symbol.asyncDispose]())

let schemas = 0

/** A store over a schema of its own, which breaks by losing it. */
const fresh = () => {
  const schema = `case_${++schemas}`
  const open = () => postgresStore({ connectionString, schema, maxConnections: 4 })
  return {
    store: open(),
    open,
    breakBackend: async () => void (await server?.query(`drop schema ${schema} cascade`)),
    dispose: async () => void (await server?.query(`drop schema if exists ${schema} cascade`)),
  }
}

describe("postgresStore keeps the contract of stores", options, () => {
  for (const { name, run } of storeContract(fresh, { durable: true, breakable: true, recordsTogether: true })) {
    it(name, run, 60_000)
  }
})

describe("the lease of postgresStore keeps the contract of leases", options, () => {
  const leaseOfSchema = () => {
    const { store, dispose } = fresh()
    return {
      lease: store.lease,
      dispose: async () => {
        await Effect.runPromise(store.close())
        await dispose()
      },
    }
  }
  for (const { name, run } of leaseContract(leaseOfSchema)) it(name, run, 60_000)
})

describe(
  "postgresStore where each statement has another session, as behind a proxy that pools by transaction",
  options,
  () => {
    /** Connections of this pool serve once. */
    const overProxy = () => {
      const schema = `proxy_${++schemas}`
      const pool = new Pool({ connectionString, max: 4, maxUses: 1 })
      const store = postgresStore({ pool, schema })
      const dispose = async (): Promise<void> => {
        await Effect.runPromise(store.close())
        await pool.end()
        await server?.query(`drop schema if exists ${schema} cascade`)
      }
      return { store, lease: store.lease, dispose }
    }
    const about = /OAuth client|flow|revocation|catalog|page by page|compare and set|audit entry/
    const cases = storeContract(overProxy, { recordsTogether: true }).filter(({ name }) => about.test(name))
    for (const { name, run } of cases) it(name, run, 60_000)
    for (const { name, run } of leaseContract(overProxy)) it(name, run, 60_000)
  },
)
