/**
 * The one error of getting a schema: the endpoint does not tell it, it cannot be read, or nothing can be called in it.
 *
 * A fault inside an otherwise usable schema never raises this; it becomes a warning of the preview.
 */
import { taggedError } from "@keyward/core/effect"
import * as Schema from "effect/Schema"

/**
 * A schema that cannot become an integration. `location` is the endpoint without its query, or `schema` for one that was
 * passed; `reason` says what is wrong and what to pass instead.
 */
export class GraphQLSchemaError extends taggedError<GraphQLSchemaError>()(
  "GraphQLSchemaError",
  { location: Schema.String, reason: Schema.String },
  400,
) {
  override get message(): string {
    return `The GraphQL schema cannot be used (${this.location}): ${this.reason}`
  }
}
