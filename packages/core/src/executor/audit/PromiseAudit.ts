/** `executor.audit` on the Promise surface; the Effect surface does the work. */
import type { AuditEntry } from "../../audit/AuditEntry.ts"
import { runPromise } from "../runPromise.ts"
import type { AuditVerification, EffectAudit, ListAuditInput, PruneAuditInput, VerifyAuditInput } from "./Audit.ts"

/** `executor.audit`. */
export class Audit {
  readonly #effect: EffectAudit

  constructor(effect: EffectAudit) {
    this.#effect = effect
  }

  /**
   * Lists what happened, in the order in which it was written: all of the tenant on an executor of the organisation, what the acting user
   * did otherwise. What was recorded before is written first.
   *
   * Page by page: pass the last entry's `sequence` as `after`. Rejects with `InvalidAuditQueryError`.
   */
  list(input?: ListAuditInput): Promise<ReadonlyArray<AuditEntry>> {
    return runPromise(this.#effect.list(input))
  }

  /**
   * Goes through the whole trail and says whether it is as it was written, else where the first fault is.
   *
   * Pass the `head` of an earlier check as `anchor`, kept outside the store, to find that the store was put back to an earlier state.
   * What the anchor names may have been pruned since, which `isAnchorChecked` says. Rejects with `AuditAccessError` where a user acts.
   */
  verify(input?: VerifyAuditInput): Promise<AuditVerification> {
    return runPromise(this.#effect.verify(input))
  }

  /**
   * Removes the entries from before a time and resolves with how many; the chain goes on from the hash of the last one.
   *
   * Rejects with `AuditBrokenError` where those entries are not as they were written, unless `isForced` says that they may go all the same,
   * and with `AuditAccessError` where a user acts.
   */
  prune(input: PruneAuditInput): Promise<number> {
    return runPromise(this.#effect.prune(input))
  }
}
