/**
 * Grants of connections to agents: by whom a connection belongs to, by the organisation for its own, and by agents to those below them.
 *
 * Nobody hands on more than they have: checked here when a grant is made, and again with every call, because what they have can shrink.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { ConnectionRow } from "../../connection/Connection.ts"
import {
  connectionAddress,
  connectionIdentifier,
  type ConnectionKey,
  type ConnectionRef,
} from "../../connection/ConnectionRef.ts"
import { compareRefs, compareTexts } from "../../connection/listOrder.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity } from "../../identity/Identity.ts"
import { AgentNotFoundError, GrantTooWideError, InvalidGrantError } from "../../policy/AccessError.ts"
import { type AccessScope, isOver } from "../../policy/AccessScope.ts"
import type { AgentRecord } from "../../policy/Agent.ts"
import { type ConnectionAccess, excessOf } from "../../policy/ConnectionAccess.ts"
import {
  type AccessScopeInput,
  checkScope,
  type Grant,
  type GrantInput,
  type GrantRecord,
  toGrant,
} from "../../policy/Grant.ts"
import { parseConnectionAddress } from "../../tool/ToolAddress.ts"
import { eventOf, lentBy } from "../announce.ts"
import { commitChange } from "../audit/commitChange.ts"
import { checkedPage } from "../checkedPage.ts"
import type { Resources } from "../Resources.ts"
import { selectConnection, type SelectedConnection, type SelectError } from "../select/ConnectionSelector.ts"
import { accessOfAgent, type VisibleConnection, visibleConnection } from "./access.ts"
import { requireAgent } from "./Agents.ts"
import { endUnsupported, isSupported } from "./endedGrants.ts"

/** Which grants of an agent to list. */
export interface ListGrantsInput {
  /** At most so many. Default: all. */
  readonly limit?: number | undefined
  /** The last grant of the page before. */
  readonly after?: GrantPosition | undefined
}

/** Where a page of grants goes on. */
export type GrantPosition = Pick<Grant, "connection" | "subject"> & Partial<Pick<Grant, "delegatedBy">>

/** Which grants of a connection to take back. */
export interface RevokeGrantOptions {
  /** `null`: what was granted directly; an agent's id: what that agent handed on. Default: both. */
  readonly delegatedBy?: string | null | undefined
}

/** What granting can fail with. Nothing is stored then. */
export type GrantError = AgentNotFoundError | InvalidGrantError | GrantTooWideError | SelectError

/** Grants a connection that the caller may hand on to an agent. */
export const grant = (
  resources: Resources,
  identity: Identity,
  agent: string,
  input: GrantInput,
): Effect.Effect<Grant, GrantError> =>
  Effect.gen(function* () {
    const grantee = yield* requireAgent(resources, identity, agent)
    const scope = yield* scopeInForce(input)
    const selected = yield* selectConnection(resources, identity, input.connection)
    if (selected.row.owner === "org" && identity.subject !== null) {
      return yield* invalid(
        "connection",
        "the organisation's connections are granted by the organisation: call withIdentity({}) first.",
      )
    }
    yield* checkHolder(`subject ${identity.subject ?? ""}`, selected.access, scope)
    const [parent] = grantee.lineage
    if (parent !== undefined) yield* checkParent(resources, identity, parent.id, storedRow(selected), scope)
    const subject = selected.row.owner === "org" ? null : identity.subject
    // What came to its end by itself does not come back with this.
    yield* endUnsupported(resources, identity, connectionOf(storedRow(selected)))
    return yield* write(resources, grantee, selected, scope, { subject, delegatedBy: null })
  })

/** An agent hands a connection on to a sub-agent of its own. */
export const delegate = (
  resources: Resources,
  identity: Identity,
  acting: AgentRecord,
  subAgent: string,
  input: GrantInput,
): Effect.Effect<Grant, GrantError> =>
  Effect.gen(function* () {
    const grantee = yield* requireSubAgent(resources, identity, acting, subAgent)
    const scope = yield* scopeInForce(input)
    const selected = yield* selectConnection(resources, identity, input.connection)
    yield* checkHolder(`agent ${acting.id}`, selected.access, scope)
    // What the agent may use whomever it acts for, it may hand on for whomever the sub-agent acts for.
    const always = yield* accessOfAgent(resources, { ...identity, subject: null }, storedRow(selected))
    const isForAnybody = always !== undefined && excessOf(always, scope) === undefined
    const subject = isForAnybody ? null : identity.subject
    return yield* write(resources, grantee, selected, scope, { subject, delegatedBy: acting.id })
  })

/**
 * Takes back what was granted of a connection: the organisation of its own, users of theirs and of what they were lent, an agent what it
 * handed on and nothing else. What rests on it ends with it. What was not granted is revoked already.
 */
