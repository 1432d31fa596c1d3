/**
 * What policy says about a call: a pure function of the rules, the tool, and the host's default.
 *
 * The organisation's first matching rule and the user's combine to the most restrictive, so a user never loosens what the organisation
 * said. Where neither has one, the tool's annotations decide. Called before every call and for every line of a list.
 */
import type { ConnectionRef } from "../connection/ConnectionRef.ts"
import type { ToolDef } from "../tool/Tool.ts"
import { toolAddress } from "../tool/ToolAddress.ts"
import { type PolicyAction, policyActions, type PolicyRecord, type PolicyRules } from "./Policy.ts"
import { policyIndex } from "./PolicyIndex.ts"

/**
 * What decides where no rule of the organisation matches. `annotations`: what the tool says about itself, unless a rule of the user does.
 * An action: as if it were the organisation's last rule, which users can tighten only.
 */
export type DefaultPolicy = "annotations" | PolicyAction

/**
 * Why a default decided as it did: the tool's plugin wants a person asked, it reads only, it says that it destroys nothing, it may
 * destroy, it does not say what it does; or the host's `defaultPolicy`.
 */
export type DefaultReason =
  "requires_approval" | "read_only" | "not_destructive" | "destructive" | "unknown_effect" | "default_policy"

/** What was decided, and by what. */
export interface Decision {
  readonly action: PolicyAction
  /** The rules that decided; empty where a default did. */
  readonly rules: ReadonlyArray<PolicyRecord>
  /** The default that decided; absent where rules did. */
  readonly reason?: DefaultReason | undefined
}

/** Decides about a tool of a connection. */
export const decide = (
  rules: PolicyRules,
  connection: ConnectionRef,
  tool: ToolDef,
  defaultPolicy: DefaultPolicy,
): Decision => {
  if (rules.organisation.length === 0 && rules.user.length === 0 && defaultPolicy === "annotations") {
    return annotated(tool)
  }
  const address = toolAddress(connection, tool.name)
  return (
    combined(
      policyIndex(rules.organisation).first(connection, tool.name, address),
      policyIndex(rules.user).first(connection, tool.name, address),
      defaultPolicy,
    ) ?? annotated(tool)
  )
}

/**
 * A decision, made as strict as the rules of a lent connection's owner: about its own address, under which the organisation knows it too.
 * They never loosen anything.
 */
export const tightened = (
  decision: Decision,
  rules: PolicyRules,
  connection: ConnectionRef,
  tool: string,
): Decision => {
  const address = toolAddress(connection, tool)
  const owners = combined(
    policyIndex(rules.organisation).first(connection, tool, address),
    policyIndex(rules.user).first(connection, tool, address),
    "annotations",
  )
  return owners !== undefined && rankOf(owners.action) > rankOf(decision.action) ? owners : decision
}

/** The most restrictive of what the organisation's first rule and the user's say; `undefined` leaves it to annotations. */
const combined = (
  organisation: PolicyRecord | undefined,
  user: PolicyRecord | undefined,
  defaultPolicy: DefaultPolicy,
): Decision | undefined => {
  const fallback = organisation === undefined && defaultPolicy !== "annotations" ? defaultPolicy : undefined
  const actions = [organisation?.action, user?.action, fallback].filter((action) => action !== undefined)
  if (actions.length === 0) return undefined
  const action = actions.reduce(stricter)
  const rules = [organisation, user].filter((rule) => rule !== undefined && rule.action === action)
  return rules.length === 0
    ? { action, rules: none, reason: "default_policy" }
    : { action, rules: rules as ReadonlyArray<PolicyRecord> }
}

/** What a tool's own words ask for: a person is asked before what may destroy, and before a write that does not say whether it does. */
const annotated = ({ requiresApproval, annotations }: ToolDef): Decision => {
  if (requiresApproval === true) return defaults.requires_approval
  if (annotations?.readOnlyHint === true) return defaults.read_only
  if (annotations?.destructiveHint === false) return defaults.not_destructive
  return annotations?.destructiveHint === true ? defaults.destructive : defaults.unknown_effect
}

const stricter = (one: PolicyAction, other: PolicyAction): PolicyAction => (rankOf(one) >= rankOf(other) ? one : other)

const rankOf = (action: PolicyAction): number => policyActions.indexOf(action)

const none: ReadonlyArray<PolicyRecord> = []

const byDefault = (action: PolicyAction, reason: DefaultReason): Decision => ({ action, rules: none, reason })

const defaults = {
  requires_approval: byDefault("require_approval", "requires_approval"),
  read_only: byDefault("approve", "read_only"),
  not_destructive: byDefault("approve", "not_destructive"),
  destructive: byDefault("require_approval", "destructive"),
  unknown_effect: byDefault("require_approval", "unknown_effect"),
}
