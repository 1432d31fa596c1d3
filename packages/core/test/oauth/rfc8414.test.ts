/** Authorization server metadata: RFC 8414 and OpenID Connect Discovery, in the order of the MCP authorization specification. */
import { it as effectIt } from "@effect/vitest"
import { canary, CanaryScanner, type FakeUpstream, filler, type UpstreamAnswer } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { describe, expect, it } from "vitest"
import {
  type AuthorizationServer,
  discoverAuthorizationServer,
  serverByHand,
} from "../../src/oauth/AuthorizationServer.ts"
import type { OAuthDiscoveryError } from "../../src/oauth/OAuthError.ts"
import { asked, deepJson, openHttp, publish, serverMetadata } from "./metadataServer.ts"

const oauthPlace = "/.well-known/oauth-authorization-server"
const openIdPlace = "/.well-known/openid-configuration"

const discover = (issuer: string, http = openHttp()): Promise<AuthorizationServer> =>
  Effect.runPromise(discoverAuthorizationServer(http, issuer))

const failure = (issuer: string, http = openHttp()): Promise<OAuthDiscoveryError> =>
  Effect.runPromise(Effect.flip(discoverAuthorizationServer(http, issuer)))

const publishAt = (place: string, answer: (origin: string) => UpstreamAnswer): Promise<FakeUpstream> =>
  publish((origin) => ({ [place]: answer(origin) }))

describe("the places where metadata is looked for", () => {
  it.each([
    ["", [oauthPlace, openIdPlace]],
    ["/", [oauthPlace, openIdPlace]],
    ["/tenant", [`${oauthPlace}/tenant`, `${openIdPlace}/tenant`, `/tenant${openIdPlace}`]],
    ["/tenant/v2/", [`${oauthPlace}/tenant/v2`, `${openIdPlace}/tenant/v2`, `/tenant/v2${openIdPlace}`]],
  ])("of an issuer with the path %j are asked in the order of the specification", async (path, places) => {
    const server = await publish(() => ({}))
    expect(await failure(`${server.origin}${path}`)).toMatchObject({ reason: "not_found", retryable: false })
    expect(asked(server)).toEqual(places)
  })

  it.each([
    ["", oauthPlace],
    ["", openIdPlace],
    ["/tenant", `${oauthPlace}/tenant`],
    ["/tenant", `${openIdPlace}/tenant`],
    ["/tenant", `/tenant${openIdPlace}`],
  ])("give the document of the issuer with the path %j at %s", async (path, place) => {
    const server = await publishAt(place, (origin) => serverMetadata(`${origin}${path}`))
    const found = await discover(`${server.origin}${path}`)
    expect(found.issuer).toBe(`${server.origin}${path}`)
    expect(asked(server).at(-1)).toBe(place)
  })

  it("send nothing but a plain request", async () => {
    const server = await publishAt(oauthPlace, serverMetadata)
    await discover(server.origin)
    expect(server.requests[0]).toMatchObject({ method: "GET", text: "", headers: { accept: "application/json" } })
    expect(server.requests[0]?.headers.authorization).toBeUndefined()
  })
})

