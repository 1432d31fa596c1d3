/**
 * The keys of a vault: from what its owner passes to the key-encryption key, from there to the data keys, and from a data
 * key to one sealed entry. Every seal is a compact JWE, `dir` with `A256GCM`, made and opened by `jose`.
 *
 * Called by `Vault` and `inspectVault`. Key material is held as non-extractable keys; raw bytes are wiped after use.
 */
import { createHmac, createSecretKey, hkdfSync, type KeyObject, randomBytes, scrypt, webcrypto } from "node:crypto"
import { InvalidProviderOptionsError } from "@keyward/core"
import { ProviderDeniedError } from "@keyward/core/effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { decodeProtectedHeader } from "jose/decode/protected_header"
import { compactDecrypt } from "jose/jwe/compact/decrypt"
import { CompactEncrypt } from "jose/jwe/compact/encrypt"
import type { VaultPlace } from "./VaultError.ts"
import type { VaultKdf, WrappedDataKey } from "./vaultFormat.ts"

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
const KEY_BYTES = 32

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

/** The two keys of one generation's index: ids become names under the first, lines are chained under the second. */
export interface IndexKeys {
  readonly naming: KeyObject
  readonly chaining: KeyObject
}

/** Makes index keys, keeping the naming key of `from` and always with a chain key of its own, sealed for the header. */
export const createIndex = async (
  vault: string,
  kek: KeyEncryptionKey,
  from: IndexKeys | undefined,
): Promise<{ readonly keys: IndexKeys; readonly jwe: string }> => {
  const naming = from === undefined ? randomBytes(KEY_BYTES) : from.naming.export()
  const bytes = Buffer.concat([naming, randomBytes(KEY_BYTES)])
  naming.fill(0)
  return { jwe: await wrap(bytes, { vault, kek, holds: "index" }), keys: indexKeys(bytes) }
}

/** Opens the index keys of a header, or `undefined` when they were not sealed for this vault under this key. */
export const openIndex = async (
  vault: string,
  kek: KeyEncryptionKey,
  jwe: string | Uint8Array,
): Promise<IndexKeys | undefined> => {
  const bytes = await unwrap(jwe, { vault, kek, holds: "index" })
  return bytes?.length === 2 * KEY_BYTES ? indexKeys(bytes) : undefined
}

const indexKeys = (bytes: Buffer): IndexKeys => {
  const keys = { naming: macKey(bytes.subarray(0, KEY_BYTES)), chaining: macKey(bytes.subarray(KEY_BYTES)) }
  bytes.fill(0)
  return keys
}

/** The name an id has in the file: 128 bits of HMAC-SHA-256 over its UTF-16 code units, little-endian. */
export const entryName = (keys: IndexKeys, id: string): string =>
  createHmac("sha256", keys.naming).update(id, "utf16le").digest().subarray(0, 16).toString("base64url")

/** Makes a data key, sealed for the ring. */
export const createDataKey = async (vault: string, kek: KeyEncryptionKey, since: number): Promise<WrappedDataKey> => {
  const kid = randomBytes(12).toString("base64url")
  return { kid, since, jwe: await wrapOnce(randomBytes(KEY_BYTES), { vault, kek, holds: kid }) }
}

/** Opens a data key, or `undefined` when it was not sealed for this vault and id under this key. */
export const openDataKey = async (
  vault: string,
  kek: KeyEncryptionKey,
  wrapped: WrappedDataKey,
): Promise<webcrypto.CryptoKey | undefined> => {
  const bytes = await unwrap(wrapped.jwe, { vault, kek, holds: wrapped.kid })
  return bytes?.length === KEY_BYTES ? aesKey(bytes) : undefined
}

/** Seals a data key anew under another key-encryption key, or `undefined` when it does not open under the former. */
export const rewrapDataKey = async (
  vault: string,
  wrapped: WrappedDataKey,
  from: KeyEncryptionKey,
  to: KeyEncryptionKey,
): Promise<WrappedDataKey | undefined> => {
  const bytes = await unwrap(wrapped.jwe, { vault, kek: from, holds: wrapped.kid })
  return bytes && { ...wrapped, jwe: await wrapOnce(bytes, { vault, kek: to, holds: wrapped.kid }) }
}

interface WrapBinding {
  readonly vault: string
  readonly kek: KeyEncryptionKey
  readonly holds: string
}

