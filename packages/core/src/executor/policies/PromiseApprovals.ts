/** `executor.approvals` on the Promise surface; the Effect surface does the work. */
import type { Approval } from "../../policy/Approval.ts"
import { runPromise } from "../runPromise.ts"
import type { AnswerApprovalInput, ListApprovalsInput } from "./Approvals.ts"
import type { EffectApprovals } from "./EffectApprovals.ts"

/** Calls that wait for a person's answer, and answers that still hold. */
export class Approvals {
  readonly #effect: EffectApprovals

  constructor(effect: EffectApprovals) {
    this.#effect = effect
  }

  /**
   * Those of the acting user's calls, the oldest first; without a subject, those of the whole tenant. At most 100 unless `limit` says
   * otherwise. Rejects with `InvalidApprovalInputError` for what is no page.
   */
  list(input?: ListApprovalsInput): Promise<ReadonlyArray<Approval>> {
    return runPromise(this.#effect.list(input))
  }

  /**
   * Answers a question that waits; the same call, made again, then finds the answer, in whichever process.
   *
   * Rejects with `ApprovalNotFoundError`, `ApprovalAnsweredError` when somebody was first, and `InvalidApprovalInputError`.
   */
  answer(id: string, input: AnswerApprovalInput): Promise<Approval> {
    return runPromise(this.#effect.answer(id, input))
  }

  /** Takes back an approval, or a question that waits. Rejects with `ApprovalNotFoundError`. */
  revoke(id: string): Promise<void> {
    return runPromise(this.#effect.revoke(id))
  }
}
