/** The tables come to be once, are never taken back, and are left alone when they are newer. */
import { DatabaseSync } from "node:sqlite"
import { StoreUnavailableError } from "@keyward/core"
import type { GrantRecord } from "@keyward/core/effect"
import * as Effect from "effect/Effect"
import { afterAll, describe, expect, it, onTestFinished } from "vitest"
import { migrationSql, postgresStore, sqliteStore, type SqlStore, StoreSchemaError } from "../src/index.ts"
import { type SchemaPlace, schemaVersion, statementsFrom } from "../src/migrations.ts"
import { accountRow } from "./support/account.ts"
import { makeFolder } from "./support/folder.ts"
import { startPostgres } from "./support/postgresServer.ts"
import type { ProcessJob } from "./support/ProcessMessage.ts"
import { startProcess } from "./support/startProcess.ts"

const direct: GrantRecord = {
  tenant: "t",
  agent: "bot",
  subject: null,
  delegatedBy: null,
  connection: { tenant: "t", subject: "", owner: "org", integration: "files", name: "main" },
  agentIncarnation: "of the agent",
  connectionIncarnation: "of the connection",
  grantedAs: { owner: "org", integration: "files", name: "main" },
  access: ["read"],
  tools: null,
  expiresAt: null,
  grantedAt: 1,
}
const handedOn: GrantRecord = { ...direct, agent: "helper", delegatedBy: "bot" }

const versions = Array.from({ length: schemaVersion }, (_, index) => index + 1)

const server = await startPostgres()
const connectionString = server?.connectionString ?? ""

afterAll(() => server?.[Symbol.asyncDispose]())

interface Place {
  readonly place: SchemaPlace
  readonly job: ProcessJob
  readonly open: (options?: { readonly migrate?: boolean }) => SqlStore
  /** The SQL of the tables. */
  readonly migration: (from?: number) => string
  /** Runs statements past the store. */
  readonly sql: (text: string) => Promise<ReadonlyArray<Record<string, unknown>>>
}

const closing = (store: SqlStore): SqlStore => {
  onTestFinished(() => Effect.runPromise(store.close()))
  return store
}

const inSqlite = (): Place => {
  const folder = makeFolder()
  const filename = folder.file("keyward.db")
  onTestFinished(() => folder[Symbol.dispose]())
  return {
    place: { flavor: "sqlite" },
    job: { filename },
    open: (options) => closing(sqliteStore({ filename, ...options })),
    migration: (from) => migrationSql({ flavor: "sqlite", from }),
    sql: async (text) => {
      const database = new DatabaseSync(filename)
      try {
        if (text.startsWith("select")) return database.prepare(text).all()
        database.exec(text)
        return []
      } finally {
        database.close()
      }
    },
  }
}

let schemas = 0

const inPostgres = (): Place => {
  const schema = `migrate_${++schemas}`
  return {
    place: { flavor: "postgres", schema },
    job: { connectionString, schema },
    open: (options) => closing(postgresStore({ connectionString, schema, maxConnections: 2, ...options })),
    migration: (from) => migrationSql({ flavor: "postgres", schema, from }),
    sql: async (text) => (await server?.query(text.replace(/(?<=from |into )keyward_/, `${schema}.keyward_`))) ?? [],
  }
}

const schemaErrorOf = async (store: SqlStore): Promise<StoreSchemaError> => {
  try {
    await store.ready()
  } catch (error) {
    if (error instanceof StoreSchemaError) return error
  }
  throw new Error("The tables were not refused.")
}