describe("a document", () => {
  it("is read whole", async () => {
    const server = await publishAt(oauthPlace, (origin) =>
      serverMetadata(origin, {
        authorization_endpoint: `${origin}/authorize?tenant=x`,
        registration_endpoint: `${origin}/register`,
        device_authorization_endpoint: `${origin}/device`,
        revocation_endpoint: `${origin}/revoke`,
        pushed_authorization_request_endpoint: `${origin}/par`,
        require_pushed_authorization_requests: true,
        authorization_response_iss_parameter_supported: true,
        code_challenge_methods_supported: ["S256"],
        token_endpoint_auth_methods_supported: ["none", 7, "client_secret_basic"],
        scopes_supported: ["read", "with space", "write"],
        grant_types_supported: ["authorization_code"],
        dpop_signing_alg_values_supported: ["ES256"],
        client_id_metadata_document_supported: true,
      }),
    )
    const { origin } = server
    expect(await discover(origin)).toEqual({
      issuer: origin,
      authorizationUrl: `${origin}/authorize?tenant=x`,
      tokenUrl: `${origin}/token`,
      registrationUrl: `${origin}/register`,
      deviceAuthorizationUrl: `${origin}/device`,
      revocationUrl: `${origin}/revoke`,
      pushedAuthorizationRequestUrl: `${origin}/par`,
      requiresPushedAuthorizationRequests: true,
      isIssRequired: true,
      codeChallengeMethodsSupported: ["S256"],
      tokenEndpointAuthMethodsSupported: ["none", "client_secret_basic"],
      scopesSupported: ["read", "write"],
      grantTypesSupported: ["authorization_code"],
      dpopSigningAlgValuesSupported: ["ES256"],
      clientIdMetadataDocumentSupported: true,
    })
  })

  it("that says nothing about an ability claims none", async () => {
    const server = await publishAt(oauthPlace, serverMetadata)
    expect(await discover(server.origin)).toMatchObject({
      registrationUrl: null,
      requiresPushedAuthorizationRequests: false,
      isIssRequired: false,
      codeChallengeMethodsSupported: null,
      tokenEndpointAuthMethodsSupported: null,
      clientIdMetadataDocumentSupported: false,
    })
  })

  it("keeps its own spelling of the issuer, because `iss` is compared with that", async () => {
    const server = await publishAt(oauthPlace, (origin) => serverMetadata(origin, { issuer: `${origin}/` }))
    expect((await discover(server.origin)).issuer).toBe(`${server.origin}/`)
  })

  it.each([
    ["another host", () => "https://honest.example"],
    ["another path", (origin: string) => `${origin}/tenant`],
    ["a query", (origin: string) => `${origin}?x=1`],
    ["a fragment", (origin: string) => `${origin}#x`],
    ["user information", (origin: string) => origin.replace("//", "//as@")],
    ["another scheme", (origin: string) => origin.replace("http:", "https:")],
    ["a line break", (origin: string) => `${origin}\n`],
    ["no URL", () => "as"],
  ])("that names an issuer with %s ends the discovery, whatever the next place holds", async (_, issuer) => {
    const server = await publish((origin) => ({
      [oauthPlace]: serverMetadata(origin, { issuer: issuer(origin) }),
      [openIdPlace]: serverMetadata(origin),
    }))
    expect(await failure(server.origin)).toMatchObject({
      reason: "issuer_mismatch",
      origin: server.origin,
      retryable: false,
    })
    expect(asked(server)).toEqual([oauthPlace])
  })

  it.each([
    ["authorization_endpoint", "javascript:alert(1)"],
    ["authorization_endpoint", "data:text/html,x"],
    ["authorization_endpoint", "file:///etc/passwd"],
    ["authorization_endpoint", "vbscript:x"],
    ["authorization_endpoint", "http://as.example/authorize"],
    ["authorization_endpoint", ["https://as.example/authorize"]],
    ["authorization_endpoint", "/authorize"],
    ["token_endpoint", "http://as.example/token"],
    ["token_endpoint", "https://user:pass@as.example/token"],
    ["registration_endpoint", "ftp://as.example/register"],
    ["device_authorization_endpoint", "http://10.0.0.1/device"],
    ["revocation_endpoint", 7],
    ["pushed_authorization_request_endpoint", ""],
  ])("with %s %j is refused", async (name, url) => {
    const server = await publishAt(oauthPlace, (origin) => serverMetadata(origin, { [name]: url }))
    expect(await failure(server.origin)).toMatchObject({ reason: "insecure_endpoint", retryable: false })
  })

  it("without a token endpoint is of no use", async () => {
    const server = await publishAt(oauthPlace, (origin) => serverMetadata(origin, { token_endpoint: null }))
    expect(await failure(server.origin)).toMatchObject({ reason: "invalid_metadata", retryable: false })
  })
})

