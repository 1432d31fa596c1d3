/** The schemas of tools that leave them out of the catalog: described by their plugin when somebody asks. */
import * as Effect from "effect/Effect"
import type { IntegrationRecord } from "../../integration/Integration.ts"
import { ToolResolutionError } from "../../integration/IntegrationError.ts"
import type { HandlerResult, Plugin, ToolDescription } from "../../integration/Plugin.ts"
import { anyObject, type JsonSchema, type ToolDef } from "../../tool/Tool.ts"
import { callHandler, reasonOf, withinToolTimeout } from "../call/callHandler.ts"
import type { Resources } from "../Resources.ts"

/** The schemas of a tool: its own, or those that its plugin describes. Described once per tool. */
export const describeTool = (
  resources: Resources,
  plugin: Plugin,
  integration: IntegrationRecord,
  tool: ToolDef,
): Effect.Effect<ToolDescription, ToolResolutionError> => {
  if (tool.inputSchema !== undefined || plugin.describeTool === undefined) {
    return Effect.succeed({ inputSchema: tool.inputSchema ?? anyObject, outputSchema: tool.outputSchema ?? null })
  }
  const known = descriptions.get(tool)
  if (known !== undefined) return Effect.succeed(known)
  return callHandler(() => plugin.describeTool?.({ integration, tool }) as HandlerResult<ToolDescription>).pipe(
    withinToolTimeout(resources),
    Effect.tap((description) => Effect.sync(() => descriptions.set(tool, description))),
    Effect.mapError(
      (error) => new ToolResolutionError({ integration: integration.slug, plugin: plugin.id, reason: reasonOf(error) }),
    ),
  )
}

/** The schema of a tool that was described before, or says it itself. */
export const knownInputSchema = (tool: ToolDef): JsonSchema | undefined =>
  tool.inputSchema ?? descriptions.get(tool)?.inputSchema

const descriptions = new WeakMap<ToolDef, ToolDescription>()
