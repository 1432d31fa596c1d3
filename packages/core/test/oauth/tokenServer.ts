/**
 * A token endpoint on the loopback that answers as told, and what a test needs to call it and to look at what came of it.
 */
import { canary, CanaryScanner, type FakeUpstream, fakeUpstream, type UpstreamRoute } from "@keyward/core/testing"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import { expect, onTestFinished } from "vitest"
import { Egress, type EgressOptions } from "../../src/http/Egress.ts"
import { makeOAuthHttp, type OAuthHttp, type OAuthResponse } from "../../src/oauth/OAuthHttp.ts"
import { requestTokens, type TokenContext, type TokenRequest } from "../../src/oauth/TokenEndpoint.ts"
import type { TokenRequestError } from "../../src/oauth/tokenFailure.ts"
import type { TokenSet } from "../../src/oauth/TokenSet.ts"

export const openHttp = (options: EgressOptions = {}): OAuthHttp => {
  const egress = new Egress({ allowHosts: ["127.0.0.1"], ...options })
  onTestFinished(() => Effect.runPromise(egress.close()))
  return makeOAuthHttp(egress)
}

export interface TokenServer {
  readonly upstream: FakeUpstream
  readonly context: TokenContext
}

/** Serves `/token`; the client is confidential and posts its secret, unless told otherwise. */
export const tokenServer = async (
  answers: UpstreamRoute,
  parts: Partial<TokenContext> = {},
  options: EgressOptions = {},
): Promise<TokenServer> => {
  const upstream = await fakeUpstream({ "POST /token": answers })
  onTestFinished(() => upstream.close())
  return { upstream, context: contextFor(openHttp(options), `${upstream.origin}/token`, parts) }
}

/** A context whose endpoint gives one answer without a network; `sentAt` is 1 000 000. */
export const answering = (response: Partial<OAuthResponse>, parts: Partial<TokenContext> = {}): TokenContext =>
  contextFor(
    {
      send: () =>
        Effect.succeed({
          status: 200,
          headers: { "content-type": "application/json" },
          body: "",
          sentAt: 1_000_000,
          ...response,
        }),
    },
    "https://as.example/token",
    parts,
  )

const contextFor = (http: OAuthHttp, tokenUrl: string, parts: Partial<TokenContext>): TokenContext => ({
  http,
  tokenUrl,
  client: {
    clientId: "client-1",
    method: "client_secret_post",
    clientSecret: Redacted.make("secret-of-client-1"),
    issuer: "https://as.example",
  },
  quirks: {},
  ...parts,
})

export const refresh = (token = "refresh-1"): TokenRequest => ({
  type: "refresh_token",
  refreshToken: Redacted.make(token),
  scope: null,
  resource: null,
})

export const clientCredentials: TokenRequest = { type: "client_credentials", scope: null, resource: null }

export const tokensOf = (context: TokenContext, request: TokenRequest = refresh()): Promise<TokenSet> =>
  Effect.runPromise(requestTokens(context, request))

export const failureOf = (context: TokenContext, request: TokenRequest = refresh()): Promise<TokenRequestError> =>
  Effect.runPromise(Effect.flip(requestTokens(context, request)))

/** The parts of a token set that can be compared. */
export const clear = ({ accessToken, refreshToken, ...rest }: TokenSet) => ({
  ...rest,
  accessToken: Redacted.value(accessToken),
  refreshToken: refreshToken === undefined ? undefined : Redacted.value(refreshToken),
})

/** The form that the request at `index` carried; fails when a name comes twice. */
export const formOf = ({ requests }: FakeUpstream, index = 0): Readonly<Record<string, string>> => {
  const parameters = new URLSearchParams(requests[index]?.text)
  expect([...parameters.keys()]).toEqual([...new Set(parameters.keys())])
  return Object.fromEntries(parameters)
}

/** Secrets to be planted in an answer and in a request. */
export const canaries = {
  access: canary("access"),
  refresh: canary("refresh"),
  used: canary("used"),
  id: canary("id"),
  secret: canary("secret"),
}

/** Fails when a planted secret is in what an effect ended with: the error, its cause, or how they print. */
export const expectNoSecret = async <A, E>(effect: Effect.Effect<A, E>, secrets: Iterable<string>): Promise<void> => {
  const exit = await Effect.runPromiseExit(effect)
  const scanner = new CanaryScanner(secrets)
  scanner.expectNone(exit, "the exit")
  if (Exit.isFailure(exit)) scanner.expectNone(Cause.pretty(exit.cause), "the printed cause")
}
