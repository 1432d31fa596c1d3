/**
 * What a vault's log says: replays its lines into entries, tells a torn tail from damage, and damage of one entry from
 * damage whose owner cannot be told.
 *
 * Pure but for yielding to the event loop. Called by `Vault` and `inspectVault`. The head decides: every record up to its
 * sequence number was durable when the head was written, so each of them that does not verify is damage; bytes behind it
 * that do not verify were never acknowledged.
 */
import type { KeyObject } from "node:crypto"
import { setImmediate as nextTurn } from "node:timers/promises"
import type * as Redacted from "effect/Redacted"
import {
  type HeaderLine,
  type LogRecord,
  parseRecord,
  RECENT_LIMIT,
  split,
  type VaultHead,
  type WrappedDataKey,
} from "./vaultFormat.ts"

/** The newest record of one name. */
export interface VaultEntry {
  readonly seq: number
  readonly version: number
  /** The sealed entry; `undefined`: a newer one was lost to damage. */
  readonly jwe: Uint8Array | undefined
  readonly bytes: number
  /** What was decrypted, kept for the next read. */
  id?: string
  value?: Redacted.Redacted
}

/** Records that are missing and whose entries cannot be told. */
export interface UnknownDamage {
  /** Whether there are any: an id that is not found may have been lost. */
  any: boolean
  /** Entries older than this sequence number may have had a newer version. `0`: none. */
  before: number
}

/** Which lines `append` takes: those that may follow, and how much of the bytes they are. */
export interface AppendedRecords {
  readonly records: ReadonlyArray<LogRecord>
  readonly bytes: number
}

/** The replayed log of one generation; see the file's header. */
export class VaultLog {
  readonly entries = new Map<string, VaultEntry>()
  readonly keys: Array<WrappedDataKey>
  readonly unknownDamage: UnknownDamage = { any: false, before: 0 }
  /** Records that were expected and did not verify. */
  damagedRecords = 0
  seq: number
  mac: string
  recent: ReadonlyArray<string> = []
  /** Where the next record goes. */
  end: number
  /** Bytes of lines that entries still need. */
  liveBytes = 0
  readonly #header: HeaderLine
  readonly #start: number
  readonly #chaining: KeyObject

  constructor(header: HeaderLine, start: number, chaining: KeyObject) {
    this.#header = header
    this.#start = start
    this.#chaining = chaining
    this.keys = [...header.header.keys]
    this.seq = header.header.base
    this.mac = header.mac
    this.end = start
  }

  /** Bytes of lines that nothing needs any more. */
  get deadBytes(): number {
    return this.end - this.#start - this.liveBytes
  }

  /** The data key that seals. */
  get activeKey(): WrappedDataKey {
    return this.keys.at(-1) ?? this.#header.header.keys[0]
  }

