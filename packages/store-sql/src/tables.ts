/**
 * The tables as Kysely sees them: what is looked up, compared or ordered is a column, the record itself a JSON document.
 *
 * So a new field of a record needs no migration, and nothing is lost between two versions of this package. Key columns hold what
 * `keyText` makes of a name.
 */

import type { ColumnType } from "kysely"

/** See `migrations.ts` for the types and indexes behind these. */
export interface Tables {
  readonly keyward_schema: { readonly version: number; readonly applied_at: number }
  readonly keyward_integrations: {
    readonly tenant: string
    readonly slug: string
    readonly revision: number
    readonly document: string
  }
  readonly keyward_connections: {
    readonly tenant: string
    /** Empty for the organisation's. */
    readonly subject: string
    readonly integration: string
    readonly name: string
    readonly version: number
    /** When the access token expires, where the row is active and can be refreshed; else null. */
    readonly refresh_before: number | null
    readonly document: string
  }
  readonly keyward_accounts: {
    readonly tenant: string
    /** Empty for the organisation's. */
    readonly subject: string
    readonly integration: string
    /** Of the default connection. */
    readonly name: string
    readonly document: string
  }
  /** Connections whose tokens somebody is about to renew in the background. */
  readonly keyward_claims: {
    readonly tenant: string
    readonly subject: string
    readonly integration: string
    readonly name: string
    readonly claimed_until: number
  }
  readonly keyward_catalogs: {
    readonly tenant: string
    readonly integration: string
    /** Empty, as the name is, for the catalog that all connections share. */
    readonly subject: string
    readonly name: string
    readonly revision: number
    readonly document: string
  }
  readonly keyward_oauth_clients: {
    readonly tenant: string
    readonly subject: string
    readonly slug: string
    readonly version: number
    readonly document: string
  }
  readonly keyward_oauth_sessions: {
    readonly tenant: string
    readonly state_hash: string
    readonly expires_at: number
    readonly version: number
    readonly document: string
  }
  readonly keyward_oauth_revocations: {
    readonly tenant: string
    readonly id: string
    readonly next_attempt_at: number
    readonly document: string
  }
  readonly keyward_policies: {
    readonly tenant: string
    readonly id: string
    /** Empty for the organisation's. */
    readonly subject: string
    /** The rule's order; `order` is a word of SQL. */
    readonly rank: number
    readonly created_at: number
    readonly version: number
    readonly document: string
  }
  readonly keyward_approvals: {
    readonly tenant: string
    readonly id: string
    readonly subject: string
    /** A keyed hash of what it holds for. */
    readonly match_key: string
    readonly status: string
    readonly expires_at: number
    readonly version: number
    readonly document: string
  }
  readonly keyward_agents: {
    readonly tenant: string
    readonly id: string
    readonly version: number
    readonly document: string
  }
  readonly keyward_grants: {
    readonly tenant: string
    readonly agent: string
    /** The user for whom it counts; empty for whoever acts. */
    readonly grantor: string
    /** The agent that handed it on; empty where a host granted it. */
    readonly delegated_by: string
    /** With integration and name, the connection's key. */
    readonly subject: string
    readonly integration: string
    readonly name: string
    readonly document: string
  }
  readonly keyward_shares: {
    readonly tenant: string
    readonly recipient_kind: "user" | "agent"
    readonly recipient: string
    /** With integration and name, the connection's key. */
    readonly subject: string
    readonly integration: string
    readonly name: string
    /** The name under which the recipient sees it; unique among theirs of the integration. */
    readonly shown_as: string
    readonly document: string
  }
  readonly keyward_audit: {
    readonly tenant: string
    readonly sequence: number
    readonly id: string
    readonly at: number
    readonly subject: string | null
    readonly agent: string | null
    readonly connection: string | null
    readonly tool: string | null
    readonly document: string
  }
  /** The end of each tenant's chain; who appends holds its row. */
  readonly keyward_audit_heads: {
    readonly tenant: string
    /** Empty before the first entry. */
    readonly document: string
  }
  /** Postgres only: the processes that are told of changes; see `listeners.ts`. */
  readonly keyward_listeners: {
    readonly id: string
    readonly max_stale_ms: number
  }
  readonly keyward_leases: {
    readonly name: string
    readonly holder: string
    /** By the database's clock, epoch milliseconds. */
    readonly held_until: number
    readonly ttl: number
  }
  /** One row per vault of sealed secrets: its data keys, themselves sealed. */
  readonly keyward_vaults: {
    readonly vault: string
    /** Goes up with every change of the keys, so that a process notices that its own are old. Drivers of Postgres give it as text. */
    readonly version: ColumnType<number | string, number, number>
    readonly document: string
  }
  readonly keyward_secrets: {
    readonly vault: string
    /** A keyed hash of the id. */
    readonly name: string
    readonly sealed: string
  }
}
