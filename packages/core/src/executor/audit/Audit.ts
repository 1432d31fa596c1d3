/**
 * `executor.audit`: what happened in a tenant, whether the record of it is whole, and an end for what is old.
 *
 * An executor of the organisation sees everything of the tenant and may check and prune; one of a subject sees what that subject did.
 * Agents have no such thing at all (AgentExecutor.ts).
 */
import { randomUUID } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { emptyHead, linkEntries, removedHead } from "../../audit/auditChain.ts"
import { type AuditAnchor, AuditCheck, type AuditFault } from "../../audit/AuditCheck.ts"
import type { AuditEntry, AuditHead } from "../../audit/AuditEntry.ts"
import { AuditAccessError, AuditBrokenError, InvalidAuditQueryError } from "../../audit/AuditError.ts"
import { quote } from "../../error/KeywardError.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity } from "../../identity/Identity.ts"
import { parseToolAddress } from "../../tool/ToolAddress.ts"
import type { Resources } from "../Resources.ts"
import { auditDraft } from "./auditDraft.ts"

/** What is asked for; absent: everything. */
export interface ListAuditInput {
  /** Epoch milliseconds; that or later. */
  readonly since?: number | undefined
  /** A connection's address. */
  readonly connection?: string | undefined
  /** The id of the agent that acted. */
  readonly agent?: string | undefined
  /** A tool's name or full address. */
  readonly tool?: string | undefined
  /** How many at most. Default 100; up to 1,000. */
  readonly limit?: number | undefined
  /** The `sequence` of the last entry of the page before. */
  readonly after?: number | undefined
}

/** What `audit.verify` takes. */
export interface VerifyAuditInput {
  /** The `head` of an earlier check, kept elsewhere: it has to be in the chain still. */
  readonly anchor?: AuditAnchor | undefined
}

/** Whether a trail is whole. */
export interface AuditVerification {
  /** Whether no fault was found in what is there; nothing is where no trail was kept. */
  readonly isIntact: boolean
  /** Whether this executor keeps a trail (`audit` of its config). */
  readonly isKept: boolean
  /** How many entries were found to be in order. */
  readonly checked: number
  /** Whether the chain is made with a key of the host, so that nobody else can make another one. */
  readonly isKeyed: boolean
  /** Whether the anchor's place in the chain was seen; false where none was passed, and where what it names was removed as old. */
  readonly isAnchorChecked: boolean
  /** The last entry that was removed as old; `null` when none was. */
  readonly removedThrough: number | null
  /** The end of the chain; keep it elsewhere for the next check. `null` for an empty trail. */
  readonly head: AuditAnchor | null
  /** What is wrong, first of all; `null` when nothing is. */
  readonly fault: AuditFault | null
}

/** What `audit.prune` takes. */
export interface PruneAuditInput {
  /** Epoch milliseconds: entries from before go. */
  readonly before: number
  /**
   * Whether entries go although a fault was found, other than in the head; which one, the trail says then. Default: no.
   */
  readonly isForced?: boolean | undefined
}

/** `executor.audit` on the Effect surface; the Promise surface documents each method. */
export interface EffectAudit {
  list(input?: ListAuditInput): Effect.Effect<ReadonlyArray<AuditEntry>, InvalidAuditQueryError | StoreUnavailableError>
  verify(
    input?: VerifyAuditInput,
  ): Effect.Effect<AuditVerification, AuditAccessError | InvalidAuditQueryError | StoreUnavailableError>
  prune(input: PruneAuditInput): Effect.Effect<number, PruneAuditError>
}

/** What pruning can fail with. */
export type PruneAuditError = AuditAccessError | AuditBrokenError | InvalidAuditQueryError | StoreUnavailableError

/** Binds `executor.audit` to an identity. */
export const auditOf = (resources: Resources, identity: Identity): EffectAudit => ({
  list: (input = {}) => listAudit(resources, identity, input),
  verify: (input = {}) => verifyAudit(resources, identity, input),
  prune: (input) => pruneAudit(resources, identity, input),
})

