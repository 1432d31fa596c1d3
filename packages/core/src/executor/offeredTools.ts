/**
 * The walk that listing and searching share: every connection that a caller sees, with the catalog that its tools are in.
 *
 * What narrows a caller's view of tools belongs here, so that each of them keeps to it.
 */
import * as Effect from "effect/Effect"
import type { ConnectionRow } from "../connection/Connection.ts"
import { connectionIdentifier, type ConnectionRef } from "../connection/ConnectionRef.ts"
import type { StoreUnavailableError } from "../error/StoreError.ts"
import type { Identity, Owner } from "../identity/Identity.ts"
import { modeAllows } from "../identity/IdentityMode.ts"
import { compiledIntegration, identityModeOf, type IntegrationRecord } from "../integration/Integration.ts"
import { parseConnectionAddress } from "../tool/ToolAddress.ts"
import type { ToolDef } from "../tool/Tool.ts"
import type { ToolCatalog } from "../tool/ToolCatalog.ts"
import { type VisibleConnection, visibleConnections } from "./access.ts"
import { catalogOf } from "./Catalogs.ts"
import { selectConnection, type SelectError } from "./ConnectionSelector.ts"
import { shownTools } from "./policyCheck.ts"
import type { Resources } from "./Resources.ts"

/** Which connections; everything given has to hold. */
export interface OfferedToolsFilter {
  readonly integration?: string | undefined
  readonly owner?: Owner | undefined
  /** A connection's name, in any spelling, or its address. */
  readonly connection?: string | undefined
}

/** A connection that the caller sees, and what it offers. */
export interface OfferedCatalog {
  /** Which of the tools the caller may call is for the visitor to ask (`mayCall`). */
  readonly connection: VisibleConnection
  readonly integration: IntegrationRecord
  /** The same object for all connections that share a catalog. */
  readonly catalog: ToolCatalog
  /** Whether policy lets the caller be shown one of the connection's tools. */
  readonly isShown: (tool: ToolDef) => boolean
}

/**
 * Visits connections in order of integration, owner and name, until `visit` answers `false`; with `start`, from that one on,
 * whether it is still there or not.
 *
 * A connection whose tools cannot be found out is passed over.
 */
export const walkOfferedTools = (
  resources: Resources,
  identity: Identity,
  input: OfferedToolsFilter,
  start: ConnectionRef | undefined,
  visit: (offered: OfferedCatalog) => boolean,
): Effect.Effect<void, StoreUnavailableError> =>
  Effect.gen(function* () {
    const filter = connectionFilter(input)
    const shared: SharedCatalogs = new Map()
    const isShown = yield* shownTools(resources, identity)
    const visited = (connection: VisibleConnection, offered: SharedCatalog): boolean =>
      offered === null ||
      !modeAllows(identityModeOf(offered.integration), connection.row.owner) ||
      visit({ connection, ...offered, isShown: (tool) => isShown(connection.row, tool) })
    let position: Pick<ConnectionRow, "integration" | "owner" | "name"> | undefined = start
    if (start !== undefined) {
      const selected = yield* optional(selectConnection(resources, identity, start))
      if (selected !== undefined && isListed(filter, selected.row)) {
        const offered = yield* offeredBy(resources, selected, shared)
        if (!visited(selected, offered)) return
      }
    }
    for (;;) {
      const connections: ReadonlyArray<VisibleConnection> = yield* visibleConnections(resources, identity, {
        tenant: identity.tenant,
        subject: identity.subject,
        integration: filter.integration,
        owner: filter.owner,
        after: position,
        limit: pageSize,
      })
      for (const connection of connections) {
        if (!isListed(filter, connection.row)) continue
        const known = shared.get(connection.row.integration)
        const offered = known === undefined ? yield* offeredBy(resources, connection, shared) : known
        if (!visited(connection, offered)) return
      }
      if (connections.length < pageSize) return
      position = connections[connections.length - 1]?.row
    }
  })

/** Turns "there is no such connection" into nothing; a store that is down stays an error. */
export const optional = <A>(
  selected: Effect.Effect<A, SelectError>,
): Effect.Effect<A | undefined, StoreUnavailableError> =>
  Effect.catch(selected, (error) =>
    error._tag === "StoreUnavailableError" ? Effect.fail(error) : Effect.succeed(undefined),
  )

const pageSize = 1000

/** By integration; `null` where no connection of it offers anything. */
type SharedCatalogs = Map<string, SharedCatalog>

type SharedCatalog = Pick<OfferedCatalog, "integration" | "catalog"> | null

/** Where the answer is the same for all connections of the integration, it is kept in `shared` for those that follow. */
const offeredBy = (
  resources: Resources,
  connection: VisibleConnection,
  shared: SharedCatalogs,
): Effect.Effect<SharedCatalog, StoreUnavailableError> =>
  Effect.gen(function* () {
    const { identity, row } = connection
    const integration = yield* resources.store.integrations.get(identity.tenant, row.integration, "recent")
    if (integration === undefined) return null
    const compiled = compiledIntegration(integration)
    const catalog = yield* Effect.catch(
      catalogOf(resources, { ...connection, integration, compiled }),
      (error): Effect.Effect<null, StoreUnavailableError> =>
        error._tag === "StoreUnavailableError" ? Effect.fail(error) : Effect.succeed(null),
    )
    const offered = catalog === null ? null : { integration, catalog }
    const plugin = resources.plugins.get(integration.plugin)
    if (plugin === undefined || plugin.catalog === "integration") shared.set(row.integration, offered)
    return offered
  })

interface ConnectionFilter {
  readonly integration: string | undefined
  readonly owner: Owner | undefined
  readonly name: string | undefined
  /** The connection, where it was given by its address. */
  readonly ref: ConnectionRef | undefined
}

const isListed = ({ integration, owner, name, ref }: ConnectionFilter, row: ConnectionRow): boolean =>
  (integration === undefined || row.integration === integration) &&
  (owner === undefined || row.owner === owner) &&
  (name === undefined || row.name === name) &&
  (ref === undefined || (row.integration === ref.integration && row.owner === ref.owner))

const connectionFilter = ({ integration, owner, connection }: OfferedToolsFilter): ConnectionFilter => {
  const ref = connection === undefined ? undefined : parseConnectionAddress(connection)
  return ref === undefined
    ? {
        integration,
        owner,
        name: connection === undefined ? undefined : (connectionIdentifier(connection) ?? connection),
        ref,
      }
    : { integration: integration ?? ref.integration, owner: owner ?? ref.owner, name: ref.name, ref }
}
