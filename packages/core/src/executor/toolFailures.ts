/**
 * Failures as a model reads them: of arguments, of credentials, of sending.
 *
 * Called by the tool invoker and the tool call; docs/reference/errors.md lists the codes.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { ConnectionCredentialError } from "../connection/ConnectionError.ts"
import { EgressTimeoutError, type HttpError, NetworkError } from "../http/HttpError.ts"
import { type ToolFailure, type ToolResult } from "../tool/ToolResult.ts"
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
    retryable: error instanceof EgressTimeoutError || error instanceof NetworkError,
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
