/**
 * What can go wrong between a credential provider and its callers, one class per thing a caller would do differently.
 *
 * Raised by providers and by the executor's provider calls; none of them means "this id is not here", which is the value
 * `undefined`. None carries a cause, because what a backend throws may quote the secret.
 */
import * as Schema from "effect/Schema"
import { quote, taggedError } from "../error/KeywardError.ts"

/**
 * The provider cannot be read at the moment and trying again is worthwhile.
 *
 * `reason` is a short machine word: `locked`, `offline`, `rate_limited`, `failed`, or one of the provider's own, which its
 * documentation lists. `nextStep` is a sentence for a person. Neither may hold a secret.
 */
export class ProviderUnavailableError extends taggedError<ProviderUnavailableError>()(
  "ProviderUnavailableError",
  {
    provider: Schema.String,
    reason: Schema.String,
    nextStep: Schema.String,
    /** Milliseconds the backend asked to wait. */
    retryAfterMs: Schema.optionalKey(Schema.Number),
  },
  503,
) {
  override get message(): string {
    return `Credential provider ${quote(this.provider)} is unavailable (${this.reason}). ${this.nextStep}`
  }
}

/**
 * The provider answered, and the answer will not change by itself: forbidden, damaged, ambiguous, not supported.
 *
 * A `reason` that ends in `_not_found` says more precisely what `undefined` says: what is not here, and where to look.
 */
export class ProviderDeniedError extends taggedError<ProviderDeniedError>()(
  "ProviderDeniedError",
  { provider: Schema.String, reason: Schema.String, nextStep: Schema.String },
  403,
) {
  override get message(): string {
    return `Credential provider ${quote(this.provider)} refused (${this.reason}). ${this.nextStep}`
  }
}

/** The provider did not answer within its limit; the call was given up and told so. */
export class ProviderTimeoutError extends taggedError<ProviderTimeoutError>()(
  "ProviderTimeoutError",
  { provider: Schema.String, timeoutMs: Schema.Number },
  504,
) {
  override get message(): string {
    return (
      `Credential provider ${quote(this.provider)} did not answer within ${this.timeoutMs} ms. ` +
      "Check that its backend runs and is unlocked, then try again; `providerTimeoutMs` raises the limit."
    )
  }
}

/** A provider key that no registered provider has, or no writable provider for pasted values. */
export class CredentialProviderNotRegisteredError extends taggedError<CredentialProviderNotRegisteredError>()(
  "CredentialProviderNotRegisteredError",
  {
    /** `null`: a writable provider was needed, and none is registered. */
    provider: Schema.NullOr(Schema.String),
    registered: Schema.Array(Schema.String),
  },
  409,
) {
  override get message(): string {
    const known = this.registered.length === 0 ? "none" : this.registered.map((key) => quote(key)).join(", ")
    return this.provider === null
      ? `No writable credential provider is registered (registered: ${known}). Pass one to createExecutor, for instance memoryProvider(), or refer to an external item with \`from\`.`
      : `Credential provider ${quote(this.provider)} is not registered (registered: ${known}). Pass it to createExecutor({ providers }).`
  }
}

/** Whether a failure means that the item is not here, and a provider further down a chain may be asked. */
export const isNotFound = (error: ProviderError): error is ProviderDeniedError =>
  error instanceof ProviderDeniedError && error.reason.endsWith("_not_found")

/** What reading or writing one item can fail with. */
export type ProviderError = ProviderUnavailableError | ProviderDeniedError | ProviderTimeoutError

/** Whether a value is one of the typed failures a provider may raise. */
export const isProviderError = (value: unknown): value is ProviderError =>
  value instanceof ProviderUnavailableError ||
  value instanceof ProviderDeniedError ||
  value instanceof ProviderTimeoutError
