/**
 * The executor on the Effect surface: every verb, bound to the identity that it acts for.
 *
 * The Promise surface (PromiseExecutor.ts) wraps this one method by method; there is no second implementation.
 */
import * as Effect from "effect/Effect"
import type { Connection } from "../connection/Connection.ts"
import type { InvalidConnectionInputError } from "../connection/ConnectionError.ts"
import type { ConnectionRef } from "../connection/ConnectionRef.ts"
import type { CreateConnectionInput } from "../connection/CreateConnection.ts"
import type { ProviderItem } from "../credential/CredentialProvider.ts"
import type { StoreUnavailableError } from "../error/StoreError.ts"
import { type Identity, type IdentityInput, type InvalidIdentityError, type Owner } from "../identity/Identity.ts"
import type { IdentityMode } from "../identity/IdentityMode.ts"
import type { InvalidSealedIdentityError, InvalidSealOptionsError, OpenedIdentity } from "../identity/SealedIdentity.ts"
import { type Integration, toIntegration } from "../integration/Integration.ts"
import type {
  IntegrationInUseError,
  IntegrationNotFoundError,
  InvalidIntegrationInputError,
} from "../integration/IntegrationError.ts"
import type { Fetch } from "../integration/Plugin.ts"
import type { CallbackInput } from "../oauth/AuthorizationResponse.ts"
import type { ProbeOAuthInput, ProbeResult } from "../oauth/Discovery.ts"
import type { OAuthClient } from "../oauth/OAuthClient.ts"
import type { InvalidOAuthClientError, OAuthDiscoveryError } from "../oauth/OAuthError.ts"
import type {
  AccessDeniedError,
  AgentNotFoundError,
  InvalidAgentError,
  InvalidGrantError,
} from "../policy/AccessError.ts"
import type { Agent, AllowedIntegrations, CreateAgentInput, CreatedAgent, KeyedAgent } from "../policy/Agent.ts"
import type { Grant, GrantInput } from "../policy/Grant.ts"
import type { Share, ShareInput, ShareRecipient } from "../policy/Share.ts"
import type { Approval } from "../policy/Approval.ts"
import type { ApprovalNotFoundError, InvalidApprovalInputError } from "../policy/ApprovalError.ts"
import type { Policy } from "../policy/Policy.ts"
import type { InvalidPolicyInputError, PolicyConflictError, PolicyNotFoundError } from "../policy/PolicyError.ts"
import type { Tool, ToolSchema } from "../tool/Tool.ts"
import type { ToolResult } from "../tool/ToolResult.ts"
import { type AgentAdmissionError, asAgent, type EffectAgentExecutor } from "./agents/AgentExecutor.ts"
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
} from "./agents/Agents.ts"
import {
  answerApproval,
  type AnswerApprovalError,
  type AnswerApprovalInput,
  listApprovals,
  type ListApprovalsInput,
  revokeApproval,
} from "./policies/Approvals.ts"
import { auditOf, type EffectAudit } from "./audit/Audit.ts"
import { audited } from "./audit/AuditLog.ts"
import type { CatalogError } from "./tools/Catalogs.ts"
import { connectionFetch } from "./authorize/connectionFetch.ts"
import {
  type ChangeConnectionError,
  disableConnection,
  enableConnection,
  getConnection,
  listConnections,
  type ListConnectionsInput,
  refreshConnection,
  removeConnection,
  type RemoveConnectionError,
  updateConnection,
  type UpdateConnectionInput,
} from "./connections/Connections.ts"
import type { SelectError } from "./select/ConnectionSelector.ts"
import { createConnection, type CreateConnectionError } from "./connections/createConnection.ts"
import {
  type AccountsRef,
  clearDefault,
  getDefault,
  selectedConnection,
  setDefault,
  type SetDefaultError,
} from "./select/DefaultAccounts.ts"
import { makeExtension } from "./Extensions.ts"
import {
  getIntegration,
  listIntegrations,
  type ListIntegrationsInput,
  removeIntegration,
  setIdentityMode,
  type SetIdentityModeError,
} from "./Integrations.ts"
import { cancelFlow } from "./oauth/cancelFlow.ts"
import type { CreateOAuthClientInput } from "./oauth/clientInput.ts"
import { completeFlow, type CompleteOAuthError } from "./oauth/completeFlow.ts"
import { connectAccount, type ConnectOAuthError, type ConnectOAuthInput } from "./oauth/connectAccount.ts"
import { grantSummary, type OAuthGrant } from "./oauth/grantSummary.ts"
import {
  createOAuthClient,
  type CreateOAuthClientError,
  listOAuthClients,
  type ListOAuthClientsInput,
  removeOAuthClient,
  type RemoveOAuthClientError,
} from "./oauth/OAuthClients.ts"
import { type KeepAlive, keepAlive, type KeepAliveOptions } from "./oauth/keepAlive.ts"
import { pollFlow, type PollOAuthResult } from "./oauth/pollFlow.ts"
import { probeOAuth } from "./oauth/probeOAuth.ts"
import {
  registerDynamicClient,
  type RegisterDynamicClientError,
  type RegisterDynamicClientInput,
} from "./oauth/registerDynamicClient.ts"
import { startFlow } from "./oauth/startFlow.ts"
import type { StartOAuthError, StartOAuthInput, StartOAuthResult } from "./oauth/StartingFlow.ts"
import { grant, type GrantError, listGrants, type ListGrantsInput, revoke } from "./agents/Grants.ts"
import {
  createPolicy,
  type CreatePolicyInput,
  listPolicies,
  type ListPoliciesInput,
  type PolicyResolution,
  type PolicyWriteError,
  removePolicy,
  resolvePolicy,
  type ResolvePolicyError,
  type ResolvePolicyOptions,
  updatePolicy,
  type UpdatePolicyInput,
} from "./policies/Policies.ts"
import { type ListItemsError, type ListItemsInput, providerItems } from "./Providers.ts"
import { tokenKeeper } from "./oauth/TokenKeeper.ts"
import type { Resources } from "./Resources.ts"
import { listShares, type ListSharesInput, share, type ShareError, unshare } from "./agents/Shares.ts"
import type { AccountRequest, SelectAccountError } from "./select/selectAccount.ts"
import type { ExecuteOptions } from "./call/ToolCall.ts"
import { callerIdentity, sealedCaller } from "./select/callerIdentity.ts"
import { type CallOptions, callTool, executeTool } from "./call/callTool.ts"
import type { ExecuteError } from "./call/ToolInvoker.ts"
import { type FoundTool, searchTools, type SearchToolsInput } from "./tools/searchTools.ts"
import { listTools, type ListToolsInput, toolSchema, type ToolSchemaError } from "./tools/Tools.ts"

