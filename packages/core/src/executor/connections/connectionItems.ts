/**
 * What a connection keeps in a credential provider, and how that goes when the connection does.
 */
import * as Effect from "effect/Effect"
import type { ConnectionRow } from "../../connection/Connection.ts"
import { tokenItemId } from "../../connection/ConnectionRef.ts"
import type { ProviderError } from "../../credential/CredentialError.ts"
import { dpopItemId, refreshItemId, tokenItemIds } from "../oauth/tokenItems.ts"
import type { Resources } from "../Resources.ts"

/** Deletes what was minted for a row, except what its successor uses. Reading-only and unregistered providers keep theirs. */
export const deleteItems = (
  resources: Resources,
  row: ConnectionRow,
  successor: ConnectionRow | undefined,
): Effect.Effect<void, ProviderError> => {
  if (row.origin !== "minted") return Effect.void
  const provider = resources.providers.writableOf(row.provider)
  if (provider === undefined) return Effect.void
  const kept = new Set(successor?.provider === row.provider ? usedItems(successor) : [])
  const own = row.items.map(([, id]) => id)
  // Also those that it may have had before: a crash between two writes leaves some behind.
  const all = row.grant === null ? own : [...new Set([...own, ...tokenItemIds(row)])]
  const deleted = Effect.forEach(
    all.filter((id) => !kept.has(id)),
    (id) => resources.providers.call(provider, () => provider.delete(id)),
    { discard: true },
  )
  // A replacement has happened already: what is left over of the old credential must not undo it.
  return successor === undefined ? deleted : Effect.ignore(deleted)
}

/** The items that a row's credential is made of. */
const usedItems = (row: ConnectionRow): ReadonlyArray<string> => {
  const own = row.items.map(([, id]) => id)
  if (row.grant === null) return own
  return [
    ...own,
    tokenItemId(row),
    ...(row.grant.hasRefreshToken ? [refreshItemId(row)] : []),
    ...(row.grant.tokenType === "DPoP" ? [dpopItemId(row)] : []),
  ]
}
