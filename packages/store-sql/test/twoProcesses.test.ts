/** Processes that share one SQLite file and one file of secrets refresh one rotating token once, and never use a spent one. */
import { createExecutor } from "@keyward/core"
import { misbehavingAuthorizationServer } from "@keyward/core/testing"
import { encryptedFileProvider } from "@keyward/provider-encrypted-file"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { sqliteStore } from "../src/index.ts"
import { accountConfig, accountRef, accountRow } from "./support/account.ts"
import { connectAccounts } from "./support/connectAccounts.ts"
import { makeFolder } from "./support/folder.ts"
import { startProcess } from "./support/startProcess.ts"

const expiries = 20

describe("two processes over one file", () => {
  it("send one token request each time that the token has run out, however many call at once", async () => {
    using folder = makeFolder()
    await using server = await misbehavingAuthorizationServer({ rotation: "strict" })
    const [filename, vault] = [folder.file("keyward.db"), folder.file("secrets.vault")]
    const store = sqliteStore({ filename })
    await using executor = await createExecutor({
      ...accountConfig(server.host),
      providers: [encryptedFileProvider({ path: vault, key: Buffer.alloc(32, 7) })],
      store,
    })
    await connectAccounts(executor, server, [accountRef])

    const job = { filename, account: { host: server.host, vault } }
    const processes = await Promise.all([startProcess(job), startProcess(job)])
    // Both have made their executors before the race begins.
    for (const other of processes) expect(await other.ask({ type: "call", times: 1 })).toEqual(["ok"])

    const perExpiry: Array<number> = []
    for (let round = 0; round < expiries; round++) {
      server.expireAccessTokens()
      const row = await Effect.runPromise(store.connections.get(accountRow))
      if (row === undefined) throw new Error("The row is gone.")
      const run = { ...row, expiresAt: Date.now() - 1, version: row.version + 1 }
      expect(await Effect.runPromise(store.connections.put(run, row.version))).toBe(true)
      const before = server.requests("token").length
      const results = await Promise.all(processes.map((other) => other.ask({ type: "call", times: 5 })))
      expect(results.flat()).toEqual(Array.from({ length: 10 }, () => "ok"))
      perExpiry.push(server.requests("token").length - before)
    }
    expect(perExpiry).toEqual(Array.from({ length: expiries }, () => 1))
    expect(server.reuses).toBe(0)
    expect(server.grants.map(({ endedBy }) => endedBy)).toEqual([null])
  }, 60_000)
})
