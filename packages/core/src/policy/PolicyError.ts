/** What a host must handle when it writes policy rules. */
import * as Schema from "effect/Schema"
import { quote, taggedError } from "../error/KeywardError.ts"

/** A rule as asked for cannot exist; `field` names the part at fault. Nothing was stored. */
export class InvalidPolicyInputError extends taggedError<InvalidPolicyInputError>()(
  "InvalidPolicyInputError",
  { field: Schema.String, fault: Schema.String },
  400,
) {
  override get message(): string {
    return `Policy ${this.field}: ${this.fault}`
  }
}

/** This caller sees no rule of that id. */
export class PolicyNotFoundError extends taggedError<PolicyNotFoundError>()(
  "PolicyNotFoundError",
  { id: Schema.String },
  404,
) {
  override get message(): string {
    return `There is no policy ${quote(this.id)}. policies.list shows the organisation's and the acting user's.`
  }
}

/** Somebody else changed the rule between reading and writing. */
export class PolicyConflictError extends taggedError<PolicyConflictError>()(
  "PolicyConflictError",
  { id: Schema.String },
  409,
) {
  override get message(): string {
    return `The policy ${quote(this.id)} was changed by somebody else meanwhile. Read it again and repeat the change.`
  }
}
