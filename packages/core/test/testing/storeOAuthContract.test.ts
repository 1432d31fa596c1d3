/**
 * The store contract's cases about OAuth records catch what they say they catch: stores that are broken on purpose fail them.
 */
import { type MakeStore, type StoreCapabilities, storeContract, type StoreUnderTest } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import type { ConnectionStore } from "../../src/connection/ConnectionStore.ts"
import type { Store } from "../../src/integration/Store.ts"
import { memoryLease } from "../../src/memory/MemoryLease.ts"
import { memoryStore } from "../../src/memory/MemoryStore.ts"
import type { OAuthClientKey, OAuthClientRecord } from "../../src/oauth/OAuthClient.ts"
import type { OAuthClientStore, OAuthSessionStore, OAuthStores, RevocationStore } from "../../src/oauth/OAuthStores.ts"

/** The cases of this file: those about OAuth records, and about rows whose tokens expire. */
const relevant = /claim it|OAuth|flow|revocation|tokens expire|a connection exactly|unavailable/

/** The names of the relevant cases that fail. */
const failuresOf = async (make: MakeStore, capabilities: StoreCapabilities = {}): Promise<Array<string>> => {
  const failed: Array<string> = []
  for (const { name, run } of storeContract(make, capabilities)) {
    if (relevant.test(name)) await run().catch(() => failed.push(name))
  }
  return failed
}

const oauth =
  (change: (sound: OAuthStores) => Partial<OAuthStores>): MakeStore =>
  () => {
    const sound = memoryStore()
    return { ...sound, oauth: { ...sound.oauth, ...change(sound.oauth) } }
  }

const clients = (change: (sound: OAuthClientStore) => Partial<OAuthClientStore>): MakeStore =>
  oauth((sound) => ({ clients: { ...sound.clients, ...change(sound.clients) } }))

const sessions = (change: (sound: OAuthSessionStore) => Partial<OAuthSessionStore>): MakeStore =>
  oauth((sound) => ({ sessions: { ...sound.sessions, ...change(sound.sessions) } }))

const revocations = (change: (sound: RevocationStore) => Partial<RevocationStore>): MakeStore =>
  oauth((sound) => ({ revocations: { ...sound.revocations, ...change(sound.revocations) } }))

const connections =
  (change: (sound: ConnectionStore) => Partial<ConnectionStore>): MakeStore =>
  () => {
    const sound = memoryStore()
    return { ...sound, connections: { ...sound.connections, ...change(sound.connections) } }
  }

/** Clients under whatever key the function makes; the usual way to mix partitions up. */
const flat = (keyOf: (key: OAuthClientKey) => string): MakeStore =>
  clients(() => {
    const records = new Map<string, OAuthClientRecord>()
    return {
      get: (key) => Effect.sync(() => records.get(keyOf(key))),
      put: (record, expected) =>
        Effect.sync(() => {
          if ((records.get(keyOf(record))?.version ?? 0) !== expected) return false
          records.set(keyOf(record), record)
          return true
        }),
      remove: (key) => Effect.sync(() => records.delete(keyOf(key))),
      list: (query) =>
        Effect.gen(function* () {
          const copy = memoryStore().oauth.clients
          for (const record of records.values()) yield* copy.put(record, 0)
          return yield* copy.list(query)
        }),
    }
  })

describe("a sound store", () => {
  it("passes, also when it keeps clients under a key that cannot collide", async () => {
    expect(await failuresOf(() => memoryStore())).toEqual([])
    expect(await failuresOf(flat(({ tenant, subject, slug }) => JSON.stringify([tenant, subject, slug])))).toEqual([])
  })
})

