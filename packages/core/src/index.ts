/**
 * `@keyward/core`: the Promise surface for hosts, and for authors who write with Promises.
 *
 * Plain objects and plain strings go in; nobody needs Effect to be a host. Errors are the same instances on both surfaces.
 *
 * @module @keyward/core
 */
export { createExecutor } from "./executor/createExecutor.ts"
export type { Executor, PromiseExecutor } from "./executor/PromiseExecutor.ts"
export type { Extensions, PromiseExtension } from "./executor/PromiseExtensions.ts"
export type { ExecuteOptions } from "./executor/call/ToolCall.ts"
export type { CallOptions } from "./executor/call/callTool.ts"
export type { Connections } from "./executor/connections/PromiseConnections.ts"
export type { Integrations } from "./executor/integrations/PromiseIntegrations.ts"
export type { KeepingAlive, OAuth } from "./executor/oauth/PromiseOAuth.ts"
export type { Approvals } from "./executor/policies/PromiseApprovals.ts"
export type { Policies } from "./executor/policies/PromisePolicies.ts"
export type { Providers } from "./executor/providers/PromiseProviders.ts"
export type { Tools } from "./executor/tools/PromiseTools.ts"
export {
  type ApprovalOptions,
  type AuditOptions,
  type ExecutorConfig,
  InvalidConfigError,
  type SealedIdentityConfig,
} from "./executor/ExecutorConfig.ts"
export type { ExecutorEvent } from "./executor/ExecutorEvent.ts"
export type { AccountsRef } from "./executor/select/DefaultAccounts.ts"
export type { AccountRequest } from "./executor/select/selectAccount.ts"
export type { AgentConnections, AgentExecutor, AgentTools, SubAgents } from "./executor/agents/PromiseAgentExecutor.ts"
export type { Agents } from "./executor/agents/PromiseAgents.ts"
export type { ListAgentsInput, RotateKeyOptions } from "./executor/agents/Agents.ts"
export type { GrantPosition, ListGrantsInput, RevokeGrantOptions } from "./executor/agents/Grants.ts"
export type { ListSharesInput } from "./executor/agents/Shares.ts"
export type { ListItemsInput } from "./executor/providers/Providers.ts"
export type { ListConnectionsInput, UpdateConnectionInput } from "./executor/connections/Connections.ts"
export type { ListIntegrationsInput } from "./executor/integrations/Integrations.ts"
export type { AnswerApprovalInput, ListApprovalsInput } from "./executor/policies/Approvals.ts"
export type {
  CreatePolicyInput,
  ListPoliciesInput,
  PolicyResolution,
  ResolvePolicyOptions,
  UpdatePolicyInput,
} from "./executor/policies/Policies.ts"
export type { ListToolsInput } from "./executor/tools/Tools.ts"
export type { FoundTool, SearchToolsInput } from "./executor/tools/searchTools.ts"
export type { CreateOAuthClientInput } from "./executor/oauth/clientInput.ts"
export type { ConnectOAuthInput } from "./executor/oauth/connectAccount.ts"
export type { OAuthGrant } from "./executor/oauth/grantSummary.ts"
export type { KeepAliveOptions } from "./executor/oauth/keepAlive.ts"
export type { ListOAuthClientsInput } from "./executor/oauth/OAuthClients.ts"
export type { PollOAuthResult } from "./executor/oauth/pollFlow.ts"
export type { RegisterDynamicClientInput } from "./executor/oauth/registerDynamicClient.ts"
export type { StartOAuthInput, StartOAuthResult } from "./executor/oauth/StartingFlow.ts"

export { type Identity, type IdentityInput, InvalidIdentityError, type Owner } from "./identity/Identity.ts"
export type { IdentityMode } from "./identity/IdentityMode.ts"
export {
  type IdentityKey,
  type IdentitySealOptions,
  InvalidSealedIdentityError,
  InvalidSealOptionsError,
  type KeyMaterial,
  type OpenedIdentity,
  type OpenIdentityOptions,
  type ReplayStore,
  type SealableIdentity,
  type SealIdentityOptions,
} from "./identity/SealedIdentity.ts"
export { openIdentity, sealIdentity } from "./identity/sealIdentity.ts"

export {
  AccessDeniedError,
  AgentConflictError,
  AgentKeyRequiredError,
  AgentNotFoundError,
  GrantTooWideError,
  InvalidAgentError,
  InvalidAgentKeyError,
  InvalidGrantError,
} from "./policy/AccessError.ts"
export type { Access, AccessScope } from "./policy/AccessScope.ts"
export type { Agent, AllowedIntegrations, CreateAgentInput, CreatedAgent, KeyedAgent } from "./policy/Agent.ts"
export type { AccessScopeInput, Grant, GrantInput } from "./policy/Grant.ts"
export type { Share, ShareInput, ShareRecipient } from "./policy/Share.ts"

export type { EgressOptions } from "./http/Egress.ts"
export type { FetchFunction } from "./http/FetchTransport.ts"
export {
  AddressNotAllowedError,
  EgressTimeoutError,
  type HttpError,
  InvalidRequestError,
  NetworkError,
  OriginNotAllowedError,
  RedirectRefusedError,
  ResponseTooLargeError,
} from "./http/HttpError.ts"

