/** Integrations and their tool catalogs in a database. */
import type { CatalogStore, IntegrationRecord, IntegrationStore, ToolDef } from "@keyward/core/effect"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Kysely } from "kysely"
import { compareAndSet } from "./compareAndSet.ts"
import { fromDocument, toForeignDocument } from "./document.ts"
import { keyText, partitionText } from "./keyText.ts"
import { catalogRecord, integrationRecord } from "./recordKeys.ts"
import type { SqlDatabase } from "./SqlDatabase.ts"
import type { Tables } from "./tables.ts"
import { wasWritten } from "./wasWritten.ts"

/** See the file's header. */
export const sqlIntegrations = (database: SqlDatabase): IntegrationStore => ({
  get: (tenant, slug, reading) => {
    const key = integrationRecord(tenant, slug)
    return database.read<IntegrationRecord>("read an integration", key, reading, async (db) => {
      const [, tenant, slug] = key
      const query = db.selectFrom("keyward_integrations").select("document")
      return (await query.where("tenant", "=", tenant).where("slug", "=", slug).executeTakeFirst())?.document
    })
  },
  put: (record, expectedRevision) => {
    const key = integrationRecord(record.tenant, record.slug)
    const change = database.change("write an integration", key, async (db) => {
      const [tenant, slug] = [partitionText(record.tenant), keyText(record.slug)]
      const { revision } = record
      const document = toForeignDocument(record)
      return compareAndSet(db, "keyward_integrations", { tenant, slug }, { revision, document }, expectedRevision)
    })
    return database.confirmed(change)
  },
  remove: (tenant, slug) =>
    database.confirmed(
      database.change("remove an integration", integrationRecord(tenant, slug), async (db) =>
        wasWritten(
          await db
            .deleteFrom("keyward_integrations")
            .where((eb) => eb.and({ tenant: partitionText(tenant), slug: keyText(slug) }))
            .executeTakeFirst(),
        ),
      ),
    ),
  list: ({ tenant, after, limit }) =>
    database.run("list integrations", "read", async (db) => {
      const rows = await db
        .selectFrom("keyward_integrations")
        .select("document")
        .where("tenant", "=", partitionText(tenant))
        .$if(after !== undefined, (query) => query.where("slug", ">", keyText(after ?? "")))
        .orderBy("slug")
        .limit(limit)
        .execute()
      return rows.map(({ document }) => fromDocument(document) as IntegrationRecord)
    }),
})

/** A catalog is one row, and one revision of it is kept: whoever asks for another is told that there is none. */
export const sqlCatalogs = (database: SqlDatabase): CatalogStore => ({
  get: (key, reading) => {
    const slot = catalogRecord(key)
    const read = database.read<StoredCatalog>("read a tool catalog", slot, reading, async (db) => {
      const [, tenant, integration, subject, name] = slot
      const row = await db
        .selectFrom("keyward_catalogs")
        .select(["revision", "document"])
        .where((eb) => eb.and({ tenant, integration, subject, name }))
        .executeTakeFirst()
      return row && catalogDocument(row)
    })
    return mapNow(read, (stored) => (stored?.revision === key.revision ? stored.tools : undefined))
  },
  put: (key, tools) =>
    database.change("write a tool catalog", catalogRecord(key), async (db) => {
      const [, tenant, integration, subject, name] = catalogRecord(key)
      const document = toForeignDocument(tools)
      await db
        .insertInto("keyward_catalogs")
        .values({ tenant, integration, subject, name, revision: key.revision, document })
        .onConflict((conflict) =>
          conflict.columns(["tenant", "integration", "subject", "name"]).doUpdateSet((row) => ({
            revision: row.ref("excluded.revision"),
            document: row.ref("excluded.document"),
          })),
        )
        .execute()
    }),
  remove: (key) => {
    const [kind, tenant, integration, subject, name] = catalogRecord(key)
    const all = (db: Kysely<Tables>) =>
      db.deleteFrom("keyward_catalogs").where("tenant", "=", tenant).where("integration", "=", integration)
    const operation = "remove a tool catalog"
    return Effect.asVoid(
      key.connection === null
        ? database.changeUnder(operation, [kind, tenant, integration], (db) => all(db).execute())
        : database.change(operation, catalogRecord(key), (db) =>
            all(db).where("subject", "=", subject).where("name", "=", name).execute(),
          ),
    )
  },
})

/** What a row of catalogs is kept as in memory: of whichever revision, so that another one is known to be another. */
interface StoredCatalog {
  readonly revision: number
  readonly tools: ReadonlyArray<ToolDef>
}

/** The text of a {@link StoredCatalog}, without reading the tools. */
export const catalogDocument = ({ revision, document }: { revision: number | string; document: string }): string =>
  `{"revision":${revision},"tools":${document}}`

/** As `Effect.map`; at once where the value is there, as the call path wants it. */
const mapNow = <A, B, E>(effect: Effect.Effect<A, E>, to: (value: A) => B): Effect.Effect<B, E> => {
  if (!Exit.isExit(effect)) return Effect.map(effect, to)
  const exit = effect as Exit.Exit<A, E>
  return Exit.isSuccess(exit) ? Effect.succeed(to(exit.value)) : (exit as Exit.Exit<never, E>)
}