for (const [database, make, skip] of [
  ["SQLite", inSqlite, false],
  ["Postgres", inPostgres, server === undefined],
] as const) {
  describe(`the tables of ${database}`, { skip }, () => {
    it("are made once by many processes that start at the same time, and by many stores of one", async () => {
      const { job, open, sql } = make()
      const processes = await Promise.all(Array.from({ length: 4 }, () => startProcess(job)))
      const stores = Array.from({ length: 4 }, () => open())
      const warnings = await Promise.all(processes.map((other) => other.ask({ type: "ready" })))
      await Promise.all(stores.map((store) => store.ready()))
      expect(
        (await sql("select version from keyward_schema order by version")).map(({ version }) => Number(version)),
      ).toEqual(versions)
      expect(JSON.stringify(warnings), "node:sqlite is used without a warning.").not.toMatch(/SQLite/i)
    })

    it("are left alone when they are newer, and every call says so", async () => {
      const { open, sql } = make()
      await open().ready()
      await sql(`insert into keyward_schema (version, applied_at) values (${schemaVersion + 1}, 0)`)
      const late = open()
      expect(await schemaErrorOf(late)).toMatchObject({
        reason: "newer",
        found: schemaVersion + 1,
        known: schemaVersion,
      })
      const failure = await Effect.runPromise(Effect.flip(late.connections.get(accountRow)))
      expect(failure).toBeInstanceOf(StoreUnavailableError)
      expect(failure.message).toContain(`version ${schemaVersion + 1}`)
      const exit = await Effect.runPromiseExit(late.lease.hold("key", () => Effect.die("held")))
      expect(JSON.stringify(exit)).toContain("schema_newer")
      expect(await sql("select version from keyward_schema order by version")).toHaveLength(versions.length + 1)
    })

    it("keep the grants of version 8, whoever handed them on, each beside what others grant", async () => {
      const { place, open, sql } = make()
      const all = statementsFrom(place, 0)
      await sql(all.slice(0, all.length - statementsFrom(place, 8).length).join(";\n"))
      for (const { agent, delegatedBy } of [direct, handedOn]) {
        const document = JSON.stringify({ ...direct, agent, delegatedBy })
        const names = "tenant, agent, grantor, subject, integration, name, document"
        await sql(
          `insert into keyward_grants (${names}) values ('t', '${agent}', '', '', 'files', 'main', '${document}')`,
        )
      }
      const { access } = open()
      expect(await Effect.runPromise(access.listGrants("t", "bot"))).toEqual([direct])
      expect(await Effect.runPromise(access.listGrants("t", "helper"))).toEqual([handedOn])
      const beside = { ...handedOn, delegatedBy: null }
      await Effect.runPromise(access.putGrant(beside))
      expect(await Effect.runPromise(access.listGrants("t", "helper"))).toEqual([beside, handedOn])
      expect(await Effect.runPromise(access.removeGrant(handedOn))).toBe(true)
      expect(await Effect.runPromise(access.listGrants("t", "helper"))).toEqual([beside])
    })

    it("are the host's to make with migrate: false, by the SQL that is printed", async () => {
      const { migration, open, sql } = make()
      const store = open({ migrate: false })
      expect(await schemaErrorOf(store)).toMatchObject({ reason: "outdated", found: 0, known: schemaVersion })
      await sql(migration())
      await store.ready()
      expect(await Effect.runPromise(store.connections.put(accountRow, 0))).toBe(true)
      expect(await Effect.runPromise(open().connections.get(accountRow))).toEqual(accountRow)
      expect(migration(schemaVersion)).toBe("")
    })
  })
}

describe("a schema that was made beforehand", { skip: server === undefined }, () => {
  it("is enough for a role that may not make one", async () => {
    await server?.query("create role keeper login")
    await server?.query("create schema prepared authorization keeper")
    await server?.query("create schema printed authorization keeper")
    const url = new URL(connectionString)
    url.username = "keeper"
    await closing(postgresStore({ connectionString: url.href, schema: "prepared" })).ready()
    const printed = `set role keeper; ${migrationSql({ flavor: "postgres", schema: "printed" })}`
    await server?.query(printed)
    await closing(postgresStore({ connectionString: url.href, schema: "printed", migrate: false })).ready()
  }, 60_000)
})
