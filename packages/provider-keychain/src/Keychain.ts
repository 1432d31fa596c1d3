/**
 * The keychain provider: secrets in Keychain (macOS), Credential Manager (Windows) or a Secret Service (Linux).
 *
 * Each item is an entry of the keychain under one service; a second entry per item, under the service's index, holds its
 * name alone, so that items are listed without reading one secret.
 */
import { InvalidProviderOptionsError } from "@keyward/core"
import type { CredentialProvider, ProviderError, ProviderItem } from "@keyward/core/effect"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { accountNameOf, idOfAccountName } from "./accountName.ts"
import { providerKey } from "./keychainFailure.ts"
import { limitsOf, misfit } from "./keychainLimits.ts"
import { KeychainThread } from "./KeychainThread.ts"
import { secretOfStoredText, storedTextOf } from "./storedText.ts"

/** Options of {@link keychainProvider}. */
export interface KeychainOptions {
  /**
   * The service its entries belong to: what keeps two programs, or two profiles of one, apart. One to 100 ASCII letters,
   * digits, spaces, `.`, `_` and `-`, beginning with a letter or digit. Default: `"keyward"`.
   */
  readonly service?: string | undefined
}

/**
 * Keeps secrets in the operating system's keychain. Writable and listable; its key is `keychain`.
 *
 * Fails with `ProviderUnavailableError` and the reason `no_keychain` where there is none (no D-Bus session, as in a
 * container), `locked`, `no_default_keychain` or `not_responding`; with `ProviderDeniedError` and the reason
 * `value_too_large` (Windows: beyond 1,280 UTF-16 code units; elsewhere 8 MiB) or `id_too_long` (Windows: 512 characters).
 *
 * @throws InvalidProviderOptionsError for a service that cannot work.
 *
 * @example
 * ```ts
 * import { createExecutor } from "@keyward/core"
 * import { keychainProvider } from "@keyward/provider-keychain"
 *
 * const executor = await createExecutor({ providers: [keychainProvider({ service: "acme-agent" })] })
 * ```
 */
export const keychainProvider = (options: KeychainOptions = {}): CredentialProvider => {
  const service = options.service ?? "keyward"
  if (!/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}$/.test(service)) {
    throw new InvalidProviderOptionsError({
      provider: providerKey,
      option: "service",
      problem:
        "Pass 1 to 100 ASCII letters, digits, spaces, dots, dashes or underscores, beginning with a letter or digit.",
    })
  }
  const index = `${service} (index)`
  const limits = limitsOf(process.platform)
  const thread = new KeychainThread()
  const accountOf = (id: string): string => accountNameOf(id, limits.foldsCase)
  const fits = (account: string): boolean => account.length <= limits.accountLength

  const get = (id: string): Effect.Effect<Redacted.Redacted | undefined, ProviderError> => {
    const account = accountOf(id)
    if (!fits(account)) return thread.whenOpen(Effect.undefined)
    return Effect.map(thread.ask({ kind: "get", service, account }), ({ text }) =>
      text === null ? undefined : Redacted.make(secretOfStoredText(text)),
    )
  }

  const set = (id: string, value: Redacted.Redacted): Effect.Effect<void, ProviderError> =>
    Effect.suspend(() => {
      const account = accountOf(id)
      const text = storedTextOf(Redacted.value(value))
      const refusal = misfit(account, text, limits)
      return refusal === undefined
        ? Effect.asVoid(thread.ask({ kind: "set", service, index, account, text }))
        : thread.whenOpen(Effect.fail(refusal))
    })

  const remove = (id: string): Effect.Effect<void, ProviderError> => {
    const account = accountOf(id)
    if (!fits(account)) return thread.whenOpen(Effect.void)
    return Effect.asVoid(thread.ask({ kind: "delete", service, index, account }))
  }

  const list = (): Effect.Effect<ReadonlyArray<ProviderItem>, ProviderError> =>
    Effect.map(thread.ask({ kind: "list", service, index }), ({ accounts }) =>
      accounts
        .flatMap((account) => idOfAccountName(account, limits.foldsCase) ?? [])
        .toSorted()
        .map((id) => ({ id, name: id })),
    )

  return {
    key: providerKey,
    writable: true,
    timeoutMs: promptMs,
    get,
    set,
    delete: remove,
    list,
    close: () => thread.close(),
  }
}

/** The limit of a call, because a keychain may ask a person to unlock it. */
const promptMs = 60_000
