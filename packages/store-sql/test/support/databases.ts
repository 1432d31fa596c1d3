/** The databases that a test file speaks to past the store: a new SQLite file, or a new schema in a Postgres of its own. */
import { DatabaseSync } from "node:sqlite"
import { afterAll, beforeAll, onTestFinished } from "vitest"
import type { SqlStore } from "../../src/index.ts"
import { type DatabasePlace, storeAt } from "./databasePlace.ts"
import { makeFolder } from "./folder.ts"
import { type PostgresServer, startPostgres } from "./postgresServer.ts"

type Row = Readonly<Record<string, unknown>>

/** One database, with nothing in it. */
export interface Database {
  readonly flavor: "sqlite" | "postgres"
  /** Where another process finds it. */
  readonly place: DatabasePlace
  readonly open: () => SqlStore
  /** Runs statements. */
  readonly sql: (text: string) => Promise<void>
  /** What is in tables, named without `keyward_`. */
  readonly rows: (tables: ReadonlyArray<string>) => Promise<ReadonlyArray<Row>>
}

/** Makes a database that goes with the test; `undefined` where there is no Postgres. */
export type MakeDatabase = () => Database | undefined

/** Both kinds, by name, for `describe.each`. Called once per file, which gets a Postgres. */
export const databases = (): ReadonlyArray<readonly [name: string, make: MakeDatabase]> => {
  let server: PostgresServer | undefined
  let schemas = 0
  beforeAll(async () => {
    server = await startPostgres()
  }, 60_000)
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]()
  })
  return [
    ["SQLite", inSqlite],
    ["Postgres", () => server && inPostgres(server, `own_${++schemas}`)],
  ]
}

const inSqlite = (): Database => {
  const folder = makeFolder()
  onTestFinished(() => folder[Symbol.dispose]())
  const place = { filename: folder.file("keyward.db") }
  const within = <A>(work: (database: DatabaseSync) => A): Promise<A> => {
    const database = new DatabaseSync(place.filename)
    try {
      return Promise.resolve(work(database))
    } finally {
      database.close()
    }
  }
  const select = (database: DatabaseSync, table: string): ReadonlyArray<Row> =>
    database.prepare(`select '${table}' as of, * from keyward_${table} order by 2, 3`).all()
  return {
    flavor: "sqlite",
    place,
    open: () => storeAt(place),
    sql: (text) => within((database) => database.exec(text)),
    rows: (tables) => within((database) => tables.flatMap((table) => select(database, table))),
  }
}

const inPostgres = (server: PostgresServer, schema: string): Database => {
  const place = { connectionString: server.connectionString, schema }
  const select = (table: string): string =>
    `select '${table}' as of, to_jsonb(found) as row from ${schema}.keyward_${table} as found`
  return {
    flavor: "postgres",
    place,
    open: () => storeAt(place),
    sql: async (text) => void (await server.query(`set search_path to ${schema}; ${text}`)),
    rows: (tables) => server.query(`${tables.map(select).join(" union all ")} order by 1, 2`),
  }
}
