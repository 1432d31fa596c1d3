/**
 * The sealing of secrets in the database: data keys under the key-encryption key, entries under a data key. Every seal is a compact
 * JWE, `dir` with `A256GCM`, made and opened by `jose`, and authenticates what it belongs to.
 *
 * Called by `SecretVault`. Key material is held as non-extractable keys; raw bytes are wiped after use.
 */
import { createHmac, createSecretKey, type KeyObject, randomBytes, timingSafeEqual, webcrypto } from "node:crypto"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { decodeProtectedHeader } from "jose/decode/protected_header"
import { compactDecrypt } from "jose/jwe/compact/decrypt"
import { CompactEncrypt } from "jose/jwe/compact/encrypt"
import { KEY_BYTES, type KeyEncryptionKey, VaultKdf } from "./secretKey.ts"

const WrappedKey = Schema.Struct({ kid: Schema.String, jwe: Schema.String })

/** What a vault's row holds: how its keys are made and sealed. The last data key is the one that seals. */
export const VaultDocument = Schema.Struct({
  v: Schema.Literal(1),
  /** Random, and authenticated with everything of this vault. */
  id: Schema.String,
  /** Which key-encryption key opens it. */
  kek: Schema.String,
  kdf: VaultKdf,
  naming: Schema.String,
  keys: Schema.Array(WrappedKey),
  /** Over all of the above, by the key-encryption key. */
  mac: Schema.String,
})
export type VaultDocument = typeof VaultDocument.Type

/** A data key as it is kept. */
export type WrappedKey = typeof WrappedKey.Type

/** Signs a document. */
export const signed = (document: Omit<VaultDocument, "mac">, kek: KeyEncryptionKey): VaultDocument => ({
  ...document,
  mac: macOf(document, kek),
})

/** Whether nobody without the key-encryption key wrote or changed the document. */
export const isGenuine = (document: VaultDocument, kek: KeyEncryptionKey): boolean => {
  const [given, expected] = [Buffer.from(document.mac, "base64url"), Buffer.from(macOf(document, kek), "base64url")]
  return given.length === expected.length && timingSafeEqual(given, expected)
}

const macOf = ({ v, id, kek, kdf, naming, keys }: Omit<VaultDocument, "mac">, by: KeyEncryptionKey): string => {
  const parameters = kdf.alg === "raw" ? [kdf.alg] : [kdf.alg, kdf.N, kdf.r, kdf.p, kdf.salt]
  const text = JSON.stringify([v, id, kek, parameters, naming, keys.map(({ kid, jwe }) => [kid, jwe])])
  return createHmac("sha256", by.signing).update(text).digest("base64url")
}

/** Makes the key that ids are hashed with, sealed for the document. */
export const newNamingKey = (vault: string, kek: KeyEncryptionKey): Promise<string> =>
  wrap(randomBytes(KEY_BYTES), vault, kek, "naming")

/** Opens the naming key, or `undefined` when it was not sealed for this vault under this key. */
export const openNamingKey = async (
  jwe: string,
  vault: string,
  kek: KeyEncryptionKey,
): Promise<KeyObject | undefined> => {
  const bytes = await unwrap(jwe, vault, kek, "naming")
  if (bytes === undefined) return undefined
  const key = createSecretKey(bytes)
  bytes.fill(0)
  return key
}

/** Makes a data key, sealed for the document. */
export const newDataKey = async (vault: string, kek: KeyEncryptionKey): Promise<WrappedKey> => {
  const kid = randomBytes(12).toString("base64url")
  return { kid, jwe: await wrap(randomBytes(KEY_BYTES), vault, kek, kid) }
}

/** Opens a data key, or `undefined` when it was not sealed for this vault and id under this key. */
export const openDataKey = async (
  { kid, jwe }: WrappedKey,
  vault: string,
  kek: KeyEncryptionKey,
): Promise<webcrypto.CryptoKey | undefined> => {
  const bytes = await unwrap(jwe, vault, kek, kid)
  if (bytes === undefined) return undefined
  const key = await webcrypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"])
  bytes.fill(0)
  return key
}

