/**
 * The bytes of a vault file, version 1: header line, head slot, record lines. Pure codecs without IO or keys of their own.
 *
 * Called by `Vault` and `inspectVault`. `docs/reference/encrypted-file-format.md` describes the same bytes for a second
 * implementation, and `test/vectors` holds the vectors that both are checked against.
 */
import { createHash, createHmac, type KeyObject } from "node:crypto"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/** The version this code writes, and the highest it reads. */
export const FORMAT_VERSION = 1
/** Size of one copy of the head; the slot holds two. */
export const HEAD_BYTES = 512
/** How many earlier subjects each record repeats, so that a damaged stretch can be told whose it was. */
export const RECENT_LIMIT = 8

const MAGIC = "keyward-vault"
const HEADER_BLOCK = 4096
const HEADER_LIMIT = 1 << 20
const MAC_LENGTH = 22
const SPACE = 0x20
const NEWLINE = 0x0a

const Natural = Schema.Number.check(Schema.makeFilter((value) => Number.isSafeInteger(value) && value >= 0))
const isScryptCost = ({ N, r, p }: { readonly N: number; readonly r: number; readonly p: number }): boolean =>
  N >= 2 ** 14 && N <= 2 ** 20 && (N & (N - 1)) === 0 && r >= 1 && r <= 32 && p >= 1 && p <= 16 && N * r <= 2 ** 23

const Kdf = Schema.Union([
  Schema.Struct({ alg: Schema.Literal("raw") }),
  Schema.Struct({
    alg: Schema.Literal("scrypt"),
    N: Natural,
    r: Natural,
    p: Natural,
    salt: Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_-]{22,86}$/)),
  }).check(Schema.makeFilter(isScryptCost)),
])

/** How the key-encryption key comes from what the owner passes. Costs outside 2^14 ≤ N ≤ 2^20, N·r ≤ 2^23, p ≤ 16 are refused. */
export type VaultKdf = typeof Kdf.Type

const WrappedKey = Schema.Struct({
  kid: Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_-]{16}$/)),
  /** Sequence number from which on the key seals. */
  since: Natural,
  jwe: Schema.String,
})

/** One data key of the ring, wrapped under the key-encryption key. The last of the ring is the active one. */
export type WrappedDataKey = typeof WrappedKey.Type

const Header = Schema.Struct({
  vault: Schema.String.check(Schema.isUUID()),
  generation: Natural,
  /** Sequence number before this generation's first record. */
  base: Natural,
  /** How many records the rewriting wrote, each with a subject of its own. */
  records: Natural,
  kdf: Kdf,
  /** Tells a wrong key from a damaged file; says nothing about the key. */
  kek: Schema.String,
  /** Name key and chain key, wrapped under the key-encryption key. */
  index: Schema.String,
  keys: Schema.NonEmptyArray(WrappedKey),
})

/** What the first line of a vault file says. */
export type VaultHeader = typeof Header.Type

const decodeHeader = Schema.decodeUnknownOption(Schema.fromJsonString(Header))

/** A header line as it was read. `signed` is what `mac` covers. */
export interface HeaderLine {
  readonly header: VaultHeader
  readonly signed: Buffer
  readonly mac: string
  /** Where the head slot begins. */
  readonly bytes: number
}

/** What a first line turned out to be. */
export type ParsedHeader =
  | { readonly is: "header"; readonly line: HeaderLine }
  | { readonly is: "newer"; readonly version: number }
  | { readonly is: "corrupt"; readonly what: string }

