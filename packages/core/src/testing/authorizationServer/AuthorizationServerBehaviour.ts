/** How the fake authorization server behaves while no fault says otherwise: what a test tells it. */

/** What a person does with a device's user code. */
export interface DeviceScript {
  /** How many polls are told `authorization_pending`. Default 0. */
  readonly pending?: number | undefined
  /** How many polls after those are told `slow_down`. Default 0. */
  readonly slowDown?: number | undefined
  /** What comes then. Default `approve`. */
  readonly outcome?: "approve" | "deny" | "expire" | undefined
  /** Seconds between polls; `null` leaves it out of the answer. Default 5. */
  readonly interval?: number | null | undefined
}

/** A client that the server knows. */
export interface AuthorizationServerClient {
  readonly clientId: string
  /** Checked where there is one. */
  readonly clientSecret?: string | undefined
  /** Default: any. */
  readonly redirectUris?: ReadonlyArray<string> | undefined
}

/** How the server behaves while no fault says otherwise. */
export interface AuthorizationServerBehaviour {
  /** What `expires_in` says; `null`: nothing, and tokens do not expire. Default 3600. */
  readonly accessTokenSeconds?: number | null | undefined
  /**
   * Default `strict`: each refresh token works once, and its second use revokes the grant. `grace`: a second use within `graceMs`
   * is answered with another pair. `none`: refresh tokens stay, and answers hold none.
   */
  readonly rotation?: "strict" | "grace" | "none" | undefined
  /** Default 30,000. */
  readonly graceMs?: number | undefined
  /** Only these clients; default: whichever come, public or not. Registered ones are added. */
  readonly clients?: ReadonlyArray<AuthorizationServerClient> | undefined
  /** Scopes that are granted; others are dropped, and the answer says so. Default: whatever is asked for. */
  readonly scopes?: ReadonlyArray<string> | undefined
  /** Whether codes come with refresh tokens. Default `true`. */
  readonly issuesRefreshTokens?: boolean | undefined
  readonly device?: DeviceScript | undefined
  /** What the server's clock says, epoch milliseconds. Default `Date.now`. */
  readonly now?: (() => number) | undefined
}
