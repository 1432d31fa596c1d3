/**
 * An authorization server and a protected resource on the loopback, which behave until they are told not to.
 *
 * For tests of hosts and of the core: what a certified server never does (answers that are lost, halves of bodies, wrong issuers) is
 * a fault that a test scripts, request by request. A host lets it through its address policy with
 * `egress: { allowHosts: [server.host] }`.
 */
import { fakeUpstream, type UpstreamAnswer, type UpstreamRequest } from "../fakeUpstream.ts"
import type { AuthorizationServerBehaviour } from "./AuthorizationServerBehaviour.ts"
import { answerUnder, type AuthorizationServerFault, type SoundAnswer } from "./AuthorizationServerFault.ts"
import { type AuthorizationServerGrant, AuthorizationServerState } from "./AuthorizationServerState.ts"

/** The endpoints, each with its own log and its own script of faults. `metadata` has every well-known form. */
export type AuthorizationServerEndpoint =
  | "metadata"
  | "protected_resource_metadata"
  | "authorize"
  | "token"
  | "device_authorization"
  | "revocation"
  | "registration"
  | "pushed_authorization_request"
  | "resource"

/** Options of {@link misbehavingAuthorizationServer}. */
export interface AuthorizationServerOptions extends AuthorizationServerBehaviour {
  /** The path of the issuer, such as `/tenant`. Default: none. */
  readonly issuerPath?: string | undefined
  /** Members that the metadata says otherwise; `undefined` leaves one out. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
}

/** One request as it arrived at an endpoint. */
export interface AuthorizationServerRequest {
  readonly method: string
  readonly headers: UpstreamRequest["headers"]
  /** Of the query for GET, of the form or of a flat JSON object for others. */
  readonly parameters: URLSearchParams
  /** Resolves when the exchange is over: `true` when the client went away before the answer was complete. */
  readonly abandoned: Promise<boolean>
}

/** A running server; see {@link misbehavingAuthorizationServer}. */
export interface MisbehavingAuthorizationServer extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`. */
  readonly origin: string
  /** `127.0.0.1:<port>`, as `egress.allowHosts` takes it. */
  readonly host: string
  readonly issuer: string
  readonly authorizationUrl: string
  readonly tokenUrl: string
  readonly deviceAuthorizationUrl: string
  readonly revocationUrl: string
  readonly registrationUrl: string
  readonly pushedAuthorizationRequestUrl: string
  /** Answers to those who bring an access token; the metadata of RFC 9728 is served for it. */
  readonly resourceUrl: string
  /** Faults of the next requests at an endpoint, one each, after those that are still to come. */
  next(endpoint: AuthorizationServerEndpoint, ...faults: ReadonlyArray<AuthorizationServerFault>): void
  /** The fault of every request that has none of its own; `undefined`: none. */
  always(endpoint: AuthorizationServerEndpoint, fault: AuthorizationServerFault | undefined): void
  /** What arrived at an endpoint so far, oldest first, whatever came of it. */
  requests(endpoint: AuthorizationServerEndpoint): ReadonlyArray<AuthorizationServerRequest>
  /** Resolves with the `count`th request (1: the first) at an endpoint as soon as it has arrived. */
  received(endpoint: AuthorizationServerEndpoint, count: number): Promise<AuthorizationServerRequest>
  /** Visits an authorization URL as a person who approves, or denies, and gives the callback's URL. */
  visit(authorizationUrl: string, answer?: { readonly isDenied?: boolean }): Promise<string>
  /** Changes how the server behaves from now on. */
  behave(changes: AuthorizationServerBehaviour): void
  /** The scope that `resourceUrl` demands, separated by spaces; without it a request is told `insufficient_scope`. */
  requireScope(scope: string): void
  /** From now on no access token that was handed out works. */
  expireAccessTokens(): void
  /** Ends every grant, as when a person withdraws them. */
  endGrants(): void
  /** Every grant so far, with how it ended. */
  readonly grants: ReadonlyArray<AuthorizationServerGrant>
  /** How often a spent refresh token was used: a client that never does is 0. */
  readonly reuses: number
  /** Every code, token, device code and secret that was handed out, for `CanaryScanner`. */
  readonly secrets: ReadonlyArray<string>
  /** Cuts every connection and stops listening. Harmless when repeated. */
  close(): Promise<void>
}

/**
 * Starts an authorization server on a free port of 127.0.0.1.
 *
 * @example
 * ```ts
 * import { misbehavingAuthorizationServer } from "@keyward/core/testing"
 *
 * await using server = await misbehavingAuthorizationServer({ accessTokenSeconds: 60 })
 * // The second token request rotates the refresh token, and its answer is lost.
 * server.next("token", { fault: "none" }, { fault: "reset", isProcessed: true })
 * // … connect and refresh with the issuer `server.issuer` …
 * console.log(server.requests("token").length, server.reuses)
 * ```
 */
export const misbehavingAuthorizationServer = async (
  options: AuthorizationServerOptions = {},
): Promise<MisbehavingAuthorizationServer> => {
  const state = new AuthorizationServerState(options)
  const endpoints = new Map<AuthorizationServerEndpoint, Endpoint>()
  const endpoint = (name: AuthorizationServerEndpoint): Endpoint => {
    const known = endpoints.get(name) ?? { arrived: [], script: [], standing: undefined, waiting: [] }
    endpoints.set(name, known)
    return known
  }
  const required = { scope: "" }
  const { issuerPath = "" } = options

  const sound = (name: AuthorizationServerEndpoint, request: UpstreamRequest, given: URLSearchParams): SoundAnswer => {
    const { authorization } = request.headers
    switch (name) {
      case "metadata":
        return { status: 200, json: { ...metadataOf(upstream.origin, issuerPath), ...options.metadata } }
      case "protected_resource_metadata":
        return {
          status: 200,
          json: {
            resource: `${upstream.origin}${paths.resource}`,
            authorization_servers: [`${upstream.origin}${issuerPath}`],
            bearer_methods_supported: ["header"],
            ...(options.scopes !== undefined && { scopes_supported: options.scopes }),
          },
        }
      case "authorize":
        return state.authorize(given, `${upstream.origin}${issuerPath}`, request.headers["x-deny"] === "1")
      case "token":
        return state.token(given, authorization)
      case "device_authorization":
        return state.deviceAuthorization(given, authorization, upstream.origin)
      case "revocation":
        return state.revoke(given, authorization)
      case "registration":
        return request.method === "DELETE"
          ? state.unregister(request.path.slice(`${paths.registration}/`.length), authorization)
          : state.register(jsonOf(request) ?? {}, upstream.origin)
      case "pushed_authorization_request":
        return state.push(given, authorization)
      case "resource":
        return resourceAnswer(state, authorization, required.scope, upstream.origin)
    }
  }

  const upstream = await fakeUpstream(async (request): Promise<UpstreamAnswer> => {
    const name = endpointAt(request.path, issuerPath)
    if (name === undefined) return { status: 404, json: { error: "not_found" } }
    const { arrived, script, standing, waiting } = endpoint(name)
    const given = parametersOf(request)
    const { method, headers, abandoned } = request
    const entry: AuthorizationServerRequest = { method, headers, parameters: given, abandoned }
    arrived.push(entry)
    for (const { count, resolve } of waiting) if (count === arrived.length) resolve(entry)
    const fault = script.shift() ?? standing ?? { fault: "none" }
    return answerUnder(fault, () => sound(name, request, new URLSearchParams(given)), request)
  })

  const { origin, host } = upstream
  const close = (): Promise<void> => upstream.close()
  return {
    origin,
    host,
    issuer: `${origin}${issuerPath}`,
    authorizationUrl: `${origin}${paths.authorize}`,
    tokenUrl: `${origin}${paths.token}`,
    deviceAuthorizationUrl: `${origin}${paths.device_authorization}`,
    revocationUrl: `${origin}${paths.revocation}`,
    registrationUrl: `${origin}${paths.registration}`,
    pushedAuthorizationRequestUrl: `${origin}${paths.pushed_authorization_request}`,
    resourceUrl: `${origin}${paths.resource}`,
    next: (name, ...faults) => void endpoint(name).script.push(...faults),
    always: (name, fault) => {
      endpoint(name).standing = fault
    },
    requests: (name) => endpoint(name).arrived,
    received: (name, count) => {
      const { arrived, waiting } = endpoint(name)
      const known = arrived[count - 1]
      return known === undefined
        ? new Promise((resolve) => void waiting.push({ count, resolve }))
        : Promise.resolve(known)
    },
    visit: async (authorizationUrl, { isDenied = false } = {}) => {
      const response = await fetch(authorizationUrl, {
        redirect: "manual",
        ...(isDenied && { headers: { "x-deny": "1" } }),
      })
      const callback = response.headers.get("location")
      if (callback === null) {
        throw new Error(
          `The authorization endpoint answered ${response.status} without a redirect: ${await response.text()}`,
        )
      }
      return callback
    },
    behave: (changes) => {
      state.behaviour = { ...state.behaviour, ...changes }
    },
    requireScope: (scope) => {
      required.scope = scope
    },
    expireAccessTokens: () => state.expireAccessTokens(),
    endGrants: () => state.endGrants(),
    grants: state.grants,
    get reuses() {
      return state.reuses
    },
    secrets: state.secrets,
    close,
    [Symbol.asyncDispose]: close,
  }
}

interface Endpoint {
  readonly arrived: Array<AuthorizationServerRequest>
  readonly script: Array<AuthorizationServerFault>
  standing: AuthorizationServerFault | undefined
  readonly waiting: Array<{ readonly count: number; readonly resolve: (request: AuthorizationServerRequest) => void }>
}

const paths = {
  authorize: "/authorize",
  token: "/token",
  device_authorization: "/device_authorization",
  revocation: "/revoke",
  registration: "/register",
  pushed_authorization_request: "/par",
  resource: "/resource",
} as const

const protectedResourcePath = "/.well-known/oauth-protected-resource"

const endpointAt = (path: string, issuerPath: string): AuthorizationServerEndpoint | undefined => {
  for (const [name, at] of Object.entries(paths)) if (path === at) return name as keyof typeof paths
  if (path.startsWith(`${paths.registration}/`)) return "registration"
  if (path === protectedResourcePath || path === `${protectedResourcePath}${paths.resource}`) {
    return "protected_resource_metadata"
  }
  const forms = [
    `/.well-known/oauth-authorization-server${issuerPath}`,
    `/.well-known/openid-configuration${issuerPath}`,
    `${issuerPath}/.well-known/openid-configuration`,
  ]
  return forms.includes(path) ? "metadata" : undefined
}

const metadataOf = (origin: string, issuerPath: string): Readonly<Record<string, unknown>> => ({
  issuer: `${origin}${issuerPath}`,
  authorization_endpoint: `${origin}${paths.authorize}`,
  token_endpoint: `${origin}${paths.token}`,
  device_authorization_endpoint: `${origin}${paths.device_authorization}`,
  revocation_endpoint: `${origin}${paths.revocation}`,
  registration_endpoint: `${origin}${paths.registration}`,
  pushed_authorization_request_endpoint: `${origin}${paths.pushed_authorization_request}`,
  response_types_supported: ["code"],
  grant_types_supported: [
    "authorization_code",
    "refresh_token",
    "client_credentials",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:grant-type:token-exchange",
    "urn:ietf:params:oauth:grant-type:jwt-bearer",
  ],
  token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
  code_challenge_methods_supported: ["S256"],
  authorization_response_iss_parameter_supported: true,
})

/** RFC 6750, section 3. */
const resourceAnswer = (
  state: AuthorizationServerState,
  authorization: string | undefined,
  required: string,
  origin: string,
): SoundAnswer => {
  const metadata = `resource_metadata="${origin}${protectedResourcePath}${paths.resource}"`
  const challenged = (status: number, challenge: string): SoundAnswer => ({
    status,
    headers: { "www-authenticate": `Bearer ${challenge}` },
    json: { error: "refused" },
  })
  const token = /^bearer (.+)$/i.exec(authorization ?? "")?.[1]
  if (token === undefined) return challenged(401, metadata)
  const access = state.resourceAccess(token)
  if (access === undefined) return challenged(401, `error="invalid_token", ${metadata}`)
  const granted = new Set(access.scope.split(" "))
  if (required !== "" && !required.split(" ").every((scope) => granted.has(scope))) {
    return challenged(403, `error="insufficient_scope", scope="${required}", ${metadata}`)
  }
  return { status: 200, json: { grant: access.grant.id, scope: access.scope } }
}

const parametersOf = (request: UpstreamRequest): URLSearchParams => {
  if (request.method === "GET") return request.query
  const json = jsonOf(request)
  if (json === undefined) return new URLSearchParams(request.text)
  return new URLSearchParams(
    Object.entries(json).map(([name, value]): [string, string] => [
      name,
      typeof value === "string" ? value : JSON.stringify(value),
    ]),
  )
}

const jsonOf = (request: UpstreamRequest): Readonly<Record<string, unknown>> | undefined => {
  if (!/\bjson\b/.test(request.headers["content-type"] ?? "")) return undefined
  const parsed = request.json()
  return typeof parsed === "object" && parsed !== null ? (parsed as Record<string, unknown>) : undefined
}