/** Reads the first line. The checksum comes first, so that damage is never taken for a newer version or a wrong key. */
export const parseHeader = (file: Buffer): ParsedHeader => {
  const corrupt = (what: string): ParsedHeader => ({ is: "corrupt", what })
  if (file.length === 0) return corrupt("the file is empty")
  if (!file.subarray(0, MAGIC.length).equals(Buffer.from(MAGIC))) return corrupt("it does not begin like a vault")
  const newline = file.subarray(0, HEADER_LIMIT).indexOf(NEWLINE)
  if (newline < 0) return corrupt("its first line has no end")
  const parts = /^(?<signed>keyward-vault (?<version>[1-9][0-9]{0,8}) .*) (?<mac>\S+)$/s.exec(
    checksummed(file.subarray(0, newline)) ?? "",
  )?.groups
  if (parts === undefined) return corrupt("the checksum of its first line does not match")
  const { signed = "", mac = "" } = parts
  const version = Number(parts["version"])
  if (version > FORMAT_VERSION) return { is: "newer", version }
  const header = Option.getOrUndefined(decodeHeader(signed.slice(`${MAGIC} ${version} `.length)))
  if (header === undefined || (newline + 1) % HEADER_BLOCK !== 0)
    return corrupt("its first line says what no version 1 says")
  return { is: "header", line: { header, signed: Buffer.from(signed, "latin1"), mac, bytes: newline + 1 } }
}

/** Writes the first line, padded with spaces to a multiple of 4,096 bytes. */
export const formatHeader = (header: VaultHeader, key: KeyObject): HeaderLine & { readonly line: Buffer } => {
  const text = `${MAGIC} ${FORMAT_VERSION} ${JSON.stringify(header)}`
  const tail = 1 + MAC_LENGTH + 1 + 43 + 1
  const bytes = Math.ceil((text.length + tail) / HEADER_BLOCK) * HEADER_BLOCK
  const signed = text.padEnd(bytes - tail, " ")
  const mac = macOf(key, signed)
  const body = `${signed} ${mac}`
  const line = Buffer.from(`${body} ${checksum(body)}\n`, "latin1")
  return { header, signed: Buffer.from(signed, "latin1"), mac, bytes, line }
}

const checksum = (body: string): string => createHash("sha256").update(body, "latin1").digest("base64url")

const checksummed = (line: Buffer): string | undefined => {
  const text = line.toString("latin1")
  const at = text.lastIndexOf(" ")
  const body = text.slice(0, at)
  return at > 0 && checksum(body) === text.slice(at + 1) ? body : undefined
}

/** The newest acknowledged state: which records there must be. Written in place after they are durable. */
export interface VaultHead {
  /** Sequence number of the last record. */
  readonly seq: number
  /** Its `mac`; of a generation without records the header's. */
  readonly mac: string
  /** Subjects of the last records up to and including `seq`, oldest first, at most {@link RECENT_LIMIT}. */
  readonly recent: ReadonlyArray<string>
}

/** The head slot: the same 512 bytes twice, so that one damaged sector costs nothing. */
export const formatHead = (head: VaultHead, key: KeyObject): Buffer => {
  const body = `head ${head.seq} ${head.mac} ${joined(head.recent)}`
  const copy = `${`${body} ${macOf(key, body)}`.padEnd(HEAD_BYTES - 1, " ")}\n`
  return Buffer.from(copy + copy, "latin1")
}

/** The newer of the copies that verify, or `undefined` when neither does. */
export const parseHead = (slot: Buffer, key: KeyObject): VaultHead | undefined => {
  const copies = [slot.subarray(0, HEAD_BYTES), slot.subarray(HEAD_BYTES, 2 * HEAD_BYTES)]
  return copies
    .map((copy) => parseHeadCopy(copy.toString("latin1"), key))
    .reduce(
      (best, copy) => (copy !== undefined && (best === undefined || copy.seq > best.seq) ? copy : best),
      undefined,
    )
}

/** What a head claims, without checking that the key's owner wrote it; for inspection without the key. */
export const claimedHead = (slot: Buffer): VaultHead | undefined => parseHeadCopy(slot.toString("latin1"), undefined)

