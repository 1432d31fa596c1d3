/**
 * One tool call from its connection to its result; the order of things is that of docs/concepts/architecture.md.
 *
 * What the model should read comes back as a `ToolResult`; what the host must handle fails with a typed error.
 */
import * as Effect from "effect/Effect"
import type { IdentityConflictError, IdentityModeError, SubjectRequiredError } from "../../connection/AccountError.ts"
import { connectionAddress } from "../../connection/ConnectionRef.ts"
import type { IntegrationRecord } from "../../integration/Integration.ts"
import type { PluginNotRegisteredError, ToolResolutionError } from "../../integration/IntegrationError.ts"
import type { Plugin } from "../../integration/Plugin.ts"
import type { AccessDeniedError } from "../../policy/AccessError.ts"
import { type ElicitationDeclinedError } from "../../tool/Elicitation.ts"
import type { ToolDef } from "../../tool/Tool.ts"
import type { InvalidToolError, ToolBlockedError, ToolNotFoundError } from "../../tool/ToolError.ts"
import { type ToolFailure, type ToolResult } from "../../tool/ToolResult.ts"
import { andThen } from "../andThen.ts"
import { lentBy } from "../announce.ts"
import { recordedCall } from "../audit/recordedCall.ts"
import type { EventBody } from "../ExecutorEvent.ts"
import { isGranted } from "../oauth/GrantedConnection.ts"
import { resultWithWayOn } from "../oauth/renewalUrl.ts"
import { copyArguments } from "../../policy/copyArguments.ts"
import { askApproval } from "../policies/askApproval.ts"
import { blockedError, decisionOn } from "../policies/policyCheck.ts"
import type { Resources } from "../Resources.ts"
import { pluginOf, type SelectedConnection, type SelectError, usableTemplate } from "../select/ConnectionSelector.ts"
import { catalogOf } from "../tools/Catalogs.ts"
import { describeTool } from "../tools/describeTool.ts"
import { type ArgumentValidator, knownValidator, validatorOf } from "./ArgumentValidator.ts"
import { callableTool } from "./callableTool.ts"
import type { CallTrace } from "./CallTrace.ts"
import { type ExecuteOptions, ToolCall } from "./ToolCall.ts"
import { invalidArguments, notApprovable, resultOf } from "./toolFailures.ts"

/** What a call can fail with, beyond what its result says. */
export type ExecuteError =
  | SelectError
  | IdentityModeError
  | IdentityConflictError
  | SubjectRequiredError
  | AccessDeniedError
  | ToolNotFoundError
  | ToolBlockedError
  | PluginNotRegisteredError
  | ToolResolutionError
  | InvalidToolError
  | ElicitationDeclinedError

/** Runs a tool of a connection that has been selected, and tells a listener of it, for whom there is a `trace`. */
export const invokeSelected = (
  resources: Resources,
  selected: SelectedConnection,
  tool: string,
  args: unknown,
  options: ExecuteOptions | undefined,
  trace: CallTrace | undefined,
): Effect.Effect<ToolResult, ExecuteError> => {
  const called = (): Effect.Effect<ToolResult, ExecuteError> =>
    callTool(resources, selected, tool, args, options, trace)
  const call = isGranted(selected)
    ? () => Effect.flatMap(called(), (result) => resultWithWayOn(resources, selected, result))
    : called
  return trace === undefined ? call() : observed(resources, selected, tool, trace, Effect.suspend(call))
}

const callTool = (
  resources: Resources,
  selected: SelectedConnection,
  name: string,
  given: unknown,
  options: ExecuteOptions | undefined,
  trace: CallTrace | undefined,
): Effect.Effect<ToolResult, ExecuteError> =>
  andThen(pluginOf(resources, selected.integration), (plugin) =>
    andThen(resultOf(catalogOf(resources, selected)), (catalog): Effect.Effect<ToolResult, ExecuteError> => {
      if ("ok" in catalog) return Effect.succeed(catalog)
      return andThen(callableTool(resources, selected, catalog, name), (tool) =>
        andThen(decisionOn(resources, selected, tool, trace), (decision): Effect.Effect<ToolResult, ExecuteError> => {
          if (decision.action === "block") return Effect.fail(blockedError(selected, tool.name, decision))
          const handler = options?.onElicitation ?? resources.onElicitation
          const isAsked = decision.action !== "approve" && handler !== "accept-all"
          // What a person is asked about is what is called, whoever else holds the arguments meanwhile.
          const taken = isAsked ? copyArguments(given) : { copy: given }
          if (taken === undefined) return Effect.succeed(notApprovable)
          const args = taken.copy
          return andThen(validatorFor(resources, plugin, selected.integration, tool), (issuesOf) => {
            const issues = issuesOf(args)
            if (issues.length > 0) return Effect.succeed(invalidArguments(issues))
            return andThen(resultOf(usableTemplate(selected)), (usable) => {
              if ("ok" in usable) return Effect.succeed(usable)
              const call = new ToolCall(resources, selected, tool, args as Record<string, unknown>, options, trace)
              if (decision.action === "approve") return call.invoke(plugin)
              return Effect.flatMap(
                askApproval(
                  resources,
                  { selected, tool, args, given, decision, conversation: options?.conversation },
                  handler,
                  trace,
                ),
                (instead) => (instead === undefined ? call.invoke(plugin) : Effect.succeed(instead)),
              )
            })
          })
        }),
      )
    }),
  )

const validatorFor = (
  resources: Resources,
  plugin: Plugin,
  integration: IntegrationRecord,
  tool: ToolDef,
): Effect.Effect<ArgumentValidator, ToolResolutionError | InvalidToolError> => {
  const known = knownValidator(tool)
  return known === undefined
    ? Effect.flatMap(describeTool(resources, plugin, integration, tool), ({ inputSchema }) =>
        validatorOf(integration.slug, tool, inputSchema),
      )
    : Effect.succeed(known)
}

const observed = (
  resources: Resources,
  selected: SelectedConnection,
  tool: string,
  trace: CallTrace,
  called: Effect.Effect<ToolResult, ExecuteError>,
): Effect.Effect<ToolResult, ExecuteError> =>
  Effect.suspend(() => {
    const startedAt = performance.now()
    const { identity, row } = selected
    return recordedCall(resources, called, (ended) => {
      const failure = "value" in ended && !ended.value.ok ? ended.value.error : undefined
      const outcome = "failure" in ended ? ended.failure : (failure?.code ?? "ok")
      const { shown, span, ...told } = trace
      span?.attribute("connection", connectionAddress(row))
      span?.attribute("outcome", outcome)
      const event: EventBody = {
        type: "tool.called",
        connection: connectionAddress(row),
        integration: row.integration,
        owner: row.owner,
        tool,
        ...lentBy(selected),
        ...told,
        outcome,
        durationMs: performance.now() - startedAt,
      }
      resources.emit(identity, event, shown)
      if (failure !== undefined) reportCredentialFailure(resources, selected, failure)
    })
  })

const reportCredentialFailure = (
  resources: Resources,
  selected: SelectedConnection,
  { code, details }: ToolFailure,
): void => {
  const { category, reason } = (details ?? {}) as { readonly category?: unknown; readonly reason?: unknown }
  if (category !== "authentication") return
  const { identity, row } = selected
  resources.emit(identity, {
    type: "credential.failed",
    connection: connectionAddress(row),
    integration: row.integration,
    owner: row.owner,
    ...lentBy(selected),
    code,
    reason: String(reason),
  })
}
