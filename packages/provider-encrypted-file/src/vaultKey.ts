/**
 * The key-encryption key of a vault, from what its owner passes: a key, a function that fetches one, or a passphrase.
 *
 * Called by `Vault` and `inspectVault`. Key material is held as non-extractable keys; raw bytes are wiped after use.
 */
import { createSecretKey, hkdfSync, type KeyObject, randomBytes, scrypt, webcrypto } from "node:crypto"
import { InvalidProviderOptionsError } from "@keyward/core"
import { ProviderDeniedError } from "@keyward/core/effect"
import * as Redacted from "effect/Redacted"
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

/** The parameters new passphrases are stretched with: OWASP's current recommendation for scrypt. */
const SCRYPT_COST = { N: 2 ** 17, r: 8, p: 1 }
const PASSPHRASE_MINIMUM = 8
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
export interface KeySource {
  /** Derives the key for parameters read from a file; `undefined` when this kind of secret can never fit them. */
  readonly derive: (vault: string, kdf: VaultKdf) => Promise<KeyEncryptionKey | undefined>
  /** Derives the key with fresh parameters. */
  readonly create: (vault: string) => Promise<KeyEncryptionKey>
}

/** Checks the secret and wraps it up. Throws `InvalidProviderOptionsError` when it cannot be one. */
export const keySource = (place: VaultPlace, secret: VaultSecret): KeySource => {
  if ((secret.key === undefined) === (secret.passphrase === undefined)) {
    throw invalidOption(place, "key", "Pass either `key` or `passphrase`, and not both.")
  }
  if (secret.passphrase !== undefined) return passphraseSource(place, secret.passphrase)
  const given = secret.key
  if (typeof given === "function") return rawSource(() => fetchedKey(place, given))
  const bytes = keyBytes(given)
  if (bytes === undefined) throw invalidOption(place, "key", KEY_FORMS)
  const held = Redacted.make(bytes)
  return rawSource(() => Promise.resolve(Buffer.from(Redacted.value(held))))
}

const rawSource = (fetch: () => Promise<Buffer>): KeySource => {
  const kdf: VaultKdf = { alg: "raw" }
  const create = async (vault: string): Promise<KeyEncryptionKey> => keyEncryptionKey(vault, kdf, await fetch())
  return { create, derive: async (vault, stored) => (stored.alg === "raw" ? create(vault) : undefined) }
}

const passphraseSource = (place: VaultPlace, passphrase: string | Redacted.Redacted): KeySource => {
  const text = Redacted.isRedacted(passphrase) ? passphrase : Redacted.make(passphrase)
  const given: unknown = Redacted.value(text)
  if (typeof given !== "string" || given.length < PASSPHRASE_MINIMUM) {
    throw invalidOption(place, "passphrase", `A passphrase has at least ${PASSPHRASE_MINIMUM} characters.`)
  }
  let last: { readonly parameters: string; readonly kek: KeyEncryptionKey } | undefined
  return {
    derive: async (vault, kdf) => {
      if (kdf.alg !== "scrypt") return undefined
      const parameters = JSON.stringify([vault, kdf])
      if (last?.parameters !== parameters) {
        last = { parameters, kek: await keyEncryptionKey(vault, kdf, await stretched(Redacted.value(text), kdf)) }
      }
      return last.kek
    },
    create: async (vault) => {
      const kdf = { alg: "scrypt", ...SCRYPT_COST, salt: randomBytes(16).toString("base64url") } as const
      return keyEncryptionKey(vault, kdf, await stretched(Redacted.value(text), kdf))
    },
  }
}

const stretched = (passphrase: string, kdf: VaultKdf & { readonly alg: "scrypt" }): Promise<Buffer> => {
  const { N, r, p, salt } = kdf
  const maxmem = 128 * N * r + 128 * r * p + (1 << 20)
  return new Promise((resolve, reject) => {
    scrypt(
      passphrase.normalize("NFC"),
      Buffer.from(salt, "base64url"),
      KEY_BYTES,
      { N, r, p, maxmem },
      (error, bytes) => (error === null ? resolve(bytes) : reject(error)),
    )
  })
}

const keyEncryptionKey = async (vault: string, kdf: VaultKdf, material: Buffer): Promise<KeyEncryptionKey> => {
  const derived = (use: string, length: number): Buffer =>
    Buffer.from(hkdfSync("sha256", material, vault, `keyward-vault/1 ${use}`, length))
  const [id, wrapping, signing] = [derived("id", 16), derived("wrap", KEY_BYTES), derived("header", KEY_BYTES)]
  material.fill(0)
  return { id: id.toString("base64url"), kdf, wrapping: await aesKey(wrapping), signing: macKey(signing) }
}

const KEY_FORMS = "A key is 32 random bytes, or base64 of them; `openssl rand -base64 32` makes one."

const fetchedKey = async (place: VaultPlace, fetch: () => PromiseLike<VaultKeyMaterial>): Promise<Buffer> => {
  const refused = (nextStep: string): ProviderDeniedError =>
    new ProviderDeniedError({ provider: place.provider, reason: "invalid_key", nextStep })
  let fetched: VaultKeyMaterial
  try {
    fetched = await fetch()
  } catch {
    throw refused("The function passed as `key` failed; its error is not repeated because it may hold the key.")
  }
  const bytes = keyBytes(fetched)
  if (bytes === undefined) throw refused(`The function passed as \`key\` answered with something else. ${KEY_FORMS}`)
  return bytes
}

const keyBytes = (given: VaultKeyMaterial): Buffer | undefined => {
  if (given instanceof Uint8Array) return given.length === KEY_BYTES ? Buffer.from(given) : undefined
  if (typeof given !== "string" || !/^[A-Za-z0-9+/_-]{43}=?$/.test(given.trim())) return undefined
  return Buffer.from(given.trim(), "base64")
}

const invalidOption = (place: VaultPlace, option: string, problem: string): InvalidProviderOptionsError =>
  new InvalidProviderOptionsError({ provider: place.provider, option, problem })

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
