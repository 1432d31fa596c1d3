/** The same promises behind a real proxy that pools by transaction, with fewer connections to the server than there are clients. */
import { leaseContract, storeContract } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import { afterAll, describe, expect, it, onTestFinished, vi } from "vitest"
import { postgresStore, type SqlStore } from "../src/index.ts"
import { accountRow } from "./support/account.ts"
import { hasPgBouncer, startPgBouncer } from "./support/pgBouncer.ts"
import { startPostgres } from "./support/postgresServer.ts"

const server = hasPgBouncer ? await startPostgres() : undefined
const proxy = server === undefined ? undefined : await startPgBouncer(server.connectionString, 3)
const connectionString = proxy?.connectionString ?? ""
if (!hasPgBouncer) console.warn("SKIPPED: there is no PgBouncer here.")

afterAll(async () => {
  await proxy?.[Symbol.asyncDispose]()
  await server?.[Symbol.asyncDispose]()
})

let schemas = 0

/** Where no notification arrives, what is kept in memory is believed for a while; what has to be seen at once is not kept. */
const fresh = () => {
  const schema = `pooled_${++schemas}`
  const open = () => postgresStore({ connectionString, schema, maxConnections: 4, cache: { maxStaleMs: 0 } })
  const store = open()
  const dispose = async (): Promise<void> => void (await server?.query(`drop schema if exists ${schema} cascade`))
  return { open, store, dispose }
}

const closing = (store: SqlStore): SqlStore => {
  onTestFinished(() => Effect.runPromise(store.close()))
  return store
}

describe("postgresStore behind PgBouncer, pooling by transaction", { skip: proxy === undefined }, () => {
  for (const { name, run } of storeContract(fresh, { durable: true, recordsTogether: true })) it(name, run, 60_000)

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

  it("a change by another process is seen within the bound, and by a process that writes it at once", async () => {
    const schema = `pooled_${++schemas}`
    const reader = closing(postgresStore({ connectionString, schema, cache: { maxStaleMs: 100 } }))
    const writer = closing(postgresStore({ connectionString, schema, cache: { maxStaleMs: 100 } }))
    const status = async (store: SqlStore): Promise<string | undefined> =>
      (await Effect.runPromise(store.connections.get(accountRow, "recent")))?.status
    expect(await Effect.runPromise(writer.connections.put(accountRow, 0))).toBe(true)
    expect(await status(reader)).toBe("active")
    const disabled = { ...accountRow, status: "disabled", version: 2 } as const
    expect(await Effect.runPromise(writer.connections.put(disabled, 1))).toBe(true)
    expect(await status(writer)).toBe("disabled")
    await vi.waitFor(async () => expect(await status(reader)).toBe("disabled"), 15_000)
  }, 60_000)

  it("more clients than connections to the server wait for each other and lose nothing", async () => {
    const schema = `pooled_${++schemas}`
    const stores = Array.from({ length: 6 }, () => closing(postgresStore({ connectionString, schema })))
    const names = Array.from({ length: 60 }, (_, index) => `account${index}`)
    const written = await Promise.all(
      names.map((name, index) => {
        const store = stores[index % stores.length]
        if (store === undefined) throw new Error("There are six.")
        return Effect.runPromise(store.connections.put({ ...accountRow, name }, 0))
      }),
    )
    expect(written.every(Boolean)).toBe(true)
    const { tenant, subject } = accountRow
    const [first] = stores
    const listed = first && (await Effect.runPromise(first.connections.list({ tenant, subject, limit: 100 })))
    expect(new Set(listed?.map(({ name }) => name))).toEqual(new Set(names))
  }, 60_000)
})
