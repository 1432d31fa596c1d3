/**
 * What a host passes to `oauth.createClient`, and the rules by which a client can exist; pure.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { type OAuthQuirks, parseQuirks } from "../../auth/OAuthQuirks.ts"
import { quote } from "../../error/KeywardError.ts"
import { type Identity, type Owner, subjectOf } from "../../identity/Identity.ts"
import type { ClientAuthenticationMethod, OAuthClientKey, OAuthGrantType } from "../../oauth/OAuthClient.ts"
import { InvalidOAuthClientError } from "../../oauth/OAuthError.ts"
import { isSecureEndpoint } from "../../oauth/OAuthHttp.ts"
import type { ClientSecrets } from "./clientItems.ts"
import type { ClientContent } from "./saveClient.ts"

/** An application that was registered at an authorization server by hand. */
export interface CreateOAuthClientInput {
  readonly owner: Owner
  /** Letters, digits, `_`, `-` and `$`. Creating a slug again updates the client in place. */
  readonly slug: string
  /** As in the registry; `device_code` is short for RFC 8628's. */
  readonly grant: OAuthGrantType | "device_code"
  readonly clientId: string
  readonly clientSecret?: string | undefined
  /** A PKCS#8 PEM, or a private JWK as JSON: for `private_key_jwt`, and to sign assertions with. */
  readonly privateKey?: string | undefined
  /** The authorization server; its metadata says where its endpoints are. Otherwise name them below. */
  readonly issuer?: string | undefined
  readonly authorizationUrl?: string | undefined
  readonly tokenUrl?: string | undefined
  readonly deviceAuthorizationUrl?: string | undefined
  readonly revocationUrl?: string | undefined
  readonly pushedAuthorizationRequestUrl?: string | undefined
  /** The resource indicator ([RFC 8707](https://www.rfc-editor.org/rfc/rfc8707)). */
  readonly resource?: string | undefined
  /**
   * Default: `private_key_jwt` with a private key; with a secret `client_secret_basic`, or `client_secret_post` where the metadata of
   * `issuer` can be had and names that and not the other; else `none`.
   */
  readonly tokenEndpointAuthMethod?: ClientAuthenticationMethod | undefined
  /** Asks for tokens that are bound to a key ([RFC 9449](https://www.rfc-editor.org/rfc/rfc9449)). */
  readonly dpop?: boolean | undefined
  /** Added to authorization and device requests; cannot override the protocol's own parameters. */
  readonly authorizationParams?: Readonly<Record<string, string>> | undefined
  readonly quirks?: OAuthQuirks | undefined
}

/** A client that can exist, with its secrets apart. */
export interface CheckedClient {
  readonly content: ClientContent
  readonly secrets: ClientSecrets
}

const deviceCode = "urn:ietf:params:oauth:grant-type:device_code"
const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"
const grants: ReadonlyArray<OAuthGrantType> = [
  "authorization_code",
  "client_credentials",
  deviceCode,
  "urn:ietf:params:oauth:grant-type:token-exchange",
  jwtBearer,
]
const methods: ReadonlyArray<ClientAuthenticationMethod> = [
  "client_secret_basic",
  "client_secret_post",
  "private_key_jwt",
  "none",
]
const slugForm = /^[\p{L}\p{M}\p{N}_$-]{1,128}$/u
const endpointFields = [
  "authorizationUrl",
  "tokenUrl",
  "deviceAuthorizationUrl",
  "revocationUrl",
  "pushedAuthorizationRequestUrl",
] as const

/** The key of a client that a host names; fails for an unknown owner, an unusable slug, and a user's client without a user. */
export const clientKey = (
  identity: Identity,
  owner: Owner,
  slug: string,
  field = "owner",
): Effect.Effect<OAuthClientKey, InvalidOAuthClientError> => {
  if (owner !== "org" && owner !== "user") {
    return invalid(field, `must be "org" or "user"; got ${quote(owner)}.`)
  }
  if (owner === "user" && identity.subject === null) {
    return invalid(field, 'a "user" client needs an acting user; pass `subject` to createExecutor or withIdentity.')
  }
  if (typeof slug !== "string" || !slugForm.test(slug)) {
    return invalid("slug", `${quote(slug)} must be 1 to 128 letters, digits, "_", "-" or "$", without dots.`)
  }
  return Effect.succeed({ tenant: identity.tenant, subject: subjectOf(identity, owner), owner, slug })
}

/** Reads a grant as a host spells it. */
export const grantOf = (grant: unknown): Effect.Effect<OAuthGrantType, InvalidOAuthClientError> => {
  const known = grants.find((one) => one === (grant === "device_code" ? deviceCode : grant))
  return known === undefined
    ? invalid("grant", `must be one of ${[...grants, "device_code"].map((one) => quote(one)).join(", ")}.`)
    : Effect.succeed(known)
}

