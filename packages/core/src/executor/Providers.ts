/**
 * The namespace `executor.providers`: which places for secrets there are, and what a caller may pick from them.
 *
 * Callers share providers, so what Keyward keeps there for other tenants and other users is left out of every list.
 */
import * as Effect from "effect/Effect"
import { itemPartition } from "../connection/ConnectionRef.ts"
import type { CredentialProviderNotRegisteredError, ProviderError } from "../credential/CredentialError.ts"
import type { ProviderItem } from "../credential/CredentialProvider.ts"
import type { Identity } from "../identity/Identity.ts"
import type { Resources } from "./Resources.ts"

/** The items of one provider that are the caller's, or nobody's of Keyward's callers. */
export const providerItems = (
  resources: Resources,
  identity: Identity,
  key: string,
): Effect.Effect<ReadonlyArray<ProviderItem>, ProviderError | CredentialProviderNotRegisteredError> =>
  Effect.map(resources.providers.items(key), (items) => items.filter(({ id }) => isVisible(identity, id)))

const isVisible = (identity: Identity, id: string): boolean =>
  itemPartition(identity, "org", id) !== "foreign" ||
  (identity.subject !== null && itemPartition(identity, "user", id) === "own")
