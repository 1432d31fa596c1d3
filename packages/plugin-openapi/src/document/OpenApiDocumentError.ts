/**
 * The one error of reading a document: it cannot be fetched, parsed, or is no OpenAPI document at all.
 *
 * A fault inside an otherwise usable document never raises this; it becomes a warning of the preview.
 */
import { taggedError } from "@keyward/core/effect"
import * as Schema from "effect/Schema"

/**
 * A document that cannot become an integration. `location` says where the fault is: a URL without its query, `spec`, or
 * either with a JSON pointer such as `spec#/paths`; `reason` says what is wrong and what to pass instead.
 */
export class OpenApiDocumentError extends taggedError<OpenApiDocumentError>()(
  "OpenApiDocumentError",
  { location: Schema.String, reason: Schema.String },
  400,
) {
  override get message(): string {
    return `The OpenAPI document cannot be used (${this.location}): ${this.reason}`
  }
}

/** Quotes text that came from outside for a message: JSON-escaped and cut. */
export const quoted = (text: string, limit = 80): string =>
  JSON.stringify(text.length > limit ? `${text.slice(0, limit)}…` : text)
