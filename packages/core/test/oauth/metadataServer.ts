/** A server on the loopback that publishes OAuth metadata, and the way to it through a real egress. */
import { type FakeUpstream, fakeUpstream, type UpstreamAnswer, type UpstreamRoute } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import { onTestFinished } from "vitest"
import { Egress } from "../../src/http/Egress.ts"
import { makeOAuthHttp, type OAuthHttp } from "../../src/oauth/OAuthHttp.ts"

/** Routes by path; a function of the origin, because documents name it. Others get 404. */
export const publish = async (
  routes: (origin: string) => Readonly<Record<string, UpstreamRoute>>,
): Promise<FakeUpstream> => {
  let known: Readonly<Record<string, UpstreamRoute>> = {}
  const server = await fakeUpstream((request) => {
    const route = known[request.path] ?? { status: 404 }
    return typeof route === "function" ? route(request) : (route as UpstreamAnswer)
  })
  known = routes(server.origin)
  onTestFinished(() => server.close())
  return server
}

/** OAuth requests that may reach the loopback, or only what `allowHosts` says. */
export const openHttp = (allowHosts: ReadonlyArray<string> = ["127.0.0.1"]): OAuthHttp => {
  const egress = new Egress({ allowHosts })
  onTestFinished(() => Effect.runPromise(egress.close()))
  return makeOAuthHttp(egress)
}

/** The paths that were asked, in order. */
export const asked = (server: FakeUpstream): ReadonlyArray<string> => server.requests.map(({ url }) => url)

/** The smallest document that is believed. */
export const serverMetadata = (issuer: string, more: Readonly<Record<string, unknown>> = {}): UpstreamAnswer => ({
  json: {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    response_types_supported: ["code"],
    ...more,
  },
})

/** JSON that nests deeper than a recursive reader can follow. */
export const deepJson = (members: string): string => `{${members},"deep":${"[".repeat(100_000)}${"]".repeat(100_000)}}`
