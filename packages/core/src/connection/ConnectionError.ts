/**
 * What a caller of `connections` and of a connection's credential can be told, one class per thing to do differently.
 */
import * as Schema from "effect/Schema"
import { quote, taggedError } from "../error/KeywardError.ts"

/** No connection of that name is visible to this caller. */
export class ConnectionNotFoundError extends taggedError<ConnectionNotFoundError>()(
  "ConnectionNotFoundError",
  { connection: Schema.String },
  404,
) {
  override get message(): string {
    return `There is no connection ${quote(this.connection)} for this caller. Create it with connections.create, or check tenant and subject.`
  }
}

/** A connection as it was asked for cannot exist; `field` names the part at fault. Nothing was stored. */
export class InvalidConnectionInputError extends taggedError<InvalidConnectionInputError>()(
  "InvalidConnectionInputError",
  { field: Schema.String, fault: Schema.String },
  400,
) {
  override get message(): string {
    return `Connection ${this.field}: ${this.fault}`
  }
}

/** Somebody else changed the connection between this call's read and its write; nothing of this call was kept. */
export class ConnectionConflictError extends taggedError<ConnectionConflictError>()(
  "ConnectionConflictError",
  { connection: Schema.String },
  409,
) {
  override get message(): string {
    return `Connection ${quote(this.connection)} was changed by somebody else at the same time. Read it again and repeat the call.`
  }
}

/** What a {@link ConnectionCredentialError} can say. */
const connectionCredentialCodes = [
  "connection_value_missing",
  "connection_rejected",
  "insufficient_scope",
  "connection_expired",
  "connection_disabled",
  "connection_not_placeable",
  "oauth_reauth_required",
  "oauth_refresh_failed",
  "credential_provider_unavailable",
  "credential_provider_timeout",
  "credential_provider_denied",
  "credential_provider_not_registered",
] as const

/** The machine word for why a connection's credential did not work. */
export type ConnectionCredentialCode = (typeof connectionCredentialCodes)[number]

/**
 * The connection is there and its credential cannot be used.
 *
 * Tool calls turn it into a `ToolResult`; `connections.fetch` rejects with it before anything is sent.
 */
export class ConnectionCredentialError extends taggedError<ConnectionCredentialError>()(
  "ConnectionCredentialError",
  {
    code: Schema.Literals(connectionCredentialCodes),
    /** The connection's address. */
    connection: Schema.String,
    /** A short machine word below `code`, such as `locked` or `origins_changed`. */
    reason: Schema.String,
    /** What to do, for a person or a model to read. */
    nextStep: Schema.String,
    retryable: Schema.Boolean,
    /** A person has to provide or renew the credential. */
    authRequired: Schema.Boolean,
    /** Milliseconds to wait before trying again. */
    retryAfterMs: Schema.optionalKey(Schema.Number),
    /** Scopes that the service asks for, separated by spaces. */
    scope: Schema.optionalKey(Schema.String),
    /** Where a person starts the renewal; never for an agent where the account is the organisation's. */
    authorizeUrl: Schema.optionalKey(Schema.String),
    /** Where the host sends people; see `connectUrl` of the config. */
    connectUrl: Schema.optionalKey(Schema.String),
  },
  409,
) {
  override get message(): string {
    return `Connection ${quote(this.connection)}: ${describeCode[this.code]} (${this.reason}). ${this.nextStep}`
  }
}

const describeCode: Record<ConnectionCredentialCode, string> = {
  connection_value_missing: "a credential value is missing",
  connection_rejected: "the service rejected the credential",
  insufficient_scope: "the credential does not permit this",
  connection_expired: "the credential has expired",
  connection_disabled: "the connection is disabled",
  connection_not_placeable: "the stored credential cannot be sent",
  oauth_reauth_required: "the account has to be connected again",
  oauth_refresh_failed: "the access token could not be refreshed",
  credential_provider_unavailable: "its credential provider is unavailable",
  credential_provider_timeout: "its credential provider did not answer in time",
  credential_provider_denied: "its credential provider refused",
  credential_provider_not_registered: "its credential provider is not registered",
}
