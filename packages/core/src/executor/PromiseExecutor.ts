/**
 * The executor on the Promise surface: what hosts hold.
 *
 * Written out line by line over the Effect surface, so that hovering shows the docs and errors arrive as the instances they are.
 */
import * as Effect from "effect/Effect"
import type { Connection } from "../connection/Connection.ts"
import type { ConnectionRef } from "../connection/ConnectionRef.ts"
import type { CreateConnectionInput } from "../connection/CreateConnection.ts"
import type { ProviderItem } from "../credential/CredentialProvider.ts"
import type { Identity, IdentityInput, Owner } from "../identity/Identity.ts"
import type { IdentityMode } from "../identity/IdentityMode.ts"
import type { OpenedIdentity } from "../identity/SealedIdentity.ts"
import type { Integration } from "../integration/Integration.ts"
import type { Fetch, Plugin } from "../integration/Plugin.ts"
import type { CallbackInput } from "../oauth/AuthorizationResponse.ts"
import type { ProbeOAuthInput, ProbeResult } from "../oauth/Discovery.ts"
import type { OAuthClient } from "../oauth/OAuthClient.ts"
import type { Approval } from "../policy/Approval.ts"
import type { Policy } from "../policy/Policy.ts"
import type { Share, ShareInput, ShareRecipient } from "../policy/Share.ts"
import type { Tool, ToolSchema } from "../tool/Tool.ts"
import type { ToolResult } from "../tool/ToolResult.ts"
import type { ListConnectionsInput, UpdateConnectionInput } from "./connections/Connections.ts"
import type {
  EffectConnections,
  EffectExecutor,
  EffectApprovals,
  EffectIntegrations,
  EffectOAuth,
  EffectPolicies,
  EffectProviders,
  EffectTools,
} from "./Executor.ts"
import type { CallOptions } from "./call/callTool.ts"
import type { AccountsRef } from "./select/DefaultAccounts.ts"
import { promised } from "./Extensions.ts"
import { AgentExecutor, Agents } from "./agents/PromiseAgents.ts"
import { Audit } from "./audit/PromiseAudit.ts"
import type { ListIntegrationsInput } from "./Integrations.ts"
import type { CreateOAuthClientInput } from "./oauth/clientInput.ts"
import type { ConnectOAuthInput } from "./oauth/connectAccount.ts"
import type { OAuthGrant } from "./oauth/grantSummary.ts"
import type { ListOAuthClientsInput } from "./oauth/OAuthClients.ts"
import type { PollOAuthResult } from "./oauth/pollFlow.ts"
import type { KeepAliveOptions } from "./oauth/keepAlive.ts"
import type { RegisterDynamicClientInput } from "./oauth/registerDynamicClient.ts"
import type { StartOAuthInput, StartOAuthResult } from "./oauth/StartingFlow.ts"
import type { AnswerApprovalInput, ListApprovalsInput } from "./policies/Approvals.ts"
import type {
  CreatePolicyInput,
  ListPoliciesInput,
  PolicyResolution,
  ResolvePolicyOptions,
  UpdatePolicyInput,
} from "./policies/Policies.ts"
import { runPromise } from "./runPromise.ts"
import type { ListItemsInput } from "./Providers.ts"
import type { ListSharesInput } from "./agents/Shares.ts"
import type { AccountRequest } from "./select/selectAccount.ts"
import type { ExecuteOptions } from "./call/ToolCall.ts"
import type { FoundTool, SearchToolsInput } from "./tools/searchTools.ts"
import type { ListToolsInput } from "./tools/Tools.ts"

/** An extension's methods as the Promise surface shows them. */
export type PromiseExtension<Extension> = {
  readonly [Name in keyof Extension]: Extension[Name] extends (...input: infer Input) => infer Output
    ? (...input: Input) => Output extends Effect.Effect<infer Value, infer _Error> ? Promise<Value> : Output
    : Extension[Name]
}

/**
 * What the given plugins add to an executor, each under its id; nothing where it is not known which they are, so that any
 * executor can be passed where a plain `Executor` is wanted.
 */
export type Extensions<Plugins extends ReadonlyArray<Plugin>> = {
  readonly [P in Plugins[number] as string extends P["id"] ? never : P["id"]]: P extends Plugin<string, infer Extension>
    ? PromiseExtension<Extension>
    : never
}

