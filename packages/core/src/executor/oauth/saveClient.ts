/**
 * Writes an OAuth app, new or in place of one of the same slug: what is secret first, then the record by compare-and-set.
 *
 * A failure puts back what was there, and the host is told of what was written. Called by `createClient` and `registerDynamicClient`, under the client's own lock.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { firstVersion } from "../../connection/Connection.ts"
import type { CredentialProviderNotRegisteredError, ProviderError } from "../../credential/CredentialError.ts"
import { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity } from "../../identity/Identity.ts"
import type { OAuthClientKey, OAuthClientRecord } from "../../oauth/OAuthClient.ts"
import { commitChange } from "../audit/commitChange.ts"
import { type ItemWrite, writeItems } from "../connections/writeItems.ts"
import type { Resources } from "../Resources.ts"
import {
  clientItemIds,
  type ClientItemPart,
  type ClientSecrets,
  deleteClientItems,
  oauthClientItemId,
} from "./clientItems.ts"

/** What writing a client can fail with; what was there before is there still. */
export type SaveClientError = ProviderError | CredentialProviderNotRegisteredError | StoreUnavailableError

/** A record without what {@link saveClient} fills in. */
export type ClientContent = Omit<
  OAuthClientRecord,
  "secretProvider" | "clientSecretItem" | "privateKeyItem" | "registrationTokenItem" | "version"
>

/** How often a write that others overtake is begun anew before it gives up. */
const mostAttempts = 8

/** The name under which writes to one client happen one at a time. */
export const clientLockOf = (key: OAuthClientKey): string =>
  JSON.stringify(["oauth-client", key.tenant, key.subject, key.owner, key.slug])

/** See the file's header. */
export const saveClient = (
  resources: Resources,
  identity: Identity,
  content: ClientContent,
  secrets: ClientSecrets,
): Effect.Effect<OAuthClientRecord, SaveClientError> =>
  Effect.uninterruptible(
    Effect.gen(function* () {
      const { clients } = resources.store.oauth
      const given = parts.filter((part) => secrets[part] !== undefined)
      const provider = given.length === 0 ? undefined : yield* resources.providers.defaultWritable()
      const idOf = (part: ClientItemPart): string | null =>
        given.includes(part) ? oauthClientItemId(content, part) : null
      const saved = { type: "oauth.client.saved", client: content.slug, clientOwner: content.owner } as const
      for (let attempt = 0; attempt < mostAttempts; attempt += 1) {
        const previous = yield* clients.get(content)
        const now = yield* Clock.currentTimeMillis
        const record: OAuthClientRecord = {
          ...content,
          secretProvider: provider?.key ?? null,
          clientSecretItem: idOf("secret"),
          privateKeyItem: idOf("key"),
          registrationTokenItem: idOf("registration"),
          version: previous === undefined ? firstVersion(now) : previous.version + 1,
        }
        const replaced = new Set(
          previous !== undefined && previous.secretProvider === provider?.key ? clientItemIds(previous) : [],
        )
        const writes = given.flatMap((part): ReadonlyArray<ItemWrite> => {
          const value = secrets[part]
          const id = oauthClientItemId(content, part)
          return value === undefined ? [] : [{ id, value, isReplacing: replaced.has(id) }]
        })
        const restore = provider === undefined ? Effect.void : yield* writeItems(resources.providers, provider, writes)
        // Somebody who got there first may have overwritten our secrets and we theirs: then everything is written once more.
        const write = clients.put(record, previous?.version ?? 0)
        const isWritten = yield* Effect.onError(commitChange(resources, identity, write, saved), () => restore)
        if (!isWritten) continue
        if (previous !== undefined) yield* Effect.ignore(deleteClientItems(resources, previous, record))
        return record
      }
      return yield* Effect.fail(
        new StoreUnavailableError({ operation: "save OAuth client", reason: "others keep writing it" }),
      )
    }),
  )

const parts: ReadonlyArray<ClientItemPart> = ["secret", "key", "registration"]
