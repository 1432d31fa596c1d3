/**
 * The key-encryption key of a vault, from what its owner passes: a key, a function that fetches one, or a passphrase.
 *
 * Called by `Vault` and `inspectVault`. Key material is held as non-extractable keys; raw bytes are wiped after use.
 */
import { createSecretKey, hkdfSync, type KeyObject, webcrypto } from "node:crypto"
import { type KeySource as CoreKeySource, keySource as sourceOf } from "@keyward/core/effect"
import type * as Redacted from "effect/Redacted"
import type { VaultPlace } from "./VaultError.ts"
import type { VaultKdf } from "./vaultFormat.ts"

/** A 256-bit key: 32 bytes, or base64 or base64url of 32 bytes. */
export type VaultKeyMaterial = Uint8Array | string

/** What opens a vault: a key, a function that fetches one (from a KMS, a keychain), or a passphrase. Exactly one of the two. */
export type VaultSecret =
  | {
      /** A function is called when the file is opened and again when its key has changed, and never concurrently. */
      readonly key: VaultKeyMaterial | (() => PromiseLike<VaultKeyMaterial>)
      readonly passphrase?: undefined
    }
  | {
      /** At least 8 characters; normalised to NFC. Stretched with scrypt (N = 2^17, r = 8, p = 1). */
      readonly passphrase: string | Redacted.Redacted
      readonly key?: undefined
    }

/** Every key's length. */
export const KEY_BYTES = 32

/** The key-encryption key of one vault, with what tells it from another. */
export interface KeyEncryptionKey {
  readonly id: string
  readonly kdf: VaultKdf
  readonly wrapping: webcrypto.CryptoKey
  /** Signs the header. */
  readonly signing: KeyObject
}

/** Where the key-encryption key comes from. */
export type KeySource = CoreKeySource<KeyEncryptionKey>

/** Checks the secret and wraps it up. Throws `InvalidProviderOptionsError` when it cannot be one. */
export const keySource = (place: VaultPlace, secret: VaultSecret): KeySource =>
  sourceOf(place.provider, secret, keyEncryptionKey)

const keyEncryptionKey = async (vault: string, kdf: VaultKdf, material: Buffer): Promise<KeyEncryptionKey> => {
  const derived = (use: string, length: number): Buffer =>
    Buffer.from(hkdfSync("sha256", material, vault, `keyward-vault/1 ${use}`, length))
  const [id, wrapping, signing] = [derived("id", 16), derived("wrap", KEY_BYTES), derived("header", KEY_BYTES)]
  material.fill(0)
  return { id: id.toString("base64url"), kdf, wrapping: await aesKey(wrapping), signing: macKey(signing) }
}

/** A key to seal with; the bytes are wiped. */
export const aesKey = async (bytes: Buffer): Promise<webcrypto.CryptoKey> => {
  const key = await webcrypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"])
  bytes.fill(0)
  return key
}

/** A key to sign with; the bytes are wiped. */
export const macKey = (bytes: Buffer): KeyObject => {
  const key = createSecretKey(bytes)
  bytes.fill(0)
  return key
}
