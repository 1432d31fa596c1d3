/**
 * The tool that a caller names, if it is one that they may call.
 *
 * What was not granted is not there, and is not suggested either, as little as what policy blocks; only who may use a tool for something else is told what is missing.
 */
import * as Effect from "effect/Effect"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import { AccessDeniedError } from "../../policy/AccessError.ts"
import { accessOfTool } from "../../policy/AccessScope.ts"
import type { ToolDef } from "../../tool/Tool.ts"
import { toolAddress } from "../../tool/ToolAddress.ts"
import type { ToolCatalog } from "../../tool/ToolCatalog.ts"
import { ToolNotFoundError } from "../../tool/ToolError.ts"
import { mayCall, type VisibleConnection } from "../agents/access.ts"
import { shownTools, shownToolsOf } from "../policies/policyCheck.ts"
import type { Resources } from "../Resources.ts"

/** See the file's header. */
export const callableTool = (
  resources: Pick<Resources, "store" | "defaultPolicy">,
  connection: VisibleConnection,
  catalog: ToolCatalog,
  name: string,
): Effect.Effect<ToolDef, ToolNotFoundError | AccessDeniedError | StoreUnavailableError> => {
  const tool = catalog.get(name)
  const decision = tool === undefined ? "hidden" : mayCall(connection, tool)
  if (tool !== undefined && decision === "allowed") return Effect.succeed(tool)
  const address = toolAddress(connection.row, name)
  if (tool !== undefined && decision === "denied") {
    return Effect.fail(new AccessDeniedError({ address, missing: accessOfTool(tool.annotations) }))
  }
  const shown = Effect.flatMap(shownTools(resources, connection.identity), (isShown) =>
    shownToolsOf(resources, isShown, connection),
  )
  return Effect.flatMap(shown, (isShown) => {
    const suggestions = catalog
      .near(name, catalog.tools.length)
      .filter((one) => {
        const tool = catalog.get(one)
        return tool !== undefined && mayCall(connection, tool) === "allowed" && isShown(tool)
      })
      .slice(0, 5)
      .map((one) => toolAddress(connection.row, one))
    return Effect.fail(new ToolNotFoundError({ address, suggestions }))
  })
}
