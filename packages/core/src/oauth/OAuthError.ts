/**
 * What a caller of `oauth` can be told, one class per thing to do differently.
 *
 * What an authorization server says is untrusted: its codes are shown when they look like codes, its descriptions never.
 */
import * as Schema from "effect/Schema"
import { quote, taggedError } from "../error/KeywardError.ts"

/** A client as it was asked for cannot exist; `field` names the part at fault. Nothing was stored. */
export class InvalidOAuthClientError extends taggedError<InvalidOAuthClientError>()(
  "InvalidOAuthClientError",
  { field: Schema.String, fault: Schema.String },
  400,
) {
  override get message(): string {
    return `OAuth client ${this.field}: ${this.fault}`
  }
}

/** The metadata of an authorization server or a protected resource could not be had, or may not be believed. */
export class OAuthDiscoveryError extends taggedError<OAuthDiscoveryError>()(
  "OAuthDiscoveryError",
  {
    /** A machine word, such as `not_found`, `unreachable`, `issuer_mismatch`, `resource_mismatch`, `insecure_endpoint`. */
    reason: Schema.String,
    /** The origin that was asked. */
    origin: Schema.String,
    nextStep: Schema.String,
    retryable: Schema.Boolean,
  },
  502,
) {
  override get message(): string {
    return `No usable OAuth metadata from ${quote(this.origin)} (${this.reason}). ${this.nextStep}`
  }
}

/** The authorization server did not register a client. */
export class OAuthRegistrationError extends taggedError<OAuthRegistrationError>()(
  "OAuthRegistrationError",
  { reason: Schema.String, issuer: Schema.String, nextStep: Schema.String, retryable: Schema.Boolean },
  502,
) {
  override get message(): string {
    return `${quote(this.issuer)} did not register a client (${this.reason}). ${this.nextStep}`
  }
}

/** A flow could not be started; nothing was stored. */
export class OAuthStartError extends taggedError<OAuthStartError>()(
  "OAuthStartError",
  {
    /** A machine word, such as `client_not_found`, `owner_mismatch`, `redirect_uri_missing`, `token_request_failed`. */
    reason: Schema.String,
    fault: Schema.String,
    retryable: Schema.Boolean,
  },
  400,
) {
  override get message(): string {
    return `OAuth start (${this.reason}): ${this.fault}`
  }
}

/**
 * A flow ended without a connection; an existing connection of that name is as it was.
 *
 * `reason` is a machine word: `access_denied` when the person said no, else for instance `iss_mismatch`, `expired_token`,
 * `identity_mismatch`, `redirect_uri_mismatch`, `token_request_failed`.
 */
export class OAuthCompleteError extends taggedError<OAuthCompleteError>()(
  "OAuthCompleteError",
  { reason: Schema.String, fault: Schema.String, retryable: Schema.Boolean },
  400,
) {
  override get message(): string {
    return `OAuth complete (${this.reason}): ${this.fault}`
  }
}

/** No flow of that state is under way for this caller: never started, finished, expired, or somebody else's. */
export class OAuthSessionNotFoundError extends taggedError<OAuthSessionNotFoundError>()(
  "OAuthSessionNotFoundError",
  {},
  404,
) {
  override get message(): string {
    return "No OAuth flow with this state is under way: it was finished, it expired after ten minutes, or somebody else started it. Begin again with oauth.start."
  }
}
