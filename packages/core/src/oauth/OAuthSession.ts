/**
 * One flow between its start and its end: who began it, for which connection, and what its answer must match.
 *
 * Kept under a hash of `state`. What is secret (the PKCE verifier, the device code, a DPoP key) is sealed with a key derived from
 * `state`, which only the person's browser and the host hold: the store alone cannot open it.
 */
import type { Owner } from "../identity/Identity.ts"
import type { OAuthGrantType } from "./OAuthClient.ts"

/** What was pinned when the flow began; completing it goes here and nowhere else. */
export interface PinnedServer {
  readonly issuer: string | null
  readonly tokenUrl: string
  readonly revocationUrl: string | null
  /** Whether the server announced `iss` in authorization responses (RFC 9207). */
  readonly isIssRequired: boolean
}

/** A flow as stores keep it. */
export interface OAuthSessionRecord {
  readonly tenant: string
  /** SHA-256 of `state`, base64url. */
  readonly stateHash: string
  /** Who started it and alone may finish it; `null`: nobody in particular. */
  readonly startedBy: string | null
  readonly grant: OAuthGrantType
  readonly client: string
  readonly clientOwner: Owner
  /** The id that the authorization is asked for with; the client may become another one under the same slug meanwhile. */
  readonly clientId: string
  readonly owner: Owner
  readonly integration: string
  readonly name: string
  readonly template: string
  readonly identityLabel: string | null | undefined
  /** The integration's origins when the flow began, joined by spaces: those that the person agreed to by beginning it. */
  readonly confirmedOrigins: string
  readonly redirectUri: string | null
  readonly server: PinnedServer
  readonly resource: string | null
  readonly requestedScope: string | null
  /** How many step-ups led to this flow; 0 for an ordinary connect. */
  readonly stepUps: number
  /** A compact JWE over the secrets of the flow. */
  readonly sealed: string
  /** Epoch milliseconds. */
  readonly createdAt: number
  readonly expiresAt: number
  /** Of a device flow: seconds between polls, and when the next one may be made, epoch milliseconds. */
  readonly device: { readonly interval: number; readonly nextPollAt: number } | null
  /** Grows with each write; what compare-and-set compares. */
  readonly version: number
}

/** What a session seals; plain JSON inside the JWE. */
export interface SessionSecrets {
  readonly codeVerifier?: string
  readonly deviceCode?: string
  /** A private JWK as JSON. */
  readonly dpopKey?: string
}
