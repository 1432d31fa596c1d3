/** Protected resource metadata: RFC 9728. */
import { canary, CanaryScanner, filler, type UpstreamAnswer } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import type { OAuthDiscoveryError } from "../../src/oauth/OAuthError.ts"
import { discoverProtectedResource, isResourceOf, type ProtectedResource } from "../../src/oauth/ProtectedResource.ts"
import { asked, deepJson, openHttp, publish } from "./metadataServer.ts"

const place = "/.well-known/oauth-protected-resource"

const discover = (url: string, http = openHttp(), wwwAuthenticate?: string): Promise<ProtectedResource> =>
  Effect.runPromise(discoverProtectedResource(http, url, wwwAuthenticate))

const failure = (url: string, http = openHttp()): Promise<OAuthDiscoveryError> =>
  Effect.runPromise(Effect.flip(discoverProtectedResource(http, url)))

const resource = (url: string, more: Readonly<Record<string, unknown>> = {}): UpstreamAnswer => ({
  json: { resource: url, authorization_servers: ["https://as.example"], ...more },
})

const challenge = (header: string): UpstreamAnswer => ({ status: 401, headers: { "www-authenticate": header } })

describe("the places where a resource's metadata is looked for", () => {
  it.each([
    ["", ["/", place]],
    ["/mcp", ["/mcp", `${place}/mcp`, place]],
    ["/mcp/", ["/mcp/", `${place}/mcp/`, place]],
    ["/mcp?tenant=x#top", ["/mcp?tenant=x", `${place}/mcp?tenant=x`, place]],
  ])("for %j are itself, then the well-known ones", async (path, places) => {
    const server = await publish(() => ({}))
    expect(await failure(`${server.origin}${path}`)).toMatchObject({ reason: "not_found", retryable: false })
    expect(asked(server)).toEqual(places)
  })

  it("begin with what its 401 names", async () => {
    const server = await publish((origin) => ({
      "/mcp": challenge(`Bearer error="invalid_token", resource_metadata="${origin}/meta", scope="files:read"`),
      "/meta": resource(`${origin}/mcp`, { scopes_supported: ["files:read", "files:write"] }),
    }))
    expect(await discover(`${server.origin}/mcp`)).toEqual({
      resource: `${server.origin}/mcp`,
      authorizationServers: ["https://as.example"],
      scopesSupported: ["files:read", "files:write"],
      challengedScope: "files:read",
      isDpopRequired: false,
    })
    expect(asked(server)).toEqual(["/mcp", "/meta"])
  })

  it("are read from a 401 that the caller has, without another one", async () => {
    const server = await publish((origin) => ({ "/meta": resource(`${origin}/mcp`) }))
    const known = `Bearer resource_metadata="${server.origin}/meta", scope="files:read"`
    expect(await discover(`${server.origin}/mcp`, openHttp(), known)).toMatchObject({ challengedScope: "files:read" })
    expect(asked(server)).toEqual(["/meta"])
  })

  it.each([
    ["DPoP", {}, true],
    ["Bearer, DPoP", {}, false],
    ["Bearer", { dpop_bound_access_tokens_required: true }, true],
    ["Bearer", { dpop_bound_access_tokens_required: "yes" }, false],
  ])("say whether tokens have to be bound to a key: %s, %j", async (schemes, more, isDpopRequired) => {
    const server = await publish((origin) => ({ [place]: resource(origin, more) }))
    expect(await discover(server.origin, openHttp(), schemes)).toMatchObject({ isDpopRequired })
  })

  it("may be at another host, as RFC 9728 allows", async () => {
    const elsewhere = await publish(() => ({}))
    const server = await publish(() => ({ "/mcp": challenge(`Bearer resource_metadata="${elsewhere.origin}/meta"`) }))
    await failure(`${server.origin}/mcp`)
    expect(asked(elsewhere)).toEqual(["/meta"])
  })

  it("go on with the well-known ones where the named one has none", async () => {
    const server = await publish((origin) => ({
      "/mcp": challenge(`Bearer resource_metadata="${origin}/meta"`),
      [place]: resource(origin),
    }))
    expect(await discover(`${server.origin}/mcp`)).toMatchObject({ resource: server.origin, challengedScope: null })
    expect(asked(server)).toEqual(["/mcp", "/meta", `${place}/mcp`, place])
  })

  it("are not asked twice", async () => {
    const server = await publish((origin) => ({
      "/mcp": challenge(`Bearer resource_metadata="${origin}${place}/mcp"`),
    }))
    await failure(`${server.origin}/mcp`)
    expect(asked(server)).toEqual(["/mcp", `${place}/mcp`, place])
  })

  it("take no credential along", async () => {
    const server = await publish((origin) => ({ [place]: resource(origin) }))
    await discover(server.origin)
    for (const request of server.requests) {
      expect(request).toMatchObject({ method: "GET", text: "" })
      expect(request.headers.authorization).toBeUndefined()
    }
  })

  it.each([
    "http://169.254.169.254/latest",
    "http://metadata.example/m",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "https://user:pass@rs.example/m",
    "/relative",
  ])("are never %s, whatever a 401 names", async (url) => {
    const server = await publish((origin) => ({
      "/mcp": challenge(`Bearer resource_metadata="${url}"`),
      [place]: resource(origin),
    }))
    expect((await discover(`${server.origin}/mcp`)).resource).toBe(server.origin)
    expect(asked(server)).toEqual(["/mcp", `${place}/mcp`, place])
  })

  it("are not inside unless the host lists them", async () => {
    const server = await publish(() => ({ "/mcp": challenge('Bearer resource_metadata="https://10.0.0.1/m"') }))
    const error = await failure(`${server.origin}/mcp`)
    expect(error).toMatchObject({ reason: "address_not_allowed", origin: "https://10.0.0.1", retryable: false })
    expect(error.nextStep).toContain("egress.allowHosts")
    expect(await failure(server.origin, openHttp([]))).toMatchObject({ reason: "address_not_allowed" })
  })
})

