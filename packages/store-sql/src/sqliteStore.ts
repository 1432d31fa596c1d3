/** Records in a SQLite file, shared by the processes of one machine. */
import { closeSync, mkdirSync, openSync } from "node:fs"
import { dirname } from "node:path"
import { InvalidConfigError } from "@keyward/core"
import { SqliteDialect } from "kysely"
import { NodeSqlite } from "./NodeSqlite.ts"
import { type SqlStore, type SqlStoreOptions, sqlStore } from "./SqlStore.ts"

/** Options of {@link sqliteStore}. */
export interface SqliteStoreOptions extends SqlStoreOptions {
  /**
   * Where the file is, or will be; its folder is made where it is missing. On a disk of this machine: file systems of networks do not
   * lock as SQLite needs it. `":memory:"` keeps everything in this process.
   */
  readonly filename: string
}

/**
 * Makes a store over a SQLite file, by the SQLite that is part of Node.
 *
 * Any number of processes of one machine may use the same file. It is opened on first use, in WAL mode and readable for its owner alone;
 * beside it lie `-wal` and `-shm` while it is open.
 *
 * @example
 * ```ts
 * import { createExecutor } from "@keyward/core"
 * import { sqliteStore } from "@keyward/store-sql"
 *
 * await using executor = await createExecutor({ store: sqliteStore({ filename: "./data/keyward.db" }) })
 * ```
 */
export const sqliteStore = ({ filename, ...options }: SqliteStoreOptions): SqlStore => {
  if (typeof filename !== "string" || filename === "") {
    throw new InvalidConfigError({ field: "store.filename", fault: 'name a file, or ":memory:".' })
  }
  return sqlStore({
    ...options,
    flavor: "sqlite",
    dialect: () => Promise.resolve(new SqliteDialect({ database: () => Promise.resolve(opened(filename)) })),
  })
}

const opened = (filename: string): NodeSqlite => {
  if (filename !== ":memory:") {
    mkdirSync(dirname(filename), { recursive: true, mode: 0o700 })
    // SQLite gives its other files the mode of this one.
    closeSync(openSync(filename, "a", 0o600))
  }
  return new NodeSqlite(filename)
}
