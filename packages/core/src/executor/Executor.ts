/**
 * The executor on the Effect surface: every verb, bound to the identity that it acts for.
 *
 * The Promise surface (PromiseExecutor.ts) wraps this one method by method; there is no second implementation.
 */
import * as Effect from "effect/Effect"
import type { Connection } from "../connection/Connection.ts"
import type { ConnectionConflictError } from "../connection/ConnectionError.ts"
import type { InvalidConnectionInputError } from "../connection/ConnectionError.ts"
import type { ConnectionRef } from "../connection/ConnectionRef.ts"
import type { CreateConnectionInput } from "../connection/CreateConnection.ts"
import type { CredentialProviderNotRegisteredError, ProviderError } from "../credential/CredentialError.ts"
import type { ProviderItem } from "../credential/CredentialProvider.ts"
import type { StoreUnavailableError } from "../error/StoreError.ts"
import { type Identity, type IdentityInput, type InvalidIdentityError, makeIdentity } from "../identity/Identity.ts"
import { type Integration, toIntegration } from "../integration/Integration.ts"
import type { IntegrationInUseError, IntegrationNotFoundError } from "../integration/IntegrationError.ts"
import type { Fetch } from "../integration/Plugin.ts"
import type { Tool, ToolSchema } from "../tool/Tool.ts"
import type { ToolResult } from "../tool/ToolResult.ts"
import type { CatalogError } from "./Catalogs.ts"
import {
  connectionFetch,
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
import type { SelectError } from "./ConnectionSelector.ts"
import { createConnection, type CreateConnectionError } from "./createConnection.ts"
import { makeExtension } from "./Extensions.ts"
import { getIntegration, listIntegrations, type ListIntegrationsInput, removeIntegration } from "./Integrations.ts"
import { providerItems } from "./Providers.ts"
import type { Resources } from "./Resources.ts"
import type { ExecuteOptions } from "./ToolCall.ts"
import { type ExecuteError, executeTool } from "./ToolInvoker.ts"
import { listTools, type ListToolsInput, toolSchema } from "./Tools.ts"

/** `executor.connections` on the Effect surface; the Promise surface documents each method. */
export interface EffectConnections {
  create(input: CreateConnectionInput): Effect.Effect<Connection, CreateConnectionError>
  list(
    input?: ListConnectionsInput,
  ): Effect.Effect<ReadonlyArray<Connection>, InvalidConnectionInputError | StoreUnavailableError>
  get(ref: ConnectionRef): Effect.Effect<Connection | null, InvalidConnectionInputError | StoreUnavailableError>
  update(
    ref: ConnectionRef,
    input: UpdateConnectionInput,
  ): Effect.Effect<Connection, SelectError | ConnectionConflictError>
  remove(ref: ConnectionRef): Effect.Effect<void, RemoveConnectionError>
  refresh(ref: ConnectionRef): Effect.Effect<ReadonlyArray<Tool>, SelectError | CatalogError>
  disable(ref: ConnectionRef): Effect.Effect<Connection, SelectError | ConnectionConflictError>
  enable(ref: ConnectionRef): Effect.Effect<Connection, SelectError | ConnectionConflictError>
  fetch(ref: ConnectionRef): Fetch
}

/** `executor.integrations` on the Effect surface. */
export interface EffectIntegrations {
  list(input?: ListIntegrationsInput): Effect.Effect<ReadonlyArray<Integration>, StoreUnavailableError>
  get(slug: string): Effect.Effect<Integration | null, StoreUnavailableError>
  remove(slug: string): Effect.Effect<void, IntegrationNotFoundError | IntegrationInUseError | StoreUnavailableError>
}

/** `executor.tools` on the Effect surface. */
export interface EffectTools {
  list(input?: ListToolsInput): Effect.Effect<ReadonlyArray<Tool>, InvalidConnectionInputError | StoreUnavailableError>
  schema(address: string): Effect.Effect<ToolSchema | null, SelectError | CatalogError>
}

/** `executor.providers` on the Effect surface. */
export interface EffectProviders {
  list(): ReadonlyArray<string>
  items(key: string): Effect.Effect<ReadonlyArray<ProviderItem>, ProviderError | CredentialProviderNotRegisteredError>
}

/** The executor as Effect programs use it. */
export interface EffectExecutor {
  readonly identity: Identity
  readonly connections: EffectConnections
  readonly integrations: EffectIntegrations
  readonly tools: EffectTools
  readonly providers: EffectProviders
  execute(
    address: string,
    args?: unknown,
    options?: Omit<ExecuteOptions, "signal">,
  ): Effect.Effect<ToolResult, ExecuteError>
  /** The same resources seen by another caller; see `makeIdentity` for what absent parts mean. */
  withIdentity(identity: IdentityInput): Effect.Effect<EffectExecutor, InvalidIdentityError>
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
      create: (input) => createConnection(resources, identity, input),
      list: (input = {}) => listConnections(resources, identity, input),
      get: (ref) => getConnection(resources, identity, ref),
      update: (ref, input) => updateConnection(resources, identity, ref, input),
      remove: (ref) => removeConnection(resources, identity, ref),
      refresh: (ref) => refreshConnection(resources, identity, ref),
      disable: (ref) => disableConnection(resources, identity, ref),
      enable: (ref) => enableConnection(resources, identity, ref),
      fetch: (ref) => connectionFetch(resources, identity, ref),
    },
    integrations: {
      list: (input = {}) => listIntegrations(resources, identity, input),
      get: (slug) => Effect.map(getIntegration(resources, identity, slug), (record) => record && toIntegration(record)),
      remove: (slug) => removeIntegration(resources, identity, slug),
    },
    tools: {
      list: (input = {}) => listTools(resources, identity, input),
      schema: (address) => toolSchema(resources, identity, address),
    },
    providers: {
      list: () => resources.providers.keys,
      items: (key) => providerItems(resources, identity, key),
    },
    execute: (address, args, options) => executeTool(resources, identity, address, args, options),
    withIdentity: (input) =>
      Effect.map(makeIdentity(input, identity.tenant), (other) => makeExecutor(resources, other)),
    extension: (id) => {
      const plugin = resources.plugins.get(id)
      if (plugin === undefined) return undefined
      if (!extensions.has(id)) extensions.set(id, makeExtension(resources, identity, plugin))
      return extensions.get(id)
    },
    close: () => resources.close,
  }
}
