/** What calls read may come from memory. What others wrote meanwhile is seen: at once on SQLite, when Postgres says so on Postgres. */
import type { ConnectionRow, IntegrationRecord } from "@keyward/core/effect"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { Pool, type PoolClient } from "pg"
import { afterAll, describe, expect, it, onTestFinished, vi } from "vitest"
import { postgresStore, sqliteStore, sqlSecretProvider, type SqlStore } from "../src/index.ts"
import { accountRow } from "./support/account.ts"
import { makeFolder } from "./support/folder.ts"
import { startPostgres } from "./support/postgresServer.ts"
import { key, otherKey } from "./support/secretKey.ts"
import { startProcess } from "./support/startProcess.ts"

const server = await startPostgres()
const connectionString = server?.connectionString ?? ""
const options = { skip: server === undefined }

afterAll(() => server?.[Symbol.asyncDispose]())

const recent = (store: SqlStore): Promise<ConnectionRow | undefined> =>
  Effect.runPromise(store.connections.get(accountRow, "recent"))

const put = (store: SqlStore, row: ConnectionRow, expected: number): Promise<boolean> =>
  Effect.runPromise(store.connections.put(row, expected))

const next = (row: ConnectionRow, change: Partial<ConnectionRow>): ConnectionRow => ({
  ...row,
  ...change,
  version: row.version + 1,
})

const closing = (store: SqlStore): SqlStore => {
  onTestFinished(() => Effect.runPromise(store.close()))
  return store
}

const record: IntegrationRecord = {
  tenant: accountRow.tenant,
  slug: accountRow.integration,
  revision: 4,
  plugin: "acme",
  name: "Files",
  description: "",
  config: {},
  authTemplates: [],
  origins: [],
  baseUrl: null,
} as unknown as IntegrationRecord

const shared = { tenant: record.tenant, integration: record.slug, revision: record.revision, connection: null }

describe("on SQLite", () => {
  const opened = () => {
    const folder = makeFolder()
    onTestFinished(() => folder[Symbol.dispose]())
    const filename = folder.file("keyward.db")
    return { filename, store: closing(sqliteStore({ filename })) }
  }

  it("a row is the same object until it changes, and what this process wrote it sees", async () => {
    const { store } = opened()
    expect(await recent(store)).toBeUndefined()
    expect(await put(store, accountRow, 0)).toBe(true)
    const first = await recent(store)
    expect(first).toEqual(accountRow)
    expect(await recent(store)).toBe(first)
    await put(store, next(accountRow, { description: "new" }), 1)
    expect((await recent(store))?.description).toBe("new")
    await Effect.runPromise(store.connections.remove(accountRow))
    expect(await recent(store)).toBeUndefined()
  })

  it("is answered at once from memory, without a step of the interpreter", async () => {
    const { store } = opened()
    await put(store, accountRow, 0)
    const first = await recent(store)
    expect(Effect.runSync(store.connections.get(accountRow, "recent"))).toBe(first)
  })

  it("another process's change is seen by the very next read", async () => {
    const { store, filename } = opened()
    await put(store, accountRow, 0)
    const other = await startProcess({ filename })
    for (let version = 1; version < 20; version++) {
      expect((await recent(store))?.version).toBe(version)
      expect(await other.ask({ type: "put", version })).toBe(true)
      expect((await recent(store))?.version).toBe(version + 1)
    }
  }, 60_000)

  it("another process's change of something else leaves the object as it is", async () => {
    const { store, filename } = opened()
    const other = closing(sqliteStore({ filename }))
    await put(store, accountRow, 0)
    const first = await recent(store)
    await put(other, { ...accountRow, name: "other" }, 0)
    expect(await recent(store)).toBe(first)
  })

  it("a removal of all of an integration's catalogs is seen by those that are in memory", async () => {
    const { store } = opened()
    const own = { ...shared, connection: accountRow }
    for (const key of [shared, own]) await Effect.runPromise(store.catalogs.put(key, [{ name: "whoami" }]))
    const get = (key: typeof shared | typeof own) => Effect.runPromise(store.catalogs.get(key, "recent"))
    expect(await get(own)).toBe(await get(own))
    expect(await get({ ...shared, revision: 5 })).toBeUndefined()
    await Effect.runPromise(store.catalogs.remove(shared))
    expect(await get(own)).toBeUndefined()
    expect(await get(shared)).toBeUndefined()
  })
})

let schemas = 0