export const revoke = (
  resources: Resources,
  identity: Identity,
  agent: string,
  given: ConnectionRef,
  { delegatedBy }: RevokeGrantOptions = {},
): Effect.Effect<void, AgentNotFoundError | InvalidGrantError | StoreUnavailableError> =>
  Effect.gen(function* () {
    const { access } = resources.store
    if (delegatedBy !== undefined && !isTextOrNull(delegatedBy)) {
      return yield* invalid("delegatedBy", "must be an agent's id, or null for what was granted directly.")
    }
    yield* requireAgent(resources, identity, agent)
    const ref = yield* checkedRef(given)
    if (ref.owner === "org" && identity.subject !== null && identity.agent === undefined) {
      return yield* invalid(
        "connection",
        "grants of the organisation's connections are revoked by the organisation: call withIdentity({}) first.",
      )
    }
    // By the name that it has now, and by the one that it was granted under: either is what somebody means to take back.
    const meant = yield* visibleConnection(resources, identity, ref)
    for (const record of yield* access.listGrants(identity.tenant, agent)) {
      const { grantedAs } = record
      const isMeant = meant !== undefined && isSameConnection(storedRow(meant), record.connection)
      if (!isMeant && compareRefs(grantedAs, ref) !== 0) continue
      if (!mayRevoke(identity, record) || (delegatedBy !== undefined && delegatedBy !== record.delegatedBy)) continue
      const revoked = eventOf(grantedAs, { type: "grant.revoked", agentId: agent, ...by(record) })
      const end = Effect.flatMap(commitChange(resources, identity, access.removeGrant(record), revoked), (isEnded) =>
        isEnded ? endUnsupported(resources, identity, record.connection, { agent }) : Effect.void,
      )
      yield* Effect.uninterruptible(end)
    }
  })

/** What is no reference would name nothing, and be taken for revoked. */
const checkedRef = (ref: ConnectionRef): Effect.Effect<ConnectionRef, InvalidGrantError> => {
  // Hosts hand this through from outside.
  const { owner, integration, name: given } = ((ref as unknown) ?? {}) as Readonly<Record<string, unknown>>
  const name = typeof given === "string" ? connectionIdentifier(given) : undefined
  return (owner === "org" || owner === "user") && typeof integration === "string" && name !== undefined
    ? Effect.succeed({ owner, integration, name })
    : invalid("connection", 'must be { owner: "org" | "user", integration, name }, as connections.list has them.')
}

const mayRevoke = ({ subject, agent }: Identity, { connection, delegatedBy, ...record }: GrantRecord): boolean => {
  if (agent !== undefined) return delegatedBy === agent && (record.subject === null || record.subject === subject)
  return connection.owner === "org" || record.subject === subject || connection.subject === subject
}

/**
 * What an agent was granted of the connections that the caller may grant, ordered by connection, by the user for whom it counts, and by who
 * handed it on; of an agent, what it handed on.
 *
 * What is over is left out. The grants are read whole, as every call of that agent does; of the connections, those of the page.
 */
export const listGrants = (
  resources: Resources,
  identity: Identity,
  agent: string,
  { after, ...input }: ListGrantsInput,
): Effect.Effect<ReadonlyArray<Grant>, AgentNotFoundError | InvalidGrantError | StoreUnavailableError> =>
  Effect.gen(function* () {
    const { limit } = yield* checkedPage(input, invalidInput)
    const position = after === undefined ? undefined : yield* positionOf(after)
    const { incarnation } = yield* requireAgent(resources, identity, agent)
    const isSeen = ({ connection, subject, delegatedBy, agentIncarnation }: GrantRecord): boolean =>
      agentIncarnation === incarnation &&
      (identity.agent === undefined || delegatedBy === identity.agent) &&
      (connection.owner === "org" || subject === identity.subject || connection.subject === identity.subject)
    const records = (yield* resources.store.access.listGrants(identity.tenant, agent))
      .filter((record) => isSeen(record) && (position === undefined || compareShown(record, position) > 0))
      .sort(compareShown)
    const now = yield* Clock.currentTimeMillis
    const listed: Array<Grant> = []
    for (const record of records) {
      if (listed.length >= limit) break
      const row = yield* resources.store.connections.get(record.connection)
      if (row?.incarnation !== record.connectionIncarnation || isOver(record, now)) continue
      if (yield* isSupported(resources, record)) listed.push(toGrant(record))
    }
    return listed
  })

type GrantOrder = Pick<GrantRecord, "grantedAs" | "subject" | "delegatedBy">

/** As a host sees them, so that the last grant of a page says where the next one begins. */
const compareShown = (one: GrantOrder, other: GrantOrder): number =>
  compareRefs(one.grantedAs, other.grantedAs) ||
  compareTexts(one.subject ?? "", other.subject ?? "") ||
  compareTexts(one.delegatedBy ?? "", other.delegatedBy ?? "")

