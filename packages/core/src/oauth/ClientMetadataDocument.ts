/**
 * The document behind a client id that is a URL: instead of registering, the host serves it at that URL and servers read it there.
 *
 * OAuth Client ID Metadata Document (draft-ietf-oauth-client-id-metadata-document), whose members are those of RFC 7591. It is public: it
 * never holds a secret.
 */
import { quote } from "../error/KeywardError.ts"
import { InvalidOAuthClientError } from "./OAuthError.ts"
import { applicationType, redirectUriFault } from "./RedirectUri.ts"

/** What to publish about the application. */
export interface ClientMetadataDocumentOptions {
  /** The https URL at which the document will be served, with a path, written as URL parsers write it. */
  readonly clientId: string
  /** Shown to people when they are asked for consent. */
  readonly clientName: string
  readonly redirectUris: ReadonlyArray<string>
  /** Default `authorization_code` and `refresh_token`. */
  readonly grantTypes?: ReadonlyArray<string> | undefined
  /** Scopes that the application may ask for, separated by spaces. */
  readonly scope?: string | undefined
  /** Default `none`. `private_key_jwt` needs `jwksUri` or `jwks`. Nothing that is public can prove itself by a secret. */
  readonly tokenEndpointAuthMethod?: "none" | "private_key_jwt" | undefined
  readonly jwksUri?: string | undefined
  /** Public keys only. */
  readonly jwks?: { readonly keys: ReadonlyArray<Readonly<Record<string, unknown>>> } | undefined
  readonly clientUri?: string | undefined
  readonly logoUri?: string | undefined
  readonly termsOfServiceUri?: string | undefined
  readonly policyUri?: string | undefined
}

/** The document, to be served as `application/json` at `client_id`. */
export interface ClientMetadataDocument {
  readonly client_id: string
  readonly client_name: string
  readonly redirect_uris: ReadonlyArray<string>
  readonly grant_types: ReadonlyArray<string>
  readonly response_types: ReadonlyArray<string>
  readonly application_type: "native" | "web"
  readonly token_endpoint_auth_method: "none" | "private_key_jwt"
  readonly scope?: string
  readonly jwks_uri?: string
  readonly jwks?: { readonly keys: ReadonlyArray<Readonly<Record<string, unknown>>> }
  readonly client_uri?: string
  readonly logo_uri?: string
  readonly tos_uri?: string
  readonly policy_uri?: string
}

/**
 * Builds the document that a host serves at its client id.
 *
 * Throws `InvalidOAuthClientError` for what servers would refuse, and for a key with private parts.
 *
 * @example
 * ```ts
 * import { clientMetadataDocument } from "@keyward/core"
 *
 * const document = clientMetadataDocument({
 *   clientId: "https://app.example.com/oauth/client.json",
 *   clientName: "Example",
 *   redirectUris: ["https://app.example.com/oauth/callback"],
 * })
 * ```
 */
export const clientMetadataDocument = (options: ClientMetadataDocumentOptions): ClientMetadataDocument => {
  const { clientId, clientName, redirectUris, grantTypes = ["authorization_code", "refresh_token"], scope } = options
  const { tokenEndpointAuthMethod = "none", jwksUri, jwks, clientUri, logoUri, termsOfServiceUri, policyUri } = options
  const idFault = clientIdUrlFault(clientId)
  if (idFault !== undefined) throw invalid("clientId", idFault)
  if (typeof clientName !== "string" || clientName.trim() === "") throw invalid("clientName", "must not be empty.")
  if (!Array.isArray(redirectUris) || redirectUris.length === 0) throw invalid("redirectUris", "needs at least one.")
  for (const uri of redirectUris as ReadonlyArray<string>) {
    const fault = redirectUriFault(uri)
    if (fault !== undefined) throw invalid("redirectUris", `${quote(uri)} ${fault}`)
  }
  if (tokenEndpointAuthMethod !== "none" && tokenEndpointAuthMethod !== "private_key_jwt") {
    throw invalid("tokenEndpointAuthMethod", "must be none or private_key_jwt: the document is public.")
  }
  if (tokenEndpointAuthMethod === "private_key_jwt" && jwksUri === undefined && jwks === undefined) {
    throw invalid("jwksUri", "is needed for private_key_jwt, or jwks with the public keys.")
  }
  for (const key of jwks?.keys ?? []) {
    if (privateMembers.some((member) => member in key)) throw invalid("jwks", "holds a private or secret key.")
  }
  for (const [field, url] of Object.entries({ jwksUri, clientUri, logoUri, termsOfServiceUri, policyUri })) {
    if (url !== undefined && URL.parse(url)?.protocol !== "https:") throw invalid(field, "must be an https URL.")
  }
  return {
    client_id: clientId,
    client_name: clientName,
    redirect_uris: [...redirectUris],
    grant_types: [...grantTypes],
    response_types: grantTypes.includes("authorization_code") ? ["code"] : [],
    application_type: applicationType(redirectUris),
    token_endpoint_auth_method: tokenEndpointAuthMethod,
    ...(scope === undefined ? {} : { scope }),
    ...(jwksUri === undefined ? {} : { jwks_uri: jwksUri }),
    ...(jwks === undefined ? {} : { jwks: structuredClone(jwks) }),
    ...(clientUri === undefined ? {} : { client_uri: clientUri }),
    ...(logoUri === undefined ? {} : { logo_uri: logoUri }),
    ...(termsOfServiceUri === undefined ? {} : { tos_uri: termsOfServiceUri }),
    ...(policyUri === undefined ? {} : { policy_uri: policyUri }),
  }
}

/** What is wrong with a client id that is to be the URL of a document; `undefined`: nothing. */
const clientIdUrlFault = (clientId: string): string | undefined => {
  const url = typeof clientId === "string" ? URL.parse(clientId) : null
  if (url === null || url.protocol !== "https:") return "must be an https URL."
  if (clientId.includes("#")) return "must not have a fragment."
  if (url.username !== "" || url.password !== "") return "must not hold user information."
  if (url.pathname === "/") return "needs a path, such as /oauth/client.json."
  // Servers compare it as text with what they fetch, so it has one spelling. Dot segments, upper-case hosts and default ports have two.
  return url.href === clientId ? undefined : `must be written as ${quote(url.href, 200)}.`
}

const invalid = (field: string, fault: string): InvalidOAuthClientError => new InvalidOAuthClientError({ field, fault })

/** RFC 7518: the private parts of RSA, EC and OKP keys, and symmetric keys. */
const privateMembers = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"]
