/** The provider contract over sealed rows of real databases, and what becomes of keys and rows that several processes share. */
import { fork } from "node:child_process"
import { once } from "node:events"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { InvalidProviderOptionsError, memoryStore } from "@keyward/core"
import { isProviderError, type ProviderError } from "@keyward/core/effect"
import { canary, CanaryScanner, providerContract } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { afterAll, describe, expect, it, onTestFinished } from "vitest"
import {
  postgresStore,
  sqliteStore,
  type SqlSecretKey,
  type SqlSecretProvider,
  sqlSecretProvider,
  type SqlStore,
} from "../src/index.ts"
import { databaseOf } from "../src/databaseOf.ts"
import { sealedUnder } from "../src/secretSeal.ts"
import type { SqlDatabase } from "../src/SqlDatabase.ts"
import { makeFolder } from "./support/folder.ts"
import { startPostgres } from "./support/postgresServer.ts"
import { key, otherKey } from "./support/secretKey.ts"
import type { SecretMessage, SecretPlace } from "./support/secretProcess.ts"

const server = await startPostgres()
const connectionString = server?.connectionString ?? ""

afterAll(() => server?.[Symbol.asyncDispose]())

/** A new database, which any number of stores may open, and SQL that goes past them. */
interface Shared {
  readonly place: SecretPlace
  readonly open: () => SqlStore
  readonly query: (text: string) => Promise<ReadonlyArray<Record<string, unknown>>>
  readonly dispose: () => Promise<void>
}

const sqlite = (): Shared => {
  const folder = makeFolder()
  const filename = folder.file("keyward.db")
  const stores: Array<SqlStore> = []
  return {
    place: { filename },
    open: () => {
      const store = sqliteStore({ filename })
      stores.push(store)
      return store
    },
    query: async (text) => {
      using database = new DatabaseSync(filename, { timeout: 5000 })
      return database.prepare(text).all()
    },
    dispose: async () => {
      for (const store of stores) await Effect.runPromise(store.close())
      folder[Symbol.dispose]()
    },
  }
}

let schemas = 0

const postgres = (): Shared => {
  const schema = `secrets_${++schemas}`
  const stores: Array<SqlStore> = []
  return {
    place: { connectionString, schema },
    open: () => {
      const store = postgresStore({ connectionString, schema, maxConnections: 4 })
      stores.push(store)
      return store
    },
    query: async (text) => (await server?.query(text.replaceAll("keyward_", `${schema}.keyward_`))) ?? [],
    dispose: async () => {
      for (const store of stores) await Effect.runPromise(store.close())
      await server?.query(`drop schema if exists ${schema} cascade`)
    },
  }
}

const damages: Readonly<Record<string, string>> = {
  "a damaged entry": "update keyward_secrets set sealed = replace(sealed, '.', '.A')",
  "something else in place of an entry":
    "update keyward_secrets set sealed = 'eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AAAA.AAAA.AAAA'",
  "damaged keys": `update keyward_vaults set version = version + 1, document = replace(document, '"v":1', '"v":1,"w":')`,
  "keys that somebody changed": `update keyward_vaults set version = version + 1, document = replace(document, '"kid":"', '"kid":"A')`,
  "keys that were deleted": "delete from keyward_vaults",
  "a table that is gone": "drop table keyward_secrets",
}

const databases = [
  { database: "SQLite", make: sqlite, skip: false },
  { database: "Postgres", make: postgres, skip: server === undefined },
]

