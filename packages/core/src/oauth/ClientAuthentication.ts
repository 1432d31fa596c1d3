/**
 * How a client proves itself: RFC 6749, section 2.3.1, and RFC 7523, section 2.2; one method per request.
 *
 * Used for every request that a client authenticates. One of the few places that see client secrets in clear.
 */
import { randomUUID } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { type ClientAuth, ClientSecretPost, None } from "oauth4webapi"
import type { OAuthQuirks } from "../auth/OAuthQuirks.ts"
import type { ClientAuthenticationMethod } from "./OAuthClient.ts"
import { signJwt } from "./signAssertion.ts"
import { TokenRequestError } from "./tokenFailure.ts"

/** A client with what it proves itself by, still wrapped. */
export interface ClientCredential {
  readonly clientId: string
  readonly method: ClientAuthenticationMethod
  /** For `client_secret_basic` and `client_secret_post`. */
  readonly clientSecret?: Redacted.Redacted | undefined
  /** For `private_key_jwt`: PKCS#8 as PEM, or a private JWK as JSON. */
  readonly privateKey?: Redacted.Redacted | undefined
  /** As the server's metadata spells it; `null`: endpoints by hand. */
  readonly issuer: string | null
}

/**
 * The proof for exactly one request, as oauth4webapi takes it: an assertion in it must not be sent twice.
 *
 * `tokenUrl` is what an assertion is made for where the client knows no issuer. Fails with `client_rejected` and
 * `client_secret_missing`, `private_key_missing` or `private_key_unusable`; nothing has been sent then.
 */
export const libraryClientAuth = (
  client: ClientCredential,
  quirks: OAuthQuirks,
  tokenUrl: string,
): Effect.Effect<ClientAuth, TokenRequestError> =>
  Effect.map(proof(client, quirks, tokenUrl), (authenticate) => withClientIdName(authenticate, quirks))

const proof = (
  client: ClientCredential,
  quirks: OAuthQuirks,
  tokenUrl: string,
): Effect.Effect<ClientAuth, TokenRequestError> => {
  const unready = (code: string): TokenRequestError =>
    new TokenRequestError({ kind: "client_rejected", host: URL.parse(tokenUrl)?.host ?? "", code })
  if (client.method === "none") return Effect.succeed(None())
  if (client.method === "private_key_jwt") {
    const { privateKey } = client
    if (privateKey === undefined) return Effect.fail(unready("private_key_missing"))
    return Effect.map(
      Effect.mapError(clientAssertion(client, privateKey, tokenUrl), () => unready("private_key_unusable")),
      (assertion) => (_server, _client, body) => {
        body.set("client_id", client.clientId)
        body.set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
        body.set("client_assertion", Redacted.value(assertion))
      },
    )
  }
  const secret = client.clientSecret === undefined ? "" : Redacted.value(client.clientSecret)
  if (secret === "") return Effect.fail(unready("client_secret_missing"))
  if (client.method === "client_secret_post") return Effect.succeed(ClientSecretPost(secret))
  return Effect.succeed(basic(client.clientId, secret, quirks))
}

const basic = (clientId: string, secret: string, { basicEncoding }: OAuthQuirks): ClientAuth => {
  const pair =
    basicEncoding === "raw"
      ? `${clientId}:${secret}`
      : basicEncoding === "secret_as_user"
        ? `${secret}:`
        : `${formEncoded(clientId)}:${formEncoded(secret)}`
  const authorization = `Basic ${Buffer.from(pair, "utf8").toString("base64")}`
  return (_server, _client, _body, headers) => {
    headers.set("authorization", authorization)
  }
}

/**
 * As forms are encoded (RFC 6749, appendix B), which leaves `-`, `.`, `_` and `*` as they are: so does what comes of it at the many
 * servers that take id and secret undecoded.
 */
const formEncoded = (text: string): string => new URLSearchParams([["", text]]).toString().slice(1)

/** The issuer alone is the audience: a server that is not the one meant cannot use the assertion at another (RFC 7523bis). */
const clientAssertion = Effect.fnUntraced(function* (
  { clientId, issuer }: ClientCredential,
  privateKey: Redacted.Redacted,
  tokenUrl: string,
) {
  const now = Math.floor((yield* Clock.currentTimeMillis) / 1000)
  return yield* signJwt(privateKey, {
    iss: clientId,
    sub: clientId,
    aud: issuer ?? tokenUrl,
    jti: randomUUID(),
    iat: now,
    nbf: now,
    exp: now + lifetimeSeconds,
  })
})

const lifetimeSeconds = 60

const withClientIdName = (authenticate: ClientAuth, { clientIdParameter }: OAuthQuirks): ClientAuth => {
  if (clientIdParameter === undefined || clientIdParameter === "client_id") return authenticate
  return async (server, client, body, headers) => {
    await authenticate(server, client, body, headers)
    const clientId = body.get("client_id")
    body.delete("client_id")
    if (clientId !== null) body.set(clientIdParameter, clientId)
  }
}