/** Entries in the order in which they were written. */
const listAudit = (
  resources: Resources,
  { tenant, subject }: Identity,
  input: ListAuditInput,
): Effect.Effect<ReadonlyArray<AuditEntry>, InvalidAuditQueryError | StoreUnavailableError> =>
  Effect.gen(function* () {
    yield* checkQuery(input)
    yield* settled(resources)
    const { since, agent, limit = 100, after } = input
    const address = input.tool === undefined ? undefined : parseToolAddress(input.tool)
    const connection = address === undefined ? input.connection : input.tool?.slice(0, -address.tool.length - 1)
    if (input.connection !== undefined && connection !== input.connection) return []
    const tool = address === undefined ? input.tool : address.tool
    return yield* resources.store.audit.list({
      tenant,
      ...(subject === null ? {} : { subject }),
      since,
      connection,
      agent,
      tool,
      after,
      limit,
    })
  })

/** Goes through the whole trail. */
const verifyAudit = (
  resources: Resources,
  identity: Identity,
  { anchor }: VerifyAuditInput,
): Effect.Effect<AuditVerification, AuditAccessError | InvalidAuditQueryError | StoreUnavailableError> =>
  Effect.gen(function* () {
    yield* onlyOrganisation(identity)
    const isAnchor =
      anchor === undefined ||
      (Number.isSafeInteger(anchor.sequence) && anchor.sequence >= 0 && typeof anchor.hash === "string")
    if (!isAnchor) return yield* invalid("anchor", "must be the `head` of an earlier check.")
    yield* settled(resources)
    return yield* verified(resources, identity.tenant, anchor)
  })

/** Removes what is old, and says so in the trail; answers how many entries that were. */
const pruneAudit = (
  resources: Resources,
  identity: Identity,
  { before, isForced }: PruneAuditInput,
): Effect.Effect<number, PruneAuditError> =>
  Effect.gen(function* () {
    yield* onlyOrganisation(identity)
    if (!Number.isFinite(before)) return yield* invalid("before", "must be a time in epoch milliseconds.")
    yield* settled(resources)
    const { store, auditKeys: keys } = resources
    const { tenant } = identity
    const last = yield* lastBefore(resources, tenant, before)
    if (last === undefined) return 0
    const { fault } = yield* verified(resources, tenant, undefined, last.sequence)
    // Who removes the entries around a fault removes what shows it.
    if (fault !== null && !(isForced === true && isForcible(fault))) {
      return yield* Effect.fail(new AuditBrokenError({ ...fault }))
    }
    const removedHash = fault === null ? last.hash : yield* hashBehind(resources, tenant, last)
    const at = yield* Clock.currentTimeMillis
    const id = randomUUID()
    let removed = 0
    yield* store.audit.append(tenant, id, (found) => {
      const head = found ?? emptyHead(tenant, keys)
      removed = Math.max(0, last.sequence - head.removedThrough)
      if (removed === 0) return undefined
      const event = { ...pruned(removed, last, fault), at, ...identity }
      const draft = auditDraft({ id, event, shown: undefined })
      const shortened = removedHead(head, { sequence: last.sequence, hash: removedHash }, keys)
      return { ...linkEntries(shortened, [draft], keys), removeThrough: last.sequence }
    })
    if (removed > 0) resources.tell(identity, pruned(removed, last, fault))
    return removed
  })

const pruned = (entries: number, { sequence: through }: AuditEntry, fault: AuditFault | null) =>
  ({ type: "audit.pruned", entries, through, ...(fault === null ? {} : { fault }) }) as const

/** From a head that is not what was written no chain can go on. */
const isForcible = ({ kind }: AuditFault): boolean =>
  kind !== "head_altered" && kind !== "head_missing" && kind !== "truncated"

/** The hash that what follows an entry goes on from, whatever the entry itself says. */
const hashBehind = (
  { store }: Resources,
  tenant: string,
  { sequence, hash }: AuditEntry,
): Effect.Effect<string, StoreUnavailableError> =>
  Effect.gen(function* () {
    const head = yield* store.audit.head(tenant)
    const [next] = yield* store.audit.list({ tenant, after: sequence, limit: 1 })
    return next?.previousHash ?? head?.hash ?? hash
  })

