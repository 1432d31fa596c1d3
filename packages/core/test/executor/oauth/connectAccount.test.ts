/**
 * `oauth.connect`: which client is used, and that one is made only where none is there, before the certified oidc-provider.
 */
import { describe, expect, it } from "vitest"
import { fakeUpstream } from "@keyward/core/testing"
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
