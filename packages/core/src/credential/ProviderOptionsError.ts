/**
 * Options with which a credential provider could never work, thrown by the function that makes the provider.
 *
 * Raised synchronously, before the provider exists: a host sees it at start, not at the first call.
 */
import * as Schema from "effect/Schema"
import { quote, taggedError } from "../error/KeywardError.ts"

/** `option` names the option at fault, `problem` says what is wrong with it and what to pass instead. No secret is quoted. */
export class InvalidProviderOptionsError extends taggedError<InvalidProviderOptionsError>()(
  "InvalidProviderOptionsError",
  { provider: Schema.String, option: Schema.String, problem: Schema.String },
  400,
) {
  override get message(): string {
    return `The option \`${this.option}\` of the credential provider ${quote(this.provider)} cannot work. ${this.problem}`
  }
}
