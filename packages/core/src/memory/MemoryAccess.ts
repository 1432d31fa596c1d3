/**
 * Agents, grants and shares in this process's memory. Part of `memoryStore()`.
 *
 * What is answered about a caller is kept until something of the tenant changes.
 */
import * as Effect from "effect/Effect"
import type { ConnectionKey } from "../connection/ConnectionRef.ts"
import { compareKeys, compareTexts } from "../connection/listOrder.ts"
import type { AccessStore, Caller, CallerRecords } from "../policy/AccessStore.ts"
import type { AgentRecord } from "../policy/Agent.ts"
import { compareGrants, type GrantKey, type GrantRecord } from "../policy/Grant.ts"
import type { ShareKey, ShareRecipient, ShareRecord } from "../policy/Share.ts"
import { frozen } from "./frozen.ts"
import { getOrMake } from "./getOrMake.ts"

/** Makes an empty store. */
export const memoryAccess = (): AccessStore => {
  const tenants = new Map<string, TenantAccess>()
  const of = (tenant: string): TenantAccess => getOrMake(tenants, tenant, () => new TenantAccess())
  return {
    ofCaller: (caller) => Effect.succeed(tenants.get(caller.tenant)?.ofCaller(caller) ?? nothing),
    getAgent: (tenant, id) => Effect.sync(() => tenants.get(tenant)?.agents.get(id)),
    putAgent: (record, expectedVersion) => Effect.sync(() => of(record.tenant).putAgent(record, expectedVersion)),
    removeAgent: (tenant, id) => Effect.sync(() => of(tenant).removeAgent(id)),
    listAgents: ({ tenant, after, limit }) =>
      Effect.sync(() =>
        [...(tenants.get(tenant)?.agents.values() ?? [])]
          .filter(({ id }) => after === undefined || id > after)
          .sort((one, other) => compareTexts(one.id, other.id))
          .slice(0, limit),
      ),
    putGrant: (record) => Effect.sync(() => of(record.tenant).putGrant(record)),
    removeGrant: (key) => Effect.sync(() => of(key.tenant).removeGrant(key)),
    listGrants: (tenant, agent) => Effect.sync(() => of(tenant).grantsTo(agent).toSorted(compareGrants)),
    listGrantsOf: (connection) => Effect.sync(() => of(connection.tenant).grantsOf(connection)),
    putShare: (record) => Effect.sync(() => of(record.tenant).putShare(record)),
    removeShare: (key) => Effect.sync(() => of(key.tenant).removeShare(key)),
    listShares: (connection, { after, limit }) =>
      Effect.sync(() =>
        of(connection.tenant)
          .sharesOf(connection)
          .filter((share) => after === undefined || compareShares(share, { with: after }) > 0)
          .toSorted(compareShares)
          .slice(0, limit),
      ),
    forgetConnection: (connection) => Effect.sync(() => of(connection.tenant).forget(connection)),
  }
}

const nothing: CallerRecords = { agents: [], grants: [], shares: [] }

/** How many callers' answers are kept before they are all made anew. */
const mostCallers = 10_000

/** The records of one tenant. */
class TenantAccess {
  readonly agents = new Map<string, AgentRecord>()
  /** By agent, then by the rest of the key. */
  readonly #grants = new Map<string, Map<string, GrantRecord>>()
  /** By recipient, then by connection. */
  readonly #shares = new Map<string, Map<string, ShareRecord>>()
  /** Answers by agent (empty for none), then by subject. */
  readonly #answers = new Map<string, Map<string | null, CallerRecords>>()
  #answerCount = 0

