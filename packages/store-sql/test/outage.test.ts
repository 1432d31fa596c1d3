/** A Postgres that is stopped under a process that serves calls: they go on with what is in memory, and the host is told. */
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { createExecutor, definePlugin, type ExecutorEvent, StoreUnavailableError, variable } from "@keyward/core"
import { afterAll, describe, expect, it, onTestFinished, vi } from "vitest"
import { postgresStore, type SqlCacheOptions, sqlSecretProvider } from "../src/index.ts"
import { startPostgres, untilRefused } from "./support/postgresServer.ts"
import { key } from "./support/secretKey.ts"

const server = await startPostgres()
const connectionString = server?.connectionString ?? ""

afterAll(() => server?.[Symbol.asyncDispose]())

const plugin = definePlugin({
  id: "acme",
  catalog: "integration",
  extension: (context) => ({
    add: (baseUrl: string) =>
      context.integrations.register({
        slug: "api",
        baseUrl,
        authTemplates: [{ slug: "apiKey", type: "apiKey", headers: { "X-API-Key": [variable("token")] } }],
      }),
  }),
  resolveTools: () => [{ name: "whoami", annotations: { readOnlyHint: true } }],
  invokeTool: async ({ fetch }) => (await fetch("/")).text(),
})

/** Answers with the key that it was sent. */
const startEcho = async () => {
  const echo = createServer((request, response) => void response.end(String(request.headers["x-api-key"])))
  echo.listen(0, "127.0.0.1")
  await once(echo, "listening")
  onTestFinished(() => void echo.close())
  return `http://127.0.0.1:${(echo.address() as AddressInfo).port}`
}

let schemas = 0

const setStage = async (cache: SqlCacheOptions) => {
  const origin = await startEcho()
  const store = postgresStore({ connectionString, schema: `outage_${++schemas}`, timeoutMs: 5000, cache })
  const events: Array<ExecutorEvent> = []
  const executor = await createExecutor({
    plugins: [plugin],
    store,
    providers: [sqlSecretProvider({ store, key })],
    egress: { allowHosts: ["127.0.0.1"] },
    onElicitation: "accept-all",
    onEvent: (event) => void events.push(event),
  })
  onTestFinished(() => executor.close())
  await executor.acme.add(origin)
  const ref = { owner: "org", integration: "api", name: "main" } as const
  await executor.connections.create({ ...ref, template: "apiKey", value: "k-1" })
  const call = () => executor.execute("tools.api.org.main.whoami")
  const told = () => events.filter(({ type }) => type.startsWith("store.")).map(({ type }) => type)
  return { executor, ref, call, told, events }
}

describe("while Postgres is away", { skip: server === undefined }, () => {
  it("calls go on with what is in memory, writes fail, the host is told once, and all is well afterwards", async () => {
    const { executor, ref, call, told, events } = await setStage({ maxStaleMs: 20, outageMs: 600_000 })
    expect(await call()).toMatchObject({ ok: true, data: "k-1" })
    await server?.stop()
    await untilRefused(connectionString)
    // What is in memory counts as old from now on, since nobody hears of changes any more.
    await vi.waitFor(async () => {
      expect(await call()).toMatchObject({ ok: true, data: "k-1" })
      expect(told()).toEqual(["store.away"])
    }, 20_000)
    for (let index = 0; index < 20; index++) expect(await call()).toMatchObject({ ok: true, data: "k-1" })
    await expect(executor.connections.update(ref, { description: "new" })).rejects.toBeInstanceOf(StoreUnavailableError)
    expect(told()).toEqual(["store.away"])
    expect(JSON.stringify(events)).not.toContain("k-1")
    await server?.start()
    await vi.waitFor(async () => {
      expect((await call()).ok).toBe(true)
      expect(told()).toEqual(["store.away", "store.back"])
    }, 20_000)
    await executor.connections.update(ref, { description: "new" })
    expect(await executor.connections.get(ref)).toMatchObject({ description: "new" })
  }, 60_000)

  it("calls fail once what is in memory is older than the host allows", async () => {
    const { call, told } = await setStage({ maxStaleMs: 20, outageMs: 0 })
    expect((await call()).ok).toBe(true)
    await server?.stop()
    await untilRefused(connectionString)
    await vi.waitFor(() => expect(call()).rejects.toBeInstanceOf(StoreUnavailableError), 20_000)
    expect(told()).toEqual([])
    await server?.start()
    await vi.waitFor(async () => expect((await call()).ok).toBe(true), 20_000)
  }, 60_000)

  it("what this process removed is not served", async () => {
    const { executor, ref, call } = await setStage({ maxStaleMs: 20, outageMs: 600_000 })
    expect((await call()).ok).toBe(true)
    await executor.connections.disable(ref)
    await server?.stop()
    await untilRefused(connectionString)
    const outcome = await call().catch((error: unknown) => error)
    expect(outcome).not.toMatchObject({ ok: true })
    await server?.start()
    expect(await call()).toMatchObject({ ok: false, error: { code: "connection_disabled" } })
  }, 60_000)
})
