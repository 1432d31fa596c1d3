/** The vault as the run looks at it: with plain strings, opened anew each time, and verified to the last record. */
import { encryptedFileProvider, inspectVault } from "@keyward/provider-encrypted-file"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"

/** Every entry of a vault after every record was verified. Rejects when anything does not open. */
export const everything = async (path: string, key: Uint8Array): Promise<Map<string, string>> => {
  const { verified } = await inspectVault(path, { key })
  if (verified === null || verified.damagedRecords > 0 || verified.damagedEntries > 0 || verified.hasUnknownDamage) {
    throw new Error(`The vault is damaged: ${JSON.stringify(verified)}.`)
  }
  const provider = encryptedFileProvider({ path, key })
  try {
    const entries = new Map<string, string>()
    for (const { id } of await Effect.runPromise(provider.list())) {
      const value = await Effect.runPromise(provider.get(id))
      if (value === undefined) throw new Error(`The vault lists ${id} and does not find it.`)
      entries.set(id, Redacted.value(value))
    }
    return entries
  } finally {
    await Effect.runPromise(provider.close())
  }
}

/** Stores entries one after another. */
export const fill = async (
  path: string,
  key: Uint8Array,
  entries: Iterable<readonly [string, string]>,
): Promise<void> => {
  const provider = encryptedFileProvider({ path, key })
  for (const [id, value] of entries) await Effect.runPromise(provider.set(id, Redacted.make(value)))
  await Effect.runPromise(provider.close())
}
