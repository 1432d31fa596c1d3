/** Integrations and their tool catalogs in a database. */
import type { CatalogKey, CatalogStore, IntegrationRecord, IntegrationStore, ToolDef } from "@keyward/core/effect"
import { fromDocument, toForeignDocument } from "./document.ts"
import { keyText, partitionText } from "./keyText.ts"
import type { SqlDatabase } from "./SqlDatabase.ts"
import { wasWritten } from "./wasWritten.ts"

/** See the file's header. */
export const sqlIntegrations = (database: SqlDatabase): IntegrationStore => ({
  get: (tenant, slug) =>
    database.run("read an integration", "read", async (db) => {
      const row = await db
        .selectFrom("keyward_integrations")
        .select("document")
        .where("tenant", "=", partitionText(tenant))
        .where("slug", "=", keyText(slug))
        .executeTakeFirst()
      return row && (fromDocument(row.document) as IntegrationRecord)
    }),
  put: (record, expectedRevision) =>
    database.run("write an integration", "write", async (db) => {
      const [tenant, slug] = [partitionText(record.tenant), keyText(record.slug)]
      const { revision } = record
      const document = toForeignDocument(record)
      return wasWritten(
        expectedRevision === 0
          ? await db
              .insertInto("keyward_integrations")
              .values({ tenant, slug, revision, document })
              .onConflict((conflict) => conflict.doNothing())
              .executeTakeFirst()
          : await db
              .updateTable("keyward_integrations")
              .set({ revision, document })
              .where("tenant", "=", tenant)
              .where("slug", "=", slug)
              .where("revision", "=", expectedRevision)
              .executeTakeFirst(),
      )
    }),
  remove: (tenant, slug) =>
    database.run("remove an integration", "write", async (db) =>
      wasWritten(
        await db
          .deleteFrom("keyward_integrations")
          .where("tenant", "=", partitionText(tenant))
          .where("slug", "=", keyText(slug))
          .executeTakeFirst(),
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
  get: (key) =>
    database.run("read a tool catalog", "read", async (db) => {
      const { tenant, integration, subject, name } = slotOf(key)
      const row = await db
        .selectFrom("keyward_catalogs")
        .select("document")
        .where("tenant", "=", tenant)
        .where("integration", "=", integration)
        .where("subject", "=", subject)
        .where("name", "=", name)
        .where("revision", "=", key.revision)
        .executeTakeFirst()
      return row && (fromDocument(row.document) as ReadonlyArray<ToolDef>)
    }),
  put: (key, tools) =>
    database.run("write a tool catalog", "write", async (db) => {
      await db
        .insertInto("keyward_catalogs")
        .values({ ...slotOf(key), revision: key.revision, document: toForeignDocument(tools) })
        .onConflict((conflict) =>
          conflict.columns(["tenant", "integration", "subject", "name"]).doUpdateSet((row) => ({
            revision: row.ref("excluded.revision"),
            document: row.ref("excluded.document"),
          })),
        )
        .execute()
    }),
  remove: (key) =>
    database.run("remove a tool catalog", "write", async (db) => {
      const { tenant, integration, subject, name } = slotOf(key)
      await db
        .deleteFrom("keyward_catalogs")
        .where("tenant", "=", tenant)
        .where("integration", "=", integration)
        .$if(key.connection !== null, (query) => query.where("subject", "=", subject).where("name", "=", name))
        .execute()
    }),
})

/** No connection has an empty name, so that one is free for what all connections share. */
const slotOf = ({ tenant, integration, connection }: Omit<CatalogKey, "revision">) => ({
  tenant: partitionText(tenant),
  integration: keyText(integration),
  subject: partitionText(connection?.subject ?? ""),
  name: keyText(connection?.name ?? ""),
})
