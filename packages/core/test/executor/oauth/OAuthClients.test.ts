/** Clients: which can exist, where their secrets are, and that none of them comes out again. */
import { type CreateOAuthClientInput, InvalidOAuthClientError } from "@keyward/core"
import { canary, CanaryScanner } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { rejectionOf, storeDown, unreliableStore } from "../acme.ts"
import { appByHand, appOf, connect, flowOfMine, setOAuthStage } from "./oauthStage.ts"

const privateKey = "-----BEGIN PRIVATE KEY-----"
const byHand = {
  issuer: undefined,
  authorizationUrl: "https://as.example/authorize",
  tokenUrl: "https://as.example/token",
}

describe("createClient", () => {
  it.each<[field: string, Readonly<Record<string, unknown>>]>([
    ["owner", { owner: "team" }],
    ["slug", { slug: "a.b" }],
    ["slug", { slug: "" }],
    ["grant", { grant: "password" }],
    ["clientId", { clientId: "" }],
    ["clientId", { clientId: "a\nb" }],
    ["clientSecret", { clientSecret: "" }],
    ["clientSecret", { tokenEndpointAuthMethod: "client_secret_post" }],
    ["privateKey", { tokenEndpointAuthMethod: "private_key_jwt" }],
    ["tokenEndpointAuthMethod", { tokenEndpointAuthMethod: "tls_client_auth" }],
    ["tokenEndpointAuthMethod", { tokenEndpointAuthMethod: "none", clientSecret: "s" }],
    ["tokenEndpointAuthMethod", { tokenEndpointAuthMethod: "none", privateKey }],
    ["grant", { grant: "client_credentials" }],
    ["issuer", { issuer: "http://as.example" }],
    ["issuer", { issuer: "javascript:alert(1)" }],
    ["issuer", { issuer: "https://as.example?tenant=1" }],
    ["issuer", { issuer: "https://me:pw@as.example" }],
    ["tokenUrl", { tokenUrl: "https://as.example/token" }],
    ["authorizationUrl", { ...byHand, authorizationUrl: undefined }],
    ["authorizationUrl", { ...byHand, authorizationUrl: "javascript:alert(1)" }],
    ["tokenUrl", { ...byHand, tokenUrl: undefined }],
    ["tokenUrl", { ...byHand, tokenUrl: "http://as.example/token" }],
    ["tokenUrl", { ...byHand, tokenUrl: "https://as.example/token#x" }],
    ["deviceAuthorizationUrl", { ...byHand, grant: "device_code", authorizationUrl: undefined }],
    ["resource", { resource: "https://api.example/#part" }],
    ["dpop", { dpop: "yes" }],
    ["authorizationParams", { authorizationParams: { prompt: 1 } }],
    ["quirks.pkce", { quirks: { pkce: "plain" } }],
  ])("refuses what cannot be, naming the field %s: %j", async (field, wrong) => {
    const { executor, store, vault } = await setOAuthStage()
    const input = {
      owner: "org",
      slug: "app",
      grant: "authorization_code",
      clientId: "id",
      issuer: "https://as.example",
    }
    const error = await rejectionOf(executor.oauth.createClient({ ...input, ...wrong } as never))
    expect(error).toBeInstanceOf(InvalidOAuthClientError)
    expect(error).toMatchObject({ field, httpStatus: 400 })
    expect(await executor.oauth.listClients()).toEqual([])
    expect(vault.items.size).toBe(0)
    expect(await Effect.runPromise(store.oauth.clients.list({ tenant: "acme", subject: "alice", limit: 9 }))).toEqual(
      [],
    )
  })

  it("refuses a user's client where no user acts", async () => {
    const { executor, server } = await setOAuthStage()
    const error = await rejectionOf(executor.withIdentity({}).oauth.createClient(appOf(server, { owner: "user" })))
    expect(error).toMatchObject({ _tag: "InvalidOAuthClientError", field: "owner" })
  })

  it.each<[Partial<CreateOAuthClientInput>, string]>([
    [{}, "none"],
    [{ clientSecret: "s" }, "client_secret_basic"],
    [{ clientSecret: "s", tokenEndpointAuthMethod: "client_secret_post" }, "client_secret_post"],
    [{ privateKey }, "private_key_jwt"],
    [{ privateKey, clientSecret: "s" }, "private_key_jwt"],
  ])("takes the method that goes with %j: %s", async (rest, method) => {
    const { executor, server } = await setOAuthStage()
    expect(await executor.oauth.createClient(appOf(server, rest))).toMatchObject({
      tokenEndpointAuthMethod: method,
      isConfidential: method !== "none",
    })
  })

  it("takes the short spelling of the device grant", async () => {
    const { executor, server } = await setOAuthStage()
    const client = await executor.oauth.createClient(appOf(server, { grant: "device_code" }))
    expect(client.grant).toBe("urn:ietf:params:oauth:grant-type:device_code")
  })

  it.each([
    [["client_secret_post", "none"], "client_secret_post"],
    [["client_secret_post", "client_secret_basic"], "client_secret_basic"],
    [["private_key_jwt"], "client_secret_basic"],
    [undefined, "client_secret_basic"],
  ])("sends its secret as the server takes it, of %j by %s (C2)", async (supported, method) => {
    const metadata = { token_endpoint_auth_methods_supported: supported }
    const stage = await setOAuthStage({ server: { metadata } })
    const client = await stage.executor.oauth.createClient(appOf(stage.server, { clientSecret: "s" }))
    expect(client.tokenEndpointAuthMethod).toBe(method)
    await connect(stage)
    const { parameters, headers } = stage.server.requests("token")[0] ?? {}
    expect(parameters?.has("client_secret")).toBe(method === "client_secret_post")
    expect(headers?.authorization === undefined).toBe(method === "client_secret_post")
  })

  it("can be entered while its server is down, or says how it is to be proven itself", async () => {
    const { executor, server } = await setOAuthStage()
    server.always("metadata", { fault: "error", error: "server_error", status: 503 })
    expect(await executor.oauth.createClient(appOf(server, { clientSecret: "s" }))).toMatchObject({
      tokenEndpointAuthMethod: "client_secret_basic",
    })
    const asked = server.requests("metadata").length
    const given = { clientSecret: "s", tokenEndpointAuthMethod: "client_secret_post" } as const
    await executor.oauth.createClient(appOf(server, given))
    expect(server.requests("metadata")).toHaveLength(asked)
  })

  it("keeps secrets as items of the provider and gives none of them out", async () => {
    const { executor, server, store, vault, events } = await setOAuthStage()
    const secrets = { clientSecret: canary("client secret"), privateKey: canary("private key") }
    const scanner = new CanaryScanner(Object.values(secrets))
    const client = await executor.oauth.createClient(
      appOf(server, { owner: "user", slug: "my:app".replace(":", "-"), ...secrets }),
    )
    expect([...vault.items.keys()]).toEqual([
      "acme/alice/oauth-client:user:my-app:secret",
      "acme/alice/oauth-client:user:my-app:key",
    ])
    const listed = await executor.oauth.listClients()
    const record = await Effect.runPromise(store.oauth.clients.list({ tenant: "acme", subject: "alice", limit: 9 }))
    expect(record).toHaveLength(1)
    scanner.expectNone([client, listed, record, events], "what comes out of a client")
    expect(await executor.providers.items("vault")).toEqual([])
  })

  it("does not let a connection refer to a client's secret", async () => {
    const { executor, server, vault } = await setOAuthStage()
    await executor.oauth.createClient(appOf(server, { clientSecret: "s" }))
    const [id = ""] = [...vault.items.keys()]
    const input = {
      owner: "org",
      integration: "api",
      name: "x",
      template: "bearer",
      from: { provider: "vault", id },
    } as const
    expect(await rejectionOf(executor.connections.create(input))).toMatchObject({ field: "from" })
  })

  it("updates a slug in place and drops the secrets that it no longer has", async () => {
    const { executor, server, vault } = await setOAuthStage()
    await executor.oauth.createClient(appOf(server, { clientSecret: "one" }))
    await executor.oauth.createClient(appOf(server, { clientSecret: "two" }))
    expect([...vault.items]).toEqual([["acme/oauth-client:org:app:secret", "two"]])
    await executor.oauth.createClient(appOf(server, { clientId: "public" }))
    expect(vault.items.size).toBe(0)
    expect(await executor.oauth.listClients()).toMatchObject([
      { slug: "app", clientId: "public", isConfidential: false },
    ])
  })

  it("puts the old secret back when the record cannot be written", async () => {
    let isDown = false
    const store = unreliableStore((operation) =>
      isDown && operation === "oauth.clients.put" ? storeDown(operation) : Effect.void,
    )
    const { executor, server, vault } = await setOAuthStage({ config: { store } })
    await executor.oauth.createClient(appOf(server, { clientSecret: "one" }))
    isDown = true
    const failed = await rejectionOf(executor.oauth.createClient(appOf(server, { clientSecret: "two" })))
    expect(failed).toMatchObject({ _tag: "StoreUnavailableError" })
    expect([...vault.items.values()]).toEqual(["one"])
    const fresh = await rejectionOf(
      executor.oauth.createClient(appOf(server, { slug: "other", clientSecret: "three" })),
    )
    expect(fresh).toMatchObject({ _tag: "StoreUnavailableError" })
    expect([...vault.items.values()]).toEqual(["one"])
  })

  it("is whole when two write the same slug at the same time", async () => {
    const { executor, server, vault, restarted } = await setOAuthStage()
    const other = await restarted()
    const write = (by: typeof executor, name: string) =>
      by.oauth.createClient(appOf(server, { clientId: name, clientSecret: `secret of ${name}` }))
    await Promise.all([write(executor, "a"), write(other, "b"), write(executor, "c"), write(other, "d")])
    const [client] = await executor.oauth.listClients()
    expect([...vault.items.values()]).toEqual([`secret of ${client?.clientId}`])
  })
})

