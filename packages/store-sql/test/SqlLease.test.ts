/** Leases among processes: what the contract, which knows one process, cannot ask. */
import { DatabaseSync } from "node:sqlite"
import { StoreUnavailableError } from "@keyward/core"
import type { HeldLease } from "@keyward/core/effect"
import * as Effect from "effect/Effect"
import { afterAll, describe, expect, it, onTestFinished } from "vitest"
import { postgresStore, sqliteStore, type SqlStore } from "../src/index.ts"
import { accountRow } from "./support/account.ts"
import { makeFolder } from "./support/folder.ts"
import { startPostgres, untilRefused } from "./support/postgresServer.ts"
import type { ProcessJob } from "./support/ProcessMessage.ts"
import { startProcess } from "./support/startProcess.ts"

const server = await startPostgres()
const connectionString = server?.connectionString ?? ""

afterAll(() => server?.[Symbol.asyncDispose]())

interface Shared {
  readonly job: ProcessJob
  readonly open: (leaseMs?: number) => SqlStore
  /** Runs a statement past the store. */
  readonly sql: (text: string) => Promise<ReadonlyArray<Record<string, unknown>>>
}

const closing = (store: SqlStore): SqlStore => {
  onTestFinished(() => Effect.runPromise(store.close()))
  return store
}

const overSqlite = (leaseMs: number): Shared => {
  const folder = makeFolder()
  const filename = folder.file("keyward.db")
  onTestFinished(() => folder[Symbol.dispose]())
  return {
    job: { filename, leaseMs },
    open: (ms = leaseMs) => closing(sqliteStore({ filename, leaseMs: ms })),
    sql: async (text) => {
      const database = new DatabaseSync(filename, { timeout: 5000 })
      try {
        return database.prepare(text).all()
      } finally {
        database.close()
      }
    },
  }
}

let schemas = 0

const overPostgres = (leaseMs: number): Shared => {
  const schema = `lease_${++schemas}`
  const place = { connectionString, schema }
  return {
    job: { ...place, leaseMs },
    open: (ms = leaseMs) => closing(postgresStore({ ...place, leaseMs: ms, maxConnections: 2 })),
    sql: async (text) => (await server?.query(text.replace(/(?<=from |update )keyward_/, `${schema}.keyward_`))) ?? [],
  }
}

const hold = <A>(store: SqlStore, use: (held: HeldLease) => Promise<A>): Promise<A> =>
  Effect.runPromise(store.lease.hold("key", (held) => Effect.promise(() => use(held))))

/** In which timers get to run. */
const turnOfTheLoop = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5))

const isHeld = (held: HeldLease): Promise<boolean> => Effect.runPromise(held.isHeld)

