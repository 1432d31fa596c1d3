/**
 * What is looked at once more when a person has agreed to a call: they may have taken minutes, in which the account, the right to it, the
 * rules or the tool can have gone, and whoever holds the arguments can have changed them.
 */
import * as Effect from "effect/Effect"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import { modeAllows } from "../../identity/IdentityMode.ts"
import { identityModeOf } from "../../integration/Integration.ts"
import type { PluginNotRegisteredError, ToolResolutionError } from "../../integration/IntegrationError.ts"
import type { AccessDeniedError } from "../../policy/AccessError.ts"
import { ElicitationDeclinedError } from "../../tool/Elicitation.ts"
import type { InvalidToolError, ToolBlockedError, ToolNotFoundError } from "../../tool/ToolError.ts"
import type { ToolResult } from "../../tool/ToolResult.ts"
import { type ApprovalQuestion, approvalQuestion } from "./approvalQuestion.ts"
import { callableTool } from "../call/callableTool.ts"
import { catalogOf } from "../tools/Catalogs.ts"
import { selectConnection, type SelectError, usableTemplate } from "../select/ConnectionSelector.ts"
import { blockedError, decisionOn } from "./policyCheck.ts"
import type { Resources } from "../Resources.ts"
import { resultOf } from "../call/toolFailures.ts"

/** What a call that was agreed to can fail with after all. */
export type AgreedCallError =
  | SelectError
  | AccessDeniedError
  | ToolNotFoundError
  | ToolBlockedError
  | PluginNotRegisteredError
  | ToolResolutionError
  | InvalidToolError
  | ElicitationDeclinedError
  | StoreUnavailableError

/** Answers the result that the call has instead, `undefined` where it may be made as it was agreed to. */
export const agreedCall = (
  resources: Resources,
  question: ApprovalQuestion,
): Effect.Effect<ToolResult | undefined, AgreedCallError> =>
  Effect.gen(function* () {
    const { call } = question
    const { identity, row } = call.selected
    const selected = yield* selectConnection(resources, identity, row)
    const catalog = yield* resultOf(catalogOf(resources, selected))
    if ("ok" in catalog) return catalog
    const tool = yield* callableTool(resources, selected, catalog, call.tool.name)
    const decision = yield* decisionOn(resources, selected, tool)
    if (decision.action === "block") return yield* Effect.fail(blockedError(selected, tool.name, decision))
    const usable = yield* resultOf(usableTemplate(selected))
    if ("ok" in usable) return usable
    const now = yield* approvalQuestion(resources, { ...call, selected, tool })
    const isAllowed = modeAllows(identityModeOf(selected.integration), row.owner)
    return isAllowed && holdsFor(now) === holdsFor(question)
      ? undefined
      : yield* Effect.fail(new ElicitationDeclinedError({ tool: question.tool, action: "changed" }))
  })

const holdsFor = ({ scope, canonical }: ApprovalQuestion): string => JSON.stringify([scope, canonical])
