/**
 * What one call reads, in one round trip: a connection, its integration, and the catalogs that it could use.
 *
 * Called by `sqlConnections` where a round trip costs more than the statement. What comes besides the connection is kept in memory, where
 * the call finds it when it asks for it.
 */
import type { StoreUnavailableError } from "@keyward/core"
import type { ConnectionKey, ConnectionRow } from "@keyward/core/effect"
import type * as Effect from "effect/Effect"
import { type Kysely, sql } from "kysely"
import {
  catalogRecord,
  type CatalogRecordKey,
  connectionRecord,
  type ConnectionRecordKey,
  integrationRecord,
  type IntegrationRecordKey,
} from "./recordKeys.ts"
import type { SqlDatabase } from "./SqlDatabase.ts"
import { catalogDocument } from "./sqlIntegrations.ts"
import type { Tables } from "./tables.ts"

type CallRecordKey = ConnectionRecordKey | IntegrationRecordKey | CatalogRecordKey

/** The connection of a call; see the file's header. */
export const readForCall = (
  database: SqlDatabase,
  key: ConnectionKey,
): Effect.Effect<ConnectionRow | undefined, StoreUnavailableError> => {
  const { tenant, integration } = key
  return database.recentOf<ConnectionRow, CallRecordKey>(
    "read a connection",
    connectionRecord(key),
    () => [
      integrationRecord(tenant, integration),
      catalogRecord({ tenant, integration, connection: null }),
      catalogRecord({ tenant, integration, connection: key }),
    ],
    async (db, keys) => {
      const [first, ...others] = keys.map((one, index) => part(db, one, index))
      if (first === undefined) return []
      const rows = await others.reduce((query, other) => query.unionAll(other), first).execute()
      return keys.map(([kind], index) => {
        const row = rows.find((one) => one.part === index)
        return kind === "catalogs" && row !== undefined ? catalogDocument(row) : row?.document
      })
    },
  )
}

/** The same columns of each table; a revision is asked for where a catalog has one. */
const part = (db: Kysely<Tables>, [kind, ...columns]: CallRecordKey, index: number) => {
  const [tenant, second, third = "", name = ""] = columns
  const place = sql<number>`${sql.lit(index)}`.as("part")
  switch (kind) {
    case "connections":
      return db
        .selectFrom("keyward_connections")
        .select([place, "version as revision", "document"])
        .where((eb) => eb.and({ tenant, subject: second, integration: third, name }))
    case "integrations":
      return db
        .selectFrom("keyward_integrations")
        .select([place, "revision", "document"])
        .where((eb) => eb.and({ tenant, slug: second }))
    case "catalogs":
      return db
        .selectFrom("keyward_catalogs")
        .select([place, "revision", "document"])
        .where((eb) => eb.and({ tenant, integration: second, subject: third, name }))
  }
}
