/** Defaults among connections in a database. */
import type { AccountsKey, AccountStore } from "@keyward/core/effect"
import { keyText, partitionText } from "./keyText.ts"
import type { SqlDatabase } from "./SqlDatabase.ts"
import { wasWritten } from "./wasWritten.ts"

/** See the file's header. The name is kept as JSON, which every database gives back as it was. */
export const sqlAccounts = (database: SqlDatabase): AccountStore => ({
  get: (key) =>
    database.run("read a default connection", "read", async (db) => {
      const { tenant, subject, integration } = columnsOf(key)
      const row = await db
        .selectFrom("keyward_accounts")
        .select("document")
        .where("tenant", "=", tenant)
        .where("subject", "=", subject)
        .where("integration", "=", integration)
        .executeTakeFirst()
      return row && (JSON.parse(row.document) as string)
    }),
  put: (key) =>
    database.run("write a default connection", "write", async (db) => {
      await db
        .insertInto("keyward_accounts")
        .values({ ...columnsOf(key), document: JSON.stringify(key.name) })
        .onConflict((conflict) =>
          conflict
            .columns(["tenant", "subject", "integration"])
            .doUpdateSet((row) => ({ document: row.ref("excluded.document") })),
        )
        .execute()
    }),
  remove: (key, name) =>
    database.run("remove a default connection", "write", async (db) => {
      const { tenant, subject, integration } = columnsOf(key)
      return wasWritten(
        await db
          .deleteFrom("keyward_accounts")
          .where("tenant", "=", tenant)
          .where("subject", "=", subject)
          .where("integration", "=", integration)
          .$if(name !== undefined, (query) => query.where("document", "=", JSON.stringify(name)))
          .executeTakeFirst(),
      )
    }),
})

/** The organisation's subject is empty, so the owner needs no column. */
const columnsOf = ({ tenant, subject, integration }: AccountsKey) => ({
  tenant: partitionText(tenant),
  subject: partitionText(subject),
  integration: keyText(integration),
})
