/**
 * An application registered at an authorization server: the record that is stored, and what a host sees of it.
 *
 * Neither holds a secret: client secrets, private keys and registration tokens are items of a credential provider.
 */
import type { OAuthQuirks } from "../auth/OAuthQuirks.ts"
import type { Owner } from "../identity/Identity.ts"

/** Grant types as in the registry; `token-exchange` is RFC 8693, `jwt-bearer` RFC 7523. */
export type OAuthGrantType =
  | "authorization_code"
  | "client_credentials"
  | "urn:ietf:params:oauth:grant-type:device_code"
  | "urn:ietf:params:oauth:grant-type:token-exchange"
  | "urn:ietf:params:oauth:grant-type:jwt-bearer"

/** How a client proves itself at the token endpoint (RFC 7591, section 2). */
export type ClientAuthenticationMethod = "client_secret_basic" | "client_secret_post" | "private_key_jwt" | "none"

/** Names a client within a tenant; `subject` is empty for `org`. */
export interface OAuthClientKey {
  readonly tenant: string
  readonly subject: string
  readonly owner: Owner
  readonly slug: string
}

/** Endpoints as absolute URLs. */
export interface OAuthEndpoints {
  readonly authorizationUrl: string | null
  readonly tokenUrl: string | null
  readonly deviceAuthorizationUrl: string | null
  readonly revocationUrl: string | null
  readonly pushedAuthorizationRequestUrl: string | null
}

/** What a dynamic registration (RFC 7591) answered and what it was made for. */
export interface ClientRegistrationRecord {
  /** Registrations are not shared between redirect URIs. */
  readonly redirectUri: string | null
  /** Scopes asked for at registration, separated by spaces. */
  readonly scope: string | null
  /** Epoch milliseconds; `null`: the secret does not expire. */
  readonly secretExpiresAt: number | null
  /** RFC 7592: where the registration can be deleted. */
  readonly configurationUrl: string | null
}

/** A client as stores keep it. */
export interface OAuthClientRecord extends OAuthClientKey, OAuthEndpoints {
  readonly grant: OAuthGrantType
  readonly clientId: string
  /** How the client came to be: entered by hand, by RFC 7591, or as a Client ID Metadata Document. */
  readonly origin: "manual" | "dynamic" | "metadata_document"
  /** As the server's own metadata spells it, or as it was entered; `null`: endpoints by hand. */
  readonly issuer: string | null
  readonly tokenEndpointAuthMethod: ClientAuthenticationMethod
  /** `provider` and item ids of what is secret; `null` for public clients. */
  readonly secretProvider: string | null
  readonly clientSecretItem: string | null
  readonly privateKeyItem: string | null
  readonly registrationTokenItem: string | null
  readonly resource: string | null
  readonly dpop: boolean
  readonly authorizationParams: Readonly<Record<string, string>>
  readonly quirks: OAuthQuirks
  readonly registration: ClientRegistrationRecord | null
  /** Grows with each write; what compare-and-set compares. */
  readonly version: number
}

/** A client as hosts see it. Never a secret. */
export interface OAuthClient {
  readonly owner: Owner
  readonly slug: string
  readonly grant: OAuthGrantType
  readonly clientId: string
  readonly origin: OAuthClientRecord["origin"]
  readonly issuer: string | null
  readonly authorizationUrl: string | null
  readonly tokenUrl: string | null
  readonly deviceAuthorizationUrl: string | null
  readonly revocationUrl: string | null
  readonly resource: string | null
  readonly tokenEndpointAuthMethod: ClientAuthenticationMethod
  readonly dpop: boolean
  /** Whether it has a secret or a private key. */
  readonly isConfidential: boolean
}

/** What a host sees of a record. */
export const toOAuthClient = (record: OAuthClientRecord): OAuthClient => ({
  owner: record.owner,
  slug: record.slug,
  grant: record.grant,
  clientId: record.clientId,
  origin: record.origin,
  issuer: record.issuer,
  authorizationUrl: record.authorizationUrl,
  tokenUrl: record.tokenUrl,
  deviceAuthorizationUrl: record.deviceAuthorizationUrl,
  revocationUrl: record.revocationUrl,
  resource: record.resource,
  tokenEndpointAuthMethod: record.tokenEndpointAuthMethod,
  dpop: record.dpop,
  isConfidential: record.tokenEndpointAuthMethod !== "none",
})