const wrap = (bytes: Buffer, { vault, kek, holds }: WrapBinding): Promise<string> =>
  new CompactEncrypt(bytes)
    .setProtectedHeader({ alg: "dir", enc: "A256GCM", kid: kek.id, vid: vault, holds })
    .encrypt(kek.wrapping)

const wrapOnce = async (bytes: Buffer, binding: WrapBinding): Promise<string> => {
  const jwe = await wrap(bytes, binding)
  bytes.fill(0)
  return jwe
}

const unwrap = async (jwe: string | Uint8Array, { vault, kek, holds }: WrapBinding): Promise<Buffer | undefined> => {
  const opened = await decrypted(jwe, kek.wrapping)
  const bound = opened?.header
  return bound?.["kid"] === kek.id && bound["vid"] === vault && bound["holds"] === holds ? opened?.bytes : undefined
}

/** Where an entry belongs; all of it is authenticated with the entry. */
export interface EntryBinding {
  readonly vault: string
  readonly name: string
  readonly version: number
}

/** Seals one entry: the JSON text `[id, value]`, padded with spaces to its bucket. */
export const sealEntry = async (
  entry: { readonly id: string; readonly value: Redacted.Redacted },
  bound: EntryBinding,
  key: { readonly kid: string; readonly crypto: webcrypto.CryptoKey },
): Promise<Buffer> => {
  const text = Buffer.from(JSON.stringify([entry.id, Redacted.value(entry.value)]))
  const padded = Buffer.alloc(paddedLength(text.length), " ")
  text.copy(padded)
  text.fill(0)
  const jwe = await new CompactEncrypt(padded)
    .setProtectedHeader({
      alg: "dir",
      enc: "A256GCM",
      kid: key.kid,
      vid: bound.vault,
      n: bound.name,
      ver: bound.version,
    })
    .encrypt(key.crypto)
  padded.fill(0)
  return Buffer.from(jwe, "latin1")
}

/** Opens one entry, or `undefined` when it is damaged or belongs to another vault, name or version. */
export const openEntry = async (
  jwe: Uint8Array,
  bound: EntryBinding,
  key: webcrypto.CryptoKey,
): Promise<{ readonly id: string; readonly value: Redacted.Redacted } | undefined> => {
  const opened = await decrypted(jwe, key)
  const { vid, n, ver } = opened?.header ?? {}
  if (opened === undefined || vid !== bound.vault || n !== bound.name || ver !== bound.version) return undefined
  const content = Option.getOrUndefined(decodeContent(opened.bytes.toString()))
  opened.bytes.fill(0)
  return content && { id: content[0], value: Redacted.make(content[1]) }
}

const decodeContent = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Tuple([Schema.String, Schema.String])))

/** Which data key an entry is sealed under, or `undefined` when its header cannot be read. */
export const sealedUnder = (jwe: Uint8Array): string | undefined => {
  try {
    return decodeProtectedHeader(Buffer.from(jwe.buffer, jwe.byteOffset, jwe.byteLength).toString("latin1")).kid
  } catch {
    return undefined
  }
}

/** Sizes are rounded up to a multiple of 256 bytes, and from 8 KiB on to one sixteenth of the next lower power of two. */
export const paddedLength = (length: number): number => {
  const bucket = Math.max(256, 2 ** (Math.floor(Math.log2(Math.max(length, 1))) - 4))
  return Math.ceil(Math.max(length, 1) / bucket) * bucket
}

const decrypted = async (
  jwe: string | Uint8Array,
  key: webcrypto.CryptoKey,
): Promise<{ readonly bytes: Buffer; readonly header: Readonly<Record<string, unknown>> } | undefined> => {
  try {
    const { plaintext, protectedHeader } = await compactDecrypt(jwe, key, {
      keyManagementAlgorithms: ["dir"],
      contentEncryptionAlgorithms: ["A256GCM"],
    })
    return { bytes: Buffer.from(plaintext.buffer, plaintext.byteOffset, plaintext.length), header: protectedHeader }
  } catch {
    return undefined
  }
}

const aesKey = async (bytes: Buffer): Promise<webcrypto.CryptoKey> => {
  const key = await webcrypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"])
  bytes.fill(0)
  return key
}

const macKey = (bytes: Buffer): KeyObject => {
  const key = createSecretKey(bytes)
  bytes.fill(0)
  return key
}
