/**
 * The contract suite of credential providers: what `CredentialProvider` says, as cases that any test runner can run.
 *
 * Every provider that ships runs all of it and adds only what is special about itself. What a provider's backend cannot do
 * is declared as a capability and then checked the other way round: what it cannot hold it must refuse with a typed error,
 * and must never alter.
 */
import type { ContractCase } from "./ContractCase.ts"
import {
  addIdCases,
  addListCases,
  addReadCases,
  addShapeCases,
  addValueCases,
  addWriteCases,
} from "./providerItemCases.ts"
import { type MakeProvider, type ProviderCapabilities, providerSuite } from "./providerProbe.ts"
import { addCancellationCases, addClosedCases, addFailureCases, addParallelCases } from "./providerTroubleCases.ts"

/**
 * The cases a credential provider must pass; `make` is called once per case.
 *
 * A case rejects with an `AssertionError` when its sentence does not hold. A provider that hangs fails its case after 15 s.
 *
 * @example
 * ```ts
 * import { memoryProvider } from "@keyward/core"
 * import { providerContract } from "@keyward/core/testing"
 * import { describe, it } from "node:test"
 *
 * describe("memoryProvider", () => {
 *   for (const { name, run } of providerContract(() => memoryProvider())) it(name, run)
 * })
 * ```
 */
export const providerContract = (
  make: MakeProvider,
  capabilities: ProviderCapabilities = {},
): ReadonlyArray<ContractCase> => {
  const suite = providerSuite(make, capabilities)
  for (const add of [
    addShapeCases,
    addReadCases,
    addWriteCases,
    addIdCases,
    addValueCases,
    addListCases,
    addParallelCases,
    addCancellationCases,
    addFailureCases,
    addClosedCases,
  ]) {
    add(suite)
  }
  return suite.cases
}
