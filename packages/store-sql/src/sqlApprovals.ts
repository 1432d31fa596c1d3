/** Approvals in a database: found by what they hold for, and taken once. */
import type { ApprovalRecord, ApprovalStore } from "@keyward/core/effect"
import * as Effect from "effect/Effect"
import { compareAndSet } from "./compareAndSet.ts"
import { fromDocument, toDocument } from "./document.ts"
import { keyText, partitionText } from "./keyText.ts"
import type { SqlDatabase } from "./SqlDatabase.ts"
import { wasWritten } from "./wasWritten.ts"

/** See the file's header. */
export const sqlApprovals = (database: SqlDatabase): ApprovalStore => ({
  get: (tenant, id) =>
    database.run("read an approval", "read", async (db) => {
      const row = await db
        .selectFrom("keyward_approvals")
        .select("document")
        .where((eb) => eb.and({ tenant: partitionText(tenant), id: keyText(id) }))
        .executeTakeFirst()
      return row && (fromDocument(row.document) as ApprovalRecord)
    }),
  put: (record, expectedVersion) =>
    database.run("write an approval", "write", async (db) => {
      const key = { tenant: partitionText(record.tenant), id: keyText(record.id) }
      const written = {
        subject: partitionText(record.subject),
        match_key: keyText(record.key),
        status: record.status,
        expires_at: record.expiresAt,
        version: record.version,
        document: toDocument(record),
      }
      return compareAndSet(db, "keyward_approvals", key, written, expectedVersion)
    }),
  take: (tenant, id, version) =>
    database.run("take an approval", "write", async (db) =>
      wasWritten(
        await db
          .deleteFrom("keyward_approvals")
          .where((eb) => eb.and({ tenant: partitionText(tenant), id: keyText(id), version }))
          .executeTakeFirst(),
      ),
    ),
  find: (tenant, keys) =>
    keys.length === 0
      ? Effect.succeed([])
      : database.run("find approvals", "read", async (db) => {
          const rows = await db
            .selectFrom("keyward_approvals")
            .select("document")
            .where("tenant", "=", partitionText(tenant))
            .where("match_key", "in", keys.map(keyText))
            .orderBy("id")
            .execute()
          return rows.map(({ document }) => fromDocument(document) as ApprovalRecord)
        }),
  list: ({ tenant, subject, status, validAt, after, limit }) =>
    database.run("list approvals", "read", async (db) => {
      const rows = await db
        .selectFrom("keyward_approvals")
        .select("document")
        .where("tenant", "=", partitionText(tenant))
        .$if(subject !== null, (query) => query.where("subject", "=", partitionText(subject ?? "")))
        .$if(status !== undefined, (query) => query.where("status", "=", status ?? ""))
        .$if(validAt !== undefined, (query) => query.where("expires_at", ">", validAt ?? 0))
        .$if(after !== undefined, (query) => query.where("id", ">", keyText(after ?? "")))
        .orderBy("id")
        .limit(limit)
        .execute()
      return rows.map(({ document }) => fromDocument(document) as ApprovalRecord)
    }),
  removeExpired: (tenant, now) =>
    database.run("remove expired approvals", "write", async (db) => {
      const { numDeletedRows } = await db
        .deleteFrom("keyward_approvals")
        .where("tenant", "=", partitionText(tenant))
        .where("expires_at", "<", now)
        .executeTakeFirst()
      return Number(numDeletedRows)
    }),
})
