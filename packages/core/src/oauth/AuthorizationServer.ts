/**
 * What an authorization server can do and where: from its metadata, or from endpoints entered by hand.
 *
 * RFC 8414 and OpenID Connect Discovery, in the order of the MCP authorization specification. A document is believed when it
 * names the issuer that was asked for and every endpoint in it may carry a credential.
 */
import * as Effect from "effect/Effect"
import { JSON_ATTRIBUTE_COMPARISON, processDiscoveryResponse } from "oauth4webapi"
import {
  discoveryError,
  type DiscoveryFailure,
  getMetadata,
  isWord,
  type MetadataAnswer,
  urlFailure,
  wordsOf,
} from "./metadataDocument.ts"
import type { OAuthEndpoints } from "./OAuthClient.ts"
import type { OAuthDiscoveryError } from "./OAuthError.ts"
import { isSecureEndpoint, type OAuthHttp } from "./OAuthHttp.ts"
import { toLibraryResponse } from "./preparedRequest.ts"

/** See the file's header. `null` in a list: the server does not say. */
export interface AuthorizationServer {
  /** As the server's own document spells it, which is what `iss` is compared with; `null`: endpoints by hand. */
  readonly issuer: string | null
  readonly authorizationUrl: string | null
  readonly tokenUrl: string | null
  readonly registrationUrl: string | null
  readonly deviceAuthorizationUrl: string | null
  readonly revocationUrl: string | null
  readonly pushedAuthorizationRequestUrl: string | null
  readonly requiresPushedAuthorizationRequests: boolean
  /** Whether authorization responses carry `iss` (RFC 9207). */
  readonly isIssRequired: boolean
  readonly codeChallengeMethodsSupported: ReadonlyArray<string> | null
  readonly tokenEndpointAuthMethodsSupported: ReadonlyArray<string> | null
  readonly scopesSupported: ReadonlyArray<string> | null
  readonly grantTypesSupported: ReadonlyArray<string> | null
  readonly dpopSigningAlgValuesSupported: ReadonlyArray<string> | null
  readonly clientIdMetadataDocumentSupported: boolean
}

/**
 * Finds and checks the metadata of an issuer, in at most three requests.
 *
 * An issuer is compared as URL parsers see it (`https://as.example` is `https://as.example/`), and nothing more than that: a document
 * that names another one ends the discovery with `issuer_mismatch`, also where a later address might hold a better one.
 */
