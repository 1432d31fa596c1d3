/**
 * Asking a person before a call: by the host's handler now, or by an approval that is answered later.
 *
 * An approval that was given is found by what the call is, so nothing but the call it was given for finds it. One that holds once is
 * taken out of the store by the call that uses it; of any number at the same time, one gets it.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { ApprovalRecord, ApprovalScope } from "../../policy/Approval.ts"
import { isSigned } from "../../policy/approvalSignature.ts"
import { copyArguments } from "../../policy/copyArguments.ts"
import { ElicitationDeclinedError, type ElicitationHandler, requireApproval } from "../../tool/Elicitation.ts"
import type { ToolResult } from "../../tool/ToolResult.ts"
import { announce, eventOf, type RowEvent } from "../announce.ts"
import { commitChange } from "../audit/commitChange.ts"
import type { CallTrace } from "../call/CallTrace.ts"
import { approvalDeclined, approvalRequired, notApprovableLater, tooManyApprovals } from "../call/toolFailures.ts"
import type { Resources } from "../Resources.ts"
import { agreedCall, type AgreedCallError } from "./agreedCall.ts"
import {
  type ApprovalQuestion,
  approvalQuestion,
  approvalRecord,
  areArgumentsUnchanged,
  type CallInQuestion,
  keysOf,
  newApprovalId,
} from "./approvalQuestion.ts"

/** Gets a person's approval for a call. Answers the result that the call has instead, `undefined` where it may be made. */
export const askApproval = (
  resources: Resources,
  call: CallInQuestion,
  handler: ElicitationHandler | undefined,
  trace: CallTrace | undefined,
): Effect.Effect<ToolResult | undefined, AgreedCallError> => {
  if (handler === "accept-all") {
    if (trace !== undefined) trace.approval = handler
    return Effect.undefined
  }
  return Effect.gen(function* () {
    const question = yield* approvalQuestion(resources, call)
    const given = yield* useApproval(resources, question)
    if (given?.status === "accepted") {
      const remember = given.remember ?? "once"
      if (trace !== undefined) trace.approval = remember
      announceApproval(resources, question, { type: "approval.used", approval: given.id, remember })
      return yield* agreedCall(resources, question)
    }
    // Whoever declined would be overruled by asking somebody else.
    if (given?.status === "declined") return approvalDeclined(given)
    if (handler === undefined || handler !== "defer") {
      const response = yield* askNow(resources, question, handler)
      if (trace !== undefined) trace.approval = "handler"
      yield* remembered(resources, question, response)
      return yield* agreedCall(resources, question)
    }
    return given === undefined ? yield* keepQuestion(resources, question) : approvalRequired(given)
  })
}

/** The approval that such a call would be made by, without using it. */
export const standingApproval = (
  resources: Resources,
  call: CallInQuestion,
): Effect.Effect<ApprovalRecord | undefined, StoreUnavailableError> =>
  approvalQuestion(resources, call).pipe(
    Effect.flatMap((question) => validApprovals(resources, question)),
    Effect.map((records) => records.find(({ status }) => status === "accepted")),
  )

/** What there is for a call: an approval, which is used up by this if it holds once, or else the question that was put or its refusal. */
const useApproval = (
  resources: Resources,
  question: ApprovalQuestion,
): Effect.Effect<ApprovalRecord | undefined, StoreUnavailableError> =>
  Effect.gen(function* () {
    const records = yield* validApprovals(resources, question)
    const accepted = records.filter(({ status }) => status === "accepted")
    const standing = accepted.find(({ remember }) => remember !== "once")
    if (standing !== undefined) return standing
    for (const record of accepted) {
      if (yield* resources.store.approvals.take(record.tenant, record.id, record.version)) return record
    }
    return records.find(({ status }) => status === "declined") ?? records.find(({ status }) => status === "pending")
  })

const validApprovals = (
  { store, approvals }: Resources,
  question: ApprovalQuestion,
): Effect.Effect<ReadonlyArray<ApprovalRecord>, StoreUnavailableError> =>
  Effect.gen(function* () {
    const records = yield* store.approvals.find(
      question.call.selected.identity.tenant,
      keysOf(approvals.keys, question),
    )
    if (records.length === 0) return records
    const now = yield* Clock.currentTimeMillis
    return records.filter((record) => record.expiresAt > now && isSigned(approvals.keys, record))
  })

/** How many questions of one caller wait at most; nobody reads more, and a caller in a loop would go on for ever. */
const mostWaiting = 200

