/**
 * Which parameters a provider may add to an authorization or device request, as data: all but those of the protocol.
 */
import type { OAuthQuirks } from "../auth/OAuthQuirks.ts"

/** The first of the names that belongs to the protocol, under whatever name a quirk gives it; `undefined`: none does. */
export const reservedParameter = (
  params: Readonly<Record<string, string>>,
  { clientIdParameter, scopeParameter }: OAuthQuirks,
): string | undefined => {
  const renamed = [clientIdParameter?.toLowerCase(), scopeParameter?.toLowerCase()]
  return Object.keys(params).find((name) => {
    // In lower case: a lax server might read `State` too.
    const lowered = name.toLowerCase()
    return protocolNames.has(lowered) || renamed.includes(lowered)
  })
}

const protocolNames: ReadonlySet<string> = new Set([
  "response_type",
  "client_id",
  "redirect_uri",
  "scope",
  "state",
  "resource",
  "code_challenge",
  "code_challenge_method",
  "dpop_jkt",
  "request",
  "request_uri",
  "code_verifier",
  "client_secret",
  "client_assertion",
  "client_assertion_type",
])
