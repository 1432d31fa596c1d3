/**
 * An account that could not be chosen, as a result: whoever reads it can name another, or have a person connect one.
 */
import { AccountNotFoundError, AmbiguousAccountError, ConnectionRequiredError } from "../../connection/AccountError.ts"
import type { ToolResult } from "../../tool/ToolResult.ts"

/** The errors that a call answers with instead of failing with them. */
export type AccountProblem = AmbiguousAccountError | AccountNotFoundError | ConnectionRequiredError

/** Whether an error is one that a call answers with. */
export const isAccountProblem = (error: unknown): error is AccountProblem =>
  error instanceof AmbiguousAccountError ||
  error instanceof AccountNotFoundError ||
  error instanceof ConnectionRequiredError

/** The machine word of a problem. */
export const accountCode = (problem: AccountProblem): string => {
  if (problem instanceof AmbiguousAccountError) return "ambiguous_account"
  return problem instanceof AccountNotFoundError ? "account_not_found" : "connection_required"
}

/** What a model reads of it. */
export const accountFailure = (problem: AccountProblem): Extract<ToolResult, { ok: false }> => ({
  ok: false,
  error: { code: accountCode(problem), message: problem.message, retryable: false, details: detailsOf(problem) },
})

const detailsOf = (problem: AccountProblem): Readonly<Record<string, unknown>> => {
  const { integration, owner } = problem
  if (!(problem instanceof ConnectionRequiredError)) {
    const { account, candidates, hasMore } = problem
    return { category: "account", integration, owner, ...(account === null ? {} : { account }), candidates, hasMore }
  }
  const { mode, connection, templates, nextStep, authorizeUrl, connectUrl, candidates } = problem
  return {
    category: "authentication",
    authRequired: true,
    reason: "not_connected",
    integration,
    owner,
    identityMode: mode,
    connection,
    templates,
    nextStep,
    ...(authorizeUrl === undefined ? {} : { authorizeUrl }),
    ...(connectUrl === undefined ? {} : { connectUrl }),
    ...(candidates === undefined ? {} : { candidates }),
  }
}