/** Checks a client; fails at the first fault with the field. */
export const checkClient = (
  identity: Identity,
  input: CreateOAuthClientInput,
): Effect.Effect<CheckedClient, InvalidOAuthClientError> =>
  Effect.gen(function* () {
    const key = yield* clientKey(identity, input.owner, input.slug)
    const grant = yield* grantOf(input.grant)
    if (typeof input.clientId !== "string" || !visibleAscii.test(input.clientId)) {
      return yield* invalid("clientId", "must be the id that the authorization server gave, 1 to 2048 characters.")
    }
    for (const field of ["clientSecret", "privateKey"] as const) {
      const value = input[field]
      if (value !== undefined && (typeof value !== "string" || value === "")) {
        return yield* invalid(field, "must not be empty; leave it out for a client that has none.")
      }
    }
    const method = yield* checkMethod(input, grant)
    yield* checkEndpoints(input, grant)
    if (input.resource !== undefined) yield* checkResource(input.resource)
    if (input.dpop !== undefined && typeof input.dpop !== "boolean")
      return yield* invalid("dpop", "must be true or false.")
    const authorizationParams = input.authorizationParams ?? {}
    if (
      typeof authorizationParams !== "object" ||
      Object.values(authorizationParams).some((value) => typeof value !== "string")
    ) {
      return yield* invalid("authorizationParams", "must be an object of texts.")
    }
    const quirks = parseQuirks(input.quirks)
    if (Result.isFailure(quirks)) return yield* invalid(quirks.failure.field, quirks.failure.fault)
    const content: ClientContent = {
      ...key,
      grant,
      clientId: input.clientId,
      origin: "manual",
      issuer: input.issuer ?? null,
      authorizationUrl: input.authorizationUrl ?? null,
      tokenUrl: input.tokenUrl ?? null,
      deviceAuthorizationUrl: input.deviceAuthorizationUrl ?? null,
      revocationUrl: input.revocationUrl ?? null,
      pushedAuthorizationRequestUrl: input.pushedAuthorizationRequestUrl ?? null,
      tokenEndpointAuthMethod: method,
      resource: input.resource ?? null,
      dpop: input.dpop ?? false,
      authorizationParams: { ...authorizationParams },
      quirks: quirks.success,
      registration: null,
    }
    return {
      content,
      secrets: {
        ...(input.clientSecret === undefined ? {} : { secret: Redacted.make(input.clientSecret) }),
        ...(input.privateKey === undefined ? {} : { key: Redacted.make(input.privateKey) }),
      },
    }
  })

const checkMethod = (
  { tokenEndpointAuthMethod, clientSecret, privateKey }: CreateOAuthClientInput,
  grant: OAuthGrantType,
): Effect.Effect<ClientAuthenticationMethod, InvalidOAuthClientError> => {
  const method =
    tokenEndpointAuthMethod ??
    (privateKey !== undefined ? "private_key_jwt" : clientSecret !== undefined ? "client_secret_basic" : "none")
  if (!methods.includes(method)) {
    return invalid("tokenEndpointAuthMethod", `must be one of ${methods.map((one) => quote(one)).join(", ")}.`)
  }
  if (method.startsWith("client_secret") && clientSecret === undefined) {
    return invalid("clientSecret", `${method} needs one.`)
  }
  if (method === "private_key_jwt" && privateKey === undefined) return invalid("privateKey", `${method} needs one.`)
  // A key may be there to sign the assertions of the JWT bearer grant with instead of proving the client.
  const isUnused =
    method === "none" && (clientSecret !== undefined || (privateKey !== undefined && grant !== jwtBearer))
  if (isUnused) {
    return invalid("tokenEndpointAuthMethod", '"none" uses neither a secret nor a key; leave them out, or the method.')
  }
  // RFC 6749, section 4.4: this grant is for confidential clients only.
  return grant === "client_credentials" && method === "none"
    ? invalid("grant", "client_credentials needs a confidential client: pass clientSecret or privateKey.")
    : Effect.succeed(method)
}

const checkEndpoints = (
  input: CreateOAuthClientInput,
  grant: OAuthGrantType,
): Effect.Effect<void, InvalidOAuthClientError> => {
  for (const field of ["issuer", ...endpointFields] as const) {
    const url = input[field]
    if (url === undefined) continue
    if (typeof url !== "string" || !isSecureEndpoint(url)) {
      return invalid(field, "must be an absolute https URL without user information; http only on loopback.")
    }
    // RFC 8414, section 2, and RFC 6749, section 3.
    if (url.includes("#") || (field === "issuer" && url.includes("?"))) {
      return invalid(field, field === "issuer" ? "must have no query and no fragment." : "must have no fragment.")
    }
  }
  if (input.issuer !== undefined) {
    const twice = (["authorizationUrl", "tokenUrl", "pushedAuthorizationRequestUrl"] as const).find(
      (field) => input[field] !== undefined,
    )
    // Endpoints beside an issuer could be edited apart from it; then codes and secrets would go elsewhere.
    return twice === undefined ? Effect.void : invalid(twice, "comes from the issuer's metadata; leave out either one.")
  }
  const needed =
    grant === "authorization_code"
      ? (["authorizationUrl", "tokenUrl"] as const)
      : grant === deviceCode
        ? (["deviceAuthorizationUrl", "tokenUrl"] as const)
        : (["tokenUrl"] as const)
  const absent = needed.find((field) => input[field] === undefined)
  return absent === undefined
    ? Effect.void
    : invalid(absent, `pass issuer, or ${needed.join(" and ")} of the authorization server.`)
}

/** A resource indicator is an absolute URI without a fragment (RFC 8707, section 2). */
export const checkResource = (resource: string): Effect.Effect<void, InvalidOAuthClientError> =>
  typeof resource === "string" && URL.canParse(resource) && !resource.includes("#")
    ? Effect.void
    : invalid("resource", "must be an absolute URI without a fragment.")

// RFC 6749, appendix A.1; a client id may be a URL.
const visibleAscii = /^[\u0020-\u007e]{1,2048}$/

/** A client that cannot be, with the field at fault. */
export const invalid = (field: string, fault: string): Effect.Effect<never, InvalidOAuthClientError> =>
  Effect.fail(new InvalidOAuthClientError({ field, fault }))
