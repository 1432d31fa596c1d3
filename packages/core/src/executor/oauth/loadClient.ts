/**
 * The client behind a connection, with its secrets still wrapped, ready to prove itself at a token endpoint.
 */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { ConnectionKey } from "../../connection/ConnectionRef.ts"
import type { CredentialProviderNotRegisteredError, ProviderError } from "../../credential/CredentialError.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Owner } from "../../identity/Identity.ts"
import type { ClientCredential } from "../../oauth/ClientAuthentication.ts"
import type { OAuthClientKey, OAuthClientRecord } from "../../oauth/OAuthClient.ts"
import type { Resources } from "../Resources.ts"

/** A client's record and what it authenticates with. */
export interface LoadedClient {
  readonly record: OAuthClientRecord
  readonly credential: ClientCredential
}

/** The key of the client that a connection names; a user's client is that of the connection's user. */
export const clientKeyOf = (connection: ConnectionKey, owner: Owner, slug: string): OAuthClientKey => ({
  tenant: connection.tenant,
  subject: owner === "user" ? connection.subject : "",
  owner,
  slug,
})

/** Loads a client; `undefined` when there is none of that key. A secret that is gone is left out. */
export const loadClient = (
  resources: Resources,
  key: OAuthClientKey,
): Effect.Effect<
  LoadedClient | undefined,
  ProviderError | CredentialProviderNotRegisteredError | StoreUnavailableError
> =>
  Effect.gen(function* () {
    const record = yield* resources.store.oauth.clients.get(key)
    if (record === undefined) return undefined
    const read = (
      item: string | null,
    ): Effect.Effect<Redacted.Redacted | undefined, ProviderError | CredentialProviderNotRegisteredError> =>
      item === null || record.secretProvider === null
        ? Effect.undefined
        : resources.providers.read(record.secretProvider, item)
    const clientSecret = yield* read(record.clientSecretItem)
    const privateKey = yield* read(record.privateKeyItem)
    return {
      record,
      credential: {
        clientId: record.clientId,
        method: record.tokenEndpointAuthMethod,
        issuer: record.issuer,
        ...(clientSecret === undefined ? {} : { clientSecret }),
        ...(privateKey === undefined ? {} : { privateKey }),
      },
    }
  })
