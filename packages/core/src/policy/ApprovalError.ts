/** What a host must handle when it answers approvals. */
import * as Schema from "effect/Schema"
import { quote, taggedError } from "../error/KeywardError.ts"

/** This caller sees no approval of that id: it never was, has expired, was used or taken back, or is somebody else's. */
export class ApprovalNotFoundError extends taggedError<ApprovalNotFoundError>()(
  "ApprovalNotFoundError",
  { id: Schema.String },
  404,
) {
  override get message(): string {
    return `There is no approval ${quote(this.id)} for this caller to answer. approvals.list shows what there is; a new call asks anew.`
  }
}

/** Somebody answered it already. */
export class ApprovalAnsweredError extends taggedError<ApprovalAnsweredError>()(
  "ApprovalAnsweredError",
  { id: Schema.String, status: Schema.Literals(["pending", "accepted", "declined"]) },
  409,
) {
  override get message(): string {
    return `The approval ${quote(this.id)} was answered already (${this.status}). approvals.revoke takes it back.`
  }
}

/** An answer that cannot be one; `field` names the part at fault. */
export class InvalidApprovalInputError extends taggedError<InvalidApprovalInputError>()(
  "InvalidApprovalInputError",
  { field: Schema.String, fault: Schema.String },
  400,
) {
  override get message(): string {
    return `Approval ${this.field}: ${this.fault}`
  }
}
