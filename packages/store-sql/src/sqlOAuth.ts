/** OAuth records in a database: clients, flows that are taken once, revocations owed. */
import type {
  OAuthClientKey,
  OAuthClientRecord,
  OAuthClientStore,
  OAuthSessionRecord,
  OAuthSessionStore,
  OAuthStores,
  RevocationRecord,
  RevocationStore,
} from "@keyward/core/effect"
import { compareAndSet } from "./compareAndSet.ts"
import { fromDocument, toDocument } from "./document.ts"
import { keyText, partitionText } from "./keyText.ts"
import type { SqlDatabase } from "./SqlDatabase.ts"
import { wasWritten } from "./wasWritten.ts"

/** See the file's header. */
export const sqlOAuth = (database: SqlDatabase): OAuthStores => ({
  clients: sqlClients(database),
  sessions: sqlSessions(database),
  revocations: sqlRevocations(database),
})

const sqlClients = (database: SqlDatabase): OAuthClientStore => ({
  get: (key) =>
    database.run("read an OAuth client", "read", async (db) => {
      const row = await db
        .selectFrom("keyward_oauth_clients")
        .select("document")
        .where((eb) => eb.and(columnsOf(key)))
        .executeTakeFirst()
      return row && (fromDocument(row.document) as OAuthClientRecord)
    }),
  put: (record, expectedVersion) =>
    database.run("write an OAuth client", "write", async (db) => {
      const key = columnsOf(record)
      const written = { version: record.version, document: toDocument(record) }
      return compareAndSet(db, "keyward_oauth_clients", key, written, expectedVersion)
    }),
  remove: (key) =>
    database.run("remove an OAuth client", "write", async (db) => {
      const clients = db.deleteFrom("keyward_oauth_clients").where((eb) => eb.and(columnsOf(key)))
      return wasWritten(await clients.executeTakeFirst())
    }),
  list: ({ tenant, subject, owner, after, limit }) =>
    database.run("list OAuth clients", "read", async (db) => {
      const hasShared = owner !== "user" && after?.owner !== "user"
      const hasOwn = owner !== "org" && subject !== null && subject !== ""
      const subjects = [...(hasShared ? [""] : []), ...(hasOwn ? [partitionText(subject)] : [])]
      if (subjects.length === 0) return []
      // The organisation's subject is empty and comes first, as its owner does.
      const rows = await db
        .selectFrom("keyward_oauth_clients")
        .select("document")
        .where("tenant", "=", partitionText(tenant))
        .where("subject", "in", subjects)
        .$if(after !== undefined, (query) =>
          query.where((eb) =>
            eb(
              eb.refTuple("subject", "slug"),
              ">",
              eb.tuple(after?.owner === "user" ? partitionText(subject ?? "") : "", keyText(after?.slug ?? "")),
            ),
          ),
        )
        .orderBy("subject")
        .orderBy("slug")
        .limit(limit)
        .execute()
      return rows.map(({ document }) => fromDocument(document) as OAuthClientRecord)
    }),
})

const columnsOf = ({ tenant, subject, slug }: OAuthClientKey) => ({
  tenant: partitionText(tenant),
  subject: partitionText(subject),
  slug: keyText(slug),
})

const sqlSessions = (database: SqlDatabase): OAuthSessionStore => ({
  get: (tenant, stateHash) =>
    database.run("read an OAuth session", "read", async (db) => {
      const row = await db
        .selectFrom("keyward_oauth_sessions")
        .select("document")
        .where((eb) => eb.and({ tenant: partitionText(tenant), state_hash: keyText(stateHash) }))
        .executeTakeFirst()
      return row && toSession(row.document)
    }),
  put: (record, expectedVersion) =>
    database.run("write an OAuth session", "write", async (db) => {
      const key = { tenant: partitionText(record.tenant), state_hash: keyText(record.stateHash) }
      const written = { version: record.version, expires_at: record.expiresAt, document: toDocument(record) }
      return compareAndSet(db, "keyward_oauth_sessions", key, written, expectedVersion)
    }),
  take: (tenant, stateHash) =>
    database.run("take an OAuth session", "write", async (db) => {
      const row = await db
        .deleteFrom("keyward_oauth_sessions")
        .where((eb) => eb.and({ tenant: partitionText(tenant), state_hash: keyText(stateHash) }))
        .returning("document")
        .executeTakeFirst()
      return row && toSession(row.document)
    }),
  removeExpired: (tenant, now) =>
    database.run("remove expired OAuth sessions", "write", async (db) => {
      const { numDeletedRows } = await db
        .deleteFrom("keyward_oauth_sessions")
        .where("tenant", "=", partitionText(tenant))
        .where("expires_at", "<", now)
        .executeTakeFirst()
      return Number(numDeletedRows)
    }),
})

/** JSON has no `undefined`, and a label that was not given differs from one that was cleared. */
const toSession = (document: string): OAuthSessionRecord => {
  const record = fromDocument(document) as OAuthSessionRecord
  return { ...record, identityLabel: record.identityLabel }
}

const sqlRevocations = (database: SqlDatabase): RevocationStore => ({
  put: (record) =>
    database.run("write a revocation", "write", async (db) => {
      await db
        .insertInto("keyward_oauth_revocations")
        .values({
          tenant: partitionText(record.tenant),
          id: keyText(record.id),
          next_attempt_at: record.nextAttemptAt,
          document: toDocument(record),
        })
        .onConflict((conflict) =>
          conflict.columns(["tenant", "id"]).doUpdateSet((row) => ({
            next_attempt_at: row.ref("excluded.next_attempt_at"),
            document: row.ref("excluded.document"),
          })),
        )
        .execute()
    }),
  remove: (tenant, id) =>
    database.run("remove a revocation", "write", async (db) => {
      await db
        .deleteFrom("keyward_oauth_revocations")
        .where((eb) => eb.and({ tenant: partitionText(tenant), id: keyText(id) }))
        .execute()
    }),
  due: ({ tenant, now, limit }) =>
    database.run("list revocations", "read", async (db) => {
      const rows = await db
        .selectFrom("keyward_oauth_revocations")
        .select("document")
        .where("tenant", "=", partitionText(tenant))
        .where("next_attempt_at", "<=", now)
        .orderBy("next_attempt_at")
        .limit(limit)
        .execute()
      return rows.map(({ document }) => fromDocument(document) as RevocationRecord)
    }),
})
