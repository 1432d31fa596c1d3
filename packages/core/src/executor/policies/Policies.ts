/**
 * The namespace `executor.policies`: the rules that calls are held to, and what they say about one.
 *
 * The organisation's rules are written by whoever the host lets act for it, as its connections are; a user's rules by that user.
 */
import { randomUUID } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { IdentityConflictError, IdentityModeError } from "../../connection/AccountError.ts"
import { InvalidConnectionInputError } from "../../connection/ConnectionError.ts"
import { quote } from "../../error/KeywardError.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import { type Identity, type Owner, subjectOf } from "../../identity/Identity.ts"
import { modeAllows, pinnedOwner } from "../../identity/IdentityMode.ts"
import { identityModeOf } from "../../integration/Integration.ts"
import type { AccessDeniedError } from "../../policy/AccessError.ts"
import { parseAddressPattern } from "../../policy/AddressPattern.ts"
import type { DefaultReason } from "../../policy/decide.ts"
import { type Policy, type PolicyAction, policyActions, type PolicyRecord, toPolicy } from "../../policy/Policy.ts"
import { InvalidPolicyInputError, PolicyConflictError, PolicyNotFoundError } from "../../policy/PolicyError.ts"
import { parseShortAddress, parseToolAddress } from "../../tool/ToolAddress.ts"
import { ToolNotFoundError } from "../../tool/ToolError.ts"
import { commitChange } from "../audit/commitChange.ts"
import { callableTool } from "../call/callableTool.ts"
import { checkedPage } from "../checkedPage.ts"
import type { EventBody } from "../ExecutorEvent.ts"
import type { Resources } from "../Resources.ts"
import { selectConnection, type SelectedConnection, type SelectError } from "../select/ConnectionSelector.ts"
import { takeIdentity } from "../select/identityArgument.ts"
import { integrationOfCall, selectAccount, type SelectAccountError } from "../select/selectAccount.ts"
import { type CatalogError, catalogOf } from "../tools/Catalogs.ts"
import { standingApproval } from "./askApproval.ts"
import { decisionOn, isToldOf } from "./policyCheck.ts"

/** A rule to be. */
export interface CreatePolicyInput {
  readonly owner: Owner
  /** Which tools: `*`, or an address with `*` in it, such as `tools.github.*.*.repos/delete*`. */
  readonly pattern: string
  readonly action: PolicyAction
  /** Its place among the rules of its owner; the lowest that matches decides. Default: after all others. */
  readonly order?: number | undefined
  readonly description?: string | null | undefined
}

/** What of a rule changes; absent leaves it. */
export interface UpdatePolicyInput {
  readonly pattern?: string | undefined
  readonly action?: PolicyAction | undefined
  readonly order?: number | undefined
  readonly description?: string | null | undefined
}

/** Which rules to list. */
export interface ListPoliciesInput {
  readonly owner?: Owner | undefined
  /** At most so many. Default: all. */
  readonly limit?: number | undefined
  /** The id of the last rule of the page before. */
  readonly after?: string | undefined
}

/** What a call would be made with, besides its arguments. */
export interface ResolvePolicyOptions {
  /** As `conversation` of `execute`: approvals that were given for it are found too. */
  readonly conversation?: string | undefined
}

/** What policy says about a call. */
export interface PolicyResolution {
  readonly action: PolicyAction
  readonly from: "rule" | "default"
  /** The rules that decided: the organisation's, the user's, or both where they agree. Those of whoever shares the connection are not told. */
  readonly rules: ReadonlyArray<Policy>
  /** Which default decided; `null` where rules did. */
  readonly reason: DefaultReason | null
  /** The id of an approval that a call with these arguments would be made by; `null` without one, and without arguments or conversation. */
  readonly approval: string | null
}

/** What writing a rule can fail with. */
export type PolicyWriteError = InvalidPolicyInputError | StoreUnavailableError

/** What resolving can fail with. */
export type ResolvePolicyError = SelectError | SelectAccountError | CatalogError | AccessDeniedError | ToolNotFoundError

