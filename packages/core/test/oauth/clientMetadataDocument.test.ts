/** Client ID Metadata Documents: what a host serves instead of registering. */
import { describe, expect, it } from "vitest"
import { clientMetadataDocument, type ClientMetadataDocumentOptions } from "../../src/oauth/ClientMetadataDocument.ts"
import { InvalidOAuthClientError } from "../../src/oauth/OAuthError.ts"

const options: ClientMetadataDocumentOptions = {
  clientId: "https://app.example.com/oauth/client.json",
  clientName: "Example",
  redirectUris: ["https://app.example.com/oauth/callback"],
}

const fault = (given: Readonly<Record<string, unknown>>): InvalidOAuthClientError => {
  try {
    clientMetadataDocument({ ...options, ...given })
  } catch (error) {
    if (error instanceof InvalidOAuthClientError) return error
    throw error
  }
  throw new Error("The document was built.")
}

describe("a document", () => {
  it("names the client by its own address", () => {
    expect(clientMetadataDocument(options)).toEqual({
      client_id: "https://app.example.com/oauth/client.json",
      client_name: "Example",
      redirect_uris: ["https://app.example.com/oauth/callback"],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      application_type: "web",
      token_endpoint_auth_method: "none",
    })
  })

  it("holds all else that was given", () => {
    const key = { kty: "EC", crv: "P-256", x: "x", y: "y", kid: "1" }
    expect(
      clientMetadataDocument({
        ...options,
        redirectUris: ["http://127.0.0.1:4319/callback", "com.example.app:/callback", "http://[::1]/callback"],
        grantTypes: ["urn:ietf:params:oauth:grant-type:device_code"],
        scope: "read write",
        tokenEndpointAuthMethod: "private_key_jwt",
        jwks: { keys: [key] },
        clientUri: "https://app.example.com",
        logoUri: "https://app.example.com/logo.png",
        termsOfServiceUri: "https://app.example.com/terms",
        policyUri: "https://app.example.com/privacy",
      }),
    ).toEqual({
      client_id: "https://app.example.com/oauth/client.json",
      client_name: "Example",
      redirect_uris: ["http://127.0.0.1:4319/callback", "com.example.app:/callback", "http://[::1]/callback"],
      grant_types: ["urn:ietf:params:oauth:grant-type:device_code"],
      response_types: [],
      application_type: "native",
      token_endpoint_auth_method: "private_key_jwt",
      scope: "read write",
      jwks: { keys: [key] },
      client_uri: "https://app.example.com",
      logo_uri: "https://app.example.com/logo.png",
      tos_uri: "https://app.example.com/terms",
      policy_uri: "https://app.example.com/privacy",
    })
  })

  it("is JSON as it stands", () => {
    const document = clientMetadataDocument({ ...options, jwksUri: "https://app.example.com/jwks.json" })
    expect(JSON.parse(JSON.stringify(document))).toEqual(document)
    expect(document.jwks_uri).toBe("https://app.example.com/jwks.json")
  })
})

describe("a client id", () => {
  it.each([
    "http://app.example.com/client.json",
    "https://app.example.com",
    "https://app.example.com/",
    "https://app.example.com/a/../client.json",
    "https://app.example.com/./client.json",
    "https://app.example.com/%2e%2e/client.json",
    "https://app.example.com/client.json#me",
    "https://app.example.com/client.json#",
    "https://user@app.example.com/client.json",
    "https://user:pass@app.example.com/client.json",
    "https://APP.example.com/client.json",
    "https://app.example.com:443/client.json",
    " https://app.example.com/client.json",
    "client.json",
    "urn:client",
    "",
    undefined,
  ])("cannot be %j", (clientId) => {
    expect(fault({ clientId })).toMatchObject({ field: "clientId" })
  })

  it.each([
    "https://app.example.com:8443/client.json",
    "https://app.example.com/client",
    "https://app.example.com/c?v=1",
  ])("can be %s", (clientId) => {
    expect(clientMetadataDocument({ ...options, clientId }).client_id).toBe(clientId)
  })
})

describe("what a document cannot say", () => {
  it.each([
    ["clientName", { clientName: " " }],
    ["clientName", { clientName: undefined }],
    ["redirectUris", { redirectUris: [] }],
    ["redirectUris", { redirectUris: "https://app.example.com/callback" }],
    ["redirectUris", { redirectUris: ["http://app.example.com/callback"] }],
    ["redirectUris", { redirectUris: ["http://127.0.0.1.example.com/callback"] }],
    ["redirectUris", { redirectUris: ["https://app.example.com/callback#x"] }],
    ["redirectUris", { redirectUris: ["https://user@app.example.com/callback"] }],
    ["redirectUris", { redirectUris: ["javascript:alert(1)"] }],
    ["redirectUris", { redirectUris: ["data:text/html,x"] }],
    ["redirectUris", { redirectUris: ["myapp:/callback"] }],
    ["redirectUris", { redirectUris: ["/callback"] }],
    ["redirectUris", { redirectUris: [7] }],
    ["tokenEndpointAuthMethod", { tokenEndpointAuthMethod: "client_secret_basic" }],
    ["tokenEndpointAuthMethod", { tokenEndpointAuthMethod: "client_secret_post" }],
    ["tokenEndpointAuthMethod", { tokenEndpointAuthMethod: "client_secret_jwt" }],
    ["jwksUri", { tokenEndpointAuthMethod: "private_key_jwt" }],
    ["jwksUri", { jwksUri: "http://app.example.com/jwks.json" }],
    ["logoUri", { logoUri: "javascript:alert(1)" }],
    ["clientUri", { clientUri: "app.example.com" }],
    ["jwks", { jwks: { keys: [{ kty: "EC", crv: "P-256", x: "x", y: "y", d: "private" }] } }],
    ["jwks", { jwks: { keys: [{ kty: "oct", k: "secret" }] } }],
  ])("is a %s such as in %j", (field, given) => {
    const error = fault(given)
    expect(error).toMatchObject({ field, httpStatus: 400 })
    expect(error.message).toContain(field)
  })

  it("is a secret, even in a message", () => {
    const error = fault({ jwks: { keys: [{ kty: "oct", k: "sesame-open-up" }] } })
    expect(error.message).not.toContain("sesame")
  })
})
