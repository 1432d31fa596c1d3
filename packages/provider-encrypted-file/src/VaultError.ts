/**
 * What can be wrong with an encrypted file, one class per thing its owner would do differently.
 *
 * Each extends one of the provider errors of `@keyward/core`, so that the executor treats it like any provider failure,
 * and tells itself apart by `instanceof` and by `reason`. Messages name the file and the id, never a value or a key.
 */
import { ProviderDeniedError, ProviderUnavailableError } from "@keyward/core/effect"

/** Which provider and which file an error is about. */
export interface VaultPlace {
  /** The provider's own key, `encrypted-file` by default. */
  readonly provider: string
  /** Path of the vault file. */
  readonly path: string
}

/** The key or passphrase does not open the file. `reason`: `wrong_key`. The file itself is intact as far as can be told. */
export class WrongVaultKeyError extends ProviderDeniedError {
  static {
    named(this, "WrongVaultKeyError")
  }
  constructor(place: VaultPlace) {
    super({
      provider: place.provider,
      reason: "wrong_key",
      nextStep: `Pass the key or passphrase that ${quoted(place.path)} was last written with; changeKey() in another process changes it.`,
    })
  }
}

/**
 * One entry is damaged, was removed, or was replaced by an older one. `reason`: `corrupt_entry`. Other entries are not
 * affected, and storing or deleting the id again ends it.
 */
export class CorruptEntryError extends ProviderDeniedError {
  static {
    named(this, "CorruptEntryError")
  }
  constructor(place: VaultPlace, what: string) {
    super({
      provider: place.provider,
      reason: "corrupt_entry",
      nextStep: `${what} of ${quoted(place.path)} is damaged or was tampered with. Store it anew, or restore the file from a backup; inspectVault() shows the extent.`,
    })
  }
}

/** The beginning of the file cannot be trusted, so nothing in it can be read. `reason`: `corrupt_header`. */
export class CorruptHeaderError extends ProviderDeniedError {
  static {
    named(this, "CorruptHeaderError")
  }
  constructor(place: VaultPlace, what: string) {
    super({
      provider: place.provider,
      reason: "corrupt_header",
      nextStep: `${quoted(place.path)}: ${what}. Nothing was changed. Restore it from a backup, or from ${quoted(`${place.path}.previous`)}, which lacks the latest writes.`,
    })
  }
}

/** The file was written by a later release in a format this one does not know. `reason`: `newer_version`. */
export class NewerVaultVersionError extends ProviderDeniedError {
  static {
    named(this, "NewerVaultVersionError")
  }
  constructor(place: VaultPlace, version: number) {
    super({
      provider: place.provider,
      reason: "newer_version",
      nextStep: `${quoted(place.path)} has format version ${version}. Update @keyward/provider-encrypted-file; nothing was changed.`,
    })
  }
}

/** The place of the file lets others read or replace it, and that is not ours to repair. `reason`: `unsafe_file`. */
export class UnsafeVaultError extends ProviderDeniedError {
  static {
    named(this, "UnsafeVaultError")
  }
  constructor(place: VaultPlace, what: string) {
    super({ provider: place.provider, reason: "unsafe_file", nextStep: what })
  }
}

/** The file is older than what this process or the anchor has seen. `reason`: `rolled_back`. */
export class VaultRolledBackError extends ProviderDeniedError {
  static {
    named(this, "VaultRolledBackError")
  }
  constructor(place: VaultPlace, what: string) {
    super({
      provider: place.provider,
      reason: "rolled_back",
      nextStep: `${quoted(place.path)} ${what}. If you restored a backup on purpose, restart the process and reset the anchor; otherwise treat its secrets as stale and find out who replaced it.`,
    })
  }
}

/** Another process kept the lock for longer than `lockTimeoutMs`. `reason`: `locked`. */
export class VaultLockedError extends ProviderUnavailableError {
  static {
    named(this, "VaultLockedError")
  }
  constructor(place: VaultPlace, timeoutMs: number) {
    super({
      provider: place.provider,
      reason: "locked",
      nextStep: `Another process has been writing ${quoted(place.path)} for more than ${timeoutMs} ms. Try again; if it persists, look for a stopped process that has ${quoted(`${place.path}.lock`)} open.`,
    })
  }
}

/** A failed system call, named by its code alone (`ENOSPC`, `EACCES`, `EIO` …). `reason`: `io`. */
export const ioFailure = (place: VaultPlace, doing: string, thrown: unknown): ProviderUnavailableError =>
  new ProviderUnavailableError({
    provider: place.provider,
    reason: "io",
    nextStep: `${doing} ${quoted(place.path)} failed (${systemCode(thrown)}). Check the disk and the permissions of its folder, then try again.`,
  })

/** The code of a Node system error, or `unknown`. */
export const systemCode = (thrown: unknown): string =>
  thrown instanceof Error && "code" in thrown && typeof thrown.code === "string" ? thrown.code : "unknown"

/** A path or id as it may stand in a message. */
export const quoted = (text: string): string => JSON.stringify(text.length > 160 ? `${text.slice(0, 160)}…` : text)

function named(errorClass: { readonly prototype: object }, name: string): void {
  Object.defineProperty(errorClass.prototype, "name", { value: name, configurable: true })
}