describe("a resource that answers oddly", () => {
  const odd: ReadonlyArray<readonly [string, UpstreamAnswer]> = [
    ["with 50 MB", { status: 401, headers: { "www-authenticate": "Bearer" }, body: filler(50 * 1024 * 1024) }],
    ["with a redirect inside", { redirect: "http://169.254.169.254/" }],
    ["with an error", { status: 500 }],
    ["with a reset", { fault: "reset" }],
    ["with half an answer", { fault: "truncate" }],
    ["with a hostile challenge of 16 KB", challenge(`Bearer a="${"\\x".repeat(8_186)}`)],
    ["with a hostile challenge of 15 KB", challenge(`Bearer a="${"\\x".repeat(7_000)}`)],
    ["with success", { json: {} }],
  ]

  it.each(odd)("%s is asked at the well-known places", async (_, answer) => {
    const server = await publish((origin) => ({ "/mcp": answer, [place]: resource(origin) }))
    expect((await discover(`${server.origin}/mcp`)).resource).toBe(server.origin)
    expect(asked(server)).toEqual(["/mcp", `${place}/mcp`, place])
  })
})

describe("a document", () => {
  it.each([
    ["a sibling", (origin: string) => `${origin}/mcp2`],
    ["a sibling whose name begins alike", (origin: string) => `${origin}/mc`],
    ["something below", (origin: string) => `${origin}/mcp/deeper`],
    ["another origin", () => "https://victim.example/mcp"],
    ["another port", (origin: string) => `${origin.replace(/\d+$/, "1")}/mcp`],
    ["another scheme", (origin: string) => `${origin.replace("http:", "https:")}/mcp`],
    ["a wider domain", () => "https://example/"],
    ["a query that was not asked for", (origin: string) => `${origin}/mcp?tenant=x`],
    ["a fragment", (origin: string) => `${origin}/mcp#x`],
    ["user information", (origin: string) => `${origin.replace("//", "//a@")}/mcp`],
    ["a line break", (origin: string) => `${origin}/mcp\n`],
    ["no URL", () => "mcp"],
  ])("that describes %s is refused, whatever the next place holds", async (_, named) => {
    const server = await publish((origin) => ({ [`${place}/mcp`]: resource(named(origin)), [place]: resource(origin) }))
    expect(await failure(`${server.origin}/mcp`)).toMatchObject({ reason: "resource_mismatch", retryable: false })
    expect(asked(server)).toEqual(["/mcp", `${place}/mcp`])
  })

  it.each(["", "/", "/api", "/api/", "/api/mcp"])("may name the folder %j of its own origin", async (folder) => {
    const server = await publish((origin) => ({ [place]: resource(`${origin}${folder}`) }))
    expect((await discover(`${server.origin}/api/mcp`)).resource).toBe(`${server.origin}${folder}`)
  })

  it("may leave the servers out", async () => {
    const server = await publish((origin) => ({ [place]: { json: { resource: origin } } }))
    expect(await discover(server.origin)).toMatchObject({ authorizationServers: [], scopesSupported: null })
  })

  it("keeps the servers that can be asked, in its order", async () => {
    const servers = [
      "http://as.example",
      "javascript:x",
      7,
      "https://two.example",
      "https://one.example/a\n",
      "https://three.example",
    ]
    const server = await publish((origin) => ({ [place]: resource(origin, { authorization_servers: servers }) }))
    const found = await discover(server.origin)
    expect(found.authorizationServers).toEqual(["https://two.example", "https://three.example"])
  })

  it.each([[["http://as.example", "javascript:alert(1)"]], [["https://①②⑦.⓪.⓪.①"]], [[7]]])(
    "that names servers of which none can be asked is refused: %j",
    async (servers) => {
      const server = await publish((origin) => ({ [place]: resource(origin, { authorization_servers: servers }) }))
      expect(await failure(server.origin)).toMatchObject({ reason: "insecure_endpoint", retryable: false })
    },
  )

  it.each([
    ["html", { body: "<html>" }],
    ["no name", { json: { authorization_servers: ["https://as.example"] } }],
    ["depth", { body: deepJson('"resource":7') }],
    ["50 MB", { body: filler(50 * 1024 * 1024) }],
    ["a redirect", { redirect: "http://169.254.169.254/" }],
  ] satisfies ReadonlyArray<[string, UpstreamAnswer]>)("of %s leads to the next place", async (_, answer) => {
    const server = await publish((origin) => ({ [`${place}/mcp`]: answer, [place]: resource(origin) }))
    expect((await discover(`${server.origin}/mcp`)).resource).toBe(server.origin)
  })

  it.each([500, 503, 429])("that cannot be had now (%i) is not taken for none", async (status) => {
    const server = await publish((origin) => ({
      [`${place}/mcp`]: { status },
      [place]: resource(origin, { authorization_servers: ["https://other.example"] }),
    }))
    expect(await failure(`${server.origin}/mcp`)).toMatchObject({ reason: "unavailable", retryable: true })
    expect(asked(server)).toEqual(["/mcp", `${place}/mcp`])
  })

  it("is not repeated in failures", async () => {
    const secret = canary("document")
    const server = await publish(() => ({
      "/mcp": challenge(`Bearer scope="${secret}"`),
      [place]: resource(`https://${secret}.example`, { secret }),
    }))
    new CanaryScanner([secret]).expectNone(await failure(`${server.origin}/mcp`), "the failure")
  })
})

