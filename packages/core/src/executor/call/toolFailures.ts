/**
 * Failures as a model reads them: of arguments, of credentials, of sending.
 *
 * Called by the tool invoker and the tool call; docs/reference/errors.md lists the codes.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { ConnectionCredentialError } from "../../connection/ConnectionError.ts"
import { EgressTimeoutError, type HttpError, NetworkError, transportNotLoaded } from "../../http/HttpError.ts"
import type { ApprovalRecord } from "../../policy/Approval.ts"
import { type ToolFailure, type ToolResult } from "../../tool/ToolResult.ts"
import { type ArgumentIssue } from "./ArgumentValidator.ts"
import { rejectionStatus } from "./CallRecord.ts"

/** Turns a credential's failure into the result that a model reads; every other failure stays one. */
export const resultOf = <A, E>(
  effect: Effect.Effect<A, E>,
): Effect.Effect<A | Extract<ToolResult, { ok: false }>, Exclude<E, ConnectionCredentialError>> =>
  Exit.isExit(effect) && Exit.isSuccess(effect as Exit.Exit<A, E>)
    ? (effect as Exit.Exit<A>)
    : Effect.catch(effect, (error) =>
        error instanceof ConnectionCredentialError
          ? Effect.succeed(credentialFailure(error))
          : Effect.fail(error as Exclude<E, ConnectionCredentialError>),
      )

/** Why a credential could not be used or was turned down, and the way on; `upstream` is what the plugin made of the answer. */
export const credentialFailure = (
  failure: ConnectionCredentialError,
  upstream?: ToolFailure,
): Extract<ToolResult, { ok: false }> => ({
  ok: false,
  error: {
    code: failure.code,
    message: failure.message,
    ...statusOf(failure, upstream),
    retryable: failure.retryable,
    details: {
      category: "authentication",
      connection: failure.connection,
      reason: failure.reason,
      nextStep: failure.nextStep,
      ...(failure.authRequired ? { authRequired: true } : {}),
      ...(failure.scope === undefined ? {} : { scope: failure.scope }),
      ...(failure.authorizeUrl === undefined ? {} : { authorizeUrl: failure.authorizeUrl }),
      ...(failure.retryAfterMs === undefined ? {} : { retryAfterMs: failure.retryAfterMs }),
      ...(upstream === undefined ? {} : { upstream: { message: upstream.message, details: upstream.details } }),
    },
  },
})

/** Why a request was not sent or not answered. */
export const httpFailure = (error: HttpError): ToolResult => ({
  ok: false,
  error: {
    code: httpCodes[error._tag],
    message: error.message,
    retryable:
      error instanceof EgressTimeoutError || (error instanceof NetworkError && error.code !== transportNotLoaded),
  },
})

/** What is wrong with the arguments, by path. */
export const invalidArguments = (issues: ReadonlyArray<ArgumentIssue>): ToolResult => ({
  ok: false,
  error: {
    code: "invalid_arguments",
    message: `The arguments do not fit the tool's input schema: ${issues
      .map(({ path, expected }) => `${path === "" ? "the arguments" : path} ${expected}`)
      .join("; ")}. Nothing was sent; correct them and call again.`,
    retryable: false,
    details: { issues },
  },
})

/** That a person has to approve the call first, and by which id. */
export const approvalRequired = ({ id, what, tool, expiresAt }: ApprovalRecord): ToolResult => ({
  ok: false,
  error: {
    code: "approval_required",
    message: `A person has to approve this call first: ${what} Nothing was sent. Make the same call, with the same arguments, once approval ${id} is given.`,
    retryable: false,
    details: { approvalId: id, tool, what, expiresAt },
  },
})

/** That a person said no to this call. */
export const approvalDeclined = ({ id, tool, expiresAt }: ApprovalRecord): ToolResult => ({
  ok: false,
  error: {
    code: "approval_declined",
    message: "A person did not approve this call with these arguments. Nothing was sent. Do not repeat it unasked.",
    retryable: false,
    details: { approvalId: id, tool, expiresAt },
  },
})

/** That the call needs an approval, and that too many of the caller's wait for one. */
export const tooManyApprovals: ToolResult = {
  ok: false,
  error: {
    code: "too_many_approvals",
    message:
      "A person has to approve this call, and too many calls of this caller wait for that already. Nothing was sent; go on once some of them are answered.",
    retryable: false,
  },
}

/** That the call needs an approval which nothing could be held to. */
export const notApprovableLater: ToolResult = {
  ok: false,
  error: {
    code: "invalid_arguments",
    message:
      "A person has to approve this call, and the arguments are not plain JSON of up to 1 MB, so that an approval could not be held to them. Nothing was sent; pass plain values.",
    retryable: false,
    details: { issues: [{ path: "", expected: "must be plain JSON of up to 1 MB" }] },
  },
}

/** That the call needs an approval, and that its arguments could become others while a person reads. */
export const notApprovable: Extract<ToolResult, { ok: false }> = {
  ok: false,
  error: {
    code: "invalid_arguments",
    message:
      "A person has to approve this call, and the arguments hold something of which no copy can be kept meanwhile: a function, a stream, an accessor, a cycle or an instance of a class. Nobody was asked and nothing was sent; pass plain values, dates or bytes.",
    retryable: false,
    details: { issues: [{ path: "", expected: "must be plain data, dates or bytes" }] },
  },
}

const statusOf = (
  failure: ConnectionCredentialError,
  upstream: ToolFailure | undefined,
): { readonly status?: number } => {
  const status = upstream?.status ?? rejectionStatus(failure)
  return status === undefined ? {} : { status }
}

const httpCodes: Readonly<Record<HttpError["_tag"], string>> = {
  OriginNotAllowedError: "origin_not_allowed",
  AddressNotAllowedError: "address_not_allowed",
  RedirectRefusedError: "redirect_refused",
  EgressTimeoutError: "timeout",
  ResponseTooLargeError: "response_too_large",
  NetworkError: "network_error",
  InvalidRequestError: "invalid_request",
}
