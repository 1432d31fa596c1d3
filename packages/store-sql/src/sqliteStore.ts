/** Records in a SQLite file, shared by the processes of one machine. */
import { mkdirSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { InvalidConfigError } from "@keyward/core"
import { SqliteDialect } from "kysely"
import { NodeSqlite } from "./NodeSqlite.ts"
import { sqliteWatch } from "./SqliteWatch.ts"
import { makeSqlStore, type SqlStore, type SqlStoreOptions } from "./SqlStore.ts"

/** Options of {@link sqliteStore}. */
export interface SqliteStoreOptions extends SqlStoreOptions {
  /**
   * Where the file is, or will be; its folder is made where it is missing. On a disk of this machine: file systems of networks do not
   * lock as SQLite needs it. A path, not a `file:` URI. `":memory:"` keeps everything in this process.
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
  if (/^file:/i.test(filename)) {
    throw new InvalidConfigError({ field: "store.filename", fault: 'pass a path, not a "file:" URI, or ":memory:".' })
  }
  let file: NodeSqlite | undefined
  return makeSqlStore({
    ...options,
    flavor: "sqlite",
    dialect: () => Promise.resolve(new SqliteDialect({ database: () => Promise.resolve((file = opened(filename))) })),
    watch: () => sqliteWatch(() => file?.dataVersion()),
  })
}

const opened = (filename: string): NodeSqlite => {
  if (filename !== ":memory:") {
    mkdirSync(dirname(filename), { recursive: true, mode: 0o700 })
    createForOwnerAlone(filename)
  }
  return new NodeSqlite(filename)
}

/**
 * SQLite gives its other files the mode of this one. A file that is there is not touched: where locks belong to the process, closing any
 * descriptor of it would free those that another store of this process holds.
 */
const createForOwnerAlone = (filename: string): void => {
  try {
    writeFileSync(filename, "", { flag: "wx", mode: 0o600 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error
  }
}
