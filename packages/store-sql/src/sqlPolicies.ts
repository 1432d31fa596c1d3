/** Policy rules in a database: lists that calls read from memory, and rules that are written by compare-and-set. */
import type { PolicyRecord, PolicyRules, PolicyStore } from "@keyward/core/effect"
import { compareAndSet } from "./compareAndSet.ts"
import { documentsOf, fromDocument, toDocument } from "./document.ts"
import { keyText, partitionText } from "./keyText.ts"
import { mapKnown, zipKnown } from "./known.ts"
import type { RecordKey } from "./RowCache.ts"
import type { SqlDatabase } from "./SqlDatabase.ts"
import { wasWritten } from "./wasWritten.ts"

type Rules = ReadonlyArray<PolicyRecord>

/** See the file's header. */
export const sqlPolicies = (database: SqlDatabase): PolicyStore => {
  const list = (tenant: string, subject: string) => {
    const key = listKey(tenant, subject)
    return database.recent<Rules>("read policies", key, async (db) => {
      const [, tenant, subject] = key
      const rows = await db
        .selectFrom("keyward_policies")
        .select("document")
        .where((eb) => eb.and({ tenant, subject }))
        .orderBy("rank")
        .orderBy("created_at")
        .orderBy("id")
        .execute()
      return documentsOf(rows)
    })
  }
  return {
    rules: (tenant, subject) => {
      const organisation = list(tenant, "")
      return subject === null
        ? mapKnown(organisation, (rules) => rulesOf(rules, none))
        : zipKnown(organisation, list(tenant, subject), rulesOf)
    },
    get: (tenant, id) =>
      database.run("read a policy", "read", async (db) => {
        const row = await db
          .selectFrom("keyward_policies")
          .select("document")
          .where((eb) => eb.and({ tenant: partitionText(tenant), id: keyText(id) }))
          .executeTakeFirst()
        return row && (fromDocument(row.document) as PolicyRecord)
      }),
    put: (record, expectedVersion) =>
      database.confirmed(
        database.change("write a policy", listKey(record.tenant, record.subject), async (db) => {
          const key = { tenant: partitionText(record.tenant), id: keyText(record.id) }
          const written = {
            subject: partitionText(record.subject),
            rank: record.order,
            created_at: record.createdAt,
            version: record.version,
            document: toDocument(record),
          }
          return compareAndSet(db, "keyward_policies", key, written, expectedVersion)
        }),
      ),
    remove: (tenant, id) =>
      database.confirmed(
        database.changeUnder("remove a policy", ["policies", partitionText(tenant)], async (db) =>
          wasWritten(
            await db
              .deleteFrom("keyward_policies")
              .where((eb) => eb.and({ tenant: partitionText(tenant), id: keyText(id) }))
              .executeTakeFirst(),
          ),
        ),
      ),
  }
}

const none: Rules = []

const rulesOf = (organisation: Rules | undefined, user: Rules | undefined): PolicyRules => ({
  organisation: organisation ?? none,
  user: user ?? none,
})

const listKey = (tenant: string, subject: string) =>
  ["policies", partitionText(tenant), partitionText(subject)] as const satisfies RecordKey
