/**
 * Brings the tables up to date when a store is first used: once, however many processes start at the same time.
 *
 * The version is read again under a lock that lasts as long as the transaction: SQLite's write lock, an advisory lock of Postgres.
 */
import { createHash } from "node:crypto"
import { type Kysely, sql } from "kysely"
import { inTransaction } from "./inTransaction.ts"
import { type SchemaPlace, schemaVersion, statementsFrom } from "./migrations.ts"
import { StoreSchemaError } from "./StoreSchemaError.ts"
import type { Tables } from "./tables.ts"

/** Rejects with `StoreSchemaError` where the tables cannot be used as they are; resolves when they can. */
export const migrate = async (db: Kysely<Tables>, place: SchemaPlace, mayMigrate: boolean): Promise<void> => {
  const found = await versionOf(db, place)
  if (isCurrent(found)) return
  if (!mayMigrate) throw new StoreSchemaError({ reason: "outdated", found, known: schemaVersion })
  await inTransaction(db, place.flavor, async (transaction) => {
    // SQLite's transaction begins with its lock.
    if (place.flavor === "postgres") await sql`select pg_advisory_xact_lock(${lockOf(place)})`.execute(transaction)
    await run(transaction, place)
  })
}

/** Never downgrades: tables of a newer version are refused. */
const isCurrent = (found: number): boolean => {
  if (found > schemaVersion) throw new StoreSchemaError({ reason: "newer", found, known: schemaVersion })
  return found === schemaVersion
}

const versionOf = async (db: Kysely<Tables>, { flavor, schema = "public" }: SchemaPlace): Promise<number> => {
  const there =
    flavor === "sqlite"
      ? await sql`select 1 from sqlite_master where type = 'table' and name = 'keyward_schema'`.execute(db)
      : await sql`select 1 from pg_catalog.pg_tables where schemaname = ${schema} and tablename = 'keyward_schema'`.execute(
          db,
        )
  if (there.rows.length === 0) return 0
  const tables = flavor === "sqlite" ? db : db.withSchema(schema)
  const row = await tables
    .selectFrom("keyward_schema")
    .select((eb) => eb.fn.max<number | string>("version").as("version"))
    .executeTakeFirst()
  // Postgres drivers give 64-bit integers as text.
  return Number(row?.version ?? 0)
}

const run = async (db: Kysely<Tables>, place: SchemaPlace): Promise<void> => {
  const found = await versionOf(db, place)
  if (isCurrent(found)) return
  for (const statement of statementsFrom(place, found)) await sql.raw(statement).execute(db)
}

/** One lock per schema; 64 bits, as text because a number holds 53. */
const lockOf = ({ schema = "public" }: SchemaPlace): string =>
  createHash("sha256").update(`keyward_schema ${schema}`).digest().readBigInt64BE().toString()
