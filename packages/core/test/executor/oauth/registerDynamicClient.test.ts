/**
 * Dynamic clients: registered once for what they are for, again when that changes, and not at all where a document does (F1 to F8).
 */
import { type AuthTemplate, createExecutor } from "@keyward/core"
import { canary, CanaryScanner } from "@keyward/core/testing"
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest"
import { acmePlugin, rejectionOf } from "../acme.ts"
import { appOf, connect, type OAuthStageOptions, redirectUri, setOAuthStage } from "./oauthStage.ts"

afterEach(() => {
  vi.useRealTimers()
})

const setServer = async (options: OAuthStageOptions = {}) => {
  const stage = await setOAuthStage(options)
  const { server, executor } = stage
  const input = { owner: "org", slug: "app", issuer: server.issuer, integration: "api" } as const
  const register = (rest: Partial<Parameters<typeof executor.oauth.registerDynamicClient>[0]> = {}) =>
    executor.oauth.registerDynamicClient({ ...input, ...rest })
  const registrations = () => server.requests("registration")
  return { ...stage, register, registrations }
}

describe("registerDynamicClient", () => {
  it("registers, and connects through what the server gave", async () => {
    const { executor, server, register, registrations, events, vault } = await setServer({
      config: { clientName: "My app" },
    })
    const client = await register()
    expect(client).toMatchObject({ slug: "app", origin: "dynamic", issuer: server.issuer, grant: "authorization_code" })
    const [registration] = registrations()
    expect(registration?.parameters.get("client_name")).toBe("My app")
    expect(registration?.parameters.get("redirect_uris")).toBe(JSON.stringify([redirectUri]))
    expect(registration?.parameters.get("application_type")).toBe("native")
    expect(registration?.parameters.get("scope")).toBe("read write")
    expect(await connect({ executor, server })).toMatchObject({ status: "active", oauthClient: "app" })
    const ids = [...vault.items.keys()].filter((id) => id.includes("oauth-client:"))
    expect(ids).toContain("acme/oauth-client:org:app:registration")
    new CanaryScanner(server.secrets).expectNone([client, events], "what comes out of a registration")
  })

  it("uses a registration again that still fits, also when it is asked for twice at once", async () => {
    const { register, registrations } = await setServer()
    const [first, second] = await Promise.all([register(), register()])
    expect(second).toEqual(first)
    expect(await register()).toEqual(first)
    expect(registrations()).toHaveLength(1)
  })

  it("registers anew for another redirect URI (F6)", async () => {
    const { register, registrations } = await setServer()
    const first = await register()
    const second = await register({ redirectUri: "http://localhost:4319/oauth/callback" })
    expect(second.clientId).not.toBe(first.clientId)
    expect(registrations()).toHaveLength(2)
  })

  it("registers anew when the template needs scopes that it was not made for (F7)", async () => {
    const { executor, server, register, registrations } = await setServer()
    await register()
    const change = async (scopes: ReadonlyArray<string>): Promise<void> => {
      const authTemplates: ReadonlyArray<AuthTemplate> = [{ slug: "oauth", type: "oauth2", scopes }]
      await executor.acme.add({ slug: "api", baseUrl: server.origin, authTemplates })
      await register()
    }
    await change(["read"])
    expect(registrations()).toHaveLength(1)
    await change(["read", "write", "admin"])
    expect(registrations()).toHaveLength(2)
  })

  it("registers anew when its secret has run out (F7)", async () => {
    vi.useFakeTimers({ toFake: ["Date"] })
    const { server, register, registrations } = await setServer()
    const expiresAt = Math.floor(Date.now() / 1000) + 3600
    server.next("registration", { fault: "change", json: { client_secret: "s", client_secret_expires_at: expiresAt } })
    await register()
    await register()
    expect(registrations()).toHaveLength(1)
    vi.setSystemTime(expiresAt * 1000)
    await register()
    expect(registrations()).toHaveLength(2)
  })

  it("finds the server from the URL of what it protects, and the resource with it", async () => {
    const { server, register } = await setServer()
    expect(await register({ issuer: undefined, url: server.resourceUrl })).toMatchObject({
      issuer: server.issuer,
      resource: server.resourceUrl,
    })
  })

  it("uses the method that the server answers with (F5)", async () => {
    const { server, register } = await setServer()
    server.next("registration", {
      fault: "change",
      json: { token_endpoint_auth_method: "client_secret_post", client_secret: "s", client_secret_expires_at: 0 },
    })
    expect(await register()).toMatchObject({ tokenEndpointAuthMethod: "client_secret_post", isConfidential: true })
  })

  it("sends the initial access token, and shows it nowhere (F8)", async () => {
    const { register, registrations, events, server } = await setServer()
    const initialAccessToken = canary("initial access token")
    const client = await register({ initialAccessToken })
    expect(registrations()[0]?.headers.authorization).toBe(`Bearer ${initialAccessToken}`)
    server.next("registration", { fault: "error", error: "invalid_token", description: initialAccessToken })
    const error = await rejectionOf(register({ initialAccessToken, slug: "other" }))
    new CanaryScanner([initialAccessToken]).expectNone([client, events, error], "the registration")
  })

  it("prefers the host's metadata document where the server takes one (F1)", async () => {
    const clientMetadataUrl = "https://app.example/oauth/client.json"
    const supported = { metadata: { client_id_metadata_document_supported: true } }
    const { register, registrations } = await setServer({ server: supported, config: { clientMetadataUrl } })
    expect(await register()).toMatchObject({
      clientId: clientMetadataUrl,
      origin: "metadata_document",
      tokenEndpointAuthMethod: "none",
    })
    const without = await setServer({ config: { clientMetadataUrl } })
    expect(await without.register()).toMatchObject({ origin: "dynamic" })
    expect(registrations()).toHaveLength(0)
  })

  it("names the document that the host serves now, and registers where the server takes none any more", async () => {
    const metadata = { client_id_metadata_document_supported: true }
    const clientMetadataUrl = "https://app.example/oauth/client.json"
    const stage = await setServer({ server: { metadata }, config: { clientMetadataUrl } })
    const { server, store, vault, register } = stage
    await register()
    const moved = await createExecutor({
      tenant: "acme",
      subject: "alice",
      plugins: [acmePlugin()],
      providers: [vault.provider],
      store,
      redirectUri,
      clientMetadataUrl: "https://app.example/elsewhere/client.json",
      egress: { allowHosts: [server.host] },
    })
    onTestFinished(() => moved.close())
    const input = { owner: "org", slug: "app", issuer: server.issuer, integration: "api" } as const
    const elsewhere = await moved.oauth.registerDynamicClient(input)
    expect(elsewhere.clientId).toBe("https://app.example/elsewhere/client.json")
    server.always("metadata", { fault: "change", json: { client_id_metadata_document_supported: false } })
    const later = await stage.restarted()
    expect(await later.oauth.registerDynamicClient(input)).toMatchObject({ origin: "dynamic" })
  })

  it("does not replace a client that was entered by hand", async () => {
    const { executor, server, register, registrations } = await setServer()
    await executor.oauth.createClient(appOf(server))
    expect(await rejectionOf(register())).toMatchObject({ _tag: "InvalidOAuthClientError", field: "slug" })
    expect(registrations()).toHaveLength(0)
  })

  it.each<[field: string, Readonly<Record<string, unknown>>]>([
    ["issuer", { issuer: undefined }],
    ["issuer", { url: "https://as.example" }],
    ["url", { issuer: undefined, url: "not a url" }],
    ["redirectUri", { redirectUri: "http://app.example/callback" }],
    ["template", { template: "bearer" }],
    ["template", { integration: undefined, template: "oauth" }],
    ["resource", { resource: "#part" }],
    ["owner", { owner: "team" }],
    ["grant", { grant: "implicit" }],
  ])("refuses what cannot be, naming the field %s: %j", async (field, wrong) => {
    const { register, registrations } = await setServer()
    expect(await rejectionOf(register(wrong))).toMatchObject({ _tag: "InvalidOAuthClientError", field })
    expect(registrations()).toHaveLength(0)
  })

  it("leaves the client before in place when the server refuses", async () => {
    const { executor, server, register } = await setServer()
    const before = await register()
    server.always("registration", { fault: "error", error: "invalid_redirect_uri" })
    const error = await rejectionOf(register({ redirectUri: "http://localhost:4319/other" }))
    expect(error).toMatchObject({ _tag: "OAuthRegistrationError" })
    expect(await executor.oauth.listClients()).toEqual([before])
  })

  it("starts no flow for a redirect URI that it was not made for", async () => {
    const { executor, register } = await setServer()
    await register()
    const input = {
      owner: "user",
      integration: "api",
      name: "main",
      client: "app",
      clientOwner: "org",
      template: "oauth",
    } as const
    expect(await rejectionOf(executor.oauth.start({ ...input, redirectUri: "http://localhost:1/cb" }))).toMatchObject({
      reason: "redirect_uri_not_registered",
    })
  })
})

describe("probe", () => {
  it("tells what a resource's authorization server offers", async () => {
    const { executor, server } = await setOAuthStage()
    expect(await executor.oauth.probe({ url: server.resourceUrl })).toMatchObject({
      issuer: server.issuer,
      authorizationUrl: server.authorizationUrl,
      tokenUrl: server.tokenUrl,
      registrationUrl: server.registrationUrl,
      resource: server.resourceUrl,
      codeChallengeMethodsSupported: ["S256"],
      clientIdMetadataDocumentSupported: false,
    })
  })

  it("shows where a server says nothing of PKCE (A2)", async () => {
    const metadata = { code_challenge_methods_supported: undefined }
    const { executor, server } = await setOAuthStage({ server: { metadata } })
    expect(await executor.oauth.probe({ url: server.resourceUrl })).not.toHaveProperty("codeChallengeMethodsSupported")
  })

  it.each(["", "nonsense", "http://169.254.169.254/latest"])("refuses %j", async (url) => {
    const { executor } = await setOAuthStage()
    expect(await rejectionOf(executor.oauth.probe({ url }))).toMatchObject({ _tag: "OAuthDiscoveryError" })
  })
})
