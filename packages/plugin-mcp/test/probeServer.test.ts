/**
 * What a server that turns strangers away is found to want, by what it says to the requests of MCP.
 */
import { describe, expect, it } from "vitest"
import { serveLoopback } from "./support/httpServer.ts"
import { modernServer } from "./support/modernServer.ts"
import { setStage } from "./support/stage.ts"

interface Refusing {
  /** `WWW-Authenticate` of its 401. */
  readonly challenge?: (origin: string) => string
  /** Documents by path. */
  readonly pages?: (origin: string) => Readonly<Record<string, object>>
  /** Status of a page for people without parameters. */
  readonly authorizeStatus?: number
}

/** Refuses every message, and knows no other requests than those. */
const serveRefusing = ({ challenge, pages, authorizeStatus = 404 }: Refusing) =>
  serveLoopback((request) => {
    const { origin, pathname } = new URL(request.url)
    const page = pages?.(origin)[pathname]
    if (page !== undefined) return Promise.resolve(Response.json(page))
    if (pathname === "/authorize") return Promise.resolve(new Response(null, { status: authorizeStatus }))
    if (request.method !== "POST" || pathname !== "/mcp") return Promise.resolve(new Response(null, { status: 404 }))
    const headers = challenge === undefined ? undefined : { "www-authenticate": challenge(origin) }
    return Promise.resolve(Response.json({ error: "unauthorized" }, { status: 401, ...(headers && { headers }) }))
  })

const described = (origin: string) => ({
  "/custom/metadata": { resource: `${origin}/mcp`, authorization_servers: [origin], scopes_supported: ["files:read"] },
  "/.well-known/oauth-authorization-server": {
    issuer: origin,
    authorization_endpoint: `${origin}/sign-in`,
    token_endpoint: `${origin}/token`,
    response_types_supported: ["code"],
    code_challenge_methods_supported: ["S256"],
  },
})

describe("a server that refuses strangers", () => {
  it("is believed what it answers to a message, and is not asked with another kind of request", async () => {
    const server = await serveRefusing({
      challenge: (origin) => `Bearer resource_metadata="${origin}/custom/metadata", scope="files:write"`,
      pages: described,
    })
    const { executor } = await setStage({ hosts: [server.host] })
    const { authTemplates } = await executor.mcp.probe({ url: `${server.origin}/mcp` })
    expect(authTemplates[0]).toMatchObject({
      issuer: server.origin,
      resource: `${server.origin}/mcp`,
      scopes: ["files:write"],
    })
    expect(server.arrived.filter(({ method, path }) => method === "GET" && path === "/mcp")).toEqual([])
  })

  it("is asked for bound tokens where it takes no others", async () => {
    const server = await serveRefusing({
      challenge: (origin) => `DPoP resource_metadata="${origin}/custom/metadata"`,
      pages: described,
    })
    const { executor } = await setStage({ hosts: [server.host] })
    const { authTemplates } = await executor.mcp.probe({ url: `${server.origin}/mcp` })
    expect(authTemplates[0]).toMatchObject({ type: "oauth2", dpop: true, scopes: ["files:read"] })
  })

  it("is taken for one of the revision 2025-03-26 where it says nothing and has a page for people", async () => {
    const server = await serveRefusing({ authorizeStatus: 400 })
    const { executor } = await setStage({ hosts: [server.host] })
    expect(await executor.mcp.probe({ url: `${server.origin}/mcp` })).toMatchObject({
      authorization: null,
      authTemplates: [
        {
          type: "oauth2",
          authorizationUrl: `${server.origin}/authorize`,
          tokenUrl: `${server.origin}/token`,
          registrationUrl: `${server.origin}/register`,
          resource: `${server.origin}/mcp`,
        },
        { slug: "bearer" },
        { slug: "none" },
      ],
    })
  })

  it.each([401, 404])("takes a pasted token where it says nothing and its page answers %d", async (authorizeStatus) => {
    const server = await serveRefusing({ authorizeStatus })
    const { executor } = await setStage({ hosts: [server.host] })
    const { authTemplates } = await executor.mcp.probe({ url: `${server.origin}/mcp` })
    expect(authTemplates.map(({ slug }) => slug)).toEqual(["bearer", "none"])
  })
})

describe("a server that lets strangers in", () => {
  it("is added whatever it answers to other requests", async () => {
    const open = await modernServer({
      guard: (request) => (request.method === "POST" ? undefined : new Response("?", { status: 503 })),
    })
    const { executor } = await setStage({ hosts: [open.host] })
    expect(await executor.mcp.probe({ url: open.url })).toMatchObject({
      authorizationRequired: false,
      authorization: null,
      authTemplates: [{ slug: "none" }],
    })
  })
})
