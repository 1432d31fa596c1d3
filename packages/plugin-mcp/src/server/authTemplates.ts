/**
 * How connections of a server authenticate when the host does not say: as the server itself asks for it.
 */
import type { AuthTemplate, OAuth2Template, ProbeResult } from "@keyward/core"

/**
 * An `oauth2` template for the authorization server that was found, and `none`.
 *
 * Scopes are those of the challenge, else those that the resource lists, else none are asked for, which is the order of the MCP
 * specification. Its flows are refused where the server does not say that it knows PKCE.
 */
export const deriveAuthTemplates = (url: string, found: ProbeResult | null): ReadonlyArray<AuthTemplate> =>
  found === null ? [none] : [oauthTemplate(url, found), none]

const none: AuthTemplate = { slug: "none", type: "none" }

const oauthTemplate = (url: string, found: ProbeResult): OAuth2Template => {
  const scopes = found.challengedScope?.split(" ").filter((scope) => scope !== "") ?? found.resourceScopesSupported
  return {
    slug: "oauth",
    type: "oauth2",
    issuer: found.issuer,
    resource: found.resource ?? url,
    quirks: { pkce: "advertised" },
    ...(found.dpopBoundAccessTokensRequired === true ? { dpop: true } : {}),
    ...(scopes === undefined || scopes.length === 0 ? {} : { scopes: [...new Set(scopes)] }),
  }
}
