/** Accounts that processes keep alive together: their database, which holds the secrets too, and an executor over it. */
import { createExecutor, type ExecutorEvent } from "@keyward/core"
import { postgresStore, sqliteStore, sqlSecretProvider, type SqlStore } from "../../src/index.ts"
import { accountConfig } from "./account.ts"
import { key } from "./secretKey.ts"

/** What a process is told. */
export interface KeeperJob {
  readonly database: { readonly filename: string } | { readonly connectionString: string; readonly schema: string }
  /** The authorization server's. */
  readonly host: string
  readonly everyMs: number
}

/** Opens the store of a job, with leases that are over soon. */
export const openStore = ({ database }: Pick<KeeperJob, "database">): SqlStore =>
  "filename" in database
    ? sqliteStore({ ...database, leaseMs: 500 })
    : postgresStore({ ...database, leaseMs: 500, maxConnections: 3 })

/** Opens an executor over it. */
export const openExecutor = (store: SqlStore, host: string, onEvent?: (event: ExecutorEvent) => void) =>
  createExecutor({ ...accountConfig(host), providers: [sqlSecretProvider({ store, key })], store, onEvent })
