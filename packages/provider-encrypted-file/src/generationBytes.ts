/**
 * The bytes of a new generation: everything that is live, under a header and a chain key of its own.
 *
 * Called by `Vault` for a new vault, for compaction, and at the end of every change of keys. Entries are carried over as
 * they are sealed; only their lines are written anew.
 */
import { setImmediate as nextTurn } from "node:timers/promises"
import {
  formatHead,
  formatHeader,
  formatRecord,
  RECENT_LIMIT,
  type VaultHead,
  type WrappedDataKey,
} from "./vaultFormat.ts"
import type { VaultGeneration } from "./VaultGeneration.ts"
import type { KeyEncryptionKey } from "./vaultKey.ts"
import { createIndex } from "./vaultSeal.ts"

/** What the header of the new generation is made of. */
export interface GenerationHeader {
  readonly vault: string
  readonly kek: KeyEncryptionKey
  /** The ring; the last is the active one. */
  readonly keys: readonly [WrappedDataKey, ...ReadonlyArray<WrappedDataKey>]
}

const LINES_PER_CHUNK = 512

/** The file in chunks, in order. `from` is the generation to follow, `undefined` for a new vault. */
export const generationBytes = async (
  from: VaultGeneration | undefined,
  { vault, kek, keys }: GenerationHeader,
): Promise<ReadonlyArray<Buffer>> => {
  const base = from?.log.seq ?? 0
  const entries = [...(from?.log.entries ?? [])]
  const index = await createIndex(vault, kek, from?.index)
  const header = formatHeader(
    {
      vault,
      generation: (from?.header.generation ?? 0) + 1,
      base,
      records: entries.length,
      kdf: kek.kdf,
      kek: kek.id,
      index: index.jwe,
      keys,
    },
    kek.signing,
  )
  let head: VaultHead = { seq: base, mac: header.mac, recent: [] }
  const records: Array<Buffer> = []
  for (let at = 0; at < entries.length; at += LINES_PER_CHUNK) {
    const lines: Array<Buffer> = []
    for (const [subject, { version, jwe }] of entries.slice(at, at + LINES_PER_CHUNK)) {
      const place = { seq: head.seq + 1, recent: head.recent, prev: head.mac }
      const kind = jwe === undefined ? "lost" : "put"
      const { line, record } = formatRecord({ kind, subject, version, jwe }, place, index.keys.chaining)
      lines.push(line)
      head = { seq: place.seq, mac: record.mac, recent: [...head.recent, subject].slice(-RECENT_LIMIT) }
    }
    records.push(Buffer.concat(lines))
    await nextTurn()
  }
  return [header.line, formatHead(head, index.keys.chaining), ...records]
}
