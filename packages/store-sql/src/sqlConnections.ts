/** Connections in a database: rows by key, written by compare-and-set. */
import {
  compareRefs,
  type ConnectionQuery,
  type ConnectionRow,
  type ConnectionStore,
  isRefreshable,
  type Owner,
} from "@keyward/core/effect"
import type { Kysely } from "kysely"
import { compareAndSet } from "./compareAndSet.ts"
import { fromDocument, toDocument } from "./document.ts"
import { keyText, partitionText } from "./keyText.ts"
import { connectionColumns, connectionRecord } from "./recordKeys.ts"
import { readForCall } from "./sqlCallRecords.ts"
import { claimRows } from "./sqlClaims.ts"
import type { SqlDatabase } from "./SqlDatabase.ts"
import type { Tables } from "./tables.ts"
import { wasWritten } from "./wasWritten.ts"

/** See the file's header. */
export const sqlConnections = (database: SqlDatabase): ConnectionStore => ({
  get: (key, reading) => {
    if (reading === "recent" && database.flavor === "postgres") return readForCall(database, key)
    return database.read<ConnectionRow>("read a connection", connectionRecord(key), reading, async (db) => {
      const row = await db
        .selectFrom("keyward_connections")
        .select("document")
        .where((eb) => eb.and(connectionColumns(key)))
        .executeTakeFirst()
      return row?.document
    })
  },
  put: (row, expectedVersion) => {
    const change = database.change("write a connection", connectionRecord(row), async (db) => {
      const written = { version: row.version, refresh_before: refreshBefore(row), document: toDocument(row) }
      return compareAndSet(db, "keyward_connections", connectionColumns(row), written, expectedVersion)
    })
    return expectedVersion > 0 && isRenewal(row) ? change : database.confirmed(change)
  },
  remove: (key, expectedVersion) =>
    database.confirmed(
      database.change("remove a connection", connectionRecord(key), async (db) =>
        wasWritten(
          await db
            .deleteFrom("keyward_connections")
            .where((eb) => eb.and(connectionColumns(key)))
            .$if(expectedVersion !== undefined, (query) => query.where("version", "=", expectedVersion ?? 0))
            .executeTakeFirst(),
        ),
      ),
    ),
  list: (query) =>
    database.run("list connections", "read", async (db) => {
      const hasOwn = query.owner !== "org" && query.subject !== null && query.subject !== ""
      const shared = query.owner === "user" ? undefined : page(db, query, "org")
      const own = hasOwn ? page(db, query, "user") : undefined
      const both = shared !== undefined && own !== undefined ? shared.unionAll(own) : (shared ?? own)
      const documents = (await both?.execute()) ?? []
      const rows = documents.map(({ document }) => fromDocument(document) as ConnectionRow)
      return shared === undefined || own === undefined ? rows : rows.sort(compareRefs).slice(0, query.limit)
    }),
  expiring: ({ tenant, before, limit, unclaimedAt }) =>
    database.run("list connections that expire", "read", async (db) => {
      const rows = await db
        .selectFrom("keyward_connections")
        .select("document")
        .where("tenant", "=", partitionText(tenant))
        .where("refresh_before", "is not", null)
        .where("refresh_before", "<", before)
        .$if(unclaimedAt !== undefined, (query) =>
          query.where((eb) =>
            // A join with claims, of which there are none when a planner looks and thousands a moment later, is a loop in a loop.
            eb(
              eb.fn.coalesce(
                eb
                  .selectFrom("keyward_claims")
                  .select("keyward_claims.claimed_until")
                  .whereRef("keyward_claims.tenant", "=", "keyward_connections.tenant")
                  .whereRef("keyward_claims.subject", "=", "keyward_connections.subject")
                  .whereRef("keyward_claims.integration", "=", "keyward_connections.integration")
                  .whereRef("keyward_claims.name", "=", "keyward_connections.name"),
                eb.lit(0),
              ),
              "<=",
              unclaimedAt ?? 0,
            ),
          ),
        )
        .orderBy("refresh_before")
        .limit(limit)
        .execute()
      return rows.map(({ document }) => fromDocument(document) as ConnectionRow)
    }),
  claim: (tenant, keys, term) => claimRows(database, tenant, keys, term),
  isUsed: (tenant, integration) =>
    database.run("look for connections of an integration", "read", async (db) => {
      const row = await db
        .selectFrom("keyward_connections")
        .select("version")
        .where((eb) => eb.and({ tenant: partitionText(tenant), integration: keyText(integration) }))
        .limit(1)
        .executeTakeFirst()
      return row !== undefined
    }),
})

/** Whether a changed row may be one with new tokens, which end nothing and are written often. */
const isRenewal = ({ status, grant }: ConnectionRow): boolean => status !== "disabled" && grant !== null

const refreshBefore = ({ status, expiresAt, grant }: ConnectionRow): number | null =>
  status === "active" && grant !== null && isRefreshable(grant) ? expiresAt : null

/**
 * One owner's part of a page, which walks the primary key and stops at the limit. Both parts in one condition would have the
 * database sort every row that a caller can see.
 */
const page = (
  db: Kysely<Tables>,
  { tenant, subject, integration, name, after, limit }: ConnectionQuery,
  owner: Owner,
) => {
  let query = db
    .selectFrom("keyward_connections")
    .select("document")
    .where("tenant", "=", partitionText(tenant))
    .where("subject", "=", partitionText(owner === "org" ? "" : (subject ?? "")))
  if (integration !== undefined) query = query.where("integration", "=", keyText(integration))
  if (name !== undefined) query = query.where("name", "=", keyText(name))
  if (after !== undefined) {
    const from = { integration: keyText(after.integration), name: keyText(after.name) }
    if (owner === after.owner) {
      query = query.where((eb) => eb(eb.refTuple("integration", "name"), ">", eb.tuple(from.integration, from.name)))
    } else query = query.where("integration", owner > after.owner ? ">=" : ">", from.integration)
  }
  // In a subquery, because a part of a union has no order of its own.
  const ordered = query.orderBy("integration").orderBy("name").limit(limit)
  return db.selectFrom(ordered.as(owner === "org" ? "shared" : "own")).select("document")
}
