/**
 * Policy rules and approvals in this process's memory. Part of `memoryStore()`.
 *
 * Lists of rules are sorted when they are asked for after a change and kept until the next. Every step is synchronous, so that nobody
 * comes between reading and writing.
 */
import * as Effect from "effect/Effect"
import type { ApprovalRecord } from "../policy/Approval.ts"
import type { ApprovalStore } from "../policy/ApprovalStore.ts"
import { byOrder, type PolicyRecord, type PolicyRules } from "../policy/Policy.ts"
import type { PolicyStore } from "../policy/PolicyStore.ts"
import { frozen } from "./frozen.ts"
import { getOrMake } from "./getOrMake.ts"

/** Makes an empty store of rules. */
export const memoryPolicies = (): PolicyStore => {
  const tenants = new Map<string, TenantRules>()
  return {
    rules: (tenant, subject) => tenants.get(tenant)?.rules(subject) ?? noRules,
    get: (tenant, id) => Effect.sync(() => tenants.get(tenant)?.get(id)),
    put: (record, expectedVersion) =>
      Effect.sync(() => getOrMake(tenants, record.tenant, () => new TenantRules()).put(record, expectedVersion)),
    remove: (tenant, id) => Effect.sync(() => tenants.get(tenant)?.remove(id) ?? false),
  }
}

const none: ReadonlyArray<PolicyRecord> = []
const noRules = Effect.succeed<PolicyRules>({ organisation: none, user: none })

class TenantRules {
  readonly #records = new Map<string, PolicyRecord>()
  readonly #subjects = new Map<string, Map<string, PolicyRecord>>()
  readonly #lists = new Map<string, ReadonlyArray<PolicyRecord>>()
  readonly #answers = new Map<string | null, Effect.Effect<PolicyRules>>()

  rules(subject: string | null): Effect.Effect<PolicyRules> {
    if (this.#answers.size > mostAnswers) this.#answers.clear()
    return getOrMake(this.#answers, subject, () =>
      Effect.succeed({ organisation: this.#list(""), user: subject === null ? none : this.#list(subject) }),
    )
  }

  get(id: string): PolicyRecord | undefined {
    return this.#records.get(id)
  }

  put(record: PolicyRecord, expectedVersion: number): boolean {
    if ((this.#records.get(record.id)?.version ?? 0) !== expectedVersion) return false
    this.#records.set(record.id, frozen(record))
    getOrMake(this.#subjects, record.subject, () => new Map<string, PolicyRecord>()).set(record.id, record)
    this.#changed(record.subject)
    return true
  }

  remove(id: string): boolean {
    const record = this.#records.get(id)
    if (record === undefined) return false
    this.#subjects.get(record.subject)?.delete(id)
    this.#changed(record.subject)
    return this.#records.delete(id)
  }

  #list(subject: string): ReadonlyArray<PolicyRecord> {
    const records = this.#subjects.get(subject)
    if (records === undefined || records.size === 0) return none
    return getOrMake(this.#lists, subject, () => [...records.values()].sort(byOrder))
  }

  #changed(subject: string): void {
    this.#lists.delete(subject)
    this.#answers.clear()
  }
}

const mostAnswers = 10_000

/** Makes an empty store of approvals. */
export const memoryApprovals = (): ApprovalStore => {
  const tenants = new Map<string, Map<string, ApprovalRecord>>()
  const sorted = (tenant: string): ReadonlyArray<ApprovalRecord> =>
    [...(tenants.get(tenant)?.values() ?? [])].sort((one, other) => (one.id < other.id ? -1 : 1))
  return {
    get: (tenant, id) => Effect.sync(() => tenants.get(tenant)?.get(id)),
    put: (record, expectedVersion) =>
      Effect.sync(() => {
        const approvals = getOrMake(tenants, record.tenant, () => new Map<string, ApprovalRecord>())
        if ((approvals.get(record.id)?.version ?? 0) !== expectedVersion) return false
        approvals.set(record.id, frozen(record))
        return true
      }),
    take: (tenant, id, version) =>
      Effect.sync(() => {
        const approvals = tenants.get(tenant)
        return approvals?.get(id)?.version === version && approvals.delete(id)
      }),
    find: (tenant, keys) => Effect.sync(() => sorted(tenant).filter(({ key }) => keys.includes(key))),
    list: ({ tenant, subject, status, validAt, after, limit }) =>
      Effect.sync(() =>
        sorted(tenant)
          .filter(
            (record) =>
              (subject === null || record.subject === subject) &&
              (status === undefined || record.status === status) &&
              (validAt === undefined || record.expiresAt > validAt) &&
              (after === undefined || record.id > after),
          )
          .slice(0, limit),
      ),
    removeExpired: (tenant, now) =>
      Effect.sync(() => {
        const approvals = tenants.get(tenant)
        let removed = 0
        for (const { id, expiresAt } of approvals?.values() ?? []) {
          if (expiresAt < now && approvals?.delete(id) === true) removed += 1
        }
        return removed
      }),
  }
}
