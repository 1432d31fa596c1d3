/**
 * The namespace `executor.approvals`: what waits for a person's answer, and what was answered.
 *
 * Answered by the subject whose call it is, or by an executor without a subject. Never on an agent's executor: it would approve itself.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { quote } from "../../error/KeywardError.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity } from "../../identity/Identity.ts"
import {
  type Approval,
  type ApprovalRecord,
  type ApprovalScope,
  type ApprovalStatus,
  toApproval,
} from "../../policy/Approval.ts"
import { ApprovalAnsweredError, ApprovalNotFoundError, InvalidApprovalInputError } from "../../policy/ApprovalError.ts"
import { isSigned, signApproval } from "../../policy/approvalSignature.ts"
import { commitChange } from "../audit/commitChange.ts"
import { checkedPage } from "../checkedPage.ts"
import type { EventBody } from "../ExecutorEvent.ts"
import type { Resources } from "../Resources.ts"

/** Which approvals to list. */
export interface ListApprovalsInput {
  readonly status?: ApprovalStatus | undefined
  /** At most so many. Default 100. */
  readonly limit?: number | undefined
  /** The id of the last approval of the page before. */
  readonly after?: string | undefined
}

/** A person's answer. */
export interface AnswerApprovalInput {
  readonly action: "accept" | "decline"
  /** How long it holds. Default `once`. */
  readonly remember?: ApprovalScope | undefined
}

/** What answering can fail with. */
export type AnswerApprovalError =
  ApprovalNotFoundError | ApprovalAnsweredError | InvalidApprovalInputError | StoreUnavailableError

/** The approvals that a caller may answer or take back, the oldest first. */
export const listApprovals = (
  { store, approvals }: Resources,
  identity: Identity,
  { status, ...input }: ListApprovalsInput,
): Effect.Effect<ReadonlyArray<Approval>, InvalidApprovalInputError | StoreUnavailableError> =>
  Effect.gen(function* () {
    const { limit, after } = yield* checkedPage(
      input,
      (field, fault) => new InvalidApprovalInputError({ field, fault }),
      100,
    )
    // From a form or a wire, it may be anything.
    if (status !== undefined && !statuses.has(status)) {
      return yield* invalid("status", `${quote(status)} is not "pending", "accepted" or "declined".`)
    }
    if (identity.agent !== undefined) return []
    const now = yield* Clock.currentTimeMillis
    const { tenant, subject } = identity
    const listed: Array<Approval> = []
    let position = after
    while (listed.length < limit) {
      const size = Math.min(limit - listed.length, mostPerPage)
      const page: ReadonlyArray<ApprovalRecord> = yield* store.approvals.list({
        tenant,
        subject,
        status,
        validAt: now,
        after: position,
        limit: size,
      })
      listed.push(...page.filter((record) => isSigned(approvals.keys, record)).map(toApproval))
      if (page.length < size) break
      position = page[page.length - 1]?.id
    }
    return listed
  })

/** Answers an approval that waits. */
export const answerApproval = (
  resources: Resources,
  identity: Identity,
  id: string,
  input: AnswerApprovalInput,
): Effect.Effect<Approval, AnswerApprovalError> =>
  Effect.gen(function* () {
    const { store, approvals } = resources
    const remember = yield* checkedAnswer(input)
    const record = yield* ownApproval(resources, identity, id)
    if (record.status !== "pending") return yield* answered(record)
    if (remember === "conversation" && record.conversationKey === null) {
      const fault = "the call belonged to no conversation; name one with `conversation` of execute."
      return yield* Effect.fail(new InvalidApprovalInputError({ field: "remember", fault }))
    }
    const now = yield* Clock.currentTimeMillis
    const next = signApproval(approvals.keys, {
      ...record,
      status: remember === null ? "declined" : "accepted",
      remember,
      key: remember === "conversation" ? (record.conversationKey ?? record.key) : record.key,
      answeredAt: now,
      answeredBy: identity.subject,
      expiresAt: now + approvals.expiresAfterMs,
      version: record.version + 1,
    })
    const told = eventOf(next, {
      type: "approval.answered",
      action: input.action,
      ...(remember === null ? {} : { remember }),
    })
    if (!(yield* commitChange(resources, identity, store.approvals.put(next, record.version), told))) {
      return yield* answered(yield* ownApproval(resources, identity, id))
    }
    return toApproval(next)
  })

/** Takes back an approval, or a question that waits; the next such call asks anew. */
export const revokeApproval = (
  resources: Resources,
  identity: Identity,
  id: string,
): Effect.Effect<void, ApprovalNotFoundError | StoreUnavailableError> =>
  Effect.gen(function* () {
    const record = yield* ownApproval(resources, identity, id)
    const write = resources.store.approvals.take(record.tenant, record.id, record.version)
    const revoked = eventOf(record, { type: "approval.revoked" })
    if (!(yield* commitChange(resources, identity, write, revoked))) return yield* notFound(id)
  })

const mostPerPage = 200
const statuses: ReadonlySet<unknown> = new Set<ApprovalStatus>(["pending", "accepted", "declined"])

const ownApproval = (
  { store, approvals }: Resources,
  { tenant, subject, agent }: Identity,
  id: string,
): Effect.Effect<ApprovalRecord, ApprovalNotFoundError | StoreUnavailableError> =>
  Effect.gen(function* () {
    if (typeof id !== "string" || agent !== undefined) return yield* notFound(id)
    const record = yield* store.approvals.get(tenant, id)
    const now = yield* Clock.currentTimeMillis
    return record !== undefined &&
      (subject === null || record.subject === subject) &&
      record.expiresAt > now &&
      isSigned(approvals.keys, record)
      ? record
      : yield* notFound(id)
  })

const checkedAnswer = (input: AnswerApprovalInput): Effect.Effect<ApprovalScope | null, InvalidApprovalInputError> => {
  // From a form or a wire, it may be anything.
  const { action, remember = "once" } = (input ?? {}) as { readonly action?: unknown; readonly remember?: unknown }
  if (action !== "accept" && action !== "decline") return invalid("action", `must be "accept" or "decline".`)
  if (remember !== "once" && remember !== "conversation" && remember !== "arguments") {
    return invalid("remember", `${quote(remember)} is not "once", "conversation" or "arguments".`)
  }
  return Effect.succeed(action === "accept" ? remember : null)
}

const eventOf = (
  { id, tool, connection, integration, owner }: ApprovalRecord,
  event:
    | { readonly type: "approval.answered"; readonly action: "accept" | "decline"; readonly remember?: ApprovalScope }
    | { readonly type: "approval.revoked" },
): EventBody => ({ ...event, approval: id, tool, connection, integration, owner })

const answered = ({ id, status }: ApprovalRecord): Effect.Effect<never, ApprovalAnsweredError> =>
  Effect.fail(new ApprovalAnsweredError({ id, status }))

const notFound = (id: unknown): Effect.Effect<never, ApprovalNotFoundError> =>
  Effect.fail(new ApprovalNotFoundError({ id: typeof id === "string" ? id : typeof id }))

const invalid = (field: string, fault: string): Effect.Effect<never, InvalidApprovalInputError> =>
  Effect.fail(new InvalidApprovalInputError({ field, fault }))
