/**
 * A process of its own over a shared database: `fork("otherProcess.ts", [JSON.stringify(job)])`. Answers each message with one.
 *
 * `ready` opens the store. `hold` takes the lease "key" and keeps it. `isHeld` asks whether it still has it, `shorten` has it end sooner when the process does. `put` writes a row over the
 * version it is told; `keep` reads it until it is answered from memory, and `version` reads it as a call does. `call` runs the tool of an account's connection, so many times at once.
 */
import { createExecutor } from "@keyward/core"
import type { HeldLease } from "@keyward/core/effect"
import { encryptedFileProvider } from "@keyward/provider-encrypted-file"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { postgresStore, sqliteStore, type SqlStore } from "../../src/index.ts"
import { accountConfig, accountRow, accountTool } from "./account.ts"
import type { ProcessJob, ProcessMessage } from "./ProcessMessage.ts"

const job = JSON.parse(process.argv[2] ?? "{}") as ProcessJob
const warnings: Array<string> = []
process.on("warning", ({ message }) => void warnings.push(message))

const { leaseMs, maxStaleMs } = job
const store: SqlStore =
  "filename" in job
    ? sqliteStore({ filename: job.filename, leaseMs })
    : postgresStore({
        connectionString: job.connectionString,
        schema: job.schema,
        leaseMs,
        maxConnections: 2,
        cache: { maxStaleMs },
      })

let held: HeldLease | undefined

const hold = (): Promise<void> =>
  new Promise((resolve, reject) => {
    const use = (lease: HeldLease): Effect.Effect<never> => {
      held = lease
      resolve()
      return Effect.never
    }
    Effect.runPromise(store.lease.hold("key", use)).catch(reject)
  })

const executor = async () =>
  createExecutor({
    ...accountConfig(job.account?.host ?? ""),
    providers: [encryptedFileProvider({ path: job.account?.vault ?? "", key: Buffer.alloc(32, 7) })],
    store,
  })
let running: ReturnType<typeof executor> | undefined

const recentVersion = async (): Promise<number | undefined> =>
  (await Effect.runPromise(store.connections.get(accountRow, "recent")))?.version

/** What needs no asynchronous step is from memory. */
const keep = async (): Promise<void> => {
  for (;;) {
    await recentVersion()
    if (Exit.isSuccess(Effect.runSyncExit(store.connections.get(accountRow, "recent")))) return
  }
}

const answer = async (message: ProcessMessage): Promise<unknown> => {
  switch (message.type) {
    case "ready":
      await store.ready()
      return warnings
    case "hold":
      return hold()
    case "isHeld":
      return held !== undefined && Effect.runPromise(held.isHeld)
    case "shorten":
      return Effect.runPromise(held?.shorten?.(message.forMs) ?? Effect.die("Nothing is held."))
    case "keep":
      return keep()
    case "version":
      return recentVersion()
    case "put":
      return Effect.runPromise(store.connections.put({ ...accountRow, version: message.version + 1 }, message.version))
    case "call": {
      const caller = await (running ??= executor())
      const results = await Promise.all(Array.from({ length: message.times }, () => caller.execute(accountTool)))
      return results.map((result) => (result.ok ? "ok" : result.error.code))
    }
  }
}

process.on("message", (message: ProcessMessage) => {
  answer(message).then(
    (value) => process.send?.({ value: value ?? null }),
    (error: unknown) => process.send?.({ error: String(error) }),
  )
})
process.send?.({ value: "started" })