/** `executor.connections` on the Effect surface; the Promise surface documents each method. */
export interface EffectConnections {
  create(input: CreateConnectionInput): Effect.Effect<Connection, CreateConnectionError>
  list(
    input?: ListConnectionsInput,
  ): Effect.Effect<ReadonlyArray<Connection>, InvalidConnectionInputError | StoreUnavailableError>
  get(ref: ConnectionRef): Effect.Effect<Connection | null, InvalidConnectionInputError | StoreUnavailableError>
  update(ref: ConnectionRef, input: UpdateConnectionInput): Effect.Effect<Connection, ChangeConnectionError>
  remove(ref: ConnectionRef): Effect.Effect<void, RemoveConnectionError>
  refresh(ref: ConnectionRef): Effect.Effect<ReadonlyArray<Tool>, SelectError | AccessDeniedError | CatalogError>
  disable(ref: ConnectionRef): Effect.Effect<Connection, ChangeConnectionError>
  enable(ref: ConnectionRef): Effect.Effect<Connection, ChangeConnectionError>
  fetch(ref: ConnectionRef): Fetch
  select(integration: string, request?: AccountRequest): Effect.Effect<Connection, SelectAccountError>
  getDefault(
    accounts: AccountsRef,
  ): Effect.Effect<Connection | null, InvalidConnectionInputError | StoreUnavailableError>
  setDefault(ref: ConnectionRef): Effect.Effect<Connection, SetDefaultError>
  clearDefault(accounts: AccountsRef): Effect.Effect<void, InvalidConnectionInputError | StoreUnavailableError>
  share(ref: ConnectionRef, input: ShareInput): Effect.Effect<Share, ShareError>
  shares(
    ref: ConnectionRef,
    input?: ListSharesInput,
  ): Effect.Effect<ReadonlyArray<Share>, SelectError | AccessDeniedError | InvalidGrantError>
  unshare(
    ref: ConnectionRef,
    recipient: ShareRecipient,
  ): Effect.Effect<void, InvalidConnectionInputError | InvalidGrantError | StoreUnavailableError>
}

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
  ): Effect.Effect<void, AgentNotFoundError | InvalidGrantError | StoreUnavailableError>
  grants(
    id: string,
    input?: ListGrantsInput,
  ): Effect.Effect<ReadonlyArray<Grant>, AgentNotFoundError | InvalidGrantError | StoreUnavailableError>
}

