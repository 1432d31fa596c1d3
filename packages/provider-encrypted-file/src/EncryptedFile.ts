/**
 * The credential provider over one encrypted file: what a host passes to `createExecutor`.
 *
 * Called by hosts and, through the provider contract, by the executor. Everything about the file is in `Vault`.
 */
import { InvalidProviderOptionsError } from "@keyward/core"
import { type CredentialProvider, isProviderError, type ProviderError, type ProviderItem } from "@keyward/core/effect"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import { Vault } from "./Vault.ts"
import { ioFailure, type VaultPlace } from "./VaultError.ts"
import { ABSENT } from "./VaultGeneration.ts"
import { keySource, type VaultSecret } from "./vaultKey.ts"
import type { VaultAnchor } from "./VaultProgress.ts"

/** Options of {@link encryptedFileProvider}: a path, and either `key` or `passphrase`. */
export type EncryptedFileOptions = VaultSecret & {
  /** Path of the file. It and its folder are created by the first write, with modes 0600 and 0700. */
  readonly path: string
  /** Key of the provider on connections. Default: `"encrypted-file"`. */
  readonly providerKey?: string | undefined
  /** How long a write waits for other processes. Default: 10,000 ms. */
  readonly lockTimeoutMs?: number | undefined
  /** Notices that the whole file was replaced by an older copy of itself. Default: none, so that only this process remembers. */
  readonly anchor?: VaultAnchor | undefined
}

/** What {@link encryptedFileProvider} returns: a provider that can do everything, and whose keys can be changed. */
export interface EncryptedFileProvider extends CredentialProvider {
  has(id: string): Effect.Effect<boolean, ProviderError>
  set(id: string, value: Redacted.Redacted): Effect.Effect<void, ProviderError>
  delete(id: string): Effect.Effect<void, ProviderError>
  list(): Effect.Effect<ReadonlyArray<ProviderItem>, ProviderError>
  close(): Effect.Effect<void>
  /**
   * Puts a new data key in use and seals every entry anew; the former data key is gone from the file afterwards.
   *
   * Reads and writes go on meanwhile, in every process. Killed at any point it leaves a file in which everything opens;
   * call it again to finish. What was deleted or overwritten before can no longer be decrypted from this file.
   */
  rotateDataKey(): Promise<void>
  /**
   * Changes what opens the file. Entries stay as they are sealed; only the data keys are wrapped anew.
   *
   * Whoever still has the former key or passphrase gets `WrongVaultKeyError` from then on, in this and in other processes.
   * Copies made of the file before still open with the former one: after a leak, also rotate the secrets themselves.
   */
  changeKey(secret: VaultSecret): Promise<void>
}

/**
 * Secrets in one encrypted file: the durable default of a single machine.
 *
 * The file is opened by the first call, not here. Throws `InvalidProviderOptionsError` when the path, key
 * or passphrase cannot be one. Close it through `executor.close()`.
 *
 * @example
 * ```ts
 * import { encryptedFileProvider } from "@keyward/provider-encrypted-file"
 *
 * const provider = encryptedFileProvider({ path: "./secrets/vault", key: process.env["VAULT_KEY"] ?? "" })
 * ```
 */
export const encryptedFileProvider = (options: EncryptedFileOptions): EncryptedFileProvider => {
  const { path, providerKey: key = "encrypted-file", lockTimeoutMs = 10_000, anchor } = options
  const place: VaultPlace = { provider: key, path }
  if (typeof path !== "string" || path === "" || path.includes("\0")) {
    throw new InvalidProviderOptionsError({ provider: key, option: "path", problem: "Pass the path of a file." })
  }
  const vault = new Vault({ place, source: keySource(place, options), lockTimeoutMs, anchor })
  const call = <A>(ask: (signal: AbortSignal) => Promise<A>): Effect.Effect<A, ProviderError> =>
    Effect.tryPromise({ try: ask, catch: (thrown) => typed(place, thrown) })
  return {
    key,
    writable: true,
    get: (id) =>
      Effect.suspend(() => {
        const known = vault.peek(id)
        if (known === ABSENT) return Effect.undefined
        return known === undefined ? call(() => vault.get(id)) : Effect.succeed(known)
      }),
    has: (id) => call(() => vault.has(id)),
    set: (id, value) => call((signal) => vault.write(id, value, signal)),
    delete: (id) => call((signal) => vault.write(id, undefined, signal)),
    list: () =>
      Effect.map(
        call(() => vault.list()),
        (ids) => ids.map((id) => ({ id, name: id })),
      ),
    close: () => Effect.promise(() => vault.close()),
    rotateDataKey: () => vault.rotateDataKey(),
    changeKey: (secret) => vault.changeKey(secret),
  }
}

const typed = (place: VaultPlace, thrown: unknown): ProviderError =>
  isProviderError(thrown) ? thrown : ioFailure(place, "Using", thrown)
