/**
 * `oauth.connect`: connects an account without anybody having to say through which client.
 *
 * The client is found in the order that leaves the least behind: the host's Client ID Metadata Document where the server takes one, an
 * application that was entered for this server, a registration made now. Each belongs to one server and is used at no other.
 */
import * as Effect from "effect/Effect"
import type { OAuth2Template } from "../../auth/AuthTemplate.ts"
import type { ConnectionRef } from "../../connection/ConnectionRef.ts"
import { quote } from "../../error/KeywardError.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity, Owner } from "../../identity/Identity.ts"
import type { IntegrationRecord } from "../../integration/Integration.ts"
import { IntegrationNotFoundError } from "../../integration/IntegrationError.ts"
import type { AuthorizationServer } from "../../oauth/AuthorizationServer.ts"
import type { OAuthClientRecord } from "../../oauth/OAuthClient.ts"
import type { OAuthStartError } from "../../oauth/OAuthError.ts"
import type { Resources } from "../Resources.ts"
import { isClientOf } from "./clientServer.ts"
import { startFailure } from "./OAuthFlow.ts"
import {
  registerDynamicClient,
  type RegisterDynamicClientError,
  type RegisterDynamicClientInput,
} from "./registerDynamicClient.ts"
import { startFlow } from "./startFlow.ts"
import type { StartOAuthError, StartOAuthResult } from "./StartingFlow.ts"
import { resourceOfTemplate, serverOfTemplate } from "./templateServer.ts"

/** What to connect. */
export interface ConnectOAuthInput extends ConnectionRef {
  /** The slug of an `oauth2` template of the integration. Default: the only one. */
  readonly template?: string | undefined
  /** Whose client to use or to register; an organisation's connection needs an organisation's. Default: `org`. */
  readonly clientOwner?: Owner | undefined
  /** Absent leaves what is there when a connection is replaced, `null` clears it. */
  readonly identityLabel?: string | null | undefined
  /** Default: `redirectUri` of the executor's config. */
  readonly redirectUri?: string | undefined
}

/** What connecting can fail with. Nothing is connected then; a client that was registered stays for the next time. */
export type ConnectOAuthError = StartOAuthError | RegisterDynamicClientError

/** See the file's header. */
export const connectAccount = (
  resources: Resources,
  identity: Identity,
  input: ConnectOAuthInput,
): Effect.Effect<StartOAuthResult, ConnectOAuthError> =>
  Effect.gen(function* () {
    const integration = yield* resources.store.integrations.get(identity.tenant, input.integration)
    if (integration === undefined) {
      return yield* Effect.fail(new IntegrationNotFoundError({ integration: input.integration }))
    }
    const template = yield* templateOf(integration, input.template)
    const resource = yield* resourceOfTemplate(resources, template)
    const server = yield* serverOfTemplate(resources, integration, template, resource)
    const clientOwner = input.clientOwner ?? "org"
    const client = yield* clientFor(resources, identity, {
      integration,
      template,
      server,
      // What the resource may ask for one day, by its own word.
      laterScope: resource?.scopesSupported?.join(" ") ?? null,
      clientOwner,
      input,
    })
    const { owner, name, identityLabel, redirectUri } = input
    const connection = { owner, name, integration: integration.slug, identityLabel, redirectUri }
    return yield* startFlow(resources, identity, { ...connection, client, clientOwner, template: template.slug })
  })

interface ClientSearch {
  readonly integration: IntegrationRecord
  readonly template: OAuth2Template
  readonly server: AuthorizationServer
  readonly laterScope: string | null
  readonly clientOwner: Owner
  readonly input: ConnectOAuthInput
}

const clientFor = (
  resources: Resources,
  identity: Identity,
  { integration, template, server, laterScope, clientOwner, input }: ClientSearch,
): Effect.Effect<string, ConnectOAuthError> =>
  Effect.gen(function* () {
    const hasDocument = server.clientIdMetadataDocumentSupported && resources.clientMetadataUrl !== undefined
    const entered = hasDocument ? undefined : yield* enteredClient(resources, identity, server, clientOwner)
    if (entered !== undefined) return entered.slug
    if (!hasDocument && server.registrationUrl === null) {
      const issuer = quote(server.issuer ?? server.tokenUrl ?? "")
      return yield* startFailure(
        "client_needed",
        `the server ${issuer} lets nobody register. Register an application there and enter it with oauth.createClient.`,
      )
    }
    const wanted: RegisterDynamicClientInput = {
      owner: clientOwner,
      slug: `auto-${integration.slug}`,
      integration: integration.slug,
      template: template.slug,
      resource: template.resource,
      redirectUri: input.redirectUri,
    }
    const { slug } = yield* registerDynamicClient(resources, identity, wanted, { server, laterScope })
    return slug
  })

const templateOf = (
  integration: IntegrationRecord,
  slug: string | undefined,
): Effect.Effect<OAuth2Template, OAuthStartError> => {
  const declared = integration.authTemplates.filter((one) => one.type === "oauth2")
  const [only] = declared
  const template = slug === undefined && declared.length === 1 ? only : declared.find((one) => one.slug === slug)
  if (template !== undefined) return Effect.succeed(template)
  const names = declared.map((one) => quote(one.slug)).join(", ") || "none"
  return startFailure(
    "template_not_found",
    `name one of the oauth2 templates of ${quote(integration.slug)} (declared: ${names}).`,
  )
}

/** A client that somebody entered for this issuer and for people's consent. */
const enteredClient = (
  resources: Resources,
  { tenant, subject }: Identity,
  { issuer, tokenUrl }: AuthorizationServer,
  owner: Owner,
): Effect.Effect<OAuthClientRecord | undefined, StoreUnavailableError> =>
  Effect.map(
    resources.store.oauth.clients.list({ tenant, subject, owner, limit: Number.MAX_SAFE_INTEGER }),
    (clients) =>
      clients.find(
        (one) =>
          one.origin === "manual" &&
          one.grant === "authorization_code" &&
          isClientOf(one, { issuer, tokenUrl: tokenUrl ?? "" }),
      ),
  )
