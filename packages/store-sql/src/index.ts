/**
 * `@keyward/store-sql`: records and leases in SQLite, Postgres, or another database that speaks their SQL.
 *
 * @module @keyward/store-sql
 */
export { migrationSql, type MigrationSqlOptions, type SchemaPlace } from "./migrations.ts"
export { postgresStore, type PostgresStoreOptions } from "./postgresStore.ts"
export type { SqlFlavor } from "./SqlFlavor.ts"
export type { SqlSecretKey, SqlSecretKeyMaterial } from "./secretKey.ts"
export { type SqlSecretOptions, type SqlSecretProvider, sqlSecretProvider } from "./sqlSecretProvider.ts"
export { sqliteStore, type SqliteStoreOptions } from "./sqliteStore.ts"
export {
  type SqlCacheOptions,
  type SqlStore,
  sqlStore,
  type SqlStoreDialectOptions,
  type SqlStoreOptions,
} from "./SqlStore.ts"
export { StoreSchemaError } from "./StoreSchemaError.ts"
