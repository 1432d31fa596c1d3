/** Records in Postgres, shared by the processes of any number of machines. */
import { InvalidConfigError } from "@keyward/core"
import { PostgresDialect, type PostgresPool } from "kysely"
import { unwatched } from "./ChangeWatch.ts"
import { type ListeningClient, PostgresWatch } from "./PostgresWatch.ts"
import { makeSqlStore, type SqlStore, type SqlStoreOptions } from "./SqlStore.ts"
import { sturdyPool } from "./sturdyPool.ts"

/** Options of {@link postgresStore}: one of `connectionString` and `pool`. */
export interface PostgresStoreOptions extends SqlStoreOptions {
  /** `postgres://user:password@host:port/database`. The store makes a pool of its own and closes it. */
  readonly connectionString?: string | undefined
  /** A pool of `pg`, which stays the host's to close. */
  readonly pool?: PostgresPool | undefined
  /**
   * Where to listen for changes, past a proxy that pools by transaction: a connection of the session is needed for that. Default: where
   * everything else goes. Behind such a proxy and without this, what calls read may be `cache.maxStaleMs` old.
   */
  readonly listenConnectionString?: string | undefined
  /** The schema that holds the tables; made where it is missing. Default `public`. */
  readonly schema?: string | undefined
  /** How many connections the store's own pool opens at most. Default 10. */
  readonly maxConnections?: number | undefined
}

/**
 * Makes a store over Postgres 12 or later, by `pg`, which is loaded on first use.
 *
 * A connection is taken from the pool for one statement or one transaction at a time, and nothing is kept in its session, so that
 * proxies that pool by transaction work.
 *
 * @example
 * ```ts
 * import { createExecutor } from "@keyward/core"
 * import { postgresStore } from "@keyward/store-sql"
 *
 * const store = postgresStore({ connectionString: process.env["DATABASE_URL"], schema: "keyward" })
 * await using executor = await createExecutor({ store })
 * ```
 */
export const postgresStore = (options: PostgresStoreOptions): SqlStore => {
  const { connectionString, pool, listenConnectionString, maxConnections = 10, timeoutMs = 15_000, ...rest } = options
  if ((connectionString === undefined) === (pool === undefined)) {
    throw new InvalidConfigError({ field: "store", fault: "pass postgresStore either a connectionString or a pool." })
  }
  const ownPool = async (): Promise<PostgresPool> => {
    const { Pool } = await import("pg")
    const own = new Pool({
      connectionString,
      max: maxConnections,
      connectionTimeoutMillis: Math.min(timeoutMs, 10_000),
      ...keepsAlive,
    })
    // An idle connection that the server ends; the pool replaces it.
    own.on("error", ignored)
    return own
  }
  return makeSqlStore({
    ...rest,
    timeoutMs,
    flavor: "postgres",
    dialect: async () =>
      new PostgresDialect({ pool: sturdyPool(pool ?? (await ownPool()), { isOwn: pool === undefined, timeoutMs }) }),
    watch: (maxStaleMs, onChange) =>
      maxStaleMs === 0
        ? unwatched
        : new PostgresWatch({
            schema: rest.schema ?? "public",
            maxStaleMs,
            onChange,
            client: () => listeningClient(listenConnectionString ?? connectionString, pool),
          }),
  })
}

/** A client of its own, connected as the pool's are; `undefined` for a pool that is not one of `pg`. */
const listeningClient = async (
  connectionString: string | undefined,
  pool: PostgresPool | undefined,
): Promise<ListeningClient | undefined> => {
  const { Client } = await import("pg")
  const options: unknown = connectionString === undefined ? pool?.options : { connectionString }
  if (typeof options !== "object" || options === null) return undefined
  return new Client({ ...passwordOf(options), ...options, connectionTimeoutMillis: 10_000, ...keepsAlive })
}

/** A pool hides the password among its options from those who look at all of them. */
const passwordOf = (options: object): { readonly password?: string } =>
  "password" in options ? { password: options.password as string } : {}

/** A connection over which nothing comes is asked for a sign of life by the system. */
const keepsAlive = { keepAlive: true, keepAliveInitialDelayMillis: 10_000 }

const ignored = (): void => {}
