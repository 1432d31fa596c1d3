/**
 * What a person is asked about a call, and by what the answer is found again.
 *
 * An approval holds for a caller, a tool as it is described now, an account as it is connected now, and the arguments or the conversation:
 * all of that goes into the hash that it is filed under.
 */
import { createHash, randomBytes } from "node:crypto"
import * as Effect from "effect/Effect"
import type { ConnectionRow } from "../../connection/Connection.ts"
import { connectionAddress } from "../../connection/ConnectionRef.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { AccessDeniedError } from "../../policy/AccessError.ts"
import type { ApprovalRecord, ApprovalScope, ApprovalStatus } from "../../policy/Approval.ts"
import { approvalKey, type ApprovalKeys, signApproval } from "../../policy/approvalSignature.ts"
import { approvalWords, showArguments, type ShownArgument } from "../../policy/approvalWords.ts"
import { canonicalArguments } from "../../policy/canonicalArguments.ts"
import type { Decision } from "../../policy/decide.ts"
import type { ToolDef } from "../../tool/Tool.ts"
import { toolAddress } from "../../tool/ToolAddress.ts"
import { actingAgent } from "../agents/access.ts"
import type { Resources } from "../Resources.ts"
import type { SelectedConnection } from "../select/ConnectionSelector.ts"
import { knownInputSchema } from "../tools/describeTool.ts"

/** A call that policy wants a person asked about. */
export interface CallInQuestion {
  readonly selected: SelectedConnection
  readonly tool: ToolDef
  /** A copy that nobody else holds. */
  readonly args: unknown
  /** What it was made of: if that changes while a person reads, the call is not made. */
  readonly given: unknown
  readonly decision: Decision
  /** What the host says the call belongs to. */
  readonly conversation: string | undefined
  /** Looks for the tool once more when a person has agreed, where it is in no catalog. */
  readonly again?: ((selected: SelectedConnection) => Effect.Effect<ToolDef, AccessDeniedError>) | undefined
}

/** See the file's header. */
export interface ApprovalQuestion {
  readonly call: CallInQuestion
  /** The tool's address. */
  readonly tool: string
  /** What will happen, in words. */
  readonly what: string
  readonly arguments: ReadonlyArray<ShownArgument>
  /** The arguments as one text; `undefined` for what is not plain data, which no approval can be held to. */
  readonly canonical: string | undefined
  /** What an approval holds for besides arguments or conversation. */
  readonly scope: ReadonlyArray<string>
}

/** Puts a call into words. */
export const approvalQuestion = (
  resources: Resources,
  call: CallInQuestion,
): Effect.Effect<ApprovalQuestion, StoreUnavailableError> => {
  const { identity } = call.selected
  if (identity.agent === undefined) return Effect.succeed(questionOf(call, null))
  // An agent that is made again under its id is another one, and has no approval yet.
  return Effect.map(actingAgent(resources, identity), (agent) => questionOf(call, agent?.incarnation ?? null))
}

const questionOf = (call: CallInQuestion, agent: string | null): ApprovalQuestion => {
  const { selected, tool, args, decision } = call
  const { row, identity, integration } = selected
  const address = toolAddress(row, tool.name)
  const shown = showArguments(args, knownInputSchema(tool)?.["required"])
  return {
    call,
    tool: address,
    what: approvalWords({
      title: tool.annotations?.title ?? tool.name,
      description: tool.description,
      integration: integration.name,
      connection: connectionAddress(row),
      account: row.identityLabel,
      arguments: shown,
      reason: decision.reason,
    }),
    arguments: shown,
    canonical: canonicalArguments(args),
    scope: [
      JSON.stringify([identity.tenant, identity.subject, identity.agent ?? null, agent]),
      address,
      integration.fingerprint,
      toolDigest(tool),
      accountOf(selected.lender?.row ?? row),
    ],
  }
}

/** Whether the arguments that a caller passed are what they were when they were asked about; of what is no plain data nobody knows. */
export const areArgumentsUnchanged = ({ canonical, call }: ApprovalQuestion): boolean =>
  canonical === undefined || canonicalArguments(call.given) === canonical

/** The hashes under which such a call finds its approvals, of every key of the host. */
export const keysOf = (keys: ApprovalKeys, question: ApprovalQuestion): ReadonlyArray<string> =>
  keys.flatMap((key) => {
    const { conversation } = question.call
    return [
      ...(question.canonical === undefined
        ? []
        : [approvalKey(key, "arguments", [...question.scope, question.canonical])]),
      ...(conversation === undefined ? [] : [approvalKey(key, "conversation", [...question.scope, conversation])]),
    ]
  })

/**
 * The record of an answer, or with `remember: null` of a question that waits for one; `undefined` where the call has nothing of the kind
 * that the answer could hold for.
 */
export const approvalRecord = (
  keys: ApprovalKeys,
  question: ApprovalQuestion,
  remember: ApprovalScope | null,
  { id, now, expiresAfterMs }: { readonly id: string; readonly now: number; readonly expiresAfterMs: number },
): ApprovalRecord | undefined => {
  const { row, identity } = question.call.selected
  const { canonical, scope } = question
  const conversation = question.call.conversation ?? null
  const conversationKey = conversation === null ? null : approvalKey(keys[0], "conversation", [...scope, conversation])
  const argumentsKey = canonical === undefined ? null : approvalKey(keys[0], "arguments", [...scope, canonical])
  const key = remember === "conversation" ? conversationKey : argumentsKey
  if (key === null) return undefined
  const status: ApprovalStatus = remember === null ? "pending" : "accepted"
  return signApproval(keys, {
    tenant: identity.tenant,
    id,
    subject: identity.subject ?? "",
    status,
    what: question.what,
    tool: question.tool,
    integration: row.integration,
    owner: row.owner,
    connection: connectionAddress(row),
    account: row.identityLabel,
    arguments: question.arguments,
    agent: identity.agent ?? null,
    conversation,
    remember,
    createdAt: now,
    expiresAt: now + expiresAfterMs,
    answeredAt: remember === null ? null : now,
    answeredBy: remember === null ? null : identity.subject,
    key,
    conversationKey,
    version: 1,
  })
}

/** A new id: random, and in the order of time. */
export const newApprovalId = (now: number): string =>
  `${now.toString(36).padStart(9, "0")}${randomBytes(18).toString("hex")}`

/** A tool that is described otherwise is another tool to whoever approves it. */
const toolDigest = (tool: ToolDef): string => {
  const known = digests.get(tool)
  if (known !== undefined) return known
  const digest = createHash("sha256").update(JSON.stringify(tool)).digest("base64url")
  digests.set(tool, digest)
  return digest
}

const digests = new WeakMap<ToolDef, string>()

/** An account that is connected anew, or whose credential is replaced, is another account; one that is refreshed is not. */
const accountOf = ({ incarnation, template, provider, items, grant, version }: ConnectionRow): string =>
  JSON.stringify([incarnation, template, provider, items, grant === null ? version : grant.id])
