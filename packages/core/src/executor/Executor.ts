/**
 * The executor on the Effect surface: every verb, bound to the identity that it acts for.
 *
 * The Promise surface (PromiseExecutor.ts) wraps this one method by method; there is no second implementation.
 */
import * as Effect from "effect/Effect"
import type { Identity, IdentityInput, InvalidIdentityError } from "../identity/Identity.ts"
import type { InvalidSealedIdentityError, InvalidSealOptionsError, OpenedIdentity } from "../identity/SealedIdentity.ts"
import type { ToolResult } from "../tool/ToolResult.ts"
import {
  type AgentAdmissionError,
  asAgent,
  type AsAgentError,
  asVerifiedAgent,
  type EffectAgentExecutor,
} from "./agents/AgentExecutor.ts"
import { agentsOf, type EffectAgents } from "./agents/EffectAgents.ts"
import { auditOf, type EffectAudit } from "./audit/Audit.ts"
import { type CallOptions, callTool, executeTool } from "./call/callTool.ts"
import type { ExecuteOptions } from "./call/ToolCall.ts"
import type { ExecuteError } from "./call/ToolInvoker.ts"
import { connectionsOf, type EffectConnections } from "./connections/EffectConnections.ts"
import { makeExtension } from "./Extensions.ts"
import { type EffectIntegrations, integrationsOf } from "./integrations/EffectIntegrations.ts"
import { type EffectOAuth, oauthOf } from "./oauth/EffectOAuth.ts"
import { tokenKeeper } from "./oauth/TokenKeeper.ts"
import { approvalsOf, type EffectApprovals } from "./policies/EffectApprovals.ts"
import { type EffectPolicies, policiesOf } from "./policies/EffectPolicies.ts"
import { type EffectProviders, providersOf } from "./providers/EffectProviders.ts"
import type { Resources } from "./Resources.ts"
import { callerIdentity, sealedCaller } from "./select/callerIdentity.ts"
import { type EffectTools, toolsOf } from "./tools/EffectTools.ts"

/** The executor as Effect programs use it. */
export interface EffectExecutor {
  readonly identity: Identity
  readonly connections: EffectConnections
  readonly integrations: EffectIntegrations
  readonly tools: EffectTools
  readonly providers: EffectProviders
  readonly oauth: EffectOAuth
  readonly policies: EffectPolicies
  readonly approvals: EffectApprovals
  readonly agents: EffectAgents
  readonly audit: EffectAudit
  execute(
    address: string,
    args?: unknown,
    options?: Omit<ExecuteOptions, "signal">,
  ): Effect.Effect<ToolResult, ExecuteError>
  /** Calls a tool as the connection that the integration's identity mode, `identity` and `account` select. */
  call(
    integration: string,
    tool: string,
    args?: unknown,
    options?: Omit<CallOptions, "signal">,
  ): Effect.Effect<ToolResult, ExecuteError>
  /** The same resources seen by another caller; see `makeIdentity` for what absent parts mean. */
  withIdentity(
    identity: IdentityInput | OpenedIdentity,
  ): Effect.Effect<EffectExecutor, InvalidIdentityError | InvalidSealedIdentityError>
  /** The same resources seen by the caller that a token names; opened as `sealedIdentity` of the config says. An agent gets its own kind. */
  withSealedIdentity(
    token: string,
  ): Effect.Effect<
    EffectExecutor | EffectAgentExecutor,
    InvalidSealedIdentityError | InvalidSealOptionsError | AgentAdmissionError
  >
  /**
   * What an agent of this tenant is given, by its id or by the key that it shows; it acts for this executor's subject. Where only sealed
   * identities are believed, by its key.
   */
  asAgent(idOrKey: string): Effect.Effect<EffectAgentExecutor, AsAgentError>
  /** A plugin's extension by the plugin's id; `undefined` when it has none. */
  extension(pluginId: string): object | undefined
  close(): Effect.Effect<void>
}

/** Binds the verbs to an identity. Cheap: no state of its own but the extensions that are asked for. */
export const makeExecutor = (resources: Resources, identity: Identity): EffectExecutor => {
  const extensions = new Map<string, object | undefined>()
  return {
    identity,
    connections: connectionsOf(resources, identity),
    agents: agentsOf(resources, identity),
    integrations: integrationsOf(resources, identity),
    tools: toolsOf(resources, identity),
    policies: policiesOf(resources, identity),
    approvals: approvalsOf(resources, identity),
    providers: providersOf(resources, identity),
    oauth: oauthOf(resources, identity),
    audit: auditOf(resources, identity),
    execute: (address, args, options) => executeTool(resources, identity, address, args, options),
    call: (integration, tool, args, options) => callTool(resources, identity, integration, tool, args, options),
    withIdentity: (input) =>
      Effect.map(callerIdentity(resources, identity, input), (other) => makeExecutor(resources, other)),
    withSealedIdentity: (token) =>
      Effect.flatMap(
        sealedCaller(resources, token),
        (other): Effect.Effect<EffectExecutor | EffectAgentExecutor, AgentAdmissionError> =>
          other.agent === undefined
            ? Effect.succeed(makeExecutor(resources, other))
            : asVerifiedAgent(resources, other, other.agent),
      ),
    asAgent: (idOrKey) => asAgent(resources, identity, idOrKey),
    extension: (id) => {
      const plugin = resources.plugins.get(id)
      if (plugin === undefined) return undefined
      if (!extensions.has(id)) extensions.set(id, makeExtension(resources, identity, plugin))
      return extensions.get(id)
    },
    // Tokens that a refresh under way brings have to be written while there is somewhere to write them.
    close: () => Effect.andThen(tokenKeeper(resources).drain(), resources.close),
  }
}
