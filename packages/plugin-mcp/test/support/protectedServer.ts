/**
 * An MCP server that wants access tokens of a real authorization server, as the MCP specification describes it.
 */
import { onTestFinished } from "vitest"
import type { OidcOptions } from "../../../core/test/oauth/oidc/OidcOptions.ts"
import { type OidcProvider, oidcProvider } from "../../../core/test/oauth/oidc/oidcProvider.ts"
import type { TestServer, TestServerOptions } from "./modernServer.ts"

/** The pair of servers. */
export interface ProtectedServer {
  readonly server: TestServer
  readonly provider: OidcProvider
  /** The tokens that calls of tools came with, in order. */
  readonly tokens: ReadonlyArray<string>
  /** Turns a token away from now on. */
  revoke(token: string): void
}

/** Starts both. A call of `whoami` needs the scope `files:write` where `isStrict`. */
export const protectedServer = async (
  start: (options: TestServerOptions) => Promise<TestServer>,
  { isStrict = false, oidc = {} }: { readonly isStrict?: boolean; readonly oidc?: OidcOptions } = {},
): Promise<ProtectedServer> => {
  const provider = await oidcProvider(oidc)
  onTestFinished(() => provider.close())
  const tokens: Array<string> = []
  const revoked = new Set<string>()
  const server = await start({
    guard: (request, body) => {
      const { origin, pathname } = new URL(request.url)
      const resource = `${origin}/mcp`
      if (pathname === "/.well-known/oauth-protected-resource/mcp") {
        const scopes = ["files:read", "files:write"]
        return Response.json({ resource, authorization_servers: [provider.issuer], scopes_supported: scopes })
      }
      if (pathname !== "/mcp") return new Response(null, { status: 404 })
      const metadata = `resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"`
      const token = /^Bearer (.+)$/.exec(request.headers.get("authorization") ?? "")?.[1]
      if (token === undefined || revoked.has(token) || !isFor(token, resource)) {
        return refused(401, `Bearer ${metadata}, scope="files:read"`)
      }
      const { method, params } = (body ?? {}) as {
        readonly method?: string
        readonly params?: { readonly name?: string }
      }
      if (method !== "tools/call") return undefined
      tokens.push(token)
      const needsMore = isStrict && params?.name === "whoami" && !scopesOf(token).includes("files:write")
      return needsMore ? refused(403, `Bearer error="insufficient_scope", scope="files:write", ${metadata}`) : undefined
    },
  })
  return { server, provider, tokens, revoke: (token) => void revoked.add(token) }
}

const refused = (status: number, challenge: string): Response =>
  Response.json({ error: "unauthorized" }, { status, headers: { "www-authenticate": challenge } })

/** The claims of a JWT, unverified. */
export const claimsOf = (token: string): { readonly aud?: string; readonly scope?: string; readonly exp?: number } =>
  JSON.parse(Buffer.from(token.split(".")[1] ?? "e30", "base64url").toString())

const isFor = (token: string, resource: string): boolean => {
  const { aud, exp = 0 } = claimsOf(token)
  return aud === resource && exp * 1000 > Date.now()
}

/** What a token is good for. */
export const scopesOf = (token: string): ReadonlyArray<string> => claimsOf(token).scope?.split(" ") ?? []