for (const [database, make, skip] of [
  ["SQLite", overSqlite, false],
  ["Postgres", overPostgres, server === undefined],
] as const) {
  describe(`the lease of ${database}`, { skip }, () => {
    it("keeps other processes out while its holder lives, however long that takes", async () => {
      const shared = make(1500)
      const other = await startProcess(shared.job)
      const order: Array<string> = []
      const heldUntil = async (): Promise<number> =>
        Number((await shared.sql("select held_until from keyward_leases"))[0]?.["held_until"])
      const { waiting } = await hold(shared.open(), async (held) => {
        const waiting = other.ask({ type: "hold" }).then(() => order.push("other"))
        // Renewed until it would have run out.
        for (const first = await heldUntil(); (await heldUntil()) < first + 1500;) await turnOfTheLoop()
        expect(await isHeld(held)).toBe(true)
        order.push("holder")
        return { waiting }
      })
      await waiting
      expect(order).toEqual(["holder", "other"])
    })

    it("is free again when its holder is killed", async () => {
      const shared = make(1500)
      const other = await startProcess(shared.job)
      await other.ask({ type: "hold" })
      expect(await other.ask({ type: "isHeld" })).toBe(true)
      await other.kill()
      expect(await hold(shared.open(), isHeld)).toBe(true)
    })

    it("is free soon after its holder is killed that shortened it, and not before", async () => {
      const shared = make(600_000)
      const other = await startProcess(shared.job)
      const store = shared.open()
      await other.ask({ type: "hold" })
      await other.ask({ type: "shorten", forMs: 500 })
      const heldUntil = async (): Promise<number> =>
        Number((await shared.sql("select held_until from keyward_leases"))[0]?.["held_until"])
      // Renewed until it would have run out.
      for (const first = await heldUntil(); (await heldUntil()) < first + 1000;) await turnOfTheLoop()
      expect(await other.ask({ type: "isHeld" })).toBe(true)
      await other.kill()
      expect(await hold(store, isHeld)).toBe(true)
    })

    it("is lost by a holder that was stopped for too long, who is told so and whose write comes too late", async () => {
      const shared = make(1500)
      const store = shared.open(30_000)
      expect(await Effect.runPromise(store.connections.put(accountRow, 0))).toBe(true)
      const other = await startProcess(shared.job)
      await other.ask({ type: "hold" })
      other.signal("SIGSTOP")
      await hold(store, async (held) => {
        expect(await Effect.runPromise(store.connections.put({ ...accountRow, version: 2 }, 1))).toBe(true)
        other.signal("SIGCONT")
        expect(await other.ask({ type: "isHeld" })).toBe(false)
        expect(await other.ask({ type: "put", version: 1 })).toBe(false)
        expect(await isHeld(held)).toBe(true)
      })
      expect((await Effect.runPromise(store.connections.get(accountRow)))?.version).toBe(2)
    })

    it("is not held for ever by a holder whose clock was ahead", async () => {
      const shared = make(30_000)
      const [one, two] = [shared.open(), shared.open()]
      await hold(one, async (held) => {
        await shared.sql("update keyward_leases set held_until = held_until + 3600000 returning name")
        expect(await hold(two, isHeld)).toBe(true)
        expect(await isHeld(held)).toBe(false)
      })
      const left = await shared.sql("select name from keyward_leases")
      expect(left, "A former holder took a lease away that was not its own, or left one.").toEqual([])
    })

    it("leaves nothing behind of a waiter who gave up", async () => {
      const shared = make(30_000)
      const [one, two] = [shared.open(), shared.open()]
      await hold(one, async () => {
        const waiting = new AbortController()
        const exit = Effect.runPromiseExit(
          two.lease.hold("key", () => Effect.void),
          { signal: waiting.signal },
        )
        await two.ready()
        waiting.abort()
        expect((await exit)._tag).toBe("Failure")
      })
      expect(await hold(one, isHeld)).toBe(true)
    })
  })
}

describe("a Postgres that is restarted", { skip: server === undefined }, () => {
  it("is unavailable meanwhile, works again without a restart of the process, and keeps a lease that lasts", async () => {
    const shared = overPostgres(30_000)
    const store = shared.open()
    await Effect.runPromise(store.connections.put(accountRow, 0))
    await hold(store, async (held) => {
      await server?.stop()
      await untilRefused(connectionString)
      const failures = await Promise.all([
        Effect.runPromise(Effect.flip(held.isHeld)),
        Effect.runPromise(Effect.flip(store.connections.get(accountRow))),
        Effect.runPromise(Effect.flip(store.connections.put({ ...accountRow, version: 2 }, 1))),
      ])
      for (const failure of failures) {
        expect(failure).toBeInstanceOf(StoreUnavailableError)
        expect(JSON.stringify(failure)).not.toMatch(/s3cret-of-the-test|127\.0\.0\.1|keyward_|select/i)
      }
      await server?.start()
      expect(await isHeld(held)).toBe(true)
      expect((await Effect.runPromise(store.connections.get(accountRow)))?.version).toBe(1)
    })
  })
})
