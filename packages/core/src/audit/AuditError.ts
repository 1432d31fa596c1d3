/** What a host must handle when it reads, checks or prunes an audit trail. */
import * as Schema from "effect/Schema"
import { quote, taggedError } from "../error/KeywardError.ts"

/** A question about the trail that cannot be answered; `field` names the part at fault. */
export class InvalidAuditQueryError extends taggedError<InvalidAuditQueryError>()(
  "InvalidAuditQueryError",
  { field: Schema.String, fault: Schema.String },
  400,
) {
  override get message(): string {
    return `Audit ${this.field}: ${this.fault}`
  }
}

/** A user may read what they did themselves, and neither check nor prune the trail of everybody. */
export class AuditAccessError extends taggedError<AuditAccessError>()(
  "AuditAccessError",
  { tenant: Schema.String, subject: Schema.String },
  403,
) {
  override get message(): string {
    return `The trail of the tenant ${quote(this.tenant)} is the organisation's, and ${quote(this.subject)} acts. Call this on an executor without a subject: withIdentity({ tenant }).`
  }
}

/** The trail was altered, and pruning it would remove what shows that. Nothing was removed. */
export class AuditBrokenError extends taggedError<AuditBrokenError>()(
  "AuditBrokenError",
  {
    /** As in `audit.verify`. */
    kind: Schema.String,
    sequence: Schema.Number,
  },
  409,
) {
  override get message(): string {
    return `The audit trail is not whole: entry ${this.sequence} (${this.kind}). Find out who altered it, and copy it, before anything is removed; audit.verify says more. What is to go all the same, other than a head, goes with isForced.`
  }
}