const positionOf = (after: GrantPosition): Effect.Effect<GrantOrder, InvalidGrantError> => {
  // Hosts hand this through from outside.
  const given = (after ?? {}) as Readonly<Record<string, unknown>>
  const { connection, subject = null, delegatedBy = null } = given
  const grantedAs = typeof connection === "string" ? parseConnectionAddress(connection) : undefined
  return grantedAs === undefined || !isTextOrNull(subject) || !isTextOrNull(delegatedBy)
    ? invalid("after", "must be the last grant of the page before, or its connection, subject and delegatedBy.")
    : Effect.succeed({ grantedAs, subject, delegatedBy })
}

const isTextOrNull = (value: unknown): value is string | null => value === null || typeof value === "string"

/** A sub-agent that was made under this very agent. */
export const requireSubAgent = (
  resources: Resources,
  identity: Identity,
  acting: AgentRecord,
  id: string,
): Effect.Effect<AgentRecord, AgentNotFoundError | StoreUnavailableError> =>
  Effect.filterOrFail(
    requireAgent(resources, identity, id),
    ({ lineage }) => lineage[0]?.incarnation === acting.incarnation,
    // To an agent the others of its tenant are not there.
    () => new AgentNotFoundError({ agent: id }),
  )

/** What a grant or a share covers, from what was written; it must not be over already. */
export const scopeInForce = (input: AccessScopeInput): Effect.Effect<AccessScope, InvalidGrantError> =>
  Effect.gen(function* () {
    const scope = yield* checkScope(input)
    if (scope.expiresAt !== null && scope.expiresAt <= (yield* Clock.currentTimeMillis)) {
      return yield* invalid("expiresAt", "is in the past.")
    }
    return scope
  })

/** Nobody hands on to a sub-agent what the agent above it does not have when it acts for the same user, or for nobody. */
export const checkParent = (
  resources: Resources,
  identity: Identity,
  parent: string,
  row: ConnectionRow,
  scope: AccessScope,
): Effect.Effect<void, GrantTooWideError | StoreUnavailableError> =>
  Effect.flatMap(accessOfAgent(resources, { ...identity, agent: parent }, row), (access) => {
    const holder = `agent ${parent}`
    return access === undefined
      ? Effect.fail(new GrantTooWideError({ holder, excess: connectionAddress(row) }))
      : checkHolder(holder, access, scope)
  })

const checkHolder = (
  holder: string,
  access: ConnectionAccess | undefined,
  scope: AccessScope,
): Effect.Effect<void, GrantTooWideError> => {
  const excess = access === undefined ? undefined : excessOf(access, scope)
  return excess === undefined ? Effect.void : Effect.fail(new GrantTooWideError({ holder, excess }))
}

const isSameConnection = (one: ConnectionKey, other: ConnectionKey): boolean =>
  one.subject === other.subject && compareRefs(one, other) === 0

/** The connection as the store has it, whoever looks at it. */
const storedRow = (connection: VisibleConnection): ConnectionRow => (connection.lender ?? connection).row

const write = (
  resources: Resources,
  grantee: AgentRecord,
  selected: SelectedConnection,
  scope: AccessScope,
  from: Pick<GrantRecord, "subject" | "delegatedBy">,
): Effect.Effect<Grant, StoreUnavailableError> =>
  Effect.gen(function* () {
    const { owner, integration, name } = selected.row
    const record: GrantRecord = {
      tenant: grantee.tenant,
      agent: grantee.id,
      agentIncarnation: grantee.incarnation,
      connection: connectionOf(storedRow(selected)),
      connectionIncarnation: storedRow(selected).incarnation,
      grantedAs: { owner, integration, name },
      ...from,
      ...scope,
      grantedAt: yield* Clock.currentTimeMillis,
    }
    const { access, tools, expiresAt } = scope
    const given = { agentId: grantee.id, access, tools, expiresAt, ...by(record), ...lentBy(selected) }
    const added = eventOf(selected.row, { type: "grant.added", ...given })
    yield* commitChange(resources, selected.identity, resources.store.access.putGrant(record), added)
    return toGrant(record)
  })

/** Who handed a grant on, as events say it. */
const by = ({ delegatedBy }: GrantRecord): { readonly delegatedBy?: string } =>
  delegatedBy === null ? {} : { delegatedBy }

/** A row's key and nothing else of it. */
export const connectionOf = ({ tenant, subject, owner, integration, name }: ConnectionKey): ConnectionKey => ({
  tenant,
  subject,
  owner,
  integration,
  name,
})

const invalidInput = (field: string, fault: string): InvalidGrantError => new InvalidGrantError({ field, fault })

const invalid = (field: string, fault: string): Effect.Effect<never, InvalidGrantError> =>
  Effect.fail(invalidInput(field, fault))
