/**
 * What a protected resource, such as an MCP server, says about itself: what it is called and which authorization servers it trusts.
 *
 * RFC 9728: from the metadata that its 401 names, else from the well-known places. A document that describes another resource is
 * refused, because following it would take a token meant for one service to another.
 */
import * as Effect from "effect/Effect"
import { challengeParameter, parseChallenges } from "./Challenge.ts"
import { discoveryError, getMetadata, isWord, metadataLimits, urlFailure, wordsOf } from "./metadataDocument.ts"
import type { OAuthDiscoveryError } from "./OAuthError.ts"
import { isSecureEndpoint, type OAuthHttp } from "./OAuthHttp.ts"

/** See the file's header. */
export interface ProtectedResource {
  /** As the document spells it: the value for the parameter `resource` (RFC 8707). */
  readonly resource: string
  /** Issuers, in the resource's order. May be empty. */
  readonly authorizationServers: ReadonlyArray<string>
  readonly scopesSupported: ReadonlyArray<string> | null
  /** Scopes, separated by spaces, that the 401 asked for; they count before those supported. */
  readonly challengedScope: string | null
  /** Whether it takes no other tokens than those bound to a key (RFC 9449): its 401 names that scheme alone, or its document says so. */
  readonly isDpopRequired: boolean
}

/**
 * Asks a resource about itself, in at most four requests: itself without a credential, what its 401 names, and the two well-known
 * places. Fails with `not_found` where there is no document.
 *
 * `wwwAuthenticate` is what a 401 of the resource said already; then it is not asked for another one.
 */
export const discoverProtectedResource = (
  http: OAuthHttp,
  url: string,
  wwwAuthenticate?: string,
): Effect.Effect<ProtectedResource, OAuthDiscoveryError> =>
  Effect.gen(function* () {
    const fault = urlFailure(url)
    if (fault !== undefined) return yield* discoveryError(fault, url)
    const target = new URL(url)
    target.hash = ""
    const challenge = wwwAuthenticate === undefined ? yield* askChallenge(http, target) : readChallenge(wwwAuthenticate)
    for (const place of new Set([...challenge.metadataUrls, ...wellKnownUrls(target)])) {
      const answer = yield* getMetadata(http, place)
      // The next place may hold a broader document that trusts other servers.
      if (answer.type === "outage") return yield* discoveryError("unavailable", place)
      if (answer.type !== "found" || typeof answer.json["resource"] !== "string") continue
      const { resource, authorization_servers: servers, scopes_supported: scopes } = answer.json
      const isBindingRequired = answer.json["dpop_bound_access_tokens_required"] === true
      if (!isResourceOf(resource, target)) return yield* discoveryError("resource_mismatch", place)
      const usable = (wordsOf(servers) ?? []).filter(isSecureEndpoint)
      if (Array.isArray(servers) && servers.length > 0 && usable.length === 0)
        return yield* discoveryError("insecure_endpoint", place)
      return {
        resource,
        authorizationServers: usable,
        scopesSupported: wordsOf(scopes),
        challengedScope: challenge.scope,
        isDpopRequired: isBindingRequired || challenge.isDpopAlone,
      }
    }
    return yield* discoveryError("not_found", url)
  })

/**
 * Whether a document that calls its resource `named` may speak for `url`: it is the same URL, or a path of the same origin that
 * contains it.
 *
 * RFC 9728, section 3.3, wants them identical; services with one document for all their paths are common and keep to their origin.
 */
export const isResourceOf = (named: string, url: URL): boolean => {
  const resource = isWord(named) ? URL.parse(named) : null
  if (resource === null || resource.origin !== url.origin || !isSecureEndpoint(named) || named.includes("#"))
    return false
  if (resource.href === url.href) return true
  if (resource.search !== "") return false
  const folder = resource.pathname.endsWith("/") ? resource.pathname : `${resource.pathname}/`
  return url.pathname === resource.pathname || url.pathname.startsWith(folder) || `${url.pathname}/` === folder
}

interface ResourceChallenge {
  readonly metadataUrls: ReadonlyArray<string>
  readonly scope: string | null
  readonly isDpopAlone: boolean
}

const noChallenge: ResourceChallenge = { metadataUrls: [], scope: null, isDpopAlone: false }

/**
 * What the resource answers a caller without a credential. Only an internal address is a failure here: a resource that streams, breaks
 * or wants another method can still have a document at a well-known place.
 */
const askChallenge = (http: OAuthHttp, url: URL): Effect.Effect<ResourceChallenge, OAuthDiscoveryError> =>
  http
    .send({
      method: "GET",
      url: url.href,
      headers: { accept: "application/json, text/event-stream" },
      body: null,
      ...metadataLimits,
    })
    .pipe(
      Effect.map(({ status, headers }) =>
        status === 401 ? readChallenge(headers["www-authenticate"] ?? "") : noChallenge,
      ),
      Effect.catch((error) =>
        error._tag === "AddressNotAllowedError"
          ? Effect.fail(discoveryError("address_not_allowed", url.href))
          : Effect.succeed(noChallenge),
      ),
    )

const readChallenge = (wwwAuthenticate: string): ResourceChallenge => {
  const challenges = parseChallenges(wwwAuthenticate)
  const metadataUrl = challengeParameter(challenges, "resource_metadata")
  const has = (name: string): boolean => challenges.some(({ scheme }) => scheme === name)
  return {
    // One that may not be asked is not asked; the well-known places remain.
    metadataUrls: metadataUrl !== undefined && isSecureEndpoint(metadataUrl) ? [new URL(metadataUrl).href] : [],
    scope: scopesOf(challengeParameter(challenges, "scope")),
    isDpopAlone: has("dpop") && !has("bearer"),
  }
}

/** Scopes by the grammar of RFC 6749, section 3.3; anything else is not asked for in anybody's name. */
const scopesOf = (text: string | undefined): string | null =>
  text !== undefined && /^[\x21\x23-\x5b\x5d-\x7e ]{1,2000}$/.test(text) ? text : null

/** RFC 9728, section 3.1: inserted before the path, the query kept; then the origin's own. */
const wellKnownUrls = ({ origin, pathname, search }: URL): ReadonlyArray<string> => {
  const root = `${origin}/.well-known/oauth-protected-resource`
  const path = pathname === "/" ? "" : pathname
  return path === "" && search === "" ? [root] : [`${root}${path}${search}`, root]
}