describe("a store that is broken on purpose", () => {
  it.each<[string, MakeStore, ReadonlyArray<RegExp>]>([
    [
      "loses a connection's grant",
      connections((sound) => ({ put: (row, expected) => sound.put({ ...row, grant: null }, expected) })),
      [/a connection exactly/, /tokens expire/],
    ],
    [
      "loses the intent of a refresh",
      connections((sound) => ({
        put: (row, expected) => sound.put({ ...row, grant: row.grant && { ...row.grant, intent: null } }, expected),
      })),
      [/a connection exactly/],
    ],
    [
      "lists no row whose token expires",
      connections(() => ({ expiring: () => Effect.succeed([]) })),
      [/tokens expire/],
    ],
    [
      "lists rows that expire exactly then",
      connections((sound) => ({ expiring: (query) => sound.expiring({ ...query, before: query.before + 1 }) })),
      [/tokens expire/],
    ],
    [
      "lists rows that cannot be refreshed",
      connections((sound) => ({
        expiring: ({ tenant, before, limit, unclaimedAt }) =>
          Effect.map(
            unclaimedAt === undefined
              ? sound.list({ tenant, subject: "alice", limit: 1000 })
              : sound.expiring({ tenant, before, limit, unclaimedAt }),
            (rows) => rows.filter(({ expiresAt }) => expiresAt !== null && expiresAt < before).slice(0, limit),
          ),
      })),
      [/tokens expire/],
    ],
    [
      "gives a row to everybody who claims it",
      connections(() => ({ claim: (_, keys) => Effect.succeed(keys.map(() => true)) })),
      [/one of those who claim it/],
    ],
    [
      "lists expiring rows of every status",
      connections((sound) => ({
        put: (row, expected) => sound.put({ ...row, status: "active" }, expected),
      })),
      [/tokens expire/],
    ],
    [
      "forgets the tenant of a client",
      flat(({ subject, slug }) => JSON.stringify([subject, slug])),
      [/clients apart by tenants/],
    ],
    [
      "forgets the subject of a client",
      flat(({ tenant, slug }) => JSON.stringify([tenant, slug])),
      [/clients apart by subjects/, /by owner and slug/],
    ],
    [
      "folds the case of slugs",
      flat(({ tenant, subject, slug }) => JSON.stringify([tenant, subject, slug.toLowerCase()])),
      [/clients apart by slugs/],
    ],
    [
      "cuts slugs at a NUL",
      flat(({ tenant, subject, slug }) => JSON.stringify([tenant, subject, slug.split("\0")[0]])),
      [/clients apart by slugs/],
    ],
    [
      "ignores the expected version of a client",
      clients((sound) => ({
        put: (record) => Effect.flatMap(sound.get(record), (found) => sound.put(record, found?.version ?? 0)),
      })),
      [/an OAuth client only over/, /create an OAuth client/],
    ],
    [
      "removes a client of any tenant",
      clients((sound) => ({ remove: (key) => sound.remove({ ...key, tenant: "acme" }) })),
      [/removes an OAuth client once/],
    ],
    [
      "keeps a client's parameters in an object that has a prototype",
      clients((sound) => ({
        put: (record, expected) =>
          sound.put({ ...record, authorizationParams: assigned(record.authorizationParams) }, expected),
      })),
      [/an OAuth client exactly/],
    ],
    [
      "lists clients by slug alone",
      clients((sound) => ({
        list: (query) =>
          Effect.map(sound.list(query), (records) =>
            [...records].sort((one, other) => (one.slug < other.slug ? -1 : one.slug > other.slug ? 1 : 0)),
          ),
      })),
      [/by owner and slug/],
    ],
    [
      "lists clients by collation",
      clients((sound) => ({
        list: (query) =>
          Effect.map(sound.list(query), (records) =>
            [...records].sort(
              (one, other) => one.owner.localeCompare(other.owner) || one.slug.localeCompare(other.slug),
            ),
          ),
      })),
      [/by owner and slug/],
    ],
    [
      "shows everybody's clients",
      clients((sound) => ({ list: (query) => sound.list({ ...query, subject: query.subject ?? "alice" }) })),
      [/by owner and slug/],
    ],
    [
      "ignores the limit of clients",
      clients((sound) => ({ list: (query) => sound.list({ ...query, limit: 10_000 }) })),
      [/clients page by page/],
    ],
    [
      "continues clients by slug alone",
      clients((sound) => ({
        list: (query) =>
          Effect.map(sound.list({ ...query, after: undefined, limit: 10_000 }), (records) =>
            records.filter(({ slug }) => query.after === undefined || slug > query.after.slug).slice(0, query.limit),
          ),
      })),
      [/clients page by page/],
    ],
    [
      "takes a flow in two steps",
      sessions((sound) => ({
        take: (tenant, hash) =>
          Effect.gen(function* () {
            const found = yield* sound.get(tenant, hash)
            yield* Effect.promise(() => Promise.resolve())
            yield* sound.take(tenant, hash)
            return found
          }),
      })),
      [/exactly one of many takers/],
    ],
    [
      "leaves a flow that was taken",
      sessions((sound) => ({ take: (tenant, hash) => sound.get(tenant, hash) })),
      [/exactly one of many takers/],
    ],
    [
      "forgets the tenant of a flow",
      sessions((sound) => ({
        get: (_, hash) => sound.get("acme", hash),
        put: (record, expected) => sound.put({ ...record, tenant: "acme" }, expected),
        take: (_, hash) => sound.take("acme", hash),
      })),
      [/no flow of another tenant/],
    ],
    [
      "folds the case of hashes",
      sessions((sound) => ({ get: (tenant, hash) => sound.get(tenant, hash.toLowerCase()) })),
      [/no flow of another tenant/],
    ],
    [
      "ignores the expected version of a flow",
      sessions((sound) => ({
        put: (record) =>
          Effect.flatMap(sound.get(record.tenant, record.stateHash), (found) => sound.put(record, found?.version ?? 0)),
      })),
      [/a flow only over/, /exactly one of many takers/],
    ],
    [
      "loses a label that was cleared",
      sessions((sound) => ({
        put: (record, expected) => sound.put({ ...record, identityLabel: record.identityLabel ?? undefined }, expected),
      })),
      [/a flow exactly/],
    ],
    [
      "removes flows that expire now",
      sessions((sound) => ({ removeExpired: (tenant, now) => sound.removeExpired(tenant, now + 1) })),
      [/flows that expired before a time/],
    ],
    [
      "removes the expired flows of every tenant",
      sessions((sound) => ({
        removeExpired: (tenant, now) =>
          Effect.tap(sound.removeExpired(tenant, now), () => sound.removeExpired("other", now)),
      })),
      [/flows that expired before a time/],
    ],
    [
      "finds revocations before they are due",
      revocations((sound) => ({ due: (query) => sound.due({ ...query, now: query.now + 1 }) })),
      [/those that are due/],
    ],
    [
      "finds revocations a moment late",
      revocations((sound) => ({ due: (query) => sound.due({ ...query, now: query.now - 1 }) })),
      [/those that are due/, /replaces a revocation/],
    ],
    [
      "orders revocations by their creation",
      revocations((sound) => ({
        due: (query) =>
          Effect.map(sound.due({ ...query, limit: 1000 }), (records) =>
            [...records].sort((one, other) => one.createdAt - other.createdAt).slice(0, query.limit),
          ),
      })),
      [/the longest waiting first/],
    ],
    [
      "keeps the first revocation of an id",
      revocations((sound) => {
        const known = new Set<string>()
        return {
          put: (record) =>
            Effect.suspend(() => {
              if (known.has(record.id)) return Effect.void
              known.add(record.id)
              return sound.put(record)
            }),
        }
      }),
      [/replaces a revocation/, /revocations of tenants apart/],
    ],
    [
      "removes a revocation of every tenant",
      revocations((sound) => ({
        remove: (tenant, id) => Effect.andThen(sound.remove(tenant, id), sound.remove("other", id)),
      })),
      [/revocations of tenants apart/],
    ],
    [
      "holds leases after it was closed",
      () => {
        const sound = memoryStore()
        return { ...sound, close: () => Effect.void }
      },
      [/once it is closed/],
    ],
  ])("fails where it %s", async (_, make, expected) => {
    const failed = await failuresOf(make)
    for (const name of expected) expect(failed).toEqual(expect.arrayContaining([expect.stringMatching(name)]))
  })
})

