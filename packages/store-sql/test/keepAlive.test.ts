/** Processes that keep the same accounts alive in the background share the work, and take over what a dead one leaves. */
import { connectionAddress, type ConnectionRef } from "@keyward/core"
import type { ConnectionRow } from "@keyward/core/effect"
import { misbehavingAuthorizationServer } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import { describe, expect, it, onTestFinished, type TestContext } from "vitest"
import { accountRow } from "./support/account.ts"
import { connectAccounts } from "./support/connectAccounts.ts"
import { makeFolder } from "./support/folder.ts"
import { type KeeperJob, openExecutor, openStore } from "./support/keeping.ts"
import { startPostgres } from "./support/postgresServer.ts"
import { startKeeper } from "./support/startKeeper.ts"

/** A database that goes with the test. */
const databases: Readonly<Record<string, (context: TestContext) => Promise<KeeperJob["database"]>>> = {
  SQLite: async () => {
    const folder = makeFolder()
    onTestFinished(() => folder[Symbol.dispose]())
    return { filename: folder.file("keyward.db") }
  },
  Postgres: async ({ skip }) => {
    const server = await startPostgres()
    if (server === undefined) return skip("There is no Postgres here.")
    onTestFinished(() => server[Symbol.asyncDispose]())
    return { connectionString: server.connectionString, schema: "public" }
  },
}

/** Connected accounts at a strictly rotating server, whose tokens are fresh. */
const setAccounts = async (database: KeeperJob["database"], count: number) => {
  const server = await misbehavingAuthorizationServer({ rotation: "strict" })
  const store = openStore({ database })
  const executor = await openExecutor(store, server.host)
  onTestFinished(async () => {
    await executor.close()
    await server.close()
  })
  const refs = Array.from({ length: count }, (_, index): ConnectionRef => {
    return { owner: "user", integration: "files", name: `account${index}` }
  })
  await connectAccounts(executor, server, refs)
  const rowOf = async (ref: ConnectionRef): Promise<ConnectionRow> => {
    const row = await Effect.runPromise(store.connections.get({ ...accountRow, ...ref }))
    if (row === undefined) throw new Error("The row is gone.")
    return row
  }
  const expire = async (): Promise<void> => {
    server.expireAccessTokens()
    for (const ref of refs) {
      const row = await rowOf(ref)
      const run = { ...row, expiresAt: Date.now() - 1, version: row.version + 1 }
      expect(await Effect.runPromise(store.connections.put(run, row.version))).toBe(true)
    }
  }
  const connecting = server.requests("token").length
  return {
    server,
    addresses: refs.map(connectionAddress),
    expire,
    /** What is to be known of each row. */
    rows: () =>
      Promise.all(
        refs.map(async (ref) => {
          const { status, statusReason, expiresAt, grant } = await rowOf(ref)
          return { status, statusReason, isFresh: (expiresAt ?? 0) > Date.now(), intent: grant?.intent ?? null }
        }),
      ),
    refreshes: () => server.requests("token").length - connecting,
  }
}

const kept = { status: "active", statusReason: null, isFresh: true, intent: null }

/** Waits no longer than a case may take; what is expected afterwards says what is missing. */
const until = async (isTrue: () => boolean): Promise<void> => {
  const deadline = performance.now() + 45_000
  while (!isTrue() && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20))
}

describe.each(Object.entries(databases))("keepAlive of several processes over %s", (_, makeDatabase) => {
  it("refreshes each token once each time that it runs out, and each process does some of it", async (context) => {
    const database = await makeDatabase(context)
    const { server, addresses, expire, rows, refreshes } = await setAccounts(database, 18)
    const job: KeeperJob = { database, host: server.host, everyMs: 50 }
    const keepers = await Promise.all([startKeeper(job), startKeeper(job), startKeeper(job)])
    const told = () => keepers.flatMap(({ refreshed }) => refreshed)
    let rounds = 0
    // Who is how fast is the machine's affair; that each gets its turn is not.
    while (rounds < 2 || (rounds < 40 && keepers.some(({ refreshed }) => refreshed.length === 0))) {
      await expire()
      rounds += 1
      await until(() => told().length >= rounds * addresses.length)
    }
    expect(await rows()).toEqual(addresses.map(() => kept))
    expect(told().toSorted()).toEqual(
      addresses.flatMap((address) => Array.from({ length: rounds }, () => address)).toSorted(),
    )
    expect(keepers.map(({ refreshed }) => refreshed.length > 0)).toEqual([true, true, true])
    expect(refreshes(), "one token request each").toBe(rounds * addresses.length)
    expect(server.reuses).toBe(0)
  }, 120_000)

  it("takes over what a process had claimed that was killed, and sends its one request again", async (context) => {
    const database = await makeDatabase(context)
    const { server, addresses, expire, rows, refreshes } = await setAccounts(database, 12)
    await expire()
    // It arrives and is never worked on: as if it was lost on the way.
    server.next("token", { fault: "hold", until: new Promise(() => {}) })
    const arrived = server.received("token", server.requests("token").length + 1)
    const victim = await startKeeper({ database, host: server.host, everyMs: 2_000 })
    await arrived
    await victim.kill()
    const job: KeeperJob = { database, host: server.host, everyMs: 50 }
    const heirs = await Promise.all([startKeeper(job), startKeeper(job)])
    const told = () => heirs.flatMap(({ refreshed }) => refreshed)
    // Those that the victim claimed come last.
    await until(() => told().length >= addresses.length)
    expect(await rows()).toEqual(addresses.map(() => kept))
    expect(victim.refreshed).toEqual([])
    expect(told().toSorted()).toEqual(addresses.toSorted())
    expect(refreshes(), "one each, and the victim's").toBe(addresses.length + 1)
    expect(server.reuses).toBe(0)
    expect(server.grants.map(({ endedBy }) => endedBy)).toEqual(addresses.map(() => null))
  }, 120_000)
})
