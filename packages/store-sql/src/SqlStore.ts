/**
 * A store over a SQL database of any dialect, and what `sqliteStore` and `postgresStore` have in common.
 */
import { InvalidConfigError } from "@keyward/core"
import type { Store } from "@keyward/core/effect"
import * as Effect from "effect/Effect"
import type { Dialect } from "kysely"
import type { Announcement } from "./announcements.ts"
import { type ChangeWatch, unwatched } from "./ChangeWatch.ts"
import { keepDatabase } from "./databaseOf.ts"
import { RowCache } from "./RowCache.ts"
import { sqlAccess } from "./sqlAccess.ts"
import { sqlAccounts } from "./sqlAccounts.ts"
import { sqlApprovals } from "./sqlApprovals.ts"
import { sqlAudit } from "./sqlAudit.ts"
import { sqlConnections } from "./sqlConnections.ts"
import { SqlDatabase } from "./SqlDatabase.ts"
import type { SqlFlavor } from "./SqlFlavor.ts"
import { sqlCatalogs, sqlIntegrations } from "./sqlIntegrations.ts"
import { sqlLease } from "./SqlLease.ts"
import { sqlOAuth } from "./sqlOAuth.ts"
import { sqlPolicies } from "./sqlPolicies.ts"

/** A store whose records are in a database; pass it to `createExecutor({ store })`. */
export interface SqlStore extends Store {
  /**
   * Connects and migrates now instead of on first use.
   *
   * Rejects with `StoreSchemaError` where the tables are of another version, and with `StoreUnavailableError` where the database cannot
   * be reached; both can be tried again.
   */
  ready(): Promise<void>
  close(): Effect.Effect<void>
}

/** Options that all SQL stores have. */
export interface SqlStoreOptions {
  /** Whether the tables are made and brought up to date on first use. Default `true`; `migrationSql` gives the SQL otherwise. */
  readonly migrate?: boolean | undefined
  /**
   * How long a lease outlives its holder's process, in milliseconds. Default 3,000; at least 300.
   *
   * A holder renews it every third of that time. One that stands still for longer loses it, and is waited for all the same; see the
   * guide on running many processes.
   */
  readonly leaseMs?: number | undefined
  /** How long one operation may take before it fails as unavailable, in milliseconds. Default 15,000. */
  readonly timeoutMs?: number | undefined
  /** What this process keeps in memory of the records that calls need. */
  readonly cache?: SqlCacheOptions | undefined
}

/** Options of the memory that a store keeps of what calls read. */
export interface SqlCacheOptions {
  /** How many records are kept at most. Default 10,000; 0 keeps none. */
  readonly maxEntries?: number | undefined
  /**
   * How old a record may be that a call uses, in milliseconds, where changes by other processes are not seen at once. Default 1000; 0
   * keeps none there. `sqliteStore` sees every change at once. `postgresStore` is told of changes, and this bounds how long it takes
   * to notice that it is not told any more.
   */
  readonly maxStaleMs?: number | undefined
  /**
   * For how long calls go on with what is in memory while the database cannot be read, in milliseconds. Default 120,000, about as long
   * as a failover takes; 0: not at all. Writes fail meanwhile.
   */
  readonly outageMs?: number | undefined
}

/** Options of {@link sqlStore}. */
export interface SqlStoreDialectOptions extends SqlStoreOptions {
  /** A Kysely dialect, fresh: the store closes what it opens. */
  readonly dialect: Dialect | (() => Promise<Dialect>)
  /** Whose SQL it speaks. */
  readonly flavor: SqlFlavor
  /** Postgres only: the schema that holds the tables; made where it is missing. Default `public`. */
  readonly schema?: string | undefined
}

/**
 * Makes a store over another Kysely dialect that speaks the SQL of SQLite or of Postgres: libSQL, PGlite, a serverless driver.
 *
 * What the dialect has to keep: each statement is atomic and seen by all once it is answered; `numAffectedRows` counts the rows that
 * were changed (0 where `on conflict do nothing` did nothing, or its `where` did not hold); `returning` gives rows; `sqlite`: 3.42 or
 * later, and `connection()` stays with one connection for `begin immediate`; `postgres`: 12 or later, with transactions, for which
 * `idle_in_transaction_session_timeout` can be set. `storeContract`, with `recordsTogether: true`, and `leaseContract` of
 * `@keyward/core/testing` tell whether it does.
 */
export const sqlStore = (options: SqlStoreDialectOptions): SqlStore => makeSqlStore(options)

/** The same where changes by others can be watched. */
export const makeSqlStore = (
  options: SqlStoreDialectOptions & {
    readonly watch?: (maxStaleMs: number, onChange: (change: Announcement) => void) => ChangeWatch
  },
): SqlStore => {
  const { dialect, flavor, schema, migrate = true, leaseMs = 3_000, timeoutMs = 15_000 } = options
  const { maxEntries = 10_000, maxStaleMs = 1000, outageMs = 120_000 } = options.cache ?? {}
  if (flavor !== "sqlite" && flavor !== "postgres") throw invalid("flavor", 'must be "sqlite" or "postgres".')
  if (schema !== undefined && !schemaForm.test(schema)) {
    throw invalid("schema", "must be a name of 1 to 63 letters, digits and underscores that begins with no digit.")
  }
  if (!Number.isSafeInteger(leaseMs) || leaseMs < 300)
    throw invalid("leaseMs", "must be a whole number of at least 300.")
  if (!Number.isFinite(timeoutMs) || timeoutMs <= 0) throw invalid("timeoutMs", "must be a positive number.")
  if (!Number.isSafeInteger(maxEntries) || maxEntries < 0)
    throw invalid("cache.maxEntries", "must be a whole number of at least 0.")
  if (!Number.isFinite(maxStaleMs) || maxStaleMs < 0) throw invalid("cache.maxStaleMs", "must be 0 or more.")
  if (!Number.isFinite(outageMs) || outageMs < 0) throw invalid("cache.outageMs", "must be 0 or more.")
  const watch = options.watch?.(maxStaleMs, ({ extent, key }) =>
    extent === "row" ? cache.drop(key) : cache.dropUnder(key),
  )
  const cache = new RowCache(watch ?? unwatched, { maxEntries, maxStaleMs, outageMs })
  const database = new SqlDatabase({
    flavor,
    schema,
    dialect: typeof dialect === "function" ? dialect : () => Promise.resolve(dialect),
    mayMigrate: migrate,
    timeoutMs,
    cache,
  })
  return keepDatabase(database, {
    integrations: sqlIntegrations(database),
    accounts: sqlAccounts(database),
    connections: sqlConnections(database),
    catalogs: sqlCatalogs(database),
    access: sqlAccess(database),
    oauth: sqlOAuth(database),
    policies: sqlPolicies(database),
    approvals: sqlApprovals(database),
    audit: sqlAudit(database),
    lease: sqlLease(database, leaseMs),
    watchOutages: (listener) => database.outage.watch(listener),
    ready: () => database.ready(),
    close: () => Effect.promise(() => database.close()),
  })
}

const schemaForm = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/

const invalid = (option: string, fault: string): InvalidConfigError =>
  new InvalidConfigError({ field: `store.${option}`, fault })
