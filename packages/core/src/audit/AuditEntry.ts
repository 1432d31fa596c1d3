/**
 * One line of an audit trail: who did what through which connection, why that was allowed, and what came of it.
 *
 * Names and outcomes, as in events. Made by the executor, linked to the entry before it by `auditChain.ts`, kept by an `AuditStore`.
 */

/** What an entry says beside its own fields. */
export type AuditValue =
  string | number | boolean | null | ReadonlyArray<AuditValue> | { readonly [key: string]: AuditValue }

/** What happened, before it has its place in the chain. */
export interface AuditDraft {
  /** Unique; the same when writing it is tried again. */
  readonly id: string
  readonly tenant: string
  /** Epoch milliseconds. */
  readonly at: number
  /** The acting user, `null` when nobody in particular acted. */
  readonly subject: string | null
  /** The id of the agent that acted. */
  readonly agent: string | null
  /** As the event's: `tool.called`, `connection.created`, … */
  readonly type: string
  readonly integration: string | null
  /** The connection's address. */
  readonly connection: string | null
  /** The tool's name. */
  readonly tool: string | null
  /** The integration's identity mode at the time, and why this connection was chosen. */
  readonly identityMode: string | null
  readonly chosenBy: string | null
  /** What policy decided, and the rule that did or the word for a default. */
  readonly decision: string | null
  readonly rule: string | null
  /** The origin that the last request was sent to. */
  readonly destination: string | null
  /** Of a call: `ok`, or the error's code. */
  readonly outcome: string | null
  readonly durationMs: number | null
  /** What else the event said. */
  readonly details: Readonly<Record<string, AuditValue>>
  /** The arguments without secrets, as JSON that may be cut; `null` unless the host wants them kept, or where they may hold a secret. */
  readonly arguments: string | null
}

/** An entry in its place. */
export interface AuditEntry extends AuditDraft {
  /** 1, 2, 3, … within the tenant, without gaps. */
  readonly sequence: number
  /** The hash of the entry before it. */
  readonly previousHash: string
  /** Names the key that the hash was made with; absent where there was none. */
  readonly key?: string
  /** Of everything above; 64 hexadecimal digits. */
  readonly hash: string
}

/** Where a tenant's chain ends, and where it begins now that older entries were removed. */
export interface AuditHead {
  readonly tenant: string
  /** Of the last entry. */
  readonly sequence: number
  readonly hash: string
  /** Of the last entry that was removed as old; 0 and the first hash when none was. */
  readonly removedThrough: number
  readonly removedHash: string
  /** Names the key that the seal was made with; absent where there was none. */
  readonly key?: string
  /** Of everything above. */
  readonly seal: string
}