export const discoverAuthorizationServer = (
  http: OAuthHttp,
  issuer: string,
): Effect.Effect<AuthorizationServer, OAuthDiscoveryError> =>
  Effect.gen(function* () {
    // RFC 8414, section 2: an issuer has neither a query nor a fragment.
    const fault = /[?#]/.test(issuer) ? "invalid_url" : urlFailure(issuer)
    if (fault !== undefined) return yield* discoveryError(fault, issuer)
    let failure: DiscoveryFailure = "not_found"
    for (const url of metadataUrls(new URL(issuer))) {
      const answer = yield* getMetadata(http, url)
      if (answer.type === "found") {
        const believed = yield* believe(issuer, answer)
        if (typeof believed !== "string") return believed
        if (believed !== "not_metadata") return yield* discoveryError(believed, issuer)
        failure = failure === "not_found" ? "not_metadata" : failure
      } else if (answer.type === "outage") {
        failure = "unavailable"
      } else if (failure === "not_found") {
        failure = answer.failure
      }
    }
    return yield* discoveryError(failure, issuer)
  })

/** A server whose endpoints somebody entered. Asks nobody. */
export const serverByHand = (endpoints: OAuthEndpoints): AuthorizationServer => ({
  issuer: null,
  authorizationUrl: endpoints.authorizationUrl,
  tokenUrl: endpoints.tokenUrl,
  registrationUrl: null,
  deviceAuthorizationUrl: endpoints.deviceAuthorizationUrl,
  revocationUrl: endpoints.revocationUrl,
  pushedAuthorizationRequestUrl: endpoints.pushedAuthorizationRequestUrl,
  requiresPushedAuthorizationRequests: false,
  isIssRequired: false,
  codeChallengeMethodsSupported: null,
  tokenEndpointAuthMethodsSupported: null,
  scopesSupported: null,
  grantTypesSupported: null,
  dpopSigningAlgValuesSupported: null,
  clientIdMetadataDocumentSupported: false,
})

/** RFC 8414 inserts its name before the path; OpenID is found inserted likewise, and appended as it always was. */
const metadataUrls = ({ origin, pathname }: URL): ReadonlyArray<string> => {
  const path = pathname.endsWith("/") ? pathname.slice(0, -1) : pathname
  return path === ""
    ? [`${origin}/.well-known/oauth-authorization-server`, `${origin}/.well-known/openid-configuration`]
    : [
        `${origin}/.well-known/oauth-authorization-server${path}`,
        `${origin}/.well-known/openid-configuration${path}`,
        `${origin}${path}/.well-known/openid-configuration`,
      ]
}

/** The server that a document describes, or why it is not to be believed. */
const believe = (
  issuer: string,
  { response, json }: Extract<MetadataAnswer, { readonly type: "found" }>,
): Effect.Effect<AuthorizationServer | DiscoveryFailure> => {
  if (typeof json["issuer"] !== "string") return Effect.succeed("not_metadata")
  if (!isWord(json["issuer"]) || !URL.canParse(json["issuer"])) return Effect.succeed("issuer_mismatch")
  return Effect.tryPromise({
    try: () => processDiscoveryResponse(new URL(issuer), toLibraryResponse(response)),
    // The library's errors hold the document.
    catch: (error): DiscoveryFailure => (isMismatch(error) ? "issuer_mismatch" : "not_metadata"),
  }).pipe(
    Effect.map(readServer),
    Effect.catch((failure) => Effect.succeed(failure)),
  )
}

const isMismatch = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === JSON_ATTRIBUTE_COMPARISON

const readServer = (json: Readonly<Record<string, unknown>>): AuthorizationServer | DiscoveryFailure => {
  const endpoints = new Map<string, string>()
  for (const name of endpointNames) {
    const url = json[name]
    if (url === undefined || url === null) continue
    if (typeof url !== "string" || !isSecureEndpoint(url)) return "insecure_endpoint"
    endpoints.set(name, new URL(url).href)
  }
  const endpoint = (name: (typeof endpointNames)[number]): string | null => endpoints.get(name) ?? null
  // Only servers of the implicit grant have none, and that grant is gone.
  if (endpoint("token_endpoint") === null) return "invalid_metadata"
  return {
    issuer: json["issuer"] as string,
    authorizationUrl: endpoint("authorization_endpoint"),
    tokenUrl: endpoint("token_endpoint"),
    registrationUrl: endpoint("registration_endpoint"),
    deviceAuthorizationUrl: endpoint("device_authorization_endpoint"),
    revocationUrl: endpoint("revocation_endpoint"),
    pushedAuthorizationRequestUrl: endpoint("pushed_authorization_request_endpoint"),
    requiresPushedAuthorizationRequests: json["require_pushed_authorization_requests"] === true,
    isIssRequired: json["authorization_response_iss_parameter_supported"] === true,
    codeChallengeMethodsSupported: wordsOf(json["code_challenge_methods_supported"]),
    tokenEndpointAuthMethodsSupported: wordsOf(json["token_endpoint_auth_methods_supported"]),
    scopesSupported: wordsOf(json["scopes_supported"]),
    grantTypesSupported: wordsOf(json["grant_types_supported"]),
    dpopSigningAlgValuesSupported: wordsOf(json["dpop_signing_alg_values_supported"]),
    clientIdMetadataDocumentSupported: json["client_id_metadata_document_supported"] === true,
  }
}

const endpointNames = [
  "authorization_endpoint",
  "token_endpoint",
  "registration_endpoint",
  "device_authorization_endpoint",
  "revocation_endpoint",
  "pushed_authorization_request_endpoint",
] as const
