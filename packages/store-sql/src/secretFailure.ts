/** What can go wrong with sealed secrets, as provider errors whose `reason` says what it is. None names an id, a value or a key. */
import { StoreUnavailableError } from "@keyward/core"
import {
  isProviderError,
  ProviderDeniedError,
  type ProviderError,
  ProviderUnavailableError,
} from "@keyward/core/effect"

/** The key or passphrase does not open the secrets. */
export const wrongKey = (provider: string): ProviderDeniedError =>
  new ProviderDeniedError({
    provider,
    reason: "wrong_key",
    nextStep:
      "Pass the key or passphrase that the secrets in this database were last sealed with; changeKey() in another process changes it.",
  })

/** One entry is damaged or belongs elsewhere. */
export const corruptEntry = (provider: string): ProviderDeniedError =>
  new ProviderDeniedError({
    provider,
    reason: "corrupt_entry",
    nextStep: "A row of keyward_secrets is damaged or was tampered with. Store the secret anew, or restore a backup.",
  })

/** The keys cannot be trusted, so nothing can be read. */
export const corruptVault = (provider: string): ProviderDeniedError =>
  new ProviderDeniedError({
    provider,
    reason: "corrupt_vault",
    nextStep:
      "The row of keyward_vaults is damaged, missing or was tampered with. Nothing was changed. Restore it from a backup.",
  })

/** A later release wrote the keys in a form that this one does not know. */
export const newerVault = (provider: string): ProviderDeniedError =>
  new ProviderDeniedError({
    provider,
    reason: "newer_version",
    nextStep: "A newer @keyward/store-sql wrote these secrets. Use that version; nothing was changed.",
  })

/** Any failure of a call as the provider error it is. */
export const secretFailure = (provider: string, error: unknown): ProviderError => {
  if (isProviderError(error)) return error
  const said = error instanceof StoreUnavailableError ? error.reason : "database_error"
  // A schema's reason is followed by what to do about it.
  const [reason = said, ...more] = said.split(": ")
  return new ProviderUnavailableError({
    provider,
    reason,
    nextStep:
      more.join(": ") || "The database that holds the secrets could not be used. See its state, then try again.",
  })
}
