/**
 * A change is done when every other process has heard of it: the very next call, in any process, goes by it. A process that hears nothing
 * is waited for until it believes nothing any more.
 */
import type { ConnectionRow } from "@keyward/core/effect"
import * as Effect from "effect/Effect"
import { afterAll, describe, expect, it, onTestFinished } from "vitest"
import { postgresStore, type SqlStore } from "../src/index.ts"
import { accountRow } from "./support/account.ts"
import { startPostgres } from "./support/postgresServer.ts"
import { type OtherProcess, startProcess } from "./support/startProcess.ts"

const server = await startPostgres()
const connectionString = server?.connectionString ?? ""

afterAll(() => server?.[Symbol.asyncDispose]())

/** Longer than any test: whoever waits for it fails. */
const foreverMs = 600_000

/** For what happens in the background. */
const soon = { timeout: 15_000 }

let schemas = 0

const opened = async (maxStaleMs: number) => {
  const schema = `confirmed_${++schemas}`
  const store = postgresStore({ connectionString, schema, cache: { maxStaleMs } })
  onTestFinished(() => Effect.runPromise(store.close()))
  await Effect.runPromise(store.connections.put(accountRow, 0))
  const listeners = async (): Promise<number> => {
    const rows = await server?.query(`select id from ${schema}.keyward_listeners`)
    return rows?.length ?? 0
  }
  const start = async (): Promise<OtherProcess> => {
    const other = await startProcess({ connectionString, schema, maxStaleMs })
    await other.ask({ type: "keep" })
    return other
  }
  return { schema, store, listeners, start }
}

const disable = (store: SqlStore, version: number): Promise<boolean> => {
  const row: ConnectionRow = { ...accountRow, status: "disabled", version: version + 1 }
  return Effect.runPromise(store.connections.put(row, version))
}

/** Long enough for everything that does not wait: many steps to the database and back. */
const aWhile = async (): Promise<"still waiting"> => {
  for (let step = 0; step < 30; step++) await server?.query("select 1")
  return "still waiting"
}

describe("on Postgres", { skip: server === undefined }, () => {
  it("what one process changes or removes the very next read of another goes by", async () => {
    const { store, start } = await opened(foreverMs)
    const others = [await start(), await start()]
    for (let version = 1; version < 20; version++) {
      for (const other of others) await other.ask({ type: "keep" })
      await disable(store, version)
      for (const other of others) expect(await other.ask({ type: "version" })).toBe(version + 1)
    }
    const [writer, reader] = others
    await reader?.ask({ type: "keep" })
    await Effect.runPromise(store.connections.remove(accountRow))
    expect(await reader?.ask({ type: "version" })).toBeNull()
    expect(await writer?.ask({ type: "version" })).toBeNull()
    await Effect.runPromise(store.connections.put(accountRow, 0))
    expect(await reader?.ask({ type: "version" }), "though it knew that there was none").toBe(1)
  }, 60_000)

  it("is waited for while another process stands still, and done when that goes on", async () => {
    const { store, start } = await opened(foreverMs)
    const other = await start()
    other.signal("SIGSTOP")
    const change = disable(store, 1)
    expect(await Promise.race([change, aWhile()])).toBe("still waiting")
    other.signal("SIGCONT")
    expect(await change).toBe(true)
    expect(await other.ask({ type: "version" })).toBe(2)
  }, 60_000)

  it("is done at the bound where another process stands still, which believes nothing when it goes on", async () => {
    const { store, start } = await opened(300)
    const other = await start()
    other.signal("SIGSTOP")
    expect(await disable(store, 1)).toBe(true)
    // It is asked before it goes on, so it has this question before it can have heard anything.
    const version = other.ask({ type: "version" })
    other.signal("SIGCONT")
    expect(await version).toBe(2)
  }, 60_000)

  it("waits once for a process that was killed, and not for one that was closed", async () => {
    const { store, start, listeners } = await opened(300)
    const other = await start()
    await expect.poll(listeners, soon).toBe(2)
    await other.kill()
    await disable(store, 1)
    await expect.poll(listeners, soon).toBe(1)
    const third = await start()
    await expect.poll(listeners, soon).toBe(2)
    await Effect.runPromise(store.close())
    await expect.poll(listeners, soon).toBe(1)
    await third.kill()
  }, 60_000)

  it("new tokens wait for nobody", async () => {
    const { store, start } = await opened(foreverMs)
    const other = await start()
    other.signal("SIGSTOP")
    const grant = { kind: "authorization_code" } as unknown as ConnectionRow["grant"]
    expect(await Effect.runPromise(store.connections.put({ ...accountRow, grant, version: 2 }, 1))).toBe(true)
    other.signal("SIGCONT")
  }, 60_000)
})
