/**
 * Where a person goes to connect an account for the first time: a flow begun for whoever made the call, through a client that is sure to
 * be the service's.
 *
 * A template that names its authorization server takes a client of that server. One that names none takes the only client in sight, and
 * only while no other integration could mean it: a token must not be asked for at one service and sent to another.
 */
import * as Effect from "effect/Effect"
import type { OAuth2Template } from "../../auth/AuthTemplate.ts"
import type { ConnectionRef } from "../../connection/ConnectionRef.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity } from "../../identity/Identity.ts"
import type { IntegrationRecord } from "../../integration/Integration.ts"
import type { OAuthClientRecord } from "../../oauth/OAuthClient.ts"
import type { Resources } from "../Resources.ts"
import { isSameIssuer } from "./clientServer.ts"
import { offeredFlowUrl } from "./offeredFlow.ts"

/** So many clients and integrations are looked at; a host with more names its servers. */
const mostRecords = 200

/** See the file's header; `undefined` where no flow can be started. */
export const firstFlowUrl = (
  resources: Resources,
  identity: Identity,
  integration: IntegrationRecord,
  ref: ConnectionRef,
): Effect.Effect<string | undefined> =>
  Effect.catch(
    Effect.gen(function* () {
      const templates = integration.authTemplates.filter(isOAuth2)
      if (templates.length === 0) return undefined
      const clients = yield* clientsFor(resources, identity, ref)
      for (const template of templates) {
        for (const client of yield* fitting(resources, integration, template, clients)) {
          const url = yield* offeredFlowUrl(
            resources,
            identity,
            { ...ref, template: template.slug, client: client.slug, clientOwner: client.owner },
            { scope: null, stepUps: 0 },
            JSON.stringify(["first", identity, ref, template.slug, client.owner, client.slug, client.clientId]),
          )
          if (url !== undefined) return url
        }
      }
      return undefined
    }),
    () => Effect.undefined,
  )

const isOAuth2 = (template: { readonly type: string }): template is OAuth2Template => template.type === "oauth2"

/** Those that send a person to a page; the person's own before the organisation's. */
const clientsFor = (
  resources: Resources,
  { tenant, subject }: Identity,
  { owner }: ConnectionRef,
): Effect.Effect<ReadonlyArray<OAuthClientRecord>, StoreUnavailableError> =>
  Effect.map(
    resources.store.oauth.clients.list({
      tenant,
      subject,
      owner: owner === "org" ? "org" : undefined,
      limit: mostRecords,
    }),
    (clients) =>
      clients
        .filter(({ grant }) => grant === "authorization_code")
        .toSorted((one, other) => Number(other.owner === "user") - Number(one.owner === "user")),
  )

const fitting = (
  resources: Resources,
  integration: IntegrationRecord,
  template: OAuth2Template,
  clients: ReadonlyArray<OAuthClientRecord>,
): Effect.Effect<ReadonlyArray<OAuthClientRecord>, StoreUnavailableError> => {
  if (namesServer(template)) return Effect.succeed(clients.filter((client) => isOfServer(template, client)))
  const [only, second] = clients
  if (only === undefined || second !== undefined) return Effect.succeed([])
  return Effect.map(
    resources.store.integrations.list({ tenant: integration.tenant, limit: mostRecords }),
    (integrations) =>
      integrations.length < mostRecords &&
      integrations.every(({ slug, authTemplates }) => slug === integration.slug || !authTemplates.some(isOAuth2))
        ? [only]
        : [],
  )
}

const namesServer = ({ issuer, authorizationUrl, tokenUrl }: OAuth2Template): boolean =>
  issuer !== undefined || authorizationUrl !== undefined || tokenUrl !== undefined

/**
 * Whether there is something to compare, and it is the same. Endpoints behind an issuer are compared when the flow is started, which
 * refuses one of another server.
 */
const isOfServer = (template: OAuth2Template, client: OAuthClientRecord): boolean => {
  if (template.issuer !== undefined && client.issuer !== null) return isSameIssuer(template.issuer, client.issuer)
  return client.issuer === null
    ? (template.authorizationUrl !== undefined && client.authorizationUrl !== null) ||
        (template.tokenUrl !== undefined && client.tokenUrl !== null)
    : template.authorizationUrl !== undefined || template.tokenUrl !== undefined
}
