/** The provider held to the contract that every provider passes, over real processes of the fake `op`. */
import { providerContract } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import { describe, it } from "vitest"
import { onePasswordProvider } from "../src/index.ts"
import { agents, FakeOp, itemId, loginItem } from "./fake-op/FakeOp.ts"
import { recordedFailures } from "./recordedFailures.ts"

const meansMissing = new Set(["item_not_found", "field_not_found", "vault_not_found"])

const make = () => {
  const op = new FakeOp()
  const provider = onePasswordProvider({ command: op.command, serviceAccountToken: "ops_contract" })
  return {
    provider: {
      ...provider,
      // The contract asks for `undefined` where nothing is; this provider says what is missing, and the host reads that as missing.
      get: (id: string) =>
        Effect.catchIf(
          provider.get(id),
          (failure) => failure._tag === "ProviderDeniedError" && meansMissing.has(failure.reason),
          () => Effect.undefined,
        ),
    },
    seed: (id: string, value: string) => {
      const title = titleOf(id)
      op.put(loginItem(title, value, { id: itemId(title) }))
    },
    stall: () => op.change({ rules: [{ when: ["item"], hangs: true }] }),
    resume: () => op.change({ rules: [] }),
    breakBackend: (failure: string) => {
      const recorded = recordedFailures.find(({ situation }) => situation === failure)
      op.change({ rules: [{ when: [], exit: recorded?.exit ?? 1, stderr: recorded?.stderr ?? "", stdout: "" }] })
    },
    dispose: () => op[Symbol.dispose](),
  }
}

const titles = new Map<string, string>()
const titleOf = (id: string): string => titles.get(id) ?? id
const idOf = (label: string): string => {
  const id = `op://${agents.id}/${itemId(label)}/password`
  titles.set(id, label)
  return id
}

describe("onePasswordProvider and the provider contract", () => {
  const cases = providerContract(make, {
    writable: false,
    stalls: ["get", "list"],
    idOf,
    acceptedIds: () => false,
    malformedValues: "kept",
    failures: recordedFailures.filter(({ reason }) => !meansMissing.has(reason)).map(({ situation }) => situation),
  })
  for (const { name, run } of cases) it(name, run)
})
