/**
 * What a tool call answers: data, or an error that a model can read and act on.
 *
 * What a host must handle is thrown instead; see the errors of `ToolError.ts`.
 */

import type { Owner } from "../identity/Identity.ts"
import type { IdentityMode } from "../identity/IdentityMode.ts"

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

/** Which account a call ran as that did not name its connection by a full address. */
export interface CalledAccount {
  /** The connection's address. */
  readonly connection: string
  readonly identityLabel: string | null
  readonly identityMode: IdentityMode
  /** Named by the call (`account`), marked `default`, or the `only` one. */
  readonly chosenBy: "address" | "account" | "default" | "only"
  /** The user whose account it is, where another shares it with the caller. */
  readonly sharedBy?: string | undefined
  /** Whose connection the call itself asked for, where it did. */
  readonly override?: Owner | undefined
}

/** The answer of `execute` and `call`. `account` is there where the connection was selected. */
export type ToolResult =
  | {
      readonly ok: true
      readonly data: unknown
      readonly http?: HttpSummary | undefined
      readonly account?: CalledAccount | undefined
    }
  | { readonly ok: false; readonly error: ToolFailure; readonly account?: CalledAccount | undefined }

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
