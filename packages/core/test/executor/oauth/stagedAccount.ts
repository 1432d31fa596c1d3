/** An account whose store and provider do what a test tells them to, over real ones that another process may share. */
import { memoryProvider, memoryStore, type Store } from "@keyward/core"
import type { ConnectionRow } from "@keyward/core/effect"
import * as Effect from "effect/Effect"
import { connectAccount } from "./account.ts"
import { type Step, steppingProvider, steppingStore } from "./faultyStage.ts"

/** Steps that do nothing until they are told what to do. */
const controlled = () => {
  let current: Step = () => Effect.void
  return {
    step: (operation: string) => Effect.suspend(() => current(operation)),
    use: (next: Step) => {
      current = next
    },
  }
}

/** Connects the account; `real` is what is behind its store and its provider. */
export const stagedAccount = async (options?: Parameters<typeof connectAccount>[0]) => {
  const control = controlled()
  const store = options?.store ?? memoryStore()
  const provider = memoryProvider()
  const account = await connectAccount({
    ...options,
    store: steppingStore(store, control.step),
    provider: steppingProvider(provider, control.step),
  })
  return { ...account, control, real: { store, provider } }
}

/** The key of its row. */
export const accountKey = {
  tenant: "default",
  subject: "alice",
  owner: "user",
  integration: "files",
  name: "main",
} as const

/** Its row, past any step. */
export const rowOf = async (store: Store): Promise<ConnectionRow> => {
  const row = await Effect.runPromise(store.connections.get(accountKey))
  if (row === undefined) throw new Error("The row is gone.")
  return row
}

/** Has whoever wrote the intent on the row been missed for a minute. */
export const missForLong = async (store: Store): Promise<void> => {
  const row = await rowOf(store)
  const { grant } = row
  if (grant?.intent == null) throw new Error("The row has no intent.")
  const intent = { ...grant.intent, missedAt: Date.now() - 60_000 }
  const next = { ...row, grant: { ...grant, intent }, version: row.version + 1 }
  await Effect.runPromise(store.connections.put(next, row.version))
}