const parseHeadCopy = (text: string, key: KeyObject | undefined): VaultHead | undefined => {
  const match = /^(head (\d{1,16}) (\S{22}) (\S+)) (\S{22}) *\n/.exec(text)
  const [, body = "", seq, mac = "", recent = "", own = ""] = match ?? []
  if (match === null || (key !== undefined && macOf(key, body) !== own)) return undefined
  return { seq: Number(seq), mac, recent: split(recent) }
}

/** What a record does: store or delete an entry, carry on that one was lost, add a data key. */
type RecordKind = "put" | "del" | "lost" | "key"

/** A record without its place in the log. */
export interface RecordBody {
  readonly kind: RecordKind
  /** Name of the entry, or id of the data key. */
  readonly subject: string
  /** Version of the entry: the sequence number it was sealed at. `0` where there is none. */
  readonly version: number
  /** The sealed entry or wrapped data key, in ASCII. */
  readonly jwe?: Uint8Array | undefined
}

/** One verified line of the log. */
export interface LogRecord extends RecordBody {
  readonly seq: number
  readonly recent: string
  /** `mac` of the record before it, of the header for the first. */
  readonly prev: string
  readonly mac: string
  /** Length of the line with its newline. */
  readonly bytes: number
}

/** Writes `<kind> <seq> <version> <subject> <recent> <prev> <jwe> <mac>\n`, with `-` for what is absent. */
export const formatRecord = (
  body: RecordBody,
  at: { readonly seq: number; readonly recent: ReadonlyArray<string>; readonly prev: string },
  key: KeyObject,
): { readonly line: Buffer; readonly record: LogRecord } => {
  const recent = joined(at.recent)
  const start = Buffer.from(`${body.kind} ${at.seq} ${body.version} ${body.subject} ${recent} ${at.prev} `, "latin1")
  const signed = Buffer.concat([start, body.jwe ?? Buffer.from("-")])
  const mac = macOf(key, signed)
  const line = Buffer.concat([signed, Buffer.from(` ${mac}\n`, "latin1")])
  const jwe = body.jwe && line.subarray(start.length, signed.length)
  return { line, record: { ...body, jwe, seq: at.seq, recent, prev: at.prev, mac, bytes: line.length } }
}

/** Reads one line (without its newline) if its `mac` verifies; with `key` undefined, if it looks like one. */
export const parseRecord = (line: Buffer, key: KeyObject | undefined): LogRecord | undefined => {
  const end = line.length - MAC_LENGTH - 1
  if (end <= 0 || line[end] !== SPACE) return undefined
  const mac = line.toString("latin1", end + 1)
  if (key !== undefined && macOf(key, line.subarray(0, end)) !== mac) return undefined
  let at = 0
  for (let fields = 0; fields < 6; fields++) {
    at = line.indexOf(SPACE, at) + 1
    if (at === 0 || at >= end) return undefined
  }
  const [kind = "", seq, version, subject = "", recent = "", prev = ""] = line.toString("latin1", 0, at - 1).split(" ")
  if (!isKind(kind)) return undefined
  const jwe = line.subarray(at, end)
  return {
    kind,
    seq: Number(seq),
    version: Number(version),
    subject,
    recent,
    prev,
    mac,
    jwe: jwe.length > 1 ? jwe : undefined,
    bytes: line.length + 1,
  }
}

/** The subjects a record or head repeats, oldest first. */
export const split = (recent: string): ReadonlyArray<string> => (recent === "-" ? [] : recent.split(","))

const joined = (recent: ReadonlyArray<string>): string => (recent.length === 0 ? "-" : recent.join(","))

const isKind = (kind: string): kind is RecordKind =>
  kind === "put" || kind === "del" || kind === "lost" || kind === "key"

/** The first 22 characters of the base64url of an HMAC-SHA-256: 132 bits. */
export const macOf = (key: KeyObject, data: string | Uint8Array): string => {
  const mac = createHmac("sha256", key)
  return (typeof data === "string" ? mac.update(data, "latin1") : mac.update(data))
    .digest("base64url")
    .slice(0, MAC_LENGTH)
}
