/** Dynamic client registration (RFC 7591) and its end (RFC 7592, section 2.3). */
import { canary, CanaryScanner, type FakeUpstream, filler, type UpstreamAnswer } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { describe, expect, it } from "vitest"
import { type AuthorizationServer, serverByHand } from "../../src/oauth/AuthorizationServer.ts"
import {
  type ClientRegistrationInput,
  deleteRegistration,
  registerClient,
  type RegisteredClient,
} from "../../src/oauth/ClientRegistration.ts"
import type { OAuthRegistrationError } from "../../src/oauth/OAuthError.ts"
import { deepJson, openHttp, publish } from "./metadataServer.ts"

const redirectUri = "https://app.example/oauth/callback"

const browser: ClientRegistrationInput = {
  redirectUri,
  grantTypes: ["authorization_code"],
  clientName: "Example",
  scope: "files:read files:write",
}

const serverAt = (origin: string, more: Partial<AuthorizationServer> = {}): AuthorizationServer => ({
  ...serverByHand({
    authorizationUrl: `${origin}/authorize`,
    tokenUrl: `${origin}/token`,
    deviceAuthorizationUrl: null,
    revocationUrl: null,
    pushedAuthorizationRequestUrl: null,
  }),
  issuer: origin,
  registrationUrl: `${origin}/register`,
  ...more,
})

/** A server that answers registrations, with what it was asked merged in unless `answer` is the whole answer. */
const registrar = (answer: Readonly<Record<string, unknown>>, status = 201): Promise<FakeUpstream> =>
  publish(() => ({
    "/register": (request) => ({ status, json: { ...(request.json() as object), client_id: "id-1", ...answer } }),
  }))

const withSecret = { client_secret: "secret-1", client_secret_expires_at: 0 }

interface Case {
  readonly input?: Partial<ClientRegistrationInput>
  readonly server?: Partial<AuthorizationServer>
}

const register = (at: FakeUpstream, { input, server }: Case = {}): Promise<RegisteredClient> =>
  Effect.runPromise(registerClient(openHttp(), serverAt(at.origin, server), { ...browser, ...input }))

const failure = (at: FakeUpstream, { input, server }: Case = {}): Promise<OAuthRegistrationError> =>
  Effect.runPromise(Effect.flip(registerClient(openHttp(), serverAt(at.origin, server), { ...browser, ...input })))

describe("a registration request", () => {
  const requested = async (options: Case = {}): Promise<unknown> => {
    const server = await registrar(withSecret)
    await register(server, options)
    return server.requests[0]?.json()
  }

  it("says what the application is", async () => {
    const server = await registrar(withSecret)
    await register(server)
    expect(server.requests[0]).toMatchObject({ method: "POST", headers: { "content-type": "application/json" } })
    expect(server.requests[0]?.headers.authorization).toBeUndefined()
    expect(server.requests[0]?.json()).toEqual({
      client_name: "Example",
      application_type: "web",
      redirect_uris: [redirectUri],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "client_secret_basic",
      scope: "files:read files:write",
    })
  })

  it.each([
    ["https://app.example/cb", "web"],
    ["http://127.0.0.1:4319/cb", "native"],
    ["http://localhost/cb", "native"],
    ["http://[::1]:1/cb", "native"],
    ["https://localhost:8443/cb", "native"],
    ["com.example.app:/cb", "native"],
  ])("for %s is one of a %s application", async (uri, type) => {
    expect(await requested({ input: { redirectUri: uri } })).toMatchObject({
      application_type: type,
      redirect_uris: [uri],
    })
  })

  it("for a device asks for refresh tokens, and for no redirect", async () => {
    const input = {
      redirectUri: null,
      grantTypes: ["urn:ietf:params:oauth:grant-type:device_code"],
      scope: null,
    }
    const request = await requested({ input })
    expect(request).toMatchObject({ grant_types: [...input.grantTypes, "refresh_token"], response_types: [] })
    expect(request).not.toHaveProperty("redirect_uris")
    expect(request).not.toHaveProperty("scope")
  })

  it("for client credentials asks for no refresh token", async () => {
    const input = { redirectUri: null, grantTypes: ["client_credentials"] }
    expect(await requested({ input })).toMatchObject({ grant_types: ["client_credentials"], response_types: [] })
  })

  it.each([
    [null, "client_secret_basic"],
    [["none", "client_secret_post", "client_secret_basic"], "client_secret_basic"],
    [["none", "client_secret_post"], "client_secret_post"],
    [["private_key_jwt", "none"], "none"],
  ])("to a server that supports %j asks for %s", async (supported, method) => {
    expect(await requested({ server: { tokenEndpointAuthMethodsSupported: supported } })).toMatchObject({
      token_endpoint_auth_method: method,
    })
  })

  it("asks for the way of authentication that the caller wants", async () => {
    const options: Case = {
      input: { tokenEndpointAuthMethod: "none" },
      server: { tokenEndpointAuthMethodsSupported: ["client_secret_basic"] },
    }
    expect(await requested(options)).toMatchObject({ token_endpoint_auth_method: "none" })
  })

  it("carries an initial access token in its header only", async () => {
    const token = canary("initial")
    const server = await registrar(withSecret)
    await register(server, { input: { initialAccessToken: Redacted.make(token) } })
    expect(server.requests[0]?.headers.authorization).toBe(`Bearer ${token}`)
    expect(server.requests[0]?.text).not.toContain(token)
  })

  it.each([
    [{ registrationUrl: null }, "not_supported"],
    [{ registrationUrl: "http://as.example/register" }, "insecure_endpoint"],
    [{ tokenEndpointAuthMethodsSupported: ["tls_client_auth"] }, "auth_method_not_supported"],
  ])("is not made to a server with %j", async (more, reason) => {
    const server = await registrar(withSecret)
    const error = await failure(server, { server: more })
    expect(error).toMatchObject({ reason, issuer: server.origin, retryable: false })
    expect(server.requests).toEqual([])
  })

  it("is not made for client credentials where the server gives no secrets", async () => {
    const server = await registrar({})
    const options: Case = {
      input: { redirectUri: null, grantTypes: ["client_credentials"] },
      server: { tokenEndpointAuthMethodsSupported: ["none"] },
    }
    expect(await failure(server, options)).toMatchObject({ reason: "auth_method_not_supported" })
    expect(server.requests).toEqual([])
  })
})

