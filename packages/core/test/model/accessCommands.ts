/**
 * The commands of the model-based test: what users, agents and hosts do, each done for real and in the model.
 *
 * Plug in another world (a store, several executors over one database) by {@link World}, and more commands beside {@link accessCommands}.
 */
import * as fc from "fast-check"
import { expect } from "vitest"
import type { AgentExecutor, ConnectionRef, Executor } from "@keyward/core"
import {
  AccessModel,
  capabilitiesOf,
  type ModelAgent,
  type ModelCaller,
  type ModelConnection,
  type ModelScope,
} from "./AccessModel.ts"

/** What the commands act on. */
export interface World {
  /** Executors of nobody over the same records, in as many processes as there are; the commands take turns. */
  readonly executors: ReadonlyArray<Executor>
  /** The secret that arrived, from the data of a result. */
  readonly arrived: (data: unknown) => string
  /** How often something was done that was possible, by command: a run in which nothing happens proves nothing. */
  readonly done: Map<string, number>
  turn: number
  secrets: number
}

/** One model per tenant. */
export type Models = Readonly<Record<string, AccessModel>>

export const tenants = ["acme", "globex"] as const
export const integrations = ["api", "web"] as const
const subjects = ["alice", "bob"] as const
const agentIds = ["lead", "helper", "deep"] as const
const names = ["main"] as const

export const newModels = (): Models => Object.fromEntries(tenants.map((tenant) => [tenant, new AccessModel()]))

type Command = fc.AsyncCommand<Models, World>

const scope: fc.Arbitrary<ModelScope> = fc.record(
  {
    access: fc.constantFrom<ModelScope["access"]>(["read"], ["write"], ["read", "write"]),
    tools: fc.constantFrom(["issues.*"], ["issues.list"], ["users.list", "issues.create"]),
  },
  { requiredKeys: ["access"] },
)
// Small and crowded, so that most of what is drawn meets something that is there.
const tenant = fc.oneof({ weight: 9, arbitrary: fc.constant(tenants[0]) }, fc.constant(tenants[1]))
const subject = fc.option(fc.constantFrom(...subjects))
const agentId = fc.constantFrom(...agentIds)
const integration = fc.oneof({ weight: 5, arbitrary: fc.constant(integrations[0]) }, fc.constant(integrations[1]))
const shownName = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...names) },
  fc.constantFrom("mainOfAlice", "mainOfBob", "lent"),
)
const ref: fc.Arbitrary<ConnectionRef> = fc.record({
  owner: fc.constantFrom("org", "user"),
  integration,
  name: shownName,
})

/** Draws from what there is when a command runs; mostly that, and now and then what was drawn blindly. */
const pick = fc.nat(1000)
const oneOf = <A>(existing: ReadonlyArray<A>, drawn: A, at: number): A =>
  at % 8 === 0 ? drawn : (existing[Math.floor(at / 8) % Math.max(1, existing.length)] ?? drawn)

/** A connection as a caller sees it, if the caller sees one. */
const refOf = (model: AccessModel, caller: ModelCaller, drawn: ConnectionRef, at: number): ConnectionRef => {
  const seen = new Set([...model.callable(caller).keys()].map((address) => address.split(".").slice(0, 4).join(".")))
  const refs = [...seen].map((address): ConnectionRef => {
    const [, slug = "", owner = "", name = ""] = address.split(".")
    return { owner: owner as ConnectionRef["owner"], integration: slug, name }
  })
  return oneOf(refs, drawn, at)
}

/** Makes a command of what it does; `run` answers whether it could be done. */
const command = (
  name: string,
  inTenant: string,
  input: unknown,
  run: (model: AccessModel, as: (subject: string | null) => Executor, world: World) => Promise<boolean>,
): Command => ({
  check: () => true,
  run: async (models, world) => {
    const model = models[inTenant] ?? new AccessModel()
    world.turn += 1
    const executor = world.executors[world.turn % world.executors.length]
    if (executor === undefined) throw new Error("A world needs an executor.")
    const as = (acting: string | null) => executor.withIdentity({ tenant: inTenant, subject: acting })
    if (await run(model, as, world)) world.done.set(name, (world.done.get(name) ?? 0) + 1)
    await expectInvariants(model, inTenant, world)
  },
  toString: () => `${name}(${inTenant}, ${JSON.stringify(input)})`,
})

/** Whether a promise was kept; what it was broken with has to be one of Keyward's own errors. */
const succeeded = async <A>(promise: Promise<A>): Promise<{ readonly value: A } | undefined> => {
  try {
    return { value: await promise }
  } catch (error) {
    expect(error).toHaveProperty("_tag")
    return undefined
  }
}

