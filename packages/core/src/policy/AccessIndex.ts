/**
 * The rights of one caller, in the form in which a call looks them up: derived once from what the store answers.
 *
 * Nothing in it depends on the time or on the rows of connections; both are compared when a right is looked up.
 */
import type { ConnectionKey, ConnectionRef } from "../connection/ConnectionRef.ts"
import { isOver } from "./AccessScope.ts"
import type { CallerRecords } from "./AccessStore.ts"
import { type AgentRecord, isAllowed } from "./Agent.ts"
import type { AccessRight, ConnectionAccess } from "./ConnectionAccess.ts"
import type { GrantRecord } from "./Grant.ts"
import type { ShareRecord } from "./Share.ts"

/** Which connection, and which incarnation of it. */
export interface ConnectionIncarnation extends ConnectionKey {
  readonly incarnation: string
}

/** See the file's header. */
export class AccessIndex {
  /** Whether every agent of the chain is there and the one that the others were made under. */
  readonly isComplete: boolean
  /** Whether anything in it ends by itself. */
  readonly hasEnd: boolean
  readonly #agents: ReadonlyArray<AgentRecord>
  /** For each agent of the chain its rights, by connection. */
  readonly #links: ReadonlyArray<ByConnection<HeldRight>>
  /** What is shared with the subject, by connection. */
  readonly #lent: ByConnection<ShareRecord>
  /** What is shared, by integration and by the name under which the caller sees it. */
  readonly #names = new Map<string, Map<string, ShareRecord>>()
  /** The connections that the acting agent has a right to, as the caller sees them. */
  readonly #refs: ReadonlyArray<ConnectionRef>

  constructor({ agents, grants, shares }: CallerRecords, subject: string | null) {
    this.#agents = agents
    this.isComplete = isWhole(agents)
    this.hasEnd = [...grants, ...shares].some(({ expiresAt }) => expiresAt !== null)
    const incarnations = new Map(agents.map((agent) => [agent.id, agent.incarnation]))
    const isOf = (id: string, incarnation: string | null): boolean => incarnations.get(id) === incarnation
    const live = shares.filter(
      (share) => share.with.agent === undefined || isOf(share.with.agent, share.agentIncarnation),
    )
    this.#lent = new ByConnection(live.filter((share) => share.with.agent === undefined))
    this.#links = agents.map(
      ({ id }) =>
        new ByConnection([
          ...grants
            .filter((grant) => grant.agent === id && isOf(id, grant.agentIncarnation))
            .flatMap((grant) => this.#held(grant, subject)),
          ...live.filter((share) => share.with.agent === id).map(heldByShare),
        ]),
    )
    for (const share of live) {
      // To its owner it is their own, under its own name.
      if (share.connection.subject === subject) continue
      const names = this.#names.get(share.connection.integration) ?? new Map<string, ShareRecord>()
      this.#names.set(share.connection.integration, names)
      if (!names.has(share.as)) names.set(share.as, share)
    }
    this.#refs = agents.length > 0 ? this.#refsOfAgent(subject) : [...this.#names.values()].flatMap(refsOf)
  }

  /** Whether every agent of the chain has the tools of an integration. */
  allows(integration: string): boolean {
    return this.#agents.every((agent) => isAllowed(agent, integration))
  }

  /** What is shared with the caller under a name. */
  shared(integration: string, name: string): ShareRecord | undefined {
    return this.#names.get(integration)?.get(name)
  }

  /** The connections that an agent has rights to, or that are shared with a user, as the caller sees them; in no order. */
  get refs(): ReadonlyArray<ConnectionRef> {
    return this.#refs
  }

  /** What the chain of agents may do with a connection; `undefined` when they may do nothing. */
  accessOfAgents(connection: ConnectionIncarnation, now: number): ConnectionAccess | undefined {
    const access: Array<ReadonlyArray<AccessRight>> = []
    for (const link of this.#links) {
      const rights = liveRights(link.get(connection), connection.incarnation, now)
      if (rights.length === 0) return undefined
      access.push(rights)
    }
    return access.length === 0 ? undefined : access
  }

  /** What a user may do with a connection that was shared with them; `undefined` when nothing. */
  accessOfSubject(connection: ConnectionIncarnation, now: number): ConnectionAccess | undefined {
    const held = this.#lent.get(connection).map(heldByShare)
    const rights = liveRights(held, connection.incarnation, now)
    return rights.length === 0 ? undefined : [rights]
  }

