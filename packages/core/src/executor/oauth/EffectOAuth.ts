/** `executor.oauth` on the Effect surface: the verbs of this folder, bound to the identity that they act for. */
import type * as Effect from "effect/Effect"
import type { Connection } from "../../connection/Connection.ts"
import type { InvalidConnectionInputError } from "../../connection/ConnectionError.ts"
import type { ConnectionRef } from "../../connection/ConnectionRef.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity, Owner } from "../../identity/Identity.ts"
import type { CallbackInput } from "../../oauth/AuthorizationResponse.ts"
import type { ProbeOAuthInput, ProbeResult } from "../../oauth/Discovery.ts"
import type { OAuthClient } from "../../oauth/OAuthClient.ts"
import type { InvalidOAuthClientError, OAuthDiscoveryError } from "../../oauth/OAuthError.ts"
import { audited } from "../audit/AuditLog.ts"
import type { Resources } from "../Resources.ts"
import { cancelFlow } from "./cancelFlow.ts"
import type { CreateOAuthClientInput } from "./clientInput.ts"
import { completeFlow, type CompleteOAuthError } from "./completeFlow.ts"
import { connectAccount, type ConnectOAuthError, type ConnectOAuthInput } from "./connectAccount.ts"
import { grantSummary, type OAuthGrant } from "./grantSummary.ts"
import { type KeepAlive, keepAlive, type KeepAliveOptions } from "./keepAlive.ts"
import {
  createOAuthClient,
  type CreateOAuthClientError,
  listOAuthClients,
  type ListOAuthClientsInput,
  removeOAuthClient,
  type RemoveOAuthClientError,
} from "./OAuthClients.ts"
import { pollFlow, type PollOAuthResult } from "./pollFlow.ts"
import { probeOAuth } from "./probeOAuth.ts"
import {
  registerDynamicClient,
  type RegisterDynamicClientError,
  type RegisterDynamicClientInput,
} from "./registerDynamicClient.ts"
import { startFlow } from "./startFlow.ts"
import type { StartOAuthError, StartOAuthInput, StartOAuthResult } from "./StartingFlow.ts"

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

/** Binds `executor.oauth` to an identity. */
export const oauthOf = (resources: Resources, identity: Identity): EffectOAuth => ({
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
})
