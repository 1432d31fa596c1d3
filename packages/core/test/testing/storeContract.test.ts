/**
 * The store contract catches what it says it catches: stores that are broken on purpose fail it, each in the cases that
 * name its fault.
 */
import { type MakeStore, type StoreCapabilities, storeContract, type StoreUnderTest } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import type { AuditStore } from "../../src/audit/AuditStore.ts"
import type { ConnectionRow } from "../../src/connection/Connection.ts"
import type { ConnectionKey } from "../../src/connection/ConnectionRef.ts"
import type { ConnectionStore } from "../../src/connection/ConnectionStore.ts"
import { StoreUnavailableError } from "../../src/error/StoreError.ts"
import type { IntegrationStore } from "../../src/integration/IntegrationStore.ts"
import type { Store } from "../../src/integration/Store.ts"
import { memoryStore } from "../../src/memory/MemoryStore.ts"
import type { CatalogStore } from "../../src/tool/ToolCatalog.ts"

/** The names of the cases that fail. */
const failuresOf = async (make: MakeStore, capabilities: StoreCapabilities = {}): Promise<Array<string>> => {
  const failed: Array<string> = []
  for (const { name, run } of storeContract(make, capabilities)) await run().catch(() => failed.push(name))
  return failed
}

const connections =
  (change: (sound: ConnectionStore) => Partial<ConnectionStore>): MakeStore =>
  () => {
    const sound = memoryStore()
    return { ...sound, connections: { ...sound.connections, ...change(sound.connections) } }
  }

const integrations =
  (change: (sound: IntegrationStore) => Partial<IntegrationStore>): MakeStore =>
  () => {
    const sound = memoryStore()
    return { ...sound, integrations: { ...sound.integrations, ...change(sound.integrations) } }
  }

const catalogs =
  (change: (sound: CatalogStore) => Partial<CatalogStore>): MakeStore =>
  () => {
    const sound = memoryStore()
    return { ...sound, catalogs: { ...sound.catalogs, ...change(sound.catalogs) } }
  }

/** A store of rows in one flat map, under whatever key the function makes; the usual way to mix partitions up. */
const flat = (keyOf: (key: Pick<ConnectionRow, "tenant" | "subject" | "integration" | "name">) => string): MakeStore =>
  connections(() => {
    const rows = new Map<string, ConnectionRow>()
    const claims = memoryStore().connections
    return {
      get: (key) => Effect.sync(() => rows.get(keyOf(key))),
      put: (row, expected) =>
        Effect.sync(() => {
          if ((rows.get(keyOf(row))?.version ?? 0) !== expected) return false
          rows.set(keyOf(row), row)
          return true
        }),
      remove: (key, expected) =>
        Effect.sync(() => {
          const row = rows.get(keyOf(key))
          return row !== undefined && (expected === undefined || row.version === expected) && rows.delete(keyOf(key))
        }),
      expiring: (query) =>
        Effect.gen(function* () {
          const copy = memoryStore().connections
          for (const row of rows.values()) yield* copy.put(row, 0)
          const found = yield* copy.expiring({ ...query, unclaimedAt: undefined, limit: 1000 })
          const { unclaimedAt } = query
          if (unclaimedAt === undefined) return found.slice(0, query.limit)
          // A claim that can be made again is none.
          const term = { now: unclaimedAt, until: unclaimedAt }
          const isFree = yield* claims.claim(query.tenant, found, term)
          return found.filter((_, index) => isFree[index]).slice(0, query.limit)
        }),
      claim: (tenant, keys, term) => claims.claim(tenant, keys, term),
      list: (query) =>
        Effect.gen(function* () {
          const copy = memoryStore().connections
          for (const row of rows.values()) yield* copy.put({ ...row, version: 1 }, 0)
          const page = yield* copy.list(query)
          return page.map((row) => rows.get(keyOf(row)) ?? row)
        }),
      isUsed: (tenant, integration) =>
        Effect.sync(() => [...rows.values()].some((row) => row.tenant === tenant && row.integration === integration)),
    }
  })

const rewritten = (change: (row: ConnectionRow) => ConnectionRow): MakeStore =>
  connections((sound) => ({ put: (row, expected) => sound.put(change(row), expected) }))

const random = /keeps any identities and names apart/

describe("a sound store", () => {
  it("passes every case, and every case has a name of its own", async () => {
    const cases = storeContract(() => memoryStore())
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length)
    expect(await failuresOf(() => memoryStore())).toEqual([])
  })

  it("passes when it keeps rows under a key that cannot collide", async () => {
    expect(
      await failuresOf(flat((key) => JSON.stringify([key.tenant, key.subject, key.integration, key.name]))),
    ).toEqual([])
  })
})

