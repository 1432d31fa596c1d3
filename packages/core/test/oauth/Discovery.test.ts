/** Metadata that is kept for ten minutes, and `probe`, which starts from any URL. */
import { it as effectIt } from "@effect/vitest"
import type { UpstreamAnswer } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { describe, expect, it } from "vitest"
import { Discovery, type ProbeResult } from "../../src/oauth/Discovery.ts"
import type { OAuthDiscoveryError } from "../../src/oauth/OAuthError.ts"
import { asked, openHttp, publish, serverMetadata } from "./metadataServer.ts"

const serverPlace = "/.well-known/oauth-authorization-server"
const openIdPlace = "/.well-known/openid-configuration"
const resourcePlace = "/.well-known/oauth-protected-resource"

describe("the metadata of an issuer", () => {
  const published = Effect.promise(() => publish((origin) => ({ [serverPlace]: serverMetadata(origin) })))

  effectIt.effect("is asked for once in ten minutes", () =>
    Effect.gen(function* () {
      const server = yield* published
      const discovery = new Discovery(openHttp())
      const first = yield* discovery.server(server.origin)
      yield* TestClock.adjust("599999 millis")
      expect(yield* discovery.server(server.origin)).toBe(first)
      expect(server.requests.length).toBe(1)
      yield* TestClock.adjust("1 millis")
      expect(yield* discovery.server(server.origin)).toEqual(first)
      expect(server.requests.length).toBe(2)
    }),
  )

  effectIt.effect("does not last longer when the clock is set back", () =>
    Effect.gen(function* () {
      const server = yield* published
      const discovery = new Discovery(openHttp())
      yield* TestClock.setTime(86_400_000)
      yield* discovery.server(server.origin)
      yield* TestClock.setTime(0)
      yield* discovery.server(server.origin)
      expect(server.requests.length).toBe(2)
    }),
  )

  effectIt.effect("is asked for once by all who want it at the same time", () =>
    Effect.gen(function* () {
      const server = yield* published
      const discovery = new Discovery(openHttp())
      const all = yield* Effect.all(
        Array.from({ length: 100 }, () => discovery.server(server.origin)),
        { concurrency: "unbounded" },
      )
      expect(new Set(all).size).toBe(1)
      expect(server.requests.length).toBe(1)
    }),
  )

  effectIt.effect("goes on being asked for when the first who wanted it leaves", () =>
    Effect.gen(function* () {
      let release: (answer: UpstreamAnswer) => void = () => {}
      const held = new Promise<UpstreamAnswer>((resolve) => {
        release = resolve
      })
      const server = yield* Effect.promise(() => publish(() => ({ [serverPlace]: () => held })))
      const discovery = new Discovery(openHttp())
      const first = yield* Effect.forkChild(discovery.server(server.origin))
      yield* Effect.promise(() => server.received(1))
      const second = yield* Effect.forkChild(discovery.server(server.origin))
      yield* Fiber.interrupt(first)
      release(serverMetadata(server.origin))
      expect((yield* Fiber.join(second)).issuer).toBe(server.origin)
      expect(server.requests.length).toBe(1)
    }),
  )

  effectIt.effect("is asked for again after a failure, of whichever kind", () =>
    Effect.gen(function* () {
      const answers: Array<UpstreamAnswer> = [
        { status: 503 },
        { status: 503 },
        { fault: "reset" },
        { status: 404 },
        { status: 404 },
      ]
      const server = yield* Effect.promise(() =>
        publish((origin) => ({
          [serverPlace]: () => answers.shift() ?? serverMetadata(origin),
          [openIdPlace]: () => answers.shift() ?? { status: 404 },
        })),
      )
      const discovery = new Discovery(openHttp())
      const reasons = [1, 2, 3].map(() =>
        Effect.map(Effect.flip(discovery.server(server.origin)), ({ reason }) => reason),
      )
      expect(yield* Effect.all(reasons)).toEqual(["unavailable", "unreachable", "not_found"])
      expect((yield* discovery.server(server.origin)).issuer).toBe(server.origin)
    }),
  )

  effectIt.effect("is kept for a hundred issuers, the oldest leave first", () =>
    Effect.gen(function* () {
      const server = yield* Effect.promise(() =>
        publish((origin) =>
          Object.fromEntries(
            Array.from({ length: 101 }, (_, index) => [
              `${serverPlace}/${index}`,
              serverMetadata(`${origin}/${index}`),
            ]),
          ),
        ),
      )
      const discovery = new Discovery(openHttp())
      for (let index = 0; index <= 100; index += 1) yield* discovery.server(`${server.origin}/${index}`)
      yield* discovery.server(`${server.origin}/100`)
      yield* discovery.server(`${server.origin}/1`)
      expect(server.requests.length).toBe(101)
      yield* discovery.server(`${server.origin}/0`)
      expect(server.requests.length).toBe(102)
    }),
  )
})