describe.each(databases.filter(({ skip }) => !skip))("sqlSecretProvider over $database", ({ make }) => {
  const contract = providerContract(
    () => {
      const shared = make()
      return {
        provider: sqlSecretProvider({ store: shared.open(), key }),
        breakBackend: async (failure) => void (await shared.query(damages[failure] ?? "")),
        dispose: () => shared.dispose(),
      }
    },
    { failures: Object.keys(damages), malformedValues: "kept" },
  )
  for (const { name, run } of contract) it(name, run, 60_000)

  const fresh = () => {
    const shared = make()
    onTestFinished(() => shared.dispose())
    const open = (secret: SqlSecretKey = { key }, vault?: string) =>
      plain(sqlSecretProvider({ store: shared.open(), vault, ...secret }))
    return { ...shared, open }
  }

  it("keeps neither ids nor values in clear, in no table", async () => {
    const { open, query, place } = fresh()
    const [id, value] = [canary("id"), canary("value")]
    const secrets = open()
    await secrets.set(id, value)
    const rows = [await query("select * from keyward_vaults"), await query("select * from keyward_secrets")]
    expect(rows.map(({ length }) => length)).toEqual([1, 1])
    const scanner = new CanaryScanner([id, value])
    scanner.expectNone(rows, "the tables")
    if ("filename" in place) {
      const folder = join(place.filename, "..")
      expect(readdirSync(folder)).toContain("keyward.db-wal")
      await scanner.expectNoneInFolder(folder)
      expect(readFileSync(join(folder, "keyward.db-wal")).length).toBeGreaterThan(0)
    }
  })

  it("tells by a wrong key or passphrase that it is wrong, and changes nothing", async () => {
    const { open, query } = fresh()
    const value = canary("value")
    await open().set("a", value)
    const before = await query("select * from keyward_vaults")
    for (const secret of [{ key: otherKey }, { passphrase: "another passphrase" }]) {
      const stranger = open(secret)
      for (const failure of [await failing(stranger.get("a")), await failing(stranger.set("a", canary("other")))]) {
        expect(failure).toMatchObject({ _tag: "ProviderDeniedError", reason: "wrong_key" })
        new CanaryScanner([value, otherKey]).expectNone(failure, "the error")
      }
      expect(await failing(stranger.ids())).toMatchObject({ reason: "wrong_key" })
      expect(await failing(stranger.delete("a"))).toMatchObject({ reason: "wrong_key" })
      expect(await failing(stranger.provider.rotateDataKey())).toMatchObject({ reason: "wrong_key" })
    }
    expect(await query("select * from keyward_vaults")).toEqual(before)
    expect(await open().get("a")).toBe(value)
  })

  it("makes one set of keys when many start at once", async () => {
    const { open } = fresh()
    const many = Array.from({ length: 6 }, () => open())
    await Promise.all(many.map((secrets, index) => secrets.set(`of ${index}`, `value ${index}`)))
    for (const secrets of many) expect(await secrets.ids()).toEqual(many.map((_, index) => `of ${index}`))
  })

  it("shows each store what another wrote, replaced and deleted, at once", async () => {
    const { open } = fresh()
    const [one, other] = [open(), open()]
    expect(await other.get("a")).toBeUndefined()
    for (const value of ["first", "second"]) {
      await one.set("a", value)
      expect(await other.get("a")).toBe(value)
    }
    await other.delete("a")
    expect(await one.get("a")).toBeUndefined()
    expect(await one.has("a")).toBe(false)
  })

  it("opens with a passphrase, and keeps sets of secrets apart that have keys of their own", async () => {
    const { open } = fresh()
    await open({ passphrase: "correct horse battery" }, "one").set("a", "of one")
    await open({ key }, "two").set("a", "of two")
    expect(await open({ passphrase: Redacted.make("correct horse battery") }, "one").get("a")).toBe("of one")
    expect(await open({ key: async () => key }, "two").get("a")).toBe("of two")
    expect(await failing(open({ key }, "one").get("a"))).toMatchObject({ reason: "wrong_key" })
    expect(await open().ids()).toEqual([])
  })

  it("refuses the entry of another id and of another set in its place", async () => {
    const { open, query } = fresh()
    const secrets = open()
    await secrets.set("a", "of a")
    await secrets.set("b", "of b")
    await query("update keyward_secrets set sealed = (select max(sealed) from keyward_secrets)")
    const outcomes = await Promise.all(["a", "b"].map((id) => secrets.get(id).catch((error: ProviderError) => error)))
    expect(outcomes.filter((outcome) => typeof outcome === "string")).toHaveLength(1)
    expect(outcomes.filter(isProviderError)).toMatchObject([{ reason: "corrupt_entry" }])
    await open({ key }, "two").set("c", "of c")
    await query("update keyward_secrets set vault = 'two'")
    expect(await open({ key }, "two").ids()).toEqual(["c"])
  })

  it("changes its key: the former one is refused from then on, here and elsewhere", async () => {
    const { open } = fresh()
    const [secrets, elsewhere] = [open(), open()]
    await secrets.set("a", "kept")
    expect(await elsewhere.get("a")).toBe("kept")
    await secrets.provider.changeKey({ key: otherKey })
    expect(await secrets.get("a")).toBe("kept")
    expect(await failing(elsewhere.get("a"))).toMatchObject({ reason: "wrong_key" })
    expect(await failing(elsewhere.set("a", "other"))).toMatchObject({ reason: "wrong_key" })
    expect(await open({ key: otherKey }).get("a")).toBe("kept")
  })

  it("rotates its data key: everything is sealed anew, and the former key is gone", async () => {
    const { open, query } = fresh()
    const [secrets, elsewhere] = [open(), open()]
    for (let id = 0; id < 450; id++) await secrets.set(`of ${id}`, `value ${id}`)
    expect(await elsewhere.get("of 7")).toBe("value 7")
    const kids = async () =>
      new Set((await query("select sealed from keyward_secrets")).map(({ sealed }) => sealedUnder(String(sealed))))
    const before = await query("select sealed from keyward_secrets")
    const [formerKid] = await kids()
    await Promise.all([secrets.provider.rotateDataKey(), elsewhere.provider.rotateDataKey()])
    const after = await query("select sealed from keyward_secrets")
    expect(new Set([...before, ...after].map(({ sealed }) => sealed)).size).toBe(900)
    expect([...(await kids())]).toEqual([expect.not.stringMatching(`^${formerKid}$`)])
    const [vault] = await query("select document from keyward_vaults")
    expect((JSON.parse(String(vault?.["document"])) as { keys: Array<unknown> }).keys).toHaveLength(1)
    expect(await elsewhere.ids()).toHaveLength(450)
    expect(await open().get("of 449")).toBe("value 449")
  })

  it("loses nothing when processes write while others rotate the key", async () => {
    const { open, place } = fresh()
    const secrets = open()
    const processes = await Promise.all(Array.from({ length: 4 }, () => secretProcess(place)))
    const writes = processes
      .slice(1)
      .map((ask, index) => ask({ type: "set", prefix: `${index}-`, ids: 10, rounds: 12 }))
    const rotations = (async () => {
      for (let round = 0; round < 8; round++) await secrets.provider.rotateDataKey()
    })()
    await Promise.all([...writes, rotations, processes[0]?.({ type: "rotate" })])
    const ids = await secrets.ids()
    expect(ids).toHaveLength(30)
    for (const id of ids) expect(await secrets.get(id)).toBe("value 12")
    await secrets.set("0-0", "of the parent")
    for (const ask of processes) expect(await ask({ type: "get", id: "0-0" })).toBe("of the parent")
  }, 60_000)
})