const connect = fc.tuple(tenant, subject, integration, fc.constantFrom(...names)).map(([inTenant, owner, slug, name]) =>
  command("connect", inTenant, [owner, slug, name], async (model, as, world) => {
    const secret = `secret${(world.secrets += 1)}`
    const input = {
      owner: owner === null ? "org" : "user",
      integration: slug,
      name,
      template: "bearer",
      value: secret,
    } as const
    const done = await succeeded(as(owner).connections.create(input))
    const known = model.connection(owner, slug, name)
    const isTaken =
      owner !== null &&
      known === undefined &&
      model.shares.some((one) => one.to === owner && one.as === name && one.connection.integration === slug)
    expect(done === undefined).toBe(isTaken)
    if (done === undefined) return false
    if (known === undefined) model.connections.push({ owner, integration: slug, name, secret })
    else known.secret = secret
    return true
  }),
)

const disconnect = fc
  .tuple(tenant, subject, integration, fc.constantFrom(...names))
  .map(([inTenant, owner, slug, name]) =>
    command("disconnect", inTenant, [owner, slug, name], async (model, as) => {
      const known = model.connection(owner, slug, name)
      const done = await succeeded(
        as(owner).connections.remove({ owner: owner === null ? "org" : "user", integration: slug, name }),
      )
      expect(done !== undefined).toBe(known !== undefined)
      if (known !== undefined) model.removeConnection(known)
      return known !== undefined
    }),
  )

const allowedIntegrations = fc.oneof(
  { weight: 4, arbitrary: fc.constant<ModelAgent["integrations"]>("all") },
  fc.constantFrom<ModelAgent["integrations"]>(["api"], ["web"], []),
)

const createAgent = fc
  .tuple(
    tenant,
    fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(["lead", null], ["helper", "lead"], ["deep", "helper"] as const) },
      fc.tuple(agentId, fc.option(agentId)),
    ),
    allowedIntegrations,
  )
  .map(([inTenant, [id, parent], allowed]) => [inTenant, id ?? "lead", parent ?? null, allowed] as const)
  .map(([inTenant, id, parent, allowed]) =>
    command("createAgent", inTenant, [id, parent, allowed], async (model, as) => {
      const above = parent === null ? null : (model.agent(parent) ?? undefined)
      const done = await succeeded(
        as(null).agents.create({ id, integrations: allowed, ...(parent === null ? {} : { parent }) }),
      )
      if (done === undefined) return false
      expect(model.agent(id)).toBeUndefined()
      expect(above).toBeDefined()
      model.agents.push({ id, parent: above ?? null, integrations: allowed })
      return true
    }),
  )

const removeAgent = fc.tuple(tenant, agentId).map(([inTenant, id]) =>
  command("removeAgent", inTenant, id, async (model, as) => {
    const known = model.agent(id)
    const done = await succeeded(as(null).agents.remove(id))
    expect(done !== undefined).toBe(known !== undefined)
    if (known !== undefined) model.removeAgent(known)
    return known !== undefined
  }),
)

const setIntegrations = fc.tuple(tenant, agentId, allowedIntegrations).map(([inTenant, id, allowed]) =>
  command("setIntegrations", inTenant, [id, allowed], async (model, as) => {
    const known = model.agent(id)
    const done = await succeeded(as(null).agents.setIntegrations(id, allowed))
    if (done === undefined || known === undefined) {
      expect(done).toBeUndefined()
      return false
    }
    known.integrations = allowed
    return true
  }),
)

/** Whether whoever hands on has all of it. */
const isWithin = (scope: ModelScope, held: ReadonlySet<string>): boolean =>
  [...capabilitiesOf(scope)].every((one) => held.has(one))

const grant = fc
  .tuple(tenant, subject, agentId, ref, scope, pick)
  .map(([inTenant, acting, drawnId, drawn, wanted, at]) =>
    command("grant", inTenant, [acting, drawnId, drawn, wanted, at], async (model, as) => {
      const id = oneOf(
        model.agents.map((one) => one.id),
        drawnId,
        at + 3,
      )
      const connection = refOf(model, { subject: acting, agent: null }, drawn, at)
      const done = await succeeded(as(acting).agents.grant(id, { connection, ...wanted }))
      if (done === undefined) return false
      const agent = model.agent(id)
      const meant = model.meant(
        { subject: acting, agent: null },
        connection.owner,
        connection.integration,
        connection.name,
      )
      expect(agent).toBeDefined()
      expect(meant).toBeDefined()
      if (agent === undefined || meant === undefined) return false
      expect(meant.owner === null).toBe(acting === null)
      expect(isWithin(wanted, model.ofSubject(acting, meant))).toBe(true)
      if (agent.parent !== null) expect(isWithin(wanted, model.ofAgent(agent.parent, acting, meant))).toBe(true)
      putGrant(model, agent, meant, acting, wanted)
      return true
    }),
  )

