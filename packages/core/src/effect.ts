/**
 * `@keyward/core/effect`: the Effect surface, for authors of plugins, providers and stores, and for hosts written with Effect.
 *
 * The same errors and values as the Promise surface; what differs are the executor, the plugin context and the provider contract.
 *
 * @module @keyward/core/effect
 */
export { createEffectExecutor as createExecutor } from "./executor/createExecutor.ts"
export type {
  AgentAdmissionError,
  AsAgentError,
  EffectAgentConnections,
  EffectAgentExecutor,
  EffectAgentTools,
  EffectSubAgents,
} from "./executor/agents/AgentExecutor.ts"
export type { ChangeAgentError, CreateAgentError } from "./executor/agents/Agents.ts"
export type { GrantError } from "./executor/agents/Grants.ts"
export type { ShareError } from "./executor/agents/Shares.ts"
export type { EffectExecutor } from "./executor/Executor.ts"
export type { EffectAgents } from "./executor/agents/EffectAgents.ts"
export type { EffectConnections } from "./executor/connections/EffectConnections.ts"
export type { EffectIntegrations } from "./executor/integrations/EffectIntegrations.ts"
export type { EffectOAuth } from "./executor/oauth/EffectOAuth.ts"
export type { EffectApprovals } from "./executor/policies/EffectApprovals.ts"
export type { EffectPolicies } from "./executor/policies/EffectPolicies.ts"
export type { EffectProviders } from "./executor/providers/EffectProviders.ts"
export type { EffectTools } from "./executor/tools/EffectTools.ts"
export type { RemoveConnectionError } from "./executor/connections/Connections.ts"
export type { CreateConnectionError } from "./executor/connections/createConnection.ts"
export type { KeepAlive } from "./executor/oauth/keepAlive.ts"
export type { CompleteOAuthError } from "./executor/oauth/completeFlow.ts"
export type { ConnectOAuthError } from "./executor/oauth/connectAccount.ts"
export type { CreateOAuthClientError, RemoveOAuthClientError } from "./executor/oauth/OAuthClients.ts"
export type { RegisterDynamicClientError } from "./executor/oauth/registerDynamicClient.ts"
export type { StartOAuthError } from "./executor/oauth/StartingFlow.ts"
export type { EffectAudit, PruneAuditError } from "./executor/audit/Audit.ts"
export type { AnswerApprovalError } from "./executor/policies/Approvals.ts"
export type { PolicyWriteError } from "./executor/policies/Policies.ts"
export type { ExecuteError } from "./executor/call/ToolInvoker.ts"

export { defineEffectPlugin as definePlugin } from "./integration/Plugin.ts"
export type { EffectPluginContext, PluginContextError } from "./integration/Plugin.ts"
export { compareRefs, compareTexts } from "./connection/listOrder.ts"
export { compareGrants } from "./policy/Grant.ts"
export { isScope } from "./auth/parseAuthTemplates.ts"
export { type CredentialPlace, placeFault } from "./auth/places.ts"
export { IntegrationCache } from "./integration/IntegrationCache.ts"

export { type KeywardErrorShape, taggedError, type TaggedErrorClass } from "./error/KeywardError.ts"
export { StoreUnavailableError } from "./error/StoreError.ts"

export type { CredentialProvider, ProviderItem } from "./credential/CredentialProvider.ts"
export { type EncryptionSecret, type KeyDerivation, type KeySource, keySource } from "./credential/KeySource.ts"
export type { HeldLease, Lease } from "./credential/Lease.ts"
export {
  CredentialProviderNotRegisteredError,
  isProviderError,
  ProviderDeniedError,
  type ProviderError,
  ProviderTimeoutError,
  ProviderUnavailableError,
} from "./credential/CredentialError.ts"

export {
  InvalidOAuthClientError,
  OAuthCompleteError,
  OAuthDiscoveryError,
  OAuthRegistrationError,
  OAuthSessionNotFoundError,
  OAuthStartError,
} from "./oauth/OAuthError.ts"
export type {
  ClientRegistrationRecord,
  OAuthClientKey,
  OAuthClientRecord,
  OAuthEndpoints,
} from "./oauth/OAuthClient.ts"
export type { OAuthSessionRecord, PinnedServer } from "./oauth/OAuthSession.ts"
export type {
  OAuthClientStore,
  OAuthSessionStore,
  OAuthStores,
  RevocationRecord,
  RevocationStore,
} from "./oauth/OAuthStores.ts"

export type { AccessStore, Caller, CallerRecords } from "./policy/AccessStore.ts"
export type { AgentRecord } from "./policy/Agent.ts"
export type { GrantKey, GrantRecord } from "./policy/Grant.ts"
export type { ShareKey, ShareRecipient, ShareRecord } from "./policy/Share.ts"
export type { ConnectionRow } from "./connection/Connection.ts"
export { type ConnectionGrant, isRefreshable, type RefreshIntent } from "./connection/ConnectionGrant.ts"
export type { ConnectionKey, ConnectionRef } from "./connection/ConnectionRef.ts"
export type { AccountsKey, AccountStore, DefaultAccount } from "./connection/AccountStore.ts"
export type { ConnectionQuery, ConnectionStore, Reading } from "./connection/ConnectionStore.ts"
export type { IntegrationRecord } from "./integration/Integration.ts"
export type { IntegrationStore } from "./integration/IntegrationStore.ts"
export type { Store, StoreOutage } from "./integration/Store.ts"
export type { CatalogKey, CatalogStore } from "./tool/ToolCatalog.ts"
export type { Approval, ApprovalRecord } from "./policy/Approval.ts"
export type { ApprovalStore } from "./policy/ApprovalStore.ts"
export type { AuditDraft, AuditEntry, AuditHead, AuditValue } from "./audit/AuditEntry.ts"
export type { AuditBatch, AuditLink, AuditQuery, AuditStore } from "./audit/AuditStore.ts"
export type { Policy, PolicyAction, PolicyRecord, PolicyRules } from "./policy/Policy.ts"
export type { PolicyStore } from "./policy/PolicyStore.ts"
export { guardedCheck } from "./tool/guardedCheck.ts"
export type { ToolDef } from "./tool/Tool.ts"
export type { Identity, Owner } from "./identity/Identity.ts"
export type { IdentityMode } from "./identity/IdentityMode.ts"
export type { SelectAccountError } from "./executor/select/selectAccount.ts"
export type { SetIdentityModeError } from "./executor/integrations/Integrations.ts"
