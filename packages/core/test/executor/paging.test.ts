/** Lists come page by page, and a page costs the store about what is on it, however much there is. */
import { connectionAddress, type Identity, memoryStore, type Store, type ToolDef } from "@keyward/core"
import type { ConnectionRow } from "@keyward/core/effect"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { acmePlugin, countingProvider, main, rejectionOf, setStage } from "./acme.ts"

const many = 10_000

/** A memory store that counts the records it gives out, by operation. */
const countingStore = () => {
  const real = memoryStore()
  const rows = new Map<string, number>()
  const counted = <Part extends object>(part: string, methods: Part): Part =>
    Object.fromEntries(
      Object.entries(methods).map(([name, call]: [string, (...input: Array<unknown>) => Effect.Effect<unknown>]) => [
        name,
        (...input: Array<unknown>) =>
          Effect.map(call(...input), (found) => {
            const count = Array.isArray(found) ? found.length : found === undefined ? 0 : 1
            rows.set(`${part}.${name}`, (rows.get(`${part}.${name}`) ?? 0) + count)
            return found
          }),
      ]),
    ) as Part
  const store: Store = {
    ...real,
    connections: counted("connections", real.connections),
    integrations: counted("integrations", real.integrations),
    access: counted("access", real.access),
    approvals: counted("approvals", real.approvals),
    oauth: { ...real.oauth, clients: counted("clients", real.oauth.clients) },
  }
  return { store, rows, asked: (operation: string) => rows.get(operation) ?? 0 }
}

const tools: ReadonlyArray<ToolDef> = [{ name: "read", annotations: { readOnlyHint: true } }, { name: "write" }]

/** An organisation's `api`, and `service` of which alice has 10,000 accounts. */
const setMany = async (count = many) => {
  const counting = countingStore()
  const { store } = counting
  const stage = await setStage({ plugin: acmePlugin({}, { resolveTools: () => tools }), config: { store } })
  const alice = stage.executor.withIdentity({ subject: "alice" })
  await stage.executor.acme.add({ slug: "service", baseUrl: stage.upstream.origin })
  await alice.connections.create({ owner: "user", integration: "service", name: "a", template: "none" })
  const key = { tenant: "default", subject: "alice", owner: "user", integration: "service", name: "a" } as const
  const row = await Effect.runPromise(store.connections.get(key))
  if (row === undefined) throw new Error("The row is gone.")
  const names = Array.from({ length: count }, (_, index) => `account${String(index).padStart(5, "0")}`)
  const put = (one: ConnectionRow) => Effect.runPromise(store.connections.put({ ...one, version: 1 }, 0))
  for (const name of names) await put({ ...row, name, incarnation: name })
  counting.rows.clear()
  return { ...stage, ...counting, alice, names, row, put }
}

describe("a page of tools, over 10,000 connections", () => {
  it("reads as many connections as it has tools", async () => {
    const { alice, asked } = await setMany()
    const page = await alice.tools.list({ limit: 10 })
    expect(page).toHaveLength(10)
    expect(asked("connections.list")).toBe(10)
    const next = await alice.tools.list({ limit: 10, after: page[9]?.address })
    expect(next[0]?.connection).toBe("account00004")
    expect(asked("connections.list")).toBe(20)
  })

  it("reads more at a time the longer a page takes", async () => {
    const { alice, asked, store } = await setMany()
    const sizes: Array<number> = []
    const list = store.connections.list.bind(store.connections)
    Object.assign(store.connections, {
      list: (query: Parameters<typeof list>[0]) => {
        sizes.push(query.limit)
        return list(query)
      },
    })
    expect(await alice.tools.list({ limit: 100, query: "read" })).toHaveLength(100)
    await alice.policies.create({ owner: "user", pattern: "tools.service.user.account0*", action: "block" })
    expect(await alice.tools.list({ limit: 10 })).toHaveLength(2)
    expect(sizes.slice(0, 9)).toEqual([100, 10, 20, 40, 80, 160, 320, 640, 1000])
    expect(Math.max(...sizes)).toBe(1000)
    expect(asked("connections.list")).toBeLessThanOrEqual(100 + many + 1)
  })

  it("reads one connection of a name, not all of its integration", async () => {
    const { alice, asked, names } = await setMany()
    const named = await alice.tools.list({ connection: names[7_777] })
    expect(named.map(({ address }) => address)).toEqual(
      tools.map(({ name }) => `tools.service.user.account07777.${name}`),
    )
    await alice.tools.list({ connection: "tools.service.user.account07777" })
    await alice.tools.list({ connection: "account07777", integration: "service", owner: "user" })
    expect(asked("connections.list")).toBe(3)
  })

  it("reads no further of an integration in which no tool is meant", async () => {
    const { executor, alice, asked, upstream } = await setMany()
    await executor.acme.add({ slug: "zeta", baseUrl: upstream.origin })
    await alice.connections.create({ owner: "user", integration: "zeta", name: "main", template: "none" })
    expect(await alice.tools.list({ query: "nonsense", limit: 10 })).toEqual([])
    expect(asked("connections.list")).toBeLessThanOrEqual(12)
  })

  it("reads no further of an integration whose mode shows none of them", async () => {
    const { executor, alice, asked, upstream } = await setMany()
    await executor.acme.add({ slug: "zeta", baseUrl: upstream.origin })
    await alice.connections.create({ owner: "user", integration: "zeta", name: "main", template: "none" })
    await executor.integrations.setIdentityMode("service", "shared")
    const listed = await alice.tools.list({ limit: 1 })
    expect(listed.map(({ integration }) => integration)).toEqual(["zeta"])
    expect(asked("connections.list")).toBeLessThanOrEqual(3)
  })
})

