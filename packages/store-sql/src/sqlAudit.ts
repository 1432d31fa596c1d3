/**
 * Audit trails in a database: a row per entry, and one per tenant that says where the chain ends.
 *
 * Appending first takes the head, in one transaction: SQLite by beginning to write, Postgres by locking the head's row. So whoever comes
 * second reads the head that the first one left, and sequences have no gaps. An entry that goes with a change is appended at the end of
 * the change's own transaction.
 */
import type { AuditBatch, AuditEntry, AuditHead, AuditQuery, AuditStore } from "@keyward/core/effect"
import type { Kysely } from "kysely"
import { fromDocument, toDocument } from "./document.ts"
import { inTransaction } from "./inTransaction.ts"
import { keyText, partitionText } from "./keyText.ts"
import type { SqlDatabase } from "./SqlDatabase.ts"
import type { SqlFlavor } from "./SqlFlavor.ts"
import type { Tables } from "./tables.ts"

/** See the file's header. */
export const sqlAudit = (database: SqlDatabase): AuditStore => ({
  head: (tenant) =>
    database.run("read the head of an audit trail", "read", async (db) => {
      const row = await db
        .selectFrom("keyward_audit_heads")
        .select("document")
        .where("tenant", "=", partitionText(tenant))
        .executeTakeFirst()
      return headOf(row)
    }),
  append: (tenant, first, link) =>
    database.run("append to an audit trail", "write", (db) =>
      inTransaction(db, database.flavor, async (transaction) => {
        const head = await takeHead(transaction, database.flavor, tenant)
        if (await isThere(transaction, tenant, first)) return
        await write(transaction, tenant, link(head))
      }),
    ),
  alongside: (tenant, change, linkAfter) =>
    database.together("its audit entry", change, async (transaction, answer) => {
      const link = linkAfter(answer)
      if (link === undefined) return
      await write(transaction, tenant, link(await takeHead(transaction, database.flavor, tenant)))
    }),
  list: (query) =>
    database.run("read an audit trail", "read", async (db) => (await rowsOf(db, query).execute()).map(toEntry)),
})

/** The head, which nobody else changes until the transaction ends. */
const takeHead = async (db: Kysely<Tables>, flavor: SqlFlavor, tenant: string): Promise<AuditHead | undefined> => {
  const head = db
    .selectFrom("keyward_audit_heads")
    .select("document")
    .where("tenant", "=", partitionText(tenant))
    .$if(flavor === "postgres", (query) => query.forUpdate())
  const found = await head.executeTakeFirst()
  if (found !== undefined) return headOf(found)
  await db
    .insertInto("keyward_audit_heads")
    .values({ tenant: partitionText(tenant), document: "" })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  // Somebody else may have begun the chain in between.
  return headOf(await head.executeTakeFirst())
}

const isThere = async (db: Kysely<Tables>, tenant: string, id: string): Promise<boolean> => {
  const found = await db
    .selectFrom("keyward_audit")
    .select("sequence")
    .where("tenant", "=", partitionText(tenant))
    .where("id", "=", keyText(id))
    .executeTakeFirst()
  return found !== undefined
}

const write = async (db: Kysely<Tables>, name: string, batch: AuditBatch | undefined): Promise<void> => {
  if (batch === undefined) return
  const tenant = partitionText(name)
  const { entries, head, removeThrough } = batch
  for (let index = 0; index < entries.length; index += mostRows) {
    const rows = entries.slice(index, index + mostRows).map((entry) => ({
      tenant,
      sequence: entry.sequence,
      ...columnsOf(entry),
      document: toDocument(entry),
    }))
    await db.insertInto("keyward_audit").values(rows).execute()
  }
  if (removeThrough !== undefined) {
    await db.deleteFrom("keyward_audit").where("tenant", "=", tenant).where("sequence", "<=", removeThrough).execute()
  }
  await db
    .updateTable("keyward_audit_heads")
    .set({ document: toDocument(head) })
    .where("tenant", "=", tenant)
    .execute()
}

/** SQLite takes 32,766 parameters, Postgres 65,535. */
const mostRows = 500

const rowsOf = (db: Kysely<Tables>, query: AuditQuery) => {
  const { subject, since, before, connection, agent, tool, after, through } = query
  return db
    .selectFrom("keyward_audit")
    .selectAll()
    .where("tenant", "=", partitionText(query.tenant))
    .$if(subject !== undefined, (rows) =>
      subject === null ? rows.where("subject", "is", null) : rows.where("subject", "=", partitionText(subject ?? "")),
    )
    .$if(since !== undefined, (rows) => rows.where("at", ">=", since ?? 0))
    .$if(before !== undefined, (rows) => rows.where("at", "<", before ?? 0))
    .$if(connection !== undefined, (rows) => rows.where("connection", "=", partitionText(connection ?? "")))
    .$if(agent !== undefined, (rows) => rows.where("agent", "=", partitionText(agent ?? "")))
    .$if(tool !== undefined, (rows) => rows.where("tool", "=", partitionText(tool ?? "")))
    .$if(after !== undefined, (rows) => rows.where("sequence", ">", after ?? 0))
    .$if(through !== undefined, (rows) => rows.where("sequence", "<=", through ?? 0))
    .orderBy("sequence")
    .limit(query.limit)
}

/** What is looked up; a column that does not say what the document says makes the entry another one, which its hash shows. */
const columnsOf = ({ id, at, subject, agent, connection, tool }: AuditEntry) => ({
  id: keyText(id),
  at,
  subject: subject === null ? null : partitionText(subject),
  agent: agent === null ? null : partitionText(agent),
  connection: connection === null ? null : partitionText(connection),
  tool: tool === null ? null : partitionText(tool),
})

/** Drivers of Postgres give 64-bit integers as text. */
type AuditRow = Omit<Tables["keyward_audit"], "sequence" | "at"> & {
  readonly sequence: number | string
  readonly at: number | string
}

const toEntry = ({ sequence, document, ...row }: AuditRow): AuditEntry => {
  const entry = documentOf(document)
  const found = { ...row, at: Number(row.at) }
  const differing = Object.entries(columnsOf(entry)).filter(
    ([name, text]) => found[name as keyof typeof found] !== text,
  )
  return {
    ...entry,
    sequence: Number(sequence),
    ...Object.fromEntries(differing.map(([name]) => [name, found[name as keyof typeof found]])),
  }
}

/** What somebody made of a document may be anything; an entry without a hash is not what was written. */
const documentOf = (document: string): AuditEntry => {
  try {
    const entry: unknown = fromDocument(document)
    if (typeof entry === "object" && entry !== null) return { ...blank, ...entry }
  } catch {
    // not even JSON
  }
  return blank
}

const blank: AuditEntry = {
  id: "",
  tenant: "",
  sequence: 0,
  at: 0,
  subject: null,
  agent: null,
  type: "",
  integration: null,
  connection: null,
  tool: null,
  identityMode: null,
  chosenBy: null,
  decision: null,
  rule: null,
  destination: null,
  outcome: null,
  durationMs: null,
  details: {},
  arguments: null,
  previousHash: "",
  hash: "",
}

/** A head that somebody made unreadable is one whose seal does not hold. */
const headOf = (row: { readonly document: string } | undefined): AuditHead | undefined => {
  if (row === undefined || row.document === "") return undefined
  try {
    return fromDocument(row.document) as AuditHead
  } catch {
    return { tenant: "", sequence: 0, hash: "", removedThrough: 0, removedHash: "", seal: "" }
  }
}
