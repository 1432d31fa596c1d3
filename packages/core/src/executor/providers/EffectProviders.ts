/** `executor.providers` on the Effect surface: the verbs of this folder, bound to the identity that they act for. */
import type * as Effect from "effect/Effect"
import type { ProviderItem } from "../../credential/CredentialProvider.ts"
import type { Identity } from "../../identity/Identity.ts"
import type { Resources } from "../Resources.ts"
import { type ListItemsError, type ListItemsInput, providerItems } from "./Providers.ts"

/** `executor.providers` on the Effect surface. */
export interface EffectProviders {
  list(): ReadonlyArray<string>
  items(key: string, input?: ListItemsInput): Effect.Effect<ReadonlyArray<ProviderItem>, ListItemsError>
}

/** Binds `executor.providers` to an identity. */
export const providersOf = (resources: Resources, identity: Identity): EffectProviders => ({
  list: () => resources.providers.keys,
  items: (key, input = {}) => providerItems(resources, identity, key, input),
})