const revoke = fc.tuple(tenant, subject, agentId, ref, pick).map(([inTenant, drawnSubject, drawnId, drawn, at]) =>
  command("revoke", inTenant, [drawnSubject, drawnId, drawn, at], async (model, as) => {
    const granted = oneOf<(typeof model.grants)[number] | undefined>(model.grants, undefined, at)
    const acting = granted?.subject ?? (granted === undefined ? drawnSubject : null)
    const id = granted?.agent.id ?? drawnId
    const connection = refOf(model, { subject: acting, agent: null }, drawn, at)
    const before = await succeeded(as(acting).agents.grants(id))
    const done = await succeeded(as(acting).agents.revoke(id, connection))
    const agent = model.agent(id)
    // Users do not revoke what the organisation granted of its own.
    expect(done !== undefined).toBe(agent !== undefined && (connection.owner === "user" || acting === null))
    if (done === undefined) return false
    const meant = model.meant(
      { subject: acting, agent: null },
      connection.owner,
      connection.integration,
      connection.name,
    )
    if (agent === undefined || meant === undefined) return false
    const after = await as(acting).agents.grants(id)
    const kept = model.grants.length
    model.grants = model.grants.filter(
      (one) => !(
          one.agent === agent &&
          one.connection === meant &&
          (one.subject === acting || (one.subject === null && (meant.owner === null || meant.owner === acting)))
        ),
    )
    return model.grants.length < kept && after.length < (before?.value.length ?? 0)
  }),
)

const share = fc
  .tuple(
    tenant,
    fc.constantFrom(...subjects),
    integration,
    fc.constantFrom(...names),
    fc.oneof(fc.record({ subject: fc.constantFrom(...subjects) }), fc.record({ agent: agentId })),
    scope,
    fc.option(fc.constant("lent"), { nil: undefined }),
  )
  .map(([inTenant, owner, slug, name, recipient, wanted, as_]) =>
    command("share", inTenant, [owner, slug, name, recipient, wanted, as_], async (model, as) => {
      const input = { with: recipient, ...wanted, ...(as_ === undefined ? {} : { as: as_ }) }
      const done = await succeeded(as(owner).connections.share({ owner: "user", integration: slug, name }, input))
      if (done === undefined) return false
      const connection = model.connection(owner, slug, name)
      const to = "agent" in recipient ? model.agent(recipient.agent) : recipient.subject
      expect(connection).toBeDefined()
      expect(to).toBeDefined()
      expect(to).not.toBe(owner)
      if (connection === undefined || to === undefined) return false
      const shown = done.value.as.split(".").at(-1) ?? ""
      if (typeof to === "string") expect(model.connection(to, slug, shown)).toBeUndefined()
      else if (to.parent !== null) expect(isWithin(wanted, model.ofAgent(to.parent, null, connection))).toBe(true)
      model.shares = model.shares.filter((one) => !(one.connection === connection && one.to === to))
      expect(
        model.shares.filter((one) => one.to === to && one.as === shown && one.connection.integration === slug),
      ).toEqual([])
      model.shares.push({ connection, to, as: shown, capabilities: capabilitiesOf(wanted) })
      return true
    }),
  )

const unshare = fc
  .tuple(
    tenant,
    fc.constantFrom(...subjects),
    integration,
    fc.constantFrom(...names),
    fc.oneof(fc.record({ subject: fc.constantFrom(...subjects) }), fc.record({ agent: agentId })),
    pick,
  )
  .map(([inTenant, drawnOwner, drawnSlug, drawnName, drawnRecipient, at]) =>
    command("unshare", inTenant, [drawnOwner, drawnSlug, drawnName, drawnRecipient, at], async (model, as) => {
      const shared = oneOf<(typeof model.shares)[number] | undefined>(model.shares, undefined, at)
      const owner = shared?.connection.owner ?? drawnOwner
      const slug = shared?.connection.integration ?? drawnSlug
      const name = shared?.connection.name ?? drawnName
      const recipient =
        shared === undefined
          ? drawnRecipient
          : typeof shared.to === "string"
            ? { subject: shared.to }
            : { agent: shared.to.id }
      await succeeded(as(owner).connections.unshare({ owner: "user", integration: slug, name }, recipient))
      const to = "agent" in recipient ? model.agent(recipient.agent) : recipient.subject
      const connection = model.connection(owner, slug, name)
      const before = model.shares.length
      model.shares = model.shares.filter((one) => !(one.connection === connection && one.to === to))
      return model.shares.length < before
    }),
  )

