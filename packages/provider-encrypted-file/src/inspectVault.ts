/**
 * What can be told about a vault file without its secrets: for a person at a terminal, a health check, a support case.
 *
 * Reads the file once and changes nothing. With the key it also verifies every record.
 */
import { existsSync, readFileSync, statSync } from "node:fs"
import { resolve } from "node:path"
import { companions } from "./durableFile.ts"
import { CorruptHeaderError, ioFailure, NewerVaultVersionError, type VaultPlace } from "./VaultError.ts"
import { claimedHead, FORMAT_VERSION, HEAD_BYTES, parseHeader, parseRecord, type VaultHeader } from "./vaultFormat.ts"
import { VaultGeneration } from "./VaultGeneration.ts"
import { keySource, type VaultSecret } from "./vaultKey.ts"
import { sealedUnder } from "./vaultSeal.ts"

/** One data key of the ring. */
export interface InspectedKey {
  readonly kid: string
  /** Sequence number from which on it seals. */
  readonly since: number
  readonly isActive: boolean
  /** How many entries are sealed under it. */
  readonly entries: number
}

/** What {@link inspectVault} found. Names, ids and values of entries are not among it. */
export interface VaultInspection {
  readonly path: string
  readonly formatVersion: number
  readonly vault: string
  readonly generation: number
  /** Sequence number of the last write. */
  readonly seq: number
  readonly opensWith: "key" | "passphrase"
  readonly keys: ReadonlyArray<InspectedKey>
  readonly entries: number
  readonly bytes: number
  /** Bytes that the next compaction gives back. */
  readonly deadBytes: number
  /** Permission bits, for example `"600"`. */
  readonly mode: string
  readonly hasPrevious: boolean
  /** What verifying with the key found; `null` when no key was passed. */
  readonly verified: {
    /** Records that are missing, damaged, or not the ones that were written. */
    readonly damagedRecords: number
    /** Entries that cannot be read because of that. */
    readonly damagedEntries: number
    /** Whether there are damaged records whose entries cannot be told. */
    readonly hasUnknownDamage: boolean
  } | null
}

/**
 * Describes a vault file. Without a secret everything is as the file claims; with `key` or `passphrase` it is verified.
 *
 * Rejects with the errors of opening: `CorruptHeaderError`, `NewerVaultVersionError`, `WrongVaultKeyError`,
 * `UnsafeVaultError`, and `ProviderUnavailableError` when the file cannot be read.
 */
export const inspectVault = async (path: string, secret?: VaultSecret): Promise<VaultInspection> => {
  const place: VaultPlace = { provider: "encrypted-file", path: resolve(path) }
  const file = read(place)
  const parsed = parseHeader(file)
  if (parsed.is === "newer") throw new NewerVaultVersionError(place, parsed.version)
  if (parsed.is === "corrupt") throw new CorruptHeaderError(place, parsed.what)
  const { header, bytes } = parsed.line
  const claimed = claimedLog(file, header, bytes + 2 * HEAD_BYTES)
  return {
    path: place.path,
    formatVersion: FORMAT_VERSION,
    vault: header.vault,
    generation: header.generation,
    seq: claimedHead(file.subarray(bytes))?.seq ?? header.base,
    opensWith: header.kdf.alg === "raw" ? "key" : "passphrase",
    keys: claimed.keys,
    entries: claimed.entries,
    bytes: file.length,
    deadBytes: claimed.deadBytes,
    mode: (statSync(place.path).mode & 0o777).toString(8),
    hasPrevious: existsSync(companions(place.path).previous),
    verified: secret === undefined ? null : await verified(place, secret),
  }
}

const read = (place: VaultPlace): Buffer => {
  try {
    return readFileSync(place.path)
  } catch (thrown) {
    throw ioFailure(place, "Reading", thrown)
  }
}

const claimedLog = (
  file: Buffer,
  header: VaultHeader,
  start: number,
): { readonly entries: number; readonly keys: ReadonlyArray<InspectedKey>; readonly deadBytes: number } => {
  const live = new Map<string, { readonly kid: string | undefined; readonly bytes: number }>()
  const ring: Array<{ readonly kid: string; readonly since: number }> = [...header.keys]
  let offset = start
  for (let newline = file.indexOf(0x0a, offset); newline >= 0; newline = file.indexOf(0x0a, offset)) {
    const record = parseRecord(file.subarray(offset, newline), undefined)
    if (record?.kind === "key") ring.push({ kid: record.subject, since: record.seq })
    else if (record?.kind === "del") live.delete(record.subject)
    else if (record !== undefined) {
      live.set(record.subject, { kid: record.jwe && sealedUnder(record.jwe), bytes: record.bytes })
    }
    offset = newline + 1
  }
  const entries = [...live.values()]
  const liveBytes = entries.reduce((sum, { bytes }) => sum + bytes, 0)
  return {
    entries: live.size,
    deadBytes: file.length - start - liveBytes,
    keys: ring.map(({ kid, since }, index) => ({
      kid,
      since,
      isActive: index === ring.length - 1,
      entries: entries.filter((entry) => entry.kid === kid).length,
    })),
  }
}

const verified = async (place: VaultPlace, secret: VaultSecret): Promise<VaultInspection["verified"]> => {
  const generation = await VaultGeneration.open(place, { source: keySource(place, secret), known: [] })
  if (generation === undefined) throw ioFailure(place, "Reading", undefined)
  try {
    const { entries, damagedRecords, unknownDamage } = generation.log
    const isReadable = await Promise.all(
      [...entries].map(async ([name, entry]) => (await generation.openEntry(name, entry)) !== undefined),
    )
    return {
      damagedRecords,
      damagedEntries: isReadable.filter((readable) => !readable).length,
      hasUnknownDamage: unknownDamage.any,
    }
  } finally {
    generation.close()
  }
}
