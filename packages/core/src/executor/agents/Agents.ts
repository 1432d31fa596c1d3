/**
 * The namespace `executor.agents`, but for grants: who there is, what tools they have, and their keys.
 */
import { randomUUID } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity } from "../../identity/Identity.ts"
import {
  AgentConflictError,
  AgentNotFoundError,
  GrantTooWideError,
  InvalidAgentError,
} from "../../policy/AccessError.ts"
import {
  type Agent,
  type AgentRecord,
  type AllowedIntegrations,
  checkAgentId,
  checkIntegrations,
  type CreateAgentInput,
  type CreatedAgent,
  deepestLineage,
  excessIntegration,
  type KeyedAgent,
  toAgent,
} from "../../policy/Agent.ts"
import { keysAfter, newAgentKey } from "../../policy/AgentKey.ts"
import { commitChange } from "../audit/commitChange.ts"
import { checkedPage } from "../checkedPage.ts"
import type { Resources } from "../Resources.ts"

/** Which agents to list. */
export interface ListAgentsInput {
  /** At most so many. Default: all. */
  readonly limit?: number | undefined
  /** The id of the last agent of the page before. */
  readonly after?: string | undefined
}

/** How an agent's key is replaced. */
export interface RotateKeyOptions {
  /** For how long the key before is still valid, in milliseconds. Default 0: it is not. */
  readonly graceMs?: number | undefined
}

/** What creating an agent can fail with. Nothing is stored then. */
export type CreateAgentError =
  InvalidAgentError | AgentNotFoundError | AgentConflictError | GrantTooWideError | StoreUnavailableError

/** What changing an agent can fail with. It is as it was then. */
export type ChangeAgentError = CreateAgentError

/** Makes an agent, with a key where one is asked for. */
export const createAgent = (
  resources: Resources,
  identity: Identity,
  input: CreateAgentInput,
): Effect.Effect<CreatedAgent, CreateAgentError> =>
  Effect.gen(function* () {
    const id = yield* input.id === undefined ? Effect.succeed(randomUUID()) : checkAgentId(input.id)
    const name = yield* checkText("name", input.name)
    const description = yield* checkText("description", input.description)
    const integrations = yield* checkIntegrations(input.integrations ?? [])
    const parent = input.parent === undefined ? undefined : yield* requireAgent(resources, identity, input.parent)
    if (parent !== undefined) yield* checkBelow(parent, integrations)
    const lineage = parent === undefined ? [] : [{ id: parent.id, incarnation: parent.incarnation }, ...parent.lineage]
    if (lineage.length > deepestLineage) {
      return yield* invalid("parent", `stands below ${deepestLineage} others already; create it higher up.`)
    }
    const made = input.key === true ? newAgentKey(id) : undefined
    const now = yield* Clock.currentTimeMillis
    const record: AgentRecord = {
      tenant: identity.tenant,
      id,
      incarnation: randomUUID(),
      name,
      description,
      lineage,
      integrations,
      keys: keysAfter([], made?.hash, now, 0),
      createdAt: now,
      version: 1,
    }
    const write = resources.store.access.putAgent(record, 0)
    if (!(yield* commitChange(resources, identity, write, { type: "agent.created", agentId: id }))) {
      return yield* Effect.fail(new AgentConflictError({ agent: id, reason: "exists" }))
    }
    return { ...toAgent(record, now), ...(made === undefined ? {} : { key: made.key }) }
  })

/** Lists agents ordered by id. */
export const listAgents = (
  resources: Resources,
  identity: Identity,
  input: ListAgentsInput,
): Effect.Effect<ReadonlyArray<Agent>, InvalidAgentError | StoreUnavailableError> =>
  Effect.gen(function* () {
    const page = yield* checkedPage(input, invalidInput)
    const records = yield* resources.store.access.listAgents({ tenant: identity.tenant, ...page })
    const now = yield* Clock.currentTimeMillis
    return records.map((record) => toAgent(record, now))
  })

/** Lists the agents directly below one, ordered by id. */
export const listSubAgents = (
  resources: Resources,
  { tenant }: Identity,
  { incarnation }: AgentRecord,
  input: ListAgentsInput,
): Effect.Effect<ReadonlyArray<Agent>, InvalidAgentError | StoreUnavailableError> =>
  Effect.gen(function* () {
    const { limit, after } = yield* checkedPage(input, invalidInput)
    const now = yield* Clock.currentTimeMillis
    const listed: Array<Agent> = []
    if (limit === 0) return listed
    yield* walkAgents(resources, tenant, after, (record) => {
      if (record.lineage[0]?.incarnation === incarnation) listed.push(toAgent(record, now))
      return Effect.succeed(listed.length < limit)
    })
    return listed
  })

/** An agent, or `null`. */
export const getAgent = (
  resources: Resources,
  identity: Identity,
  id: string,
): Effect.Effect<Agent | null, StoreUnavailableError> =>
  Effect.gen(function* () {
    const record = yield* resources.store.access.getAgent(identity.tenant, id)
    return record === undefined ? null : toAgent(record, yield* Clock.currentTimeMillis)
  })

/** Removes an agent with what it was granted, and every agent below it. */
export const removeAgent = (
  resources: Resources,
  identity: Identity,
  id: string,
): Effect.Effect<void, AgentNotFoundError | StoreUnavailableError> =>
  Effect.uninterruptible(
    Effect.gen(function* () {
      const remove = (agentId: string): Effect.Effect<boolean, StoreUnavailableError> => {
        const write = resources.store.access.removeAgent(identity.tenant, agentId)
        return commitChange(resources, identity, write, { type: "agent.removed", agentId })
      }
      const removed = yield* requireAgent(resources, identity, id)
      // First the agent itself: those below have no right from then on, even if nothing after this is done.
      if (!(yield* remove(id))) return yield* Effect.fail(new AgentNotFoundError({ agent: id }))
      yield* walkAgents(resources, identity.tenant, undefined, ({ id: below, lineage }) => {
        const isBelow = lineage.some(({ incarnation }) => incarnation === removed.incarnation)
        return Effect.as(isBelow ? remove(below) : Effect.void, true)
      })
    }),
  )

