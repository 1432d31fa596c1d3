/**
 * What a model reads of a tool's result: its data, or its error with what to do next. The HTTP exchange stays with the host.
 */
import type { ToolResult } from "@keyward/core"
import type { JSONValue, ToolResultPart } from "ai"

/** A tool's result as the AI SDK puts it into the model's messages. */
export const modelOutput = (result: ToolResult): ToolResultPart["output"] =>
  result.ok
    ? { type: "json", value: toJson(result.data) }
    : { type: "error-json", value: toJson({ error: result.error }) }

/** A plugin's data may hold what JSON does not know; a model reads JSON. */
export const toJson = (value: unknown): JSONValue => {
  const text = JSON.stringify(value, (_, part: unknown) => (typeof part === "bigint" ? part.toString() : part))
  return text === undefined ? null : (JSON.parse(text) as JSONValue)
}
