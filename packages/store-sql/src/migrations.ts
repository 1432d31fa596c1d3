/**
 * The versions of the tables, as the SQL that leads from each to the next.
 *
 * A version that was published never changes. Steps only add, or a process of the version before could not go on while a deploy is
 * under way.
 */
import { type Announcement, announcing } from "./announcements.ts"
import type { SqlFlavor } from "./SqlFlavor.ts"

/** What a step writes with: qualified table names, and the words that differ between databases. */
interface Words {
  readonly table: (name: string) => string
  /** Text that compares byte by byte. */
  readonly key: string
  /** Has a table's changes announced to processes that keep its records in memory; see `announcements.ts`. */
  readonly announce: (
    table: string,
    kind: string,
    columns: ReadonlyArray<string>,
    extent?: Announcement["extent"],
  ) => ReadonlyArray<string>
  /** What only Postgres has. */
  readonly onPostgres: (statements: ReadonlyArray<string>) => ReadonlyArray<string>
  /** What SQLite wants said in another way. */
  readonly onSqlite: (statements: ReadonlyArray<string>) => ReadonlyArray<string>
}

const steps: ReadonlyArray<(words: Words) => ReadonlyArray<string>> = [
  ({ table, key }) => [
    `create table ${table("keyward_integrations")} (
  tenant ${key} not null,
  slug ${key} not null,
  revision bigint not null,
  document text not null,
  primary key (tenant, slug)
)`,
    `create table ${table("keyward_connections")} (
  tenant ${key} not null,
  subject ${key} not null,
  integration ${key} not null,
  name ${key} not null,
  version bigint not null,
  refresh_before bigint,
  document text not null,
  primary key (tenant, subject, integration, name)
)`,
    `create index keyward_connections_by_integration on ${table("keyward_connections")} (tenant, integration)`,
    `create index keyward_connections_by_expiry on ${table("keyward_connections")} (tenant, refresh_before)
  where refresh_before is not null`,
    `create table ${table("keyward_catalogs")} (
  tenant ${key} not null,
  integration ${key} not null,
  subject ${key} not null,
  name ${key} not null,
  revision bigint not null,
  document text not null,
  primary key (tenant, integration, subject, name)
)`,
    `create table ${table("keyward_oauth_clients")} (
  tenant ${key} not null,
  subject ${key} not null,
  slug ${key} not null,
  version bigint not null,
  document text not null,
  primary key (tenant, subject, slug)
)`,
    `create table ${table("keyward_oauth_sessions")} (
  tenant ${key} not null,
  state_hash ${key} not null,
  expires_at bigint not null,
  version bigint not null,
  document text not null,
  primary key (tenant, state_hash)
)`,
    `create index keyward_oauth_sessions_by_expiry on ${table("keyward_oauth_sessions")} (tenant, expires_at)`,
    `create table ${table("keyward_oauth_revocations")} (
  tenant ${key} not null,
  id ${key} not null,
  next_attempt_at bigint not null,
  document text not null,
  primary key (tenant, id)
)`,
    `create index keyward_oauth_revocations_by_time on ${table("keyward_oauth_revocations")} (tenant, next_attempt_at)`,
    `create table ${table("keyward_leases")} (
  name ${key} not null primary key,
  holder ${key} not null,
  held_until bigint not null,
  ttl bigint not null
)`,
    `create table ${table("keyward_vaults")} (
  vault ${key} not null primary key,
  version bigint not null,
  document text not null
)`,
    `create table ${table("keyward_secrets")} (
  vault ${key} not null,
  name ${key} not null,
  sealed text not null,
  primary key (vault, name)
)`,
  ],
  ({ table, key }) => [
    `create table ${table("keyward_accounts")} (
  tenant ${key} not null,
  subject ${key} not null,
  integration ${key} not null,
  name ${key} not null,
  document text not null,
  primary key (tenant, subject, integration)
)`,
  ],
  ({ table, key }) => [
    `create table ${table("keyward_policies")} (
  tenant ${key} not null,
  id ${key} not null,
  subject ${key} not null,
  rank double precision not null,
  created_at bigint not null,
  version bigint not null,
  document text not null,
  primary key (tenant, id)
)`,
    `create index keyward_policies_by_order on ${table("keyward_policies")} (tenant, subject, rank, created_at, id)`,
    `create table ${table("keyward_approvals")} (
  tenant ${key} not null,
  id ${key} not null,
  subject ${key} not null,
  match_key ${key} not null,
  status ${key} not null,
  expires_at bigint not null,
  version bigint not null,
  document text not null,
  primary key (tenant, id)
)`,
    `create index keyward_approvals_by_key on ${table("keyward_approvals")} (tenant, match_key)`,
    `create index keyward_approvals_by_subject on ${table("keyward_approvals")} (tenant, subject, id)`,
    `create index keyward_approvals_by_expiry on ${table("keyward_approvals")} (tenant, expires_at)`,
  ],
  ({ announce }) => [
    ...announce("keyward_integrations", "integrations", ["tenant", "slug"]),
    ...announce("keyward_connections", "connections", ["tenant", "subject", "integration", "name"]),
    ...announce("keyward_catalogs", "catalogs", ["tenant", "integration", "subject", "name"]),
    ...announce("keyward_accounts", "accounts", ["tenant", "subject", "integration"]),
    ...announce("keyward_policies", "policies", ["tenant", "subject"]),
    // A secret is read together with the version of its keys.
    ...announce("keyward_vaults", "secrets", ["vault"], "under"),
    ...announce("keyward_secrets", "secrets", ["vault", "name"]),
  ],
  ({ table, key, announce }) => [
    `create table ${table("keyward_agents")} (
  tenant ${key} not null,
  id ${key} not null,
  version bigint not null,
  document text not null,
  primary key (tenant, id)
)`,
    `create table ${table("keyward_grants")} (
  tenant ${key} not null,
  agent ${key} not null,
  grantor ${key} not null,
  subject ${key} not null,
  integration ${key} not null,
  name ${key} not null,
  document text not null,
  primary key (tenant, agent, grantor, subject, integration, name)
)`,
    `create index keyward_grants_by_connection on ${table("keyward_grants")} (tenant, subject, integration, name)`,
    `create table ${table("keyward_shares")} (
  tenant ${key} not null,
  recipient_kind ${key} not null,
  recipient ${key} not null,
  subject ${key} not null,
  integration ${key} not null,
  name ${key} not null,
  shown_as ${key} not null,
  document text not null,
  primary key (tenant, recipient_kind, recipient, subject, integration, name)
)`,
    `create unique index keyward_shares_by_shown_name on ${table("keyward_shares")} (tenant, recipient_kind, recipient, integration, shown_as)`,
    `create index keyward_shares_by_connection on ${table("keyward_shares")} (tenant, subject, integration, name)`,
    ...announce("keyward_agents", "access", ["tenant"], "under"),
    ...announce("keyward_grants", "access", ["tenant"], "under"),
    ...announce("keyward_shares", "access", ["tenant"], "under"),
  ],
  ({ table, key }) => [
    `create table ${table("keyward_claims")} (
  tenant ${key} not null,
  subject ${key} not null,
  integration ${key} not null,
  name ${key} not null,
  claimed_until bigint not null,
  primary key (tenant, subject, integration, name)
)`,
    `create index keyward_claims_by_time on ${table("keyward_claims")} (tenant, claimed_until)`,
  ],
  ({ table, key }) => [
    `create table ${table("keyward_audit")} (
  tenant ${key} not null,
  sequence bigint not null,
  id ${key} not null,
  at bigint not null,
  subject ${key},
  agent ${key},
  connection ${key},
  tool ${key},
  document text not null,
  primary key (tenant, sequence)
)`,
    `create unique index keyward_audit_by_id on ${table("keyward_audit")} (tenant, id)`,
    `create index keyward_audit_by_time on ${table("keyward_audit")} (tenant, at)`,
    `create index keyward_audit_by_subject on ${table("keyward_audit")} (tenant, subject, sequence)`,
    `create index keyward_audit_by_connection on ${table("keyward_audit")} (tenant, connection, sequence)`,
    `create index keyward_audit_by_agent on ${table("keyward_audit")} (tenant, agent, sequence) where agent is not null`,
    `create table ${table("keyward_audit_heads")} (
  tenant ${key} not null primary key,
  document text not null
)`,
  ],
  ({ table, key, onPostgres }) =>
    onPostgres([
      `create table ${table("keyward_listeners")} (
  id ${key} not null primary key,
  max_stale_ms bigint not null
)`,
    ]),
  // Grants that are handed on stand beside those of hosts. A process of the version before can write no grant any more; none was published.
  ({ table, key, onPostgres, onSqlite }) => [
    ...onPostgres([
      `alter table ${table("keyward_grants")} add column delegated_by ${key} not null default ''`,
      `update ${table("keyward_grants")} set delegated_by = coalesce(cast(document as json) ->> 'delegatedBy', '')`,
      `alter table ${table("keyward_grants")} alter column delegated_by drop default`,
      `alter table ${table("keyward_grants")} drop constraint keyward_grants_pkey`,
      `alter table ${table("keyward_grants")} add ${grantsKey}`,
    ]),
    ...onSqlite([
      `alter table keyward_grants rename to keyward_grants_before`,
      `create table keyward_grants (
  tenant ${key} not null,
  agent ${key} not null,
  grantor ${key} not null,
  delegated_by ${key} not null,
  subject ${key} not null,
  integration ${key} not null,
  name ${key} not null,
  document text not null,
  ${grantsKey}
)`,
      `insert into keyward_grants select tenant, agent, grantor, coalesce(json_extract(document, '$.delegatedBy'), ''),
  subject, integration, name, document from keyward_grants_before`,
      `drop table keyward_grants_before`,
      `create index keyward_grants_by_connection on keyward_grants (tenant, subject, integration, name)`,
    ]),
  ],
]

