/**
 * `oauth.registerDynamicClient`: a client without anybody having to enter one.
 *
 * A registration belongs to one issuer, one redirect URI and one owner. One that still fits is used again; it is replaced when the
 * redirect URI or the issuer is another, when more scopes are needed than it was made for, and when its secret has run out. Where the
 * server takes a Client ID Metadata Document and the host serves one, that is used instead.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { quote } from "../../error/KeywardError.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity, Owner } from "../../identity/Identity.ts"
import { IntegrationNotFoundError } from "../../integration/IntegrationError.ts"
import type { AuthorizationServer } from "../../oauth/AuthorizationServer.ts"
import {
  type OAuthClient,
  type OAuthClientKey,
  type OAuthClientRecord,
  type OAuthGrantType,
  toOAuthClient,
} from "../../oauth/OAuthClient.ts"
import type { InvalidOAuthClientError, OAuthDiscoveryError, OAuthRegistrationError } from "../../oauth/OAuthError.ts"
import { scopeSet, scopeUnion } from "../../oauth/TokenSet.ts"
import type { Resources } from "../Resources.ts"
import { checkResource, clientKey, grantOf, invalid } from "./clientInput.ts"
import type { ClientSecrets } from "./clientItems.ts"
import { isClientOf } from "./clientServer.ts"
import { type Protocol, protocolOf } from "./protocol.ts"
import { type ClientContent, clientLockOf, saveClient, type SaveClientError } from "./saveClient.ts"

/** What to register, and where. */
export interface RegisterDynamicClientInput {
  readonly owner: Owner
  readonly slug: string
  /** The authorization server, or `url`: anything that leads to it, as `probe` takes. */
  readonly issuer?: string | undefined
  readonly url?: string | undefined
  /** Whose template says which scopes are needed; `template` defaults to the only `oauth2` one. */
  readonly integration?: string | undefined
  readonly template?: string | undefined
  /** Default: `redirectUri` of the executor's config. */
  readonly redirectUri?: string | undefined
  /** Default: `clientName` of the executor's config. */
  readonly clientName?: string | undefined
  readonly resource?: string | undefined
  /** Default: `authorization_code`. */
  readonly grant?: OAuthGrantType | "device_code" | undefined
  /** Where the server registers only those who have one. */
  readonly initialAccessToken?: string | undefined
}

/** What registering can fail with; a client of that slug is as it was. */
export type RegisterDynamicClientError =
  InvalidOAuthClientError | IntegrationNotFoundError | OAuthDiscoveryError | OAuthRegistrationError | SaveClientError

/** What a registration has to be good for. */
interface Wanted {
  readonly key: OAuthClientKey
  readonly grant: OAuthGrantType
  readonly server: AuthorizationServer
  /** `null`: the endpoints were entered by hand. */
  readonly issuer: string | null
  readonly redirectUri: string | null
  readonly scope: string | null
  /** Scopes that may be asked for later, so that nobody has to register again for them. */
  readonly laterScope: string | null
  readonly resource: string | null
}

/** What a caller knows besides what a host says. */
export interface RegistrationKnowledge {
  /** The authorization server, in place of `issuer` and `url`. */
  readonly server?: AuthorizationServer | undefined
  /** Registered as well where something is registered, and not otherwise missed. */
  readonly laterScope?: string | null | undefined
}

/** See the file's header. */
export const registerDynamicClient = (
  resources: Resources,
  identity: Identity,
  input: RegisterDynamicClientInput,
  { server, laterScope = null }: RegistrationKnowledge = {},
): Effect.Effect<OAuthClient, RegisterDynamicClientError> =>
  Effect.gen(function* () {
    const key = yield* clientKey(identity, input.owner, input.slug)
    const grant = yield* grantOf(input.grant ?? "authorization_code")
    const protocol = yield* protocolOf(resources)
    const redirectUri = grant === "authorization_code" ? yield* checkedRedirectUri(resources, protocol, input) : null
    if (input.resource !== undefined) yield* checkResource(input.resource)
    const scopes = yield* scopesOf(resources, identity, input)
    const found =
      server === undefined
        ? yield* findServer(protocol, input)
        : { server, issuer: server.issuer, resource: input.resource ?? null }
    const offline = found.server.scopesSupported?.includes("offline_access") === true ? "offline_access" : null
    const isAsked = grant === "authorization_code" || grant === deviceCode
    const wanted: Wanted = {
      key,
      grant,
      ...found,
      redirectUri,
      scope: scopes === null ? null : scopeUnion(scopes, isAsked ? offline : null),
      laterScope,
      resource: input.resource ?? found.resource,
    }
    return yield* resources.exclusively(
      clientLockOf(key),
      registerUnderLock(resources, identity, protocol, input, wanted),
    )
  })