const delegate = fc
  .tuple(tenant, subject, agentId, agentId, ref, scope, pick)
  .map(([inTenant, acting, drawnId, drawnBelow, drawn, wanted, at]) =>
    command("delegate", inTenant, [acting, drawnId, drawnBelow, drawn, wanted, at], async (model, as) => {
      const subAgents = model.agents.filter(({ parent }) => parent !== null)
      const target = oneOf<ModelAgent | undefined>(subAgents, undefined, at + 5)
      const below = target?.id ?? drawnBelow
      const id = target?.parent?.id ?? drawnId
      const from = { subject: acting, agent: model.agent(id) ?? null }
      const connection = refOf(model, from, drawn, at)
      const agent = await succeeded(as(acting).asAgent(id))
      const known = model.agent(id)
      expect(agent !== undefined).toBe(known !== undefined)
      if (agent === undefined || known === undefined) return false
      const done = await succeeded(agent.value.subAgents.grant(below, { connection, ...wanted }))
      if (done === undefined) return false
      const grantee = model.agent(below)
      const caller: ModelCaller = { subject: acting, agent: known }
      const meant = model.meant(caller, connection.owner, connection.integration, connection.name)
      expect(grantee?.parent).toBe(known)
      expect(meant).toBeDefined()
      if (grantee === undefined || meant === undefined) return false
      expect(isWithin(wanted, model.of(caller, meant))).toBe(true)
      const { subject: counts } = done.value
      // What is handed on for anybody has to be the agent's own for anybody.
      if (counts === null) expect(isWithin(wanted, model.ofAgent(known, null, meant))).toBe(true)
      else expect(counts).toBe(acting)
      putGrant(model, grantee, meant, counts, wanted)
      return true
    }),
  )

const putGrant = (
  model: AccessModel,
  agent: ModelAgent,
  connection: ModelConnection,
  subject: string | null,
  wanted: ModelScope,
): void => {
  model.grants = model.grants.filter(
    (one) => !(one.agent === agent && one.connection === connection && one.subject === subject),
  )
  model.grants.push({ agent, connection, subject, capabilities: capabilitiesOf(wanted) })
}

/** A call of anything by anybody: it arrives as the account that the oracle says, or not at all. */
const call = fc
  .tuple(tenant, subject, fc.option(agentId), ref, fc.constantFrom("issues.list", "issues.create", "users.list"), pick)
  .map(([inTenant, acting, id, drawn, tool, at]) =>
    command("call", inTenant, [acting, id, drawn, tool, at], async (model, as, world) => {
      const agent = id === null ? null : model.agent(id)
      const { owner, integration: slug, name } = refOf(model, { subject: acting, agent: agent ?? null }, drawn, at)
      const caller = await callerOf(as(acting), id)
      expect(caller !== undefined).toBe(agent !== undefined)
      if (caller === undefined || agent === undefined) return false
      const address = `tools.${slug}.${owner}.${name}.${tool}`
      const expected = model.callable({ subject: acting, agent }).get(address)
      const done = await succeeded(caller.execute(address))
      expect(done === undefined ? undefined : done.value.ok && world.arrived(done.value.data)).toBe(expected)
      return expected !== undefined
    }),
  )

const callerOf = async (executor: Executor, id: string | null): Promise<Executor | AgentExecutor | undefined> =>
  id === null ? executor : (await succeeded(executor.asAgent(id)))?.value

/** After every command, whatever it was: lists show exactly what can be called, to the users and the agents of a tenant. */
const expectInvariants = async (model: AccessModel, inTenant: string, world: World): Promise<void> => {
  const executor = world.executors[(world.turn + 1) % world.executors.length]
  if (executor === undefined) return
  const acting = [null, ...subjects][world.turn % (subjects.length + 1)] ?? null
  const as = executor.withIdentity({ tenant: inTenant, subject: acting })
  for (const agent of [null, ...model.agents]) {
    const caller = await callerOf(as, agent?.id ?? null)
    const listed = ((await caller?.tools.list()) ?? []).map(({ address }) => address)
    expect(listed.toSorted()).toEqual([...model.callable({ subject: acting, agent }).keys()].toSorted())
  }
}

/** Every command about accounts, agents, grants and shares, as often as it has weight. */
export const accessCommands: ReadonlyArray<fc.Arbitrary<Command>> = [
  ...Array.from({ length: 5 }, () => connect),
  disconnect,
  ...Array.from({ length: 6 }, () => createAgent),
  removeAgent,
  setIntegrations,
  ...Array.from({ length: 8 }, () => grant),
  revoke,
  ...Array.from({ length: 5 }, () => share),
  unshare,
  ...Array.from({ length: 6 }, () => delegate),
  ...Array.from({ length: 6 }, () => call),
]
