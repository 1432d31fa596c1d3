/** The memory provider held to the contract that every provider passes. */
import { describe, it } from "vitest"
import { memoryProvider } from "../../src/memory/MemoryProvider.ts"
import { providerContract } from "../../src/testing/providerContract.ts"

describe("memoryProvider", () => {
  for (const { name, run } of providerContract(() => memoryProvider(), { malformedValues: "kept" })) it(name, run)
})