describe("a store that is broken on purpose", () => {
  it.each<[string, MakeStore, ReadonlyArray<RegExp>]>([
    [
      "joins its keys with a colon",
      flat((key) => [key.tenant, key.subject, key.integration, key.name].join(":")),
      [random],
    ],
    [
      "forgets the tenant",
      flat((key) => JSON.stringify([key.subject, key.integration, key.name])),
      [/keeps tenants apart/],
    ],
    [
      "forgets the subject",
      flat((key) => JSON.stringify([key.tenant, key.integration, key.name])),
      [/keeps subjects apart/],
    ],
    [
      "folds the case of tenants",
      flat((key) => JSON.stringify([key.tenant.toLowerCase(), key.subject, key.integration, key.name])),
      [/keeps tenants apart/, random],
    ],
    [
      "normalises subjects",
      flat((key) => JSON.stringify([key.tenant, key.subject.normalize("NFC"), key.integration, key.name])),
      [/keeps subjects apart/, random],
    ],
    [
      "cuts names at a NUL",
      flat((key) => JSON.stringify([key.tenant, key.subject, key.integration, key.name.split("\0")[0]])),
      [/keeps names apart/],
    ],
    [
      "decodes integrations",
      flat((key) => JSON.stringify([key.tenant, key.subject, key.integration.replace(/%2f/gi, "/"), key.name])),
      [/keeps integrations apart/],
    ],
    [
      "ignores the expected version",
      connections((sound) => ({
        put: (row) => Effect.flatMap(sound.get(row), (found) => sound.put(row, found?.version ?? 0)),
      })),
      [/only over the version/, /exactly one of many writers/],
    ],
    [
      "compares and sets in two steps",
      connections((sound) => ({
        put: (row, expected) =>
          Effect.gen(function* () {
            const found = yield* sound.get(row)
            if ((found?.version ?? 0) !== expected) return false
            yield* Effect.promise(() => Promise.resolve())
            const now = yield* sound.get(row)
            return yield* sound.put(row, now?.version ?? 0)
          }),
      })),
      [/exactly one of many writers/, /loses no update/],
    ],
    [
      "removes at any version",
      connections((sound) => ({ remove: (key) => sound.remove(key) })),
      [/removes a connection once/],
    ],
    ["removes nothing", connections(() => ({ remove: () => Effect.succeed(true) })), [/removes a connection once/]],
    ["trims text", rewritten((row) => ({ ...row, description: row.description?.trim() ?? null })), [/hostile text/]],
    [
      "takes empty text for none",
      rewritten((row) => ({ ...row, identityLabel: row.identityLabel === "" ? null : row.identityLabel })),
      [/hostile text/],
    ],
    [
      "keeps times in 32 bits",
      rewritten((row) => ({ ...row, expiresAt: row.expiresAt === null ? null : row.expiresAt | 0 })),
      [/exactly as it was written/],
    ],
    [
      "keeps items in an object",
      rewritten((row) => ({ ...row, items: Object.entries(Object.fromEntries(row.items)).reverse() })),
      [/exactly as it was written/],
    ],
    [
      "lists by collation",
      connections((sound) => ({
        list: (query) =>
          Effect.map(sound.list(query), (rows) => [...rows].sort((one, other) => one.name.localeCompare(other.name))),
      })),
      [/code unit by code unit/],
    ],
    [
      "lists by UTF-8 bytes",
      connections((sound) => ({
        list: (query) =>
          Effect.map(sound.list(query), (rows) =>
            [...rows].sort(
              (one, other) =>
                Buffer.compare(Buffer.from(one.integration), Buffer.from(other.integration)) ||
                Buffer.compare(Buffer.from(one.owner), Buffer.from(other.owner)) ||
                Buffer.compare(Buffer.from(one.name), Buffer.from(other.name)),
            ),
          ),
      })),
      [/code unit by code unit/],
    ],
    [
      "ignores the limit",
      connections((sound) => ({ list: (query) => sound.list({ ...query, limit: 10_000 }) })),
      [/page by page, each row once/],
    ],
    [
      "repeats the last row of a page",
      connections((sound) => ({
        list: (query) =>
          Effect.gen(function* () {
            const rows = yield* sound.list(query)
            const last =
              query.after &&
              (yield* sound.get({
                tenant: query.tenant,
                subject: query.after.owner === "org" ? "" : (query.subject ?? ""),
                ...query.after,
              }))
            return (last === undefined ? rows : [last, ...rows]).slice(0, query.limit)
          }),
      })),
      [/page by page, each row once/],
    ],
    [
      "needs the row it continues after",
      connections((sound) => ({
        list: (query) =>
          Effect.gen(function* () {
            const rows = yield* sound.list({ ...query, after: undefined, limit: 10_000 })
            const { after } = query
            const at = rows.findIndex(
              (row) => row.integration === after?.integration && row.owner === after.owner && row.name === after.name,
            )
            return rows.slice(at + 1, at + 1 + query.limit)
          }),
      })),
      [/after a row that is gone/],
    ],
    [
      "shows everybody's rows",
      connections((sound) => ({
        list: (query) => sound.list({ ...query, subject: query.subject ?? "alice" }),
      })),
      [/lists only what is asked for/],
    ],
    [
      "forgets a tenant in isUsed",
      connections((sound) => ({
        isUsed: (_, integration) => sound.isUsed("acme", integration),
      })),
      [/anybody in a tenant uses/],
    ],
    [
      "writes before its effect runs",
      connections((sound) => ({ put: (row, expected) => Effect.succeed(Effect.runSync(sound.put(row, expected))) })),
      [/when an effect runs/],
    ],
    [
      "writes a row in two parts",
      connections((sound) => ({
        put: (row, expected) =>
          Effect.gen(function* () {
            if (row.version === 1) return yield* sound.put(row, expected)
            const written = yield* sound.put({ ...row, description: null }, expected)
            yield* Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
            if (!written) return false
            yield* sound.remove(row)
            for (let version = 1; version < row.version; version++) yield* sound.put({ ...row, version }, version - 1)
            return yield* sound.put(row, expected)
          }),
      })),
      [/old or the new row, whole/],
    ],
    [
      "ignores the expected revision",
      integrations((sound) => ({
        put: (record) =>
          Effect.flatMap(sound.get(record.tenant, record.slug), (found) => sound.put(record, found?.revision ?? 0)),
      })),
      [/an integration only over the revision/],
    ],
    [
      "loses __proto__ from a config",
      integrations((sound) => ({
        put: (record, expected) => {
          const { config } = record
          const copied =
            config && typeof config === "object" && "document" in config
              ? { ...config, document: assigned(config.document) }
              : config
          return sound.put({ ...record, config: copied }, expected)
        },
      })),
      [/an integration exactly/],
    ],
    [
      "lists integrations of every tenant",
      integrations((sound) => ({
        list: (query) =>
          Effect.map(Effect.all([sound.list(query), sound.list({ ...query, tenant: "other" })]), ([own, others]) =>
            query.tenant === "acme" ? [...own, ...others] : own,
          ),
      })),
      [/lists integrations by slug/],
    ],
    [
      "cannot register an integration anew",
      integrations((sound) => {
        const removed = new Set<string>()
        return {
          remove: (tenant, slug) =>
            Effect.tap(sound.remove(tenant, slug), (was) => Effect.sync(() => was && removed.add(slug))),
          put: (record, expected) =>
            Effect.suspend(() => (removed.has(record.slug) ? Effect.succeed(false) : sound.put(record, expected))),
        }
      }),
      [/lets it be registered anew/],
    ],
    [
      "forgets the revision of a catalog",
      catalogs((sound) => ({
        get: (key) => sound.get({ ...key, revision: 1 }),
        put: (key, tools) => sound.put({ ...key, revision: 1 }, tools),
      })),
      [/keeps a catalog to its revision/],
    ],
    [
      "takes an empty catalog for none",
      catalogs((sound) => ({
        get: (key) => Effect.map(sound.get(key), (tools) => (tools?.length === 0 ? undefined : tools)),
      })),
      [/tells an empty one from none/],
    ],
    [
      "shares one catalog between the connections of a name",
      catalogs((sound) => ({
        get: (key) => sound.get({ ...key, connection: withoutSubject(key.connection) }),
        put: (key, tools) => sound.put({ ...key, connection: withoutSubject(key.connection) }, tools),
      })),
      [/of its connections apart/],
    ],
    [
      "leaves the catalogs of connections behind",
      catalogs((sound) => ({
        remove: (key) =>
          key.connection === null
            ? Effect.flatMap(sound.get({ ...key, revision: 1 }), () => sound.put({ ...key, revision: 0 }, []))
            : sound.remove(key),
      })),
      [/removes every catalog of an integration/],
    ],
    [
      "removes the catalogs of every connection",
      catalogs((sound) => ({ remove: (key) => sound.remove({ ...key, connection: null }) })),
      [/removes one connection's catalog/],
    ],
    ["answers after it was closed", () => ({ ...memoryStore(), close: () => Effect.void }), [/once it is closed/]],
  ])("fails where it %s", async (_, make, expected) => {
    const failed = await failuresOf(make)
    for (const name of expected) expect(failed).toEqual(expect.arrayContaining([expect.stringMatching(name)]))
  })

  it("fails only the case that names its fault", async () => {
    expect(
      await failuresOf(connections((sound) => ({ isUsed: (_, integration) => sound.isUsed("acme", integration) }))),
    ).toContain("says whether anybody in a tenant uses an integration")
    expect(
      await failuresOf(rewritten((row) => ({ ...row, expiresAt: row.expiresAt === null ? null : row.expiresAt | 0 }))),
    ).toEqual(["gives back a connection exactly as it was written"])
    expect(await failuresOf(() => ({ ...memoryStore(), close: () => Effect.void }))).toEqual([
      "fails every call as unavailable once it is closed, where it can be",
    ])
  })
})

describe("declared capabilities", () => {
  /** Handles over one shared set of records, each closed by itself. */
  const shared =
    (isShared: boolean): (() => StoreUnderTest) =>
    () => {
      const records = memoryStore()
      let isReachable = true
      const open = (): Store => gated(isShared ? records : memoryStore(), () => isReachable)
      return {
        store: gated(records, () => isReachable),
        open,
        breakBackend: () => {
          isReachable = false
        },
      }
    }

  it("test durable stores across handles, and every store against a backend that is gone", async () => {
    expect(await failuresOf(shared(true), { durable: true, breakable: true })).toEqual([])
  })

  it("fail a store whose handles do not see each other", async () => {
    expect(await failuresOf(shared(false), { durable: true })).toEqual([
      "shows a default to every process as soon as it is written or removed",
      "tells every handle what another one granted, shared and took back",
      "keeps policies when it is closed and opened again, and shows others' changes",
      "gives one chain without gaps to many who append at the same time",
      "keeps audit trails when it is closed and opened again",
      "gives back everything after it was closed and opened again",
      "shows at once what another handle wrote or removed",
      "loses no update when several handles compare and set at once",
      "gives back OAuth clients, flows and revocations after it was closed and opened again",
    ])
  })

  it("fail a store that lacks what it declares, and one that works without its backend", async () => {
    expect(await failuresOf(() => memoryStore(), { durable: true })).toHaveLength(11)
    expect(await failuresOf(() => ({ store: memoryStore(), breakBackend: () => {} }), { breakable: true })).toEqual([
      "fails every call as unavailable when its backend cannot be reached",
    ])
  })

  it("fail a store that writes a change first and its audit entry then", async () => {
    const failed = await failuresOf(
      inTwoSteps((answer) => answer !== false),
      { recordsTogether: true },
    )
    expect(failed).toContain("writes what policies.put does together with its audit entry, or neither")
    expect(failed).toContain("has recorded a change whose answer was lost on the way")
    expect(failed).not.toContain("writes no audit entry where nothing follows from the answer of a write")
  })

  it("fail a store that writes an audit entry whatever the change has answered", async () => {
    expect(
      await failuresOf(
        inTwoSteps(() => true),
        { recordsTogether: true },
      ),
    ).toContain("writes no audit entry where nothing follows from the answer of a write")
  })
})

/** A store with `audit.alongside` that is no transaction. */
function inTwoSteps(isFollowed: (answer: unknown) => boolean): MakeStore {
  return () => {
    const sound = memoryStore()
    const alongside: AuditStore["alongside"] = (tenant, write, linkAfter) =>
      Effect.tap(write, (answer) => {
        const link = isFollowed(answer) ? (linkAfter(answer) ?? linkAfter(true as typeof answer)) : undefined
        return link === undefined ? Effect.void : sound.audit.append(tenant, "none", link)
      })
    return { ...sound, audit: { ...sound.audit, alongside } }
  }
}

/** A store whose calls fail as unavailable once it is closed or its backend is gone. */
function gated(sound: Store, isReachable: () => boolean): Store {
  let isClosed = false
  const gate = <T extends object>(part: T): T =>
    new Proxy(part, {
      get:
        (target, name) =>
        (...given: ReadonlyArray<unknown>) =>
          Effect.suspend(() =>
            isClosed || !isReachable()
              ? Effect.fail(new StoreUnavailableError({ operation: String(name), reason: "closed" }))
              : (Reflect.get(target, name) as (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown>)(...given),
          ),
    })
  return {
    accounts: gate(sound.accounts),
    connections: gate(sound.connections),
    integrations: gate(sound.integrations),
    catalogs: gate(sound.catalogs),
    oauth: {
      clients: gate(sound.oauth.clients),
      sessions: gate(sound.oauth.sessions),
      revocations: gate(sound.oauth.revocations),
    },
    access: gate(sound.access),
    policies: gate(sound.policies),
    approvals: gate(sound.approvals),
    audit: gate(sound.audit),
    lease: gate(sound.lease),
    close: () =>
      Effect.sync(() => {
        isClosed = true
      }),
  }
}

function withoutSubject(connection: ConnectionKey | null): ConnectionKey | null {
  return connection && { ...connection, subject: "", owner: "org" }
}

function assigned(document: unknown): unknown {
  const copy: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(document as object)) copy[key] = value
  return copy
}
