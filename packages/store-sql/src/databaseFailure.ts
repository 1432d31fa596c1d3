/**
 * What an error of a database says in words that may be shown: never its message, which can hold SQL, values or the address.
 */

/** See the file's header. */
export interface DatabaseFailure {
  /** A machine word, such as `busy`, `ECONNREFUSED`, `sqlite_11` or `sqlstate_57P01`. */
  readonly reason: string
  /** Somebody else was in the way, nothing was done, and trying again soon will help. */
  readonly isContention: boolean
  /** The connection was lost; whether the statement was done is not known. */
  readonly isDisconnect: boolean
}

/** Reads an error of node:sqlite, of another SQLite driver, of pg, or of a socket. */
export const databaseFailure = (error: unknown): DatabaseFailure => {
  const { code, errcode, message } = (typeof error === "object" && error !== null ? error : {}) as {
    readonly code?: unknown
    readonly errcode?: unknown
    readonly message?: unknown
  }
  if (typeof errcode === "number") {
    // The primary code is the low byte; the rest says which kind of it.
    const primary = errcode & 0xff
    const isContention = primary === 5 || primary === 6
    return { reason: isContention ? "busy" : `sqlite_${primary}`, isContention, isDisconnect: false }
  }
  if (typeof code === "string" && machineWord.test(code)) {
    if (code.startsWith("SQLITE_BUSY") || code.startsWith("SQLITE_LOCKED")) return busy
    if (!sqlState.test(code)) return { reason: code, isContention: false, isDisconnect: !code.startsWith("SQLITE") }
    const isDisconnect = /^(08|57P0)/.test(code)
    // Serialization failures and deadlocks were rolled back as a whole; 23505 and 42P07 are not among them.
    return { reason: `sqlstate_${code}`, isContention: /^40(001|P01)$/.test(code), isDisconnect }
  }
  if (typeof message === "string" && /terminated|timeout exceeded|not queryable|Connection ended/i.test(message)) {
    const reason = /timeout exceeded/i.test(message) ? "connect_timeout" : "connection_lost"
    return { reason, isContention: false, isDisconnect: true }
  }
  return { reason: "database_error", isContention: false, isDisconnect: false }
}

/** Whether a row was refused because a unique index has its like already. */
export const isUniqueViolation = (error: unknown): boolean => {
  const { code, errcode } = (typeof error === "object" && error !== null ? error : {}) as {
    readonly code?: unknown
    readonly errcode?: unknown
  }
  return code === "23505" || code === "SQLITE_CONSTRAINT_UNIQUE" || errcode === sqliteConstraintUnique
}

const sqliteConstraintUnique = 2067

const busy: DatabaseFailure = { reason: "busy", isContention: true, isDisconnect: false }

const machineWord = /^[A-Z0-9_]{1,40}$/

/** All of them hold a digit; `EPIPE` does not. */
const sqlState = /^(?=.*\d)[0-9A-Z]{5}$/