const registerUnderLock = (
  resources: Resources,
  identity: Identity,
  protocol: Protocol,
  input: RegisterDynamicClientInput,
  wanted: Wanted,
): Effect.Effect<OAuthClient, RegisterDynamicClientError> =>
  Effect.gen(function* () {
    const existing = yield* resources.store.oauth.clients.get(wanted.key)
    if (existing?.origin === "manual") {
      return yield* invalid(
        "slug",
        `${quote(wanted.key.slug)} is a client that was entered by hand; choose another, or remove it.`,
      )
    }
    const isDocument = wanted.server.clientIdMetadataDocumentSupported && wanted.grant === "authorization_code"
    const documentUrl = isDocument ? resources.clientMetadataUrl : undefined
    if (existing !== undefined && isFitting(existing, wanted, documentUrl, yield* Clock.currentTimeMillis))
      return toOAuthClient(existing)
    const [content, secrets] =
      documentUrl === undefined
        ? yield* byRegistration(resources, protocol, input, wanted)
        : byDocument(wanted, documentUrl)
    return toOAuthClient(yield* saveClient(resources, identity, content, secrets))
  })

const deviceCode = "urn:ietf:params:oauth:grant-type:device_code"

/** A secret that is about to run out is of no use for what begins now. */
const marginMs = 60_000

const isFitting = (
  existing: OAuthClientRecord,
  wanted: Wanted,
  documentUrl: string | undefined,
  now: number,
): boolean => {
  const { registration } = existing
  if (registration === null || existing.grant !== wanted.grant || existing.resource !== wanted.resource) return false
  const { issuer, server } = wanted
  if (!isClientOf(existing, { issuer, tokenUrl: server.tokenUrl ?? "" })) return false
  if (registration.redirectUri !== wanted.redirectUri) return false
  if (registration.secretExpiresAt !== null && registration.secretExpiresAt - marginMs <= now) return false
  // A document says for itself which scopes it is for; but it has to be the one that the host serves now.
  if (existing.origin === "metadata_document") return existing.clientId === documentUrl
  const has = scopeSet(registration.scope)
  return [...scopeSet(wanted.scope)].every((scope) => has.has(scope))
}

const byDocument = (wanted: Wanted, clientId: string): readonly [ClientContent, ClientSecrets] => [
  {
    ...contentOf(wanted),
    clientId,
    origin: "metadata_document",
    tokenEndpointAuthMethod: "none",
    registration: {
      redirectUri: wanted.redirectUri,
      scope: wanted.scope,
      secretExpiresAt: null,
      configurationUrl: null,
    },
  },
  {},
]

const byRegistration = (
  resources: Resources,
  protocol: Protocol,
  { clientName, initialAccessToken }: RegisterDynamicClientInput,
  wanted: Wanted,
): Effect.Effect<readonly [ClientContent, ClientSecrets], OAuthRegistrationError> => {
  // Servers hold an application to the scopes that it registered with; one that named none may ask for any.
  const scope = wanted.scope === null ? null : scopeUnion(wanted.scope, wanted.laterScope)
  return Effect.map(
    protocol.registerClient(protocol.http, wanted.server, {
      redirectUri: wanted.redirectUri,
      grantTypes: [wanted.grant],
      clientName: clientName ?? resources.clientName,
      scope,
      initialAccessToken: initialAccessToken === undefined ? undefined : Redacted.make(initialAccessToken),
    }),
    (registered) => [
      {
        ...contentOf(wanted),
        clientId: registered.clientId,
        origin: "dynamic",
        tokenEndpointAuthMethod: registered.tokenEndpointAuthMethod,
        registration: {
          redirectUri: wanted.redirectUri,
          scope,
          secretExpiresAt: registered.secretExpiresAt,
          configurationUrl: registered.configurationUrl,
        },
      },
      {
        ...(registered.clientSecret === undefined ? {} : { secret: registered.clientSecret }),
        ...(registered.registrationToken === undefined ? {} : { registration: registered.registrationToken }),
      },
    ],
  )
}

