/**
 * Which words of a server mean that it does not have a tool.
 */
import { describe, expect, it } from "vitest"
import { isUnknownTool } from "../../src/call/failures.ts"

describe("an unknown tool", () => {
  it.each([
    "Unknown tool: get",
    "Unknown tool: 'get'",
    "MCP error -32602: Tool get not found",
    'Tool "get" does not exist.',
    "no such tool `get`",
  ])("is meant by %j", (text) => {
    expect(isUnknownTool("get", text)).toBe(true)
  })

  it.each([
    "Tool call failed: could not get the file, README not found",
    "The build tool was not found in the target directory",
    "get: tool chain not found",
    "Unknown tool: getter",
    "Tool widget not found",
  ])("is not meant by %j", (text) => {
    expect(isUnknownTool("get", text)).toBe(false)
  })
})
