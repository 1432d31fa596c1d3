/**
 * The OAuth part of a store as the contract's cases speak to it, and the records that they write.
 */
import type { OAuthClientKey, OAuthClientRecord } from "../oauth/OAuthClient.ts"
import type { OAuthSessionRecord } from "../oauth/OAuthSession.ts"
import type { OAuthClientStore, OAuthStores, RevocationRecord } from "../oauth/OAuthStores.ts"
import { succeeding } from "./ContractCase.ts"

type ClientQuery = Parameters<OAuthClientStore["list"]>[0]

/** OAuth stores whose every call is expected to succeed, and soon. */
export class OAuthProbe {
  readonly #stores: OAuthStores

  constructor(stores: OAuthStores) {
    this.#stores = stores
  }

  client(key: OAuthClientKey): Promise<OAuthClientRecord | undefined> {
    return succeeding(this.#stores.clients.get(key), "oauth.clients.get")
  }

  putClient(record: OAuthClientRecord, expectedVersion = record.version - 1): Promise<boolean> {
    return succeeding(this.#stores.clients.put(record, expectedVersion), "oauth.clients.put")
  }

  removeClient(key: OAuthClientKey): Promise<boolean> {
    return succeeding(this.#stores.clients.remove(key), "oauth.clients.remove")
  }

  clients(query: Omit<ClientQuery, "limit"> & { readonly limit?: number }): Promise<ReadonlyArray<OAuthClientRecord>> {
    return succeeding(this.#stores.clients.list({ limit: 1000, ...query }), "oauth.clients.list")
  }

  session(tenant: string, stateHash: string): Promise<OAuthSessionRecord | undefined> {
    return succeeding(this.#stores.sessions.get(tenant, stateHash), "oauth.sessions.get")
  }

  putSession(record: OAuthSessionRecord, expectedVersion = record.version - 1): Promise<boolean> {
    return succeeding(this.#stores.sessions.put(record, expectedVersion), "oauth.sessions.put")
  }

  takeSession(tenant: string, stateHash: string): Promise<OAuthSessionRecord | undefined> {
    return succeeding(this.#stores.sessions.take(tenant, stateHash), "oauth.sessions.take")
  }

  removeExpired(tenant: string, now: number): Promise<number> {
    return succeeding(this.#stores.sessions.removeExpired(tenant, now), "oauth.sessions.removeExpired")
  }

  putRevocation(record: RevocationRecord): Promise<void> {
    return succeeding(this.#stores.revocations.put(record), "oauth.revocations.put")
  }

  removeRevocation(tenant: string, id: string): Promise<void> {
    return succeeding(this.#stores.revocations.remove(tenant, id), "oauth.revocations.remove")
  }

  due(tenant: string, now: number, limit = 1000): Promise<ReadonlyArray<RevocationRecord>> {
    return succeeding(this.#stores.revocations.due({ tenant, now, limit }), "oauth.revocations.due")
  }
}

/** A client at version 1; `subject: ""` makes it the organisation's. */
export const oauthClient = (
  tenant: string,
  subject: string,
  slug: string,
  changes: Partial<OAuthClientRecord> = {},
): OAuthClientRecord => ({
  tenant,
  subject,
  owner: subject === "" ? "org" : "user",
  slug,
  grant: "authorization_code",
  clientId: `client ${slug}`,
  origin: "manual",
  issuer: "https://issuer.example.test",
  authorizationUrl: "https://issuer.example.test/authorize",
  tokenUrl: "https://issuer.example.test/token",
  deviceAuthorizationUrl: null,
  revocationUrl: null,
  pushedAuthorizationRequestUrl: null,
  tokenEndpointAuthMethod: "none",
  secretProvider: null,
  clientSecretItem: null,
  privateKeyItem: null,
  registrationTokenItem: null,
  resource: null,
  dpop: false,
  authorizationParams: {},
  quirks: {},
  registration: null,
  version: 1,
  ...changes,
})

/** A flow at version 1 that expires at 600,000. */
export const oauthSession = (
  tenant: string,
  stateHash: string,
  changes: Partial<OAuthSessionRecord> = {},
): OAuthSessionRecord => ({
  tenant,
  stateHash,
  startedBy: "alice",
  grant: "authorization_code",
  client: "github",
  clientOwner: "org",
  clientId: "client github",
  owner: "user",
  integration: "github",
  name: "main",
  template: "oauth",
  identityLabel: undefined,
  redirectUri: "https://app.example.test/callback",
  server: {
    issuer: "https://issuer.example.test",
    tokenUrl: "https://issuer.example.test/token",
    revocationUrl: null,
    isIssRequired: true,
  },
  resource: null,
  requestedScope: "read write",
  stepUps: 0,
  confirmedOrigins: "https://api.example.com",
  sealed: "header..iv.ciphertext.tag",
  createdAt: 0,
  expiresAt: 600_000,
  device: null,
  version: 1,
  ...changes,
})

/** A revocation that is due at 1,000. */
export const revocation = (tenant: string, id: string, changes: Partial<RevocationRecord> = {}): RevocationRecord => ({
  tenant,
  id,
  client: { tenant, subject: "", owner: "org", slug: "github" },
  issuer: "https://issuer.example.test",
  revocationUrl: "https://issuer.example.test/revoke",
  provider: "memory",
  tokenItem: `revocation:${id}`,
  tokenTypeHint: "refresh_token",
  quirks: { basicEncoding: "raw" },
  attempts: 0,
  nextAttemptAt: 1000,
  createdAt: 0,
  ...changes,
})