/** A pool that counts the statements of the records, and what they are. */
const countingPool = () => {
  const pool = new Pool({ connectionString, max: 2 })
  const statements: Array<string> = []
  const connect = pool.connect.bind(pool)
  const counted = new WeakSet<PoolClient>()
  Object.assign(pool, {
    connect: async () => {
      const client = await connect()
      if (counted.has(client)) return client
      counted.add(client)
      const query = client.query.bind(client) as (...args: Array<unknown>) => unknown
      Object.assign(client, {
        query: (...args: Array<unknown>) => {
          statements.push(String(args[0]))
          return query(...args)
        },
      })
      return client
    },
  })
  return { pool, statements }
}

/** A store that listens: what is read from then on stays in memory. */
const listening = async (
  make: Partial<Parameters<typeof postgresStore>[0]> & { readonly schema: string },
): Promise<SqlStore> => {
  const store = closing(
    postgresStore({ connectionString: make.pool === undefined ? connectionString : undefined, ...make }),
  )
  await store.ready()
  await untilListening(store)
  return store
}

/** Without a proof that it hears, absence is not kept; so a read of nothing shows when it does. */
const untilListening = (store: SqlStore): Promise<void> =>
  vi.waitFor(
    async () => {
      const nothing = { ...accountRow, name: "nothing" }
      await Effect.runPromise(store.connections.get(nothing, "recent"))
      // A read that is answered from memory needs no asynchronous step.
      Effect.runSync(store.connections.get(nothing, "recent"))
    },
    { timeout: 10_000, interval: 10 },
  )

