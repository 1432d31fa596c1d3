/** The one way in which records fail to be read or written. */
import * as Schema from "effect/Schema"
import { taggedError } from "./KeywardError.ts"

/** The store of records cannot be reached or refuses to work; secrets live elsewhere and are untouched. */
export class StoreUnavailableError extends taggedError<StoreUnavailableError>()(
  "StoreUnavailableError",
  { operation: Schema.String, reason: Schema.String },
  503,
) {
  override get message(): string {
    return `The store could not ${this.operation} (${this.reason}). Check the database behind it, then try again.`
  }
}