describe("a page of connections, over 10,000", () => {
  it("reads what is on it, and each page goes on where the last one ended", async () => {
    const { alice, asked, names } = await setMany()
    const page = await alice.connections.list({ limit: 25, after: "tools.service.user.account04999" })
    expect(page.map(({ name }) => name)).toEqual(names.slice(5_000, 5_025))
    expect(asked("connections.list")).toBe(25)
    expect(await alice.connections.list()).toHaveLength(many + 1)
  })

  it("reads of what is shared or granted only what is on it", async () => {
    const { alice, executor, asked, rows, names } = await setMany(300)
    const bob = executor.withIdentity({ subject: "bob" })
    await executor.agents.create({ id: "helper", integrations: "all" })
    for (const name of names) {
      const ref = { owner: "user", integration: "service", name } as const
      await alice.connections.share(ref, { with: { subject: "bob" }, access: "read", as: name })
      await alice.agents.grant("helper", { connection: ref, access: "read" })
    }
    const helper = await alice.asAgent("helper")
    rows.clear()
    const seen = await Promise.all([bob, helper].map((caller) => caller.connections.list({ limit: 5 })))
    const [ofBob, ofHelper] = seen.map((page) => page.map(({ name }) => name))
    expect(ofHelper).toEqual(names.slice(0, 5))
    expect(ofBob).toEqual(names.slice(0, 5).map((name) => `${name}OfAlice`))
    expect(await helper.tools.list({ limit: 4 })).toHaveLength(4)
    // For bob each is looked for among his own first, which is none.
    expect(asked("connections.get")).toBeLessThanOrEqual(5 + 5 + 4)
    const grants = await alice.agents.grants("helper", { limit: 3 })
    const more = await alice.agents.grants("helper", { limit: 3, after: grants[2] })
    expect([...grants, ...more].map(({ connection }) => connection)).toEqual(
      names.slice(0, 6).map((name) => connectionAddress({ owner: "user", integration: "service", name })),
    )
    expect(asked("connections.get")).toBeLessThanOrEqual(14 + 6)
  })
})

