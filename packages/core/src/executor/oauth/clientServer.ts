/**
 * Which authorization server a client is of, and whether an integration's template means the same one.
 *
 * A client's secret and the codes that were issued to it go to its own server and nowhere else, whatever a template says.
 */
import * as Effect from "effect/Effect"
import type { OAuth2Template } from "../../auth/AuthTemplate.ts"
import { quote } from "../../error/KeywardError.ts"
import type { AuthorizationServer } from "../../oauth/AuthorizationServer.ts"
import type { OAuthClientRecord } from "../../oauth/OAuthClient.ts"
import { type OAuthDiscoveryError, OAuthStartError } from "../../oauth/OAuthError.ts"
import type { PinnedServer } from "../../oauth/OAuthSession.ts"
import type { Protocol } from "./protocol.ts"

/**
 * The server of a client: from its issuer's metadata, or as its endpoints were entered, which asks nobody.
 *
 * Endpoints that the metadata leaves out may have been entered beside the issuer.
 */
export const serverOf = (
  protocol: Protocol,
  client: OAuthClientRecord,
): Effect.Effect<AuthorizationServer, OAuthDiscoveryError> =>
  client.issuer === null
    ? Effect.succeed(protocol.serverByHand(client))
    : Effect.map(protocol.discovery.server(client.issuer), (server) => ({
        ...server,
        deviceAuthorizationUrl: server.deviceAuthorizationUrl ?? client.deviceAuthorizationUrl,
        revocationUrl: server.revocationUrl ?? client.revocationUrl,
      }))

/**
 * Refuses a template that names another server than the client's.
 *
 * Otherwise whoever may register an integration could have people authorize it through an app that was entered for something else.
 */
export const checkSameServer = (
  server: AuthorizationServer,
  client: OAuthClientRecord,
  template: OAuth2Template,
): Effect.Effect<void, OAuthStartError> => {
  const apart = (["issuer", "authorizationUrl", "tokenUrl"] as const).find((field) => {
    const [ours, theirs] = [server[field], template[field]]
    if (ours === null || theirs === undefined) return false
    return field === "issuer" ? !isSameIssuer(ours, theirs) : withoutQuery(ours) !== withoutQuery(theirs)
  })
  return apart === undefined
    ? Effect.void
    : Effect.fail(
        new OAuthStartError({
          reason: "issuer_mismatch",
          fault: `the template ${quote(template.slug)} and the client ${quote(client.slug)} name different authorization servers (${apart}). Use a client that is registered at the template's server.`,
          retryable: false,
        }),
      )
}

/** What is remembered of a server for as long as a flow and its tokens live. */
export const pinnedServer = (server: AuthorizationServer, tokenUrl: string): PinnedServer => ({
  issuer: server.issuer,
  tokenUrl,
  revocationUrl: server.revocationUrl,
  isIssRequired: server.isIssRequired,
})

/**
 * Whether a client is still of the server that a flow or a grant was pinned to.
 *
 * A client that was moved to another server since has another secret, which the old one must not get.
 */
export const isClientOf = (
  client: Pick<OAuthClientRecord, "issuer" | "tokenUrl">,
  pinned: Pick<PinnedServer, "issuer" | "tokenUrl">,
): boolean =>
  isSameIssuer(client.issuer, pinned.issuer) && (client.issuer !== null || client.tokenUrl === pinned.tokenUrl)

/**
 * The same of a grant, which may be of a regional host (`tokenHosts`). Another path at the same host is the same server still.
 */
export const isClientOfGrant = (
  client: Pick<OAuthClientRecord, "issuer" | "tokenUrl" | "quirks">,
  { issuer, tokenUrl }: Pick<PinnedServer, "issuer" | "tokenUrl">,
): boolean =>
  isSameIssuer(client.issuer, issuer) &&
  (issuer !== null ||
    isSameHost(client.tokenUrl, tokenUrl) ||
    client.quirks.tokenHosts?.includes(hostOf(tokenUrl)) === true)

/** Whether two endpoints are of the same host; one that is not there is of none. */
export const isSameHost = (one: string | null, other: string | null): boolean =>
  one !== null && other !== null && hostOf(one) === hostOf(other)

const hostOf = (url: string): string => URL.parse(url)?.host ?? ""

/** Issuers as URLs: a client entered by hand may spell its issuer otherwise than the server's own document. */
export const isSameIssuer = (one: string | null, other: string | null): boolean =>
  one === other || (one !== null && other !== null && URL.parse(one)?.href === URL.parse(other)?.href)

/** A parameter of an endpoint, such as a tenant, is not another endpoint. */
const withoutQuery = (url: string): string => {
  const parsed = URL.parse(url)
  return parsed === null ? url : parsed.origin + parsed.pathname
}
