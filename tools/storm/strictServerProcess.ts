/**
 * The certified oidc-provider in a process of its own: rotates every refresh token, and revokes the grant when a spent one is used.
 *
 * Whoever comes to authorize is signed in as somebody new and consents. `GET /resource` wants an access token, judged to the
 * millisecond. Spawned by `AuthorizationServer.ts`.
 */
import { randomUUID } from "node:crypto"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { Provider } from "oidc-provider"
import { type GrantConstructor, strictConfiguration } from "../authorization-server/strictConfiguration.ts"
import type {
  AuthorizationServerMessage,
  AuthorizationServerOptions,
  AuthorizationServerReport,
  TokenRequestSeen,
} from "./AuthorizationServerMessages.ts"

/** The parts of oidc-provider that are used here and that nobody has written types for. */
interface Context {
  readonly req: IncomingMessage
  readonly oidc: {
    readonly params: Readonly<Record<string, unknown>>
    readonly entities: { readonly AccessToken?: { readonly grantId: string } }
  }
}
interface Interactions {
  readonly Grant: GrantConstructor
  interactionFinished(request: IncomingMessage, response: ServerResponse, result: object): Promise<void>
}

const { accessTokenSeconds, answerMs } = JSON.parse(process.argv[2] ?? "{}") as AuthorizationServerOptions
const lifetimeMs = accessTokenSeconds * 1000

interface Grant {
  issuedAt: number
  rotations: ReadonlyArray<TokenRequestSeen>
  revoked: TokenRequestSeen | null
}
const grants = new Map<string, Grant>()
const tokens = new Map<string, { readonly grantId: string; readonly at: number }>()
const arrivals = new WeakMap<IncomingMessage, TokenRequestSeen>()
const refused = new Map<string, number>()
const counts = { requests: 0, expiries: 0, early: 0 }

const serveResource = (request: IncomingMessage, response: ServerResponse): void => {
  const token = tokens.get(/^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1] ?? "")
  const isGood =
    token !== undefined && Date.now() < token.at + lifetimeMs && grants.get(token.grantId)?.revoked === null
  response.writeHead(isGood ? 200 : 401, {
    "content-type": "application/json",
    ...(!isGood && { "www-authenticate": `Bearer error="invalid_token"` }),
  })
  response.end(JSON.stringify({ isGood }))
}

const slowDown = (response: ServerResponse): void => {
  const end = response.end.bind(response)
  response.end = ((...given: Parameters<typeof end>) => {
    setTimeout(() => end(...given), answerMs)
    return response
  }) as typeof response.end
}

/** Clients count the life of a token from when they asked for it, so the first half is what they surely do not replace. */
const countRotation = (grant: Grant, by: TokenRequestSeen | null): void => {
  const now = by?.at ?? Date.now()
  if (now - grant.issuedAt < lifetimeMs / 2) counts.early += 1
  else counts.expiries += 1
  grant.issuedAt = now
  if (by !== null) grant.rotations = [...grant.rotations.slice(-2), by]
}

const report = (): AuthorizationServerReport => ({
  ...counts,
  refused: Object.fromEntries(refused),
  grants: [...grants.values()].map(({ rotations, revoked }) => ({ rotations, revoked })),
})

const send = (message: AuthorizationServerMessage): void => void process.send?.(message)

const server = createServer()
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo
  const provider: Provider = new Provider(
    `http://127.0.0.1:${port}`,
    strictConfiguration(accessTokenSeconds, () => interactions.Grant),
  )
  const interactions = provider as unknown as Interactions
  const signIn = (request: IncomingMessage, response: ServerResponse): Promise<void> =>
    interactions.interactionFinished(request, response, { login: { accountId: randomUUID() } })
  provider.on("access_token.saved", ({ jti, grantId }: { readonly jti: string; readonly grantId: string }) => {
    tokens.set(jti, { grantId, at: Date.now() })
  })
  provider.on("grant.success", ({ req, oidc }: Context) => {
    const grantId = oidc.entities.AccessToken?.grantId ?? ""
    const known = grants.get(grantId)
    if (known === undefined)
      grants.set(grantId, { issuedAt: arrivals.get(req)?.at ?? Date.now(), rotations: [], revoked: null })
    else countRotation(known, arrivals.get(req) ?? null)
  })
  provider.on(
    "grant.error",
    (_: Context, error: Error & { readonly error?: string; readonly error_detail?: string }) => {
      const word = `${error.error ?? "server_error"}: ${error.error_detail ?? error.message}`
      refused.set(word, (refused.get(word) ?? 0) + 1)
    },
  )
  provider.on("grant.revoked", ({ req }: Context, grantId: string) => {
    const grant = grants.get(grantId)
    if (grant !== undefined) grant.revoked = arrivals.get(req) ?? null
  })
  const serve = provider.callback()
  server.on("request", (request, response) => {
    if (request.url === "/resource") return serveResource(request, response)
    if (request.url?.startsWith("/interaction/") === true) return void signIn(request, response)
    if (request.url === "/token") {
      slowDown(response)
      arrivals.set(request, { at: Date.now(), port: request.socket.remotePort ?? 0 })
    }
    void serve(request, response)
  })
  const isRefresh = ({ oidc }: Context): boolean => oidc.params["grant_type"] === "refresh_token"
  for (const outcome of ["grant.success", "grant.error", "server_error"]) {
    provider.on(outcome, (context: Context) => {
      if (isRefresh(context)) counts.requests += 1
    })
  }
  send({ type: "listening", port })
})

process.on("message", (id: number) => send({ type: "report", id, report: report() }))
process.on("disconnect", () => process.exit())
