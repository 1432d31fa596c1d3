/** A fresh private folder per test, with what tests do to the vault inside it. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  type EncryptedFileOptions,
  encryptedFileProvider,
  type EncryptedFileProvider,
} from "@keyward/provider-encrypted-file"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { onTestFinished } from "vitest"

export const key = Buffer.alloc(32, 7)

export interface VaultFolder {
  readonly folder: string
  readonly path: string
  /** A provider that is closed when the test ends. */
  readonly open: (options?: Partial<EncryptedFileOptions>) => Opened
  readonly read: () => Buffer
  /** Puts other bytes in the file's place, as an attacker or a restore would: under another inode. */
  readonly replace: (bytes: Uint8Array) => void
}

/** A provider as tests speak to it: plain strings and promises that reject with the typed error. */
export interface Opened {
  readonly provider: EncryptedFileProvider
  readonly get: (id: string) => Promise<string | undefined>
  readonly set: (id: string, value: string) => Promise<void>
  readonly delete: (id: string) => Promise<void>
  readonly has: (id: string) => Promise<boolean>
  readonly ids: () => Promise<ReadonlyArray<string>>
  readonly close: () => Promise<void>
}

export const vaultFolder = (): VaultFolder => {
  const folder = mkdtempSync(join(tmpdir(), "keyward-vault-"))
  const path = join(folder, "vault")
  const opened: Array<Opened> = []
  onTestFinished(async () => {
    await Promise.all(opened.map(({ close }) => close()))
    if (existsSync(folder)) chmodSync(folder, 0o700)
    rmSync(folder, { recursive: true, force: true })
  })
  return {
    folder,
    path,
    open: (options) => {
      const made = speaking(encryptedFileProvider({ path, key, ...options } as EncryptedFileOptions))
      opened.push(made)
      return made
    },
    read: () => readFileSync(path),
    replace: (bytes) => {
      writeFileSync(`${path}.test`, bytes, { mode: 0o600 })
      renameSync(`${path}.test`, path)
    },
  }
}

const speaking = (provider: EncryptedFileProvider): Opened => {
  const run = <A, E>(effect: Effect.Effect<A, E>): Promise<A> => Effect.runPromise(effect)
  return {
    provider,
    get: async (id) => {
      const value = await run(provider.get(id))
      return value === undefined ? undefined : Redacted.value(value)
    },
    set: (id, value) => run(provider.set(id, Redacted.make(value))),
    delete: (id) => run(provider.delete(id)),
    has: (id) => run(provider.has(id)),
    ids: async () => (await run(provider.list())).map(({ id }) => id),
    close: () => run(provider.close()),
  }
}
