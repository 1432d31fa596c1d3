/** The executor that an agent is given, on the Promise surface; the Effect surface (AgentExecutor.ts) does the work. */
import type { Connection } from "../../connection/Connection.ts"
import type { ConnectionRef } from "../../connection/ConnectionRef.ts"
import type { Identity } from "../../identity/Identity.ts"
import type { Fetch } from "../../integration/Plugin.ts"
import type { Agent, CreateAgentInput, CreatedAgent } from "../../policy/Agent.ts"
import type { Grant, GrantInput } from "../../policy/Grant.ts"
import type { Tool, ToolSchema } from "../../tool/Tool.ts"
import type { ToolResult } from "../../tool/ToolResult.ts"
import type { CallOptions } from "../call/callTool.ts"
import type { ExecuteOptions } from "../call/ToolCall.ts"
import type { ListConnectionsInput } from "../connections/Connections.ts"
import { runPromise } from "../runPromise.ts"
import type { FoundTool, SearchToolsInput } from "../tools/searchTools.ts"
import type { ListToolsInput } from "../tools/Tools.ts"
import type { EffectAgentConnections, EffectAgentExecutor, EffectAgentTools, EffectSubAgents } from "./AgentExecutor.ts"
import type { ListAgentsInput } from "./Agents.ts"
import type { ListGrantsInput } from "./Grants.ts"

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
   * only does not cover it. Unless a rule approves the tool `fetch`, `onElicitation` of the executor is asked about every request that
   * writes. Rejects with `AccessDeniedError`, `ElicitationDeclinedError` or `ToolBlockedError` before anything is sent.
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
   * Hands a connection on, beside whatever its owner granted the sub-agent. It ends for the sub-agent when it ends for the agent,
   * for good.
   *
   * Rejects with `AgentNotFoundError`, `ConnectionNotFoundError`, `InvalidGrantError`, and with `GrantTooWideError` for more than the
   * agent has.
   */
  grant(id: string, input: GrantInput): Promise<Grant> {
    return runPromise(this.#effect.grant(id, input))
  }

  /** Takes back what the agent handed on, and nothing that somebody else granted. */
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
