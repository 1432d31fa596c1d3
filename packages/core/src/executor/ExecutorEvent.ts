/**
 * What an executor tells its host as it happens: changes of connections and integrations, and calls.
 *
 * Passed to `onEvent`. Events name things and outcomes; they hold no argument, no header and no secret.
 */
import type { Owner } from "../identity/Identity.ts"
import type { IdentityMode } from "../identity/IdentityMode.ts"
import type { CallTrace } from "./CallTrace.ts"

interface EventBase {
  /** Epoch milliseconds. */
  readonly at: number
  readonly tenant: string
  /** The acting user, `null` when nobody in particular acts. */
  readonly subject: string | null
  /** The id of the agent that acts, where one does. */
  readonly agent?: string
}

interface ConnectionEventBase extends EventBase {
  /** The connection's address. */
  readonly connection: string
  readonly integration: string
  readonly owner: Owner
}

/** An event; tell them apart by `type`. */
export type ExecutorEvent =
  | (EventBase & {
      readonly type: "integration.registered" | "integration.updated" | "integration.removed"
      readonly integration: string
      readonly revision: number
      /** Whether the integration may now send where it could not before, which suspends its connections. */
      readonly originsChanged: boolean
      /** Whose account its calls run as from now on. */
      readonly identityMode: IdentityMode
    })
  | (ConnectionEventBase & {
      readonly type:
        | "connection.created"
        | "connection.replaced"
        | "connection.updated"
        | "connection.removed"
        | "connection.refreshed"
        | "connection.enabled"
    })
  | (ConnectionEventBase & { readonly type: "connection.disabled"; readonly reason: string })
  /** New tokens are in force. */
  | (ConnectionEventBase & { readonly type: "credential.refreshed" })
  /**
   * A refresh brought nothing and will be tried again (`credential.refresh_failed`); new tokens could not be written yet and are kept
   * in memory (`credential.unsaved`); a person has to connect the account again (`connection.expired`).
   */
  | (ConnectionEventBase & {
      readonly type: "credential.refresh_failed" | "credential.unsaved" | "connection.expired"
      readonly reason: string
    })
  /** A credential could not be resolved or was turned down; `code` as in `ConnectionCredentialError`. */
  | (ConnectionEventBase & { readonly type: "credential.failed"; readonly code: string; readonly reason: string })
  | (ConnectionEventBase & {
      readonly type: "oauth.started" | "oauth.completed" | "oauth.cancelled"
      /** The slug of the OAuth app and whose it is. */
      readonly client: string
      readonly clientOwner: Owner
      /** The grant type as in the registry. */
      readonly grant: string
    })
  /** A flow ended without a connection; `reason` as in `OAuthCompleteError` and `OAuthStartError`. */
  | (ConnectionEventBase & {
      readonly type: "oauth.failed"
      readonly client: string
      readonly clientOwner: Owner
      readonly grant: string
      readonly reason: string
    })
  | (EventBase & {
      readonly type: "oauth.client.saved" | "oauth.client.removed" | "oauth.revoked"
      readonly client: string
      readonly clientOwner: Owner
    })
  /** Tokens that are not used any more could not be revoked at the authorization server, which is not tried again. */
  | (EventBase & {
      readonly type: "oauth.revocation_failed"
      readonly client: string
      readonly clientOwner: Owner
      readonly reason: string
    })
  /** A call came to its end; besides, what {@link CallTrace} tells of it. */
  | (ConnectionEventBase &
      Readonly<CallTrace> & {
        readonly type: "tool.called"
        readonly tool: string
        /** `ok`, or the error's code. */
        readonly outcome: string
        readonly durationMs: number
      })

/** An event before the executor has stamped it. */
export type EventBody = ExecutorEvent extends infer Event
  ? Event extends ExecutorEvent
    ? Omit<Event, keyof EventBase>
    : never
  : never
