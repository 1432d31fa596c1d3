/**
 * Why a call was given no account, one class per thing to do differently.
 *
 * A tool call answers the last three as results, because whoever reads them can name another account or ask a person to connect one;
 * where there is no result to answer with, they are thrown.
 */
import * as Schema from "effect/Schema"
import { quote, taggedError } from "../error/KeywardError.ts"
import type { Owner } from "../identity/Identity.ts"

const owner = Schema.Literals(["org", "user"])
const mode = Schema.Literals(["admin", "shared", "per_user", "either"])

/** The integration's identity mode leaves no choice, and the call asks for the other owner's connection. Nothing was sent. */
export class IdentityModeError extends taggedError<IdentityModeError>()(
  "IdentityModeError",
  { integration: Schema.String, mode, asked: owner, allowed: owner },
  403,
) {
  override get message(): string {
    return `Calls of ${quote(this.integration)} run as ${whose[this.allowed]} (identity mode ${quote(this.mode)}), and this one asks for ${whose[this.asked]}. Leave the identity out; an administrator can change the mode with integrations.setIdentityMode.`
  }
}

/** A call says in two places whose connection it wants, and they differ. Nothing was sent. */
export class IdentityConflictError extends taggedError<IdentityConflictError>()(
  "IdentityConflictError",
  { integration: Schema.String, asked: owner, contradicts: Schema.Literals(["address", "account", "identity"]) },
  400,
) {
  override get message(): string {
    return `The call of ${quote(this.integration)} asks for ${whose[this.asked]}, and its ${this.contradicts} says otherwise. Say it once.`
  }
}

/** A user's own connection is wanted and nobody in particular acts. Nothing was sent. */
export class SubjectRequiredError extends taggedError<SubjectRequiredError>()(
  "SubjectRequiredError",
  { integration: Schema.String, mode },
  401,
) {
  override get message(): string {
    return `This call of ${quote(this.integration)} runs as the acting user (identity mode ${quote(this.mode)}), and nobody acts. Pass \`subject\` to createExecutor or withIdentity, once you have verified who it is.`
  }
}

/** A connection that may be meant. */
export interface AccountCandidate {
  /** The connection's address. */
  readonly address: string
  readonly identityLabel: string | null
  readonly owner: Owner
  /** The user whose account it is, where another shares it with the caller. */
  readonly sharedBy?: string
}

const candidates = Schema.Array(
  Schema.Struct({
    address: Schema.String,
    identityLabel: Schema.NullOr(Schema.String),
    owner,
    sharedBy: Schema.optionalKey(Schema.String),
  }),
)

/**
 * Several connections are meant alike and none is the default, or an agent has only some that others share. None was chosen: least of
 * all the newest.
 */
export class AmbiguousAccountError extends taggedError<AmbiguousAccountError>()(
  "AmbiguousAccountError",
  {
    integration: Schema.String,
    owner,
    /** What the call named; `null` where it named none. */
    account: Schema.NullOr(Schema.String),
    /** Ordered by name, at most 20. */
    candidates,
    hasMore: Schema.Boolean,
  },
  409,
) {
  override get message(): string {
    const meant = this.account === null ? `a call of ${quote(this.integration)}` : quote(this.account)
    return `Which account is meant by ${meant} is not clear: ${listed(this.candidates, this.hasMore)}. Name one by its address, or mark one with connections.setDefault.`
  }
}

/** The account that a call names is not there for this caller. */
export class AccountNotFoundError extends taggedError<AccountNotFoundError>()(
  "AccountNotFoundError",
  {
    integration: Schema.String,
    owner,
    account: Schema.String,
    /** What there is instead, ordered by name, at most 20. */
    candidates,
    hasMore: Schema.Boolean,
  },
  404,
) {
  override get message(): string {
    const there =
      this.candidates.length === 0 ? "there is no other account" : `there are ${listed(this.candidates, this.hasMore)}`
    return `No account ${quote(this.account)} of ${quote(this.integration)} among those of ${whose[this.owner].replace(" connection", "")}; ${there}. Name one by its name, its address or its label.`
  }
}

/** One way to connect an account. */
export interface ConnectionNeedTemplate {
  readonly slug: string
  /** As in the auth template: `bearer`, `oauth2` and so on. */
  readonly type: string
  /** What a person has to paste; empty for `oauth2` and `none`. */
  readonly fields: ReadonlyArray<string>
}

/** Nobody has connected the account that a call needs. */
export class ConnectionRequiredError extends taggedError<ConnectionRequiredError>()(
  "ConnectionRequiredError",
  {
    integration: Schema.String,
    owner,
    mode,
    /** The address that the connection would have. */
    connection: Schema.String,
    templates: Schema.Array(
      Schema.Struct({ slug: Schema.String, type: Schema.String, fields: Schema.Array(Schema.String) }),
    ),
    nextStep: Schema.String,
    /** Where a person authorizes, where an OAuth flow could be started. */
    authorizeUrl: Schema.optionalKey(Schema.String),
    /** Where the host sends people to connect accounts. */
    connectUrl: Schema.optionalKey(Schema.String),
    /** What others share with the caller, of whom a call can name one; at most 20. */
    candidates: Schema.optionalKey(candidates),
  },
  409,
) {
  override get message(): string {
    return `This call of ${quote(this.integration)} needs ${whose[this.owner]}, and nobody has connected one. ${this.nextStep}`
  }
}

/** How many candidates an error names at most. */
export const mostCandidates = 20

/** An owner in words. */
const whose: Readonly<Record<Owner, string>> = {
  org: "the organisation's connection",
  user: "the acting user's own connection",
}

const listed = (accounts: ReadonlyArray<AccountCandidate>, hasMore: boolean): string =>
  `${accounts
    .map(({ address, identityLabel }) => (identityLabel === null ? address : `${address} (${quote(identityLabel)})`))
    .join(", ")}${hasMore ? " and more" : ""}`
