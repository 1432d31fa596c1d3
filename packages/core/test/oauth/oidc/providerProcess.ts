/**
 * The certified oidc-provider in a process of its own: started by `oidcProvider.ts`, which talks to it over IPC.
 *
 * Besides the provider it serves `GET /resource`, which wants an access token of the provider.
 */
import { generateKeyPairSync } from "node:crypto"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { jwtVerify } from "jose"
import { type EventContext, Provider } from "oidc-provider"
import { oidcClients, type OidcEvent, type OidcMessage, type OidcOptions } from "./OidcOptions.ts"

const options = JSON.parse(process.argv[2] ?? "{}") as OidcOptions
const scopes = options.scopes ?? ["openid", "offline_access", "files:read", "files:write"]
const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })

const send = (message: OidcMessage): void => void process.send?.(message)

const configuration = {
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), alg: "RS256", use: "sig" }] },
  cookies: { keys: ["a key of the tests"] },
  clients: options.clients ?? oidcClients,
  pkce: { required: () => true },
  rotateRefreshToken: options.rotates ?? true,
  scopes,
  findAccount: (_: unknown, accountId: string) => ({ accountId, claims: () => Promise.resolve({ sub: accountId }) }),
  issueRefreshToken: (
    _: unknown,
    client: { grantTypeAllowed(type: string): boolean; readonly applicationType: string },
    code: { readonly scopes: ReadonlySet<string> },
  ) =>
    Promise.resolve(
      client.grantTypeAllowed("refresh_token") &&
        (code.scopes.has("offline_access") || client.applicationType === "native"),
    ),
  ttl: {
    AccessToken: () => options.accessTokenSeconds ?? 3600,
    ClientCredentials: () => options.accessTokenSeconds ?? 3600,
    AuthorizationCode: () => 60,
    DeviceCode: () => 600,
    Grant: () => 86_400,
    IdToken: () => 3600,
    Interaction: () => 600,
    RefreshToken: () => options.refreshTokenSeconds ?? 86_400,
    Session: () => 86_400,
  },
  features: {
    devInteractions: { enabled: true },
    deviceFlow: { enabled: true },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    registration: { enabled: true },
    registrationManagement: { enabled: true },
    pushedAuthorizationRequests: {
      enabled: true,
      requirePushedAuthorizationRequests: options.requiresPushedAuthorizationRequests ?? false,
    },
    dPoP: { enabled: true, nonceSecret: Buffer.alloc(32, 1), requireNonce: () => options.dpop === "nonce" },
    resourceIndicators: {
      enabled: options.resourceIndicators ?? true,
      defaultResource: () => Promise.resolve(undefined),
      useGrantedResource: () => Promise.resolve(true),
      getResourceServerInfo: (_: unknown, resource: string) =>
        Promise.resolve({
          scope: scopes.join(" "),
          audience: resource,
          accessTokenFormat: "jwt",
          jwt: { sign: { alg: "RS256" } },
        }),
    },
    clientIdMetadataDocument: { enabled: true, ack: "draft-02" },
  },
  fetch: (url: string | URL) => {
    const document = options.clientMetadataDocuments?.[String(url)]
    return Promise.resolve(
      document === undefined
        ? new Response(null, { status: 404 })
        : Response.json(document, { headers: { "content-type": "application/json" } }),
    )
  },
}

const report = (name: OidcEvent["name"], context: EventContext, error?: Error): void => {
  const { error: code = error?.message, error_detail: detail } = (error ?? {}) as {
    readonly error?: string
    readonly error_detail?: string
  }
  const grantType = context.oidc?.params?.["grant_type"]
  send({
    type: "event",
    event: {
      name,
      grantType: typeof grantType === "string" ? grantType : null,
      clientId: context.oidc?.client?.clientId ?? null,
      error: code ?? null,
      detail: detail ?? null,
    },
  })
}

/** Accepts opaque tokens that the provider knows and JWTs that it signed, however they are sent. */
const serveResource = async (provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const token = /^(?:bearer|dpop) (.+)$/i.exec(request.headers.authorization ?? "")?.[1]
  const isGood =
    token !== undefined &&
    (token.split(".").length === 3
      ? await jwtVerify(token, publicKey).then(
          () => true,
          () => false,
        )
      : (await provider.AccessToken.find(token))?.isValid === true)
  response.writeHead(isGood ? 200 : 401, {
    "content-type": "application/json",
    ...(!isGood && { "www-authenticate": token === undefined ? "Bearer" : `Bearer error="invalid_token"` }),
  })
  response.end(JSON.stringify({ ok: isGood }))
}

const server = createServer()
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const provider = new Provider(issuer, configuration)
  provider.on("grant.success", (context: EventContext) => report("grant.success", context))
  provider.on("grant.revoked", (context: EventContext) => report("grant.revoked", context))
  for (const name of ["grant.error", "authorization.error", "revocation.error", "server_error"] as const) {
    provider.on(name, (context: EventContext, error: Error) => report(name, context, error))
  }
  const serve = provider.callback()
  server.on("request", (request, response) => {
    void (request.url === "/resource" ? serveResource(provider, request, response) : serve(request, response))
  })
  send({ type: "listening", issuer })
})

process.on("message", (id: number) => send({ type: "flushed", id }))
// The parent is gone.
process.on("disconnect", () => process.exit())
