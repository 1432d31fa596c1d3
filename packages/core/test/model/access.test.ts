/**
 * Accounts, modes, agents, grants, shares and rules against an oracle: no call runs as an account that the oracle forbids, no list shows
 * what cannot be called, and what is taken back is gone with the very next call.
 */
import { memoryProvider, memoryStore } from "@keyward/core"
import { describe, it } from "vitest"
import { runModel } from "./modelRun.ts"

describe("users, agents and hosts that do anything in any order", () => {
  it("never make a call run as an account that an oracle forbids, nor a list show what cannot be called", async () => {
    await runModel({
      makeStores: () => {
        const store = memoryStore()
        const dispose = (): Promise<void> => Promise.resolve()
        return Promise.resolve({ stores: [store, store], provider: memoryProvider(), [Symbol.asyncDispose]: dispose })
      },
      runs: 50,
      isThorough: true,
    })
  }, 60_000)
})
