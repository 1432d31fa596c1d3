/**
 * The contract suite of stores: what `ConnectionStore`, `IntegrationStore`, `CatalogStore` and `OAuthStores` say, as cases that any
 * test runner can run. The property over random identities needs `fast-check`, an optional peer dependency. A store's lease has a
 * suite of its own: `leaseContract`.
 */
import type { ContractCase } from "./ContractCase.ts"
import { addAccessCases } from "./storeAccessCases.ts"
import { addAccountCases } from "./storeAccountCases.ts"
import { addAuditCases } from "./storeAuditCases.ts"
import { addAuditedChangeCases } from "./storeAuditedChangeCases.ts"
import { addConnectionCases } from "./storeConnectionCases.ts"
import { addCatalogCases, addIntegrationCases } from "./storeIntegrationCases.ts"
import {
  addDurableOAuthCases,
  addOAuthClientCases,
  addOAuthSessionCases,
  addRevocationCases,
} from "./storeOAuthCases.ts"
import { addIsolationCases, addLifetimeCases } from "./storePartitionCases.ts"
import { addApprovalCases, addPolicyCases } from "./storePolicyCases.ts"
import { type MakeStore, type StoreCapabilities, storeSuite } from "./storeProbe.ts"

/**
 * The cases a store must pass; `make` is called at least once per case and gives an empty store each time.
 *
 * A case rejects with an `AssertionError` when its sentence does not hold.
 *
 * @example
 * ```ts
 * import { memoryStore } from "@keyward/core"
 * import { storeContract } from "@keyward/core/testing"
 * import { describe, it } from "node:test"
 *
 * describe("memoryStore", () => {
 *   for (const { name, run } of storeContract(() => memoryStore())) it(name, run)
 * })
 * ```
 */
export const storeContract = (make: MakeStore, capabilities: StoreCapabilities = {}): ReadonlyArray<ContractCase> => {
  const suite = storeSuite(make, capabilities)
  for (const add of [
    addConnectionCases,
    addAccountCases,
    addAccessCases,
    addIntegrationCases,
    addCatalogCases,
    addOAuthClientCases,
    addOAuthSessionCases,
    addRevocationCases,
    addPolicyCases,
    addApprovalCases,
    addAuditCases,
    addAuditedChangeCases,
    addIsolationCases,
    addLifetimeCases,
    addDurableOAuthCases,
  ]) {
    add(suite)
  }
  return suite.cases
}
