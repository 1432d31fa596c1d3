/**
 * One vault file as it is open: its keys, its replayed log, and the two ways it changes, by appending and by being replaced.
 *
 * Called by `Vault`, which decides when to look at the file again and holds the lock for everything that writes.
 */
import type { webcrypto } from "node:crypto"
import { closeSync, fstatSync, ftruncateSync, type Stats } from "node:fs"
import type * as Redacted from "effect/Redacted"
import { durable, writeAt } from "./durableFile.ts"
import { openVault, readAt } from "./vaultAccess.ts"
import {
  CorruptEntryError,
  CorruptHeaderError,
  NewerVaultVersionError,
  quoted,
  type VaultPlace,
  WrongVaultKeyError,
} from "./VaultError.ts"
import {
  formatHead,
  formatRecord,
  HEAD_BYTES,
  type HeaderLine,
  macOf,
  parseHead,
  parseHeader,
  RECENT_LIMIT,
  type RecordBody,
  type VaultHeader,
} from "./vaultFormat.ts"
import type { KeyEncryptionKey, KeySource } from "./vaultKey.ts"
import { type VaultEntry, VaultLog } from "./vaultLog.ts"
import { entryName, type IndexKeys, openDataKey, openEntry, openIndex, sealedUnder, sealEntry } from "./vaultSeal.ts"

/** What {@link VaultGeneration.peek} answers for an id that is certainly not there. */
export const ABSENT = Symbol("absent")

/** What opening needs besides the file. */
export interface GenerationKeys {
  readonly source: KeySource
  /** Keys derived before; tried first, so that a passphrase is stretched once. */
  readonly known: ReadonlyArray<KeyEncryptionKey>
}

/** An open vault file; see the file's header. */
export class VaultGeneration {
  readonly log: VaultLog
  readonly kek: KeyEncryptionKey
  readonly index: IndexKeys
  readonly header: VaultHeader
  readonly #place: VaultPlace
  readonly #fd: number
  readonly #headAt: number
  readonly #names = new Map<string, string>()
  readonly #dataKeys = new Map<string, Promise<webcrypto.CryptoKey | undefined>>()
  #seen: Stats
  #headSeq: number

  private constructor(
    place: VaultPlace,
    opened: {
      readonly fd: number
      readonly seen: Stats
      readonly line: HeaderLine
      readonly kek: KeyEncryptionKey
      readonly index: IndexKeys
      readonly log: VaultLog
      readonly headSeq: number
    },
  ) {
    this.#place = place
    this.#fd = opened.fd
    this.#seen = opened.seen
    this.#headSeq = opened.headSeq
    this.#headAt = opened.line.bytes
    this.header = opened.line.header
    this.kek = opened.kek
    this.index = opened.index
    this.log = opened.log
  }

  /** Opens the file and replays it; `undefined` when there is none. `former` lends what it has decrypted. */
  static async open(
    place: VaultPlace,
    keys: GenerationKeys,
    former?: VaultGeneration,
  ): Promise<VaultGeneration | undefined> {
    const fd = openVault(place)
    if (fd === undefined) return undefined
    try {
      const seen = fstatSync(fd)
      const file = readAt(fd, 0, seen.size)
      const line = headerOf(place, file)
      const { kek, index } = await unlocked(place, line, keys)
      const start = line.bytes + 2 * HEAD_BYTES
      const head = parseHead(file.subarray(line.bytes, start), index.chaining)
      if (head === undefined || head.seq < line.header.base) {
        throw new CorruptHeaderError(place, "both copies of its head are damaged")
      }
      const log = new VaultLog(line, start, index.chaining)
      await log.replay(file, head)
      const generation = new VaultGeneration(place, { fd, seen, line, kek, index, log, headSeq: head.seq })
      if (former !== undefined) generation.#borrow(former)
      return generation
    } catch (thrown) {
      closeSync(fd)
      throw thrown
    }
  }