const contentOf = ({ key, grant, issuer, server, resource }: Wanted) => ({
  ...key,
  grant,
  issuer,
  // With an issuer they come from its metadata.
  authorizationUrl: issuer === null ? server.authorizationUrl : null,
  tokenUrl: issuer === null ? server.tokenUrl : null,
  deviceAuthorizationUrl: null,
  revocationUrl: null,
  pushedAuthorizationRequestUrl: null,
  resource,
  dpop: false,
  authorizationParams: {},
  quirks: {},
})

const findServer = (
  protocol: Protocol,
  { issuer, url }: RegisterDynamicClientInput,
): Effect.Effect<Pick<Wanted, "server" | "issuer" | "resource">, InvalidOAuthClientError | OAuthDiscoveryError> => {
  const given = issuer ?? url
  if (given === undefined || (issuer !== undefined && url !== undefined)) {
    return invalid("issuer", "pass either issuer, or url of something that it protects.")
  }
  if (typeof given !== "string" || !URL.canParse(given)) {
    return invalid(issuer === undefined ? "url" : "issuer", "must be an absolute URL.")
  }
  if (issuer !== undefined) {
    return Effect.map(protocol.discovery.server(issuer), (server) => ({
      server,
      issuer: server.issuer ?? issuer,
      resource: null,
    }))
  }
  return Effect.flatMap(protocol.discovery.probe({ url: given }), (probed) =>
    Effect.map(protocol.discovery.server(probed.issuer), (server) => ({
      server,
      issuer: server.issuer ?? probed.issuer,
      resource: probed.resource ?? null,
    })),
  )
}

const checkedRedirectUri = (
  resources: Resources,
  protocol: Protocol,
  input: RegisterDynamicClientInput,
): Effect.Effect<string, InvalidOAuthClientError> => {
  const redirectUri = input.redirectUri ?? resources.redirectUri
  if (redirectUri === undefined) return invalid("redirectUri", "pass it here or to createExecutor.")
  const fault = typeof redirectUri === "string" ? protocol.redirectUriFault(redirectUri) : "must be text."
  return fault === undefined ? Effect.succeed(redirectUri) : invalid("redirectUri", `${quote(redirectUri)} ${fault}`)
}

/** The scopes that an integration's template needs; `null` when none is named. */
const scopesOf = (
  resources: Resources,
  identity: Identity,
  { integration: slug, template: templateSlug }: RegisterDynamicClientInput,
): Effect.Effect<string | null, InvalidOAuthClientError | IntegrationNotFoundError | StoreUnavailableError> =>
  Effect.gen(function* () {
    if (slug === undefined) {
      return templateSlug === undefined ? null : yield* invalid("template", "name the integration that it is of.")
    }
    const integration = yield* resources.store.integrations.get(identity.tenant, slug)
    if (integration === undefined) return yield* Effect.fail(new IntegrationNotFoundError({ integration: slug }))
    const declared = integration.authTemplates.filter((one) => one.type === "oauth2")
    const template = templateSlug === undefined ? declared[0] : declared.find((one) => one.slug === templateSlug)
    if (template === undefined || (templateSlug === undefined && declared.length > 1)) {
      const names = declared.map((one) => quote(one.slug)).join(", ") || "none"
      return yield* invalid("template", `name one of the oauth2 templates of ${quote(slug)} (declared: ${names}).`)
    }
    return scopeUnion(template.scopes?.join(" "))
  })
