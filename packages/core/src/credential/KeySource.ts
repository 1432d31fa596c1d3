/**
 * Where a provider that encrypts has its key from: a key of the host, a function that fetches one, or a passphrase.
 *
 * For authors of providers. Checked once, stretched or fetched when it is needed; what is made of it is the provider's own.
 */
import { randomBytes, scrypt } from "node:crypto"
import * as Redacted from "effect/Redacted"
import { ProviderDeniedError } from "./CredentialError.ts"
import { InvalidProviderOptionsError } from "./ProviderOptionsError.ts"

/** A key: 32 bytes, or base64 or base64url of them. Or a passphrase of at least 8 characters. Exactly one of the two. */
export type EncryptionSecret =
  | {
      readonly key: Uint8Array | string | (() => PromiseLike<Uint8Array | string>)
      readonly passphrase?: undefined
    }
  | { readonly passphrase: string | Redacted.Redacted; readonly key?: undefined }

/** How key material comes from a secret; kept beside what is encrypted, so that it can be made again. */
export type KeyDerivation =
  | { readonly alg: "raw" }
  | {
      readonly alg: "scrypt"
      readonly N: number
      readonly r: number
      readonly p: number
      /** In base64url. */
      readonly salt: string
    }

/** Keys of a secret, each for one vault. */
export interface KeySource<Key> {
  /** The key for a derivation that was kept; `undefined` when this kind of secret can never fit it. Its limits are the caller's to check. */
  readonly derive: (vault: string, kdf: KeyDerivation) => Promise<Key | undefined>
  /** A key with a derivation of its own: scrypt with N = 2^17, r = 8, p = 1 for a passphrase, OWASP's current recommendation. */
  readonly create: (vault: string) => Promise<Key>
}

/**
 * Checks a secret and wraps it up. `keyOf` makes the key of the 32 bytes of material, and wipes them.
 *
 * Throws `InvalidProviderOptionsError` for what cannot be a secret; the source rejects with `ProviderDeniedError` (`invalid_key`) where a
 * function does not bring a key.
 */
export const keySource = <Key>(
  provider: string,
  secret: EncryptionSecret,
  keyOf: (vault: string, kdf: KeyDerivation, material: Buffer) => Promise<Key>,
): KeySource<Key> => {
  const invalid = (option: string, problem: string): InvalidProviderOptionsError =>
    new InvalidProviderOptionsError({ provider, option, problem })
  if ((secret.key === undefined) === (secret.passphrase === undefined)) {
    throw invalid("key", "Pass either `key` or `passphrase`, and not both.")
  }
  if (secret.passphrase !== undefined) {
    const held = Redacted.isRedacted(secret.passphrase) ? secret.passphrase : Redacted.make(secret.passphrase)
    const given: unknown = Redacted.value(held)
    if (typeof given !== "string" || given.length < shortestPassphrase) {
      throw invalid("passphrase", `A passphrase has at least ${shortestPassphrase} characters.`)
    }
    return passphraseSource(held, keyOf)
  }
  const given = secret.key
  const fetch = typeof given === "function" ? () => fetchedKey(provider, given) : heldKey(given)
  if (fetch === undefined) throw invalid("key", keyForms)
  const create = async (vault: string): Promise<Key> => keyOf(vault, { alg: "raw" }, await fetch())
  return { create, derive: async (vault, kdf) => (kdf.alg === "raw" ? create(vault) : undefined) }
}

const keyBytes = 32
const keyForms = "A key is 32 random bytes, or base64 of them; `openssl rand -base64 32` makes one."
const shortestPassphrase = 8

const passphraseSource = <Key>(
  passphrase: Redacted.Redacted,
  keyOf: (vault: string, kdf: KeyDerivation, material: Buffer) => Promise<Key>,
): KeySource<Key> => {
  let last: { readonly parameters: string; readonly key: Key } | undefined
  const derived = async (vault: string, kdf: KeyDerivation & { readonly alg: "scrypt" }): Promise<Key> => {
    const parameters = JSON.stringify([vault, kdf])
    if (last?.parameters === parameters) return last.key
    const key = await keyOf(vault, kdf, await stretched(passphrase, kdf))
    last = { parameters, key }
    return key
  }
  return {
    derive: async (vault, kdf) => (kdf.alg === "scrypt" ? derived(vault, kdf) : undefined),
    create: (vault) =>
      derived(vault, { alg: "scrypt", N: 2 ** 17, r: 8, p: 1, salt: randomBytes(16).toString("base64url") }),
  }
}

const stretched = (
  passphrase: Redacted.Redacted,
  { N, r, p, salt }: KeyDerivation & { readonly alg: "scrypt" },
): Promise<Buffer> => {
  const maxmem = 128 * N * r + 128 * r * p + (1 << 20)
  const text = Redacted.value(passphrase).normalize("NFC")
  return new Promise((resolve, reject) => {
    scrypt(text, Buffer.from(salt, "base64url"), keyBytes, { N, r, p, maxmem }, (error, bytes) =>
      error === null ? resolve(bytes) : reject(error),
    )
  })
}

const heldKey = (given: Uint8Array | string): (() => Promise<Buffer>) | undefined => {
  const bytes = readKey(given)
  if (bytes === undefined) return undefined
  const held = Redacted.make(bytes)
  return () => Promise.resolve(Buffer.from(Redacted.value(held)))
}

const fetchedKey = async (provider: string, fetch: () => PromiseLike<Uint8Array | string>): Promise<Buffer> => {
  const refused = (nextStep: string): ProviderDeniedError =>
    new ProviderDeniedError({ provider, reason: "invalid_key", nextStep })
  let fetched: Uint8Array | string
  try {
    fetched = await fetch()
  } catch {
    throw refused("The function passed as `key` failed; its error is not repeated because it may hold the key.")
  }
  const bytes = readKey(fetched)
  if (bytes === undefined) throw refused(`The function passed as \`key\` answered with something else. ${keyForms}`)
  return bytes
}

const readKey = (given: Uint8Array | string): Buffer | undefined => {
  if (given instanceof Uint8Array) return given.length === keyBytes ? Buffer.from(given) : undefined
  if (typeof given !== "string" || !/^[A-Za-z0-9+/_-]{43}=?$/.test(given.trim())) return undefined
  return Buffer.from(given.trim(), "base64")
}
