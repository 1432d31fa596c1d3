/**
 * A change and its entry in the audit trail are one transaction: both are there or neither, wherever a process dies, whatever becomes of
 * the trail, and however many change things at once.
 */
import { fork } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import {
  type AuditEntry,
  createExecutor,
  credentialProvider,
  definePlugin,
  type ExecutorConfig,
  type ExecutorEvent,
  memoryStore,
  type Store,
  StoreUnavailableError,
} from "@keyward/core"
import { canary, CanaryScanner } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import { describe, expect, it, onTestFinished } from "vitest"
import type { ChangeJob } from "./support/changeProcess.ts"
import { type Database, databases } from "./support/databases.ts"

const plugin = definePlugin({
  id: "acme",
  catalog: "integration",
  extension: (ctx) => ({
    add: () => ctx.integrations.register({ slug: "api", authTemplates: [{ slug: "bearer", type: "bearer" }] }),
  }),
  resolveTools: () => [
    { name: "read", annotations: { readOnlyHint: true } },
    { name: "delete", annotations: { destructiveHint: true } },
  ],
  invokeTool: () => "done",
})

const main = { owner: "org", integration: "api", name: "main" } as const

/** An executor over a store, what it told, and the secrets that it keeps. */
const setStage = async (store: Store, config: Partial<ExecutorConfig> = {}) => {
  const items = new Map<string, string>()
  const vault = credentialProvider({
    key: "vault",
    get: (id) => items.get(id),
    set: (id, value) => void items.set(id, value),
    delete: (id) => void items.delete(id),
  })
  const events: Array<ExecutorEvent> = []
  const executor = await createExecutor({
    store,
    providers: [vault],
    audit: true,
    onElicitation: "defer",
    approvals: { key: Buffer.alloc(32, 3) },
    onEvent: (event) => void events.push(event),
    ...config,
    plugins: [plugin] as const,
  })
  onTestFinished(() => executor.close())
  return { executor, events, items }
}

type Stage = Awaited<ReturnType<typeof setStage>>
type Made = Stage["executor"]

/** The whole trail, in pages. */
const trailOf = async ({ audit }: Pick<Made, "audit">): Promise<ReadonlyArray<AuditEntry>> => {
  const trail: Array<AuditEntry> = []
  for (;;) {
    const page = await audit.list({ limit: 1000, after: trail.at(-1)?.sequence })
    trail.push(...page)
    if (page.length < 1000) return trail
  }
}

/** What there is, as the trail tells it: connections with their status, what the agent was granted, and rules. */
const told = (trail: ReadonlyArray<AuditEntry>) => {
  const connections = new Map<string, string>()
  const grants = new Set<string>()
  const policies = new Set<string>()
  for (const { type, connection, details } of trail) {
    const address = connection ?? ""
    if (type === "connection.created") connections.set(address, "active")
    if (type === "connection.disabled") connections.set(address, "disabled")
    if (type === "connection.removed") connections.delete(address)
    if (type === "connection.removed") grants.delete(address)
    if (type === "grant.added") grants.add(address)
    if (type === "policy.created") policies.add(JSON.stringify(details["policy"]))
  }
  return { connections: Object.fromEntries(connections), grants: [...grants].sort(), policies: [...policies].sort() }
}

/** The same as it is. */
const found = async ({ connections, agents, policies }: Made) => ({
  connections: Object.fromEntries((await connections.list()).map(({ address, status }) => [address, status])),
  grants: (await agents.grants("bot")).map(({ connection }) => connection).sort(),
  policies: (await policies.list()).map(({ id }) => JSON.stringify(id)).sort(),
})

const startProcess = (job: ChangeJob) => {
  const child = fork(join(import.meta.dirname, "support/changeProcess.ts"), [JSON.stringify(job)], {
    execArgv: ["--conditions=@keyward/source"],
    env: { ...process.env, NODE_OPTIONS: "" },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  })
  onTestFinished(() => void child.kill("SIGKILL"))
  return { child, ended: once(child, "exit") }
}

/** A database whose processes have an integration and an agent to work with. */
const setDying = async (database: Database): Promise<Made> => {
  const { executor } = await setStage(database.open())
  await executor.acme.add()
  await executor.agents.create({ id: "bot", integrations: "all" })
  return executor
}

