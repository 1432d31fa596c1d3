/**
 * The reserved argument `_identity`, by which a model says whose connection a call runs as: `org` or `user`.
 *
 * Taken out of the arguments of every call before anything looks at them, whatever the integration's mode, and shown in the schemas of
 * tools for which it can matter.
 */
import type { Owner } from "../../identity/Identity.ts"
import type { JsonSchema, ToolSchema } from "../../tool/Tool.ts"
import type { ToolResult } from "../../tool/ToolResult.ts"
import { invalidArguments } from "../call/toolFailures.ts"

/** Its name. */
const identityArgument = "_identity"

/** Arguments without it, and what it said. */
export interface TakenArguments {
  readonly args: unknown
  readonly asked: Owner | undefined
}

/** Takes the argument out, or answers why it cannot be used. What was passed stays as it is. */
export const takeIdentity = (args: unknown): TakenArguments | Refused => {
  if (args === undefined) return nothing
  if (typeof args !== "object" || args === null || !(identityArgument in args) || Array.isArray(args)) {
    return { args, asked: undefined }
  }
  const { [identityArgument]: asked, ...rest } = args as Record<string, unknown>
  return asked === undefined || asked === "org" || asked === "user"
    ? { args: rest, asked }
    : (invalidArguments([{ path: `/${identityArgument}`, expected: 'must be "org" or "user"' }]) as Refused)
}

/** A tool's schemas with the argument, for an address that leaves the choice. */
export const withIdentityArgument = (schema: ToolSchema): ToolSchema => ({
  ...schema,
  inputSchema: {
    ...schema.inputSchema,
    properties: { ...(schema.inputSchema["properties"] as JsonSchema | undefined), [identityArgument]: argumentSchema },
  },
  ...(schema.inputTypeScript === undefined
    ? {}
    : {
        inputTypeScript: `(${schema.inputTypeScript}) & {\n  /** ${argumentSchema.description} */\n  ${identityArgument}?: "org" | "user"\n}`,
      }),
})

const argumentSchema = {
  type: "string",
  enum: ["org", "user"],
  description:
    "Whose connection the call runs as: the organisation's or the acting user's own. Default: the user's where a user acts. Never sent.",
}

type Refused = Extract<ToolResult, { ok: false }>

const nothing: TakenArguments = { args: {}, asked: undefined }
