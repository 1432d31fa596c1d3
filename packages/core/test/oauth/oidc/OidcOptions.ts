/** What the parent process tells the provider's process, and what it hears back. Plain JSON. */

/** Options of the real provider. */
export interface OidcOptions {
  /** Lifetimes in seconds. Default 3600. */
  readonly accessTokenSeconds?: number
  /** Default one day. */
  readonly refreshTokenSeconds?: number
  /** Refresh tokens are rotated, and the use of a spent one revokes the grant; there is no grace. Default `true`. */
  readonly rotates?: boolean
  /** Default `openid offline_access files:read files:write`. */
  readonly scopes?: ReadonlyArray<string>
  /** Accepts resource indicators; access tokens for one are JWTs whose audience it is. Default `true`. */
  readonly resourceIndicators?: boolean
  /** `nonce`: proofs need the server's nonce. Default `optional`. */
  readonly dpop?: "optional" | "nonce"
  /** Whether authorization requests must be pushed. Default `false`: they may. */
  readonly requiresPushedAuthorizationRequests?: boolean
  /** Client ID Metadata Documents, by URL. Others cannot be fetched. */
  readonly clientMetadataDocuments?: Readonly<Record<string, unknown>>
  /** Clients as in RFC 7591. Default: {@link oidcClients}. */
  readonly clients?: ReadonlyArray<Readonly<Record<string, unknown>>>
}

/** Something that happened in the provider. `grant.revoked` is its alarm: a code or refresh token was used again. */
export interface OidcEvent {
  readonly name:
    "grant.success" | "grant.error" | "grant.revoked" | "authorization.error" | "revocation.error" | "server_error"
  readonly grantType: string | null
  readonly clientId: string | null
  readonly error: string | null
  /** The reason that the provider does not tell clients. */
  readonly detail: string | null
}

/** From the provider's process. */
export type OidcMessage =
  | { readonly type: "listening"; readonly issuer: string }
  | { readonly type: "event"; readonly event: OidcEvent }
  | { readonly type: "flushed"; readonly id: number }

/** Where the clients of {@link oidcClients} are called back; native clients on any port. */
export const oidcRedirectUri = "http://127.0.0.1/callback"

const code = { grant_types: ["authorization_code", "refresh_token"], redirect_uris: [oidcRedirectUri] }
const machine = { grant_types: ["client_credentials"], redirect_uris: [], response_types: [] }

/** The clients that are there by default; the secret of each is `secret of <client id>`. */
export const oidcClients: ReadonlyArray<Readonly<Record<string, unknown>>> = [
  { client_id: "public", application_type: "native", token_endpoint_auth_method: "none", ...code },
  { client_id: "basic", client_secret: "secret of basic", application_type: "native", ...code },
  {
    client_id: "post",
    client_secret: "secret of post",
    application_type: "native",
    token_endpoint_auth_method: "client_secret_post",
    ...code,
  },
  { client_id: "machine", client_secret: "secret of machine", ...machine },
  {
    client_id: "device",
    application_type: "native",
    token_endpoint_auth_method: "none",
    grant_types: ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
    redirect_uris: [],
    response_types: [],
  },
]
