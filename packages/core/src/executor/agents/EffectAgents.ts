/** `executor.agents` on the Effect surface: the verbs of this folder, bound to the identity that they act for. */
import type * as Effect from "effect/Effect"
import type { ConnectionRef } from "../../connection/ConnectionRef.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity } from "../../identity/Identity.ts"
import type { AgentNotFoundError, InvalidAgentError, InvalidGrantError } from "../../policy/AccessError.ts"
import type { Agent, AllowedIntegrations, CreateAgentInput, CreatedAgent, KeyedAgent } from "../../policy/Agent.ts"
import type { Grant, GrantInput } from "../../policy/Grant.ts"
import { audited } from "../audit/AuditLog.ts"
import type { Resources } from "../Resources.ts"
import {
  type ChangeAgentError,
  createAgent,
  type CreateAgentError,
  getAgent,
  listAgents,
  type ListAgentsInput,
  removeAgent,
  revokeKey,
  rotateKey,
  type RotateKeyOptions,
  setIntegrations,
} from "./Agents.ts"
import { grant, type GrantError, listGrants, type ListGrantsInput, revoke, type RevokeGrantOptions } from "./Grants.ts"

/** `executor.agents` on the Effect surface; the Promise surface documents each method. */
export interface EffectAgents {
  create(input?: CreateAgentInput): Effect.Effect<CreatedAgent, CreateAgentError>
  list(input?: ListAgentsInput): Effect.Effect<ReadonlyArray<Agent>, InvalidAgentError | StoreUnavailableError>
  get(id: string): Effect.Effect<Agent | null, StoreUnavailableError>
  remove(id: string): Effect.Effect<void, AgentNotFoundError | StoreUnavailableError>
  setIntegrations(id: string, integrations: AllowedIntegrations): Effect.Effect<Agent, ChangeAgentError>
  rotateKey(id: string, options?: RotateKeyOptions): Effect.Effect<KeyedAgent, ChangeAgentError>
  revokeKey(id: string): Effect.Effect<Agent, ChangeAgentError>
  grant(id: string, input: GrantInput): Effect.Effect<Grant, GrantError>
  revoke(
    id: string,
    connection: ConnectionRef,
    options?: RevokeGrantOptions,
  ): Effect.Effect<void, AgentNotFoundError | InvalidGrantError | StoreUnavailableError>
  grants(
    id: string,
    input?: ListGrantsInput,
  ): Effect.Effect<ReadonlyArray<Grant>, AgentNotFoundError | InvalidGrantError | StoreUnavailableError>
}

/** Binds `executor.agents` to an identity. */
export const agentsOf = (resources: Resources, identity: Identity): EffectAgents => ({
  create: (input) => audited(resources, createAgent(resources, identity, input ?? {})),
  list: (input = {}) => listAgents(resources, identity, input),
  get: (id) => getAgent(resources, identity, id),
  remove: (id) => audited(resources, removeAgent(resources, identity, id)),
  setIntegrations: (id, integrations) => audited(resources, setIntegrations(resources, identity, id, integrations)),
  rotateKey: (id, options = {}) => audited(resources, rotateKey(resources, identity, id, options)),
  revokeKey: (id) => audited(resources, revokeKey(resources, identity, id)),
  grant: (id, input) => audited(resources, grant(resources, identity, id, input)),
  revoke: (id, connection, options) => audited(resources, revoke(resources, identity, id, connection, options)),
  grants: (id, input = {}) => listGrants(resources, identity, id, input),
})