const grantsKey = "primary key (tenant, agent, grantor, delegated_by, subject, integration, name)"

/** The version that this package works with. */
export const schemaVersion = steps.length

/** Where the tables are. */
export interface SchemaPlace {
  readonly flavor: SqlFlavor
  /** Postgres only. Default: `public`. */
  readonly schema?: string | undefined
}

/** The statements that lead from a version to {@link schemaVersion}, in order, with the record of having run. */
export const statementsFrom = ({ flavor, schema }: SchemaPlace, from: number): ReadonlyArray<string> => {
  const prefix = flavor === "postgres" ? `${quoted(schema ?? "public")}.` : ""
  const table = (name: string): string => `${prefix}${name}`
  const words: Words = {
    table,
    key: flavor === "postgres" ? `text collate "C"` : "text",
    announce: (name, kind, columns, extent) =>
      flavor === "postgres" ? announcing({ table, schema: schema ?? "public" }, name, kind, columns, extent) : [],
    onPostgres: (statements) => (flavor === "postgres" ? statements : []),
    onSqlite: (statements) => (flavor === "sqlite" ? statements : []),
  }
  const now = flavor === "postgres" ? "cast(extract(epoch from now()) * 1000 as bigint)" : "unixepoch() * 1000"
  return [
    ...(flavor === "postgres" && from === 0 && schema !== undefined && schema !== "public"
      ? [schemaStatement(schema)]
      : []),
    ...(from === 0
      ? [`create table ${table("keyward_schema")} (version bigint not null primary key, applied_at bigint not null)`]
      : []),
    ...steps.flatMap((step, index) =>
      index < from
        ? []
        : [
            ...step(words),
            `insert into ${table("keyward_schema")} (version, applied_at) values (${index + 1}, ${now})`,
          ],
    ),
  ]
}

