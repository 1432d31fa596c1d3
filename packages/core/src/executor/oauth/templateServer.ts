/**
 * Which authorization server a template means: the one that it names, else the one that the resource names.
 *
 * A resource says whose tokens it takes (RFC 9728), and may say otherwise one day. A template that still names the server of before leads
 * people through a flow whose tokens are turned away.
 */
import * as Effect from "effect/Effect"
import type { OAuth2Template } from "../../auth/AuthTemplate.ts"
import { quote } from "../../error/KeywardError.ts"
import type { IntegrationRecord } from "../../integration/Integration.ts"
import type { AuthorizationServer } from "../../oauth/AuthorizationServer.ts"
import type { OAuthDiscoveryError, OAuthStartError } from "../../oauth/OAuthError.ts"
import type { ProtectedResource } from "../../oauth/ProtectedResource.ts"
import type { Resources } from "../Resources.ts"
import { isSameIssuer } from "./clientServer.ts"
import { startFailure } from "./OAuthFlow.ts"
import { protocolOf } from "./protocol.ts"

/** The server of a template whose resource says `resource` about itself; fails with `authorization_server_moved` when they disagree. */
export const serverOfTemplate = (
  resources: Resources,
  { baseUrl, slug }: IntegrationRecord,
  template: OAuth2Template,
  resource: ProtectedResource | undefined,
): Effect.Effect<AuthorizationServer, OAuthStartError | OAuthDiscoveryError> =>
  Effect.gen(function* () {
    const { discovery, serverByHand } = yield* protocolOf(resources)
    const { issuer, authorizationUrl, tokenUrl, registrationUrl } = template
    if (issuer !== undefined) {
      if (!hasMoved(template, resource)) return yield* discovery.server(issuer)
      return yield* startFailure(
        "authorization_server_moved",
        `the resource of ${quote(slug)} takes tokens of other servers than ${quote(issuer)} by now. Add or update the integration, so that its template names the present one.`,
      )
    }
    if (authorizationUrl !== undefined && tokenUrl !== undefined) {
      const others = { deviceAuthorizationUrl: null, revocationUrl: null, pushedAuthorizationRequestUrl: null }
      const server = serverByHand({ authorizationUrl, tokenUrl, ...others })
      return { ...server, registrationUrl: registrationUrl ?? null }
    }
    const url = baseUrl ?? template.resource
    if (url === undefined) {
      return yield* startFailure(
        "issuer_missing",
        `${quote(slug)} names neither an issuer nor a resource to ask for one.`,
      )
    }
    return yield* discovery.server((yield* discovery.probe({ url })).issuer)
  })

/** What the resource of a template says about itself; `undefined` where it says nothing, or cannot be asked now. */
export const resourceOfTemplate = (
  resources: Resources,
  { resource }: OAuth2Template,
): Effect.Effect<ProtectedResource | undefined> =>
  resource === undefined || !/^https?:/i.test(resource)
    ? Effect.undefined
    : Effect.orElseSucceed(
        Effect.flatMap(protocolOf(resources), ({ discovery }) => discovery.resource({ url: resource })),
        () => undefined,
      )

/** Whether the resource names authorization servers, and the template's is none of them. */
export const hasMoved = ({ issuer }: OAuth2Template, resource: ProtectedResource | undefined): boolean => {
  const named = resource?.authorizationServers ?? []
  return issuer !== undefined && named.length > 0 && !named.some((one) => isSameIssuer(one, issuer))
}
