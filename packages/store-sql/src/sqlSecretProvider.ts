/**
 * The credential provider over sealed rows in the store's own database: what processes share that share a store.
 *
 * Called by hosts and, through the provider contract, by the executor. Everything about rows and keys is in `SecretVault`.
 */
import { InvalidProviderOptionsError } from "@keyward/core"
import { type CredentialProvider, type ProviderError, type ProviderItem } from "@keyward/core/effect"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import { databaseOf } from "./databaseOf.ts"
import { partitionText } from "./keyText.ts"
import { secretFailure } from "./secretFailure.ts"
import { keySource, type SqlSecretKey } from "./secretKey.ts"
import { SecretVault } from "./SecretVault.ts"
import type { SqlStore } from "./SqlStore.ts"

/** Options of {@link sqlSecretProvider}: a store, and either `key` or `passphrase`. */
export type SqlSecretOptions = SqlSecretKey & {
  /**
   * What `sqliteStore`, `postgresStore` or `sqlStore` returned. Its connections and its migrations are used, and closing it stays with
   * whoever it was passed to.
   */
  readonly store: SqlStore
  /** Key of the provider on connections. Default: `"sql"`. */
  readonly providerKey?: string | undefined
  /** Tells apart sets of secrets with keys of their own in one database. Default: `"default"`. */
  readonly vault?: string | undefined
}

/** What {@link sqlSecretProvider} returns: a provider that can do everything, and whose keys can be changed. */
export interface SqlSecretProvider extends CredentialProvider {
  has(id: string): Effect.Effect<boolean, ProviderError>
  set(id: string, value: Redacted.Redacted): Effect.Effect<void, ProviderError>
  delete(id: string): Effect.Effect<void, ProviderError>
  list(): Effect.Effect<ReadonlyArray<ProviderItem>, ProviderError>
  invalidate(id: string): Effect.Effect<void>
  close(): Effect.Effect<void>
  /**
   * Puts a new data key in use and seals every secret anew; the former data key is gone from the database afterwards.
   *
   * Reads and writes go on meanwhile, in every process. Killed at any point it leaves secrets that all open; call it again to finish.
   */
  rotateDataKey(): Promise<void>
  /**
   * Changes what opens the secrets. They stay as they are sealed; only the data keys are wrapped anew.
   *
   * Whoever still has the former key or passphrase is refused as `wrong_key` from then on, in this and in other processes. Backups made
   * before still open with the former one: after a leak, also rotate the secrets themselves.
   */
  changeKey(secret: SqlSecretKey): Promise<void>
}

/**
 * Secrets as sealed rows in the database of a store, for any number of processes on any number of machines.
 *
 * What a process reads it keeps sealed, as other records that calls read, for as long as the store can tell that nothing changed: see
 * `cache` of its options. Throws `InvalidProviderOptionsError` when the store, key or passphrase cannot be one.
 *
 * @example
 * ```ts
 * import { createExecutor } from "@keyward/core"
 * import { postgresStore, sqlSecretProvider } from "@keyward/store-sql"
 *
 * const store = postgresStore({ connectionString: process.env["DATABASE_URL"] })
 * const secrets = sqlSecretProvider({ store, key: process.env["SECRETS_KEY"] ?? "" })
 * await using executor = await createExecutor({ store, providers: [secrets] })
 * ```
 */
export const sqlSecretProvider = (options: SqlSecretOptions): SqlSecretProvider => {
  const { store, providerKey: key = "sql", vault: name = "default" } = options
  const database = databaseOf(store)
  const invalid = (option: string, problem: string): InvalidProviderOptionsError =>
    new InvalidProviderOptionsError({ provider: key, option, problem })
  if (database === undefined) {
    throw invalid("store", "Pass the very object that sqliteStore, postgresStore or sqlStore returned.")
  }
  if (typeof name !== "string" || name === "") throw invalid("vault", "Pass a name, or leave it out.")
  const vault = new SecretVault(database, key, partitionText(name), keySource(key, options))
  const call = <A>(ask: () => Promise<A>): Effect.Effect<A, ProviderError> =>
    Effect.tryPromise({ try: ask, catch: (thrown) => secretFailure(key, thrown) })
  return {
    key,
    writable: true,
    get: (id) => call(() => vault.get(id)),
    has: (id) => call(() => vault.has(id)),
    // What was sent to the database cannot be called back, so the caller hears what became of it.
    set: (id, value) => Effect.uninterruptible(call(() => vault.set(id, value))),
    delete: (id) => Effect.uninterruptible(call(() => vault.delete(id))),
    list: () =>
      Effect.map(
        call(() => vault.list()),
        (ids) => ids.map((id) => ({ id, name: id })),
      ),
    invalidate: (id) => Effect.sync(() => vault.forget(id)),
    close: () => Effect.sync(() => vault.close()),
    rotateDataKey: () => vault.rotateDataKey(),
    changeKey: (secret) => vault.changeKey(keySource(key, secret)),
  }
}
