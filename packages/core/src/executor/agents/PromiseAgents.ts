/** `executor.agents` on the Promise surface; the Effect surface does the work. */
import type { ConnectionRef } from "../../connection/ConnectionRef.ts"
import type { Agent, AllowedIntegrations, CreateAgentInput, CreatedAgent, KeyedAgent } from "../../policy/Agent.ts"
import type { Grant, GrantInput } from "../../policy/Grant.ts"
import { runPromise } from "../runPromise.ts"
import type { ListAgentsInput, RotateKeyOptions } from "./Agents.ts"
import type { EffectAgents } from "./EffectAgents.ts"
import type { ListGrantsInput, RevokeGrantOptions } from "./Grants.ts"

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
   * Lets an agent use a connection, in place of what the caller granted it of that connection before. What an agent above it hands on
   * stands beside that.
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
   * Takes back what the agent was granted of a connection, from its next call on: of the organisation's connections by an executor without
   * a subject. That includes what the agent above it handed on, unless `delegatedBy` names the one or the other. What is not granted is
   * revoked already. What the agent handed on from it ends too, for good. Rejects with `AgentNotFoundError` and `InvalidGrantError`.
   */
  revoke(id: string, connection: ConnectionRef, options?: RevokeGrantOptions): Promise<void> {
    return runPromise(this.#effect.revoke(id, connection, options))
  }

  /**
   * What is in force of what the agent was granted of the organisation's connections and of the acting user's, ordered by connection, then
   * by the user for whom it counts, then by who handed it on; all unless `limit` says otherwise. Rejects with `AgentNotFoundError`, and
   * with `InvalidGrantError` for what is no page.
   */
  grants(id: string, input?: ListGrantsInput): Promise<ReadonlyArray<Grant>> {
    return runPromise(this.#effect.grants(id, input))
  }
}