const expectTold = async (executor: Made): Promise<void> => {
  expect(told(await trailOf(executor))).toEqual(await found(executor))
  expect(await executor.audit.verify()).toMatchObject({ isIntact: true })
}

/** Tables that hold what executors do; not those by which processes find one another, nor what plugins were asked for. */
const tables = [
  "accounts",
  "agents",
  "approvals",
  "audit",
  "audit_heads",
  "connections",
  "grants",
  "integrations",
  "oauth_clients",
  "oauth_revocations",
  "oauth_sessions",
  "policies",
  "shares",
]

/** From now on no entry can be written, until `unblock`. */
const block = ({ flavor, sql }: Database): Promise<unknown> =>
  sql(
    flavor === "sqlite"
      ? "create trigger blocked before insert on keyward_audit begin select raise(abort, 'blocked'); end"
      : `create function blocked() returns trigger language plpgsql as $$ begin raise exception 'blocked'; end $$;
         create trigger blocked before insert on keyward_audit for each row execute function blocked()`,
  )

const unblock = ({ flavor, sql }: Database): Promise<unknown> =>
  sql(flavor === "sqlite" ? "drop trigger blocked" : "drop function blocked cascade")

/** A change of each kind, in an order in which each can be made, by the type of the event that tells of it. */
const changesOf = (
  { executor }: Stage,
  secret: string,
): ReadonlyArray<readonly [ExecutorEvent["type"], () => Promise<unknown>]> => {
  const { connections, agents, policies, oauth, approvals } = executor
  const alice = executor.withIdentity({ subject: "alice" })
  const own = { ...main, owner: "user" } as const
  const bearer = { template: "bearer", value: secret } as const
  const policy = async () => (await policies.list())[0]?.id ?? ""
  const approval = async () => (await approvals.list())[0]?.id ?? ""
  return [
    ["integration.registered", () => executor.acme.add()],
    ["integration.updated", () => executor.integrations.setIdentityMode("api", "shared")],
    ["connection.created", () => connections.create({ ...main, ...bearer })],
    ["connection.created", () => alice.connections.create({ ...own, ...bearer })],
    ["connection.replaced", () => connections.create({ ...main, ...bearer })],
    ["connection.updated", () => connections.update(main, { description: "d" })],
    ["connection.default_set", () => connections.setDefault(main)],
    ["connection.default_cleared", () => connections.clearDefault(main)],
    ["connection.disabled", () => connections.disable(main)],
    ["connection.enabled", () => connections.enable(main)],
    ["agent.created", () => agents.create({ id: "bot" })],
    ["agent.updated", () => agents.setIntegrations("bot", ["api"])],
    ["agent.key_rotated", () => agents.rotateKey("bot")],
    ["agent.key_revoked", () => agents.revokeKey("bot")],
    ["grant.added", () => agents.grant("bot", { connection: main, access: ["read"] })],
    ["grant.revoked", () => agents.revoke("bot", main)],
    ["share.added", () => alice.connections.share(own, { with: { subject: "bob" }, access: ["read"] })],
    ["share.removed", () => alice.connections.unshare(own, { subject: "bob" })],
    ["policy.created", () => policies.create({ owner: "org", pattern: "tools.api.org.other.*", action: "block" })],
    ["policy.updated", async () => policies.update(await policy(), { action: "approve" })],
    ["policy.removed", async () => policies.remove(await policy())],
    [
      "oauth.client.saved",
      () =>
        oauth.createClient({
          owner: "org",
          slug: "app",
          grant: "authorization_code",
          clientId: "id",
          clientSecret: secret,
          authorizationUrl: "https://as.example.test/authorize",
          tokenUrl: "https://as.example.test/token",
        }),
    ],
    ["oauth.client.removed", () => oauth.removeClient("org", "app")],
    ["approval.requested", () => executor.execute("tools.api.org.main.delete")],
    ["approval.answered", async () => approvals.answer(await approval(), { action: "accept" })],
    ["approval.revoked", async () => approvals.revoke(await approval())],
    ["agent.removed", () => agents.remove("bot")],
    ["connection.removed", () => connections.remove(main)],
    ["connection.removed", () => alice.connections.remove(own)],
    ["integration.removed", () => executor.integrations.remove("api")],
  ]
}

