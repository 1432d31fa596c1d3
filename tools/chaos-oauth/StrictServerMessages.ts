/** What the run and the strict authorization server's process tell each other. Plain JSON. */
import type { ServerMessage } from "../authorization-server/serverProcess.ts"

/** Options of the process. */
export interface StrictServerOptions {
  /** Lifetime of access tokens, and how long the resource accepts them, to the millisecond. */
  readonly accessTokenSeconds: number
  /** How often the resource turns down a token that is still good. Default 0. */
  readonly turnDownShare?: number | undefined
}

/** What the server has seen so far. */
export interface StrictServerReport {
  /** Successful grants of refresh_token. */
  readonly refreshes: number
  /** Grants that it revoked because a spent refresh token was used. */
  readonly revoked: number
  /** Token requests that it turned down, by its own words for why. */
  readonly refused: Readonly<Record<string, number>>
  /** Refreshes of tokens that were in the first half of their life and had not been turned down. */
  readonly early: number
  /** Good tokens that the resource turned down. */
  readonly turnedDown: number
  /** Grants that people gave. */
  readonly grants: number
}

/** From the server. */
export type StrictServerMessage = ServerMessage<StrictServerReport>
