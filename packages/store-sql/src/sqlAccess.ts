/** Agents, grants and shares in a database. What decides about a caller is one record to those who call, read from memory. */
import {
  type AccessStore,
  type AgentRecord,
  type Caller,
  type CallerRecords,
  compareGrants,
  type GrantKey,
  type GrantRecord,
  type ShareKey,
  type ShareRecipient,
  type ShareRecord,
} from "@keyward/core/effect"
import type { ExpressionBuilder, Kysely } from "kysely"
import { compareAndSet } from "./compareAndSet.ts"
import { isUniqueViolation } from "./databaseFailure.ts"
import { documentsOf, fromDocument, toDocument } from "./document.ts"
import { keyText, partitionText } from "./keyText.ts"
import { mapKnown } from "./known.ts"
import { connectionColumns } from "./recordKeys.ts"
import type { RecordKey } from "./RowCache.ts"
import type { SqlDatabase } from "./SqlDatabase.ts"
import type { Tables } from "./tables.ts"
import { wasWritten } from "./wasWritten.ts"

/** See the file's header. */
export const sqlAccess = (database: SqlDatabase): AccessStore => {
  /** A write of anything that decides about callers of a tenant; most of what is written here takes something away. */
  const change = <A>(operation: string, tenant: string, statement: (db: Kysely<Tables>) => Promise<A>) =>
    database.confirmed(database.changeUnder(operation, ["access", partitionText(tenant)], statement))
  return {
    ofCaller: (caller) =>
      mapKnown(
        database.recent<CallerRecords>("read what a caller may use", callerKey(caller), (db) => textOf(db, caller)),
        (records) => records ?? nothing,
      ),
    getAgent: (tenant, id) =>
      database.run("read an agent", "read", async (db) => {
        const row = await agentsOf(db, tenant, [id]).executeTakeFirst()
        return row && (fromDocument(row.document) as AgentRecord)
      }),
    putAgent: (record, expectedVersion) =>
      change("write an agent", record.tenant, async (db) => {
        const key = { tenant: partitionText(record.tenant), id: keyText(record.id) }
        const written = { version: record.version, document: toDocument(record) }
        return compareAndSet(db, "keyward_agents", key, written, expectedVersion)
      }),
    removeAgent: (tenant, id) =>
      change("remove an agent", tenant, async (db) => {
        const key = { tenant: partitionText(tenant), id: keyText(id) }
        // The agent last, since whether it was there is the answer, and this may be done twice.
        await db.deleteFrom("keyward_grants").where("tenant", "=", key.tenant).where("agent", "=", key.id).execute()
        await db
          .deleteFrom("keyward_shares")
          .where((eb) => eb.and({ tenant: key.tenant, recipient_kind: "agent", recipient: key.id }))
          .execute()
        const agents = db.deleteFrom("keyward_agents").where("tenant", "=", key.tenant).where("id", "=", key.id)
        return wasWritten(await agents.executeTakeFirst())
      }),
    listAgents: ({ tenant, after, limit }) =>
      database.run("list agents", "read", async (db) => {
        const rows = await db
          .selectFrom("keyward_agents")
          .select("document")
          .where("tenant", "=", partitionText(tenant))
          .$if(after !== undefined, (query) => query.where("id", ">", keyText(after ?? "")))
          .orderBy("id")
          .limit(limit)
          .execute()
        return rows.map(({ document }) => fromDocument(document) as AgentRecord)
      }),
    putGrant: (record) =>
      change("write a grant", record.tenant, async (db) => {
        await db
          .insertInto("keyward_grants")
          .values({ ...grantColumns(record), document: toDocument(record) })
          .onConflict((conflict) =>
            conflict
              .columns(["tenant", "agent", "grantor", "delegated_by", "subject", "integration", "name"])
              .doUpdateSet((row) => ({ document: row.ref("excluded.document") })),
          )
          .execute()
      }),
    removeGrant: (key) =>
      change("remove a grant", key.tenant, async (db) => {
        const grants = db.deleteFrom("keyward_grants").where((eb) => eb.and(grantColumns(key)))
        return wasWritten(await grants.executeTakeFirst())
      }),
    listGrants: (tenant, agent) =>
      database.run("list grants", "read", async (db) => {
        const rows = await db
          .selectFrom("keyward_grants")
          .select("document")
          .where((eb) => eb.and({ tenant: partitionText(tenant), agent: keyText(agent) }))
          .execute()
        return rows.map(({ document }) => fromDocument(document) as GrantRecord).sort(compareGrants)
      }),
    listGrantsOf: (connection) =>
      database.run("list the grants of a connection", "read", async (db) => {
        const rows = await db
          .selectFrom("keyward_grants")
          .select("document")
          .where((eb) => eb.and(connectionColumns(connection)))
          .execute()
        return rows.map(({ document }) => fromDocument(document) as GrantRecord)
      }),
    putShare: (record) =>
      change("write a share", record.tenant, async (db) => {
        try {
          await db
            .insertInto("keyward_shares")
            .values({ ...shareColumns(record), shown_as: keyText(record.as), document: toDocument(record) })
            .onConflict((conflict) =>
              conflict
                .columns(["tenant", "recipient_kind", "recipient", "subject", "integration", "name"])
                .doUpdateSet((row) => ({
                  shown_as: row.ref("excluded.shown_as"),
                  document: row.ref("excluded.document"),
                })),
            )
            .execute()
          return true
        } catch (error) {
          // Another share of this recipient has the name: the one uniqueness that is left.
          if (isUniqueViolation(error)) return false
          throw error
        }
      }),
    removeShare: (key) =>
      change("remove a share", key.tenant, async (db) => {
        const shares = db.deleteFrom("keyward_shares").where((eb) => eb.and(shareColumns(key)))
        return wasWritten(await shares.executeTakeFirst())
      }),
    listShares: (connection, { after, limit }) =>
      database.run("list shares", "read", async (db) => {
        const rows = await db
          .selectFrom("keyward_shares")
          .select("document")
          .where((eb) => eb.and(connectionColumns(connection)))
          .$if(after !== undefined, (query) => query.where(comesAfter(after ?? { agent: "" })))
          // "user" comes after "agent".
          .orderBy("recipient_kind", "desc")
          .orderBy("recipient")
          .limit(limit)
          .execute()
        return rows.map(({ document }) => fromDocument(document) as ShareRecord)
      }),
    forgetConnection: (connection) =>
      change("remove what was granted of a connection", connection.tenant, async (db) => {
        const place = connectionColumns(connection)
        for (const table of ["keyward_grants", "keyward_shares"] as const) {
          await db
            .deleteFrom(table)
            .where((eb) => eb.and(place))
            .execute()
        }
      }),
  }
}