describe("sqlSecretProvider", () => {
  it("is registered as sql unless told otherwise", () => {
    const store = sqliteStore({ filename: ":memory:" })
    expect(sqlSecretProvider({ store, key }).key).toBe("sql")
    expect(sqlSecretProvider({ store, key, providerKey: "team" }).key).toBe("team")
  })

  it("makes its keys once though others look for them meanwhile, and hear late that there were none", async () => {
    const store = sqliteStore({ filename: ":memory:" })
    const secrets = plain(sqlSecretProvider({ store, key }))
    const database = databaseOf(store) ?? expect.fail("The store has no database.")
    const attempt: SqlDatabase["attempt"] = database.attempt.bind(database)
    const isMade = Promise.withResolvers<undefined>()
    const lateComers: Array<Promise<void>> = []
    database.attempt = async (operation, kind, statement) => {
      if (operation === "make the keys of secrets") {
        const hasLooked = Promise.withResolvers<undefined>()
        database.attempt = async (...late) => {
          const answer = await attempt(...(late as Parameters<typeof attempt>))
          hasLooked.resolve(undefined)
          await isMade.promise
          return answer as never
        }
        lateComers.push(secrets.set("b", "of the late one"))
        await hasLooked.promise
        database.attempt = attempt
        // When the maker of the keys has gone on, to look for itself.
        const made = attempt(operation, kind, statement)
        void made.then(() => setImmediate(() => isMade.resolve(undefined)))
        return made
      }
      return attempt(operation, kind, statement)
    }
    await secrets.set("a", "of the first")
    await Promise.all(lateComers)
    expect(await Promise.all([secrets.get("a"), secrets.get("b")])).toEqual(["of the first", "of the late one"])
    await Effect.runPromise(store.close())
  })

  it("refuses what can be no store, key, passphrase or name, at once", () => {
    const store = sqliteStore({ filename: ":memory:" })
    const wrong: ReadonlyArray<unknown> = [
      { store: memoryStore(), key },
      { store: { ...store }, key },
      { key },
      { store },
      { store, key, passphrase: "both of them" },
      { store, key: "too short" },
      { store, passphrase: "short" },
      { store, key, vault: "" },
    ]
    for (const options of wrong) {
      expect(() => sqlSecretProvider(options as { store: SqlStore; key: string })).toThrow(InvalidProviderOptionsError)
    }
  })

  it("leaves the store open when it is closed, and says so when the store is", async () => {
    const store = sqliteStore({ filename: ":memory:" })
    const [first, second] = [plain(sqlSecretProvider({ store, key })), plain(sqlSecretProvider({ store, key }))]
    await first.set("a", "kept")
    await Effect.runPromise(first.provider.close())
    expect(await second.get("a")).toBe("kept")
    await Effect.runPromise(store.close())
    expect(await failing(second.get("a"))).toMatchObject({ _tag: "ProviderUnavailableError", reason: "closed" })
  })
})

/** A provider as tests speak with it: plain strings and promises. */
const plain = (provider: SqlSecretProvider) => ({
  provider,
  get: async (id: string) => {
    const found = await Effect.runPromise(provider.get(id))
    return found && Redacted.value(found)
  },
  has: (id: string) => Effect.runPromise(provider.has(id)),
  set: (id: string, value: string) => Effect.runPromise(provider.set(id, Redacted.make(value))),
  delete: (id: string) => Effect.runPromise(provider.delete(id)),
  ids: async () => (await Effect.runPromise(provider.list())).map(({ id }) => id),
})

const failing = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => expect.fail("It succeeded."),
    (error: unknown) => error,
  )

const secretProcess = async (place: SecretPlace) => {
  const child = fork(join(import.meta.dirname, "support/secretProcess.ts"), [JSON.stringify(place)], {
    execArgv: ["--conditions=@keyward/source", "--no-warnings"],
  })
  onTestFinished(() => void child.kill("SIGKILL"))
  await once(child, "message")
  return async (message: SecretMessage): Promise<unknown> => {
    const answered = once(child, "message") as Promise<[{ readonly value?: unknown; readonly error?: string }]>
    child.send(message)
    const [{ value, error }] = await answered
    if (error !== undefined) throw new Error(error)
    return value
  }
}