/** Adds a rule. */
export const createPolicy = (
  resources: Resources,
  identity: Identity,
  input: CreatePolicyInput,
): Effect.Effect<Policy, PolicyWriteError> =>
  Effect.gen(function* () {
    const { owner } = input
    if (owner !== "org" && owner !== "user")
      return yield* invalid("owner", `must be "org" or "user"; got ${quote(owner)}.`)
    if (owner === "user" && identity.subject === null) {
      return yield* invalid(
        "owner",
        'a "user" rule needs an acting user; pass `subject` to createExecutor or withIdentity.',
      )
    }
    yield* checkFields(input)
    yield* checkAction(input.action)
    yield* checkPattern(input.pattern)
    const rules = yield* rulesOf(resources, identity, owner)
    if (rules.length >= mostRules) {
      return yield* invalid("owner", `has ${mostRules} rules already; remove some, or say more with one pattern.`)
    }
    const last = rules[rules.length - 1]?.order ?? 0
    const record: PolicyRecord = {
      id: randomUUID(),
      tenant: identity.tenant,
      subject: subjectOf(identity, owner),
      owner,
      pattern: input.pattern,
      action: input.action,
      order: input.order ?? Math.floor(last) + 1,
      description: input.description ?? null,
      createdAt: yield* Clock.currentTimeMillis,
      version: 1,
    }
    yield* commitChange(resources, identity, resources.store.policies.put(record, 0), eventOf("policy.created", record))
    return toPolicy(record)
  })

/**
 * The organisation's rules and the acting user's, each in the order in which they decide.
 *
 * They are the lists that calls are held to, which the store keeps in memory.
 */
export const listPolicies = (
  resources: Resources,
  identity: Identity,
  { owner, ...input }: ListPoliciesInput,
): Effect.Effect<ReadonlyArray<Policy>, InvalidPolicyInputError | StoreUnavailableError> =>
  Effect.gen(function* () {
    const { limit, after } = yield* checkedPage(input, (field, fault) => new InvalidPolicyInputError({ field, fault }))
    const { organisation, user } = yield* resources.store.policies.rules(identity.tenant, identity.subject)
    const rules = [...(owner === "user" ? [] : organisation), ...(owner === "org" ? [] : user)]
    const last = after === undefined ? -1 : rules.findIndex(({ id }) => id === after)
    if (after !== undefined && last === -1) {
      return yield* invalid("after", `no rule of the list has the id ${quote(after)}; begin with the first page again.`)
    }
    return rules.slice(last + 1, last + 1 + limit).map(toPolicy)
  })

/** Changes a rule. */
export const updatePolicy = (
  resources: Resources,
  identity: Identity,
  id: string,
  input: UpdatePolicyInput,
): Effect.Effect<Policy, PolicyWriteError | PolicyNotFoundError | PolicyConflictError> =>
  Effect.gen(function* () {
    yield* checkFields(input)
    if (input.action !== undefined) yield* checkAction(input.action)
    if (input.pattern !== undefined) yield* checkPattern(input.pattern)
    const record = yield* ownPolicy(resources, identity, id)
    const next: PolicyRecord = {
      ...record,
      pattern: input.pattern ?? record.pattern,
      action: input.action ?? record.action,
      order: input.order ?? record.order,
      description: input.description === undefined ? record.description : input.description,
      version: record.version + 1,
    }
    const write = resources.store.policies.put(next, record.version)
    if (!(yield* commitChange(resources, identity, write, eventOf("policy.updated", next)))) {
      return yield* Effect.fail(new PolicyConflictError({ id }))
    }
    return toPolicy(next)
  })

/** Removes a rule. */
export const removePolicy = (
  resources: Resources,
  identity: Identity,
  id: string,
): Effect.Effect<void, PolicyNotFoundError | StoreUnavailableError> =>
  Effect.gen(function* () {
    const record = yield* ownPolicy(resources, identity, id)
    const write = resources.store.policies.remove(record.tenant, record.id)
    if (!(yield* commitChange(resources, identity, write, eventOf("policy.removed", record))))
      return yield* notFound(id)
  })

/** What policy says about a call of a tool, without making it. */
export const resolvePolicy = (
  resources: Resources,
  identity: Identity,
  address: string,
  given: unknown,
  { conversation }: ResolvePolicyOptions,
): Effect.Effect<PolicyResolution, ResolvePolicyError> =>
  Effect.gen(function* () {
    const taken = takeIdentity(given)
    if ("ok" in taken) {
      const fault = '_identity must be "org" or "user"; such a call is answered with invalid_arguments.'
      return yield* Effect.fail(new InvalidConnectionInputError({ field: "identity", fault }))
    }
    const { args, asked } = taken
    const { selected, name } = yield* selectedTool(resources, identity, address, asked)
    const tool = yield* callableTool(resources, selected, yield* catalogOf(resources, selected), name)
    const decision = yield* decisionOn(resources, selected, tool)
    const approval =
      (given === undefined && conversation === undefined) || decision.action !== "require_approval"
        ? undefined
        : yield* standingApproval(resources, { selected, tool, args, given: args, decision, conversation })
    return {
      action: decision.action,
      from: decision.rules.length > 0 ? "rule" : "default",
      rules: decision.rules.filter((rule) => isToldOf(identity, rule)).map(toPolicy),
      reason: decision.reason ?? null,
      approval: approval?.id ?? null,
    }
  })