/** What was recorded until now is in the store, where that can be reached. */
const settled = ({ audit }: Resources): Effect.Effect<void> => audit?.settle ?? Effect.void

const pageSize = 1000

/** Checks a trail to its end, or up to a sequence. */
const verified = (
  resources: Resources,
  tenant: string,
  anchor: AuditAnchor | undefined,
  upTo?: number,
): Effect.Effect<AuditVerification, StoreUnavailableError> =>
  Effect.gen(function* () {
    const { store, auditKeys: keys } = resources
    for (;;) {
      const head = yield* store.audit.head(tenant)
      const check = new AuditCheck(head ?? emptyHead(tenant, keys), keys, anchor)
      // What is appended meanwhile is not this check's.
      const through = Math.min(upTo ?? Number.MAX_SAFE_INTEGER, head?.sequence ?? Number.MAX_SAFE_INTEGER)
      let after = head?.removedThrough ?? 0
      for (;;) {
        const page = yield* store.audit.list({ tenant, after, through, limit: pageSize })
        if (head === undefined && page.length > 0) check.refuse("head_missing", 0)
        if (!check.add(page) || page.length < pageSize) break
        after += page.length
      }
      if (upTo === undefined) check.end()
      else check.stop()
      // What was pruned meanwhile is missing for a good reason.
      if (check.fault === undefined || !(yield* wasPruned(store.audit.head(tenant), head))) {
        return verification(head, check, resources.audit !== undefined)
      }
    }
  })

const wasPruned = (
  reading: Effect.Effect<AuditHead | undefined, StoreUnavailableError>,
  head: AuditHead | undefined,
): Effect.Effect<boolean, StoreUnavailableError> =>
  Effect.map(reading, (now) => (now?.removedThrough ?? 0) > (head?.removedThrough ?? 0))

const verification = (head: AuditHead | undefined, check: AuditCheck, isKept: boolean): AuditVerification => ({
  isIntact: check.fault === undefined,
  isKept,
  checked: check.checked,
  isKeyed: head !== undefined && check.isSealed,
  isAnchorChecked: check.isAnchorChecked,
  removedThrough: head === undefined || head.removedThrough === 0 ? null : head.removedThrough,
  head: head === undefined ? null : { sequence: head.sequence, hash: head.hash },
  fault: check.fault ?? null,
})

/** The last of the first entries that are all from before a time: the clocks of several processes need not agree. */
const lastBefore = (
  { store }: Resources,
  tenant: string,
  before: number,
): Effect.Effect<AuditEntry | undefined, StoreUnavailableError> =>
  Effect.gen(function* () {
    const [first] = yield* store.audit.list({ tenant, since: before, limit: 1 })
    const through = first === undefined ? (yield* store.audit.head(tenant))?.sequence : first.sequence - 1
    if (through === undefined || through === 0) return undefined
    const [last] = yield* store.audit.list({ tenant, after: through - 1, through, limit: 1 })
    return last
  })

const checkQuery = (input: ListAuditInput): Effect.Effect<void, InvalidAuditQueryError> => {
  const { since, after, limit } = input
  if (since !== undefined && !Number.isFinite(since)) return invalid("since", "must be a time in epoch milliseconds.")
  if (after !== undefined && !(Number.isSafeInteger(after) && after >= 0)) {
    return invalid("after", "must be the `sequence` of an entry.")
  }
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 1 && limit <= 1000)) {
    return invalid("limit", "must be a whole number from 1 to 1,000; go on with `after`.")
  }
  const field = (["connection", "agent", "tool"] as const).find(
    (name) => input[name] !== undefined && typeof input[name] !== "string",
  )
  return field === undefined ? Effect.void : invalid(field, `must be text; got ${quote(input[field])}.`)
}

const onlyOrganisation = ({ tenant, subject }: Identity): Effect.Effect<void, AuditAccessError> =>
  subject === null ? Effect.void : Effect.fail(new AuditAccessError({ tenant, subject }))

const invalid = (field: string, fault: string): Effect.Effect<never, InvalidAuditQueryError> =>
  Effect.fail(new InvalidAuditQueryError({ field, fault }))
