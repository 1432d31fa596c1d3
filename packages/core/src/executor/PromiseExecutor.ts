/**
 * The executor on the Promise surface: what hosts hold.
 *
 * Written out line by line over the Effect surface, so that hovering shows the docs and errors arrive as the instances they are.
 */
import * as Effect from "effect/Effect"
import type { Identity, IdentityInput } from "../identity/Identity.ts"
import type { OpenedIdentity } from "../identity/SealedIdentity.ts"
import type { Plugin } from "../integration/Plugin.ts"
import type { ToolResult } from "../tool/ToolResult.ts"
import { AgentExecutor } from "./agents/PromiseAgentExecutor.ts"
import { Agents } from "./agents/PromiseAgents.ts"
import { Audit } from "./audit/PromiseAudit.ts"
import type { CallOptions } from "./call/callTool.ts"
import type { ExecuteOptions } from "./call/ToolCall.ts"
import { Connections } from "./connections/PromiseConnections.ts"
import type { EffectExecutor } from "./Executor.ts"
import { Integrations } from "./integrations/PromiseIntegrations.ts"
import { OAuth } from "./oauth/PromiseOAuth.ts"
import { Approvals } from "./policies/PromiseApprovals.ts"
import { Policies } from "./policies/PromisePolicies.ts"
import { defineExtension, type Extensions } from "./PromiseExtensions.ts"
import { Providers } from "./providers/PromiseProviders.ts"
import { runPromise } from "./runPromise.ts"
import { Tools } from "./tools/PromiseTools.ts"

/** An executor as hosts hold it. Made by `createExecutor`. */
export class PromiseExecutor<Plugins extends ReadonlyArray<Plugin> = ReadonlyArray<Plugin>> implements AsyncDisposable {
  readonly identity: Identity
  readonly connections: Connections
  readonly integrations: Integrations
  readonly tools: Tools
  readonly providers: Providers
  readonly oauth: OAuth
  readonly agents: Agents
  readonly policies: Policies
  readonly approvals: Approvals
  readonly audit: Audit
  readonly #effect: EffectExecutor
  readonly #plugins: Plugins

  constructor(effect: EffectExecutor, plugins: Plugins) {
    this.identity = effect.identity
    this.connections = new Connections(effect.connections)
    this.integrations = new Integrations(effect.integrations)
    this.tools = new Tools(effect.tools)
    this.providers = new Providers(effect.providers)
    this.oauth = new OAuth(effect.oauth)
    this.agents = new Agents(effect.agents)
    this.policies = new Policies(effect.policies)
    this.approvals = new Approvals(effect.approvals)
    this.audit = new Audit(effect.audit)
    this.#effect = effect
    this.#plugins = plugins
    for (const { id } of plugins) defineExtension(this, id, effect)
  }

  /**
   * Calls a tool by its address, or by a short address, `tools.<integration>.<tool>`, as {@link call} does.
   *
   * What a model should read comes back as the result, failures of the credential included. Rejects with `ToolNotFoundError`,
   * `ConnectionNotFoundError`, `IntegrationNotFoundError`, `ToolBlockedError`, `ElicitationDeclinedError`, store failures, and, when `signal` aborts,
   * its reason.
   */
  execute(address: string, args?: unknown, options?: ExecuteOptions): Promise<ToolResult> {
    return runPromise(this.#effect.execute(address, args, options), options?.signal)
  }

  /**
   * Calls a tool of an integration as the connection that is selected for this caller.
   *
   * The integration's identity mode says whose it is; `identity` chooses where the mode leaves the choice. Among several, `account` names
   * one by name, address or label (`ozon:Top Zip`), else it is the one marked default, else the only one; never the newest. The result
   * says which account it ran as (`account`), or answers `ambiguous_account` or `account_not_found` with the candidates, or
   * `connection_required` with what a person has to do. Rejects as {@link execute} does, with `IdentityModeError` where the mode does not
   * allow what was asked for, and with `SubjectRequiredError` where a user is needed and nobody acts.
   */
  call(integration: string, tool: string, args?: unknown, options?: CallOptions): Promise<ToolResult> {
    return runPromise(this.#effect.call(integration, tool, args, options), options?.signal)
  }

  /**
   * The same executor seen by another caller: same resources, no new state, cheap enough to call per request.
   *
   * An absent tenant is this executor's; an absent subject is nobody. Throws `InvalidIdentityError`, and where the config says that only
   * sealed identities are believed, `InvalidSealedIdentityError` for any that did not come from `openIdentity`; and for one of an agent.
   */
  withIdentity(identity: IdentityInput | OpenedIdentity): Executor<Plugins> {
    return makePromiseExecutor(Effect.runSync(this.#effect.withIdentity(identity)), this.#plugins)
  }

  /**
   * The same executor seen by the caller whom the host's edge sealed into a token (`sealIdentity`), opened as `sealedIdentity` of the
   * config says. The way for workers: what a header says in clear is nothing to believe.
   *
   * Where the token names an agent it is that agent's executor, as `asAgent` makes it; `"subAgents" in caller` tells them apart. Rejects
   * with `InvalidSealedIdentityError`, whose `reason` says what is wrong with the token, and with `AgentNotFoundError`.
   */
  async withSealedIdentity(token: string): Promise<Executor<Plugins> | AgentExecutor> {
    const caller = await runPromise(this.#effect.withSealedIdentity(token))
    return "subAgents" in caller ? new AgentExecutor(caller) : makePromiseExecutor(caller, this.#plugins)
  }

  /**
   * The executor of an agent, by its id or by the key that it shows, acting for this executor's subject. Cheap enough to call per request.
   *
   * What the agent may do is looked up with each of its calls. Rejects with `AgentNotFoundError` or `InvalidAgentKeyError`, and where the
   * config says that only sealed identities are believed, with `AgentKeyRequiredError` for a plain id.
   */
  async asAgent(idOrKey: string): Promise<AgentExecutor> {
    return new AgentExecutor(await runPromise(this.#effect.asAgent(idOrKey)))
  }

  /** Releases sockets, providers and the store. Calling it again does nothing. */
  close(): Promise<void> {
    return runPromise(this.#effect.close())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** An executor together with what its plugins add. */
export type Executor<Plugins extends ReadonlyArray<Plugin> = ReadonlyArray<Plugin>> = PromiseExecutor<Plugins> &
  Extensions<Plugins>

/** Wraps an executor of the Effect surface. */
export const makePromiseExecutor = <const Plugins extends ReadonlyArray<Plugin>>(
  effect: EffectExecutor,
  plugins: Plugins,
): Executor<Plugins> => new PromiseExecutor(effect, plugins) as Executor<Plugins>