const nothing: CallerRecords = { agents: [], grants: [], shares: [] }

const callerKey = ({ tenant, subject, agent }: Caller): RecordKey => [
  "access",
  partitionText(tenant),
  agent === null ? "" : keyText(agent),
  subject === null ? "" : partitionText(subject),
]

/** Everything that decides about a caller, as the text of one record. */
const textOf = async (db: Kysely<Tables>, { tenant, subject, agent }: Caller): Promise<string> => {
  const acting = agent === null ? undefined : await agentsOf(db, tenant, [agent]).executeTakeFirst()
  const lineage = acting === undefined ? [] : (fromDocument(acting.document) as AgentRecord).lineage.map(({ id }) => id)
  const found = lineage.length === 0 ? [] : await agentsOf(db, tenant, lineage).execute()
  const above = lineage.flatMap((id) => found.filter((row) => row.id === keyText(id)))
  const agents = acting === undefined ? [] : [acting, ...above]
  const ids = agents.map(({ id }) => id)
  const grants = ids.length === 0 ? [] : await grantsTo(db, tenant, ids, subject)
  const withAgents = ids.length === 0 ? [] : await sharesWith(db, tenant, "agent", ids)
  const withSubject = subject === null ? [] : await sharesWith(db, tenant, "user", [partitionText(subject)])
  const byAgent = (rows: typeof withAgents) => ids.flatMap((id) => rows.filter(({ of }) => of === id))
  const shares = [...withSubject, ...byAgent(withAgents)]
  return `{"agents":${documentsOf(agents)},"grants":${documentsOf(byAgent(grants))},"shares":${documentsOf(shares)}}`
}

const agentsOf = (db: Kysely<Tables>, tenant: string, ids: ReadonlyArray<string>) =>
  db
    .selectFrom("keyward_agents")
    .select(["id", "document"])
    .where("tenant", "=", partitionText(tenant))
    .where("id", "in", ids.map(keyText))

const grantsTo = (db: Kysely<Tables>, tenant: string, agents: ReadonlyArray<string>, subject: string | null) =>
  db
    .selectFrom("keyward_grants")
    .select(["agent as of", "document"])
    .where("tenant", "=", partitionText(tenant))
    .where("agent", "in", agents)
    .where("grantor", "in", subject === null ? [""] : ["", partitionText(subject)])
    .orderBy("integration")
    .orderBy("name")
    .orderBy("subject")
    .orderBy("grantor")
    .orderBy("delegated_by")
    .execute()

const sharesWith = (db: Kysely<Tables>, tenant: string, kind: "agent" | "user", recipients: ReadonlyArray<string>) =>
  db
    .selectFrom("keyward_shares")
    .select(["recipient as of", "document"])
    .where((eb) => eb.and({ tenant: partitionText(tenant), recipient_kind: kind }))
    .where("recipient", "in", recipients)
    .orderBy("integration")
    .orderBy("name")
    .orderBy("subject")
    .execute()

/** An organisation's grant has an empty grantor, and a host's is handed on by nobody. */
const grantColumns = ({ agent, subject, delegatedBy, connection }: GrantKey) => ({
  ...connectionColumns(connection),
  agent: keyText(agent),
  grantor: subject === null ? "" : partitionText(subject),
  delegated_by: delegatedBy === null ? "" : keyText(delegatedBy),
})

const shareColumns = ({ with: recipient, connection }: ShareKey) => ({
  ...connectionColumns(connection),
  ...recipientColumns(recipient),
})

const recipientColumns = (recipient: ShareRecipient) =>
  recipient.agent === undefined
    ? { recipient_kind: "user" as const, recipient: partitionText(recipient.subject) }
    : { recipient_kind: "agent" as const, recipient: keyText(recipient.agent) }

const comesAfter = (after: ShareRecipient) => (eb: ExpressionBuilder<Tables, "keyward_shares">) => {
  const { recipient_kind, recipient } = recipientColumns(after)
  return eb.or([
    eb.and([eb("recipient_kind", "=", recipient_kind), eb("recipient", ">", recipient)]),
    eb("recipient_kind", "<", recipient_kind),
  ])
}
