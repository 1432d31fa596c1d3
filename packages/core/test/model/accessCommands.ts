/** What hosts, owners and agents do about who may use what, each done for real and in the model. */
import type { ConnectionRef, Executor } from "@keyward/core"
import * as fc from "fast-check"
import { expect } from "vitest"
import {
  type AccessModel,
  capabilitiesOf,
  type ModelAgent,
  type ModelCaller,
  type ModelConnection,
  type ModelScope,
} from "./AccessModel.ts"
import {
  agentId,
  command,
  connectionName,
  integration,
  oneOf,
  pick,
  ref,
  refOf,
  scope,
  subject,
  tenant,
} from "./command.ts"
import { subjects, succeeded } from "./world.ts"

type As = (subject: string | null) => Executor

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
    command("createAgent", inTenant, [id, parent, allowed], (model, as) => createIn(model, as, id, parent, allowed)),
  )

const createIn = async (
  model: AccessModel,
  as: As,
  id: string,
  parent: string | null,
  integrations: ModelAgent["integrations"],
): Promise<boolean> => {
  const above = parent === null ? null : (model.agent(parent) ?? undefined)
  const done = await succeeded(
    as(null).agents.create({ id, key: true, integrations, ...(parent === null ? {} : { parent }) }),
  )
  if (done === undefined) return false
  expect(model.agent(id)).toBeUndefined()
  expect(above).toBeDefined()
  model.agents.push({ id, parent: above ?? null, integrations, key: done.value.key ?? "" })
  return true
}

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

const rotateKey = fc.tuple(tenant, agentId).map(([inTenant, id]) =>
  command("rotateKey", inTenant, id, async (model, as) => {
    const known = model.agent(id)
    const done = await succeeded(as(null).agents.rotateKey(id))
    expect(done !== undefined).toBe(known !== undefined)
    if (known === undefined || done === undefined) return false
    known.key = done.value.key
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
      return grantIn(model, as, acting, id, connection, wanted)
    }),
  )

const grantIn = async (
  model: AccessModel,
  as: As,
  acting: string | null,
  id: string,
  connection: ConnectionRef,
  wanted: ModelScope,
): Promise<boolean> => {
  const done = await succeeded(as(acting).agents.grant(id, { connection, ...wanted }))
  if (done === undefined) return false
  const agent = model.agent(id)
  const meant = model.meant({ subject: acting, agent: null }, connection.owner, connection.integration, connection.name)
  expect(agent).toBeDefined()
  expect(meant).toBeDefined()
  if (agent === undefined || meant === undefined) return false
  expect(meant.owner === null).toBe(acting === null)
  expect(isWithin(wanted, model.ofSubject(acting, meant))).toBe(true)
  if (agent.parent !== null) expect(isWithin(wanted, model.ofAgent(agent.parent, acting, meant))).toBe(true)
  putGrant(model, { agent, connection: meant, subject: acting, by: null, as: connection }, wanted)
  return true
}

/** A lead with a helper below it, and an account for the lead, mostly for the helper too: what delegation begins with. */
const entrust = fc.tuple(tenant, pick, fc.option(scope)).map(([inTenant, at, direct]) =>
  command("entrust", inTenant, [at, direct], async (model, as) => {
    const connection = model.connections[at % Math.max(1, model.connections.length)]
    if (connection === undefined) return false
    await createIn(model, as, "lead", null, "all")
    await createIn(model, as, "helper", "lead", "all")
    const { owner, integration: slug, name } = connection
    const ref = { owner: owner === null ? "org" : "user", integration: slug, name } as const
    const isGranted = await grantIn(model, as, owner, "lead", ref, { access: ["read", "write"] })
    if (direct !== null) await grantIn(model, as, owner, "helper", ref, direct)
    return isGranted
  }),
)

const revoke = fc.tuple(tenant, subject, agentId, ref, pick).map(([inTenant, drawnSubject, drawnId, drawn, at]) =>
  command("revoke", inTenant, [drawnSubject, drawnId, drawn, at], async (model, as) => {
    const granted = oneOf<(typeof model.grants)[number] | undefined>(model.grants, undefined, at)
    const acting = granted?.subject ?? (granted === undefined ? drawnSubject : null)
    const id = granted?.agent.id ?? drawnId
    const connection = refOf(model, { subject: acting, agent: null }, drawn, at)
    const before = await succeeded(as(acting).agents.grants(id))
    const agent = model.agent(id)
    // Everything, what was granted directly, or what the agent above handed on.
    const by = [undefined, null, agent?.parent ?? null][at % 3]
    const options = by === undefined ? {} : { delegatedBy: by?.id ?? null }
    const done = await succeeded(as(acting).agents.revoke(id, connection, options))
    // Users do not revoke what the organisation granted of its own.
    expect(done !== undefined).toBe(agent !== undefined && (connection.owner === "user" || acting === null))
    if (done === undefined) return false
    const meant = model.meant(
      { subject: acting, agent: null },
      connection.owner,
      connection.integration,
      connection.name,
    )
    if (agent === undefined) return false
    const after = await as(acting).agents.grants(id)
    const kept = model.grants.length
    const revoked = model.grants.filter(
      (one) =>
        one.agent === agent &&
        isCalled(one, connection, meant) &&
        (by === undefined || one.by === by) &&
        (one.connection.owner === null || one.subject === acting || one.connection.owner === acting),
    )
    endGrants(model, revoked)
    return model.grants.length < kept && after.length < (before?.value.length ?? 0)
  }),
)

