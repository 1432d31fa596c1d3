/**
 * A list of tools as it comes from a server, made such that the client takes it: one tool that is no tool must not cost the others.
 *
 * What was changed is written beside each tool, where `toToolDefs` finds it; whatever a server wrote there itself is gone.
 */
import type { JsonSchema } from "@keyward/core"
import type { JSONRPCMessage } from "@modelcontextprotocol/client"
import { mendSchema } from "./mendSchema.ts"

/** What is wrong with a tool that was listed. */
export interface ToolFaults {
  /** Why it cannot be used at all; `undefined` where it can. */
  readonly unusable?: string | undefined
  /** What was left out of it. */
  readonly leftOut: ReadonlyArray<string>
}

/** Mends the tools of a message in place, if it holds any; `isModern` tells by which revision the client reads them. */
export const mendListing = (message: JSONRPCMessage, isModern: boolean): void => {
  const result: unknown = "result" in message ? message.result : undefined
  // Nothing else that is read of an answer is called `tools`.
  if (!isMembers(result) || !Array.isArray(result["tools"])) return
  result["tools"] = result["tools"].map((tool: unknown) => mendTool(tool, isModern))
}

/** What was wrong with a tool when it came; `undefined` for most. */
export const faultsOf = ({ _meta: meta }: { readonly _meta?: Members | undefined }): ToolFaults | undefined =>
  meta?.[faultsKey] as ToolFaults | undefined

type Members = Record<string, unknown>

const faultsKey = "keyward/faults"

const mendTool = (tool: unknown, isModern: boolean): Members => {
  const leftOut: Array<string> = []
  if (!isMembers(tool) || typeof tool["name"] !== "string") return unusable("", "it has no name")
  const { name } = tool
  const inputSchema = mendInput(tool["inputSchema"], leftOut)
  if (inputSchema === undefined) return unusable(name, "its input is no object")
  const outputSchema = mendOutput(tool["outputSchema"], isModern, leftOut)
  const annotations = mendAnnotations(tool["annotations"], leftOut)
  return {
    name,
    ...textOf(tool, "title", leftOut),
    ...textOf(tool, "description", leftOut),
    inputSchema,
    ...(outputSchema === undefined ? {} : { outputSchema }),
    ...(annotations === undefined ? {} : { annotations }),
    ...(leftOut.length === 0 ? {} : { _meta: { [faultsKey]: { leftOut } satisfies ToolFaults } }),
  }
}

/** A place in the list that is told of and never shown. */
const unusable = (name: string, why: string): Members => ({
  name,
  inputSchema: { type: "object" },
  _meta: { [faultsKey]: { unusable: why, leftOut: [] } satisfies ToolFaults },
})

/** `undefined` where a call could never fit it. */
const mendInput = (given: unknown, leftOut: Array<string>): JsonSchema | undefined => {
  if (given === undefined || given === null) return { type: "object" }
  if (!isMembers(given)) {
    leftOut.push("inputSchema")
    return { type: "object" }
  }
  const { type } = given
  if (typeof type === "string" && type !== "object") return undefined
  if (Array.isArray(type) && type.every((one) => typeof one === "string") && !type.includes("object")) return undefined
  // Arguments are an object whatever a server says of them.
  return mended("inputSchema", type === "object" ? given : { ...given, type: "object" }, leftOut)
}

const mendOutput = (given: unknown, isModern: boolean, leftOut: Array<string>): JsonSchema | undefined => {
  if (given === undefined || given === null) return undefined
  // The older revisions know objects only, and clients of them read nothing else.
  if (isMembers(given) && (isModern || given["type"] === "object")) return mended("outputSchema", given, leftOut)
  leftOut.push("outputSchema")
  return undefined
}

const mended = (part: string, given: JsonSchema, leftOut: Array<string>): JsonSchema => {
  const found = mendSchema(given)
  for (const path of found.leftOut) leftOut.push(`${part}${path}`)
  return found.schema
}

const hints = ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] as const

const mendAnnotations = (given: unknown, leftOut: Array<string>): Members | undefined => {
  if (given === undefined || given === null) return undefined
  if (!isMembers(given)) {
    leftOut.push("annotations")
    return undefined
  }
  const kept: Members = textOf(given, "title", leftOut, "annotations/")
  for (const hint of hints) {
    const value = given[hint]
    if (typeof value === "boolean") kept[hint] = value
    else if (value !== undefined && value !== null) leftOut.push(`annotations/${hint}`)
  }
  return kept
}

const textOf = (given: Members, name: string, leftOut: Array<string>, place = ""): Members => {
  const value = given[name]
  if (typeof value === "string") return { [name]: value }
  // Servers write `null` for what they leave out.
  if (value !== undefined && value !== null) leftOut.push(`${place}${name}`)
  return {}
}

const isMembers = (value: unknown): value is Members =>
  typeof value === "object" && value !== null && !Array.isArray(value)