/** `executor.integrations` on the Effect surface. */
export interface EffectIntegrations {
  list(
    input?: ListIntegrationsInput,
  ): Effect.Effect<ReadonlyArray<Integration>, InvalidIntegrationInputError | StoreUnavailableError>
  get(slug: string): Effect.Effect<Integration | null, StoreUnavailableError>
  remove(slug: string): Effect.Effect<void, IntegrationNotFoundError | IntegrationInUseError | StoreUnavailableError>
  setIdentityMode(slug: string, mode: IdentityMode): Effect.Effect<Integration, SetIdentityModeError>
}

/** `executor.tools` on the Effect surface. */
export interface EffectTools {
  list(input?: ListToolsInput): Effect.Effect<ReadonlyArray<Tool>, InvalidConnectionInputError | StoreUnavailableError>
  search(
    input: SearchToolsInput,
  ): Effect.Effect<ReadonlyArray<FoundTool>, InvalidConnectionInputError | StoreUnavailableError>
  schema(address: string): Effect.Effect<ToolSchema | null, ToolSchemaError>
}

/** `executor.policies` on the Effect surface; the Promise surface documents each method. */
export interface EffectPolicies {
  create(input: CreatePolicyInput): Effect.Effect<Policy, PolicyWriteError>
  list(input?: ListPoliciesInput): Effect.Effect<ReadonlyArray<Policy>, InvalidPolicyInputError | StoreUnavailableError>
  update(
    id: string,
    input: UpdatePolicyInput,
  ): Effect.Effect<Policy, PolicyWriteError | PolicyNotFoundError | PolicyConflictError>
  remove(id: string): Effect.Effect<void, PolicyNotFoundError | StoreUnavailableError>
  resolve(
    address: string,
    args?: unknown,
    options?: ResolvePolicyOptions,
  ): Effect.Effect<PolicyResolution, ResolvePolicyError>
}

/** `executor.approvals` on the Effect surface; the Promise surface documents each method. */
export interface EffectApprovals {
  list(
    input?: ListApprovalsInput,
  ): Effect.Effect<ReadonlyArray<Approval>, InvalidApprovalInputError | StoreUnavailableError>
  answer(id: string, input: AnswerApprovalInput): Effect.Effect<Approval, AnswerApprovalError>
  revoke(id: string): Effect.Effect<void, ApprovalNotFoundError | StoreUnavailableError>
}

/** `executor.providers` on the Effect surface. */
export interface EffectProviders {
  list(): ReadonlyArray<string>
  items(key: string, input?: ListItemsInput): Effect.Effect<ReadonlyArray<ProviderItem>, ListItemsError>
}

/** `executor.oauth` on the Effect surface; the Promise surface documents each method. */
export interface EffectOAuth {
  createClient(input: CreateOAuthClientInput): Effect.Effect<OAuthClient, CreateOAuthClientError>
  registerDynamicClient(input: RegisterDynamicClientInput): Effect.Effect<OAuthClient, RegisterDynamicClientError>
  listClients(
    input?: ListOAuthClientsInput,
  ): Effect.Effect<ReadonlyArray<OAuthClient>, InvalidOAuthClientError | StoreUnavailableError>
  removeClient(owner: Owner, slug: string): Effect.Effect<void, RemoveOAuthClientError>
  probe(input: ProbeOAuthInput): Effect.Effect<ProbeResult, OAuthDiscoveryError>
  start(input: StartOAuthInput): Effect.Effect<StartOAuthResult, StartOAuthError>
  connect(input: ConnectOAuthInput): Effect.Effect<StartOAuthResult, ConnectOAuthError>
  complete(input: CallbackInput): Effect.Effect<Connection, CompleteOAuthError>
  poll(state: string): Effect.Effect<PollOAuthResult, CompleteOAuthError>
  cancel(state: string): Effect.Effect<void, StoreUnavailableError>
  grant(ref: ConnectionRef): Effect.Effect<OAuthGrant | null, InvalidConnectionInputError | StoreUnavailableError>
  keepAlive(options?: KeepAliveOptions): Effect.Effect<KeepAlive>
}

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
  /** What an agent of this tenant is given, by its id or by the key that it shows; it acts for this executor's subject. */
  asAgent(idOrKey: string): Effect.Effect<EffectAgentExecutor, AgentAdmissionError>
  /** A plugin's extension by the plugin's id; `undefined` when it has none. */
  extension(pluginId: string): object | undefined
  close(): Effect.Effect<void>
}

