/** `executor.connections` on the Effect surface: the verbs of this folder, bound to the identity that they act for. */
import type * as Effect from "effect/Effect"
import type { Connection } from "../../connection/Connection.ts"
import type { InvalidConnectionInputError } from "../../connection/ConnectionError.ts"
import type { ConnectionRef } from "../../connection/ConnectionRef.ts"
import type { CreateConnectionInput } from "../../connection/CreateConnection.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity } from "../../identity/Identity.ts"
import type { Fetch } from "../../integration/Plugin.ts"
import type { AccessDeniedError, InvalidGrantError } from "../../policy/AccessError.ts"
import type { Share, ShareInput, ShareRecipient } from "../../policy/Share.ts"
import type { Tool } from "../../tool/Tool.ts"
import { listShares, type ListSharesInput, share, type ShareError, unshare } from "../agents/Shares.ts"
import { audited } from "../audit/AuditLog.ts"
import { connectionFetch } from "../authorize/connectionFetch.ts"
import type { Resources } from "../Resources.ts"
import type { SelectError } from "../select/ConnectionSelector.ts"
import {
  type AccountsRef,
  clearDefault,
  getDefault,
  selectedConnection,
  setDefault,
  type SetDefaultError,
} from "../select/DefaultAccounts.ts"
import type { AccountRequest, SelectAccountError } from "../select/selectAccount.ts"
import type { CatalogError } from "../tools/Catalogs.ts"
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
} from "./Connections.ts"
import { createConnection, type CreateConnectionError } from "./createConnection.ts"

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

/** Binds `executor.connections` to an identity. */
export const connectionsOf = (resources: Resources, identity: Identity): EffectConnections => ({
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
})