  ofCaller({ subject, agent }: Caller): CallerRecords {
    const answers = getOrMake(this.#answers, agent ?? "", () => new Map<string | null, CallerRecords>())
    const known = answers.get(subject)
    if (known !== undefined) return known
    if (this.#answerCount >= mostCallers) {
      this.#forgetAnswers()
      return this.ofCaller({ subject, agent, tenant: "" })
    }
    this.#answerCount += 1
    const answer = this.#answer(subject, agent)
    answers.set(subject, answer)
    return answer
  }

  putAgent(record: AgentRecord, expectedVersion: number): boolean {
    if ((this.agents.get(record.id)?.version ?? 0) !== expectedVersion) return false
    this.agents.set(record.id, frozen(record))
    this.#forgetAnswers()
    return true
  }

  removeAgent(id: string): boolean {
    this.#grants.delete(id)
    this.#shares.delete(recipientText({ agent: id }))
    this.#forgetAnswers()
    return this.agents.delete(id)
  }

  putGrant(record: GrantRecord): void {
    getOrMake(this.#grants, record.agent, () => new Map<string, GrantRecord>()).set(grantText(record), frozen(record))
    this.#forgetAnswers()
  }

  removeGrant(key: GrantKey): boolean {
    this.#forgetAnswers()
    return this.#grants.get(key.agent)?.delete(grantText(key)) ?? false
  }

  grantsTo(agent: string): ReadonlyArray<GrantRecord> {
    return [...(this.#grants.get(agent)?.values() ?? [])]
  }

  grantsOf(connection: ConnectionKey): ReadonlyArray<GrantRecord> {
    const text = connectionText(connection)
    return [...this.#grants.values()].flatMap((grants) =>
      [...grants.values()].filter((grant) => connectionText(grant.connection) === text),
    )
  }

  putShare(record: ShareRecord): boolean {
    const shares = getOrMake(this.#shares, recipientText(record.with), () => new Map<string, ShareRecord>())
    const text = connectionText(record.connection)
    for (const [other, { as, connection }] of shares) {
      if (other !== text && as === record.as && connection.integration === record.connection.integration) return false
    }
    shares.set(text, frozen(record))
    this.#forgetAnswers()
    return true
  }

  removeShare(key: ShareKey): boolean {
    this.#forgetAnswers()
    return this.#shares.get(recipientText(key.with))?.delete(connectionText(key.connection)) ?? false
  }

  sharesOf(connection: ConnectionKey): ReadonlyArray<ShareRecord> {
    const text = connectionText(connection)
    return [...this.#shares.values()].flatMap((shares) => shares.get(text) ?? [])
  }

  forget(connection: ConnectionKey): void {
    const text = connectionText(connection)
    for (const shares of this.#shares.values()) shares.delete(text)
    for (const grants of this.#grants.values()) {
      for (const [key, grant] of grants) if (connectionText(grant.connection) === text) grants.delete(key)
    }
    this.#forgetAnswers()
  }

  #answer(subject: string | null, agent: string | null): CallerRecords {
    const acting = agent === null ? undefined : this.agents.get(agent)
    const above = acting?.lineage.flatMap(({ id }) => this.agents.get(id) ?? []) ?? []
    const agents = acting === undefined ? [] : [acting, ...above]
    return {
      agents,
      grants: agents.flatMap(({ id }) =>
        this.grantsTo(id)
          .filter((grant) => grant.subject === null || grant.subject === subject)
          .sort(compareGrants),
      ),
      shares: [
        ...(subject === null ? [] : this.#sharesWith({ subject })),
        ...agents.flatMap(({ id }) => this.#sharesWith({ agent: id })),
      ],
    }
  }

  #sharesWith(recipient: ShareRecipient): ReadonlyArray<ShareRecord> {
    return [...(this.#shares.get(recipientText(recipient))?.values() ?? [])].sort((one, other) =>
      compareKeys(one.connection, other.connection),
    )
  }

  #forgetAnswers(): void {
    this.#answers.clear()
    this.#answerCount = 0
  }
}

/** JSON lists cannot be spelled to collide. */
const connectionText = ({ subject, integration, name }: ConnectionKey): string =>
  JSON.stringify([subject, integration, name])
const grantText = ({ subject, delegatedBy, connection }: Omit<GrantKey, "tenant" | "agent">): string =>
  JSON.stringify([subject, delegatedBy, connectionText(connection)])
const recipientText = (recipient: ShareRecipient): string =>
  recipient.agent === undefined
    ? JSON.stringify(["user", recipient.subject])
    : JSON.stringify(["agent", recipient.agent])

type ShareOrder = Pick<ShareRecord, "with">

/** Those with users first. */
const compareShares = ({ with: one }: ShareOrder, { with: other }: ShareOrder): number =>
  Number(one.subject === undefined) - Number(other.subject === undefined) ||
  compareTexts(one.subject ?? "", other.subject ?? "") ||
  compareTexts(one.agent ?? "", other.agent ?? "")