describe.each(databases())("a change and its audit entry in %s", (_, make) => {
  it("are both there or neither, at whichever statement their process dies", async () => {
    const database = make()
    if (database === undefined) return
    const executor = await setDying(database)
    for (let dyingAt = 1; ; dyingAt += 1) {
      const { ended } = startProcess({ place: database.place, name: `at${dyingAt}`, dyingAt })
      const [code, signal] = await ended
      await expectTold(executor)
      if (signal === "SIGKILL") continue
      expect(code).toBe(0)
      // Two changes, each of them begun, made, recorded in three steps, and committed.
      expect(dyingAt).toBeGreaterThan(2 * 6)
      return
    }
  }, 300_000)

  it("are both there or neither when a process is killed that makes several at once", async () => {
    const database = make()
    if (database === undefined) return
    const executor = await setDying(database)
    for (let round = 1; round <= 4; round += 1) {
      const { child, ended } = startProcess({ place: database.place, name: `k${round}x` })
      for (let begun = 0; begun < 3 + round; begun += 1) await once(child, "message")
      child.kill("SIGKILL")
      await ended
      await expectTold(executor)
    }
    expect((await trailOf(executor)).length).toBeGreaterThan(4)
  }, 300_000)

  it("does not wait for a process that stands still in the middle of another, which is not made", async () => {
    const database = make()
    // In SQLite, nobody writes while such a process has the file.
    if (database?.flavor !== "postgres") return
    const executor = await setDying(database)
    const headIsTaken = 4
    const { child, ended } = startProcess({
      place: database.place,
      name: "stopped",
      dyingAt: headIsTaken,
      isStopping: true,
    })
    expect((await once(child, "message"))[0]).toBe("stops")
    await executor.policies.create({ owner: "org", pattern: "tools.api.org.main.*", action: "block" })
    child.kill("SIGCONT")
    expect(String((await once(child, "message"))[0])).toMatch(/could not write a connection and its audit entry/)
    expect(await ended).toEqual([0, null])
    await expectTold(executor)
    expect(await found(executor)).toMatchObject({ connections: {}, policies: [expect.any(String)] })
  }, 120_000)

  it("are neither there when the trail cannot be written: the change fails, is not told, and can be made later", async () => {
    const database = make()
    if (database === undefined) return
    const stage = await setStage(database.open())
    const { executor, events } = stage
    const secret = canary("secret")
    await executor.audit.list()
    for (const [type, change] of changesOf(stage, secret)) {
      const isTold = (event: { readonly type: string }) => event.type === type
      const toldOf = () => events.filter(isTold).map(({ at }) => at)
      const before = { type, rows: await database.rows(tables), told: toldOf() }
      await block(database)
      const failure: unknown = await change().catch((error: unknown) => error)
      expect([type, failure]).toEqual([type, expect.any(StoreUnavailableError)])
      expect(String(failure)).toMatch(/and its audit entry/)
      expect({ type, rows: await database.rows(tables), told: toldOf() }).toEqual(before)
      await unblock(database)
      await change()
      const entries = (await trailOf(executor)).filter(isTold).map(({ at }) => at)
      expect({ type, count: entries.length }).toEqual({ type, count: before.told.length + 1 })
      expect({ type, told: toldOf() }).toEqual({ type, told: entries })
      expect({ type, rows: await database.rows(tables) }).not.toEqual({ type, rows: before.rows })
      new CanaryScanner([secret]).expectNone([failure, await database.rows(tables), events], type)
    }
    expect(await executor.audit.verify()).toMatchObject({ isIntact: true, fault: null })
  }, 120_000)

  it("leaves no secret behind where the trail cannot be written", async () => {
    const database = make()
    if (database === undefined) return
    const { executor, items } = await setStage(database.open())
    await executor.acme.add()
    await executor.connections.create({ ...main, template: "bearer", value: "the first" })
    const before = [...items]
    await block(database)
    for (const name of ["main", "other"]) {
      const creating = executor.connections.create({ ...main, name, template: "bearer", value: "the second" })
      await expect(creating).rejects.toBeInstanceOf(StoreUnavailableError)
    }
    expect([...items]).toEqual(before)
    await unblock(database)
  })

  it("are recorded once and told once though the answer of the write was lost", async () => {
    const database = make()
    if (database === undefined) return
    const real = database.open()
    let isLosing = false
    const lost = Effect.fail(new StoreUnavailableError({ operation: "write a connection", reason: "connection_lost" }))
    const store: Store = {
      ...real,
      connections: {
        ...real.connections,
        put: (row, expectedVersion) =>
          Effect.flatMap(real.connections.put(row, expectedVersion), (answer) =>
            isLosing ? lost : Effect.succeed(answer),
          ),
      },
    }
    const { executor, events } = await setStage(store)
    await executor.acme.add()
    isLosing = true
    for (const value of ["first", "second"]) await executor.connections.create({ ...main, template: "bearer", value })
    const types = ["integration.registered", "connection.created", "connection.replaced"]
    expect(events.map(({ type }) => type)).toEqual(types)
    expect((await trailOf(executor)).map(({ type }) => type)).toEqual(types)
    expect(await executor.audit.verify()).toMatchObject({ isIntact: true })
  })

  it("come one after the other, one entry for each change that was made, when executors change things at once", async () => {
    const database = make()
    if (database === undefined) return
    const stages = [await setStage(database.open()), await setStage(database.open()), await setStage(database.open())]
    const [{ executor }] = stages as [Stage]
    await executor.acme.add()
    const rule = await executor.policies.create({ owner: "org", pattern: "tools.api.org.x.*", action: "block" })
    const outcomes = await Promise.all(
      stages.flatMap((stage, index) =>
        Array.from({ length: 10 }, async (_, round) => {
          await stage.executor.connections.create({ ...main, name: `s${index}r${round}`, template: "none" })
          await stage.executor.execute(`tools.api.org.s${index}r${round}.read`)
          return stage.executor.policies.update(rule.id, { order: index * 10 + round }).then(
            () => 1,
            () => 0,
          )
        }),
      ),
    )
    const trail = await trailOf(executor)
    const count = (type: string) => trail.filter((entry) => entry.type === type).length
    expect(count("connection.created")).toBe(30)
    expect(count("policy.updated")).toBe(outcomes.reduce<number>((sum, one) => sum + one, 0))
    for (const [index, { events }] of stages.entries()) {
      const own = events.filter(({ type }) => type === "connection.created")
      expect(own.map((event) => ("connection" in event ? event.connection : "")).sort()).toEqual(
        Array.from({ length: 10 }, (_, round) => `tools.api.org.s${index}r${round}`),
      )
    }
    expect(await executor.audit.verify()).toMatchObject({ isIntact: true })
  }, 120_000)

  it("comes behind the calls that were made before it", async () => {
    const database = make()
    if (database === undefined) return
    const { executor } = await setStage(database.open(), { audit: { flushMs: 600_000 } })
    await executor.acme.add()
    await executor.connections.create({ ...main, template: "none" })
    await executor.execute("tools.api.org.main.read")
    await executor.connections.update(main, { description: "d" })
    await executor.execute("tools.api.org.main.read")
    expect((await trailOf(executor)).map(({ type }) => type)).toEqual([
      "integration.registered",
      "connection.created",
      "tool.called",
      "connection.updated",
      "tool.called",
    ])
  })

  it("goes with the write that is made in the end where the host tries again what was refused", async () => {
    const database = make()
    if (database === undefined) return
    const real = database.open()
    const policies: Store["policies"] = {
      ...real.policies,
      put: (record, expectedVersion) =>
        Effect.flatMap(real.policies.put(record, expectedVersion + 7), (answer) =>
          answer ? Effect.succeed(answer) : real.policies.put(record, expectedVersion),
        ),
    }
    const { executor } = await setStage({ ...real, policies })
    await executor.policies.create({ owner: "org", pattern: "tools.api.org.main.*", action: "block" })
    expect(await executor.policies.list()).toHaveLength(1)
    expect((await trailOf(executor)).map(({ type }) => type)).toEqual(["policy.created"])
  })

  it("follows a change that the host keeps in another store", async () => {
    const database = make()
    if (database === undefined) return
    const { executor, events } = await setStage({ ...database.open(), policies: memoryStore().policies })
    await executor.policies.create({ owner: "org", pattern: "tools.api.org.main.*", action: "block" })
    const types = ["policy.created"]
    expect((await trailOf(executor)).map(({ type }) => type)).toEqual(types)
    expect(events.map(({ type }) => type)).toEqual(types)
  })
})
