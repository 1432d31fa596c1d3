/**
 * The key-encryption key of a vault, from what its owner passes: a key, a function that fetches one, or a passphrase.
 *
 * Called by `sqlSecretProvider` and `SecretVault`. The same secrets as `@keyward/provider-encrypted-file` takes, so that one can take
 * the other's place.
 */
import { createSecretKey, hkdfSync, type KeyObject, randomBytes, scrypt, webcrypto } from "node:crypto"
import { InvalidProviderOptionsError } from "@keyward/core"
import { ProviderDeniedError } from "@keyward/core/effect"
import * as Redacted from "effect/Redacted"
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

/** The parameters new passphrases are stretched with: OWASP's current recommendation for scrypt. */
const SCRYPT_COST = { N: 2 ** 17, r: 8, p: 1 } as const
const PASSPHRASE_MINIMUM = 8
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
export interface KeySource {
  /** Derives the key for parameters that were stored; `undefined` when this kind of secret can never fit them. */
  readonly derive: (vault: string, kdf: VaultKdf) => Promise<KeyEncryptionKey | undefined>
  /** Derives the key with fresh parameters. */
  readonly create: (vault: string) => Promise<KeyEncryptionKey>
}

/** Checks the secret and wraps it up. Throws `InvalidProviderOptionsError` when it cannot be one. */
export const keySource = (provider: string, secret: SqlSecretKey): KeySource => {
  const invalid = (option: string, problem: string): InvalidProviderOptionsError =>
    new InvalidProviderOptionsError({ provider, option, problem })
  if ((secret.key === undefined) === (secret.passphrase === undefined)) {
    throw invalid("key", "Pass either `key` or `passphrase`, and not both.")
  }
  if (secret.passphrase !== undefined) {
    const held = Redacted.isRedacted(secret.passphrase) ? secret.passphrase : Redacted.make(secret.passphrase)
    const given: unknown = Redacted.value(held)
    if (typeof given !== "string" || given.length < PASSPHRASE_MINIMUM) {
      throw invalid("passphrase", `A passphrase has at least ${PASSPHRASE_MINIMUM} characters.`)
    }
    return passphraseSource(held)
  }
  const given = secret.key
  if (typeof given === "function") return rawSource(() => fetchedKey(provider, given))
  const bytes = keyBytes(given)
  if (bytes === undefined) throw invalid("key", KEY_FORMS)
  const held = Redacted.make(bytes)
  return rawSource(() => Promise.resolve(Buffer.from(Redacted.value(held))))
}

const rawSource = (fetch: () => Promise<Buffer>): KeySource => {
  const kdf: VaultKdf = { alg: "raw" }
  const create = async (vault: string): Promise<KeyEncryptionKey> => keyEncryptionKey(vault, kdf, await fetch())
  return { create, derive: async (vault, stored) => (stored.alg === "raw" ? create(vault) : undefined) }
}

const passphraseSource = (passphrase: Redacted.Redacted): KeySource => {
  let last: { readonly parameters: string; readonly kek: KeyEncryptionKey } | undefined
  return {
    derive: async (vault, kdf) => {
      if (kdf.alg !== "scrypt") return undefined
      const parameters = JSON.stringify([vault, kdf])
      if (last?.parameters !== parameters) {
        last = { parameters, kek: await keyEncryptionKey(vault, kdf, await stretched(passphrase, kdf)) }
      }
      return last.kek
    },
    create: async (vault) => {
      const kdf = { alg: "scrypt", ...SCRYPT_COST, salt: randomBytes(16).toString("base64url") } as const
      const kek = await keyEncryptionKey(vault, kdf, await stretched(passphrase, kdf))
      last = { parameters: JSON.stringify([vault, kdf]), kek }
      return kek
    },
  }
}

const stretched = (passphrase: Redacted.Redacted, kdf: VaultKdf & { readonly alg: "scrypt" }): Promise<Buffer> => {
  const { N, r, p, salt } = kdf
  const maxmem = 128 * N * r + 128 * r * p + (1 << 20)
  const text = Redacted.value(passphrase).normalize("NFC")
  return new Promise((resolve, reject) => {
    scrypt(text, Buffer.from(salt, "base64url"), KEY_BYTES, { N, r, p, maxmem }, (error, bytes) =>
      error === null ? resolve(bytes) : reject(error),
    )
  })
}

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

const KEY_FORMS = "A key is 32 random bytes, or base64 of them; `openssl rand -base64 32` makes one."

const fetchedKey = async (provider: string, fetch: () => PromiseLike<SqlSecretKeyMaterial>): Promise<Buffer> => {
  const refused = (nextStep: string): ProviderDeniedError =>
    new ProviderDeniedError({ provider, reason: "invalid_key", nextStep })
  let fetched: SqlSecretKeyMaterial
  try {
    fetched = await fetch()
  } catch {
    throw refused("The function passed as `key` failed; its error is not repeated because it may hold the key.")
  }
  const bytes = keyBytes(fetched)
  if (bytes === undefined) throw refused(`The function passed as \`key\` answered with something else. ${KEY_FORMS}`)
  return bytes
}

const keyBytes = (given: SqlSecretKeyMaterial): Buffer | undefined => {
  if (given instanceof Uint8Array) return given.length === KEY_BYTES ? Buffer.from(given) : undefined
  if (typeof given !== "string" || !/^[A-Za-z0-9+/_-]{43}=?$/.test(given.trim())) return undefined
  return Buffer.from(given.trim(), "base64")
}