describe("an answer that is no document", () => {
  const notDocuments: ReadonlyArray<readonly [string, UpstreamAnswer]> = [
    ["html with 200", { headers: { "content-type": "text/html" }, body: "<!doctype html>" }],
    ["a list", { json: [] }],
    ["null", { json: null }],
    ["half of one", { body: '{"issuer":"' }],
    ["JSON without an issuer", { json: { token_endpoint: "https://as.example/token" } }],
    ["nothing", { status: 204 }],
    ["a refusal", { status: 403, json: { error: "forbidden" } }],
    ["50 MB", { body: filler(50 * 1024 * 1024) }],
    ["50 MB of JSON", { headers: { "content-type": "application/json" }, body: filler(50 * 1024 * 1024) }],
    ["a redirect to the metadata service of a cloud", { redirect: "http://169.254.169.254/latest/meta-data/" }],
    ["a redirect to a document", { redirect: "/elsewhere" }],
  ]

  it.each(notDocuments)("such as %s, leads to the next place", async (_, answer) => {
    const server = await publish((origin) => ({
      [oauthPlace]: answer,
      [openIdPlace]: serverMetadata(origin),
      "/elsewhere": serverMetadata(origin),
    }))
    expect((await discover(server.origin)).tokenUrl).toBe(`${server.origin}/token`)
    expect(asked(server)).toEqual([oauthPlace, openIdPlace])
  })

  it("is also a good one above 256 KiB, and its rest is not taken", async () => {
    const padded = (origin: string, bytes: number): string => {
      const json = JSON.stringify({ issuer: origin, token_endpoint: `${origin}/token` })
      return json + " ".repeat(bytes - json.length)
    }
    const largest = await publish((origin) => ({ [oauthPlace]: { body: padded(origin, 256 * 1024) } }))
    expect((await discover(largest.origin)).issuer).toBe(largest.origin)
    const tooLarge = await publish((origin) => ({ [oauthPlace]: { body: padded(origin, 256 * 1024 + 1) } }))
    expect(await failure(tooLarge.origin)).toMatchObject({ reason: "not_metadata" })
    const endless = await publish(() => ({ [oauthPlace]: { body: filler(50 * 1024 * 1024) } }))
    await failure(endless.origin)
    expect(await endless.requests[0]?.abandoned).toBe(true)
  })

  it("is told apart from none", async () => {
    const server = await publishAt(oauthPlace, () => ({ body: "<html>" }))
    expect(await failure(server.origin)).toMatchObject({ reason: "not_metadata", retryable: false })
  })

  it("may nest as deep as it likes, with or without an issuer", async () => {
    const server = await publish((origin) => ({
      [oauthPlace]: { body: deepJson('"x":1') },
      [openIdPlace]: {
        body: deepJson(`"issuer":"${origin}","token_endpoint":"${origin}/token","scopes_supported":[[[]]]`),
      },
    }))
    expect(await discover(server.origin)).toMatchObject({ issuer: server.origin, scopesSupported: [] })
  })

  it("cannot reach into prototypes", async () => {
    const server = await publish((origin) => ({
      [oauthPlace]: { body: `{"__proto__":{"issuer":"${origin}","token_endpoint":"${origin}/token"}}` },
    }))
    expect(await failure(server.origin)).toMatchObject({ reason: "not_metadata" })
    expect(({} as Record<string, unknown>)["issuer"]).toBeUndefined()
  })
})

