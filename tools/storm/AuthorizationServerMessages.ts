/** What the run and the authorization server's process tell each other. Plain JSON. */
import type { ServerMessage } from "../authorization-server/serverProcess.ts"

/** Options of the process. */
export interface AuthorizationServerOptions {
  /** `strict`: the certified oidc-provider. `grace`: a spent refresh token works for another 30 s. */
  readonly rotation: "strict" | "grace"
  /** Lifetime of access tokens, and how long the resource accepts them, to the millisecond. */
  readonly accessTokenSeconds: number
  /** How long the answer to a token request that is processed takes: the time for a kill to hit. */
  readonly answerMs: number
}

/** A token request, as far as it tells who sent it. */
export interface TokenRequestSeen {
  /** Epoch milliseconds, when it arrived. */
  readonly at: number
  /** The sender's end of the TCP connection. */
  readonly port: number
}

/** A grant, in the order in which people gave them. */
export interface GrantSeen {
  /** The newest requests that rotated its refresh token, at most three; the newest last. */
  readonly rotations: ReadonlyArray<TokenRequestSeen>
  /** The request that used a spent refresh token, and for which the grant was revoked. */
  readonly revoked: TokenRequestSeen | null
}

/** What the server has seen so far. */
export interface AuthorizationServerReport {
  /** Requests with grant_type refresh_token, whatever came of them. */
  readonly requests: number
  /** Tokens that were replaced in the second half of their life or after it. */
  readonly expiries: number
  /** Tokens that were replaced before that. */
  readonly early: number
  /** Token requests that it turned down, by its own words for why. */
  readonly refused: Readonly<Record<string, number>>
  readonly grants: ReadonlyArray<GrantSeen>
}

/** From the server. */
export type AuthorizationServerMessage = ServerMessage<AuthorizationServerReport>
