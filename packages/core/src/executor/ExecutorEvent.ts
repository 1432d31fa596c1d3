/**
 * What an executor tells its host as it happens: changes of connections and integrations, and calls.
 *
 * Passed to `onEvent`. Events name things and outcomes; they hold no argument, no header and no secret.
 */
import type { AuditFault } from "../audit/AuditCheck.ts"
import type { Owner } from "../identity/Identity.ts"
import type { IdentityMode } from "../identity/IdentityMode.ts"
import type { AccessScope } from "../policy/AccessScope.ts"
import type { ApprovalScope } from "../policy/Approval.ts"
import type { PolicyAction } from "../policy/Policy.ts"
import type { ShareRecipient } from "../policy/Share.ts"
import type { CalledTrace } from "./call/CallTrace.ts"

interface EventBase {
  /** Epoch milliseconds. */
  readonly at: number
  readonly tenant: string
  /** The acting user, `null` when nobody in particular acts. */
  readonly subject: string | null
  /** The id of the agent that acts, where one does. */
  readonly agent?: string
}

/** Of a connection that is shared with whoever acts, whose `connection` is the name under which they have it. */
export interface LentConnection {
  /** Its owner, who shared it. */
  readonly sharedBy?: string
  /** Its owner's own address of it. */
  readonly sharedConnection?: string
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
        | "connection.default_set"
        | "connection.default_cleared"
    })
  | (ConnectionEventBase & { readonly type: "connection.disabled"; readonly reason: string })
  | (EventBase & {
      readonly type: "agent.created" | "agent.updated" | "agent.removed" | "agent.key_rotated" | "agent.key_revoked"
      /** The id of the agent that it is about. */
      readonly agentId: string
    })
  | (ConnectionEventBase &
      LentConnection &
      AccessScope & {
        readonly type: "grant.added"
        /** The id of the agent that was granted the connection. */
        readonly agentId: string
        /** The id of the agent that handed it on, where one did. */
        readonly delegatedBy?: string
      })
  | (ConnectionEventBase & { readonly type: "grant.revoked"; readonly agentId: string; readonly delegatedBy?: string })
  | (ConnectionEventBase &
      AccessScope & {
        readonly type: "share.added"
        readonly with: ShareRecipient
        /** The address under which the recipient has it. */
        readonly as: string
      })
  | (ConnectionEventBase & { readonly type: "share.removed"; readonly with: ShareRecipient })
  /** The store cannot be read, and calls go on with what is in memory, for a while; then, that it answers again. */
  | (EventBase & { readonly type: "store.away"; readonly reason: string })
  | (EventBase & { readonly type: "store.back" })
  /** Entries of the tenant's audit trail cannot be written and wait in memory, how many is said; then, that they were written. */
  | (EventBase & { readonly type: "audit.delayed"; readonly entries: number; readonly reason: string })
  | (EventBase & { readonly type: "audit.resumed" })
  /** Entries that are not in the audit trail: there was no room for more that wait (`full`), or the executor closed (`closed`). */
  | (EventBase & { readonly type: "audit.lost"; readonly entries: number; readonly reason: "full" | "closed" })
  /** Old entries of the audit trail were removed, up to a sequence; `fault`: although that was found, as the host wished. */
  | (EventBase & {
      readonly type: "audit.pruned"
      readonly entries: number
      readonly through: number
      readonly fault?: AuditFault
    })
  /**
   * A service lists something that cannot be used and is left out, told with each listing; `connection` and `owner` where the tools are a
   * connection's own.
   */
  | (EventBase & {
      readonly type: "tools.faulty"
      readonly integration: string
      readonly connection?: string
      readonly owner?: Owner
      /** What was left out, in sentences; at most twenty. */
      readonly faults: ReadonlyArray<string>
      /** How many there are. */
      readonly faultCount: number
    })
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
  | (ConnectionEventBase &
      LentConnection & { readonly type: "credential.failed"; readonly code: string; readonly reason: string })
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
  | (EventBase & {
      readonly type: "policy.created" | "policy.updated" | "policy.removed"
      /** The rule's id. */
      readonly policy: string
      readonly owner: Owner
      readonly pattern: string
      readonly action: PolicyAction
    })
  /** A person is, or is to be, asked about a call (`approval.requested`); an approval was taken back (`approval.revoked`). */
  | (ConnectionEventBase & {
      readonly type: "approval.requested" | "approval.revoked"
      /** The approval's id. */
      readonly approval: string
      /** The tool's address. */
      readonly tool: string
    })
  | (ConnectionEventBase & {
      readonly type: "approval.answered"
      readonly approval: string
      readonly tool: string
      readonly action: "accept" | "decline" | "cancel" | "unanswered"
      /** How long it holds, where it was accepted. */
      readonly remember?: ApprovalScope
    })
  /** A call is made by an approval that was given before. */
  | (ConnectionEventBase & {
      readonly type: "approval.used"
      readonly approval: string
      readonly tool: string
      readonly remember: ApprovalScope
    })
  /**
   * A call for which no connection was selected: `code` as in its result (`ambiguous_account`, `account_not_found`,
   * `connection_required`), or the name of the error that it failed with.
   */
  | (EventBase & {
      readonly type: "account.not_selected"
      readonly integration: string
      readonly tool: string
      readonly identityMode: IdentityMode
      readonly code: string
      /** Whose connection was wanted, as far as that was clear. */
      readonly owner?: Owner | undefined
      /** Whose connection the call itself asked for, where it did. */
      readonly override?: Owner | undefined
      /** Addresses of the connections that may be meant. */
      readonly candidates?: ReadonlyArray<string> | undefined
    })
  /**
   * A call that was refused before it came to an integration's accounts or to a connection: what it named, as far as that is clear.
   * `outcome` is a result's code or an error's name.
   */
  | (EventBase & {
      readonly type: "call.refused"
      readonly integration?: string
      /** The connection's address, whether there is one or not. */
      readonly connection?: string
      readonly tool?: string
      /** What was given instead of an address. */
      readonly address?: string
      readonly outcome: string
    })
  /** Somebody was not, or no longer, taken for an agent; `code` is the error's name. */
  | (EventBase & {
      readonly type: "agent.refused"
      /** The id of the agent that was asked for, where one was. */
      readonly agentId?: string
      readonly code: string
    })
  /** A request through `connections.fetch` has ended, or was refused; besides, what `CalledTrace` tells of it. */
  | (ConnectionEventBase &
      LentConnection &
      Readonly<CalledTrace> & {
        readonly type: "connection.fetched"
        readonly method: string
        /** The response's status, or why there is none: a code, an error's name, or `aborted`. */
        readonly outcome: string
        readonly durationMs: number
      })
  /** A call came to its end; besides, what `CalledTrace` tells of it. */
  | (ConnectionEventBase &
      LentConnection &
      Readonly<CalledTrace> & {
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
