/**
 * The key-encryption key of a vault, from what its owner passes: a key, a function that fetches one, or a passphrase.
 *
 * Called by `sqlSecretProvider` and `SecretVault`. The same secrets as `@keyward/provider-encrypted-file` takes, so that one can take
 * the other's place.
 */
import { createSecretKey, hkdfSync, type KeyObject, webcrypto } from "node:crypto"
import { type KeySource as CoreKeySource, keySource as sourceOf } from "@keyward/core/effect"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

/** A 256-bit key: 32 bytes, or base64 or base64url of 32 bytes. */
export type SqlSecretKeyMaterial = Uint8Array | string

/** What opens the secrets: a key, a function that fetches one (from a KMS, a keychain), or a passphrase. Exactly one of the two. */
export type SqlSecretKey =
  | {
      /** A function is called when the keys are first read, and again when they have changed. */
      readonly key: SqlSecretKeyMaterial | (() => PromiseLike<SqlSecretKeyMaterial>)
      readonly passphrase?: undefined
    }
  | {
      /** At least 8 characters; normalised to NFC. Stretched with scrypt (N = 2^17, r = 8, p = 1). */
      readonly passphrase: string | Redacted.Redacted
      readonly key?: undefined
    }

/** How a key-encryption key is made. The limits keep a changed row from asking for all memory and time there is. */
export const VaultKdf = Schema.Union([
  Schema.Struct({ alg: Schema.Literal("raw") }),
  Schema.Struct({
    alg: Schema.Literal("scrypt"),
    N: Schema.Literals([2 ** 17, 2 ** 18, 2 ** 19]),
    r: Schema.Literal(8),
    p: Schema.Literals([1, 2, 3]),
    salt: Schema.String,
  }),
])
export type VaultKdf = typeof VaultKdf.Type

/** Every key's length. */
export const KEY_BYTES = 32

/** The key-encryption key of one vault, with what tells it from another. */
export interface KeyEncryptionKey {
  readonly id: string
  readonly kdf: VaultKdf
  readonly wrapping: webcrypto.CryptoKey
  /** Signs the document. */
  readonly signing: KeyObject
}

/** Where the key-encryption key comes from. */
export type KeySource = CoreKeySource<KeyEncryptionKey>

/** Checks the secret and wraps it up. Throws `InvalidProviderOptionsError` when it cannot be one. */
export const keySource = (provider: string, secret: SqlSecretKey): KeySource =>
  // New derivations are within the limits of `VaultKdf`, and stored ones were read by it.
  sourceOf(provider, secret, (vault, kdf, material) => keyEncryptionKey(vault, kdf as VaultKdf, material))

const keyEncryptionKey = async (vault: string, kdf: VaultKdf, material: Buffer): Promise<KeyEncryptionKey> => {
  const derived = (use: string, length: number): Buffer =>
    Buffer.from(hkdfSync("sha256", material, vault, `keyward-sql-vault/1 ${use}`, length))
  const [id, wrapping, signing] = [derived("id", 16), derived("wrap", KEY_BYTES), derived("document", KEY_BYTES)]
  material.fill(0)
  const crypto = await webcrypto.subtle.importKey("raw", wrapping, "AES-GCM", false, ["encrypt", "decrypt"])
  const kek = { id: id.toString("base64url"), kdf, wrapping: crypto, signing: createSecretKey(signing) }
  wrapping.fill(0)
  signing.fill(0)
  return kek
}
