/** The memory store held to the contracts that every store passes. */
import { leaseContract, storeContract } from "@keyward/core/testing"
import { describe, it } from "vitest"
import { memoryStore } from "../../src/memory/MemoryStore.ts"

describe("memoryStore", () => {
  for (const { name, run } of storeContract(() => memoryStore())) it(name, run)
})

describe("the lease of memoryStore", () => {
  for (const { name, run } of leaseContract(() => memoryStore().lease)) it(name, run)
})
