/**
 * The executor that an agent is given: it shows and does only what the agent was granted, as things stand with each call.
 *
 * An agent that is removed, whose key was replaced, or that stands below one that is gone, is told so with its very next call.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Connection } from "../../connection/Connection.ts"
import type { InvalidConnectionInputError } from "../../connection/ConnectionError.ts"
import type { ConnectionRef } from "../../connection/ConnectionRef.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity } from "../../identity/Identity.ts"
import type { Fetch } from "../../integration/Plugin.ts"
import {
  AgentKeyRequiredError,
  AgentNotFoundError,
  type InvalidAgentError,
  InvalidAgentKeyError,
  type InvalidGrantError,
} from "../../policy/AccessError.ts"
import {
  type Agent,
  agentKeyPrefix,
  type AgentRecord,
  type CreateAgentInput,
  type CreatedAgent,
} from "../../policy/Agent.ts"
import { agentOfKey, hashAgentKey, isAgentKey, isKeyOf } from "../../policy/AgentKey.ts"
import type { Grant, GrantInput } from "../../policy/Grant.ts"
import type { Tool, ToolSchema } from "../../tool/Tool.ts"
import type { ToolResult } from "../../tool/ToolResult.ts"
import { andThen } from "../andThen.ts"
import { audited } from "../audit/AuditLog.ts"
import { connectionFetch } from "../authorize/connectionFetch.ts"
import { type CallOptions, callTool, executeTool } from "../call/callTool.ts"
import type { ExecuteOptions } from "../call/ToolCall.ts"
import type { ExecuteError } from "../call/ToolInvoker.ts"
import { getConnection, listConnections, type ListConnectionsInput } from "../connections/Connections.ts"
import type { Resources } from "../Resources.ts"
import { type FoundTool, searchTools, type SearchToolsInput } from "../tools/searchTools.ts"
import { listTools, type ListToolsInput, toolSchema, type ToolSchemaError } from "../tools/Tools.ts"
import { actingAgent } from "./access.ts"
import { createAgent, type CreateAgentError, type ListAgentsInput, listSubAgents, removeAgent } from "./Agents.ts"
import { delegate, type GrantError, listGrants, type ListGrantsInput, requireSubAgent, revoke } from "./Grants.ts"

/** Why somebody is not, or no longer, taken for an agent. */
export type AgentAdmissionError = AgentNotFoundError | InvalidAgentKeyError | StoreUnavailableError

/** What asking for an agent's executor can fail with. */
export type AsAgentError = AgentAdmissionError | AgentKeyRequiredError

/** `tools` of an agent's executor on the Effect surface. */
export interface EffectAgentTools {
  list(input?: ListToolsInput): Effect.Effect<ReadonlyArray<Tool>, AgentAdmissionError | InvalidConnectionInputError>
  search(
    input: SearchToolsInput,
  ): Effect.Effect<ReadonlyArray<FoundTool>, AgentAdmissionError | InvalidConnectionInputError>
  schema(address: string): Effect.Effect<ToolSchema | null, AgentAdmissionError | ToolSchemaError>
}

/** `connections` of an agent's executor on the Effect surface. */
export interface EffectAgentConnections {
  list(
    input?: ListConnectionsInput,
  ): Effect.Effect<ReadonlyArray<Connection>, AgentAdmissionError | InvalidConnectionInputError>
  get(ref: ConnectionRef): Effect.Effect<Connection | null, AgentAdmissionError | InvalidConnectionInputError>
  fetch(ref: ConnectionRef): Fetch
}