/** Binds the verbs to an identity. Cheap: no state of its own but the extensions that are asked for. */
export const makeExecutor = (resources: Resources, identity: Identity): EffectExecutor => {
  const extensions = new Map<string, object | undefined>()
  return {
    identity,
    connections: {
      create: (input) => audited(resources, createConnection(resources, identity, input)),
      list: (input = {}) => listConnections(resources, identity, input),
      get: (ref) => getConnection(resources, identity, ref),
      update: (ref, input) => audited(resources, updateConnection(resources, identity, ref, input)),
      remove: (ref) => audited(resources, removeConnection(resources, identity, ref)),
      refresh: (ref) => audited(resources, refreshConnection(resources, identity, ref)),
      disable: (ref) => audited(resources, disableConnection(resources, identity, ref)),
      enable: (ref) => audited(resources, enableConnection(resources, identity, ref)),
      fetch: (ref) => connectionFetch(resources, identity, ref),
      select: (integration, request = {}) => selectedConnection(resources, identity, integration, request),
      getDefault: (accounts) => getDefault(resources, identity, accounts),
      setDefault: (ref) => audited(resources, setDefault(resources, identity, ref)),
      clearDefault: (accounts) => audited(resources, clearDefault(resources, identity, accounts)),
      share: (ref, input) => audited(resources, share(resources, identity, ref, input)),
      shares: (ref, input = {}) => listShares(resources, identity, ref, input),
      unshare: (ref, recipient) => audited(resources, unshare(resources, identity, ref, recipient)),
    },
    agents: {
      create: (input = {}) => audited(resources, createAgent(resources, identity, input)),
      list: (input = {}) => listAgents(resources, identity, input),
      get: (id) => getAgent(resources, identity, id),
      remove: (id) => audited(resources, removeAgent(resources, identity, id)),
      setIntegrations: (id, integrations) => audited(resources, setIntegrations(resources, identity, id, integrations)),
      rotateKey: (id, options = {}) => audited(resources, rotateKey(resources, identity, id, options)),
      revokeKey: (id) => audited(resources, revokeKey(resources, identity, id)),
      grant: (id, input) => audited(resources, grant(resources, identity, id, input)),
      revoke: (id, connection) => audited(resources, revoke(resources, identity, id, connection)),
      grants: (id, input = {}) => listGrants(resources, identity, id, input),
    },
    integrations: {
      list: (input = {}) => listIntegrations(resources, identity, input),
      get: (slug) => Effect.map(getIntegration(resources, identity, slug), (record) => record && toIntegration(record)),
      remove: (slug) => audited(resources, removeIntegration(resources, identity, slug)),
      setIdentityMode: (slug, mode) => audited(resources, setIdentityMode(resources, identity, slug, mode)),
    },
    tools: {
      list: (input = {}) => listTools(resources, identity, input),
      search: (input) => searchTools(resources, identity, input),
      schema: (address) => toolSchema(resources, identity, address),
    },
    policies: {
      create: (input) => audited(resources, createPolicy(resources, identity, input)),
      list: (input = {}) => listPolicies(resources, identity, input),
      update: (id, input) => audited(resources, updatePolicy(resources, identity, id, input)),
      remove: (id) => audited(resources, removePolicy(resources, identity, id)),
      resolve: (address, args, options = {}) => resolvePolicy(resources, identity, address, args, options),
    },
    approvals: {
      list: (input = {}) => listApprovals(resources, identity, input),
      answer: (id, input) => audited(resources, answerApproval(resources, identity, id, input)),
      revoke: (id) => audited(resources, revokeApproval(resources, identity, id)),
    },
    providers: {
      list: () => resources.providers.keys,
      items: (key, input = {}) => providerItems(resources, identity, key, input),
    },
    oauth: {
      createClient: (input) => audited(resources, createOAuthClient(resources, identity, input)),
      registerDynamicClient: (input) => audited(resources, registerDynamicClient(resources, identity, input)),
      listClients: (input = {}) => listOAuthClients(resources, identity, input),
      removeClient: (owner, slug) => audited(resources, removeOAuthClient(resources, identity, owner, slug)),
      probe: (input) => probeOAuth(resources, input),
      start: (input) => audited(resources, startFlow(resources, identity, input)),
      connect: (input) => audited(resources, connectAccount(resources, identity, input)),
      complete: (input) => audited(resources, completeFlow(resources, identity, input)),
      poll: (state) => audited(resources, pollFlow(resources, identity, state)),
      cancel: (state) => audited(resources, cancelFlow(resources, identity, state)),
      grant: (ref) => grantSummary(resources, identity, ref),
      keepAlive: (options = {}) => keepAlive(resources, identity, options),
    },
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
            : asAgent(resources, other, other.agent),
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