/** Saved credentials of one caller. */
export class Connections {
  readonly #effect: EffectConnections

  constructor(effect: EffectConnections) {
    this.#effect = effect
  }

  /**
   * Saves a credential for an integration, or replaces the one of the same owner, integration and name.
   *
   * Whole or not at all. Rejects with `IntegrationNotFoundError`, `InvalidConnectionInputError`,
   * `CredentialProviderNotRegisteredError`, or with what its provider, plugin or store failed with.
   */
  create(input: CreateConnectionInput): Promise<Connection> {
    return runPromise(this.#effect.create(input))
  }

  /**
   * The connections this caller sees, ordered by integration, owner and name; all unless `limit` says otherwise. Rejects with
   * `InvalidConnectionInputError` for what is no page.
   */
  list(input?: ListConnectionsInput): Promise<ReadonlyArray<Connection>> {
    return runPromise(this.#effect.list(input))
  }

  /** One connection, or `null`. The name may be in its original spelling. */
  get(ref: ConnectionRef): Promise<Connection | null> {
    return runPromise(this.#effect.get(ref))
  }

  /** Edits label and description; absent leaves, `null` clears. Rejects with `ConnectionNotFoundError`. */
  update(ref: ConnectionRef, input: UpdateConnectionInput): Promise<Connection> {
    return runPromise(this.#effect.update(ref, input))
  }

  /**
   * Removes a connection and what was stored for it in a writable provider; external items stay.
   *
   * Rejects with `ConnectionNotFoundError`; with the provider's failure if it cannot delete now, and the connection then stays,
   * disabled, until the call is repeated.
   */
  remove(ref: ConnectionRef): Promise<void> {
    return runPromise(this.#effect.remove(ref))
  }

  /** Asks the plugin for the tools again. On failure the catalog stays as it was. */
  refresh(ref: ConnectionRef): Promise<ReadonlyArray<Tool>> {
    return runPromise(this.#effect.refresh(ref))
  }

  /** Takes a connection out of use; its calls answer `connection_disabled`. */
  disable(ref: ConnectionRef): Promise<Connection> {
    return runPromise(this.#effect.disable(ref))
  }

  /** Puts a connection back into use, and confirms it for its integration's current origins. */
  enable(ref: ConnectionRef): Promise<Connection> {
    return runPromise(this.#effect.enable(ref))
  }

  /**
   * A standard `fetch` that is authorized as this connection, for use in any other SDK.
   *
   * Returned at once; each request looks the connection up, resolves its credential lazily and goes only to the integration's
   * origins: another one rejects with `OriginNotAllowedError` before anything leaves. A path without a scheme is appended to the
   * integration's base URL. Responses are the service's own, a 401 included.
   */
  fetch(ref: ConnectionRef): Fetch {
    return this.#effect.fetch(ref)
  }

  /**
   * Lets another user, or an agent whomever it acts for, use a connection of the acting user, in place of what was shared of it with them
   * before. They see it as their own `user` connection of the name `as`, with `sharedBy` and `access`, and nothing of its credential.
   *
   * Only its owner can; a recipient cannot change it nor hand it on wider. Rejects with `ConnectionNotFoundError`, `AccessDeniedError`,
   * `AgentNotFoundError`, `GrantTooWideError`, and with `InvalidGrantError`, also where the recipient has another connection of that name.
   */
  share(ref: ConnectionRef, input: ShareInput): Promise<Share> {
    return runPromise(this.#effect.share(ref, input))
  }

  /**
   * With whom the acting user shares a connection: users first; all unless `limit` says otherwise. Rejects with
   * `ConnectionNotFoundError`, and with `InvalidGrantError` for what is no page.
   */
  shares(ref: ConnectionRef, input?: ListSharesInput): Promise<ReadonlyArray<Share>> {
    return runPromise(this.#effect.shares(ref, input))
  }

  /** Ends a share, from the recipient's next call on. What is not shared is unshared already. */
  unshare(ref: ConnectionRef, recipient: ShareRecipient): Promise<void> {
    return runPromise(this.#effect.unshare(ref, recipient))
  }

  /**
   * The connection that a call of an integration would run as for this caller; see `Executor.call` for the rules.
   *
   * Rejects with `AmbiguousAccountError` or `AccountNotFoundError`, both with the candidates, with `ConnectionRequiredError` where nobody
   * has connected one, and with `IdentityModeError`, `SubjectRequiredError` or `IntegrationNotFoundError`.
   */
  select(integration: string, request?: AccountRequest): Promise<Connection> {
    return runPromise(this.#effect.select(integration, request))
  }

  /** The connection that is marked as the default of an integration and owner, or `null`. */
  getDefault(accounts: AccountsRef): Promise<Connection | null> {
    return runPromise(this.#effect.getDefault(accounts))
  }

  /**
   * Marks a connection as the one that calls run as which name no account, in place of the one before; of each user for themselves.
   *
   * It ends with {@link clearDefault} and with the connection. Rejects with `ConnectionNotFoundError`.
   */
  setDefault(ref: ConnectionRef): Promise<Connection> {
    return runPromise(this.#effect.setDefault(ref))
  }

  /** Ends the default of an integration and owner; where there is none, it is done already. */
  clearDefault(accounts: AccountsRef): Promise<void> {
    return runPromise(this.#effect.clearDefault(accounts))
  }
}

/** The tenant's integrations. They are registered through plugins, such as `executor.openapi.addSpec`. */
export class Integrations {
  readonly #effect: EffectIntegrations

  constructor(effect: EffectIntegrations) {
    this.#effect = effect
  }

  /** Ordered by slug; all unless `limit` says otherwise. Rejects with `InvalidIntegrationInputError` for what is no page. */
  list(input?: ListIntegrationsInput): Promise<ReadonlyArray<Integration>> {
    return runPromise(this.#effect.list(input))
  }

  /** One integration, or `null`. */
  get(slug: string): Promise<Integration | null> {
    return runPromise(this.#effect.get(slug))
  }

  /** Removes an integration. Rejects with `IntegrationInUseError` while anybody of the tenant has a connection of it. */
  remove(slug: string): Promise<void> {
    return runPromise(this.#effect.remove(slug))
  }

  /**
   * Changes whose account an integration's calls run as, from the next call on. For administrators.
   *
   * `admin`, `shared`: the organisation's connection. `per_user`: the acting subject's own. `either`: the subject's own where one acts,
   * else the organisation's. Rejects with `IntegrationNotFoundError`, or `InvalidIntegrationInputError` for what is no mode.
   */
  setIdentityMode(slug: string, mode: IdentityMode): Promise<Integration> {
    return runPromise(this.#effect.setIdentityMode(slug, mode))
  }
}

/** The tools that a caller's connections offer. */
export class Tools {
  readonly #effect: EffectTools

  constructor(effect: EffectTools) {
    this.#effect = effect
  }

  /**
   * Ordered by connection, then as the plugin orders them; at most 10 000 unless `limit` says otherwise. Rejects with
   * `InvalidConnectionInputError` for what is no page.
   */
  list(input?: ListToolsInput): Promise<ReadonlyArray<Tool>> {
    return runPromise(this.#effect.list(input))
  }

  /**
   * The tools that fit a query best, best first: by name, title, path, description and integration.
   *
   * A tool is there once, with the addresses of the connections that offer it. Words need not all occur; an empty query finds
   * nothing. The first search of a catalog builds its index.
   */
  search(input: SearchToolsInput): Promise<ReadonlyArray<FoundTool>> {
    return runPromise(this.#effect.search(input))
  }

  /** What a tool takes and gives, as JSON Schema 2020-12, or `null` when this caller sees no such tool. */
  schema(address: string): Promise<ToolSchema | null> {
    return runPromise(this.#effect.schema(address))
  }
}

/** The rules that calls are held to: the organisation's, and those of the acting user. */
export class Policies {
  readonly #effect: EffectPolicies

  constructor(effect: EffectPolicies) {
    this.#effect = effect
  }

  /**
   * Adds a rule; it holds from the next call on.
   *
   * The pattern is `*`, or an address in which `*` stands for any run of characters: `tools.github.*`, `tools.*.user.*.*`,
   * `tools.github.*.*.repos/delete*`. Rejects with `InvalidPolicyInputError`, also for a pattern that can match no address.
   */
  create(input: CreatePolicyInput): Promise<Policy> {
    return runPromise(this.#effect.create(input))
  }

  /**
   * The organisation's rules and the acting user's, each in the order in which they decide; all unless `limit` says otherwise. Rejects
   * with `InvalidPolicyInputError` for what is no page.
   */
  list(input?: ListPoliciesInput): Promise<ReadonlyArray<Policy>> {
    return runPromise(this.#effect.list(input))
  }

  /**
   * Changes a rule; absent leaves.
   *
   * Rejects with `PolicyNotFoundError`, `InvalidPolicyInputError`, or `PolicyConflictError` when somebody changed it meanwhile.
   */
  update(id: string, input: UpdatePolicyInput): Promise<Policy> {
    return runPromise(this.#effect.update(id, input))
  }

  /** Removes a rule. Rejects with `PolicyNotFoundError`. */
  remove(id: string): Promise<void> {
    return runPromise(this.#effect.remove(id))
  }

  /**
   * What would be decided about a call and by which rules, without making it; with arguments, or a conversation, also by which approval
   * it would be made. Takes full and short addresses.
   *
   * Rejects as {@link PromiseExecutor.execute} does for an address that leads nowhere, and where no account can be selected.
   */
  resolve(address: string, args?: unknown, options?: ResolvePolicyOptions): Promise<PolicyResolution> {
    return runPromise(this.#effect.resolve(address, args, options))
  }
}

/** Calls that wait for a person's answer, and answers that still hold. */
export class Approvals {
  readonly #effect: EffectApprovals

  constructor(effect: EffectApprovals) {
    this.#effect = effect
  }

  /**
   * Those of the acting user's calls, the oldest first; without a subject, those of the whole tenant. At most 100 unless `limit` says
   * otherwise. Rejects with `InvalidApprovalInputError` for what is no page.
   */
  list(input?: ListApprovalsInput): Promise<ReadonlyArray<Approval>> {
    return runPromise(this.#effect.list(input))
  }

  /**
   * Answers a question that waits; the same call, made again, then finds the answer, in whichever process.
   *
   * Rejects with `ApprovalNotFoundError`, `ApprovalAnsweredError` when somebody was first, and `InvalidApprovalInputError`.
   */
  answer(id: string, input: AnswerApprovalInput): Promise<Approval> {
    return runPromise(this.#effect.answer(id, input))
  }

  /** Takes back an approval, or a question that waits. Rejects with `ApprovalNotFoundError`. */
  revoke(id: string): Promise<void> {
    return runPromise(this.#effect.revoke(id))
  }
}

/** The registered credential providers. */
export class Providers {
  readonly #effect: EffectProviders

  constructor(effect: EffectProviders) {
    this.#effect = effect
  }

  /** Their keys in the order of registration. */
  list(): ReadonlyArray<string> {
    return this.#effect.list()
  }

  /**
   * What a person may pick from one of them, without what is kept for other callers, ordered by id; all unless `limit` says otherwise.
   *
   * A provider lists everything it has or nothing, so a page costs it no less. Rejects with `CredentialProviderNotRegisteredError`, as the
   * provider fails, or with `InvalidConnectionInputError` for what is no page.
   */
  items(key: string, input?: ListItemsInput): Promise<ReadonlyArray<ProviderItem>> {
    return runPromise(this.#effect.items(key, input))
  }
}

/** Accounts connected by OAuth 2.1: the applications, and the flows. Members of this namespace load the protocol lazily. */
export class OAuth {
  readonly #effect: EffectOAuth

  constructor(effect: EffectOAuth) {
    this.#effect = effect
  }

  /**
   * Saves an application that was registered at an authorization server by hand, or updates the one of the same owner and slug.
   *
   * Rejects with `InvalidOAuthClientError`, which names the field, and with what the provider or the store failed with.
   */
  createClient(input: CreateOAuthClientInput): Promise<OAuthClient> {
    return runPromise(this.#effect.createClient(input))
  }

  /**
   * Registers an application by itself ([RFC 7591](https://www.rfc-editor.org/rfc/rfc7591)), or by the host's Client ID Metadata Document
   * where the server takes one. A registration that still fits is used again.
   *
   * Rejects with `InvalidOAuthClientError`, `OAuthDiscoveryError` or `OAuthRegistrationError`.
   */
  registerDynamicClient(input: RegisterDynamicClientInput): Promise<OAuthClient> {
    return runPromise(this.#effect.registerDynamicClient(input))
  }

  /**
   * The organisation's clients and the acting user's, ordered by owner and slug; all unless `limit` says otherwise. Never a secret.
   * Rejects with `InvalidOAuthClientError` for what is no page.
   */
  listClients(input?: ListOAuthClientsInput): Promise<ReadonlyArray<OAuthClient>> {
    return runPromise(this.#effect.listClients(input))
  }

  /**
   * Removes a client and its secrets; one that is not there is removed already.
   *
   * Its connections stay and say at their next refresh which client is missing. A dynamic registration is deleted at the server too.
   */
  removeClient(owner: Owner, slug: string): Promise<void> {
    return runPromise(this.#effect.removeClient(owner, slug))
  }

  /** Finds the authorization server behind a URL and what it offers. Rejects with `OAuthDiscoveryError`. */
  probe(input: ProbeOAuthInput): Promise<ProbeResult> {
    return runPromise(this.#effect.probe(input))
  }

  /**
   * Begins to connect an account, or to reconnect one of the same owner, integration and name.
   *
   * `redirect`: send the person to `authorizationUrl` and give the callback to {@link complete}, within ten minutes. `device`: show the
   * code and call {@link poll}. `connected`: nobody has to be asked. An existing connection stays as it is until the new one is made.
   * Rejects with `OAuthStartError`, `OAuthDiscoveryError`, and as `connections.create` does.
   */
  start(input: StartOAuthInput): Promise<StartOAuthResult> {
    return runPromise(this.#effect.start(input))
  }

  /**
   * As {@link start}, with the client found or made: the host's Client ID Metadata Document where the server takes one, else a client that
   * was entered for this server, else one that is registered now and used again the next time.
   *
   * Rejects as {@link start} and {@link registerDynamicClient} do; with `OAuthStartError` (`client_needed`) where somebody has to enter one.
   */
  connect(input: ConnectOAuthInput): Promise<StartOAuthResult> {
    return runPromise(this.#effect.connect(input))
  }

  /**
   * Finishes a flow from the whole callback URL, or from its parameters. Only for the identity that started it, and only once.
   *
   * Rejects with `OAuthSessionNotFoundError` for a flow that is not under way, with `OAuthCompleteError` for one that ends without a
   * connection (`reason` is `access_denied` when the person said no), and as `connections.create` does.
   */
  complete(input: CallbackInput): Promise<Connection> {
    return runPromise(this.#effect.complete(input))
  }

  /** Asks how a device flow stands. Asked before `nextPollAt` it answers without asking the server. Rejects as {@link complete} does. */
  poll(state: string): Promise<PollOAuthResult> {
    return runPromise(this.#effect.poll(state))
  }

  /** Forgets a flow. One that is not under way is forgotten already. */
  cancel(state: string): Promise<void> {
    return runPromise(this.#effect.cancel(state))
  }

  /** What a connection was granted, with the scopes that are missing; `null` for one that is not there or has a static credential. */
  grant(ref: ConnectionRef): Promise<OAuthGrant | null> {
    return runPromise(this.#effect.grant(ref))
  }

  /**
   * Refreshes tokens of the whole tenant in the background before they run out, until it is stopped or the executor is closed.
   *
   * Each at its own moment of its last quarter, at most ten minutes ahead. Calls refresh by themselves what the background did not.
   */
  keepAlive(options?: KeepAliveOptions): KeepingAlive {
    const running = Effect.runSync(this.#effect.keepAlive(options))
    const stop = (): Promise<void> => runPromise(running.stop())
    return { stop, [Symbol.asyncDispose]: stop }
  }
}

/** Work in the background, as {@link OAuth.keepAlive} begins it. */
export interface KeepingAlive extends AsyncDisposable {
  /** Ends it; a refresh under way goes on to its end. */
  stop(): Promise<void>
}

/** What {@link PromiseExecutor.call} takes besides the arguments. */
export type { CallOptions } from "./call/callTool.ts"

/** What {@link PromiseExecutor.execute} takes besides the arguments. */
export type { ExecuteOptions } from "./call/ToolCall.ts"

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
   * What the agent may do is looked up with each of its calls. Rejects with `AgentNotFoundError` or `InvalidAgentKeyError`.
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

const defineExtension = (executor: object, id: string, effect: EffectExecutor): void => {
  let extension: object | undefined
  Object.defineProperty(executor, id, {
    enumerable: true,
    get: () => {
      const own = effect.extension(id)
      return own === undefined ? undefined : (extension ??= promised(own))
    },
  })
}