/** `subAgents` of an agent's executor on the Effect surface. */
export interface EffectSubAgents {
  create(input?: Omit<CreateAgentInput, "parent">): Effect.Effect<CreatedAgent, AgentAdmissionError | CreateAgentError>
  list(input?: ListAgentsInput): Effect.Effect<ReadonlyArray<Agent>, AgentAdmissionError | InvalidAgentError>
  remove(id: string): Effect.Effect<void, AgentAdmissionError>
  grant(id: string, input: GrantInput): Effect.Effect<Grant, AgentAdmissionError | GrantError>
  revoke(id: string, connection: ConnectionRef): Effect.Effect<void, AgentAdmissionError | InvalidGrantError>
  grants(
    id: string,
    input?: ListGrantsInput,
  ): Effect.Effect<ReadonlyArray<Grant>, AgentAdmissionError | InvalidGrantError>
}

/** An agent's executor as Effect programs use it; the Promise surface documents each method. */
export interface EffectAgentExecutor {
  readonly identity: Identity
  readonly tools: EffectAgentTools
  readonly connections: EffectAgentConnections
  readonly subAgents: EffectSubAgents
  execute(
    address: string,
    args?: unknown,
    options?: Omit<ExecuteOptions, "signal">,
  ): Effect.Effect<ToolResult, AgentAdmissionError | ExecuteError>
  call(
    integration: string,
    tool: string,
    args?: unknown,
    options?: Omit<CallOptions, "signal">,
  ): Effect.Effect<ToolResult, AgentAdmissionError | ExecuteError>
}

/** The executor of an agent by its id, or by a key that it shows; an id is nothing to believe where the host demands proof. */
export const asAgent = (
  resources: Resources,
  identity: Identity,
  idOrKey: string,
): Effect.Effect<EffectAgentExecutor, AsAgentError> =>
  Effect.suspend((): Effect.Effect<EffectAgentExecutor, AsAgentError> => {
    // Hosts hand this through from outside.
    const given: unknown = idOrKey
    const refuse = <E extends AsAgentError>(error: E, agentId?: string): Effect.Effect<never, E> =>
      Effect.suspend(() => {
        tellRefused(resources, identity, error, agentId)
        return Effect.fail(error)
      })
    if (typeof given !== "string") return refuse(new AgentNotFoundError({ agent: typeof given }))
    if (isAgentKey(idOrKey)) {
      const id = agentOfKey(idOrKey)
      return id === undefined
        ? refuse(new InvalidAgentKeyError())
        : asVerifiedAgent(resources, identity, id, hashAgentKey(idOrKey))
    }
    return resources.sealedIdentity?.isRequired === true
      ? refuse(new AgentKeyRequiredError({ agent: idOrKey }), idOrKey)
      : asVerifiedAgent(resources, identity, idOrKey)
  })

/** The executor of an agent whose id the host vouches for, as of one in a token of its edge, or who shows a key of this hash. */
export const asVerifiedAgent = (
  resources: Resources,
  { tenant, subject }: Identity,
  agent: string,
  keyHash?: string,
): Effect.Effect<EffectAgentExecutor, AgentAdmissionError> => {
  const admission = new Admission(resources, { tenant, subject, agent }, keyHash)
  return Effect.map(admission.admit(), () => makeAgentExecutor(resources, admission))
}

/** Who acts, and by which key; asked anew with each call. */
class Admission {
  readonly identity: Identity & { readonly agent: string }
  readonly #resources: Resources
  readonly #keyHash: string | undefined
  /** Of the agent that was admitted first; another of its id is not the same. */
  #incarnation: string | undefined

  constructor(resources: Resources, identity: Identity & { readonly agent: string }, keyHash: string | undefined) {
    this.identity = identity
    this.#resources = resources
    this.#keyHash = keyHash
  }

