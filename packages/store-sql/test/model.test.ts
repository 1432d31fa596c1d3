/**
 * The model-based test of core over databases, by two executors that share one, each with what it keeps in memory: whatever one of them
 * changes the very next call of the other goes by.
 */
import { memoryProvider, type Store } from "@keyward/core"
import * as Effect from "effect/Effect"
import { afterAll, describe, it } from "vitest"
import { runModel } from "../../core/test/model/modelRun.ts"
import { postgresStore, sqliteStore } from "../src/index.ts"
import { makeFolder } from "./support/folder.ts"
import { startPostgres } from "./support/postgresServer.ts"

const server = await startPostgres()
const connectionString = server?.connectionString ?? ""

afterAll(() => server?.[Symbol.asyncDispose]())

const closed = async (stores: ReadonlyArray<Store>): Promise<void> => {
  for (const store of stores) await Effect.runPromise(store.close?.() ?? Effect.void)
}

describe("two executors over one SQLite file", () => {
  it("never make a call run as an account that an oracle forbids, nor a list show what cannot be called", async () => {
    await runModel({
      makeStores: () => {
        const folder = makeFolder()
        const stores = [0, 1].map(() => sqliteStore({ filename: folder.file("keyward.db") }))
        const dispose = async (): Promise<void> => {
          await closed(stores)
          folder[Symbol.dispose]()
        }
        return Promise.resolve({ stores, provider: memoryProvider(), [Symbol.asyncDispose]: dispose })
      },
      runs: 6,
      isThorough: false,
    })
  }, 60_000)
})

describe("two executors over one Postgres", { skip: server === undefined }, () => {
  let schemas = 0

  it("never make a call run as an account that an oracle forbids, nor a list show what cannot be called", async () => {
    await runModel({
      makeStores: async () => {
        const schema = `model_${++schemas}`
        // Whoever waits for the bound instead of an answer is found by the time that this takes.
        const stores = [0, 1].map(() => postgresStore({ connectionString, schema, cache: { maxStaleMs: 600_000 } }))
        for (const store of stores) await store.ready()
        return { stores, provider: memoryProvider(), [Symbol.asyncDispose]: () => closed(stores) }
      },
      runs: 4,
      isThorough: false,
    })
  }, 60_000)
})
