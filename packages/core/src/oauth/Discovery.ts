/**
 * Discovery as the executor uses it: metadata of issuers kept for ten minutes, and `oauth.probe`, which starts from any URL.
 *
 * One request at a time per issuer, however many ask. Failures are not kept.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { type AuthorizationServer, discoverAuthorizationServer } from "./AuthorizationServer.ts"
import type { OAuthDiscoveryError } from "./OAuthError.ts"
import type { OAuthHttp } from "./OAuthHttp.ts"
import { discoverProtectedResource, type ProtectedResource } from "./ProtectedResource.ts"

/** What to look at: a protected resource, such as an MCP server, or an issuer. */
export interface ProbeOAuthInput {
  readonly url: string
  /**
   * `WWW-Authenticate` of a 401 that the resource has answered with. Without it the resource is asked with a GET, which some services,
   * such as MCP servers, answer otherwise than the requests they are there for.
   */
  readonly wwwAuthenticate?: string | undefined
}

/** What `oauth.probe` found. What a server does not offer or say is left out. */
export interface ProbeResult {
  readonly issuer: string
  readonly authorizationUrl: string | null
  readonly tokenUrl: string
  readonly registrationUrl?: string
  readonly deviceAuthorizationUrl?: string
  readonly revocationUrl?: string
  readonly pushedAuthorizationRequestUrl?: string
  /** Where the URL was a protected resource: its name for itself. */
  readonly resource?: string
  /** What the resource's 401 asks for, separated by spaces: to be asked for before `scopesSupported` (RFC 6750, section 3). */
  readonly challengedScope?: string
  /** The resource's where it says, else the server's. */
  readonly scopesSupported?: ReadonlyArray<string>
  /** The resource's alone: what to ask for where no challenge says, and nothing else does (MCP, scope selection). */
  readonly resourceScopesSupported?: ReadonlyArray<string>
  /** The server's PKCE methods. Left out: its metadata says nothing of PKCE, which the MCP specification takes for a refusal. */
  readonly codeChallengeMethodsSupported?: ReadonlyArray<string>
  readonly tokenEndpointAuthMethodsSupported?: ReadonlyArray<string>
  readonly clientIdMetadataDocumentSupported: boolean
  /** The resource takes only tokens that are bound to a key: ask for them with `dpop` in the template (RFC 9728, section 2). */
  readonly dpopBoundAccessTokensRequired?: true
}

/** See the file's header. */
export class Discovery {
  readonly #http: OAuthHttp
  readonly #known = new Map<string, { readonly server: AuthorizationServer; readonly freshUntil: number }>()
  readonly #flights = new Map<string, Deferred.Deferred<AuthorizationServer, OAuthDiscoveryError>>()

  constructor(http: OAuthHttp) {
    this.#http = http
  }

