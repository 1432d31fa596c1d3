import { DatabaseSync } from "node:sqlite"
import { leaseContract, storeContract } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import { describe, it } from "vitest"
import { sqliteStore } from "../src/index.ts"
import { makeFolder } from "./support/folder.ts"

/** A store over a new file, which breaks by losing its tables. */
const fresh = () => {
  const folder = makeFolder()
  const filename = folder.file("records/keyward.db")
  return {
    store: sqliteStore({ filename }),
    open: () => sqliteStore({ filename }),
    breakBackend: async () => {
      const database = new DatabaseSync(filename)
      const tables = database.prepare("select name from sqlite_master where type = 'table'").all()
      for (const { name } of tables) database.exec(`drop table ${String(name)}`)
      database.close()
    },
    dispose: () => folder[Symbol.dispose](),
  }
}

describe("sqliteStore keeps the contract of stores", () => {
  for (const { name, run } of storeContract(fresh, { durable: true, breakable: true, recordsTogether: true })) {
    it(name, run, 60_000)
  }
})

describe("sqliteStore in memory keeps the contract of stores", () => {
  for (const { name, run } of storeContract(() => sqliteStore({ filename: ":memory:" }), { recordsTogether: true })) {
    it(name, run, 60_000)
  }
})

describe("the lease of sqliteStore keeps the contract of leases", () => {
  const leaseOfFile = () => {
    const folder = makeFolder()
    const store = sqliteStore({ filename: folder.file("keyward.db") })
    return {
      lease: store.lease,
      dispose: async () => {
        await Effect.runPromise(store.close())
        folder[Symbol.dispose]()
      },
    }
  }
  for (const { name, run } of leaseContract(leaseOfFile)) it(name, run, 60_000)
})
