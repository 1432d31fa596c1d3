/**
 * Records in this process's memory: the default store, gone when the process ends.
 *
 * Partitions are nested maps, so that no name can be spelled to reach another partition.
 */
import * as Effect from "effect/Effect"
import type { ConnectionRow } from "../connection/Connection.ts"
import { isRefreshable } from "../connection/ConnectionGrant.ts"
import type { ConnectionKey } from "../connection/ConnectionRef.ts"
import type { ConnectionQuery, ConnectionStore } from "../connection/ConnectionStore.ts"
import { compareRefs, compareTexts } from "../connection/listOrder.ts"
import type { Owner } from "../identity/Identity.ts"
import type { IntegrationRecord } from "../integration/Integration.ts"
import type { IntegrationStore } from "../integration/IntegrationStore.ts"
import type { Store } from "../integration/Store.ts"
import type { ToolDef } from "../tool/Tool.ts"
import type { CatalogKey, CatalogStore } from "../tool/ToolCatalog.ts"
import { frozen } from "./frozen.ts"
import { getOrMake } from "./getOrMake.ts"
import { memoryAccess } from "./MemoryAccess.ts"
import { memoryAccounts } from "./MemoryAccounts.ts"
import { memoryAudit } from "./MemoryAudit.ts"
import { memoryLease } from "./MemoryLease.ts"
import { memoryOAuth } from "./MemoryOAuth.ts"
import { memoryApprovals, memoryPolicies } from "./MemoryPolicies.ts"

/** Makes an empty store. */
export const memoryStore = (): Store => ({
  integrations: memoryIntegrations(),
  connections: memoryConnections(),
  accounts: memoryAccounts(),
  catalogs: memoryCatalogs(),
  access: memoryAccess(),
  oauth: memoryOAuth(),
  policies: memoryPolicies(),
  approvals: memoryApprovals(),
  audit: memoryAudit(),
  lease: memoryLease(),
})

const memoryIntegrations = (): IntegrationStore => {
  const tenants = new Map<string, Map<string, IntegrationRecord>>()
  return {
    get: (tenant, slug) => Effect.succeed(tenants.get(tenant)?.get(slug)),
    put: (record, expectedRevision) =>
      Effect.sync(() => {
        const records = getOrMake(tenants, record.tenant, () => new Map<string, IntegrationRecord>())
        if ((records.get(record.slug)?.revision ?? 0) !== expectedRevision) return false
        records.set(record.slug, record)
        return true
      }),
    remove: (tenant, slug) => Effect.sync(() => tenants.get(tenant)?.delete(slug) ?? false),
    list: ({ tenant, after, limit }) =>
      Effect.sync(() =>
        [...(tenants.get(tenant)?.values() ?? [])]
          .filter((record) => after === undefined || record.slug > after)
          .sort((one, other) => compareTexts(one.slug, other.slug))
          .slice(0, limit),
      ),
  }
}

const memoryConnections = (): ConnectionStore => {
  const tenants = new Map<string, Map<string, Partition>>()
  /** When each runs out, epoch milliseconds. */
  const claims = new Map<string, number>()
  const partition = (tenant: string, subject: string): Partition | undefined => tenants.get(tenant)?.get(subject)
  return {
    get: (key) => Effect.succeed(partition(key.tenant, key.subject)?.get(key)),
    put: (row, expectedVersion) =>
      Effect.sync(() => {
        const subjects = getOrMake(tenants, row.tenant, () => new Map<string, Partition>())
        return getOrMake(subjects, row.subject, () => new Partition()).put(row, expectedVersion)
      }),
    remove: (key, expectedVersion) =>
      Effect.sync(() => partition(key.tenant, key.subject)?.remove(key, expectedVersion) ?? false),
    list: (query) =>
      Effect.sync(() => {
        const shared = query.owner === "user" ? [] : (partition(query.tenant, "")?.page(query, "org") ?? [])
        const own =
          query.owner === "org" || query.subject === null
            ? []
            : (partition(query.tenant, query.subject)?.page(query, "user") ?? [])
        if (own.length === 0) return shared
        if (shared.length === 0) return own
        return [...shared, ...own].sort(compareRefs).slice(0, query.limit)
      }),
    expiring: ({ tenant, before, limit, unclaimedAt }) =>
      Effect.sync(() =>
        [...(tenants.get(tenant)?.values() ?? [])]
          .flatMap((subject) => subject.expiring(before))
          .filter((row) => unclaimedAt === undefined || (claims.get(claimOf(row)) ?? 0) <= unclaimedAt)
          .sort((one, other) => (one.expiresAt ?? 0) - (other.expiresAt ?? 0))
          .slice(0, limit),
      ),
    claim: (tenant, keys, { now, until }) =>
      Effect.sync(() => {
        for (const [name, claimedUntil] of claims) if (claimedUntil <= now) claims.delete(name)
        return keys.map((key) => {
          const name = claimOf({ ...key, tenant })
          if (claims.has(name)) return false
          claims.set(name, until)
          return true
        })
      }),
    isUsed: (tenant, integration) =>
      Effect.sync(() => [...(tenants.get(tenant)?.values() ?? [])].some((subject) => subject.has(integration))),
  }
}

