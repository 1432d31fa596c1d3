/** Where a database is, as one process of a test tells it another. */
import { postgresStore, sqliteStore, type SqlStore } from "../../src/index.ts"

/** A file, or a schema. */
export type DatabasePlace =
  { readonly filename: string } | { readonly connectionString: string; readonly schema: string }

/** Opens the store of a place. */
export const storeAt = (place: DatabasePlace): SqlStore =>
  "filename" in place ? sqliteStore(place) : postgresStore({ ...place, maxConnections: 4 })
