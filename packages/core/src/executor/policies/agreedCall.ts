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
import type { ToolDef } from "../../tool/Tool.ts"
import type { InvalidToolError, ToolBlockedError, ToolNotFoundError } from "../../tool/ToolError.ts"
import type { ToolResult } from "../../tool/ToolResult.ts"
import { callableTool } from "../call/callableTool.ts"
import { resultOf } from "../call/toolFailures.ts"
import type { Resources } from "../Resources.ts"
import {
  selectConnection,
  type SelectedConnection,
  type SelectError,
  usableTemplate,
} from "../select/ConnectionSelector.ts"
import { catalogOf } from "../tools/Catalogs.ts"
import { type ApprovalQuestion, approvalQuestion, areArgumentsUnchanged } from "./approvalQuestion.ts"
import { blockedError, decisionOn } from "./policyCheck.ts"

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
    const tool = yield* call.again === undefined ? inCatalog(resources, selected, call.tool.name) : call.again(selected)
    if ("ok" in tool) return tool
    const decision = yield* decisionOn(resources, selected, tool)
    if (decision.action === "block") return yield* Effect.fail(blockedError(selected, tool.name, decision))
    const usable = yield* resultOf(usableTemplate(selected))
    if ("ok" in usable) return usable
    const now = yield* approvalQuestion(resources, { ...call, selected, tool })
    const isAllowed = modeAllows(identityModeOf(selected.integration), row.owner)
    return isAllowed && holdsFor(now) === holdsFor(question) && areArgumentsUnchanged(question)
      ? undefined
      : yield* Effect.fail(new ElicitationDeclinedError({ tool: question.tool, action: "changed" }))
  })

const inCatalog = (resources: Resources, selected: SelectedConnection, name: string) =>
  Effect.flatMap(
    resultOf(catalogOf(resources, selected)),
    (catalog): Effect.Effect<ToolDef | Extract<ToolResult, { ok: false }>, AgreedCallError> =>
      "ok" in catalog ? Effect.succeed(catalog) : callableTool(resources, selected, catalog, name),
  )

const holdsFor = ({ scope, canonical }: ApprovalQuestion): string => JSON.stringify([scope, canonical])
