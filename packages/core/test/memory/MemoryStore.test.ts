/** The memory store held to the contract that every store passes. */
import { describe, it } from "vitest"
import { storeContract } from "@keyward/core/testing"
import { memoryStore } from "../../src/memory/MemoryStore.ts"

describe("memoryStore", () => {
  for (const { name, run } of storeContract(() => memoryStore())) it(name, run)
})
