/**
 * `node:sqlite` as Kysely's dialect for SQLite wants a database: the few places where it differs from the library that the dialect
 * was made for.
 */
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite"
import type { SqliteDatabase, SqliteStatement } from "kysely"

/** A database file, opened for processes that share it. */
export class NodeSqlite implements SqliteDatabase {
  readonly #database: DatabaseSync
  /** Preparing costs more than running, and there are few different statements. */
  readonly #statements = new Map<string, SqliteStatement>()

  #dataVersion: StatementSync | undefined

  constructor(filename: string) {
    const { DatabaseSync } = nodeSqlite()
    // Waiting inside SQLite would stop the event loop: `SqlDatabase` waits.
    this.#database = new DatabaseSync(filename, { timeout: 0, enableForeignKeyConstraints: false })
    try {
      // In WAL readers never wait. FULL: what was answered is there after a power failure too, as a spent refresh token demands.
      this.#database.exec("pragma journal_mode = wal; pragma synchronous = full")
    } catch (error) {
      this.#database.close()
      throw error
    }
  }

  prepare(text: string): SqliteStatement {
    const known = this.#statements.get(text)
    if (known !== undefined) return known
    const statement = asKyselyWants(this.#database.prepare(text))
    if (this.#statements.size >= mostStatements) this.#statements.clear()
    this.#statements.set(text, statement)
    return statement
  }

  /** Differs from before when another connection has committed something, and never because of this one. */
  dataVersion(): number {
    this.#dataVersion ??= this.#database.prepare("pragma data_version")
    return Number(this.#dataVersion.get()?.["data_version"])
  }

  close(): void {
    this.#dataVersion = undefined
    this.#statements.clear()
    this.#database.close()
  }
}

const mostStatements = 200

const asKyselyWants = (statement: StatementSync): SqliteStatement => ({
  reader: statement.columns().length > 0,
  all: (parameters) => statement.all(...(parameters as Array<SQLInputValue>)),
  run: (parameters) => statement.run(...(parameters as Array<SQLInputValue>)),
  iterate: (parameters) => statement.iterate(...(parameters as Array<SQLInputValue>)),
})

/**
 * Loads the module when it is needed, without the warning that Node 22 and 24 print with it: what is experimental is its interface,
 * which is used here and nowhere else. Other warnings are left alone.
 */
const nodeSqlite = (): typeof import("node:sqlite") => {
  const emitWarning: unknown = Reflect.get(process, "emitWarning")
  process.emitWarning = () => {}
  try {
    return process.getBuiltinModule("node:sqlite")
  } finally {
    Reflect.set(process, "emitWarning", emitWarning)
  }
}
