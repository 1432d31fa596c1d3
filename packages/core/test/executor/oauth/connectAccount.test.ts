/**
 * `oauth.connect`: which client is used, and that one is made only where none is there, before the certified oidc-provider.
 */
import { createExecutor, memoryProvider } from "@keyward/core"
import { fakeUpstream } from "@keyward/core/testing"
import { describe, expect, it, onTestFinished } from "vitest"
import { acmePlugin } from "../acme.ts"
import { account, clientOf, connectAt, oidcCallback, setOidcStage } from "./oidcStage.ts"

const clientMetadataUrl = "https://app.example.com/oauth/client.json"

const clientMetadataDocument = {
  client_id: clientMetadataUrl,
  client_name: "Example",
  redirect_uris: [oidcCallback],
  grant_types: ["authorization_code", "refresh_token"],
  response_types: ["code"],
  application_type: "native",
  token_endpoint_auth_method: "none",
}

describe("oauth.connect", () => {
  it("uses the client that was entered for the server", async () => {
    const stage = await setOidcStage()
    await stage.executor.oauth.createClient(clientOf(stage.provider))
    const started = await stage.executor.oauth.connect(account)
    expect(started.status === "redirect" && new URL(started.authorizationUrl).searchParams.get("client_id")).toBe(
      "public",
    )
    expect(await stage.executor.oauth.listClients()).toHaveLength(1)
  })

  it("uses the host's metadata document before anything else where the server takes one", async () => {
    const stage = await setOidcStage({
      provider: { clientMetadataDocuments: { [clientMetadataUrl]: clientMetadataDocument } },
      config: { clientMetadataUrl },
    })
    await stage.executor.oauth.createClient(clientOf(stage.provider))
    const started = await stage.executor.oauth.connect({ ...account, template: "oauth" })
    if (started.status !== "redirect") throw new Error(started.status)
    expect(new URL(started.authorizationUrl).searchParams.get("client_id")).toBe(clientMetadataUrl)
    const callbackUrl = await stage.provider.authorize(started.authorizationUrl)
    await stage.executor.oauth.complete({ callbackUrl })
    expect(stage.accessToken()).not.toBe("")
  })

  it("registers a client where there is none, once", async () => {
    const stage = await setOidcStage()
    for (const name of ["main", "other"]) {
      const started = await stage.executor.oauth.connect({ ...account, name })
      if (started.status !== "redirect") throw new Error(started.status)
      const callbackUrl = await stage.provider.authorize(started.authorizationUrl)
      await stage.executor.oauth.complete({ callbackUrl })
    }
    expect(await stage.executor.oauth.listClients()).toMatchObject([{ slug: "auto-files", origin: "dynamic" }])
    expect(stage.accessToken()).not.toBe("")
  })

  it("does not use a client of another server", async () => {
    const stage = await setOidcStage()
    await stage.executor.oauth.createClient(
      clientOf(stage.provider, { slug: "foreign", issuer: "https://other.example" }),
    )
    const started = await stage.executor.oauth.connect(account)
    expect(started.status === "redirect" && new URL(started.authorizationUrl).searchParams.get("client_id")).not.toBe(
      "public",
    )
  })

  it("says that somebody has to enter a client where the server lets nobody register", async () => {
    await using server = await fakeUpstream(({ path, headers }) => ({
      status: path.startsWith("/.well-known/oauth-authorization-server") ? 200 : 404,
      json: {
        issuer: `http://${headers.host}`,
        authorization_endpoint: `http://${headers.host}/authorize`,
        token_endpoint: `http://${headers.host}/token`,
        response_types_supported: ["code"],
        code_challenge_methods_supported: ["S256"],
      },
    }))
    const stage = await setOidcStage({ baseUrl: server.origin })
    await expect(stage.executor.oauth.connect(account)).rejects.toMatchObject({
      _tag: "OAuthStartError",
      reason: "client_needed",
    })
  })

  it("registers at the endpoints of a template, once, and not for another server", async () => {
    await using server = await fakeUpstream(({ path }) =>
      path === "/register"
        ? { status: 201, json: { client_id: "registered" } }
        : { json: { access_token: "access-1", token_type: "Bearer" } },
    )
    const stage = await setOidcStage()
    const endpointsAt = (origin: string) => ({
      slug: "bare",
      baseUrl: server.origin,
      authTemplates: [
        {
          slug: "oauth",
          type: "oauth2",
          authorizationUrl: `${origin}/authorize`,
          tokenUrl: `${origin}/token`,
          registrationUrl: `${origin}/register`,
        } as const,
      ],
    })
    const executor = await createExecutor({
      subject: "alice",
      plugins: [acmePlugin()] as const,
      providers: [memoryProvider()],
      redirectUri: oidcCallback,
      egress: { allowHosts: ["127.0.0.1", "localhost"] },
    })
    onTestFinished(() => executor.close())
    // A client of other endpoints is another server's.
    await executor.oauth.createClient({
      ...clientOf(stage.provider, { slug: "foreign" }),
      issuer: undefined,
      authorizationUrl: "https://other.example/authorize",
      tokenUrl: "https://other.example/token",
    })
    const bare = { ...account, integration: "bare" }
    await executor.acme.add(endpointsAt(server.origin))
    for (const name of ["main", "other"]) {
      const started = await executor.oauth.connect({ ...bare, name })
      if (started.status !== "redirect") throw new Error(started.status)
      const url = new URL(started.authorizationUrl)
      expect(url.origin + url.pathname).toBe(`${server.origin}/authorize`)
      expect(url.searchParams.get("client_id")).toBe("registered")
      await executor.oauth.complete({ state: started.state, code: "code-1" })
    }
    expect(server.requests.map(({ path }) => path)).toEqual(["/register", "/token", "/token"])
    const moved = server.origin.replace("127.0.0.1", "localhost")
    await executor.acme.add(endpointsAt(moved))
    await executor.oauth.connect(bare)
    expect(server.requests.filter(({ path }) => path === "/register")).toHaveLength(2)
  })

  it("refuses a template whose server the resource does not name any more", async () => {
    let named = ""
    await using resource = await fakeUpstream(({ path, headers }) =>
      path.startsWith("/.well-known/oauth-protected-resource")
        ? { json: { resource: `http://${headers.host}`, authorization_servers: [named] } }
        : { status: 404 },
    )
    const stage = await setOidcStage({ config: { egress: { allowHosts: ["127.0.0.1"] } } })
    named = stage.provider.issuer
    const template = { slug: "oauth", type: "oauth2", issuer: named, resource: resource.origin } as const
    await stage.executor.acme.add({ slug: "files", baseUrl: resource.origin, authTemplates: [template] })
    await stage.executor.oauth.createClient(clientOf(stage.provider))
    expect(await stage.executor.oauth.connect(account)).toMatchObject({ status: "redirect" })
    named = "https://other.example"
    await expect(stage.executor.oauth.connect(account)).rejects.toMatchObject({
      _tag: "OAuthStartError",
      reason: "authorization_server_moved",
    })
  })

  it("needs to be told which template where there are several or none", async () => {
    const stage = await setOidcStage()
    await stage.executor.acme.add({ slug: "bare", baseUrl: stage.provider.issuer, authTemplates: [] })
    await expect(stage.executor.oauth.connect({ ...account, integration: "bare" })).rejects.toMatchObject({
      reason: "template_not_found",
    })
    await expect(stage.executor.oauth.connect({ ...account, integration: "absent" })).rejects.toMatchObject({
      _tag: "IntegrationNotFoundError",
    })
  })

  it("refuses a server that does not say that it knows PKCE where the template wants that", async () => {
    await using server = await fakeUpstream(({ path, headers }) => ({
      status: path.startsWith("/.well-known/oauth-authorization-server") ? 200 : 404,
      json: {
        issuer: `http://${headers.host}`,
        authorization_endpoint: `http://${headers.host}/authorize`,
        token_endpoint: `http://${headers.host}/token`,
        response_types_supported: ["code"],
      },
    }))
    const stage = await setOidcStage({ baseUrl: server.origin, template: { quirks: { pkce: "advertised" } } })
    await stage.executor.oauth.createClient(clientOf(stage.provider, { issuer: server.origin }))
    await expect(connectAt(stage)).rejects.toMatchObject({ reason: "pkce_not_supported" })
  })
})
