/**
 * What an audit trail keeps of an event: pure, and the one place that says which events are kept.
 *
 * So whatever is in a trail was in an event before; nothing reaches it by another way but redacted arguments, where the host wants those.
 */
import type { AuditDraft, AuditValue } from "../../audit/AuditEntry.ts"
import type { ExecutorEvent } from "../ExecutorEvent.ts"

/** An event on its way into a trail. */
export interface AuditedEvent {
  readonly id: string
  readonly event: ExecutorEvent
  /** Redacted arguments as JSON. */
  readonly shown: string | undefined
}

/** What becomes of each type of event. */
const isKept: Readonly<Record<ExecutorEvent["type"], boolean>> = {
  "integration.registered": true,
  "integration.updated": true,
  "integration.removed": true,
  "connection.created": true,
  "connection.replaced": true,
  "connection.updated": true,
  "connection.removed": true,
  "connection.refreshed": true,
  "connection.enabled": true,
  "connection.disabled": true,
  "connection.expired": true,
  "connection.fetched": true,
  "connection.default_set": true,
  "connection.default_cleared": true,
  "agent.created": true,
  "agent.updated": true,
  "agent.removed": true,
  "agent.key_rotated": true,
  "agent.key_revoked": true,
  "agent.refused": true,
  "grant.added": true,
  "grant.revoked": true,
  "share.added": true,
  "share.removed": true,
  "credential.refreshed": true,
  "credential.refresh_failed": true,
  "credential.unsaved": true,
  "credential.failed": true,
  "oauth.started": true,
  "oauth.completed": true,
  "oauth.cancelled": true,
  "oauth.failed": true,
  "oauth.client.saved": true,
  "oauth.client.removed": true,
  "oauth.revoked": true,
  "oauth.revocation_failed": true,
  "policy.created": true,
  "policy.updated": true,
  "policy.removed": true,
  "approval.requested": true,
  "approval.revoked": true,
  "approval.answered": true,
  "approval.used": true,
  "account.not_selected": true,
  "call.refused": true,
  "tool.called": true,
  "audit.pruned": true,
  "audit.lost": true,
  // What the store itself is up to belongs in the host's log; it cannot be written while it is so.
  "store.away": false,
  "store.back": false,
  // As is what a service's list is like, which nobody here did anything about.
  "tools.faulty": false,
  "audit.delayed": false,
  "audit.resumed": false,
}

/** Whether an event belongs in an audit trail. */
export const isAudited = ({ type }: ExecutorEvent): boolean => isKept[type]

/** The entry that an event becomes. */
export const auditDraft = ({ id, event, shown }: AuditedEvent): AuditDraft => {
  const { type, at, tenant, subject, agent, ...told } = event
  const { integration, connection, tool, identityMode, chosenBy, decision, rule, ...more }: Told = told
  const { destination, outcome, durationMs, ...details } = more
  return {
    id,
    tenant,
    at,
    subject,
    agent: agent ?? null,
    type,
    integration: textOf(integration),
    connection: textOf(connection),
    tool: textOf(toolName(connection, tool)),
    identityMode: identityMode ?? null,
    chosenBy: chosenBy ?? null,
    decision: decision ?? null,
    rule: rule ?? null,
    destination: destination ?? null,
    outcome: textOf(outcome),
    durationMs: durationMs === undefined ? null : Math.round(durationMs * 1000) / 1000,
    // Without what is undefined, as every store will give it back.
    details: JSON.parse(JSON.stringify(details, (_, value: unknown) => shortened(value))) as Readonly<
      Record<string, AuditValue>
    >,
    arguments: shown ?? null,
  }
}

/** What events may say, whatever their type. */
interface Told {
  readonly integration?: string
  readonly connection?: string
  readonly tool?: string
  readonly identityMode?: string | undefined
  readonly chosenBy?: string | undefined
  readonly decision?: string | undefined
  readonly rule?: string | undefined
  readonly destination?: string | undefined
  readonly outcome?: string
  readonly durationMs?: number
  readonly [detail: string]: unknown
}

/** No text of an entry is longer: names come from models too, and what is kept for long must not be theirs to make large. */
const longestText = 2000

/** Whoever names something may name what is no text. */
const textOf = (value: unknown): string | null => {
  if (value === undefined || value === null) return null
  return shortText(typeof value === "string" ? value : typeof value)
}

const shortened = (value: unknown): unknown => (typeof value === "string" ? shortText(value) : value)

const shortText = (text: string): string =>
  // Half of a character is none.
  text.length <= longestText ? text : `${text.slice(0, longestText).replace(/[\ud800-\udbff]$/, "")}…`

/** Approvals name a tool by its address. */
const toolName = (connection: string | undefined, tool: string | undefined): string | null =>
  tool === undefined
    ? null
    : connection !== undefined && tool.startsWith(`${connection}.`)
      ? tool.slice(connection.length + 1)
      : tool
