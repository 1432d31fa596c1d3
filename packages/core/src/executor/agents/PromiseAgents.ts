/**
 * Agents on the Promise surface: `executor.agents`, and the executor that an agent is given.
 *
 * Written out line by line over the Effect surface, as PromiseExecutor.ts is.
 */
import type { Connection } from "../../connection/Connection.ts"
import type { ConnectionRef } from "../../connection/ConnectionRef.ts"
import type { Identity } from "../../identity/Identity.ts"
import type { Fetch } from "../../integration/Plugin.ts"
import type { Agent, AllowedIntegrations, CreateAgentInput, CreatedAgent, KeyedAgent } from "../../policy/Agent.ts"
import type { Grant, GrantInput } from "../../policy/Grant.ts"
import type { Tool, ToolSchema } from "../../tool/Tool.ts"
import type { ToolResult } from "../../tool/ToolResult.ts"
import type { EffectAgentConnections, EffectAgentExecutor, EffectAgentTools, EffectSubAgents } from "./AgentExecutor.ts"
import type { ListAgentsInput, RotateKeyOptions } from "./Agents.ts"
import type { CallOptions } from "../call/callTool.ts"
import type { ListConnectionsInput } from "../connections/Connections.ts"
import type { ListGrantsInput } from "./Grants.ts"
import type { EffectAgents } from "./EffectAgents.ts"
import { runPromise } from "../runPromise.ts"
import type { FoundTool, SearchToolsInput } from "../tools/searchTools.ts"
import type { ExecuteOptions } from "../call/ToolCall.ts"
import type { ListToolsInput } from "../tools/Tools.ts"

/** The tenant's agents, and what they were granted. */
export class Agents {
  readonly #effect: EffectAgents

  constructor(effect: EffectAgents) {
    this.#effect = effect
  }