  /** What a grant amounts to for this subject. */
  #held(grant: GrantRecord, subject: string | null): ReadonlyArray<HeldRight> {
    const { connection, connectionIncarnation: incarnation } = grant
    const held = (right: AccessRight): HeldRight => heldBy(connection, incarnation, right)
    if (connection.owner === "org") return [held([grant])]
    // Handed on from what was shared with an agent above: it rests on that one's right alone.
    if (grant.subject === null) return grant.delegatedBy === null ? [] : [held([grant])]
    if (grant.subject !== subject) return []
    if (connection.subject === subject) return [held([grant])]
    return this.#lent
      .get(connection)
      .filter((share) => share.connectionIncarnation === incarnation)
      .map((share) => held([grant, share]))
  }

  #refsOfAgent(subject: string | null): ReadonlyArray<ConnectionRef> {
    const shown = new Map<string, ConnectionRef>()
    for (const { connection } of this.#links[0]?.all ?? []) {
      for (const ref of this.#shownAs(connection, subject)) {
        shown.set(JSON.stringify([ref.owner, ref.integration, ref.name]), ref)
      }
    }
    return [...shown.values()]
  }

  #shownAs(
    { owner, subject: of, integration, name }: ConnectionKey,
    subject: string | null,
  ): ReadonlyArray<ConnectionRef> {
    if (owner === "org" || of === subject) return [{ owner, integration, name }]
    return [...(this.#names.get(integration)?.values() ?? [])]
      .filter(({ connection }) => connection.subject === of && connection.name === name)
      .map(refOf)
  }
}

/** The index over what a store answered; kept as long as that object lives. */
export const accessIndex = (records: CallerRecords, subject: string | null): AccessIndex => {
  const known = indexes.get(records)
  if (known !== undefined) return known
  const index = new AccessIndex(records, subject)
  indexes.set(records, index)
  return index
}

const indexes = new WeakMap<CallerRecords, AccessIndex>()

/** A right to one incarnation of a connection. */
interface HeldRight {
  readonly connection: ConnectionKey
  readonly incarnation: string
  readonly right: AccessRight
  /** The right as a list of its own. */
  readonly alone: ReadonlyArray<AccessRight>
}

const heldBy = (connection: ConnectionKey, incarnation: string, right: AccessRight): HeldRight => ({
  connection,
  incarnation,
  right,
  alone: [right],
})

const heldByShare = (share: ShareRecord): HeldRight => heldBy(share.connection, share.connectionIncarnation, [share])

/** Made with every call: most connections are held by one right only, for which nothing new is made. */
const liveRights = (held: ReadonlyArray<HeldRight>, incarnation: string, now: number): ReadonlyArray<AccessRight> => {
  const [first, second] = held
  if (first === undefined) return none
  if (second === undefined) return isLive(first, incarnation, now) ? first.alone : none
  return held.filter((one) => isLive(one, incarnation, now)).map(({ right }) => right)
}

const isLive = (held: HeldRight, incarnation: string, now: number): boolean =>
  held.incarnation === incarnation && !held.right.some((scope) => isOver(scope, now))

/** An agent's chain is whole when it holds, in order, the very agents that it was made under. */
const isWhole = (agents: ReadonlyArray<AgentRecord>): boolean => {
  const [acting, ...above] = agents
  return (
    acting !== undefined &&
    above.length === acting.lineage.length &&
    acting.lineage.every(({ id, incarnation }, at) => above[at]?.id === id && above[at].incarnation === incarnation)
  )
}

const refOf = ({ connection, as }: ShareRecord): ConnectionRef => ({
  owner: "user",
  integration: connection.integration,
  name: as,
})

const refsOf = (names: ReadonlyMap<string, ShareRecord>): ReadonlyArray<ConnectionRef> => [...names.values()].map(refOf)

/** Values by the connection that they are about. Nested maps, so that no name can be spelled to reach another connection. */
class ByConnection<Value extends { readonly connection: ConnectionKey }> {
  readonly all: ReadonlyArray<Value>
  readonly #integrations = new Map<string, Map<string, Map<string, Array<Value>>>>()

  constructor(values: ReadonlyArray<Value>) {
    this.all = values
    for (const value of values) {
      const { integration, name, subject } = value.connection
      const names = this.#integrations.get(integration) ?? new Map<string, Map<string, Array<Value>>>()
      this.#integrations.set(integration, names)
      const subjects = names.get(name) ?? new Map<string, Array<Value>>()
      names.set(name, subjects)
      const found = subjects.get(subject)
      if (found === undefined) subjects.set(subject, [value])
      else found.push(value)
    }
  }

  get({ integration, name, subject }: ConnectionKey): ReadonlyArray<Value> {
    return this.#integrations.get(integration)?.get(name)?.get(subject) ?? none
  }
}

const none: ReadonlyArray<never> = []
