import { inspect } from "node:util"
import { InvalidConfigError, StoreUnavailableError } from "@keyward/core"
import { canary, CanaryScanner } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { databaseFailure } from "../src/databaseFailure.ts"
import { postgresStore, sqliteStore, sqlStore } from "../src/index.ts"
import { accountRow } from "./support/account.ts"
import { makeFolder } from "./support/folder.ts"

describe("what is said of a database's error", () => {
  const secret = canary("value-in-an-error")
  const withText = (fields: object): Error => Object.assign(new Error(`insert … ${secret}`), fields)

  it("is a word, and whether to try again", () => {
    for (const [error, expected] of [
      [
        { code: "ERR_SQLITE_ERROR", errcode: 5 },
        { reason: "busy", isContention: true, isDisconnect: false },
      ],
      [
        { code: "ERR_SQLITE_ERROR", errcode: 517 },
        { reason: "busy", isContention: true, isDisconnect: false },
      ],
      [
        { code: "ERR_SQLITE_ERROR", errcode: 11 },
        { reason: "sqlite_11", isContention: false, isDisconnect: false },
      ],
      [{ code: "SQLITE_BUSY_SNAPSHOT" }, { reason: "busy", isContention: true, isDisconnect: false }],
      [{ code: "57P01" }, { reason: "sqlstate_57P01", isContention: false, isDisconnect: true }],
      [{ code: "40001" }, { reason: "sqlstate_40001", isContention: true, isDisconnect: false }],
      [{ code: "42P01" }, { reason: "sqlstate_42P01", isContention: false, isDisconnect: false }],
      [{ code: "EPIPE" }, { reason: "EPIPE", isContention: false, isDisconnect: true }],
      [{ code: secret }, { reason: "database_error", isContention: false, isDisconnect: false }],
      [{}, { reason: "database_error", isContention: false, isDisconnect: false }],
    ] as const) {
      expect(databaseFailure(withText(error))).toEqual(expected)
    }
    expect(databaseFailure(undefined).reason).toBe("database_error")
  })

  it("holds neither values nor the address of the database", async () => {
    const password = canary("password")
    // Port 1 of this machine answers nobody.
    const store = postgresStore({ connectionString: `postgres://someone:${password}@127.0.0.1:1/records` })
    const failure = await Effect.runPromise(Effect.flip(store.connections.get({ ...accountRow, name: secret })))
    const refused = await store.ready().catch((error: unknown) => error)
    for (const error of [failure, refused]) {
      expect(error).toBeInstanceOf(StoreUnavailableError)
      expect(error).toMatchObject({ reason: "ECONNREFUSED" })
      const scanner = new CanaryScanner([password, secret])
      scanner.expectNone([error, inspect(error), JSON.stringify(error)], "an error of the store")
      expect(inspect(error)).not.toMatch(/someone|select /)
    }
    await Effect.runPromise(store.close())
  })

  it("names the operation, as with a file that is no database", async () => {
    using folder = makeFolder()
    const store = sqliteStore({ filename: folder.path })
    const failure = await Effect.runPromise(Effect.flip(store.connections.get(accountRow)))
    expect(failure).toMatchObject({ operation: "read a connection", reason: "sqlite_14" })
    expect(failure.message).not.toContain(folder.path)
    await Effect.runPromise(store.close())
  })
})

describe("options that cannot work", () => {
  it("are refused when the store is made", () => {
    for (const make of [
      () => sqliteStore({ filename: "" }),
      () => sqliteStore({ filename: ":memory:", leaseMs: 10 }),
      () => sqliteStore({ filename: ":memory:", timeoutMs: 0 }),
      () => postgresStore({}),
      () => postgresStore({ connectionString: "postgres://127.0.0.1", schema: 'a"b' }),
      () => sqlStore({ dialect: () => Promise.reject(new Error("unused")), flavor: "mysql" as "sqlite" }),
    ]) {
      expect(make).toThrow(InvalidConfigError)
    }
  })
})
