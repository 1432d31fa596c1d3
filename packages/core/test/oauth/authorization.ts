/**
 * What the tests of authorization and device requests share: an ordinary server, an ordinary request, and a way out.
 */
import { fakeUpstream } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { onTestFinished } from "vitest"
import { Egress } from "../../src/http/Egress.ts"
import { type AuthorizationRequestInput, newCodeVerifier, newState } from "../../src/oauth/AuthorizationRequest.ts"
import type { AuthorizationServer } from "../../src/oauth/AuthorizationServer.ts"
import type { ClientCredential } from "../../src/oauth/ClientAuthentication.ts"
import { makeOAuthHttp, type OAuthHttp } from "../../src/oauth/OAuthHttp.ts"

/** A server's metadata; `parts` replaces some of it. */
export const server = (parts: Partial<AuthorizationServer> = {}): AuthorizationServer => ({
  issuer: "https://as.example",
  authorizationUrl: "https://as.example/authorize",
  tokenUrl: "https://as.example/token",
  registrationUrl: null,
  deviceAuthorizationUrl: null,
  revocationUrl: null,
  pushedAuthorizationRequestUrl: null,
  requiresPushedAuthorizationRequests: false,
  isIssRequired: false,
  codeChallengeMethodsSupported: null,
  tokenEndpointAuthMethodsSupported: null,
  scopesSupported: null,
  grantTypesSupported: null,
  dpopSigningAlgValuesSupported: null,
  clientIdMetadataDocumentSupported: false,
  ...parts,
})

/** A public client. */
export const publicClient: ClientCredential = { clientId: "the client", method: "none", issuer: "https://as.example" }

/** A way out that fails the test when it is used. */
export const unreachable: OAuthHttp = { send: () => Effect.die("A request was sent.") }

/** An authorization request; `parts` replaces some of it. */
export const request = (parts: Partial<AuthorizationRequestInput> = {}): AuthorizationRequestInput => ({
  http: unreachable,
  server: server(),
  client: publicClient,
  state: newState().state,
  codeVerifier: newCodeVerifier(),
  redirectUri: "http://127.0.0.1:4319/oauth/callback",
  scope: "files:read",
  resource: null,
  params: {},
  quirks: {},
  ...parts,
})

/** A confidential client with a secret of its own. */
export const confidentialClient = (clientSecret: string): ClientCredential => ({
  clientId: "the client",
  method: "client_secret_basic",
  clientSecret: Redacted.make(clientSecret),
  issuer: "https://as.example",
})

/** A real server on the loopback and a real egress to it, both closed with the test. */
export const upstream = async (answers: Parameters<typeof fakeUpstream>[0]) => {
  const fake = await fakeUpstream(answers)
  const egress = new Egress({ allowHosts: [fake.host] })
  onTestFinished(async () => {
    await Effect.runPromise(egress.close())
    await fake.close()
  })
  return { fake, http: makeOAuthHttp(egress) }
}
