/** The one way in which records fail to be read or written. */
import * as Schema from "effect/Schema"
import { taggedError } from "./KeywardError.ts"

/** The store of records cannot be reached or refuses to work; secrets live elsewhere and are untouched. */
export class StoreUnavailableError extends taggedError<StoreUnavailableError>()(
  "StoreUnavailableError",
  {
    operation: Schema.String,
    reason: Schema.String,
    /** Where nobody knows whether it was done: the answer is lost, and the database may still be at it. */
    outcome: Schema.optional(Schema.Literal("unknown")),
  },
  503,
) {
  override get message(): string {
    const failed = `The store could not ${this.operation} (${this.reason}).`
    return this.outcome === "unknown"
      ? `${failed} It may be done all the same: check the database behind it, then look, or repeat it.`
      : `${failed} Check the database behind it, then try again.`
  }
}