/** Seals a key of the document anew under another key-encryption key, or `undefined` when it does not open under the former. */
export const rewrapped = async (
  jwe: string,
  holds: string,
  vault: string,
  from: KeyEncryptionKey,
  to: KeyEncryptionKey,
): Promise<string | undefined> => {
  const bytes = await unwrap(jwe, vault, from, holds)
  return bytes && wrap(bytes, vault, to, holds)
}

const wrap = async (bytes: Buffer, vault: string, kek: KeyEncryptionKey, holds: string): Promise<string> => {
  const jwe = await new CompactEncrypt(bytes)
    .setProtectedHeader({ alg: "dir", enc: "A256GCM", kid: kek.id, vid: vault, holds })
    .encrypt(kek.wrapping)
  bytes.fill(0)
  return jwe
}

const unwrap = async (
  jwe: string,
  vault: string,
  kek: KeyEncryptionKey,
  holds: string,
): Promise<Buffer | undefined> => {
  const { bytes, header } = (await decrypted(jwe, kek.wrapping)) ?? {}
  const isBound = header?.["kid"] === kek.id && header["vid"] === vault && header["holds"] === holds
  return isBound && bytes?.length === KEY_BYTES ? bytes : undefined
}

/** The name of an id in the table: 128 bits of HMAC-SHA-256 over its UTF-16 code units, little-endian. */
export const entryName = (naming: KeyObject, id: string): string =>
  createHmac("sha256", naming).update(id, "utf16le").digest().subarray(0, 16).toString("base64url")

/** What is sealed as one entry. */
export interface SecretEntry {
  readonly id: string
  readonly value: Redacted.Redacted
}

/** Seals one entry for a vault and a name: the JSON text `[id, value]`, padded with spaces to its bucket. */
export const sealEntry = async (
  { id, value }: SecretEntry,
  bound: { readonly vault: string; readonly name: string },
  key: { readonly kid: string; readonly crypto: webcrypto.CryptoKey },
): Promise<string> => {
  const text = Buffer.from(JSON.stringify([id, Redacted.value(value)]))
  const padded = Buffer.alloc(paddedLength(text.length), " ")
  text.copy(padded)
  text.fill(0)
  const jwe = await new CompactEncrypt(padded)
    .setProtectedHeader({ alg: "dir", enc: "A256GCM", kid: key.kid, vid: bound.vault, n: bound.name })
    .encrypt(key.crypto)
  padded.fill(0)
  return jwe
}

/** Opens one entry, or `undefined` when it is damaged or belongs to another vault or name. */
export const openEntry = async (
  jwe: string,
  bound: { readonly vault: string; readonly name: string },
  key: webcrypto.CryptoKey,
): Promise<SecretEntry | undefined> => {
  const { bytes, header } = (await decrypted(jwe, key)) ?? {}
  if (bytes === undefined || header?.["vid"] !== bound.vault || header["n"] !== bound.name) return undefined
  const content = Option.getOrUndefined(decodeContent(bytes.toString()))
  bytes.fill(0)
  return content && { id: content[0], value: Redacted.make(content[1]) }
}

const decodeContent = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Tuple([Schema.String, Schema.String])))

/** Which data key an entry is sealed under, or `undefined` when its header cannot be read. */
export const sealedUnder = (jwe: string): string | undefined => {
  try {
    return decodeProtectedHeader(jwe).kid
  } catch {
    return undefined
  }
}

/** Sizes are rounded up to a multiple of 256 bytes, and from 8 KiB on to one sixteenth of the next lower power of two. */
const paddedLength = (length: number): number => {
  const bucket = Math.max(256, 2 ** (Math.floor(Math.log2(length)) - 4))
  return Math.ceil(length / bucket) * bucket
}

const decrypted = async (
  jwe: string,
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
