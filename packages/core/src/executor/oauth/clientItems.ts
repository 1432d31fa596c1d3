/**
 * What is secret about an OAuth app, as items of a credential provider, and the ids that they have.
 *
 * `{tenant}/[{subject}/]oauth-client:{owner}:{slug}:{secret|key|registration}`, every part escaped.
 */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { ProviderError } from "../../credential/CredentialError.ts"
import { escapePart, partitionPrefix } from "../../identity/Identity.ts"
import type { OAuthClientKey, OAuthClientRecord } from "../../oauth/OAuthClient.ts"
import type { Resources } from "../Resources.ts"

/** Which secret of a client. */
export type ClientItemPart = "secret" | "key" | "registration"

/** The secrets that a client has, wrapped. */
export type ClientSecrets = { readonly [Part in ClientItemPart]?: Redacted.Redacted | undefined }

/** The id of one of a client's items. */
export const oauthClientItemId = (key: OAuthClientKey, part: ClientItemPart): string =>
  `${partitionPrefix(key, key.owner)}oauth-client:${key.owner}:${escapePart(key.slug)}:${part}`

/** Which items a client's record names. */
export const clientItemIds = (record: OAuthClientRecord): ReadonlyArray<string> =>
  [record.clientSecretItem, record.privateKeyItem, record.registrationTokenItem].filter((id) => id !== null)

/** Deletes what is secret about a client, except what its successor uses. A provider that is gone keeps its own. */
export const deleteClientItems = (
  resources: Resources,
  record: OAuthClientRecord,
  successor: OAuthClientRecord | undefined,
): Effect.Effect<void, ProviderError> => {
  const provider = record.secretProvider === null ? undefined : resources.providers.writableOf(record.secretProvider)
  if (provider === undefined) return Effect.void
  const kept = new Set(
    successor !== undefined && successor.secretProvider === record.secretProvider ? clientItemIds(successor) : [],
  )
  return Effect.forEach(
    clientItemIds(record).filter((id) => !kept.has(id)),
    (id) => resources.providers.call(provider, () => provider.delete(id)),
    { discard: true },
  )
}
