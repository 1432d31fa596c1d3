/**
 * Seals what a flow under way must remember and nobody may read: the PKCE verifier, the device code, a DPoP key.
 *
 * A compact JWE (RFC 7516, `dir` with A256GCM) under a key derived from `state`. Stores hold the JWE and a hash of `state`, and
 * `state` itself is with the person's browser and the host: whoever reads the store opens nothing. Called by the executor.
 */
import { hkdfSync } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { compactDecrypt, CompactEncrypt } from "jose"
import { OAuthSessionNotFoundError } from "./OAuthError.ts"
import type { SessionSecrets } from "./OAuthSession.ts"

/** {@link SessionSecrets} in memory: each wrapped, absent where the flow has none. */
export type WrappedSessionSecrets = { readonly [Name in keyof SessionSecrets]?: Redacted.Redacted | undefined }

/** Seals a flow's secrets; the answer is safe to store. Twice the same secrets give two different texts. */
export const sealSecrets = (
  state: Redacted.Redacted | string,
  secrets: WrappedSessionSecrets,
): Effect.Effect<string> => {
  const plain: SessionSecrets = {
    ...(secrets.codeVerifier && { codeVerifier: Redacted.value(secrets.codeVerifier) }),
    ...(secrets.deviceCode && { deviceCode: Redacted.value(secrets.deviceCode) }),
    ...(secrets.dpopKey && { dpopKey: Redacted.value(secrets.dpopKey) }),
  }
  const bytes = new TextEncoder().encode(JSON.stringify(plain))
  // Fails only where the platform lacks AES-GCM, and then without a word about the bytes.
  return Effect.promise(() =>
    new CompactEncrypt(bytes).setProtectedHeader({ alg: "dir", enc: "A256GCM" }).encrypt(keyOf(state)),
  )
}

/**
 * Opens what {@link sealSecrets} sealed under the same `state`.
 *
 * Another state, and a text that was changed, cut or never sealed, fail alike: to whoever asks there is no such flow.
 */
export const unsealSecrets = (
  state: Redacted.Redacted | string,
  sealed: string,
): Effect.Effect<WrappedSessionSecrets, OAuthSessionNotFoundError> =>
  Effect.tryPromise({
    try: async () => {
      const { plaintext } = await compactDecrypt(sealed, keyOf(state), {
        keyManagementAlgorithms: ["dir"],
        contentEncryptionAlgorithms: ["A256GCM"],
        maxDecompressedLength: 0,
      })
      const plain = decodeSecrets(JSON.parse(new TextDecoder().decode(plaintext)))
      return {
        ...(plain.codeVerifier !== undefined && { codeVerifier: Redacted.make(plain.codeVerifier) }),
        ...(plain.deviceCode !== undefined && { deviceCode: Redacted.make(plain.deviceCode) }),
        ...(plain.dpopKey !== undefined && { dpopKey: Redacted.make(plain.dpopKey) }),
      }
    },
    // What jose and JSON.parse throw may quote their input.
    catch: () => new OAuthSessionNotFoundError(),
  })

const decodeSecrets = Schema.decodeUnknownSync(
  Schema.Struct({
    codeVerifier: Schema.optionalKey(Schema.String),
    deviceCode: Schema.optionalKey(Schema.String),
    dpopKey: Schema.optionalKey(Schema.String),
  }),
)

/** `state` has 256 random bits, so that HKDF needs no salt and no stretching. */
const keyOf = (state: Redacted.Redacted | string): Uint8Array =>
  new Uint8Array(hkdfSync("sha256", Redacted.isRedacted(state) ? Redacted.value(state) : state, "", keyUse, 32))

const keyUse = "keyward oauth session 1"
