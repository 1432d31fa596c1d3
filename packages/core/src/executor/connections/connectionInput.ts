/**
 * What all ways of making or editing a connection check alike.
 */
import * as Effect from "effect/Effect"
import { InvalidConnectionInputError } from "../../connection/ConnectionError.ts"

/** Checks a label or a description. */
export const checkedText = (
  field: string,
  text: string | null | undefined,
): Effect.Effect<string | null | undefined, InvalidConnectionInputError> =>
  text === null || text === undefined || (typeof text === "string" && text.length <= 4096)
    ? Effect.succeed(text)
    : invalid(field, "must be text of at most 4096 characters, or null.")

/** An input that cannot be, with the field at fault. */
export const invalidInput = (field: string, fault: string): InvalidConnectionInputError =>
  new InvalidConnectionInputError({ field, fault })

/** The failure with it. */
export const invalid = (field: string, fault: string): Effect.Effect<never, InvalidConnectionInputError> =>
  Effect.fail(invalidInput(field, fault))