describe("an outage", () => {
  it.each([500, 502, 503, 408, 425, 429])("such as %i does not prove that there is no document", async (status) => {
    const server = await publish(() => ({ [oauthPlace]: { status } }))
    expect(await failure(server.origin)).toMatchObject({ reason: "unavailable", retryable: true })
    expect(asked(server)).toEqual([oauthPlace, openIdPlace])
  })

  it("of one place leaves the others", async () => {
    const server = await publish((origin) => ({ [oauthPlace]: { status: 502 }, [openIdPlace]: serverMetadata(origin) }))
    expect((await discover(server.origin)).issuer).toBe(server.origin)
  })

  it.each(["reset", "truncate"] as const)("below HTTP (%s) ends the discovery at once", async (fault) => {
    const server = await publish(() => ({ [oauthPlace]: { fault } }))
    expect(await failure(server.origin)).toMatchObject({ reason: "unreachable", retryable: true })
    expect(asked(server)).toEqual([oauthPlace])
  })

  it("of the whole server is one", async () => {
    const server = await publish(() => ({}))
    await server.close()
    expect(await failure(server.origin)).toMatchObject({
      reason: "unreachable",
      retryable: true,
      origin: server.origin,
    })
  })

  effectIt.effect.each(["hang", "hang_after_headers"] as const)(
    "that shows as silence (%s) takes ten seconds",
    (fault) =>
      Effect.gen(function* () {
        const server = yield* Effect.promise(() => publish(() => ({ [oauthPlace]: { fault } })))
        const asking = yield* Effect.forkChild(Effect.flip(discoverAuthorizationServer(openHttp(), server.origin)))
        const request = yield* Effect.promise(() => server.received(1))
        yield* TestClock.adjust("9999 millis")
        expect(asking.pollUnsafe()).toBeUndefined()
        yield* TestClock.adjust("1 millis")
        expect(yield* Fiber.join(asking)).toMatchObject({ reason: "unreachable", retryable: true })
        expect(yield* Effect.promise(() => request.abandoned)).toBe(true)
      }),
  )
})

describe("an issuer that may not be asked", () => {
  it.each([
    ["http://as.example", "insecure_endpoint"],
    ["ftp://as.example", "insecure_endpoint"],
    ["javascript:alert(1)", "insecure_endpoint"],
    ["https://user:pass@as.example", "invalid_url"],
    ["https://as.example?tenant=x", "invalid_url"],
    ["https://as.example#x", "invalid_url"],
    ["as.example", "invalid_url"],
    ["", "invalid_url"],
  ])("such as %j is refused as %s", async (issuer, reason) => {
    const error = await failure(issuer)
    expect(error).toMatchObject({ reason, retryable: false })
    expect(error.message).not.toContain("pass")
  })

  it.each(["https://169.254.169.254", "https://10.0.0.1/tenant", "https://[::1]:8443", "https://0x7f.1"])(
    "leads inside: %s",
    async (issuer) => {
      const error = await failure(issuer, openHttp([]))
      expect(error).toMatchObject({ reason: "address_not_allowed", retryable: false })
      expect(error.nextStep).toContain("egress.allowHosts")
    },
  )

  it("sends nothing to the loopback unless the host lists it", async () => {
    const server = await publishAt(oauthPlace, serverMetadata)
    expect(await failure(server.origin, openHttp([]))).toMatchObject({ reason: "address_not_allowed" })
    expect(server.requests).toEqual([])
  })
})

it("repeats nothing of a document in its failures", async () => {
  const secret = canary("document")
  const scanner = new CanaryScanner([secret])
  const documents: ReadonlyArray<UpstreamAnswer> = [
    { json: { issuer: `https://${secret}.example`, secret } },
    { json: { issuer: secret, secret } },
    { body: `{"issuer":"x","secret":${secret}` },
    { status: 400, json: { error: secret, error_description: secret } },
    { redirect: `https://as.example/?${secret}` },
  ]
  for (const document of documents) {
    const server = await publish(() => ({ [oauthPlace]: document }))
    scanner.expectNone(await failure(server.origin), "the failure")
  }
})

it("takes endpoints entered by hand as they are", () => {
  const endpoints = {
    authorizationUrl: "https://as.example/authorize",
    tokenUrl: "https://as.example/token",
    deviceAuthorizationUrl: null,
    revocationUrl: "https://as.example/revoke",
    pushedAuthorizationRequestUrl: null,
  }
  expect(serverByHand(endpoints)).toMatchObject({
    ...endpoints,
    issuer: null,
    registrationUrl: null,
    isIssRequired: false,
  })
})
