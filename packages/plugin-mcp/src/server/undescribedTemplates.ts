/**
 * How connections may authenticate at a server that wants authorization and publishes nothing about it: with a token that somebody pastes,
 * and at the endpoints that the MCP specification of 2025-03-26 gave to servers without metadata, if they are there.
 *
 * Those are at the server's own origin, so that codes and tokens stay with whoever gets the tokens in any case.
 */
import type { AuthTemplate, OAuth2Template, PluginContext } from "@keyward/core"

/** The templates; asks the server for its page at most. */
export const undescribedTemplates = async (
  context: Pick<PluginContext, "fetch">,
  url: string,
): Promise<ReadonlyArray<AuthTemplate>> => {
  const { origin } = new URL(url)
  const rest: ReadonlyArray<AuthTemplate> = [
    { slug: "bearer", type: "bearer" },
    { slug: "none", type: "none" },
  ]
  return (await hasPage(context, `${origin}/authorize`)) ? [defaultEndpoints(origin, url), ...rest] : rest
}

const defaultEndpoints = (origin: string, resource: string): OAuth2Template => ({
  slug: "oauth",
  type: "oauth2",
  authorizationUrl: `${origin}/authorize`,
  tokenUrl: `${origin}/token`,
  registrationUrl: `${origin}/register`,
  resource,
})

/** Without parameters an authorization endpoint complains, and one way or another; what is not there says so, or turns strangers away. */
const hasPage = async ({ fetch }: Pick<PluginContext, "fetch">, url: string): Promise<boolean> => {
  try {
    const response = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(pageTimeoutMs) })
    await response.body?.cancel()
    return !absences.has(response.status)
  } catch {
    return false
  }
}

const pageTimeoutMs = 5000

const absences: ReadonlySet<number> = new Set([401, 403, 404, 405, 410, 429, 501, 502, 503, 504])
