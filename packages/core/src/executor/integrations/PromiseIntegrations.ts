/** `executor.integrations` on the Promise surface; the Effect surface does the work. */
import type { IdentityMode } from "../../identity/IdentityMode.ts"
import type { Integration } from "../../integration/Integration.ts"
import { runPromise } from "../runPromise.ts"
import type { EffectIntegrations } from "./EffectIntegrations.ts"
import type { ListIntegrationsInput } from "./Integrations.ts"

/** The tenant's integrations. They are registered through plugins, such as `executor.openapi.addSpec`. */
export class Integrations {
  readonly #effect: EffectIntegrations

  constructor(effect: EffectIntegrations) {
    this.#effect = effect
  }

  /** Ordered by slug; all unless `limit` says otherwise. Rejects with `InvalidIntegrationInputError` for what is no page. */
  list(input?: ListIntegrationsInput): Promise<ReadonlyArray<Integration>> {
    return runPromise(this.#effect.list(input))
  }

  /** One integration, or `null`. */
  get(slug: string): Promise<Integration | null> {
    return runPromise(this.#effect.get(slug))
  }

  /** Removes an integration. Rejects with `IntegrationInUseError` while anybody of the tenant has a connection of it. */
  remove(slug: string): Promise<void> {
    return runPromise(this.#effect.remove(slug))
  }

  /**
   * Changes whose account an integration's calls run as, from the next call on. For administrators.
   *
   * `admin`, `shared`: the organisation's connection. `per_user`: the acting subject's own. `either`: the subject's own where one acts,
   * else the organisation's. Rejects with `IntegrationNotFoundError`, or `InvalidIntegrationInputError` for what is no mode.
   */
  setIdentityMode(slug: string, mode: IdentityMode): Promise<Integration> {
    return runPromise(this.#effect.setIdentityMode(slug, mode))
  }
}
