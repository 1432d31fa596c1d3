/**
 * Sessions: begun once for many calls, begun anew when the server ended them, one for each caller and credential, and ended in the end.
 */
import { describe, expect, it } from "vitest"
import { mcpPlugin, type McpPluginOptions } from "../src/index.ts"
import type { TestServer } from "./support/modernServer.ts"
import { olderServer } from "./support/olderServer.ts"
import { call, connectOpenly, type McpExecutor, setStage } from "./support/stage.ts"

const setUp = async (plugin: McpPluginOptions = {}) => {
  const server = await olderServer()
  const stage = await setStage({ hosts: [server.host], plugin })
  await connectOpenly(stage.executor, { transport: "http", url: server.url })
  await expect.poll(() => server.sessions()).toBe(0)
  return { server, ...stage }
}

const account = { owner: "org", integration: "srv", name: "shared" } as const

const begun = ({ arrived }: TestServer): number => arrived.filter(({ rpc }) => rpc === "initialize").length

describe("sessions", () => {
  it("are begun once for many calls, also when those come at once", async () => {
    const { server, executor } = await setUp()
    const before = begun(server)
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) => call(executor, "echo", { text: `${index}` })),
    )
    expect(results.every(({ ok }) => ok)).toBe(true)
    expect(begun(server) - before).toBe(1)
  })

  it("are begun anew when the server ended them, and the call is made once", async () => {
    const { server, executor } = await setUp()
    await call(executor, "whoami")
    const before = begun(server)
    await server.forgetSessions()
    expect(await call(executor, "echo", { text: "again" })).toMatchObject({ ok: true })
    expect(begun(server) - before).toBe(1)
  })

  it("are one for each caller, and another one for another credential", async () => {
    const server = await olderServer()
    const { executor } = await setStage({ hosts: [server.host] })
    await executor.mcp.addServer({
      slug: "srv",
      transport: "http",
      url: server.url,
      authTemplates: [{ slug: "bearer", type: "bearer" }],
    })
    const bob = executor.withIdentity({ subject: "bob" })
    const save = (whose: typeof executor, value: string) =>
      whose.connections.create({ owner: "user", integration: "srv", name: "main", template: "bearer", value })
    await save(executor, "token-of-alice")
    await save(bob, "token-of-bob")
    const sessionsOf = (token: string): ReadonlySet<string | null> =>
      new Set(
        server.arrived
          .filter(({ rpc, headers }) => rpc === "tools/call" && headers.get("authorization") === `Bearer ${token}`)
          .map(({ headers }) => headers.get("mcp-session-id")),
      )
    for (const whose of [executor, bob, executor, bob]) await call(whose, "whoami")
    const [ofAlice, ofBob] = [sessionsOf("token-of-alice"), sessionsOf("token-of-bob")]
    expect([ofAlice.size, ofBob.size]).toEqual([1, 1])
    expect(ofAlice).not.toEqual(ofBob)
    await save(executor, "new-token-of-alice")
    await call(executor, "whoami")
    expect(sessionsOf("new-token-of-alice").size).toBe(1)
    expect(sessionsOf("new-token-of-alice")).not.toEqual(ofAlice)
  })

  it("are ended when nobody uses them, and begun again by the next call", async () => {
    const { server, executor } = await setUp({ idleMs: 1 })
    await call(executor, "whoami")
    expect(server.sessions()).toBe(1)
    await expect.poll(() => server.sessions(), { timeout: 5000 }).toBe(0)
    expect(await call(executor, "whoami")).toMatchObject({ ok: true })
  })

  it("are ended for others' sake when there are too many", async () => {
    const { server, executor } = await setUp({ maxSessions: 2 })
    for (const name of ["one", "two", "three"]) {
      await executor.connections.create({ owner: "user", integration: "srv", name, template: "none" })
      await executor.execute(`tools.srv.user.${name}.whoami`)
    }
    await expect.poll(() => server.sessions()).toBe(2)
    expect(await executor.execute("tools.srv.user.one.whoami")).toMatchObject({ ok: true })
  })

  it("are ended when the executor closes", async () => {
    const { server, executor } = await setUp()
    await call(executor, "whoami")
    expect(server.sessions()).toBe(1)
    await executor.close()
    expect(server.sessions()).toBe(0)
    expect(server.arrived.at(-1)).toMatchObject({ method: "DELETE" })
  })

  it.each([
    ["removed", (executor: McpExecutor) => executor.connections.remove(account)],
    ["disabled", (executor: McpExecutor) => executor.connections.disable(account)],
  ])("are ended when their connection is %s, everybody's and with the credential that they have", async (_, end) => {
    const server = await olderServer()
    const { executor } = await setStage({ hosts: [server.host] })
    const authTemplates = [{ slug: "bearer", type: "bearer" }] as const
    await executor.mcp.addServer({ slug: "srv", transport: "http", url: server.url, authTemplates })
    for (const name of ["shared", "other"]) {
      await executor.connections.create({ ...account, name, template: "bearer", value: `token-of-${name}` })
    }
    const bob = executor.withIdentity({ subject: "bob" })
    await executor.execute("tools.srv.org.other.whoami")
    for (const whose of [executor, bob]) await whose.execute("tools.srv.org.shared.whoami")
    expect(server.sessions()).toBe(3)
    await end(executor)
    expect(server.sessions()).toBe(1)
    const farewells = server.arrived.filter(({ method }) => method === "DELETE").slice(-2)
    for (const { headers } of farewells) expect(headers.get("authorization")).toBe("Bearer token-of-shared")
    expect(await executor.execute("tools.srv.org.other.whoami")).toMatchObject({ ok: true })
  })

  it("outlive the call that began them when that is given up", async () => {
    const { server, executor } = await setUp()
    const before = begun(server)
    const controller = new AbortController()
    const slow = call(executor, "slow", {}, { signal: controller.signal }).catch(() => "given up")
    await expect.poll(() => server.arrived.some(({ rpc }) => rpc === "tools/call")).toBe(true)
    const other = call(executor, "echo", { text: "other" })
    controller.abort()
    expect(await slow).toBe("given up")
    expect(await other).toMatchObject({ ok: true })
    expect(await call(executor, "echo", { text: "after" })).toMatchObject({ ok: true })
    expect(begun(server) - before).toBe(1)
  })

  it("of one executor are neither used nor ended by another that has the same plugin", async () => {
    const server = await olderServer()
    const plugins = [mcpPlugin()] as const
    const [first, second] = await Promise.all(
      ["token-of-first", "token-of-second"].map(async (value) => {
        const { executor } = await setStage({ hosts: [server.host], config: { plugins } })
        const authTemplates = [{ slug: "bearer", type: "bearer" }] as const
        await executor.mcp.addServer({ slug: "srv", transport: "http", url: server.url, authTemplates })
        await executor.connections.create({
          owner: "user",
          integration: "srv",
          name: "main",
          template: "bearer",
          value,
        })
        return executor
      }),
    )
    const before = begun(server)
    for (const executor of [first, second, first, second]) await call(executor as McpExecutor, "whoami")
    expect(begun(server) - before).toBe(2)
    await first?.close()
    expect(await call(second as McpExecutor, "whoami")).toMatchObject({ ok: true })
    expect(begun(server) - before).toBe(2)
  })
})
