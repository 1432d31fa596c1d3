/**
 * Everything an executor keeps besides secrets, as one value that a host passes to `createExecutor({ store })`.
 *
 * `memoryStore()` is the default; `@keyward/store-sql` makes durable ones.
 */
import type * as Effect from "effect/Effect"
import type { ConnectionStore } from "../connection/ConnectionStore.ts"
import type { CatalogStore } from "../tool/ToolCatalog.ts"
import type { IntegrationStore } from "./IntegrationStore.ts"

/** See the file's header. */
export interface Store {
  readonly integrations: IntegrationStore
  readonly connections: ConnectionStore
  readonly catalogs: CatalogStore
  /** Releases what the store holds open. Called once, by `executor.close()`. */
  close?(): Effect.Effect<void>
}
