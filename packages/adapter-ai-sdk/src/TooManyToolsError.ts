/**
 * What a host reads when a model would be shown more tools than it can bear.
 */
import { taggedError } from "@keyward/core/effect"
import * as Schema from "effect/Schema"

/** More tools than `limit` would go into every request to the model. */
export class TooManyToolsError extends taggedError<TooManyToolsError>()(
  "TooManyToolsError",
  { limit: Schema.Number },
  400,
) {
  override get message(): string {
    return (
      `The executor offers more than ${this.limit} tools, which all would go into every request to the model. ` +
      `Pass search: true, or name fewer by integration, connection or tools, or raise limit.`
    )
  }
}
