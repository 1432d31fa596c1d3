/**
 * The certified oidc-provider as a token context: its public client by default, and a grant of `alice` to begin with.
 */
import { createHash } from "node:crypto"
import * as Redacted from "effect/Redacted"
import { onTestFinished } from "vitest"
import { newCodeVerifier } from "../../src/oauth/AuthorizationRequest.ts"
import type { DpopKey } from "../../src/oauth/Dpop.ts"
import type { TokenContext } from "../../src/oauth/TokenEndpoint.ts"
import type { TokenSet } from "../../src/oauth/TokenSet.ts"
import { type OidcOptions, oidcRedirectUri } from "./oidc/OidcOptions.ts"
import { oidcProvider, type OidcProvider } from "./oidc/oidcProvider.ts"
import { openHttp, tokensOf } from "./tokenServer.ts"

export interface CertifiedServer {
  readonly provider: OidcProvider
  readonly context: TokenContext
  /** Tokens of a new grant, bound to the key if there is one. */
  readonly grant: (dpop?: DpopKey) => Promise<TokenSet>
}

export const certifiedServer = async (options: OidcOptions = {}): Promise<CertifiedServer> => {
  const provider = await oidcProvider(options)
  onTestFinished(() => provider.close())
  const { issuer } = provider
  const context: TokenContext = {
    http: openHttp(),
    tokenUrl: `${issuer}/token`,
    client: { clientId: "public", method: "none", issuer },
    quirks: {},
  }
  const grant = async (dpop?: DpopKey): Promise<TokenSet> => {
    const codeVerifier = newCodeVerifier()
    const parameters = new URLSearchParams({
      response_type: "code",
      client_id: "public",
      redirect_uri: oidcRedirectUri,
      scope: "openid offline_access files:read",
      prompt: "consent",
      code_challenge: createHash("sha256").update(Redacted.value(codeVerifier)).digest("base64url"),
      code_challenge_method: "S256",
      ...(dpop !== undefined && { dpop_jkt: dpop.thumbprint }),
    })
    const callback = new URL(await provider.authorize(`${issuer}/auth?${parameters.toString()}`))
    const code = Redacted.make(callback.searchParams.get("code") ?? "")
    return tokensOf(
      { ...context, dpop },
      { type: "authorization_code", code, redirectUri: oidcRedirectUri, codeVerifier, resource: null },
    )
  }
  return { provider, context, grant }
}
