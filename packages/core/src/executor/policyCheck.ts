/**
 * Policy in the call path and in lists: what the rules of a caller say about a tool of a connection.
 *
 * Asks the store for the rules and leaves the decision to policy/decide.ts. Raw access (`connections.fetch`) counts as a tool called `fetch`.
 */
import * as Effect from "effect/Effect"
import { connectionAddress, type ConnectionRef } from "../connection/ConnectionRef.ts"
import type { StoreUnavailableError } from "../error/StoreError.ts"
import type { Identity } from "../identity/Identity.ts"
import { type Decision, decide, type DefaultPolicy } from "../policy/decide.ts"
import type { PolicyRules } from "../policy/Policy.ts"
import type { ToolDef } from "../tool/Tool.ts"
import { ToolBlockedError } from "../tool/ToolError.ts"
import { andThen } from "./andThen.ts"
import type { CallTrace } from "./CallTrace.ts"
import type { Resources } from "./Resources.ts"

/** What policy says about a call of a tool; told to the call's trace. */
export const decisionOn = (
  { store, defaultPolicy }: Pick<Resources, "store" | "defaultPolicy">,
  { tenant, subject }: Identity,
  connection: ConnectionRef,
  tool: ToolDef,
  trace?: CallTrace,
): Effect.Effect<Decision, StoreUnavailableError> =>
  andThen(store.policies.rules(tenant, subject), (rules) => {
    const decision = decide(rules, connection, tool, defaultPolicy)
    if (trace !== undefined) {
      trace.decision = decision.action
      trace.rule = decision.rules[0]?.id ?? decision.reason
    }
    return Effect.succeed(decision)
  })

/** Whether a tool of a connection may be shown: everything but what is blocked. */
export type IsShown = (connection: ConnectionRef, tool: ToolDef) => boolean

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

/** Fails with `ToolBlockedError` where rules keep a caller from using a connection without a tool. */
export const checkRawAccess = (
  resources: Pick<Resources, "store" | "defaultPolicy">,
  identity: Identity,
  connection: ConnectionRef,
): Effect.Effect<void, ToolBlockedError | StoreUnavailableError> =>
  andThen(decisionOn(resources, identity, connection, rawAccess), (decision) =>
    decision.action === "approve" ? Effect.void : Effect.fail(blockedError(connection, rawAccess.name, decision)),
  )

/** Why a call is not made, naming the rule. */
export const blockedError = (connection: ConnectionRef, tool: string, { action, rules, reason }: Decision) => {
  const [rule] = rules
  const by =
    rule === undefined
      ? `the default policy of the host (${reason})`
      : `the ${rule.owner === "org" ? "organisation" : "user"}'s policy ${rule.id} (${rule.pattern})`
  return new ToolBlockedError({
    address: `${connectionAddress(connection)}.${tool}`,
    rule: rule?.id ?? null,
    reason:
      action === "require_approval"
        ? `${by} wants a person asked, and nobody can be asked about what raw access sends. Call a tool instead.`
        : `${by} says so.`,
  })
}

/** As plugins describe tools: nothing is known about it, and by default it is the host's own to use. */
const rawAccess: ToolDef = { name: "fetch", annotations: { readOnlyHint: true } }

const everything: IsShown = () => true

const mayBlock = ({ organisation, user }: PolicyRules, defaultPolicy: DefaultPolicy): boolean =>
  defaultPolicy === "block" || [...organisation, ...user].some(({ action }) => action === "block")