describe("a registration", () => {
  it("is what the server answered", async () => {
    const secret = canary("secret")
    const token = canary("registration")
    const server = await publish((origin) => ({
      "/register": {
        status: 201,
        json: {
          client_id: "id-1",
          client_secret: secret,
          client_secret_expires_at: 1_800_000_000,
          token_endpoint_auth_method: "client_secret_post",
          redirect_uris: [redirectUri, "https://app.example/other"],
          registration_client_uri: `${origin}/register/id-1`,
          registration_access_token: token,
        },
      },
    }))
    const { clientSecret, registrationToken, ...rest } = await register(server)
    expect(rest).toEqual({
      clientId: "id-1",
      tokenEndpointAuthMethod: "client_secret_post",
      secretExpiresAt: 1_800_000_000_000,
      configurationUrl: `${server.origin}/register/id-1`,
      redirectUris: [redirectUri, "https://app.example/other"],
    })
    expect(clientSecret && Redacted.value(clientSecret)).toBe(secret)
    expect(registrationToken && Redacted.value(registrationToken)).toBe(token)
  })

  it("shows no secret when it is printed", async () => {
    const secret = canary("secret")
    const server = await registrar({ client_secret: secret, client_secret_expires_at: 0 })
    new CanaryScanner([secret]).expectNone(await register(server), "the registration")
  })

  it.each([
    ["a server that answers with 200", withSecret, 200],
    ["a secret without a word on its expiry", { client_secret: "secret-1" }, 201],
    ["an expiry as text", { client_secret: "secret-1", client_secret_expires_at: "0" }, 201],
    ["an expiry beyond all dates", { client_secret: "secret-1", client_secret_expires_at: 1e300 }, 201],
  ] as const)("is believed with %s", async (_, answer, status) => {
    expect(await register(await registrar(answer, status))).toMatchObject({
      clientId: "id-1",
      tokenEndpointAuthMethod: "client_secret_basic",
      secretExpiresAt: null,
    })
  })

  it.each([{ client_secret: null }, { client_secret: "" }, {}])(
    "without a secret (%j) is of a public client",
    async (answer) => {
      const server = await registrar({ ...answer, token_endpoint_auth_method: undefined })
      expect(await register(server)).toMatchObject({
        tokenEndpointAuthMethod: "none",
        clientSecret: undefined,
        secretExpiresAt: null,
      })
    },
  )

  it("of a public client keeps no secret that came along", async () => {
    const server = await registrar({ ...withSecret, token_endpoint_auth_method: "none" })
    expect(await register(server)).toMatchObject({ tokenEndpointAuthMethod: "none", clientSecret: undefined })
  })

  it.each([
    ["at another host", () => "https://victim.example/register/id-1"],
    ["inside", () => "https://169.254.169.254/"],
    ["at another port", (origin: string) => origin.replace(/\d+$/, "1")],
    ["without TLS", () => "http://as.example/register/id-1"],
    ["that is none", () => "javascript:alert(1)"],
    ["that is relative", () => "/register/id-1"],
  ])("is not managed at an address %s", async (_, address) => {
    const server = await publish((origin) => ({
      "/register": {
        status: 201,
        json: {
          client_id: "id-1",
          ...withSecret,
          registration_client_uri: address(origin),
          registration_access_token: "token",
        },
      },
    }))
    expect(await register(server)).toMatchObject({ configurationUrl: null, registrationToken: undefined })
  })

  it("is not managed with a token that no header can carry", async () => {
    const server = await publish((origin) => ({
      "/register": {
        status: 201,
        json: {
          client_id: "id-1",
          ...withSecret,
          registration_client_uri: `${origin}/register/id-1`,
          registration_access_token: "a\r\nb",
        },
      },
    }))
    expect(await register(server)).toMatchObject({ configurationUrl: null, registrationToken: undefined })
  })

  it.each([
    ["other redirect URIs", { redirect_uris: ["https://evil.example/cb"] }, "redirect_uri_not_registered"],
    ["no redirect URI", { redirect_uris: [] }, "redirect_uri_not_registered"],
    [
      "a way of authentication that needs more",
      { token_endpoint_auth_method: "tls_client_auth" },
      "auth_method_not_supported",
    ],
    ["a way of authentication that is none", { token_endpoint_auth_method: 7 }, "auth_method_not_supported"],
    ["a secret to use and none to use", { client_secret: undefined }, "invalid_response"],
    ["no client id", { client_id: undefined }, "invalid_response"],
    ["an empty client id", { client_id: "" }, "invalid_response"],
    ["a client id with a line break", { client_id: "a\r\nb" }, "invalid_response"],
    ["an endless client id", { client_id: "a".repeat(20_000) }, "invalid_response"],
    ["a secret with a line break", { client_secret: "a\nb" }, "invalid_response"],
    ["a secret that is no text", { client_secret: { a: 1 } }, "invalid_response"],
    ["an expiry before all time", { client_secret_expires_at: -1 }, "invalid_response"],
  ])("with %s is refused", async (_, answer, reason) => {
    const server = await registrar({ ...withSecret, ...answer })
    expect(await failure(server)).toMatchObject({ reason, issuer: server.origin, retryable: false })
  })
})