describe("pages of everything else", () => {
  it("has integrations, agents and clients in pages that cost what is on them", async () => {
    const { executor, upstream, asked, rows } = await setMany(0)
    for (let index = 0; index < 30; index += 1) {
      const name = `item${String(index).padStart(2, "0")}`
      await executor.acme.add({ slug: name, baseUrl: upstream.origin })
      await executor.agents.create({ id: name })
      await executor.oauth.createClient({
        owner: "org",
        slug: name,
        grant: "authorization_code",
        clientId: "id",
        authorizationUrl: "https://login.example.com/authorize",
        tokenUrl: "https://login.example.com/token",
      })
    }
    rows.clear()
    const page = { limit: 4, after: "item09" }
    const expected = ["item10", "item11", "item12", "item13"]
    expect((await executor.integrations.list(page)).map(({ slug }) => slug)).toEqual(expected)
    expect((await executor.agents.list(page)).map(({ id }) => id)).toEqual(expected)
    const clients = await executor.oauth.listClients({ limit: 4, after: { owner: "org", slug: "item09" } })
    expect(clients.map(({ slug }) => slug)).toEqual(expected)
    expect([asked("integrations.list"), asked("access.listAgents"), asked("clients.list")]).toEqual([4, 4, 4])
  })

  it("has the shares of a connection, and the agents below one, in pages", async () => {
    const { alice, executor, asked, rows } = await setMany(0)
    const ref = { owner: "user", integration: "service", name: "a" } as const
    for (let index = 0; index < 9; index += 1) {
      await alice.connections.share(ref, { with: { subject: `user${index}` }, access: "read" })
    }
    await executor.agents.create({ id: "lead" })
    const lead = await executor.asAgent("lead")
    for (const id of ["d", "b", "a", "c"]) await lead.subAgents.create({ id })
    await executor.agents.create({ id: "bystander" })
    rows.clear()
    const first = await alice.connections.shares(ref, { limit: 4 })
    const rest = await alice.connections.shares(ref, { after: first[3]?.with })
    expect([...first, ...rest].map((one) => one.with.subject)).toEqual(
      Array.from({ length: 9 }, (_, index) => `user${index}`),
    )
    expect(asked("access.listShares")).toBe(9)
    expect((await lead.subAgents.list({ limit: 2 })).map(({ id }) => id)).toEqual(["a", "b"])
    expect((await lead.subAgents.list({ limit: 9, after: "b" })).map(({ id }) => id)).toEqual(["c", "d"])
  })

  it("has rules in pages, in the order in which they decide", async () => {
    const { executor } = await setStage()
    for (let order = 5; order > 0; order -= 1) {
      await executor.policies.create({ owner: "org", pattern: "*", action: "approve", order })
    }
    const first = await executor.policies.list({ limit: 2 })
    const rest = await executor.policies.list({ after: first[1]?.id })
    expect([...first, ...rest].map(({ order }) => order)).toEqual([1, 2, 3, 4, 5])
    await executor.policies.remove(first[1]?.id ?? "")
    expect(await rejectionOf(executor.policies.list({ after: first[1]?.id }))).toMatchObject({
      _tag: "InvalidPolicyInputError",
      field: "after",
    })
  })

  it("has a provider's items in pages, in the order of their ids", async () => {
    const { provider, items } = countingProvider()
    const { executor } = await setStage({ config: { providers: [provider] } })
    for (const id of ["d", "b", "a", "c"]) items.set(id, "value")
    const ids = async (input = {}) => (await executor.providers.items("vault", input)).map(({ id }) => id)
    expect(await ids()).toEqual(["a", "b", "c", "d"])
    expect(await ids({ limit: 2, after: "a" })).toEqual(["b", "c"])
  })
})

describe("what is no page", () => {
  const setCallers = async () => {
    const { executor } = await setStage()
    const alice = executor.withIdentity({ subject: "alice" } satisfies Partial<Identity>)
    const own = { ...main, owner: "user" } as const
    await alice.connections.create({ ...own, template: "none" })
    await executor.agents.create({ id: "helper" })
    const helper = await executor.asAgent("helper")
    await helper.subAgents.create({ id: "below" })
    type Ask = (input: object) => Promise<unknown>
    const lists: ReadonlyArray<readonly [string, string, Ask]> = [
      ["connections.list", "InvalidConnectionInputError", (input) => alice.connections.list(input)],
      ["connections.shares", "InvalidGrantError", (input) => alice.connections.shares(own, input)],
      ["tools.list", "InvalidConnectionInputError", (input) => alice.tools.list(input)],
      ["integrations.list", "InvalidIntegrationInputError", (input) => alice.integrations.list(input)],
      ["agents.list", "InvalidAgentError", (input) => alice.agents.list(input)],
      ["agents.grants", "InvalidGrantError", (input) => alice.agents.grants("helper", input)],
      ["an agent's connections.list", "InvalidConnectionInputError", (input) => helper.connections.list(input)],
      ["an agent's tools.list", "InvalidConnectionInputError", (input) => helper.tools.list(input)],
      ["subAgents.list", "InvalidAgentError", (input) => helper.subAgents.list(input)],
      ["subAgents.grants", "InvalidGrantError", (input) => helper.subAgents.grants("below", input)],
      ["policies.list", "InvalidPolicyInputError", (input) => alice.policies.list(input)],
      ["approvals.list", "InvalidApprovalInputError", (input) => alice.approvals.list(input)],
      ["providers.items", "InvalidConnectionInputError", (input) => alice.providers.items("memory", input)],
      ["oauth.listClients", "InvalidOAuthClientError", (input) => alice.oauth.listClients(input)],
    ]
    return lists
  }

  it.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "10", null])(
    "is a limit of %s, in every list",
    async (limit) => {
      for (const [list, tag, ask] of await setCallers()) {
        expect(await rejectionOf(ask({ limit })), `of ${list}`).toMatchObject({ _tag: tag, field: "limit" })
      }
    },
  )

  it.each([7, null, ["a"]])("is to go on after %j, in every list", async (after) => {
    for (const [list, tag, ask] of await setCallers()) {
      expect(await rejectionOf(ask({ after })), `of ${list}`).toMatchObject({ _tag: tag, field: "after" })
    }
  })

  it("is not a limit of nothing, which gives nothing", async () => {
    for (const [list, , ask] of await setCallers()) expect(await ask({ limit: 0 }), `of ${list}`).toEqual([])
  })
})