describe("listClients", () => {
  it("shows the organisation's and the caller's, by owner and slug", async () => {
    const { executor, server } = await setOAuthStage()
    const bob = executor.withIdentity({ subject: "bob" })
    await executor.oauth.createClient(appOf(server, { owner: "user", slug: "mine" }))
    await bob.oauth.createClient(appOf(server, { owner: "user", slug: "his" }))
    await executor.oauth.createClient(appOf(server, { slug: "shared" }))
    const slugs = async (by: Pick<typeof executor, "oauth">, input = {}) =>
      (await by.oauth.listClients(input)).map(({ owner, slug }) => `${owner} ${slug}`)
    expect(await slugs(executor)).toEqual(["org shared", "user mine"])
    expect(await slugs(bob, { owner: "user" })).toEqual(["user his"])
    expect(await slugs(executor, { limit: 1, after: { owner: "org", slug: "shared" } })).toEqual(["user mine"])
    expect(await slugs(executor.withIdentity({ tenant: "globex", subject: "alice" }))).toEqual([])
  })
})

describe("removeClient", () => {
  it("removes the client and its secrets, and may be repeated", async () => {
    const { executor, server, vault, events } = await setOAuthStage()
    await executor.oauth.createClient(appOf(server, { clientSecret: "s" }))
    await executor.oauth.removeClient("org", "app")
    await executor.oauth.removeClient("org", "app")
    expect(vault.items.size).toBe(0)
    expect(await executor.oauth.listClients()).toEqual([])
    expect(events.map(({ type }) => type)).toEqual(["oauth.client.saved", "oauth.client.removed"])
  })

  it("leaves its connections, which cannot be started again", async () => {
    const stage = await setOAuthStage()
    await stage.executor.oauth.createClient(appByHand(stage.server))
    await connect(stage)
    await stage.executor.oauth.removeClient("org", "app")
    expect(await stage.executor.execute("tools.api.user.main.call")).toMatchObject({ ok: true })
    expect(await rejectionOf(stage.executor.oauth.start(flowOfMine))).toMatchObject({ reason: "client_not_found" })
  })

  it("takes a dynamic registration back at the server", async () => {
    const { executor, server } = await setOAuthStage()
    await executor.oauth.registerDynamicClient({ owner: "org", slug: "dyn", issuer: server.issuer })
    await executor.oauth.removeClient("org", "dyn")
    const deletion = await server.received("registration", 2)
    expect(deletion.method).toBe("DELETE")
  })
})