describe("on Postgres", options, () => {
  it("a warm read asks the database nothing, and a cold call asks once for all that it needs", async () => {
    const schema = `cached_${++schemas}`
    const writer = closing(postgresStore({ connectionString, schema }))
    await put(writer, accountRow, 0)
    await Effect.runPromise(writer.integrations.put(record, 0))
    await Effect.runPromise(writer.catalogs.put(shared, [{ name: "whoami" }]))
    const { pool, statements } = countingPool()
    onTestFinished(() => pool.end())
    const store = await listening({ pool, schema })
    statements.length = 0
    const call = async () => ({
      row: await recent(store),
      integration: await Effect.runPromise(store.integrations.get(record.tenant, record.slug, "recent")),
      tools: await Effect.runPromise(store.catalogs.get(shared, "recent")),
    })
    const first = await call()
    expect(first).toEqual({ row: accountRow, integration: record, tools: [{ name: "whoami" }] })
    expect(statements).toHaveLength(1)
    for (let index = 0; index < 50; index++) expect((await call()).row).toBe(first.row)
    expect(statements).toHaveLength(1)
    const other = { ...accountRow, name: "other" }
    await put(store, other, 0)
    statements.length = 0
    expect(await Effect.runPromise(store.connections.get(other, "recent"))).toEqual(other)
    expect(statements, "What is in memory already is not asked for.").toHaveLength(1)
    expect(statements[0]).not.toMatch(/keyward_integrations|"subject" = \$\d+ and "name" = \$\d+ union/)
  }, 60_000)

  it("what this process wrote it sees at once", async () => {
    const store = await listening({ schema: `cached_${++schemas}` })
    await put(store, accountRow, 0)
    for (let version = 1; version < 20; version++) {
      expect((await recent(store))?.version).toBe(version)
      await put(store, { ...accountRow, version: version + 1 }, version)
      expect((await recent(store))?.version).toBe(version + 1)
    }
  }, 60_000)

  it("what another process, or somebody with a client of SQL, wrote is told", async () => {
    const schema = `cached_${++schemas}`
    const store = await listening({ schema, cache: { maxStaleMs: 600_000 } })
    const other = closing(postgresStore({ connectionString, schema }))
    await put(other, accountRow, 0)
    await vi.waitFor(async () => expect((await recent(store))?.version).toBe(1), 10_000)
    await put(other, next(accountRow, { status: "disabled" }), 1)
    await vi.waitFor(async () => expect((await recent(store))?.status).toBe("disabled"), 10_000)
    await server?.query(`delete from ${schema}.keyward_connections`)
    await vi.waitFor(async () => expect(await recent(store)).toBeUndefined(), 10_000)
  }, 60_000)

  it("a read that is to be as stored is, whatever is in memory", async () => {
    const schema = `cached_${++schemas}`
    const store = closing(postgresStore({ connectionString, schema, cache: { maxStaleMs: 600_000 } }))
    await put(store, accountRow, 0)
    await server?.query(`drop trigger keyward_connections_announce on ${schema}.keyward_connections`)
    await untilListening(store)
    await recent(store)
    const other = closing(postgresStore({ connectionString, schema }))
    await put(other, next(accountRow, { description: "new" }), 1)
    expect((await recent(store))?.version, "Nobody was told.").toBe(1)
    expect((await Effect.runPromise(store.connections.get(accountRow)))?.version).toBe(2)
    expect(await put(store, next(accountRow, {}), 1), "Compare-and-set is the database's.").toBe(false)
    expect((await recent(store))?.version, "A write that lost reads anew.").toBe(2)
  }, 60_000)

  it("behind a proxy that pools by transaction nothing is believed for longer than the bound", async () => {
    const schema = `cached_${++schemas}`
    // Such a proxy makes up the process id that it tells clients.
    const { startDeafProxy } = await import("./support/deafProxy.ts")
    await using proxy = await startDeafProxy(connectionString)
    const store = closing(
      postgresStore({ connectionString: proxy.connectionString, schema, cache: { maxStaleMs: 50 } }),
    )
    await put(store, accountRow, 0)
    await recent(store)
    await vi.waitFor(() => expect(proxy.connections).toBeGreaterThan(1), 10_000)
    const other = closing(postgresStore({ connectionString, schema }))
    await put(other, next(accountRow, { status: "disabled" }), 1)
    await vi.waitFor(async () => expect((await recent(store))?.status).toBe("disabled"), 10_000)
    const absent = { ...accountRow, name: "later" }
    expect(await Effect.runPromise(store.connections.get(absent, "recent"))).toBeUndefined()
    await put(other, absent, 0)
    expect(await Effect.runPromise(store.connections.get(absent, "recent"))).toEqual(absent)
  }, 60_000)

  it("a secret that another process replaced or removed is seen, and a key that it changed too", async () => {
    const schema = `cached_${++schemas}`
    const store = await listening({ schema, cache: { maxStaleMs: 600_000 } })
    const other = closing(postgresStore({ connectionString, schema }))
    const [mine, theirs] = [sqlSecretProvider({ store, key }), sqlSecretProvider({ store: other, key })]
    const value = async (): Promise<string | undefined> => {
      const read = await Effect.runPromise(mine.get("id"))
      return read === undefined ? undefined : Redacted.value(read)
    }
    await Effect.runPromise(theirs.set("id", Redacted.make("first")))
    expect(await value()).toBe("first")
    await Effect.runPromise(theirs.set("id", Redacted.make("second")))
    await vi.waitFor(async () => expect(await value()).toBe("second"), 10_000)
    await theirs.rotateDataKey()
    expect(await value()).toBe("second")
    await Effect.runPromise(theirs.delete("id"))
    await vi.waitFor(async () => expect(await value()).toBeUndefined(), 10_000)
    await Effect.runPromise(theirs.set("id", Redacted.make("third")))
    expect(await value(), "That there is none is not kept.").toBe("third")
    await theirs.changeKey({ key: otherKey })
    await vi.waitFor(() => expect(value()).rejects.toMatchObject({ reason: "wrong_key" }), 10_000)
  }, 60_000)

  it("a listening connection that is lost is made anew, and what was changed meanwhile is seen", async () => {
    const schema = `cached_${++schemas}`
    const store = await listening({ schema, cache: { maxStaleMs: 100 } })
    const other = closing(postgresStore({ connectionString, schema }))
    await put(other, accountRow, 0)
    for (let version = 1; version < 5; version++) {
      await vi.waitFor(async () => expect((await recent(store))?.version).toBe(version), 10_000)
      await server?.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen%' or query = 'select 1'",
      )
      await put(other, { ...accountRow, version: version + 1 }, version)
    }
    await vi.waitFor(async () => expect((await recent(store))?.version).toBe(5), 10_000)
  }, 60_000)

  it("listening does not keep a process from ending", async () => {
    const store = await listening({ schema: `cached_${++schemas}` })
    const sockets = process.getActiveResourcesInfo().filter((kind) => kind === "TCPSocketWrap").length
    await Effect.runPromise(store.close())
    expect(process.getActiveResourcesInfo().filter((kind) => kind === "TCPSocketWrap").length).toBeLessThanOrEqual(
      sockets,
    )
  }, 60_000)
})