  close(): void {
    closeSync(this.#fd)
  }

  /** Whether the path still leads to this file. Its inode cannot be reused, because it is open. */
  isAt(found: Stats): boolean {
    return found.ino === this.#seen.ino && found.dev === this.#seen.dev
  }

  /** Whether nothing has been written since it was last looked at, and nothing unfinished was seen then. */
  isFresh(found: Stats): boolean {
    return (
      this.isAt(found) &&
      found.size === this.#seen.size &&
      found.mtimeMs === this.#seen.mtimeMs &&
      found.size === this.log.end
    )
  }

  /** Reads what was appended. `false`: the file is not a continuation of what was seen and must be opened anew. */
  catchUp(): boolean {
    const seen = fstatSync(this.#fd)
    const head = parseHead(readAt(this.#fd, this.#headAt, 2 * HEAD_BYTES), this.index.chaining)
    if (head === undefined || seen.size < this.log.end) return false
    const { records } = this.log.following(readAt(this.#fd, this.log.end, seen.size - this.log.end))
    const isSilent = records.length === 0 && head.seq === this.#headSeq && seen.size === this.#seen.size
    if (isSilent && seen.mtimeMs !== this.#seen.mtimeMs) return false
    this.log.append(records)
    this.#seen = seen
    this.#headSeq = head.seq
    return head.seq <= this.log.seq
  }

  /** Appends records and returns when they are on the disk. Only under the lock and after {@link VaultGeneration.catchUp}. */
  async append(bodies: ReadonlyArray<RecordBody>): Promise<void> {
    const { log } = this
    let at = { seq: log.seq, prev: log.mac, recent: log.recent }
    const formatted = bodies.map((body) => {
      const made = formatRecord(body, { ...at, seq: at.seq + 1 }, this.index.chaining)
      at = {
        seq: made.record.seq,
        prev: made.record.mac,
        recent: [...at.recent, body.subject].slice(-RECENT_LIMIT),
      }
      return made
    })
    if (fstatSync(this.#fd).size > log.end) ftruncateSync(this.#fd, log.end)
    const lines = formatted.map(({ line }) => line)
    try {
      writeAt(this.#fd, Buffer.concat(lines), log.end)
    } catch (thrown) {
      this.#dropUnfinished(lines)
      throw thrown
    }
    await durable(this.#fd)
    writeAt(this.#fd, formatHead({ seq: at.seq, mac: at.prev, recent: at.recent }, this.index.chaining), this.#headAt)
    log.append(formatted.map(({ record }) => record))
    this.#headSeq = at.seq
    this.#seen = fstatSync(this.#fd)
  }

  /** The name an id has in this vault. */
  name(id: string): string {
    return this.#names.get(id) ?? entryName(this.index, id)
  }

  /** The value of an id if it is known without decrypting; {@link ABSENT} when it is not there; `undefined` when unknown. */
  peek(id: string): Redacted.Redacted | typeof ABSENT | undefined {
    const entry = this.log.entries.get(this.name(id))
    if (entry === undefined) return this.log.unknownDamage.any ? undefined : ABSENT
    return entry.id === id && !this.#isDoubtful(entry) ? entry.value : undefined
  }

  /** The entry of an id, or `undefined`. Fails with `CorruptEntryError` when it is, or may be, damaged. */
  find(id: string): VaultEntry | undefined {
    const { entries, unknownDamage } = this.log
    const entry = entries.get(this.name(id))
    if (entry === undefined ? unknownDamage.any : entry.jwe === undefined || this.#isDoubtful(entry)) {
      throw this.#corrupt(id)
    }
    return entry
  }

  /** Whether the id is there, readable or not. */
  has(id: string): boolean {
    const { entries, unknownDamage } = this.log
    if (entries.has(this.name(id))) return true
    if (unknownDamage.any) throw this.#corrupt(id)
    return false
  }

  /** Reads the value of an id. */
  async read(id: string): Promise<Redacted.Redacted | undefined> {
    const entry = this.find(id)
    if (entry === undefined) return undefined
    const name = this.name(id)
    const opened = await this.openEntry(name, entry)
    if (opened?.id !== id) throw this.#corrupt(id)
    this.#names.set(id, name)
    entry.id = opened.id
    entry.value = opened.value
    return opened.value
  }

  /** Every id that can be read, sorted. Fails when entries are lost and it cannot be told which. */
  async ids(): Promise<ReadonlyArray<string>> {
    if (this.log.unknownDamage.any) throw new CorruptEntryError(this.#place, "An entry that cannot be named")
    const ids: Array<string> = []
    const entries = [...this.log.entries]
    for (let at = 0; at < entries.length; at += PARALLEL) {
      const opened = entries.slice(at, at + PARALLEL).map(async ([name, entry]) => {
        const id = entry.id ?? (await this.openEntry(name, entry))?.id
        if (id === undefined) return
        entry.id = id
        ids.push(id)
      })
      await Promise.all(opened)
    }
    return ids.sort()
  }

  /** Opens one entry, or `undefined` when it cannot be opened. */
  async openEntry(
    name: string,
    entry: VaultEntry,
  ): Promise<{ readonly id: string; readonly value: Redacted.Redacted } | undefined> {
    if (entry.jwe === undefined) return undefined
    const kid = sealedUnder(entry.jwe)
    const key = kid === undefined ? undefined : await this.#dataKey(kid)
    return key && openEntry(entry.jwe, { vault: this.header.vault, name, version: entry.version }, key)
  }

  /** Seals one entry as the record with this sequence number. */
  async seal(entry: { readonly id: string; readonly value: Redacted.Redacted }, seq: number): Promise<RecordBody> {
    const { kid } = this.log.activeKey
    const crypto = await this.#dataKey(kid)
    if (crypto === undefined) throw new CorruptHeaderError(this.#place, "its data key does not open")
    const subject = this.name(entry.id)
    const jwe = await sealEntry(entry, { vault: this.header.vault, name: subject, version: seq }, { kid, crypto })
    return { kind: "put", subject, version: seq, jwe }
  }

  /** Gives the space of a failed write back, but not of whole records: another process may have read them already. */
  #dropUnfinished(lines: ReadonlyArray<Buffer>): void {
    const { size } = fstatSync(this.#fd)
    let { end } = this.log
    for (const { length } of lines) if (end + length <= size) end += length
    if (size > end) ftruncateSync(this.#fd, end)
  }

  #dataKey(kid: string): Promise<webcrypto.CryptoKey | undefined> {
    const known = this.#dataKeys.get(kid)
    if (known !== undefined) return known
    const wrapped = this.log.keys.find((key) => key.kid === kid)
    const opened = wrapped ? openDataKey(this.header.vault, this.kek, wrapped) : Promise.resolve(undefined)
    this.#dataKeys.set(kid, opened)
    return opened
  }

  #borrow(former: VaultGeneration): void {
    for (const [name, entry] of this.log.entries) {
      const known = former.log.entries.get(name)
      if (known?.jwe === undefined || entry.jwe === undefined || known.version !== entry.version) continue
      if (known.id !== undefined) entry.id = known.id
      if (known.value !== undefined) entry.value = known.value
    }
  }

  #isDoubtful(entry: VaultEntry): boolean {
    return entry.seq < this.log.unknownDamage.before
  }

  #corrupt(id: string): CorruptEntryError {
    return new CorruptEntryError(this.#place, `The entry ${quoted(id)}`)
  }
}

const PARALLEL = 64

const headerOf = (place: VaultPlace, file: Buffer): HeaderLine => {
  const parsed = parseHeader(file)
  if (parsed.is === "newer") throw new NewerVaultVersionError(place, parsed.version)
  if (parsed.is === "corrupt") throw new CorruptHeaderError(place, parsed.what)
  return parsed.line
}

const unlocked = async (
  place: VaultPlace,
  { header, signed, mac }: HeaderLine,
  { source, known }: GenerationKeys,
): Promise<{ readonly kek: KeyEncryptionKey; readonly index: IndexKeys }> => {
  const { vault, kdf } = header
  const kek = known.find(({ id }) => id === header.kek) ?? (await source.derive(vault, kdf))
  if (kek?.id !== header.kek) throw new WrongVaultKeyError(place)
  const index = macOf(kek.signing, signed) === mac ? await openIndex(vault, kek, header.index) : undefined
  if (index === undefined) throw new CorruptHeaderError(place, "its first line is not what the owner of its key wrote")
  return { kek, index }
}
