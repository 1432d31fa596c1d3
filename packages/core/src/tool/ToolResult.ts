/**
 * What a tool call answers: data, or an error that a model can read and act on.
 *
 * What a host must handle is thrown instead; see the errors of `ToolError.ts`.
 */

/** The part of an HTTP exchange that a caller may want to see. */
export interface HttpSummary {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
}

/** Why a call did not give data. */
export interface ToolFailure {
  /** A machine word, such as `invalid_arguments`, `connection_rejected` or `http_error`. */
  readonly code: string
  readonly message: string
  /** The upstream's HTTP status. */
  readonly status?: number | undefined
  readonly retryable: boolean
  readonly details?: unknown
}

/** The answer of `execute`. */
export type ToolResult =
  | { readonly ok: true; readonly data: unknown; readonly http?: HttpSummary | undefined }
  | { readonly ok: false; readonly error: ToolFailure }

/**
 * Reads what a plugin's `invokeTool` returned: a `ToolResult`, or else data.
 *
 * An object counts as a `ToolResult` only if it has exactly that shape; an API's own `{ ok: false, error: "…" }` is data.
 */
export const toToolResult = (value: unknown): ToolResult =>
  isToolResult(value) ? value : { ok: true, data: value === undefined ? null : value }

const isToolResult = (value: unknown): value is ToolResult => {
  if (typeof value !== "object" || value === null || !("ok" in value)) return false
  if (value.ok === true) return "data" in value && Object.keys(value).every((key) => successKeys.has(key))
  if (value.ok !== false || !("error" in value) || Object.keys(value).length !== 2) return false
  const { error } = value
  return (
    typeof error === "object" &&
    error !== null &&
    "code" in error &&
    typeof error.code === "string" &&
    "message" in error &&
    typeof error.message === "string" &&
    "retryable" in error &&
    typeof error.retryable === "boolean"
  )
}

const successKeys = new Set(["ok", "data", "http"])
