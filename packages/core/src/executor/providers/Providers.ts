/**
 * The namespace `executor.providers`: which places for secrets there are, and what a caller may pick from them.
 *
 * Callers share providers, so what Keyward keeps there for other tenants and other users is left out of every list.
 */
import * as Effect from "effect/Effect"
import type { InvalidConnectionInputError } from "../../connection/ConnectionError.ts"
import { itemPartition } from "../../connection/ConnectionRef.ts"
import { compareTexts } from "../../connection/listOrder.ts"
import type { CredentialProviderNotRegisteredError, ProviderError } from "../../credential/CredentialError.ts"
import type { ProviderItem } from "../../credential/CredentialProvider.ts"
import type { Identity } from "../../identity/Identity.ts"
import { checkedPage } from "../checkedPage.ts"
import { invalidInput } from "../connections/connectionInput.ts"
import type { Resources } from "../Resources.ts"

/** Which items to list. */
export interface ListItemsInput {
  /** At most so many. Default: all. */
  readonly limit?: number | undefined
  /** The id of the last item of the page before. */
  readonly after?: string | undefined
}

/** What listing items can fail with. */
export type ListItemsError = ProviderError | CredentialProviderNotRegisteredError | InvalidConnectionInputError

/** The items of one provider that are the caller's, or nobody's of Keyward's callers, ordered by id. */
export const providerItems = (
  resources: Resources,
  identity: Identity,
  key: string,
  input: ListItemsInput,
): Effect.Effect<ReadonlyArray<ProviderItem>, ListItemsError> =>
  Effect.flatMap(checkedPage(input, invalidInput), ({ limit, after }) =>
    Effect.map(resources.providers.items(key), (items) =>
      items
        .filter(({ id }) => (after === undefined || id > after) && isVisible(identity, id))
        .sort((one, other) => compareTexts(one.id, other.id))
        .slice(0, limit),
    ),
  )

const isVisible = (identity: Identity, id: string): boolean =>
  itemPartition(identity, "org", id) !== "foreign" ||
  (identity.subject !== null && itemPartition(identity, "user", id) === "own")