/** The tool that an address names, and the connection that a call of it would run as. */
const selectedTool = (
  resources: Resources,
  identity: Identity,
  address: string,
  asked: Owner | undefined,
): Effect.Effect<{ readonly selected: SelectedConnection; readonly name: string }, ResolvePolicyError> =>
  Effect.gen(function* () {
    const full = parseToolAddress(address)
    if (full !== undefined) {
      const selected = yield* selectConnection(resources, identity, full.connection)
      yield* checkOwner(selected, asked)
      return { selected, name: full.tool }
    }
    const short = parseShortAddress(address)
    if (short === undefined) {
      return yield* Effect.fail(new ToolNotFoundError({ address: String(address as unknown), suggestions: [] }))
    }
    const integration = yield* integrationOfCall(resources, identity, short.integration)
    const { selected } = yield* selectAccount(resources, identity, integration, { identity: asked }, "quietly")
    return { selected, name: short.tool }
  })

/** A full address names its connection; the mode, or the arguments, may not allow it. */
const checkOwner = (
  { integration, row }: SelectedConnection,
  asked: Owner | undefined,
): Effect.Effect<void, IdentityModeError | IdentityConflictError> => {
  const mode = identityModeOf(integration)
  if (modeAllows(mode, row.owner) && (asked === undefined || asked === row.owner)) return Effect.void
  const { slug } = integration
  const allowed = pinnedOwner(mode)
  return allowed === undefined
    ? Effect.fail(new IdentityConflictError({ integration: slug, asked: asked ?? row.owner, contradicts: "address" }))
    : Effect.fail(
        new IdentityModeError({ integration: slug, mode, asked: allowed === "org" ? "user" : "org", allowed }),
      )
}

/** A list that is read before every call should fit into memory many times. */
const mostRules = 10_000

const rulesOf = (
  resources: Resources,
  { tenant, subject }: Identity,
  owner: Owner,
): Effect.Effect<ReadonlyArray<PolicyRecord>, StoreUnavailableError> =>
  Effect.map(resources.store.policies.rules(tenant, subject), ({ organisation, user }) =>
    owner === "org" ? organisation : user,
  )

const ownPolicy = (
  { store }: Resources,
  { tenant, subject }: Identity,
  id: string,
): Effect.Effect<PolicyRecord, PolicyNotFoundError | StoreUnavailableError> =>
  typeof id === "string"
    ? Effect.flatMap(store.policies.get(tenant, id), (record) =>
        record !== undefined && (record.subject === "" || record.subject === subject)
          ? Effect.succeed(record)
          : notFound(id),
      )
    : notFound(id)

const checkAction = (action: unknown): Effect.Effect<void, InvalidPolicyInputError> =>
  (policyActions as ReadonlyArray<unknown>).includes(action)
    ? Effect.void
    : invalid("action", `${quote(action)} is not one of ${policyActions.join(", ")}.`)

const checkPattern = (pattern: unknown): Effect.Effect<void, InvalidPolicyInputError> => {
  const parsed = parseAddressPattern(pattern)
  return "fault" in parsed
    ? invalid("pattern", `${quote(pattern, 200)} can match no tool's address: it ${parsed.fault}`)
    : Effect.void
}

const checkFields = ({ order, description }: UpdatePolicyInput): Effect.Effect<void, InvalidPolicyInputError> => {
  if (order !== undefined && !Number.isFinite(order)) return invalid("order", "must be a number.")
  const isText = typeof description === "string" && description.length <= 1000 && description.isWellFormed()
  return description == null || isText
    ? Effect.void
    : invalid("description", "must be well-formed text of up to 1,000 characters.")
}

const eventOf = (
  type: Extract<EventBody, { readonly policy: string }>["type"],
  { id, owner, pattern, action }: PolicyRecord,
): EventBody => ({ type, policy: id, owner, pattern, action })

const notFound = (id: unknown): Effect.Effect<never, PolicyNotFoundError> =>
  Effect.fail(new PolicyNotFoundError({ id: typeof id === "string" ? id : typeof id }))

const invalid = (field: string, fault: string): Effect.Effect<never, InvalidPolicyInputError> =>
  Effect.fail(new InvalidPolicyInputError({ field, fault }))
