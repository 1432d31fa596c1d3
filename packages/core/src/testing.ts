/**
 * `@keyward/core/testing`: what implementers and hosts test with.
 *
 * Contract suites for providers, stores, leases and plugins, canary secrets with a scanner, a fake upstream, an authorization server
 * that misbehaves. Suites are lists of named cases asserted with `node:assert`, so vitest, `node:test` and jest all run them, and none
 * is imported here.
 */
export type { AuthorizationServerFault } from "./testing/authorizationServer/AuthorizationServerFault.ts"
export type {
  AuthorizationServerBehaviour,
  AuthorizationServerClient,
  DeviceScript,
} from "./testing/authorizationServer/AuthorizationServerBehaviour.ts"
export type { AuthorizationServerGrant } from "./testing/authorizationServer/AuthorizationServerState.ts"
export {
  type AuthorizationServerEndpoint,
  type AuthorizationServerOptions,
  type AuthorizationServerRequest,
  type MisbehavingAuthorizationServer,
  misbehavingAuthorizationServer,
} from "./testing/authorizationServer/misbehavingAuthorizationServer.ts"
export { canary, CanaryScanner, type CanarySighting } from "./testing/canary.ts"
export type { ContractCase } from "./testing/ContractCase.ts"
export {
  drip,
  type FakeUpstream,
  fakeUpstream,
  filler,
  type UpstreamAnswer,
  type UpstreamHandler,
  type UpstreamRequest,
  type UpstreamRoute,
  type UpstreamRoutes,
  type UpstreamStream,
} from "./testing/fakeUpstream.ts"
export {
  leaseContract,
  type LeaseContractOptions,
  type LeaseUnderTest,
  type MakeLease,
} from "./testing/leaseContract.ts"
export { providerContract } from "./testing/providerContract.ts"
export type { MakeProvider, ProviderCall, ProviderCapabilities, ProviderUnderTest } from "./testing/providerProbe.ts"
export { storeContract } from "./testing/storeContract.ts"
export type { MakeStore, StoreCapabilities, StoreUnderTest } from "./testing/storeProbe.ts"
export { pluginContract } from "./testing/pluginContract.ts"
export type { MakePlugin, PluginCall, PluginUnderTest, RegisteredIntegration } from "./testing/pluginProbe.ts"
