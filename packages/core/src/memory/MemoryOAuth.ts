/**
 * OAuth records in this process's memory: clients, flows under way, and revocations owed. Part of `memoryStore()`.
 *
 * Partitions are nested maps, so that no name can be spelled to reach another partition. Every step is synchronous, so that nobody
 * comes between reading and writing.
 */
import * as Effect from "effect/Effect"
import type { OAuthClientKey, OAuthClientRecord } from "../oauth/OAuthClient.ts"
import type { OAuthSessionRecord } from "../oauth/OAuthSession.ts"
import type {
  OAuthClientStore,
  OAuthSessionStore,
  OAuthStores,
  RevocationRecord,
  RevocationStore,
} from "../oauth/OAuthStores.ts"
import { getOrMake } from "./getOrMake.ts"

/** Makes empty stores. */
export const memoryOAuth = (): OAuthStores => ({
  clients: memoryClients(),
  sessions: memorySessions(),
  revocations: memoryRevocations(),
})

type Clients = Map<string, OAuthClientRecord>

const memoryClients = (): OAuthClientStore => {
  const tenants = new Map<string, Map<string, Clients>>()
  const partition = ({ tenant, subject }: Pick<OAuthClientKey, "tenant" | "subject">): Clients | undefined =>
    tenants.get(tenant)?.get(subject)
  return {
    get: (key) => Effect.sync(() => partition(key)?.get(key.slug)),
    put: (record, expectedVersion) =>
      Effect.sync(() => {
        const subjects = getOrMake(tenants, record.tenant, () => new Map<string, Clients>())
        const clients = getOrMake(subjects, record.subject, (): Clients => new Map())
        if ((clients.get(record.slug)?.version ?? 0) !== expectedVersion) return false
        clients.set(record.slug, record)
        return true
      }),
    remove: (key) => Effect.sync(() => partition(key)?.delete(key.slug) ?? false),
    list: ({ tenant, subject, owner, after, limit }) =>
      Effect.sync(() => {
        const isShared = owner !== "user" && after?.owner !== "user"
        const shared = isShared ? bySlug(partition({ tenant, subject: "" }), after?.slug) : []
        if (owner === "org" || subject === null || subject === "") return shared.slice(0, limit)
        const own = bySlug(partition({ tenant, subject }), after?.owner === "user" ? after.slug : undefined)
        return [...shared, ...own].slice(0, limit)
      }),
  }
}

/** The clients of one partition after a slug, in order. */
const bySlug = (clients: Clients | undefined, after: string | undefined): ReadonlyArray<OAuthClientRecord> =>
  [...(clients?.values() ?? [])]
    .filter(({ slug }) => after === undefined || slug > after)
    .sort((one, other) => (one.slug < other.slug ? -1 : 1))

const memorySessions = (): OAuthSessionStore => {
  const tenants = new Map<string, Map<string, OAuthSessionRecord>>()
  return {
    get: (tenant, stateHash) => Effect.sync(() => tenants.get(tenant)?.get(stateHash)),
    put: (record, expectedVersion) =>
      Effect.sync(() => {
        const sessions = getOrMake(tenants, record.tenant, () => new Map<string, OAuthSessionRecord>())
        if ((sessions.get(record.stateHash)?.version ?? 0) !== expectedVersion) return false
        sessions.set(record.stateHash, record)
        return true
      }),
    take: (tenant, stateHash) =>
      Effect.sync(() => {
        const sessions = tenants.get(tenant)
        const session = sessions?.get(stateHash)
        sessions?.delete(stateHash)
        return session
      }),
    removeExpired: (tenant, now) =>
      Effect.sync(() => {
        const sessions = tenants.get(tenant)
        let removed = 0
        for (const { stateHash, expiresAt } of sessions?.values() ?? []) {
          if (expiresAt < now && sessions?.delete(stateHash) === true) removed += 1
        }
        return removed
      }),
  }
}

const memoryRevocations = (): RevocationStore => {
  const tenants = new Map<string, Map<string, RevocationRecord>>()
  return {
    put: (record) =>
      Effect.sync(() => {
        getOrMake(tenants, record.tenant, () => new Map<string, RevocationRecord>()).set(record.id, record)
      }),
    remove: (tenant, id) =>
      Effect.sync(() => {
        tenants.get(tenant)?.delete(id)
      }),
    due: ({ tenant, now, limit }) =>
      Effect.sync(() =>
        [...(tenants.get(tenant)?.values() ?? [])]
          .filter(({ nextAttemptAt }) => nextAttemptAt <= now)
          .sort((one, other) => one.nextAttemptAt - other.nextAttemptAt)
          .slice(0, limit),
      ),
  }
}
