/**
 * What `--data DIR` keeps: the host's records in SQLite, its secrets in an encrypted file, and of the API what a service would know.
 *
 * The API remembers its port and a digest of the key that it accepts, so that the key itself is in the encrypted file alone.
 */
import { createHash, randomBytes } from "node:crypto"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { ExecutorConfig } from "@keyward/core"
import { encryptedFileProvider } from "@keyward/provider-encrypted-file"
import { sqliteStore } from "@keyward/store-sql"

/** What the API remembers from run to run. */
interface KeptApi {
  readonly port: number
  readonly keyDigest: string
}

export interface KeptData {
  /** `undefined` on the first run. */
  readonly api: KeptApi | undefined
  readonly keepApi: (api: KeptApi) => void
  /** What the host passes to `createExecutor`. */
  readonly config: Pick<ExecutorConfig, "store" | "providers">
}

/** Opens the folder, and makes it where it is missing. */
export const openKeptData = (folder: string): KeptData => {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const apiFile = join(folder, "api.json")
  return {
    api: existsSync(apiFile) ? (JSON.parse(readFileSync(apiFile, "utf8")) as KeptApi) : undefined,
    keepApi: (api) => writeFileSync(apiFile, JSON.stringify(api), { mode: 0o600 }),
    config: {
      store: sqliteStore({ filename: join(folder, "keyward.db") }),
      providers: [encryptedFileProvider({ path: join(folder, "secrets.vault"), key: keyOf(folder) })],
    },
  }
}

/** A host would take it from its environment, a KMS or the keychain, and not keep it beside what it opens. */
const keyOf = (folder: string): string => {
  const file = join(folder, "vault.key")
  if (!existsSync(file)) writeFileSync(file, randomBytes(32).toString("base64"), { mode: 0o600 })
  return readFileSync(file, "utf8")
}

/** By which the API knows its key. */
export const digestOf = (key: string | undefined): string =>
  createHash("sha256")
    .update(key ?? "")
    .digest("hex")
