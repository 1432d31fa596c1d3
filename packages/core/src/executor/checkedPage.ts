/**
 * What all lists that are asked for page by page check alike: `limit` and `after`, which hosts hand through from outside.
 */
import * as Effect from "effect/Effect"

/** A page as it was asked for. */
export interface PageInput {
  readonly limit?: number | undefined
  readonly after?: string | undefined
}

/** A page as stores take it. */
export interface Page {
  readonly limit: number
  readonly after: string | undefined
}

/** The limit of a list that shows all unless it is told otherwise. */
export const unlimited = Number.MAX_SAFE_INTEGER

/** Checks a page; `invalid` makes the error of the namespace that is asked. */
export const checkedPage = <E>(
  { limit, after }: PageInput,
  invalid: (field: "limit" | "after", fault: string) => E,
  defaultLimit: number = unlimited,
): Effect.Effect<Page, E> => {
  // A database would take what is no such number for no limit at all, or fail.
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 0)) {
    return Effect.fail(invalid("limit", "must be a whole number, 0 or more; leave it out for the default."))
  }
  if (after !== undefined && typeof after !== "string") {
    return Effect.fail(invalid("after", "must be text, as the last item of the page before has it."))
  }
  return Effect.succeed({ limit: limit ?? defaultLimit, after })
}
