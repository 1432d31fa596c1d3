/** `executor.providers` on the Promise surface; the Effect surface does the work. */
import type { ProviderItem } from "../../credential/CredentialProvider.ts"
import { runPromise } from "../runPromise.ts"
import type { EffectProviders } from "./EffectProviders.ts"
import type { ListItemsInput } from "./Providers.ts"

/** The registered credential providers. */
export class Providers {
  readonly #effect: EffectProviders

  constructor(effect: EffectProviders) {
    this.#effect = effect
  }

  /** Their keys in the order of registration. */
  list(): ReadonlyArray<string> {
    return this.#effect.list()
  }

  /**
   * What a person may pick from one of them, without what is kept for other callers, ordered by id; all unless `limit` says otherwise.
   *
   * A provider lists everything it has or nothing, so a page costs it no less. Rejects with `CredentialProviderNotRegisteredError`, as the
   * provider fails, or with `InvalidConnectionInputError` for what is no page.
   */
  items(key: string, input?: ListItemsInput): Promise<ReadonlyArray<ProviderItem>> {
    return runPromise(this.#effect.items(key, input))
  }
}