describe("probe", () => {
  const probe = (url: string): Promise<ProbeResult> => Effect.runPromise(new Discovery(openHttp()).probe({ url }))
  const failure = (url: string): Promise<OAuthDiscoveryError> =>
    Effect.runPromise(Effect.flip(new Discovery(openHttp()).probe({ url })))

  it("goes from a resource to its authorization server", async () => {
    const as = await publish((origin) => ({
      [`${serverPlace}/tenant`]: serverMetadata(`${origin}/tenant`, {
        registration_endpoint: `${origin}/register`,
        scopes_supported: ["openid"],
        token_endpoint_auth_methods_supported: ["none"],
        client_id_metadata_document_supported: true,
      }),
    }))
    const rs = await publish((origin) => ({
      "/mcp": { status: 401, headers: { "www-authenticate": `Bearer resource_metadata="${origin}/meta"` } },
      "/meta": {
        json: {
          resource: `${origin}/mcp`,
          authorization_servers: [`${as.origin}/tenant`],
          scopes_supported: ["files:read"],
        },
      },
    }))
    expect(await probe(`${rs.origin}/mcp`)).toEqual({
      issuer: `${as.origin}/tenant`,
      authorizationUrl: `${as.origin}/tenant/authorize`,
      tokenUrl: `${as.origin}/tenant/token`,
      registrationUrl: `${as.origin}/register`,
      resource: `${rs.origin}/mcp`,
      resourceScopesSupported: ["files:read"],
      scopesSupported: ["files:read"],
      tokenEndpointAuthMethodsSupported: ["none"],
      clientIdMetadataDocumentSupported: true,
    })
  })

  it.each([
    ['Bearer scope="files:write files:read"', "files:write files:read"],
    ['Bearer scope="files\ttabbed"', undefined],
    ['Basic scope="files:write"', undefined],
  ])("tells the scopes that %s asks for, where they are scopes (A7)", async (challenge, challengedScope) => {
    const server = await publish((origin) => ({
      "/mcp": { status: 401, headers: { "www-authenticate": challenge } },
      [`${resourcePlace}/mcp`]: { json: { resource: `${origin}/mcp`, authorization_servers: [origin] } },
      [serverPlace]: serverMetadata(origin, { code_challenge_methods_supported: ["S256"] }),
    }))
    const probed = await probe(`${server.origin}/mcp`)
    expect(probed.challengedScope).toBe(challengedScope)
    expect(probed.codeChallengeMethodsSupported).toEqual(["S256"])
  })

  it("takes the URL for an issuer where it is no resource", async () => {
    const as = await publish((origin) => ({ [`${openIdPlace}/tenant`]: serverMetadata(`${origin}/tenant`) }))
    expect(await probe(`${as.origin}/tenant`)).toEqual({
      issuer: `${as.origin}/tenant`,
      authorizationUrl: `${as.origin}/tenant/authorize`,
      tokenUrl: `${as.origin}/tenant/token`,
      clientIdMetadataDocumentSupported: false,
    })
    expect(as.requests.length).toBeLessThanOrEqual(6)
  })

  it.each(["/mcp", "/mcp?tenant=x", "/"])(
    "falls back to the origin of %s, as MCP had it on 2025-03-26, where that has metadata",
    async (path) => {
      const server = await publish((origin) => ({ [serverPlace]: serverMetadata(origin) }))
      expect(await probe(`${server.origin}${path}`)).toMatchObject({
        issuer: server.origin,
        tokenUrl: `${server.origin}/token`,
      })
    },
  )

  it("takes the origin's own document also where one server answers all paths with it", async () => {
    const server = await publish((origin) => ({
      [serverPlace]: serverMetadata(origin),
      [`${serverPlace}/mcp`]: serverMetadata(origin),
    }))
    expect((await probe(`${server.origin}/mcp`)).issuer).toBe(server.origin)
  })

  it("says that the URL is not the issuer where nothing else was found", async () => {
    const server = await publish(() => ({ [`${serverPlace}/mcp`]: serverMetadata("https://honest.example") }))
    expect(await failure(`${server.origin}/mcp`)).toMatchObject({ reason: "issuer_mismatch" })
  })

  it("invents no endpoints", async () => {
    const server = await publish(() => ({ "/mcp": { status: 401 } }))
    expect(await failure(`${server.origin}/mcp`)).toMatchObject({ reason: "not_found", retryable: false })
    expect(server.requests.map(({ path }) => path)).not.toContain("/authorize")
  })

  const listing =
    (...servers: ReadonlyArray<string>) =>
    (origin: string) => ({ [resourcePlace]: { json: { resource: origin, authorization_servers: servers } } })

  it("takes the first server that publishes metadata", async () => {
    const without = await publish(() => ({}))
    const as = await publish((origin) => ({ [serverPlace]: serverMetadata(origin) }))
    const rs = await publish(listing(without.origin, as.origin))
    expect(await probe(rs.origin)).toMatchObject({ issuer: as.origin, resource: rs.origin })
    expect(asked(without)).toEqual([serverPlace, openIdPlace])
  })

  it.each([
    ["has an outage", { status: 503 }, { reason: "unavailable", retryable: true }],
    ["is another issuer", serverMetadata("https://honest.example"), { reason: "issuer_mismatch", retryable: false }],
    ["has a hostile endpoint", "hostile", { reason: "insecure_endpoint", retryable: false }],
  ] as const)("does not go to the second server when the first %s", async (_, answer, expected) => {
    const first = await publish((origin) => ({
      [serverPlace]:
        answer === "hostile" ? serverMetadata(origin, { authorization_endpoint: "javascript:alert(1)" }) : answer,
    }))
    const second = await publish((origin) => ({ [serverPlace]: serverMetadata(origin) }))
    const rs = await publish(listing(first.origin, second.origin))
    expect(await failure(rs.origin)).toMatchObject(expected)
    expect(second.requests).toEqual([])
  })

  it("asks at most two of a long list, and six times", async () => {
    const without = await publish(() => ({}))
    const rs = await publish(listing(...Array.from({ length: 1_000 }, (_, index) => `${without.origin}/${index}`)))
    expect(await failure(rs.origin)).toMatchObject({ reason: "not_found" })
    expect(without.requests.length).toBe(6)
  })

  it("does not guess at a server where the resource's own word cannot be had", async () => {
    const server = await publish((origin) => ({
      [`${resourcePlace}/mcp`]: { status: 503 },
      [serverPlace]: serverMetadata(origin),
    }))
    expect(await failure(`${server.origin}/mcp`)).toMatchObject({ reason: "unavailable", retryable: true })
    expect(asked(server)).not.toContain(serverPlace)
  })

  it("does not guess at a server where the resource's document is another's", async () => {
    const server = await publish((origin) => ({
      ...listing(origin)("https://victim.example"),
      [serverPlace]: serverMetadata(origin),
    }))
    expect(await failure(server.origin)).toMatchObject({ reason: "resource_mismatch", retryable: false })
  })

  it("goes on from a resource that names no server to its origin", async () => {
    const server = await publish((origin) => ({ ...listing()(origin), [serverPlace]: serverMetadata(origin) }))
    expect(await probe(`${server.origin}/mcp`)).toMatchObject({ issuer: server.origin, resource: server.origin })
  })

  it.each(["", "as.example", "http://as.example", "file:///etc/passwd"])("refuses %j", async (url) => {
    expect(["invalid_url", "insecure_endpoint"]).toContain((await failure(url)).reason)
  })
})
