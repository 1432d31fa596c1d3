/** `executor.approvals` on the Effect surface: the verbs of this folder, bound to the identity that they act for. */
import type * as Effect from "effect/Effect"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity } from "../../identity/Identity.ts"
import type { Approval } from "../../policy/Approval.ts"
import type { ApprovalNotFoundError, InvalidApprovalInputError } from "../../policy/ApprovalError.ts"
import { audited } from "../audit/AuditLog.ts"
import type { Resources } from "../Resources.ts"
import {
  answerApproval,
  type AnswerApprovalError,
  type AnswerApprovalInput,
  listApprovals,
  type ListApprovalsInput,
  revokeApproval,
} from "./Approvals.ts"

/** `executor.approvals` on the Effect surface; the Promise surface documents each method. */
export interface EffectApprovals {
  list(
    input?: ListApprovalsInput,
  ): Effect.Effect<ReadonlyArray<Approval>, InvalidApprovalInputError | StoreUnavailableError>
  answer(id: string, input: AnswerApprovalInput): Effect.Effect<Approval, AnswerApprovalError>
  revoke(id: string): Effect.Effect<void, ApprovalNotFoundError | StoreUnavailableError>
}

/** Binds `executor.approvals` to an identity. */
export const approvalsOf = (resources: Resources, identity: Identity): EffectApprovals => ({
  list: (input = {}) => listApprovals(resources, identity, input),
  answer: (id, input) => audited(resources, answerApproval(resources, identity, id, input)),
  revoke: (id) => audited(resources, revokeApproval(resources, identity, id)),
})
