/**
 * Policy in the call path and in lists: what the rules of a caller say about a tool of a connection.
 *
 * Asks the store for the rules and leaves the decision to policy/decide.ts. Requests of a caller's own are permitRequest.ts's.
 */
import * as Effect from "effect/Effect"
import type { ConnectionRef } from "../../connection/ConnectionRef.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity } from "../../identity/Identity.ts"
import { decide, type Decision, type DefaultPolicy, tightened } from "../../policy/decide.ts"
import type { PolicyRecord, PolicyRules } from "../../policy/Policy.ts"
import type { ToolDef } from "../../tool/Tool.ts"
import { toolAddress } from "../../tool/ToolAddress.ts"
import { ToolBlockedError } from "../../tool/ToolError.ts"
import type { VisibleConnection } from "../agents/access.ts"
import { andThen } from "../andThen.ts"
import type { CallTrace } from "../call/CallTrace.ts"
import type { Resources } from "../Resources.ts"

/** What policy says about a call of a tool; told to the call's trace. Of a shared connection its owner's rules hold as well. */
export const decisionOn = (
  { store, defaultPolicy }: Pick<Resources, "store" | "defaultPolicy">,
  { identity: { tenant, subject }, row, lender }: VisibleConnection,
  tool: ToolDef,
  trace?: CallTrace,
): Effect.Effect<Decision, StoreUnavailableError> =>
  andThen(store.policies.rules(tenant, subject), (rules) => {
    const decision = decide(rules, row, tool, defaultPolicy)
    if (lender === undefined) return traced(decision, trace)
    return andThen(store.policies.rules(tenant, lender.row.subject), (owners) =>
      traced(tightened(decision, owners, lender.row, tool.name), trace),
    )
  })

const traced = (decision: Decision, trace: CallTrace | undefined): Effect.Effect<Decision> => {
  if (trace !== undefined) {
    trace.decision = decision.action
    trace.rule = decision.rules[0]?.id ?? decision.reason
  }
  return Effect.succeed(decision)
}

/** Whether a tool of a connection may be shown: everything but what is blocked. */
export type IsShown = (connection: ConnectionRef, tool: ToolDef) => boolean

/** What a caller may be shown of one connection, from what they may be shown in general: of a shared one less, where its owner says so. */
export const shownToolsOf = (
  { store }: Pick<Resources, "store">,
  isShown: IsShown,
  { identity: { tenant }, row, lender }: VisibleConnection,
): Effect.Effect<(tool: ToolDef) => boolean, StoreUnavailableError> =>
  lender === undefined
    ? Effect.succeed((tool) => isShown(row, tool))
    : Effect.map(
        store.policies.rules(tenant, lender.row.subject),
        (owners) => (tool) => isShown(row, tool) && tightened(shown, owners, lender.row, tool.name).action !== "block",
      )

/** What a caller may be shown; for lists, which ask about many tools. */
export const shownTools = (
  { store, defaultPolicy }: Pick<Resources, "store" | "defaultPolicy">,
  { tenant, subject }: Identity,
): Effect.Effect<IsShown, StoreUnavailableError> =>
  Effect.map(store.policies.rules(tenant, subject), (rules) =>
    mayBlock(rules, defaultPolicy)
      ? (connection, tool) => decide(rules, connection, tool, defaultPolicy).action !== "block"
      : everything,
  )

/** Why a call is not made, naming the rule. */
export const blockedError = (
  { identity, row }: VisibleConnection,
  tool: string,
  { action, rules, reason }: Decision,
): ToolBlockedError => {
  const [rule] = rules
  const by =
    rule === undefined
      ? `the default policy of the host (${reason})`
      : isToldOf(identity, rule)
        ? `the ${rule.owner === "org" ? "organisation" : "user"}'s policy ${rule.id} (${rule.pattern})`
        : `policy ${rule.id} of the connection's owner`
  return new ToolBlockedError({
    address: toolAddress(row, tool),
    rule: rule?.id ?? null,
    reason:
      action === "require_approval"
        ? `${by} wants a person asked, and nobody answers for a request of one's own now. Call a tool instead, have a policy approve the tool fetch, or pass onElicitation a function.`
        : `${by} says so.`,
  })
}

/** Whether a caller may read a rule: the organisation's, and their own. */
export const isToldOf = ({ subject }: Identity, rule: PolicyRecord): boolean =>
  rule.owner === "org" || rule.subject === subject

const everything: IsShown = () => true

const shown: Decision = { action: "approve", rules: [] }

const mayBlock = ({ organisation, user }: PolicyRules, defaultPolicy: DefaultPolicy): boolean =>
  defaultPolicy === "block" || [...organisation, ...user].some(({ action }) => action === "block")