describe("a registration that fails", () => {
  const outages = [500, 502, 503, 408, 425, 429] as const

  it.each(outages)("with %i can be tried again", async (status) => {
    const server = await publish(() => ({ "/register": { status, body: "<html>" } }))
    expect(await failure(server)).toMatchObject({ reason: `http_${status}`, retryable: true })
  })

  it.each([
    [400, { error: "invalid_redirect_uri" }, "invalid_redirect_uri"],
    [400, { error: "invalid_client_metadata" }, "invalid_client_metadata"],
    [401, { error: "invalid_token" }, "invalid_token"],
    [403, {}, "http_403"],
    [404, {}, "http_404"],
    [400, { error: "<script>alert(1)</script>" }, "http_400"],
    [400, { error: ["x"] }, "http_400"],
    // It may be the echo of a token.
    [400, { error: "initial-3b1f9c02d4e85a76" }, "http_400"],
  ])("with %i and %j says so", async (status, json, reason) => {
    const server = await publish(() => ({ "/register": { status, json } }))
    const error = await failure(server)
    expect(error).toMatchObject({ reason, retryable: false })
    expect(error.nextStep).not.toBe("")
  })

  it("says the code also where a challenge comes with it", async () => {
    const server = await publish(() => ({
      "/register": {
        status: 400,
        headers: { "www-authenticate": 'Bearer realm="x"' },
        json: { error: "invalid_redirect_uri" },
      },
    }))
    expect(await failure(server)).toMatchObject({ reason: "invalid_redirect_uri" })
  })

  it.each([
    ["html", { status: 201, body: "<html>" }, "invalid_response", false],
    ["a list", { status: 201, json: [] }, "invalid_response", false],
    ["depth", { status: 201, body: deepJson('"x":1') }, "invalid_response", false],
    ["50 MB", { status: 201, body: filler(50 * 1024 * 1024) }, "invalid_response", false],
    ["a redirect inside", { redirect: "http://169.254.169.254/" }, "http_302", false],
    ["a reset", { fault: "reset" }, "unreachable", true],
    ["half an answer", { fault: "truncate" }, "unreachable", true],
  ] satisfies ReadonlyArray<[string, UpstreamAnswer, string, boolean]>)(
    "with %s is told as %s",
    async (_, answer, reason, retryable) => {
      const server = await publish(() => ({ "/register": answer }))
      expect(await failure(server)).toMatchObject({ reason, retryable })
      expect(server.requests.length).toBe(1)
    },
  )

  it.each(["", "a\r\nx-injected: 1", "a b", "é"])(
    "because of the initial access token %j sent nothing",
    async (token) => {
      const server = await registrar(withSecret)
      const error = await failure(server, { input: { initialAccessToken: Redacted.make(token) } })
      expect(error).toMatchObject({ reason: "invalid_access_token", retryable: false })
      expect(server.requests).toEqual([])
    },
  )

  it("because of an internal address says how to allow it", async () => {
    const server = await registrar(withSecret)
    const error = await Effect.runPromise(Effect.flip(registerClient(openHttp([]), serverAt(server.origin), browser)))
    expect(error).toMatchObject({ reason: "address_not_allowed", retryable: false })
    expect(error.nextStep).toContain("egress.allowHosts")
    expect(server.requests).toEqual([])
  })

  it("repeats neither the token it was made with nor what came back", async () => {
    const initial = canary("initial")
    const secret = canary("secret")
    const registration = canary("registration")
    const scanner = new CanaryScanner([initial, secret, registration])
    const both = { client_secret: secret, registration_access_token: registration }
    const answers: ReadonlyArray<UpstreamAnswer> = [
      { status: 201, json: { ...both, client_id: 7 } },
      { status: 201, json: { ...both, client_id: "x", client_secret_expires_at: "soon" } },
      { status: 201, json: { ...both, client_id: "x", redirect_uris: [secret] } },
      { status: 201, body: `{"client_secret":"${secret}"` },
      { status: 400, json: { error: "invalid_token", error_description: `${initial} ${secret}` } },
      { status: 500, body: `${initial} ${secret}` },
    ]
    for (const answer of answers) {
      const server = await publish(() => ({ "/register": answer }))
      scanner.expectNone(
        await failure(server, { input: { initialAccessToken: Redacted.make(initial) } }),
        "the failure",
      )
    }
  })
})

