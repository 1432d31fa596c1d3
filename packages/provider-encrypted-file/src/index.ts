/**
 * `@keyward/provider-encrypted-file`: secrets in one encrypted file.
 *
 * Format: `docs/reference/encrypted-file-format.md`.
 */
export { type EncryptedFileOptions, type EncryptedFileProvider, encryptedFileProvider } from "./EncryptedFile.ts"
export { type InspectedKey, inspectVault, type VaultInspection } from "./inspectVault.ts"
export type { VaultAnchor, VaultState } from "./VaultProgress.ts"
export {
  CorruptEntryError,
  CorruptHeaderError,
  NewerVaultVersionError,
  UnsafeVaultError,
  VaultLockedError,
  VaultRolledBackError,
  WrongVaultKeyError,
} from "./VaultError.ts"
export type { VaultKeyMaterial, VaultSecret } from "./vaultKey.ts"
