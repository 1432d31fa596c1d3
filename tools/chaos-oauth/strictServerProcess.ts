/**
 * The certified oidc-provider in a process of its own: rotates every refresh token, and revokes the grant when a spent one is used.
 *
 * Whoever comes to authorize is signed in as somebody new and consents. `GET /resource` wants an access token, judged to the
 * millisecond. Spawned by `StrictServer.ts`.
 */
import { randomUUID } from "node:crypto"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { Provider } from "oidc-provider"
import { type GrantConstructor, strictConfiguration } from "../authorization-server/strictConfiguration.ts"
import type { StrictServerMessage, StrictServerOptions, StrictServerReport } from "./StrictServerMessages.ts"

/** The parts of oidc-provider that are used here and that nobody has written types for. */
interface Context {
  readonly oidc: {
    readonly params: Readonly<Record<string, unknown>>
    readonly entities: { readonly AccessToken?: Token }
  }
}
interface Token {
  readonly jti: string
  readonly grantId: string
}
interface Interactions {
  readonly Grant: GrantConstructor
  interactionFinished(request: IncomingMessage, response: ServerResponse, result: object): Promise<void>
}

const { accessTokenSeconds, turnDownShare = 0 } = JSON.parse(process.argv[2] ?? "{}") as StrictServerOptions
const lifetimeMs = accessTokenSeconds * 1000

const refused = new Map<string, number>()
const revoked = new Set<string>()
const tokens = new Map<string, { readonly grantId: string; readonly at: number }>()
/** By grant: its newest token, and when the resource turned a good one down. */
const newest = new Map<string, number>()
const turnedDown = new Map<string, number>()
const counts = { refreshes: 0, early: 0, turnedDown: 0 }

const signIn = (provider: Interactions, request: IncomingMessage, response: ServerResponse): Promise<void> =>
  provider.interactionFinished(request, response, { login: { accountId: randomUUID() } })

const serveResource = (request: IncomingMessage, response: ServerResponse): void => {
  const found = tokens.get(/^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1] ?? "")
  const now = Date.now()
  let isGood = found !== undefined && now < found.at + lifetimeMs && !revoked.has(found.grantId)
  // Once a minute per grant: a client that gets a second token turned down at once may well believe the service.
  if (isGood && found !== undefined && now - (turnedDown.get(found.grantId) ?? 0) > 60_000) {
    if (Math.random() < turnDownShare) {
      isGood = false
      counts.turnedDown += 1
      turnedDown.set(found.grantId, now)
      for (const [value, token] of tokens) if (token.grantId === found.grantId) tokens.delete(value)
    }
  }
  response.writeHead(isGood ? 200 : 401, {
    "content-type": "application/json",
    ...(!isGood && { "www-authenticate": `Bearer error="invalid_token"` }),
  })
  response.end(JSON.stringify({ isGood }))
}

/**
 * Counts a refresh in the first half of the life of the token in force, unless the resource had turned that one down.
 *
 * Not the first three quarters, because clients count from when they asked, and the proxy takes its time.
 */
const judge = (grantId: string): void => {
  const before = newest.get(grantId) ?? 0
  const now = Date.now()
  counts.refreshes += 1
  newest.set(grantId, now)
  const wasTurnedDown = (turnedDown.get(grantId) ?? 0) > before
  if (!wasTurnedDown && now - before < lifetimeMs / 2) counts.early += 1
}

const report = (): StrictServerReport => ({
  ...counts,
  revoked: revoked.size,
  refused: Object.fromEntries(refused),
  grants: newest.size,
})

const send = (message: StrictServerMessage): void => void process.send?.(message)

const server = createServer()
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo
  const provider: Provider = new Provider(
    `http://127.0.0.1:${port}`,
    strictConfiguration(accessTokenSeconds, () => interactions.Grant),
  )
  const interactions = provider as unknown as Interactions
  provider.on("access_token.saved", ({ jti, grantId }: Token) => {
    tokens.set(jti, { grantId, at: Date.now() })
  })
  provider.on("grant.success", ({ oidc }: Context) => {
    const grantId = oidc.entities.AccessToken?.grantId ?? ""
    if (oidc.params["grant_type"] === "refresh_token") judge(grantId)
    else newest.set(grantId, Date.now())
  })
  provider.on(
    "grant.error",
    (_: Context, error: Error & { readonly error?: string; readonly error_detail?: string }) => {
      const word = `${error.error ?? "server_error"}: ${error.error_detail ?? error.message}`
      refused.set(word, (refused.get(word) ?? 0) + 1)
    },
  )
  provider.on("grant.revoked", (_: Context, grantId: string) => {
    revoked.add(grantId)
  })
  const serve = provider.callback()
  server.on("request", (request, response) => {
    if (request.url === "/resource") serveResource(request, response)
    else if (request.url?.startsWith("/interaction/") === true) void signIn(interactions, request, response)
    else void serve(request, response)
  })
  send({ type: "listening", port })
})

process.on("message", (id: number) => send({ type: "report", id, report: report() }))
process.on("disconnect", () => process.exit())