export {
  CredentialProviderNotRegisteredError,
  ProviderDeniedError,
  type ProviderError,
  ProviderTimeoutError,
  ProviderUnavailableError,
} from "./credential/CredentialError.ts"
export {
  type CredentialProvider,
  type CredentialProviderDefinition,
  credentialProvider,
  type ProviderCallOptions,
  type ProviderItem,
} from "./credential/CredentialProvider.ts"
export { chainProviders, type ChainProvidersOptions } from "./credential/ChainProviders.ts"
export { envProvider, type EnvProviderOptions } from "./credential/EnvProvider.ts"
export { InvalidProviderOptionsError } from "./credential/ProviderOptionsError.ts"

export {
  type ApiKeyTemplate,
  type AuthFamily,
  type AuthPart,
  type AuthTemplate,
  type BasicTemplate,
  type BearerTemplate,
  InvalidAuthTemplateError,
  type NoneTemplate,
  type OAuth2Template,
  type Placements,
  type Variable,
  variable,
} from "./auth/AuthTemplate.ts"

export type { OAuthQuirks, TokenResponsePaths } from "./auth/OAuthQuirks.ts"

export type { CallbackInput } from "./oauth/AuthorizationResponse.ts"
export type { ProbeOAuthInput, ProbeResult } from "./oauth/Discovery.ts"
export {
  type ClientMetadataDocument,
  clientMetadataDocument,
  type ClientMetadataDocumentOptions,
} from "./oauth/ClientMetadataDocument.ts"
export type { ClientAuthenticationMethod, OAuthClient, OAuthGrantType } from "./oauth/OAuthClient.ts"
export {
  InvalidOAuthClientError,
  OAuthCompleteError,
  OAuthDiscoveryError,
  OAuthRegistrationError,
  OAuthSessionNotFoundError,
  OAuthStartError,
} from "./oauth/OAuthError.ts"

export {
  type AccountCandidate,
  AccountNotFoundError,
  AmbiguousAccountError,
  type ConnectionNeedTemplate,
  ConnectionRequiredError,
  IdentityConflictError,
  IdentityModeError,
  SubjectRequiredError,
} from "./connection/AccountError.ts"
export type { ConnectionNeed } from "./connection/ConnectionNeed.ts"
export type { Connection, ConnectionStatus } from "./connection/Connection.ts"
export {
  ConnectionConflictError,
  type ConnectionCredentialCode,
  ConnectionCredentialError,
  ConnectionNotFoundError,
  InvalidConnectionInputError,
} from "./connection/ConnectionError.ts"
export { connectionAddress, connectionIdentifier, type ConnectionRef } from "./connection/ConnectionRef.ts"
export type { ConnectionInput, CreateConnectionInput, ExternalReference } from "./connection/CreateConnection.ts"

export {
  ElicitationDeclinedError,
  type ElicitationHandler,
  type ElicitationRequest,
  type ElicitationResponse,
  type PluginElicitation,
} from "./tool/Elicitation.ts"
export type { JsonSchema, Tool, ToolAnnotations, ToolDef, ToolProgress, ToolSchema } from "./tool/Tool.ts"
export { toolAddress } from "./tool/ToolAddress.ts"
export { InvalidToolError, ToolBlockedError, ToolNotFoundError } from "./tool/ToolError.ts"
export type { AuditAnchor, AuditFault, AuditFaultKind } from "./audit/AuditCheck.ts"
export type { AuditKeyMaterial } from "./audit/auditChain.ts"
export type { AuditEntry, AuditValue } from "./audit/AuditEntry.ts"
export { AuditAccessError, AuditBrokenError, InvalidAuditQueryError } from "./audit/AuditError.ts"
export type { Audit } from "./executor/audit/PromiseAudit.ts"
export type { AuditVerification, ListAuditInput, PruneAuditInput, VerifyAuditInput } from "./executor/audit/Audit.ts"
export type { Approval, ApprovalScope, ApprovalStatus } from "./policy/Approval.ts"
export { ApprovalAnsweredError, ApprovalNotFoundError, InvalidApprovalInputError } from "./policy/ApprovalError.ts"
export type { ApprovalKeyMaterial } from "./policy/approvalSignature.ts"
export type { ShownArgument } from "./policy/approvalWords.ts"
export type { DefaultPolicy, DefaultReason } from "./policy/decide.ts"
export type { Policy, PolicyAction } from "./policy/Policy.ts"
export { InvalidPolicyInputError, PolicyConflictError, PolicyNotFoundError } from "./policy/PolicyError.ts"
export type { CalledAccount, HttpSummary, ToolFailure, ToolResult } from "./tool/ToolResult.ts"

export type { Integration, IntegrationInput, IntegrationRecord } from "./integration/Integration.ts"
export {
  IntegrationInUseError,
  IntegrationNotFoundError,
  InvalidIntegrationInputError,
  PluginNotRegisteredError,
  ToolResolutionError,
} from "./integration/IntegrationError.ts"
export {
  type ClosePluginInput,
  type ConnectionHandle,
  definePlugin,
  type DescribeToolInput,
  type Fetch,
  type HandlerResult,
  type InvokeToolInput,
  type Plugin,
  type PluginContext,
  type PluginHandlers,
  type ReleaseInput,
  type ResolveToolsInput,
  type Send,
  type SendRequest,
  type SentResponse,
  type ToolDescription,
} from "./integration/Plugin.ts"
export type { Store } from "./integration/Store.ts"
export { StoreUnavailableError } from "./error/StoreError.ts"

export { memoryProvider, type MemoryProviderOptions } from "./memory/MemoryProvider.ts"
export { memoryStore } from "./memory/MemoryStore.ts"
