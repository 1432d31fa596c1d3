/** `executor.tools` on the Effect surface: the verbs of this folder, bound to the identity that they act for. */
import type * as Effect from "effect/Effect"
import type { InvalidConnectionInputError } from "../../connection/ConnectionError.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity } from "../../identity/Identity.ts"
import type { Tool, ToolSchema } from "../../tool/Tool.ts"
import type { Resources } from "../Resources.ts"
import { type FoundTool, searchTools, type SearchToolsInput } from "./searchTools.ts"
import { listTools, type ListToolsInput, toolSchema, type ToolSchemaError } from "./Tools.ts"

/** `executor.tools` on the Effect surface. */
export interface EffectTools {
  list(input?: ListToolsInput): Effect.Effect<ReadonlyArray<Tool>, InvalidConnectionInputError | StoreUnavailableError>
  search(
    input: SearchToolsInput,
  ): Effect.Effect<ReadonlyArray<FoundTool>, InvalidConnectionInputError | StoreUnavailableError>
  schema(address: string): Effect.Effect<ToolSchema | null, ToolSchemaError>
}

/** Binds `executor.tools` to an identity. */
export const toolsOf = (resources: Resources, identity: Identity): EffectTools => ({
  list: (input = {}) => listTools(resources, identity, input),
  search: (input) => searchTools(resources, identity, input),
  schema: (address) => toolSchema(resources, identity, address),
})
