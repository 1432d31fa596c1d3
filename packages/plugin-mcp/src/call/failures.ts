/**
 * What went wrong with a call, told apart: the tool says so, the protocol, the transport. Credentials are core's affair.
 */
import type { ToolResult } from "@keyward/core"
import { type CallToolResult, ProtocolError, SdkError, SdkErrorCode, SdkHttpError } from "@modelcontextprotocol/client"
import { answerCut } from "../link/HttpTransport.ts"
import { readContent } from "./content.ts"

type Failure = Extract<ToolResult, { ok: false }>

/** The tool ran and says that it failed: a model reads why. */
export const toolFailure = (result: CallToolResult): Failure => {
  const { text, ...rest } = readContent(result)
  const message = text === undefined || text.trim() === "" ? "The tool failed without saying why." : text
  return failure("mcp_tool_error", message.slice(0, 10_000), { details: rest })
}

/** The server does not have the tool any more. */
export const toolUnavailable = (): Failure =>
  failure("tool_unavailable", "The server no longer has this tool. List the tools again.", {})

/** Whether an answer means that the server does not know the tool; servers agree on no code for it. */
export const isUnknownTool = (name: string, text: string): boolean => {
  if (text.length > 1000) return false
  // A tool may speak of other tools, and of other things that it did not find.
  const [first = "", ...rest] = text.split(name)
  let before = first
  for (const after of rest) {
    const isNamed = /\btool\W{0,4}$/i.test(before) && !/^[\w-]/.test(after)
    if (isNamed && (/\b(unknown|no such) tool\W{0,4}$/i.test(before) || missing.test(after))) return true
    before = after
  }
  return false
}

const missing = /^\W{0,4}(is |was )?(not found|does not exist)/i

/** An error of the client as a result; `undefined` where core knows better, or it is nobody's expectation. */
export const clientFailure = (error: unknown): Failure | undefined => {
  if (error instanceof SdkHttpError && error.status !== undefined) {
    const { status } = error
    if (status === 401 || status === 403) return undefined
    const message = `The server answered with the status ${status}.`
    return failure("mcp_transport_error", message, { status, retryable: status === 429 || status >= 500 })
  }
  if (error instanceof ProtocolError) {
    if (error.code === answerCut) return lostAnswer
    return failure("mcp_protocol_error", error.message.slice(0, 2000), {
      details: { code: error.code, data: error.data },
    })
  }
  if (error instanceof SdkError) {
    switch (error.code) {
      case SdkErrorCode.ConnectionClosed:
        return lostAnswer
      case SdkErrorCode.NotConnected:
      case SdkErrorCode.SendFailed:
        return failure("mcp_transport_error", "The request could not be sent.", { retryable: true })
      case SdkErrorCode.InputRequiredRoundsExceeded:
        return failure("mcp_protocol_error", "The server asked for input too often.", {})
      default:
        return failure("mcp_protocol_error", `The server's answer is none that MCP knows (${error.code}).`, {})
    }
  }
  return undefined
}

/** A person has to visit pages first. */
export const visitRequired = (urls: ReadonlyArray<string>): Failure =>
  failure(
    "mcp_visit_required",
    "A person has to visit a page before this call can be made. Call again when that is done.",
    {
      retryable: true,
      details: { urls },
    },
  )

interface FailureParts {
  readonly status?: number
  readonly retryable?: boolean
  readonly details?: unknown
}

const failure = (code: string, message: string, { retryable = false, ...rest }: FailureParts): Failure => ({
  ok: false,
  error: { code, message, retryable, ...rest },
})

const lostAnswer = failure(
  "mcp_transport_error",
  "The connection ended before the answer was complete. The call may have had an effect; check before repeating it.",
  {},
)
