/** Defaults among connections in this process's memory. */
import * as Effect from "effect/Effect"
import type { AccountsKey, AccountStore, DefaultAccount } from "../connection/AccountStore.ts"
import { getOrMake } from "./getOrMake.ts"

/** By integration. */
type Defaults = Map<string, DefaultAccount>

/** Makes an empty store; a subject's defaults are not the organisation's, whose subject is empty. */
export const memoryAccounts = (): AccountStore => {
  const tenants = new Map<string, Map<string, Defaults>>()
  const partition = ({ tenant, subject }: AccountsKey): Defaults | undefined => tenants.get(tenant)?.get(subject)
  return {
    get: (key) => Effect.succeed(partition(key)?.get(key.integration)),
    put: (key, account) =>
      Effect.sync(() => {
        const subjects = getOrMake(tenants, key.tenant, () => new Map<string, Defaults>())
        getOrMake(subjects, key.subject, (): Defaults => new Map()).set(key.integration, account)
      }),
    remove: (key, name) =>
      Effect.sync(() => {
        const defaults = partition(key)
        if (name !== undefined && defaults?.get(key.integration)?.name !== name) return false
        return defaults?.delete(key.integration) ?? false
      }),
  }
}
