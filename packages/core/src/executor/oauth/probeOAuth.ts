/**
 * `oauth.probe`: which authorization server a URL leads to, and what that one can do.
 */
import * as Effect from "effect/Effect"
import type { ProbeOAuthInput, ProbeResult } from "../../oauth/Discovery.ts"
import { OAuthDiscoveryError } from "../../oauth/OAuthError.ts"
import type { Resources } from "../Resources.ts"
import { protocolOf } from "./protocol.ts"

/** Asks the URL and whatever it names. Needs no identity: nothing is stored and nothing secret is sent. */
export const probeOAuth = (
  resources: Resources,
  { url, wwwAuthenticate }: ProbeOAuthInput,
): Effect.Effect<ProbeResult, OAuthDiscoveryError> =>
  typeof url === "string" && URL.canParse(url)
    ? Effect.flatMap(protocolOf(resources), ({ discovery }) => discovery.probe({ url, wwwAuthenticate }))
    : Effect.fail(
        new OAuthDiscoveryError({
          reason: "invalid_url",
          origin: "",
          nextStep: "Pass an absolute URL.",
          retryable: false,
        }),
      )
