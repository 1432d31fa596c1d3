/**
 * From a server's config to a connected client.
 */
import type { Fetch } from "@keyward/core"
import { SdkError, SdkErrorCode, type Transport } from "@modelcontextprotocol/client"
import type { CallScope } from "../call/callScope.ts"
import type { McpConfig } from "../server/McpConfig.ts"
import { HttpTransport } from "./HttpTransport.ts"
import { McpLink } from "./McpLink.ts"
import { type ProcessLimits, ProcessTransport } from "./ProcessTransport.ts"

/** What a plugin's clients have in common. */
export interface LinkSettings extends ProcessLimits {
  readonly clientInfo: { readonly name: string; readonly version: string }
  readonly connectTimeoutMs: number
  readonly mostToolPages: number
  readonly mostTools: number
}

/** What one client needs to know. */
export interface LinkPurpose {
  readonly config: McpConfig
  /** For what belongs to no call. */
  readonly fetch: Fetch
  /** The credential's variables, for a process. */
  readonly environment: Readonly<Record<string, string>>
  readonly onToolsChanged: () => void
  readonly onClose?: (() => void) | undefined
}

/** Makes a client and connects it on behalf of a call. Rejects as the client does, with everything ended that was begun. */
export const connectLink = async (settings: LinkSettings, purpose: LinkPurpose, scope: CallScope): Promise<McpLink> => {
  if (purpose.config.transport === "http") return connected(settings, purpose, scope, false)
  try {
    return await connected(settings, purpose, scope, false)
  } catch (error) {
    // Some old servers end over a question that they do not know; then it is not asked.
    const hasEnded = error instanceof SdkError && endCodes.has(error.code)
    if (!hasEnded || scope.signal.aborted) throw error
    return connected(settings, purpose, scope, true)
  }
}

const endCodes: ReadonlySet<string> = new Set([
  SdkErrorCode.ConnectionClosed,
  SdkErrorCode.NotConnected,
  SdkErrorCode.EraNegotiationFailed,
])

const connected = async (
  settings: LinkSettings,
  purpose: LinkPurpose,
  scope: CallScope,
  isOld: boolean,
): Promise<McpLink> => {
  const link = new McpLink({
    transport: transportOf(settings, purpose),
    clientInfo: settings.clientInfo,
    connectTimeoutMs: settings.connectTimeoutMs,
    mostToolPages: settings.mostToolPages,
    mostTools: settings.mostTools,
    onToolsChanged: purpose.onToolsChanged,
    onClose: purpose.onClose ?? (() => undefined),
    isOld,
  })
  try {
    await link.connect(scope)
  } catch (error) {
    await link.close()
    // What the client says of a request that was not sent or not answered is its own reading; the reason itself is better.
    throw scope.failure ?? error
  }
  return link
}

const transportOf = (settings: LinkSettings, { config, fetch, environment }: LinkPurpose): Transport =>
  config.transport === "http"
    ? new HttpTransport(new URL(config.url), { fetch })
    : new ProcessTransport(config, environment, settings)