  /** The metadata of an issuer, at most ten minutes old. */
  server(issuer: string): Effect.Effect<AuthorizationServer, OAuthDiscoveryError> {
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const known = this.#known.get(issuer)
      // A clock that was set back must not make a document last longer.
      if (known !== undefined && now < known.freshUntil && now >= known.freshUntil - lifetimeMs) {
        return Effect.succeed(known.server)
      }
      return this.#join(issuer)
    })
  }

  /**
   * Finds the authorization server of a URL: of a protected resource, or of an issuer.
   *
   * In this order: what the resource says (RFC 9728), of whose servers the first that publishes metadata; the URL as an issuer; its origin as
   * an issuer, as the MCP specification of 2025-03-26 had it. Endpoints come from a document that names its issuer, never from a guess.
   */
  probe({ url, wwwAuthenticate }: ProbeOAuthInput): Effect.Effect<ProbeResult, OAuthDiscoveryError> {
    return Effect.flatMap(this.resource({ url, wwwAuthenticate }), (resource) =>
      resource === undefined || resource.authorizationServers.length === 0
        ? Effect.map(this.#asIssuer(url), (server) => toProbeResult(server, resource))
        : Effect.map(this.#firstOf(resource.authorizationServers), (server) => toProbeResult(server, resource)),
    )
  }

  /** What a protected resource says about itself; `undefined` where it says nothing. */
  resource({
    url,
    wwwAuthenticate,
  }: ProbeOAuthInput): Effect.Effect<ProtectedResource | undefined, OAuthDiscoveryError> {
    return Effect.catch(discoverProtectedResource(this.#http, url, wwwAuthenticate), (error) =>
      error.reason === "not_found" ? Effect.succeed(undefined) : Effect.fail(error),
    )
  }

  /** An outage of the first is not a reason to go to the second: credentials belong to one issuer. */
  #firstOf(issuers: ReadonlyArray<string>): Effect.Effect<AuthorizationServer, OAuthDiscoveryError> {
    const [first = "", ...others] = issuers.slice(0, mostIssuers)
    return Effect.catch(this.server(first), (error) =>
      others.length > 0 && isAbsence(error) ? this.#firstOf(others) : Effect.fail(error),
    )
  }

  #asIssuer(url: string): Effect.Effect<AuthorizationServer, OAuthDiscoveryError> {
    const { origin, pathname, search } = new URL(url)
    const ofOrigin = this.server(origin)
    // An issuer has no query.
    if (pathname === "/" || search !== "") return ofOrigin
    return Effect.catch(this.server(url.split("#", 1)[0] ?? url), (error) =>
      // That this URL is an issuer was our guess. A document that says otherwise is not used; the origin's has to name the origin.
      isAbsence(error) || error.reason === "issuer_mismatch"
        ? Effect.catch(ofOrigin, (second) => Effect.fail(isAbsence(second) ? error : second))
        : Effect.fail(error),
    )
  }

  /** Asks, or waits for whoever asks already. The asking goes on when a caller leaves. */
  #join(issuer: string): Effect.Effect<AuthorizationServer, OAuthDiscoveryError> {
    // A flight that is announced is also flown: a caller who left in between would keep everybody after waiting for ever.
    return Effect.uninterruptibleMask((restore) =>
      Effect.suspend(() => {
        const underWay = this.#flights.get(issuer)
        if (underWay !== undefined) return restore(Deferred.await(underWay))
        const flight = Deferred.makeUnsafe<AuthorizationServer, OAuthDiscoveryError>()
        this.#flights.set(issuer, flight)
        const asking = Effect.onExit(
          Effect.tap(discoverAuthorizationServer(this.#http, issuer), (server) => this.#keep(issuer, server)),
          (exit) =>
            Effect.sync(() => {
              this.#flights.delete(issuer)
              Deferred.doneUnsafe(flight, exit)
            }),
        )
        return Effect.andThen(Effect.forkDetach(asking, { uninterruptible: false }), restore(Deferred.await(flight)))
      }),
    )
  }

  #keep(issuer: string, server: AuthorizationServer): Effect.Effect<void> {
    return Effect.map(Clock.currentTimeMillis, (now) => {
      this.#known.delete(issuer)
      this.#known.set(issuer, { server, freshUntil: now + lifetimeMs })
      for (const oldest of this.#known.keys()) {
        if (this.#known.size <= mostKnown) break
        this.#known.delete(oldest)
      }
    })
  }
}

const lifetimeMs = 10 * 60_000
const mostKnown = 100
/** Each costs up to three requests. */
const mostIssuers = 2

const isAbsence = (error: OAuthDiscoveryError): boolean =>
  error.reason === "not_found" || error.reason === "not_metadata"

const toProbeResult = (server: AuthorizationServer, resource: ProtectedResource | undefined): ProbeResult => ({
  // Both are there in what was discovered; only a server entered by hand may lack them.
  issuer: server.issuer ?? "",
  authorizationUrl: server.authorizationUrl,
  tokenUrl: server.tokenUrl ?? "",
  ...given("registrationUrl", server.registrationUrl),
  ...given("deviceAuthorizationUrl", server.deviceAuthorizationUrl),
  ...given("revocationUrl", server.revocationUrl),
  ...given("pushedAuthorizationRequestUrl", server.pushedAuthorizationRequestUrl),
  ...given("resource", resource?.resource),
  ...given("challengedScope", resource?.challengedScope),
  ...given("scopesSupported", resource?.scopesSupported ?? server.scopesSupported),
  ...given("resourceScopesSupported", resource?.scopesSupported),
  ...given("codeChallengeMethodsSupported", server.codeChallengeMethodsSupported),
  ...given("tokenEndpointAuthMethodsSupported", server.tokenEndpointAuthMethodsSupported),
  clientIdMetadataDocumentSupported: server.clientIdMetadataDocumentSupported,
  ...(resource?.isDpopRequired === true ? { dpopBoundAccessTokensRequired: true } : {}),
})

const given = <K extends string, A>(name: K, value: A | null | undefined): { readonly [_ in K]?: A } =>
  (value === null || value === undefined ? {} : { [name]: value }) as { readonly [_ in K]?: A }