it.each([
  ["http://rs.example/mcp", "insecure_endpoint"],
  ["https://user:pass@rs.example/mcp", "invalid_url"],
  ["rs.example", "invalid_url"],
])("refuses to ask %s", async (url, reason) => {
  expect(await failure(url)).toMatchObject({ reason, retryable: false })
})

it.each([
  ["https://rs.example/mcp", "https://rs.example/mcp", true],
  ["https://RS.example:443/mcp", "https://rs.example/mcp", true],
  ["https://rs.example/mcp/", "https://rs.example/mcp", true],
  ["https://rs.example/mcp", "https://rs.example/mcp?a=b", true],
  ["https://rs.example/mcp?a=b", "https://rs.example/mcp?a=b", true],
  ["https://rs.example/mcp?a=b", "https://rs.example/mcp?a=c", false],
  ["https://rs.example/mcp?a=b", "https://rs.example/mcp/x", false],
  ["https://rs.example/mcp/../", "https://rs.example/other", true],
  ["https://rs.example/mcp", "https://rs.example/mcp/../admin", false],
  ["https://rs.example/m%63p", "https://rs.example/mcp", false],
  ["https://rs.example.evil.example/mcp", "https://rs.example/mcp", false],
])("a document of %s for %s: %s", (named, url, isItsOwn) => {
  expect(isResourceOf(named, new URL(url))).toBe(isItsOwn)
})
