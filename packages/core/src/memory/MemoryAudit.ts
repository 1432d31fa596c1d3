/**
 * Audit trails in this process's memory, until they are pruned or the process ends. Part of `memoryStore()`.
 */
import * as Effect from "effect/Effect"
import type { AuditEntry, AuditHead } from "../audit/AuditEntry.ts"
import type { AuditQuery, AuditStore } from "../audit/AuditStore.ts"
import { getOrMake } from "./getOrMake.ts"

/** Makes an empty store of audit trails. */
export const memoryAudit = (): AuditStore => {
  const tenants = new Map<string, Trail>()
  return {
    head: (tenant) => Effect.sync(() => copyOf(tenants.get(tenant)?.head)),
    append: (tenant, first, link) =>
      Effect.sync(() => {
        const trail = getOrMake(tenants, tenant, (): Trail => ({ head: undefined, entries: [], ids: new Set() }))
        if (trail.ids.has(first)) return
        const batch = link(trail.head)
        if (batch === undefined) return
        const { entries, head, removeThrough } = batch
        trail.head = head
        for (const entry of entries) {
          trail.entries.push(entry)
          trail.ids.add(entry.id)
        }
        if (removeThrough === undefined) return
        const kept = trail.entries.findIndex(({ sequence }) => sequence > removeThrough)
        for (const { id } of trail.entries.splice(0, kept === -1 ? trail.entries.length : kept)) trail.ids.delete(id)
      }),
    list: (query) =>
      Effect.sync(() => {
        const entries = tenants.get(query.tenant)?.entries ?? []
        const found: Array<AuditEntry> = []
        for (let index = firstAfter(entries, query.after ?? 0); index < entries.length; index += 1) {
          const entry = entries[index]
          if (found.length >= query.limit || entry === undefined) break
          if (isAskedFor(entry, query)) found.push(copyOf(entry))
        }
        return found
      }),
  }
}

interface Trail {
  head: AuditHead | undefined
  readonly entries: Array<AuditEntry>
  readonly ids: Set<string>
}

/** Whoever is given something may change it; what is kept stays as it was written. */
const copyOf = <A>(kept: A): A => structuredClone(kept)

const isAskedFor = (entry: AuditEntry, query: AuditQuery): boolean =>
  (query.subject === undefined || entry.subject === query.subject) &&
  (query.since === undefined || entry.at >= query.since) &&
  (query.before === undefined || entry.at < query.before) &&
  (query.connection === undefined || entry.connection === query.connection) &&
  (query.agent === undefined || entry.agent === query.agent) &&
  (query.tool === undefined || entry.tool === query.tool) &&
  (query.through === undefined || entry.sequence <= query.through)

/** Sequences have no gaps, so the place of one is known. */
const firstAfter = (entries: ReadonlyArray<AuditEntry>, after: number): number =>
  Math.max(0, after - ((entries[0]?.sequence ?? 1) - 1))
