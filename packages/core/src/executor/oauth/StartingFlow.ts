/**
 * A flow that is about to begin: what a host asked for, what was found for it, and what comes of it.
 */
import type { Connection } from "../../connection/Connection.ts"
import type { InvalidConnectionInputError } from "../../connection/ConnectionError.ts"
import type { ConnectionRef } from "../../connection/ConnectionRef.ts"
import type { Owner } from "../../identity/Identity.ts"
import type { AuthorizationServer } from "../../oauth/AuthorizationServer.ts"
import type { OAuthDiscoveryError } from "../../oauth/OAuthError.ts"
import type { MintError } from "./mintConnection.ts"
import type { FindFlowError, OAuthFlow } from "./OAuthFlow.ts"
import type { Protocol } from "./protocol.ts"

/** What to connect, through which client. */
export interface StartOAuthInput extends ConnectionRef {
  /** The slug of an OAuth client, and whose it is. */
  readonly client: string
  readonly clientOwner: Owner
  /** The slug of an `oauth2` template of the integration; its scopes are asked for. */
  readonly template: string
  /** Absent leaves what is there when a connection is replaced, `null` clears it. */
  readonly identityLabel?: string | null | undefined
  /** Where the server sends the person back to. Default: `redirectUri` of the executor's config. */
  readonly redirectUri?: string | undefined
  /** Token exchange ([RFC 8693](https://www.rfc-editor.org/rfc/rfc8693)): the token to exchange, and its type. */
  readonly subjectToken?: string | undefined
  readonly subjectTokenType?: string | undefined
  readonly actorToken?: string | undefined
  readonly actorTokenType?: string | undefined
  readonly audience?: string | undefined
  readonly requestedTokenType?: string | undefined
  /** JWT bearer ([RFC 7523](https://www.rfc-editor.org/rfc/rfc7523)): a signed assertion that somebody else made. */
  readonly assertion?: string | undefined
  /**
   * JWT bearer: the slug of a token exchange client, of the same owner, at the organisation's identity provider. There `subjectToken`, an
   * ID token unless `subjectTokenType` says otherwise, is exchanged for the assertion.
   */
  readonly identityClient?: string | undefined
  /** JWT bearer: for whom the client signs an assertion with its own private key, again with each renewal. */
  readonly subject?: string | undefined
}

/** What happens next. */
export type StartOAuthResult =
  | { readonly status: "connected"; readonly connection: Connection }
  | { readonly status: "redirect"; readonly authorizationUrl: string; readonly state: string }
  | {
      readonly status: "device"
      readonly state: string
      readonly userCode: string
      readonly verificationUri: string
      readonly verificationUriComplete?: string
      /** Epoch milliseconds. */
      readonly expiresAt: number
      /** Seconds between polls. */
      readonly interval: number
    }

/** What starting a flow can fail with. Nothing is stored then. */
export type StartOAuthError = InvalidConnectionInputError | FindFlowError | OAuthDiscoveryError | MintError

/** Scopes besides those of the template, and how many such requests there were before. */
export interface WiderScope {
  readonly scope: string | null
  readonly stepUps: number
}

/** A flow that may be started, with all that its requests say. */
export interface StartingFlow extends OAuthFlow {
  readonly protocol: Protocol
  readonly server: AuthorizationServer
  readonly tokenUrl: string
  readonly scope: string | null
  readonly resource: string | null
  readonly dpop: boolean
  readonly input: StartOAuthInput
  readonly stepUps: number
}
