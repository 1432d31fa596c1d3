/** Statements that are not answered in time: those of a network that went dark, and those that wait for somebody's lock. */
import {
  createExecutor,
  credentialProvider,
  definePlugin,
  type ExecutorEvent,
  type StoreUnavailableError,
} from "@keyward/core"
import * as Effect from "effect/Effect"
import { Client, Pool } from "pg"
import { afterAll, describe, expect, it, onTestFinished, vi } from "vitest"
import { postgresStore, type PostgresStoreOptions } from "../src/index.ts"
import { accountRow } from "./support/account.ts"
import { startDarkProxy } from "./support/darkProxy.ts"
import { startPostgres } from "./support/postgresServer.ts"

const server = await startPostgres()
const connectionString = server?.connectionString ?? ""

afterAll(() => server?.[Symbol.asyncDispose]())

let schemas = 0

const read = { tenant: accountRow.tenant, subject: accountRow.subject, limit: 10 }

describe("a network that goes dark", { skip: server === undefined }, () => {
  it.each(["its own pool", "a host's pool"])(
    "is left for new connections, with %s",
    async (whose) => {
      await using proxy = await startDarkProxy(connectionString)
      const place = { connectionString: proxy.connectionString, max: 3 }
      const pool = whose === "its own pool" ? undefined : new Pool(place)
      pool?.on("error", () => {})
      const options: PostgresStoreOptions =
        pool === undefined ? { connectionString: proxy.connectionString, maxConnections: 3 } : { pool }
      const schema = `dark_${++schemas}`
      const store = postgresStore({ ...options, schema, timeoutMs: 1000, cache: { outageMs: 0 } })
      const list = () => Effect.runPromise(store.connections.list(read))
      expect(await Effect.runPromise(store.connections.put(accountRow, 0))).toBe(true)
      await Promise.all([list(), list(), list()])
      await Effect.runPromise(store.connections.get(accountRow, "recent"))
      proxy.goDark()
      const late = await Promise.allSettled([list(), list(), list()])
      expect(late.every(({ status }) => status === "rejected")).toBe(true)
      await vi.waitFor(async () => expect(await list()).toHaveLength(1), 20_000)
      const next = { ...accountRow, version: 2, description: "after" }
      expect(await Effect.runPromise(store.connections.put(next, 1))).toBe(true)
      expect(await Effect.runPromise(store.connections.get(accountRow, "recent"))).toMatchObject({ version: 2 })
      // Dark once more, so that closing has to end what does not answer.
      proxy.goDark()
      const stuck = list().catch((error: StoreUnavailableError) => error.reason)
      await Effect.runPromise(store.close())
      expect(await stuck).toBe("closed")
      await pool?.end()
    },
    60_000,
  )
})

const plugin = definePlugin({
  id: "acme",
  catalog: "integration",
  extension: (ctx) => ({
    add: () => ctx.integrations.register({ slug: "api", authTemplates: [{ slug: "bearer", type: "bearer" }] }),
  }),
  resolveTools: () => [{ name: "read", annotations: { readOnlyHint: true } }],
  invokeTool: () => "done",
})

const ref = (name: string) => ({ owner: "org", integration: "api", name }) as const

describe("a change that waits for a lock until it is late", { skip: server === undefined }, () => {
  it.each(["audited", "not audited"])(
    "is not made later: rows, secrets, trail and what was told agree, %s",
    async (how) => {
      const schema = `late_${++schemas}`
      const items = new Map<string, string>()
      const vault = credentialProvider({
        key: "vault",
        get: (id) => items.get(id),
        set: (id, value) => void items.set(id, value),
        delete: (id) => void items.delete(id),
      })
      const events: Array<ExecutorEvent> = []
      const executor = await createExecutor({
        tenant: "acme",
        store: postgresStore({ connectionString, schema, timeoutMs: 1500 }),
        providers: [vault],
        plugins: [plugin] as const,
        ...(how === "audited" && { audit: true }),
        onEvent: (event) => void events.push(event),
      })
      onTestFinished(() => executor.close())
      await executor.acme.add()
      await executor.connections.create({ ...ref("old"), template: "bearer", value: "old" })
      await executor.connections.create({ ...ref("other"), template: "bearer", value: "first" })
      const before = new Map(items)
      events.length = 0
      const holder = new Client({ connectionString })
      await holder.connect()
      await holder.query("begin")
      await holder.query(
        `lock table ${schema}.${how === "audited" ? "keyward_audit_heads" : "keyward_connections"} in share mode`,
      )
      const late = { _tag: "StoreUnavailableError", reason: "timed_out" }
      await expect(
        executor.connections.create({ ...ref("new"), template: "bearer", value: "new" }),
      ).rejects.toMatchObject(late)
      await expect(
        executor.connections.create({ ...ref("other"), template: "bearer", value: "second" }),
      ).rejects.toMatchObject(late)
      await expect(executor.connections.remove(ref("old"))).rejects.toMatchObject(late)
      const waiting = await server?.query("select 1 from pg_locks where not granted")
      expect(waiting, "Nothing waits in the server.").toEqual([])
      await holder.query("rollback")
      await holder.end()
      expect(await executor.connections.get(ref("new"))).toBeNull()
      // What is removed loses its secret first, and is removed by repeating that.
      before.delete("acme/connection:org:api:old:token")
      expect(items).toEqual(before)
      expect(await executor.connections.get(ref("old"))).not.toBeNull()
      expect(await executor.execute("tools.api.org.other.read")).toMatchObject({ ok: true })
      expect(events.filter(({ type }) => type.startsWith("connection."))).toEqual([])
      await executor.connections.create({ ...ref("other"), template: "bearer", value: "second" })
      await executor.connections.remove(ref("old"))
      expect([...items.values()]).toEqual(["second"])
      if (how !== "audited") return
      const kept = (await executor.audit.list())
        .map(({ type }) => type)
        .filter((type) => type.startsWith("connection."))
      expect(kept.sort()).toEqual([
        "connection.created",
        "connection.created",
        "connection.removed",
        "connection.replaced",
      ])
    },
    60_000,
  )
})