  /** Tells the host of whom is refused. */
  admit(): Effect.Effect<AgentRecord, AgentAdmissionError> {
    const found = this.#found()
    if (!this.#resources.hasListener || (Exit.isExit(found) && Exit.isSuccess(found))) return found
    return Effect.tapError(found, (error) =>
      Effect.sync(() => tellRefused(this.#resources, this.identity, error, this.identity.agent)),
    )
  }

  #found(): Effect.Effect<AgentRecord, AgentAdmissionError> {
    return andThen(
      actingAgent(this.#resources, this.identity),
      (found): Effect.Effect<AgentRecord, AgentAdmissionError> => {
        const isSame = this.#incarnation === undefined || found?.incarnation === this.#incarnation
        const agent = isSame ? found : undefined
        const hash = this.#keyHash
        if (hash === undefined) {
          if (agent === undefined) return Effect.fail(new AgentNotFoundError({ agent: this.identity.agent }))
          this.#incarnation = agent.incarnation
          return Effect.succeed(agent)
        }
        // Whether it is the agent or the key that is unknown is nothing to tell somebody who guesses.
        if (agent === undefined) return Effect.fail(new InvalidAgentKeyError())
        return Effect.flatMap(Clock.currentTimeMillis, (now) =>
          isKeyOf(agent, hash, now) ? Effect.succeed(agent) : Effect.fail(new InvalidAgentKeyError()),
        )
      },
    )
  }
}

/** Whoever was refused did not act as the agent. */
const tellRefused = (
  resources: Resources,
  { tenant, subject }: Identity,
  error: AsAgentError,
  agentId: string | undefined,
): void => {
  if (!resources.hasListener || error._tag === "StoreUnavailableError") return
  const about = agentId === undefined || mayHoldKey(agentId) ? {} : { agentId }
  resources.emit({ tenant, subject }, { type: "agent.refused", ...about, code: error._tag })
}

/** A key that was passed on badly, such as with a word in front, is taken for an id; no event may hold it. */
const mayHoldKey = (text: string): boolean => text.includes(agentKeyPrefix) || /[\w-]{43}/u.test(text)

const makeAgentExecutor = (resources: Resources, admission: Admission): EffectAgentExecutor => {
  const { identity } = admission
  const admitted = <A, E>(
    next: (agent: AgentRecord) => Effect.Effect<A, E>,
  ): Effect.Effect<A, E | AgentAdmissionError> => Effect.suspend(() => andThen(admission.admit(), next))
  /** The same of a change, which is in the audit trail when it is answered. */
  const changed = <A, E>(
    next: (agent: AgentRecord) => Effect.Effect<A, E>,
  ): Effect.Effect<A, E | AgentAdmissionError> => audited(resources, admitted(next))
  return {
    identity,
    tools: {
      list: (input = {}) => admitted(() => listTools(resources, identity, input)),
      search: (input) => admitted(() => searchTools(resources, identity, input)),
      schema: (address) => admitted(() => toolSchema(resources, identity, address)),
    },
    connections: {
      list: (input = {}) => admitted(() => listConnections(resources, identity, input)),
      get: (ref) => admitted(() => getConnection(resources, identity, ref)),
      fetch: (ref) =>
        connectionFetch(
          resources,
          identity,
          ref,
          admitted(() => Effect.void),
        ),
    },
    subAgents: {
      create: (input) => changed(({ id }) => createAgent(resources, identity, { ...input, parent: id })),
      list: (input = {}) => admitted((agent) => listSubAgents(resources, identity, agent, input)),
      remove: (id) =>
        changed((agent) =>
          Effect.andThen(requireSubAgent(resources, identity, agent, id), removeAgent(resources, identity, id)),
        ),
      grant: (id, input) => changed((agent) => delegate(resources, identity, agent, id, input)),
      revoke: (id, connection) =>
        changed((agent) =>
          Effect.andThen(requireSubAgent(resources, identity, agent, id), revoke(resources, identity, id, connection)),
        ),
      grants: (id, input = {}) =>
        admitted((agent) =>
          Effect.andThen(requireSubAgent(resources, identity, agent, id), listGrants(resources, identity, id, input)),
        ),
    },
    execute: (address, args, options) => admitted(() => executeTool(resources, identity, address, args, options)),
    call: (integration, tool, args, options) =>
      admitted(() => callTool(resources, identity, integration, tool, args, options)),
  }
}