  /** Reads the whole log; `file` holds all of it, from the header on. */
  async replay(file: Buffer, head: VaultHead): Promise<void> {
    const found = await this.#collect(file, head)
    this.#rejectImpostors(found, head)
    const last = found.ahead.at(-1)?.seq ?? head.seq
    const subjects = (seq: number): string | undefined =>
      found.records.get(seq)?.subject ?? attributed(seq, found, head)
    for (let seq = this.#header.header.base + 1; seq <= last; seq++) {
      const record = found.records.get(seq)
      if (record === undefined) this.#lose(seq, subjects(seq))
      else this.#apply(record)
    }
    const newest = found.records.get(last)
    this.seq = last
    this.mac = newest?.mac ?? head.mac
    const first = Math.max(this.#header.header.base, last - RECENT_LIMIT) + 1
    this.recent = Array.from({ length: last - first + 1 }, (_, index) => subjects(first + index) ?? "?")
  }

  /** Which lines of `tail`, the bytes from {@link VaultLog.end} on, follow; stops at the first that does not. */
  following(tail: Buffer): AppendedRecords {
    const records: Array<LogRecord> = []
    let { seq, mac } = this
    let bytes = 0
    for (let newline = tail.indexOf(0x0a); newline >= 0; newline = tail.indexOf(0x0a, bytes)) {
      const record = parseRecord(tail.subarray(bytes, newline), this.#chaining)
      if (record === undefined || record.seq !== seq + 1 || record.prev !== mac) break
      records.push(record)
      ;({ seq, mac } = record)
      bytes = newline + 1
    }
    return { records, bytes }
  }

  /** Takes records that follow what is known. */
  append(records: ReadonlyArray<LogRecord>): void {
    for (const record of records) {
      this.#apply(record)
      this.seq = record.seq
      this.mac = record.mac
      this.recent = [...this.recent, record.subject].slice(-RECENT_LIMIT)
      this.end += record.bytes
    }
  }

  async #collect(file: Buffer, head: VaultHead): Promise<FoundRecords> {
    const { base } = this.#header.header
    const records = new Map<number, LogRecord>()
    const conflicts = new Set<number>()
    const ahead: Array<LogRecord> = []
    let next = { seq: head.seq, mac: head.mac }
    let lines = 0
    let offset = this.end
    for (let newline = file.indexOf(0x0a, offset); newline >= 0; newline = file.indexOf(0x0a, offset)) {
      const record = parseRecord(file.subarray(offset, newline), this.#chaining)
      if (record !== undefined && record.seq > base && record.seq <= head.seq) {
        const known = records.get(record.seq)
        if (known !== undefined && known.mac !== record.mac) conflicts.add(record.seq)
        records.set(record.seq, record)
      } else if (record !== undefined && record.seq === next.seq + 1 && record.prev === next.mac) {
        ahead.push(record)
        next = record
      } else if (records.size >= head.seq - base) {
        break
      }
      offset = newline + 1
      if (++lines % 1024 === 0) await nextTurn()
    }
    this.end = offset
    for (const seq of conflicts) records.delete(seq)
    for (const record of ahead) records.set(record.seq, record)
    return { records, ahead }
  }

  #rejectImpostors({ records }: FoundRecords, head: VaultHead): void {
    let expected: string | undefined = head.mac
    for (let { seq } = head; seq > this.#header.header.base; seq--) {
      const record = records.get(seq)
      if (record !== undefined && (expected === undefined || record.mac === expected)) {
        expected = record.prev
      } else {
        records.delete(seq)
        expected = undefined
      }
    }
  }

  #apply(record: LogRecord): void {
    const { kind, subject, seq, version, jwe, bytes } = record
    if (kind === "key") {
      if (jwe !== undefined) this.keys.push({ kid: subject, since: seq, jwe: Buffer.from(jwe).toString("latin1") })
      return
    }
    this.liveBytes -= this.entries.get(subject)?.bytes ?? 0
    if (kind === "del") {
      this.entries.delete(subject)
      return
    }
    this.liveBytes += bytes
    this.entries.set(subject, { seq, version, jwe: kind === "put" ? jwe : undefined, bytes })
  }

  #lose(seq: number, subject: string | undefined): void {
    this.damagedRecords += 1
    if (subject === undefined || subject === "?") {
      const { base, records } = this.#header.header
      this.unknownDamage.any = true
      if (seq > base + records) this.unknownDamage.before = seq
      return
    }
    if (subject.length !== NAME_LENGTH) return
    this.liveBytes -= this.entries.get(subject)?.bytes ?? 0
    this.entries.set(subject, { seq, version: 0, jwe: undefined, bytes: 0 })
  }
}

const NAME_LENGTH = 22

interface FoundRecords {
  readonly records: Map<number, LogRecord>
  /** Verified records behind the head: durable perhaps, acknowledged never. */
  readonly ahead: ReadonlyArray<LogRecord>
}

const attributed = (seq: number, { records }: FoundRecords, head: VaultHead): string | undefined => {
  for (let later = seq + 1; later <= seq + RECENT_LIMIT; later++) {
    const record = records.get(later)
    if (record !== undefined) return split(record.recent).at(seq - later)
  }
  const fromEnd = head.seq - seq
  return fromEnd >= 0 && fromEnd < head.recent.length ? head.recent.at(-1 - fromEnd) : undefined
}
