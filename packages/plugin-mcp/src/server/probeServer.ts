/**
 * Looks at a URL: is an MCP server there, which revision does it speak, does it want authorization, and from whom.
 */
import {
  type AuthTemplate,
  type Fetch,
  OAuthDiscoveryError,
  type PluginContext,
  type ProbeOAuthInput,
  type ProbeResult,
} from "@keyward/core"
import { SdkError, SdkErrorCode, SdkHttpError, UnauthorizedError } from "@modelcontextprotocol/client"
import type { CallScope } from "../call/callScope.ts"
import { connectLink, type LinkSettings } from "../link/connectLink.ts"
import { deriveAuthTemplates } from "./authTemplates.ts"
import { canonicalUrl } from "./McpConfig.ts"
import { McpServerError } from "./McpServerError.ts"
import { undescribedTemplates } from "./undescribedTemplates.ts"

/** What to look at. */
export interface ProbeServerInput {
  readonly url: string
}

/** Where tokens for a server come from. */
export type McpAuthorization = ProbeResult

/** What was found. */
export interface McpServerProbe {
  /** As it is stored and named to authorization servers. */
  readonly url: string
  /** The revision that would be spoken; `null` where the server tells nobody without a credential. */
  readonly revision: string | null
  readonly server: { readonly name: string; readonly version: string } | null
  readonly authorizationRequired: boolean
  /** `null` where no authorization server was found: then connections paste a token, or need none. */
  readonly authorization: McpAuthorization | null
  /** What `addServer` uses unless it is told otherwise. */
  readonly authTemplates: ReadonlyArray<AuthTemplate>
}

/** Probes a URL, without a credential. Rejects with `McpServerError` where there is no server to speak of. */
export const probeServer = async (
  context: Pick<PluginContext, "fetch" | "oauth">,
  settings: LinkSettings,
  input: ProbeServerInput,
): Promise<McpServerProbe> => {
  const url = canonicalUrl(input.url)
  const { greeting, wwwAuthenticate } = await greet(context, settings, url)
  const authorization = await authorizationOf(context, { url, wwwAuthenticate }, greeting !== null)
  if (greeting === null) {
    const authTemplates =
      authorization === null ? await undescribedTemplates(context, url) : deriveAuthTemplates(url, authorization)
    return { url, revision: null, server: null, authorizationRequired: true, authorization, authTemplates }
  }
  return {
    url,
    ...greeting,
    authorizationRequired: false,
    authorization,
    authTemplates: deriveAuthTemplates(url, authorization),
  }
}

interface Answer {
  /** `null`: the server tells strangers nothing but how they become known. */
  readonly greeting: Pick<McpServerProbe, "revision" | "server"> | null
  /** What it said with a 401; empty where there was none. */
  readonly wwwAuthenticate: string
}

const greet = async ({ fetch }: Pick<PluginContext, "fetch">, settings: LinkSettings, url: string): Promise<Answer> => {
  const signal = AbortSignal.timeout(settings.connectTimeoutMs)
  let wwwAuthenticate = ""
  const listening: Fetch = async (target, init) => {
    const response = await fetch(target, init)
    if (response.status === 401) wwwAuthenticate = response.headers.get("www-authenticate") ?? ""
    return response
  }
  const scope: CallScope = { fetch: listening, signal, elicit: undefined, failure: undefined, isOver: false }
  const purpose = {
    config: { transport: "http", url },
    fetch,
    environment: {},
    onToolsChanged: () => undefined,
  } as const
  try {
    const link = await connectLink(settings, purpose, scope)
    const { revision, server } = link
    await link.close()
    return { greeting: { revision, server }, wwwAuthenticate }
  } catch (error) {
    if (error instanceof UnauthorizedError || statusOf(error) === 401 || statusOf(error) === 403) {
      return { greeting: null, wwwAuthenticate }
    }
    throw notUsable(url, error)
  }
}

const statusOf = (error: unknown): number | undefined => (error instanceof SdkHttpError ? error.status : undefined)

const notUsable = (url: string, error: unknown): unknown => {
  const server = url.split("?", 1)[0] ?? url
  const status = statusOf(error)
  if (status !== undefined && status >= 500) {
    return new McpServerError({ server, reason: "unreachable", nextStep: `It answered with the status ${status}.` })
  }
  if (error instanceof SdkError && error.code === SdkErrorCode.RequestTimeout) {
    return new McpServerError({ server, reason: "unreachable", nextStep: "It did not answer in time." })
  }
  // Core's own errors say what is wrong with the address or the network.
  if (error instanceof Error && "_tag" in error) return error
  return new McpServerError({
    server,
    reason: "not_mcp",
    nextStep: "Nothing there speaks MCP over HTTP. Pass the URL of the server's endpoint, which often ends in /mcp.",
  })
}

const authorizationOf = async (
  { oauth }: Pick<PluginContext, "oauth">,
  input: ProbeOAuthInput,
  isOpen: boolean,
): Promise<ProbeResult | null> => {
  try {
    return await oauth.probe(input)
  } catch (error) {
    // Nobody is kept from a server that is open because of what it publishes badly.
    if (error instanceof OAuthDiscoveryError && (isOpen || error.reason === "not_found")) return null
    throw error
  }
}