/** Makes a schema where it is missing: even with `if not exists`, one that is there asks for the right to make one. */
const schemaStatement = (schema: string): string => {
  const name = `'${schema.replaceAll("'", "''")}'`
  const create = `execute format('create schema if not exists %I', ${name})`
  const body = `begin if not exists (select from pg_namespace where nspname = ${name}) then ${create}; end if; end`
  return `do '${body.replaceAll("'", "''")}'`
}

/** Options of {@link migrationSql}. */
export interface MigrationSqlOptions extends SchemaPlace {
  /** The version that is there. Default 0: nothing. */
  readonly from?: number | undefined
}

/**
 * The SQL that makes the tables, or brings them up to date, as one transaction: for hosts that run migrations by hand and pass
 * `migrate: false`. Empty when there is nothing to do.
 *
 * @example
 * ```ts
 * import { migrationSql } from "@keyward/store-sql"
 *
 * console.log(migrationSql({ flavor: "postgres", schema: "keyward" }))
 * ```
 */
export const migrationSql = ({ from = 0, ...place }: MigrationSqlOptions): string => {
  const statements = statementsFrom(place, from)
  if (statements.length === 0) return ""
  const begin = place.flavor === "sqlite" ? "begin immediate" : "begin"
  return [begin, ...statements, "commit"].map((statement) => `${statement};\n`).join("")
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`