const share = fc
  .tuple(
    tenant,
    fc.constantFrom(...subjects),
    integration,
    connectionName,
    fc.oneof(fc.record({ subject: fc.constantFrom(...subjects) }), fc.record({ agent: agentId })),
    scope,
    fc.option(fc.constantFrom("lent", "main", "Top"), { nil: undefined }),
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
      // Never a name that the recipient's own could have, or have had.
      expect(shown).toMatch(owner === "alice" ? /OfAlice\d*$/ : /OfBob\d*$/)
      if (typeof to === "string") expect(model.connection(to, slug, shown)).toBeUndefined()
      else if (to.parent !== null) expect(isWithin(wanted, model.ofAgent(to.parent, null, connection))).toBe(true)
      model.shares = model.shares.filter((one) => !(one.connection === connection && one.to === to))
      expect(
        model.shares.filter((one) => one.to === to && one.as === shown && one.connection.integration === slug),
      ).toEqual([])
      model.shares.push({ connection, to, as: shown, scope: wanted, capabilities: capabilitiesOf(wanted) })
      return true
    }),
  )

const unshare = fc
  .tuple(
    tenant,
    fc.constantFrom(...subjects),
    integration,
    connectionName,
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
      // By its owner, or by a user who does not want it.
      const [who, known] =
        typeof shared?.to === "string" && at % 2 === 0 ? ([shared.to, shared.as] as const) : ([owner, name] as const)
      await succeeded(as(who).connections.unshare({ owner: "user", integration: slug, name: known }, recipient))
      const to = "agent" in recipient ? model.agent(recipient.agent) : recipient.subject
      const connection = model.connection(owner, slug, name)
      const before = model.shares.length
      model.shares = model.shares.filter((one) => !(one.connection === connection && one.to === to))
      if (connection !== undefined && model.shares.length < before) model.endUnsupported(connection, to)
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
      // Often what the sub-agent was granted directly, since both have to stand side by side.
      const direct = model.grants.find((one) => one.agent === target && one.by === null)
      const beside = direct === undefined || at % 3 > 1 ? undefined : refTo(model, from, direct.connection)
      const connection = beside ?? refOf(model, from, drawn, at)
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
      putGrant(model, { agent: grantee, connection: meant, subject: counts, by: known, as: connection }, wanted)
      return true
    }),
  )

/** A connection under the name that a caller sees it by. */
const refTo = (model: AccessModel, caller: ModelCaller, connection: ModelConnection): ConnectionRef | undefined => {
  const shown = model.shown(caller).find((one) => one.connection === connection)
  return shown && { owner: shown.owner, integration: shown.integration, name: shown.name }
}

/** Whether a grant is one of what somebody names: what it means to them now, or what was granted by that name. */
const isCalled = (
  { as, connection }: AccessModel["grants"][number],
  { owner, integration: slug, name }: ConnectionRef,
  meant: ModelConnection | undefined,
): boolean => connection === meant || (as.owner === owner && as.integration === slug && as.name === name)

/** Ends grants, and what rests on each. */
const endGrants = (model: AccessModel, ended: AccessModel["grants"]): void => {
  model.grants = model.grants.filter((one) => !ended.includes(one))
  for (const { connection, agent } of ended) model.endUnsupported(connection, agent)
}

/** In place of what the same one gave, beside what others did. */
const putGrant = (
  model: AccessModel,
  given: Omit<AccessModel["grants"][number], "capabilities" | "scope">,
  wanted: ModelScope,
): void => {
  const { agent, connection, subject, by } = given
  model.grants = model.grants.filter(
    (one) => !(one.agent === agent && one.connection === connection && one.subject === subject && one.by === by),
  )
  model.grants.push({ ...given, scope: wanted, capabilities: capabilitiesOf(wanted) })
}

/** An agent takes back what it handed on, which leaves whatever others granted. */
const takeBack = fc.tuple(tenant, subject, ref, pick).map(([inTenant, drawnSubject, drawn, at]) =>
  command("takeBack", inTenant, [drawnSubject, drawn, at], async (model, as) => {
    const handed = model.grants.filter(({ by }) => by !== null)
    const granted = oneOf<(typeof model.grants)[number] | undefined>(handed, undefined, at)
    if (granted?.by == null) return false
    const acting = granted.subject ?? drawnSubject
    const caller: ModelCaller = { subject: acting, agent: granted.by }
    const connection = refTo(model, caller, granted.connection) ?? drawn
    const agent = await as(acting).asAgent(granted.by.id)
    const before = (await as(acting).agents.grants(granted.agent.id)).filter(({ delegatedBy }) => delegatedBy === null)
    await agent.subAgents.revoke(granted.agent.id, connection)
    const after = (await as(acting).agents.grants(granted.agent.id)).filter(({ delegatedBy }) => delegatedBy === null)
    expect(after).toEqual(before)
    const kept = model.grants.length
    const meant = model.meant(caller, connection.owner, connection.integration, connection.name)
    const revoked = model.grants.filter(
      (one) =>
        one.agent === granted.agent &&
        one.by === granted.by &&
        isCalled(one, connection, meant) &&
        (one.subject === null || one.subject === acting),
    )
    endGrants(model, revoked)
    return model.grants.length < kept
  }),
)

/** Every command about agents, grants and shares, as often as it has weight. */
export const accessCommands = [
  ...Array.from({ length: 6 }, () => entrust),
  ...Array.from({ length: 6 }, () => createAgent),
  removeAgent,
  setIntegrations,
  rotateKey,
  ...Array.from({ length: 8 }, () => grant),
  revoke,
  takeBack,
  takeBack,
  ...Array.from({ length: 5 }, () => share),
  unshare,
  ...Array.from({ length: 6 }, () => delegate),
]
