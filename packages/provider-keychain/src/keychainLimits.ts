/**
 * What each system's keychain can hold.
 *
 * Windows: `CRED_MAX_CREDENTIAL_BLOB_SIZE` is 2,560 bytes, which the library fills with UTF-16, `CRED_MAX_USERNAME_LENGTH`
 * 513 with its terminator; target names ignore case. Elsewhere no limit is documented: 10 MiB was stored and read back on
 * GNOME Keyring and 64 MiB ended the connection, so Keyward refuses beyond 8 MiB rather than find out on each machine.
 */
import type { ProviderDeniedError } from "@keyward/core/effect"
import { denied } from "./keychainFailure.ts"

/** The limits of one system. */
export interface KeychainLimits {
  /** Whether names that differ by case alone are the same to it. */
  readonly foldsCase: boolean
  /** Longest account name, in UTF-16 code units. */
  readonly accountLength: number
  /** Longest text in bytes, as the system encodes it. */
  readonly textBytes: number
  readonly textEncoding: "utf8" | "utf16le"
  /** What people call its keychain. */
  readonly keychain: string
}

/** The limits of a platform, as `process.platform` names it. */
export const limitsOf = (platform: NodeJS.Platform): KeychainLimits =>
  platform === "win32"
    ? {
        foldsCase: true,
        accountLength: 512,
        textBytes: 2_560,
        textEncoding: "utf16le",
        keychain: "the Windows Credential Manager",
      }
    : {
        foldsCase: false,
        accountLength: 65_536,
        textBytes: 8 * 1024 * 1024,
        textEncoding: "utf8",
        keychain: platform === "darwin" ? "the macOS Keychain" : "the Secret Service",
      }

/** Why an entry does not fit, or `undefined` when it does. */
export const misfit = (account: string, text: string, limits: KeychainLimits): ProviderDeniedError | undefined => {
  if (account.length > limits.accountLength) {
    return denied(
      "id_too_long",
      `The id takes ${account.length} characters as an account name and ${limits.keychain} holds ${limits.accountLength}. Use a shorter name, or encryptedFileProvider.`,
    )
  }
  const bytes = Buffer.byteLength(text, limits.textEncoding)
  return bytes <= limits.textBytes
    ? undefined
    : denied(
        "value_too_large",
        `The value takes ${bytes} bytes and ${limits.keychain} holds ${limits.textBytes} per entry. Keep it with encryptedFileProvider.`,
      )
}
