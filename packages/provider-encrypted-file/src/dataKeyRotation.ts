/**
 * The steps of rotating a data key that only look at one generation: which entries to seal anew, and which keys are left.
 *
 * Called by `Vault`, each step under the lock.
 */
import { setImmediate as nextTurn } from "node:timers/promises"
import type { RecordBody, WrappedDataKey } from "./vaultFormat.ts"
import type { VaultGeneration } from "./VaultGeneration.ts"
import { createDataKey, sealedUnder } from "./vaultSeal.ts"

const YIELD_EVERY = 512

/** The record that puts a new data key in use. */
export const newKeyRecord = async ({ header, kek, log }: VaultGeneration): Promise<RecordBody> => {
  const { kid, jwe } = await createDataKey(header.vault, kek, log.seq + 1)
  return { kind: "key", subject: kid, version: 0, jwe: Buffer.from(jwe, "latin1") }
}

/** Records that seal the entries of these names under the active key, where they are sealed under another. */
export const resealed = async (
  generation: VaultGeneration,
  names: ReadonlyArray<string>,
): Promise<ReadonlyArray<RecordBody>> => {
  const first = generation.log.seq + 1
  const bodies: Array<RecordBody> = []
  for (const name of names) {
    const entry = generation.log.entries.get(name)
    if (entry?.jwe === undefined || sealedUnder(entry.jwe) === generation.log.activeKey.kid) continue
    const opened = await generation.openEntry(name, entry)
    if (opened !== undefined) bodies.push(await generation.seal(opened, first + bodies.length))
  }
  return bodies
}

/** The keys that entries are still sealed under, and the active one, in the order of the ring. */
export const usedKeys = async ({ log }: VaultGeneration): Promise<ReadonlyArray<WrappedDataKey>> => {
  if (log.keys.length === 1) return log.keys
  const used = new Set([log.activeKey.kid])
  let count = 0
  for (const { jwe } of log.entries.values()) {
    const kid = jwe && sealedUnder(jwe)
    if (kid !== undefined) used.add(kid)
    if (++count % YIELD_EVERY === 0) await nextTurn()
  }
  return log.keys.filter(({ kid }) => used.has(kid))
}
