/** `executor.policies` on the Promise surface; the Effect surface does the work. */
import type { Policy } from "../../policy/Policy.ts"
import { runPromise } from "../runPromise.ts"
import type { EffectPolicies } from "./EffectPolicies.ts"
import type {
  CreatePolicyInput,
  ListPoliciesInput,
  PolicyResolution,
  ResolvePolicyOptions,
  UpdatePolicyInput,
} from "./Policies.ts"

/** The rules that calls are held to: the organisation's, and those of the acting user. */
export class Policies {
  readonly #effect: EffectPolicies

  constructor(effect: EffectPolicies) {
    this.#effect = effect
  }

  /**
   * Adds a rule; it holds from the next call on.
   *
   * The pattern is `*`, or an address in which `*` stands for any run of characters: `tools.github.*`, `tools.*.user.*.*`,
   * `tools.github.*.*.repos/delete*`. Rejects with `InvalidPolicyInputError`, also for a pattern that can match no address.
   */
  create(input: CreatePolicyInput): Promise<Policy> {
    return runPromise(this.#effect.create(input))
  }

  /**
   * The organisation's rules and the acting user's, each in the order in which they decide; all unless `limit` says otherwise. Rejects
   * with `InvalidPolicyInputError` for what is no page.
   */
  list(input?: ListPoliciesInput): Promise<ReadonlyArray<Policy>> {
    return runPromise(this.#effect.list(input))
  }

  /**
   * Changes a rule; absent leaves.
   *
   * Rejects with `PolicyNotFoundError`, `InvalidPolicyInputError`, or `PolicyConflictError` when somebody changed it meanwhile.
   */
  update(id: string, input: UpdatePolicyInput): Promise<Policy> {
    return runPromise(this.#effect.update(id, input))
  }

  /** Removes a rule. Rejects with `PolicyNotFoundError`. */
  remove(id: string): Promise<void> {
    return runPromise(this.#effect.remove(id))
  }

  /**
   * What would be decided about a call and by which rules, without making it; with arguments, or a conversation, also by which approval
   * it would be made. Takes full and short addresses.
   *
   * Rejects as {@link PromiseExecutor.execute} does for an address that leads nowhere, where the mode or `_identity` does not allow it, and
   * where no account can be selected.
   */
  resolve(address: string, args?: unknown, options?: ResolvePolicyOptions): Promise<PolicyResolution> {
    return runPromise(this.#effect.resolve(address, args, options))
  }
}