/** Sets which integrations' tools an agent has. */
export const setIntegrations = (
  resources: Resources,
  identity: Identity,
  id: string,
  integrations: AllowedIntegrations,
): Effect.Effect<Agent, ChangeAgentError> =>
  Effect.gen(function* () {
    const allowed = yield* checkIntegrations(integrations)
    const record = yield* changeAgent(resources, identity, id, "agent.updated", (before) =>
      Effect.gen(function* () {
        const [above] = before.lineage
        if (above !== undefined) yield* checkBelow(yield* requireAgent(resources, identity, above.id), allowed)
        return { integrations: allowed }
      }),
    )
    return toAgent(record, yield* Clock.currentTimeMillis)
  })

/** Gives an agent a new key; the one before ends now, or after a grace. */
export const rotateKey = (
  resources: Resources,
  identity: Identity,
  id: string,
  { graceMs = 0 }: RotateKeyOptions,
): Effect.Effect<KeyedAgent, ChangeAgentError> =>
  Effect.gen(function* () {
    if (!Number.isSafeInteger(graceMs) || graceMs < 0) {
      return yield* invalid("graceMs", "must be a whole number of milliseconds, 0 or more.")
    }
    const { key, hash } = newAgentKey(id)
    const now = yield* Clock.currentTimeMillis
    const record = yield* changeAgent(resources, identity, id, "agent.key_rotated", ({ keys }) =>
      Effect.succeed({ keys: keysAfter(keys, hash, now, graceMs) }),
    )
    return { ...toAgent(record, now), key }
  })

/** Ends every key of an agent at once. */
export const revokeKey = (
  resources: Resources,
  identity: Identity,
  id: string,
): Effect.Effect<Agent, ChangeAgentError> =>
  Effect.gen(function* () {
    const record = yield* changeAgent(resources, identity, id, "agent.key_revoked", () => Effect.succeed({ keys: [] }))
    return toAgent(record, yield* Clock.currentTimeMillis)
  })

/** The record of an agent that has to be there. */
export const requireAgent = (
  resources: Resources,
  { tenant }: Identity,
  id: string,
): Effect.Effect<AgentRecord, AgentNotFoundError | StoreUnavailableError> => {
  // Hosts hand this through from outside.
  const given: unknown = id
  if (typeof given !== "string") return Effect.fail(new AgentNotFoundError({ agent: typeof given }))
  return Effect.flatMap(
    resources.store.access.getAgent(tenant, id),
    (record): Effect.Effect<AgentRecord, AgentNotFoundError> =>
      record === undefined ? Effect.fail(new AgentNotFoundError({ agent: id })) : Effect.succeed(record),
  )
}

/** How many agents are read at a time by who looks through them all. */
const agentsPerPage = 1000

/** Visits the tenant's agents in order, until `visit` answers `false`. */
const walkAgents = (
  { store }: Resources,
  tenant: string,
  start: string | undefined,
  visit: (record: AgentRecord) => Effect.Effect<boolean, StoreUnavailableError>,
): Effect.Effect<void, StoreUnavailableError> =>
  Effect.gen(function* () {
    for (let after = start; ;) {
      const page: ReadonlyArray<AgentRecord> = yield* store.access.listAgents({ tenant, after, limit: agentsPerPage })
      for (const record of page) if (!(yield* visit(record))) return
      if (page.length < agentsPerPage) return
      after = page[page.length - 1]?.id
    }
  })

/** How often a change is begun anew that others overtook. */
const mostAttempts = 8

const changeAgent = <E>(
  resources: Resources,
  identity: Identity,
  id: string,
  type: "agent.updated" | "agent.key_rotated" | "agent.key_revoked",
  change: (record: AgentRecord) => Effect.Effect<Partial<AgentRecord>, E>,
): Effect.Effect<AgentRecord, E | AgentNotFoundError | AgentConflictError | StoreUnavailableError> =>
  Effect.gen(function* () {
    for (let attempt = 0; attempt < mostAttempts; attempt += 1) {
      const record = yield* requireAgent(resources, identity, id)
      const next = { ...record, ...(yield* change(record)), version: record.version + 1 }
      const write = resources.store.access.putAgent(next, record.version)
      if (yield* commitChange(resources, identity, write, { type, agentId: id })) return next
    }
    return yield* Effect.fail(new AgentConflictError({ agent: id, reason: "changed" }))
  })

/** A sub-agent has no integration that its parent does not have. */
const checkBelow = (parent: AgentRecord, integrations: AllowedIntegrations): Effect.Effect<void, GrantTooWideError> => {
  const excess = excessIntegration(parent.integrations, integrations)
  return excess === undefined
    ? Effect.void
    : Effect.fail(new GrantTooWideError({ holder: `agent ${parent.id}`, excess: `integration ${excess}` }))
}

const checkText = (field: string, text: string | undefined): Effect.Effect<string | null, InvalidAgentError> =>
  text === undefined || (typeof text === "string" && text.length <= 4096)
    ? Effect.succeed(text ?? null)
    : invalid(field, "must be text of at most 4096 characters.")

const invalidInput = (field: string, fault: string): InvalidAgentError => new InvalidAgentError({ field, fault })

const invalid = (field: string, fault: string): Effect.Effect<never, InvalidAgentError> =>
  Effect.fail(invalidInput(field, fault))
