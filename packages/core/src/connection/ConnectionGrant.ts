/**
 * What an OAuth connection's row remembers of its grant: where it came from, what was asked for, and a refresh under way.
 *
 * Holds no secret: the tokens and the DPoP key are items of a credential provider. Written with the row, by compare-and-set.
 */

/** A refresh that was begun, written before its request leaves, so that whoever comes after a crash knows. */
export interface RefreshIntent {
  /** Random; tells two attempts apart. */
  readonly id: string
  /** Epoch milliseconds. */
  readonly startedAt: number
  /** SHA-256 of the refresh token that is being used, base64url; `null` where none is. Tells whether it was replaced since. */
  readonly tokenHash: string | null
  /**
   * `sent`: no answer was recorded. `unknown`: an answer was lost and replaying at once did not bring it back. `held`: the process that
   * has the answer cannot write it yet; `startedAt` is then when it last said so.
   */
  readonly state: "sent" | "unknown" | "held"
  /** Present where the token may have been sent before by somebody whose answer is lost: then there is less to wait for. */
  readonly isReplay?: true
  /**
   * Epoch milliseconds by the store's clock (`HeldLease.now`): since when whoever wrote this is missed by those who hold the lease.
   * Absent while nobody misses it.
   */
  readonly missedAt?: number
}

/** See the file's header. */
export interface ConnectionGrant {
  /** Random; another one with each authorization, so that a late writer of the grant before can tell. */
  readonly id: string
  /** The grant type as in the registry, such as `authorization_code`. */
  readonly type: string
  /** The client id that the tokens are bound to. */
  readonly clientId: string
  /** The issuer, as its own metadata spells it; `null` where endpoints were entered by hand. Refreshes go nowhere else. */
  readonly issuer: string | null
  /** The token endpoint that minted the tokens; recorded, because editable fields must not redirect them. */
  readonly tokenUrl: string
  readonly revocationUrl: string | null
  /** Whether the server announced `iss` in its answers (RFC 9207): it is held to that when the account is connected again. */
  readonly isIssRequired: boolean
  /** The resource indicator (RFC 8707) that was asked for. */
  readonly resource: string | null
  /** Scopes asked for, separated by spaces; `null` when none were. */
  readonly requestedScope: string | null
  /** How the access token is sent. */
  readonly tokenType: "Bearer" | "DPoP"
  readonly hasRefreshToken: boolean
  /** Whom the assertion speaks for that the client signs anew (RFC 7523); `null` for other grants. */
  readonly assertionSubject: string | null
  /** Epoch milliseconds at which the access token in force was asked for. */
  readonly issuedAt: number
  /** How often a wider scope was asked for since the grant last changed what it covers. */
  readonly stepUps: number
  /** `null` when no refresh is under way. */
  readonly intent: RefreshIntent | null
}

/**
 * Whether an access token should be refreshed before it is used: the one predicate for all who ask.
 *
 * The margin is a tenth of the token's lifetime, at most 60 s, so that a short-lived token is not refreshed with every call. A token
 * without a known expiry is never due.
 */
export const isRefreshDue = (expiresAt: number | null, issuedAt: number, now: number): boolean =>
  expiresAt !== null && now >= expiresAt - Math.min(60_000, Math.max(0, (expiresAt - issuedAt) / 10))

/** Whether new tokens can be had without a person: by a refresh token, or because the client alone is what is asked for. */
export const isRefreshable = ({ hasRefreshToken, type, assertionSubject }: ConnectionGrant): boolean =>
  hasRefreshToken || type === "client_credentials" || assertionSubject !== null
