import { existsSync, statSync } from "node:fs"
import { DatabaseSync } from "node:sqlite"
import { InvalidConfigError } from "@keyward/core"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { sqliteStore } from "../src/index.ts"
import { schemaVersion } from "../src/migrations.ts"
import { accountRow } from "./support/account.ts"
import { makeFolder } from "./support/folder.ts"

const put = (store: ReturnType<typeof sqliteStore>, version: number): Promise<boolean> =>
  Effect.runPromise(store.connections.put({ ...accountRow, version }, version - 1))

describe("a SQLite file", () => {
  it("is its owner's alone to read, with all that lies beside it", async () => {
    using folder = makeFolder()
    const filename = folder.file("new/keyward.db")
    const store = sqliteStore({ filename })
    await put(store, 1)
    for (const path of [filename, `${filename}-wal`, `${filename}-shm`]) expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(folder.file("new")).mode & 0o777).toBe(0o700)
    await Effect.runPromise(store.close())
  })

  it("is named by its path: a URI is refused, and nothing is made in its name", () => {
    using folder = makeFolder()
    const filename = folder.file("keyward.db")
    for (const uri of [`file:${filename}`, `file://${filename}`, `FILE:${filename}?mode=ro`]) {
      expect(() => sqliteStore({ filename: uri })).toThrow(InvalidConfigError)
      expect(() => sqliteStore({ filename: uri })).toThrow("pass a path")
    }
    expect(existsSync(filename)).toBe(false)
  })

  it("is waited for while somebody else writes, and the event loop goes on", async () => {
    using folder = makeFolder()
    const filename = folder.file("keyward.db")
    const store = sqliteStore({ filename })
    await put(store, 1)
    const other = new DatabaseSync(filename)
    other.exec("begin immediate")
    const writing = put(store, 2)
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect((await Effect.runPromise(store.connections.get(accountRow)))?.version).toBe(1)
    other.exec("commit")
    expect(await writing).toBe(true)
    other.close()
    await Effect.runPromise(store.close())
  })

  it("is unavailable when it stays busy for longer than an operation may take", async () => {
    using folder = makeFolder()
    const filename = folder.file("keyward.db")
    const store = sqliteStore({ filename, timeoutMs: 200 })
    await put(store, 1)
    const other = new DatabaseSync(filename)
    other.exec("begin immediate")
    const failure = await Effect.runPromise(Effect.flip(store.connections.remove(accountRow)))
    expect(failure).toMatchObject({ operation: "remove a connection", reason: "busy" })
    other.close()
    expect(await Effect.runPromise(store.connections.remove(accountRow))).toBe(true)
    await Effect.runPromise(store.close())
  })

  it("is waited for by many writers at once, in their order, and timers go on meanwhile", async () => {
    using folder = makeFolder()
    const filename = folder.file("keyward.db")
    const store = sqliteStore({ filename })
    await store.ready()
    const other = new DatabaseSync(filename)
    other.exec("begin immediate")
    const names = Array.from({ length: 32 }, (_, index) => `account-${index}`)
    const done: Array<string> = []
    const writing = Promise.all(
      names.map(async (name) => {
        const isPut = await Effect.runPromise(store.connections.put({ ...accountRow, name }, 0))
        done.push(isPut ? name : `${name} was there`)
      }),
    )
    // Writers that stopped the event loop while they wait would have given up long before.
    for (let turn = 0; turn < 300; turn += 1) await new Promise((resolve) => setTimeout(resolve, 1))
    expect(done).toEqual([])
    other.exec("commit")
    await writing
    expect(done).toEqual(names)
    other.close()
    await Effect.runPromise(store.close())
  })

  it("gives each of many writers up when its own time is over, and is written to by the next", async () => {
    using folder = makeFolder()
    const filename = folder.file("keyward.db")
    const store = sqliteStore({ filename, timeoutMs: 200 })
    await put(store, 1)
    const other = new DatabaseSync(filename)
    other.exec("begin immediate")
    const failures = await Promise.all(
      Array.from({ length: 8 }, () => Effect.runPromise(Effect.flip(store.connections.remove(accountRow)))),
    )
    expect(failures.map(({ reason }) => reason)).toEqual(Array.from({ length: 8 }, () => "busy"))
    other.close()
    expect(await Effect.runPromise(store.connections.remove(accountRow))).toBe(true)
    await Effect.runPromise(store.close())
  })

  it("is opened when it can be, though it could not at first", async () => {
    using folder = makeFolder()
    const filename = folder.file("keyward.db")
    const other = new DatabaseSync(filename)
    other.exec("create table keyward_schema (version bigint not null primary key, applied_at bigint not null)")
    other.exec(`insert into keyward_schema values (${schemaVersion + 1}, 0)`)
    const store = sqliteStore({ filename })
    await expect(store.ready()).rejects.toThrow(`version ${schemaVersion + 1}`)
    other.exec("drop table keyward_schema")
    other.close()
    await store.ready()
    expect(await put(store, 1)).toBe(true)
    await Effect.runPromise(store.close())
  })
})
