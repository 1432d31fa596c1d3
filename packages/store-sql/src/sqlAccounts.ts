/** Defaults among connections in a database. */
import type { AccountStore, DefaultAccount } from "@keyward/core/effect"
import { toDocument } from "./document.ts"
import { keyText } from "./keyText.ts"
import { accountRecord } from "./recordKeys.ts"
import type { SqlDatabase } from "./SqlDatabase.ts"
import { wasWritten } from "./wasWritten.ts"

/** See the file's header. */
export const sqlAccounts = (database: SqlDatabase): AccountStore => ({
  get: (accounts, reading) => {
    const key = accountRecord(accounts)
    return database.read<DefaultAccount>("read a default connection", key, reading, async (db) => {
      const [, tenant, subject, integration] = key
      const query = db.selectFrom("keyward_accounts").select("document")
      const row = await query.where((eb) => eb.and({ tenant, subject, integration })).executeTakeFirst()
      return row?.document
    })
  },
  put: (accounts, account) => {
    const key = accountRecord(accounts)
    return database.confirmed(
      database.change("write a default connection", key, async (db) => {
        const [, tenant, subject, integration] = key
        await db
          .insertInto("keyward_accounts")
          .values({ tenant, subject, integration, name: keyText(account.name), document: toDocument(account) })
          .onConflict((conflict) =>
            conflict
              .columns(["tenant", "subject", "integration"])
              .doUpdateSet((row) => ({ name: row.ref("excluded.name"), document: row.ref("excluded.document") })),
          )
          .execute()
      }),
    )
  },
  remove: (accounts, name) => {
    const key = accountRecord(accounts)
    return database.confirmed(
      database.change("remove a default connection", key, async (db) => {
        const [, tenant, subject, integration] = key
        return wasWritten(
          await db
            .deleteFrom("keyward_accounts")
            .where((eb) => eb.and({ tenant, subject, integration }))
            .$if(name !== undefined, (query) => query.where("name", "=", keyText(name ?? "")))
            .executeTakeFirst(),
        )
      }),
    )
  },
})