describe("deleting a registration", () => {
  const token = canary("registration")
  const remove = (url: string, http = openHttp()): Effect.Effect<void, OAuthRegistrationError> =>
    deleteRegistration(http, url, Redacted.make(token))

  it("proves itself with the registration token", async () => {
    const server = await publish(() => ({ "/register/id-1": { status: 204 } }))
    await Effect.runPromise(remove(`${server.origin}/register/id-1`))
    expect(server.requests[0]).toMatchObject({ method: "DELETE", headers: { authorization: `Bearer ${token}` } })
  })

  it.each([200, 204, 401, 404, 410])("is done when the server answers %i", async (status) => {
    const server = await publish(() => ({ "/r": { status } }))
    expect(await Effect.runPromise(remove(`${server.origin}/r`))).toBeUndefined()
    expect(server.requests.length).toBe(1)
  })

  it.each([
    [405, false],
    [403, false],
    [302, false],
    [503, true],
    [429, true],
  ])("fails with %i, worth another try: %s", async (status, retryable) => {
    const server = await publish(() => ({ "/r": { status, body: token } }))
    const error = await Effect.runPromise(Effect.flip(remove(`${server.origin}/r`)))
    expect(error).toMatchObject({ reason: `http_${status}`, issuer: server.origin, retryable })
    new CanaryScanner([token]).expectNone(error, "the failure")
  })

  it("sends the token neither in clear nor inside", async () => {
    const plain = await Effect.runPromise(Effect.flip(remove("http://as.example/r")))
    expect(plain).toMatchObject({ reason: "insecure_endpoint", retryable: false })
    const inside = await Effect.runPromise(Effect.flip(remove("https://169.254.169.254/r", openHttp([]))))
    expect(inside).toMatchObject({ reason: "address_not_allowed", retryable: false })
  })
})
