/**
 * An approval: a person's answer to "may this call be made?", asked now or answered later.
 *
 * What it was given for is not stored but hashed with a key into `key`: tool, account, caller, and the arguments or the conversation. A call
 * finds an approval by making the same hash, so one for anything else is never found. Arguments are kept only as people are shown them.
 */
import type { Owner } from "../identity/Identity.ts"
import type { ShownArgument } from "./approvalWords.ts"

/**
 * How long an approval holds: for one call with these arguments, for every call of the tool on this account in the conversation, or for
 * every call with these arguments until it expires.
 */
export type ApprovalScope = "once" | "conversation" | "arguments"

/** `pending`: nobody answered yet. `accepted`: the call may be made. `declined`: it may not, and repeating it does not ask again. */
export type ApprovalStatus = "pending" | "accepted" | "declined"

/** An approval as hosts and people see it. */
export interface Approval {
  readonly id: string
  readonly status: ApprovalStatus
  /** What will happen, in words. */
  readonly what: string
  /** The tool's address. */
  readonly tool: string
  readonly integration: string
  readonly owner: Owner
  /** The connection's address. */
  readonly connection: string
  /** The account's label. */
  readonly account: string | null
  /** As people are shown them: cut, secrets hidden. */
  readonly arguments: ReadonlyArray<ShownArgument>
  /** Whose call it is; `null` when nobody in particular acts. */
  readonly subject: string | null
  /** Which agent's call it is, where one's. */
  readonly agent: string | null
  /** What the host said the call belongs to. */
  readonly conversation: string | null
  /** What was agreed to; `null` while it is pending and when it was declined. */
  readonly remember: ApprovalScope | null
  /** Epoch milliseconds. */
  readonly createdAt: number
  readonly expiresAt: number
  readonly answeredAt: number | null
  /** The subject who answered; `null` for nobody in particular and while it is pending. */
  readonly answeredBy: string | null
}

/** An approval as stores keep it. */
export interface ApprovalRecord extends Omit<Approval, "subject"> {
  readonly tenant: string
  /** Empty when nobody in particular acts. */
  readonly subject: string
  /** By which a call finds it: a keyed hash of what it holds for. */
  readonly key: string
  /** The hash that `key` becomes where it is given for the conversation; `null` where the call belonged to none. */
  readonly conversationKey: string | null
  /** A keyed hash of all of this but itself: what somebody else wrote into the store is no approval. */
  readonly signature: string
  /** Counts writes from 1; what compare-and-set compares. */
  readonly version: number
}

/** What a host sees of a record. */
export const toApproval = (record: ApprovalRecord): Approval => ({
  id: record.id,
  status: record.status,
  what: record.what,
  tool: record.tool,
  integration: record.integration,
  owner: record.owner,
  connection: record.connection,
  account: record.account,
  arguments: record.arguments.map((argument) => ({ ...argument })),
  subject: record.subject === "" ? null : record.subject,
  agent: record.agent,
  conversation: record.conversation,
  remember: record.remember,
  createdAt: record.createdAt,
  expiresAt: record.expiresAt,
  answeredAt: record.answeredAt,
  answeredBy: record.answeredBy,
})
