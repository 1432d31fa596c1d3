/**
 * Asking a person: for consent to a call, or for something a plugin needs to know.
 *
 * Answered by the host's `onElicitation`. A question that nobody can answer is declined, so approvals fail closed. The
 * answers are those of MCP elicitation, and how long an approval is to hold.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { quote, taggedError } from "../error/KeywardError.ts"
import type { JsonSchema } from "./Tool.ts"

/** A question for a person. */
export type ElicitationRequest =
  /** May this call be made? */
  | {
      readonly kind: "approval"
      readonly message: string
      /** The tool's address. */
      readonly tool: string
      /** A copy of what the tool will get. */
      readonly args: unknown
      /** The arguments as people should be shown them: JSON, cut, secrets hidden. */
      readonly arguments: ReadonlyArray<{ readonly name: string; readonly value: string }>
      /** What the host said the call belongs to. */
      readonly conversation?: string | undefined
    }
  /** A form; the answer's content is to satisfy the schema. */
  | { readonly kind: "form"; readonly message: string; readonly tool: string; readonly schema: JsonSchema }
  /** A page that the person is to visit. */
  | { readonly kind: "url"; readonly message: string; readonly tool: string; readonly url: string }

/** What the person did: agreed, refused, or walked away. */
export interface ElicitationResponse {
  readonly action: "accept" | "decline" | "cancel"
  /** The filled form. */
  readonly content?: Readonly<Record<string, unknown>> | undefined
  /**
   * Of an approval: whether it holds for this call (`once`, the default), for every call of the tool on this account in the conversation,
   * or for every call with the same arguments until it expires.
   */
  readonly remember?: "once" | "conversation" | "arguments" | undefined
}

/**
 * How a host answers: a function, `"accept-all"`, `"defer"`, or, by default, not at all, which declines.
 *
 * With `"defer"` a call that needs an approval answers `approval_required` and can be repeated once `approvals.answer` was called; other
 * questions are declined.
 */
export type ElicitationHandler =
  "accept-all" | "defer" | ((request: ElicitationRequest) => Promise<ElicitationResponse> | ElicitationResponse)

/** What a plugin asks; the tool's address is added on the way. */
export type PluginElicitation =
  | { readonly kind: "form"; readonly message: string; readonly schema: JsonSchema }
  | { readonly kind: "url"; readonly message: string; readonly url: string }

/** The person refused, or nobody answered. Thrown for approvals; a plugin gets its question's answer as a value. */
export class ElicitationDeclinedError extends taggedError<ElicitationDeclinedError>()(
  "ElicitationDeclinedError",
  { tool: Schema.String, action: Schema.Literals(["decline", "cancel", "unanswered", "changed"]) },
  403,
) {
  override get message(): string {
    if (this.action === "changed") {
      return `What a person was asked about changed meanwhile: the arguments, the account or the tool ${quote(this.tool, 200)}. Call it again, and leave the arguments alone.`
    }
    return this.action === "unanswered"
      ? `The call of ${quote(this.tool, 200)} needs a person's approval, and nobody answered. Pass onElicitation to createExecutor or execute.`
      : `A person did not approve the call of ${quote(this.tool, 200)} (${this.action}). Do not repeat it unasked.`
  }
}

/** Puts a question to the host. A missing or failing handler declines. */
export const elicit = (
  handler: ElicitationHandler | undefined,
  request: ElicitationRequest,
): Effect.Effect<ElicitationResponse> => {
  if (handler === undefined || handler === "defer") return Effect.succeed(declined)
  if (handler === "accept-all") return Effect.succeed(accepted)
  return Effect.orElseSucceed(
    Effect.map(
      Effect.tryPromise(async () => handler(request)),
      (response) => (answers.has(response?.action) && scopes.has(response.remember) ? response : declined),
    ),
    () => declined,
  )
}

/**
 * Asks whether a call may be made; answers how somebody agreed, and fails with {@link ElicitationDeclinedError} unless somebody does so
 * within `timeoutMs`.
 */
export const requireApproval = (
  handler: ElicitationHandler | undefined,
  request: Extract<ElicitationRequest, { kind: "approval" }>,
  timeoutMs: number,
): Effect.Effect<ElicitationResponse, ElicitationDeclinedError> => {
  const unanswered = new ElicitationDeclinedError({ tool: request.tool, action: "unanswered" })
  if (handler === undefined) return Effect.fail(unanswered)
  return Effect.flatMap(
    Effect.timeoutOrElse(elicit(handler, request), { duration: timeoutMs, orElse: () => Effect.fail(unanswered) }),
    (response) =>
      response.action === "accept"
        ? Effect.succeed(response)
        : Effect.fail(new ElicitationDeclinedError({ tool: request.tool, action: response.action })),
  )
}

const accepted: ElicitationResponse = { action: "accept" }
const declined: ElicitationResponse = { action: "decline" }
const answers: ReadonlySet<unknown> = new Set(["accept", "decline", "cancel"])
const scopes: ReadonlySet<unknown> = new Set([undefined, "once", "conversation", "arguments"])
