/**
 * A policy rule: what may be called, what a person is asked about, what is blocked.
 *
 * The organisation and each user have a list of their own. Pure values; decisions are in decide.ts, the verbs in executor/policies/Policies.ts.
 */
import { compareTexts } from "../connection/listOrder.ts"
import type { Owner } from "../identity/Identity.ts"

/** What a rule decides: the call is made, a person is asked first, or it is not made. */
export type PolicyAction = "approve" | "require_approval" | "block"

/** Every action, from the least restrictive to the most. */
export const policyActions: ReadonlyArray<PolicyAction> = ["approve", "require_approval", "block"]

/** A rule as hosts see it. */
export interface Policy {
  /** Random. */
  readonly id: string
  /** `org`: for every call of the tenant. `user`: for the calls of the subject who made it. */
  readonly owner: Owner
  /** Which tools, as a pattern over addresses: `tools.github.*.*.repos/delete*`. */
  readonly pattern: string
  readonly action: PolicyAction
  /** Its place among the rules of its owner; of those that match, the lowest decides. */
  readonly order: number
  readonly description: string | null
  /** Epoch milliseconds. */
  readonly createdAt: number
}

/** A rule as stores keep it. */
export interface PolicyRecord extends Policy {
  readonly tenant: string
  /** Empty for the organisation's. */
  readonly subject: string
  /** Counts writes from 1; what compare-and-set compares. */
  readonly version: number
}

/** The rules that a caller's calls are held to, each list in the order in which it decides. */
export interface PolicyRules {
  readonly organisation: ReadonlyArray<PolicyRecord>
  /** Those of the acting subject; empty without one. */
  readonly user: ReadonlyArray<PolicyRecord>
}

/** Sorts rules as they decide: by order, then the older first. */
export const byOrder = (one: PolicyRecord, other: PolicyRecord): number =>
  one.order - other.order || one.createdAt - other.createdAt || compareTexts(one.id, other.id)

/** What a host sees of a record. */
export const toPolicy = (record: PolicyRecord): Policy => ({
  id: record.id,
  owner: record.owner,
  pattern: record.pattern,
  action: record.action,
  order: record.order,
  description: record.description,
  createdAt: record.createdAt,
})