/** A JSON list cannot be spelled to collide. */
const claimOf = ({ tenant, subject, integration, name }: ConnectionKey): string =>
  JSON.stringify([tenant, subject, integration, name])

/** The rows of one tenant and subject. */
class Partition {
  readonly #integrations = new Map<string, Map<string, ConnectionRow>>()
  #sorted: ReadonlyArray<ConnectionRow> | undefined

  get(key: ConnectionKey): ConnectionRow | undefined {
    return this.#integrations.get(key.integration)?.get(key.name)
  }

  has(integration: string): boolean {
    return (this.#integrations.get(integration)?.size ?? 0) > 0
  }

  put(row: ConnectionRow, expectedVersion: number): boolean {
    const rows = getOrMake(this.#integrations, row.integration, () => new Map<string, ConnectionRow>())
    if ((rows.get(row.name)?.version ?? 0) !== expectedVersion) return false
    rows.set(row.name, frozen(row))
    this.#sorted = undefined
    return true
  }

  remove(key: ConnectionKey, expectedVersion: number | undefined): boolean {
    const row = this.get(key)
    if (row === undefined || (expectedVersion !== undefined && row.version !== expectedVersion)) return false
    this.#sorted = undefined
    return this.#integrations.get(key.integration)?.delete(key.name) ?? false
  }

  expiring(before: number): ReadonlyArray<ConnectionRow> {
    return this.#all().filter(
      ({ status, expiresAt, grant }) =>
        status === "active" && expiresAt !== null && expiresAt < before && grant !== null && isRefreshable(grant),
    )
  }

  page({ integration, name, after, limit }: ConnectionQuery, owner: Owner): ReadonlyArray<ConnectionRow> {
    const rows = name === undefined ? this.#all() : this.#named(name)
    const start = integration === undefined ? 0 : firstAfter(rows, { integration, owner: "", name: "" }, owner)
    const from = after === undefined ? start : Math.max(start, firstAfter(rows, after, owner))
    const page: Array<ConnectionRow> = []
    for (let index = from; index < rows.length && page.length < limit; index += 1) {
      const row = rows[index]
      if (row === undefined || (integration !== undefined && row.integration !== integration)) break
      page.push(row)
    }
    return page
  }

  #named(name: string): ReadonlyArray<ConnectionRow> {
    return [...this.#integrations.values()].flatMap((rows) => rows.get(name) ?? []).sort(compareRefs)
  }

  #all(): ReadonlyArray<ConnectionRow> {
    this.#sorted ??= [...this.#integrations.values()].flatMap((rows) => [...rows.values()]).sort(compareRefs)
    return this.#sorted
  }
}

const memoryCatalogs = (): CatalogStore => {
  const tenants = new Map<string, Map<string, Map<string, Catalog>>>()
  const slot = (key: Omit<CatalogKey, "revision">): Map<string, Catalog> | undefined =>
    tenants.get(key.tenant)?.get(key.integration)
  return {
    get: (key) => {
      const catalog = slot(key)?.get(slotName(key))
      return Effect.succeed(catalog?.revision === key.revision ? catalog.tools : undefined)
    },
    put: (key, tools) =>
      Effect.sync(() => {
        const integrations = getOrMake(tenants, key.tenant, () => new Map<string, Map<string, Catalog>>())
        getOrMake(integrations, key.integration, () => new Map<string, Catalog>()).set(slotName(key), {
          revision: key.revision,
          tools,
        })
      }),
    remove: (key) =>
      Effect.sync(() => {
        if (key.connection === null) tenants.get(key.tenant)?.delete(key.integration)
        else slot(key)?.delete(slotName(key))
      }),
  }
}

interface Catalog {
  readonly revision: number
  readonly tools: ReadonlyArray<ToolDef>
}

/** Tells the integration's own catalog from those of its connections; a JSON list cannot be spelled to collide. */
const slotName = ({ connection }: Pick<CatalogKey, "connection">): string =>
  connection === null ? "" : JSON.stringify([connection.subject, connection.owner, connection.name])

/** The index of the first row after a position, by bisection. */
const firstAfter = (
  rows: ReadonlyArray<ConnectionRow>,
  position: { readonly integration: string; readonly owner: string; readonly name: string },
  owner: Owner,
): number => {
  let low = 0
  let high = rows.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const row = rows[middle]
    const order =
      row === undefined
        ? 1
        : compareTexts(row.integration, position.integration) ||
          compareTexts(owner, position.owner) ||
          compareTexts(row.name, position.name)
    if (order <= 0) low = middle + 1
    else high = middle
  }
  return low
}
