/**
 * Everything an executor keeps besides secrets, as one value that a host passes to `createExecutor({ store })`.
 *
 * `memoryStore()` is the default; `@keyward/store-sql` makes durable ones.
 */
import type * as Effect from "effect/Effect"
import type { AuditStore } from "../audit/AuditStore.ts"
import type { AccountStore } from "../connection/AccountStore.ts"
import type { ConnectionStore } from "../connection/ConnectionStore.ts"
import type { Lease } from "../credential/Lease.ts"
import type { OAuthStores } from "../oauth/OAuthStores.ts"
import type { AccessStore } from "../policy/AccessStore.ts"
import type { ApprovalStore } from "../policy/ApprovalStore.ts"
import type { PolicyStore } from "../policy/PolicyStore.ts"
import type { CatalogStore } from "../tool/ToolCatalog.ts"
import type { IntegrationStore } from "./IntegrationStore.ts"

/** That a store began to answer calls from memory because what is behind it cannot be reached, or that it can be again. */
export type StoreOutage =
  | {
      readonly isAway: true
      /** A machine word, as in `StoreUnavailableError`, or `slow`. */
      readonly reason: string
    }
  | { readonly isAway: false }

/** See the file's header. */
export interface Store {
  readonly integrations: IntegrationStore
  readonly connections: ConnectionStore
  /** Which of several connections is meant when nobody says so. */
  readonly accounts: AccountStore
  readonly catalogs: CatalogStore
  /** Agents, and what they and others were granted. */
  readonly access: AccessStore
  readonly oauth: OAuthStores
  readonly policies: PolicyStore
  readonly approvals: ApprovalStore
  /** What happened, as one chain per tenant. */
  readonly audit: AuditStore
  /** One holder per name, for as long as the records are shared with others. */
  readonly lease: Lease
  /** Tells of outages that calls do not notice, until what it returns is called. */
  watchOutages?(listener: (outage: StoreOutage) => void): () => void
  /** Releases what the store holds open. Called once, by `executor.close()`. */
  close?(): Effect.Effect<void>
}
