/**
 * What is sealed in a vault: its index keys and data keys under the key-encryption key, each entry under a data key. Every seal is a
 * compact JWE, `dir` with `A256GCM`, made and opened by `jose`.
 *
 * Called by `VaultGeneration` and those that write generations. Raw bytes are wiped after use.
 */
import { createHmac, type KeyObject, randomBytes, type webcrypto } from "node:crypto"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { decodeProtectedHeader } from "jose/decode/protected_header"
import { compactDecrypt } from "jose/jwe/compact/decrypt"
import { CompactEncrypt } from "jose/jwe/compact/encrypt"
import type { WrappedDataKey } from "./vaultFormat.ts"
import { aesKey, KEY_BYTES, type KeyEncryptionKey, macKey } from "./vaultKey.ts"

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