/** Keeps a question for later, and answers the result that the call has meanwhile. */
const keepQuestion = (
  resources: Resources,
  question: ApprovalQuestion,
): Effect.Effect<ToolResult, StoreUnavailableError> =>
  Effect.gen(function* () {
    const { store, approvals } = resources
    const now = yield* Clock.currentTimeMillis
    const id = newApprovalId(now)
    const { keys, expiresAfterMs } = approvals
    const record = approvalRecord(keys, question, null, { id, now, expiresAfterMs })
    if (record === undefined) return notApprovableLater
    yield* Effect.ignore(store.approvals.removeExpired(record.tenant, now))
    if (yield* isWaitingForMany(resources, record, now)) return tooManyApprovals
    const { identity, row } = question.call.selected
    const requested = eventOf(row, { type: "approval.requested", approval: id, tool: question.tool })
    yield* commitChange(resources, identity, store.approvals.put(record, 0), requested)
    return approvalRequired(record)
  })

/** Whether a caller has asked as much as may wait: a user, or an agent that acts for one. */
const isWaitingForMany = (
  { store }: Resources,
  { tenant, subject, agent }: ApprovalRecord,
  validAt: number,
): Effect.Effect<boolean, StoreUnavailableError> =>
  Effect.gen(function* () {
    let count = 0
    let after: string | undefined
    for (;;) {
      const query = { tenant, subject, status: "pending", validAt, after, limit: mostWaiting } as const
      const page: ReadonlyArray<ApprovalRecord> = yield* store.approvals.list(query)
      count += page.filter((record) => record.agent === agent).length
      if (count >= mostWaiting) return true
      if (page.length < mostWaiting) return false
      after = page.at(-1)?.id
    }
  })

interface Answer {
  readonly id: string
  readonly remember: ApprovalScope
}

const askNow = (
  resources: Resources,
  question: ApprovalQuestion,
  handler: Exclude<ElicitationHandler, "defer"> | undefined,
): Effect.Effect<Answer, ElicitationDeclinedError> =>
  Effect.gen(function* () {
    const { tool, what, arguments: shown, call } = question
    const id = newApprovalId(yield* Clock.currentTimeMillis)
    if (handler !== undefined) announceApproval(resources, question, { type: "approval.requested", approval: id })
    const asked = requireApproval(
      handler,
      {
        kind: "approval",
        message: what,
        tool,
        // A copy of its own, since the host's code could change it too.
        args: copyArguments(call.args)?.copy,
        arguments: shown,
        ...(call.conversation === undefined ? {} : { conversation: call.conversation }),
      },
      resources.elicitationTimeoutMs,
    )
    const told = (action: "accept" | "decline" | "cancel" | "unanswered", remember?: ApprovalScope): void => {
      if (handler === undefined) return
      announceApproval(resources, question, {
        type: "approval.answered",
        approval: id,
        action,
        ...(remember === undefined ? {} : { remember }),
      })
    }
    const { remember = "once" } = yield* Effect.tapError(asked, ({ action }) =>
      Effect.sync(() => told(action === "changed" ? "cancel" : action)),
    )
    // Whoever holds the arguments could have changed them while the person read them.
    if (!areArgumentsUnchanged(question)) {
      told("cancel")
      return yield* Effect.fail(new ElicitationDeclinedError({ tool, action: "changed" }))
    }
    told("accept", remember)
    return { id, remember }
  })

/** Keeps an answer that is to hold for more than the call. */
const remembered = (
  { store, approvals }: Resources,
  question: ApprovalQuestion,
  { id, remember }: Answer,
): Effect.Effect<void, StoreUnavailableError> =>
  Effect.gen(function* () {
    if (remember === "once") return
    const now = yield* Clock.currentTimeMillis
    const record = approvalRecord(approvals.keys, question, remember, {
      id,
      now,
      expiresAfterMs: approvals.expiresAfterMs,
    })
    if (record === undefined) return
    yield* Effect.ignore(store.approvals.removeExpired(record.tenant, now))
    yield* store.approvals.put(record, 0)
  })

type ApprovalEvent = RowEvent extends infer Event
  ? Event extends RowEvent & { readonly approval: string; readonly tool: string }
    ? Omit<Event, "tool">
    : never
  : never

const announceApproval = (resources: Resources, { call, tool }: ApprovalQuestion, event: ApprovalEvent): void =>
  announce(resources, call.selected.identity, call.selected.row, { ...event, tool })
