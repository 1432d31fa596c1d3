/**
 * Signed JWTs by which a client or a subject is asserted: RFC 7523.
 *
 * The executor makes grant assertions with it (section 2.1); client assertions (section 2.2) are put together in
 * `ClientAuthentication.ts`. Sees private keys in clear.
 */
import { createPrivateKey, type KeyObject, randomUUID } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { type JWTPayload, SignJWT } from "jose"
import { InvalidOAuthClientError } from "./OAuthError.ts"

/** What a grant assertion says. */
export interface AssertionInput {
  /** PKCS#8 as PEM, or a private JWK as JSON: RSA, P-256, P-384, P-521 or Ed25519. */
  readonly privateKey: Redacted.Redacted
  readonly issuer: string
  readonly subject: string
  /** The authorization server's issuer; its token endpoint where it names none. */
  readonly audience: string
  /** Separated by spaces, for servers that read scopes from the assertion. */
  readonly scope?: string | undefined
  /** Further claims; those of the protocol win. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined
  /** Default 60. */
  readonly lifetimeSeconds?: number | undefined
}

/** A fresh assertion to use as a grant, once. Fails when the key cannot be read or cannot sign. */
export const signAssertion = Effect.fnUntraced(function* (
  input: AssertionInput,
): Effect.fn.Return<Redacted.Redacted, InvalidOAuthClientError> {
  const { issuer, subject, audience, scope, claims, lifetimeSeconds = 60 } = input
  const now = Math.floor((yield* Clock.currentTimeMillis) / 1000)
  return yield* signJwt(input.privateKey, {
    ...claims,
    ...(scope === undefined ? {} : { scope }),
    iss: issuer,
    sub: subject,
    aud: audience,
    jti: randomUUID(),
    iat: now,
    exp: now + lifetimeSeconds,
  })
})

/** Signs claims; the algorithm is the key's own: its `alg`, else RS256, the curve's ES*, or EdDSA. */
export const signJwt = (
  privateKey: Redacted.Redacted,
  claims: JWTPayload,
): Effect.Effect<Redacted.Redacted, InvalidOAuthClientError> =>
  Effect.tryPromise({
    try: async () => {
      const { key, alg, kid } = readPrivateKey(Redacted.value(privateKey).trim())
      const header = { alg, typ: "JWT", ...(kid !== undefined && { kid }) }
      return Redacted.make(await new SignJWT(claims).setProtectedHeader(header).sign(key))
    },
    // What the platform throws may quote the key.
    catch: () =>
      new InvalidOAuthClientError({
        field: "privateKey",
        fault:
          "must be a private key that can sign, PKCS#8 as PEM or a JWK as JSON: RSA from 2048 bits, P-256, P-384, P-521 or Ed25519.",
      }),
  })

interface SigningKey {
  readonly key: KeyObject
  readonly alg: string
  readonly kid: string | undefined
}

const readPrivateKey = (text: string): SigningKey => {
  if (!text.startsWith("{")) {
    const key = createPrivateKey(text)
    return { key, alg: algorithmOf(key), kid: undefined }
  }
  const jwk = JSON.parse(text) as Record<string, unknown>
  const key = createPrivateKey({ key: jwk, format: "jwk" })
  const { alg, kid } = jwk
  return {
    key,
    alg: typeof alg === "string" && signing.test(alg) ? alg : algorithmOf(key),
    kid: typeof kid === "string" ? kid : undefined,
  }
}

/** Of a JWK's `alg` the library checks that it fits the key; one for encryption is not meant for us. */
const signing = /^(?:[RPE]S(?:256|384|512)|EdDSA|Ed25519)$/

const algorithmOf = (key: KeyObject): string => {
  switch (key.asymmetricKeyType) {
    case "rsa":
      return "RS256"
    case "rsa-pss":
      return "PS256"
    case "ec":
      return curveAlgorithms.get(key.asymmetricKeyDetails?.namedCurve ?? "") ?? "none"
    case "ed25519":
      return "EdDSA"
    default:
      return "none"
  }
}

const curveAlgorithms = new Map([
  ["prime256v1", "ES256"],
  ["secp384r1", "ES384"],
  ["secp521r1", "ES512"],
])
