/** Which database a store is over, for what shares it: known to this package, and not a property that hosts could use. */
import type { SqlDatabase } from "./SqlDatabase.ts"

const databases = new WeakMap<object, SqlDatabase>()

/** Notes the database of a store, and returns the store. */
export const keepDatabase = <Store extends object>(database: SqlDatabase, store: Store): Store => {
  databases.set(store, database)
  return store
}

/** The database of a store that this package made, else `undefined`. */
export const databaseOf = (store: unknown): SqlDatabase | undefined =>
  typeof store === "object" && store !== null ? databases.get(store) : undefined