  /**
   * Makes an agent, without any right unless `integrations` says so. With `key: true` the answer holds its key, this once: it is kept
   * only as a hash.
   *
   * Rejects with `InvalidAgentError`, `AgentConflictError` for an id that is taken, `AgentNotFoundError` for a parent that is not there,
   * and `GrantTooWideError` for integrations that the parent does not have.
   */
  create(input?: CreateAgentInput): Promise<CreatedAgent> {
    return runPromise(this.#effect.create(input))
  }

  /** Ordered by id; all unless `limit` says otherwise. Rejects with `InvalidAgentError` for what is no page. */
  list(input?: ListAgentsInput): Promise<ReadonlyArray<Agent>> {
    return runPromise(this.#effect.list(input))
  }

  /** One agent, or `null`. */
  get(id: string): Promise<Agent | null> {
    return runPromise(this.#effect.get(id))
  }

  /**
   * Removes an agent with its grants, what is shared with it, and every agent below it. Executors that were made for them can do nothing
   * from their next call on, wherever they are.
   *
   * Rejects with `AgentNotFoundError`.
   */
  remove(id: string): Promise<void> {
    return runPromise(this.#effect.remove(id))
  }

  /** Sets which integrations' tools an agent has, in place of those before. Rejects as {@link create} does. */
  setIntegrations(id: string, integrations: AllowedIntegrations): Promise<Agent> {
    return runPromise(this.#effect.setIntegrations(id, integrations))
  }

  /** Gives an agent a new key, which is in the answer this once. The key before ends now, or after `graceMs`. */
  rotateKey(id: string, options?: RotateKeyOptions): Promise<KeyedAgent> {
    return runPromise(this.#effect.rotateKey(id, options))
  }

  /** Ends every key of an agent, also those within a grace. The agent stays, and so do executors that were made by its id. */
  revokeKey(id: string): Promise<Agent> {
    return runPromise(this.#effect.revokeKey(id))
  }

  /**
   * Lets an agent use a connection, in place of what the caller granted it of that connection before.
   *
   * A user's connection is granted by that user and counts only while the agent acts for them; the organisation's by an executor without
   * a subject, and counts whomever the agent acts for. What is shared with a user they may grant within the share. Rejects with
   * `AgentNotFoundError`, `ConnectionNotFoundError`, `InvalidGrantError`, and with `GrantTooWideError` where the caller, or the agent's
   * parent, has less.
   */
  grant(id: string, input: GrantInput): Promise<Grant> {
    return runPromise(this.#effect.grant(id, input))
  }

  /**
   * Takes a grant back, from the agent's next call on: one of the organisation's connections by an executor without a subject. What is
   * not granted is revoked already. Rejects with `AgentNotFoundError` and `InvalidGrantError`.
   */
  revoke(id: string, connection: ConnectionRef): Promise<void> {
    return runPromise(this.#effect.revoke(id, connection))
  }

  /**
   * What the agent was granted of the organisation's connections and of the acting user's, ordered by connection, then by the user for whom
   * it counts; all unless `limit` says otherwise. Rejects with `AgentNotFoundError`, and with `InvalidGrantError` for what is no page.
   */
  grants(id: string, input?: ListGrantsInput): Promise<ReadonlyArray<Grant>> {
    return runPromise(this.#effect.grants(id, input))
  }
}

/** The tools that an agent may call. */
export class AgentTools {
  readonly #effect: EffectAgentTools

  constructor(effect: EffectAgentTools) {
    this.#effect = effect
  }

  /** As `executor.tools.list`, without what the agent may not call. */
  list(input?: ListToolsInput): Promise<ReadonlyArray<Tool>> {
    return runPromise(this.#effect.list(input))
  }

  /** As `executor.tools.search`, without what the agent may not call. */
  search(input: SearchToolsInput): Promise<ReadonlyArray<FoundTool>> {
    return runPromise(this.#effect.search(input))
  }

  /** What a tool takes and gives, or `null` when the agent may call no such tool. */
  schema(address: string): Promise<ToolSchema | null> {
    return runPromise(this.#effect.schema(address))
  }
}

/** The connections that an agent may use. */
export class AgentConnections {
  readonly #effect: EffectAgentConnections

  constructor(effect: EffectAgentConnections) {
    this.#effect = effect
  }

  /** Those that were granted to the agent, each with the `access` that it has; ordered as `executor.connections.list`. */
  list(input?: ListConnectionsInput): Promise<ReadonlyArray<Connection>> {
    return runPromise(this.#effect.list(input))
  }

  /** One of them, or `null`. */
  get(ref: ConnectionRef): Promise<Connection | null> {
    return runPromise(this.#effect.get(ref))
  }

  /**
   * As `executor.connections.fetch`. Methods that only read need `read` access, all others `write`; what was granted for certain tools
   * only does not cover it. Rejects with `AccessDeniedError` before anything is sent.
   */
  fetch(ref: ConnectionRef): Fetch {
    return this.#effect.fetch(ref)
  }
}

/** The agents below an agent, to which it hands on what it has itself, or less. */
export class SubAgents {
  readonly #effect: EffectSubAgents

  constructor(effect: EffectSubAgents) {
    this.#effect = effect
  }

  /** Makes a sub-agent, as `executor.agents.create`; its integrations are among the agent's own. */
  create(input?: Omit<CreateAgentInput, "parent">): Promise<CreatedAgent> {
    return runPromise(this.#effect.create(input))
  }

  /** Those directly below the agent, ordered by id; all unless `limit` says otherwise. Rejects with `InvalidAgentError` for what is no page. */
  list(input?: ListAgentsInput): Promise<ReadonlyArray<Agent>> {
    return runPromise(this.#effect.list(input))
  }

  /** Removes one of them, with every agent below it. Rejects with `AgentNotFoundError`. */
  remove(id: string): Promise<void> {
    return runPromise(this.#effect.remove(id))
  }

  /**
   * Hands a connection on. It ends for the sub-agent when it ends for the agent.
   *
   * Rejects with `AgentNotFoundError`, `ConnectionNotFoundError`, `InvalidGrantError`, and with `GrantTooWideError` for more than the
   * agent has.
   */
  grant(id: string, input: GrantInput): Promise<Grant> {
    return runPromise(this.#effect.grant(id, input))
  }

  /** Takes back what the agent handed on. */
  revoke(id: string, connection: ConnectionRef): Promise<void> {
    return runPromise(this.#effect.revoke(id, connection))
  }

  /** What the agent handed on to one of them; ordered and in pages as `executor.agents.grants`. */
  grants(id: string, input?: ListGrantsInput): Promise<ReadonlyArray<Grant>> {
    return runPromise(this.#effect.grants(id, input))
  }
}

/** An executor that shows and does only what an agent was granted. Made by `executor.asAgent`. */
export class AgentExecutor {
  /** Whom the agent acts for, and its id. */
  readonly identity: Identity
  readonly tools: AgentTools
  readonly connections: AgentConnections
  readonly subAgents: SubAgents
  readonly #effect: EffectAgentExecutor

  constructor(effect: EffectAgentExecutor) {
    this.identity = effect.identity
    this.tools = new AgentTools(effect.tools)
    this.connections = new AgentConnections(effect.connections)
    this.subAgents = new SubAgents(effect.subAgents)
    this.#effect = effect
  }

  /**
   * Calls a tool by its address, as `executor.execute`.
   *
   * What was not granted is not there: `ConnectionNotFoundError`, `ToolNotFoundError`. Rejects with `AccessDeniedError` for a tool that
   * writes where only reading was granted, or the other way round; and from every method with `AgentNotFoundError` or
   * `InvalidAgentKeyError` once the agent or its key is gone.
   */
  execute(address: string, args?: unknown, options?: ExecuteOptions): Promise<ToolResult> {
    return runPromise(this.#effect.execute(address, args, options), options?.signal)
  }

  /** Calls a tool of an integration, as `executor.call`, with a connection that the agent was granted. */
  call(integration: string, tool: string, args?: unknown, options?: CallOptions): Promise<ToolResult> {
    return runPromise(this.#effect.call(integration, tool, args, options), options?.signal)
  }
}