describe("a durable store", () => {
  const handles =
    (open: (records: Store) => Store): (() => StoreUnderTest) =>
    () => {
      const records = memoryStore()
      return { store: records, open: () => open(records) }
    }

  it("fails where another handle sees neither clients nor flows nor revocations", async () => {
    expect(
      await failuresOf(
        handles((records) => records),
        { durable: true },
      ),
    ).toEqual([])
    expect(
      await failuresOf(
        handles((records) => ({ ...records, oauth: memoryStore().oauth })),
        { durable: true },
      ),
    ).toEqual(["gives back OAuth clients, flows and revocations after it was closed and opened again"])
  })

  it("fails where handles take in two steps, each with a lock of its own", async () => {
    const locking = (records: Store): Store => {
      const { sessions } = records.oauth
      const lock = memoryLease()
      const take: OAuthSessionStore["take"] = (tenant, hash) =>
        lock.hold(hash, () =>
          Effect.gen(function* () {
            const found = yield* sessions.get(tenant, hash)
            yield* Effect.promise(() => Promise.resolve())
            yield* sessions.take(tenant, hash)
            return found
          }),
        )
      return { ...records, oauth: { ...records.oauth, sessions: { ...sessions, take } } }
    }
    const make = (): StoreUnderTest => {
      const records = memoryStore()
      return { store: locking(records), open: () => locking(records) }
    }
    expect(await failuresOf(make, { durable: true })).toEqual([
      "gives a flow to exactly one of many takers over several handles",
    ])
  })
})

function assigned(parameters: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const copy: Record<string, string> = {}
  for (const [name, value] of Object.entries(parameters)) copy[name] = value
  return copy
}
