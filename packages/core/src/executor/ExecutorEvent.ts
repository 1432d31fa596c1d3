/**
 * What an executor tells its host as it happens: changes of connections and integrations, and calls.
 *
 * Passed to `onEvent`. Events name things and outcomes; they hold no argument, no header and no secret.
 */
import type { Owner } from "../identity/Identity.ts"

interface EventBase {
  /** Epoch milliseconds. */
  readonly at: number
  readonly tenant: string
  /** The acting user, `null` when nobody in particular acts. */
  readonly subject: string | null
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
  /** A credential could not be resolved or was turned down; `code` as in `ConnectionCredentialError`. */
  | (ConnectionEventBase & { readonly type: "credential.failed"; readonly code: string; readonly reason: string })
  | (ConnectionEventBase & {
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
