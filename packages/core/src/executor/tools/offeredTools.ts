/**
 * The walk that listing and searching share: every connection that a caller sees, with the catalog that its tools are in.
 *
 * What narrows a caller's view of tools belongs here, so that each of them keeps to it.
 */
import * as Effect from "effect/Effect"
import type { ConnectionRow } from "../../connection/Connection.ts"
import { connectionIdentifier, type ConnectionRef } from "../../connection/ConnectionRef.ts"
import { compareRefs, type RefOrder } from "../../connection/listOrder.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity, Owner } from "../../identity/Identity.ts"
import { modeAllows } from "../../identity/IdentityMode.ts"
import { compiledIntegration, identityModeOf, type IntegrationRecord } from "../../integration/Integration.ts"
import type { ToolDef } from "../../tool/Tool.ts"
import { parseConnectionAddress } from "../../tool/ToolAddress.ts"
import type { ToolCatalog } from "../../tool/ToolCatalog.ts"
import { type VisibleConnection, visibleConnections } from "../agents/access.ts"
import { shownTools, shownToolsOf } from "../policies/policyCheck.ts"
import type { Resources } from "../Resources.ts"
import { selectConnection, type SelectError } from "../select/ConnectionSelector.ts"
import { catalogOf } from "./Catalogs.ts"

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

/** What a visitor wants: to go on, to end, or none of those that share the catalog it was shown. */
export type Onward = "on" | "end" | "elsewhere"

/** Where to begin, and how many connections are likely to be enough. */
export interface WalkFrom {
  /** From this one on, whether it is still there or not. */
  readonly start?: ConnectionRef | undefined
  /** So many are read at first, and more with each further page. Default: as many as a page holds. */
  readonly enough?: number | undefined
}

/**
 * Visits connections in order of integration, owner and name, until `visit` has enough.
 *
 * A connection whose tools cannot be found out is passed over. What offers nothing, however many connections share it, is read of at most
 * once.
 */
export const walkOfferedTools = (
  resources: Resources,
  identity: Identity,
  input: OfferedToolsFilter,
  { start, enough = mostPerPage }: WalkFrom,
  visit: (offered: OfferedCatalog) => Onward,
): Effect.Effect<void, StoreUnavailableError> =>
  Effect.gen(function* () {
    const filter = connectionFilter(input)
    const shared: SharedCatalogs = new Map()
    const isShown = yield* shownTools(resources, identity)
    /** The place after which to go on; `undefined`: nowhere. */
    const visited = (
      connection: VisibleConnection,
      offered: SharedCatalog,
      isShown: OfferedCatalog["isShown"],
    ): RefOrder | undefined => {
      const { row } = connection
      const isShared = shared.has(row.integration)
      if (offered === null) return isShared ? endOf(row.integration) : row
      if (!modeAllows(identityModeOf(offered.integration), row.owner)) {
        return row.owner === "org" ? usersOf(row.integration) : endOf(row.integration)
      }
      const onward = visit({ connection, ...offered, isShown })
      if (onward === "end") return undefined
      return onward === "elsewhere" && isShared ? endOf(row.integration) : row
    }
    let position: RefOrder | undefined = start
    if (start !== undefined) {
      const selected = yield* optional(selectConnection(resources, identity, start))
      if (selected !== undefined && isListed(filter, selected.row)) {
        position = visited(
          selected,
          yield* offeredBy(resources, selected, shared),
          yield* shownToolsOf(resources, isShown, selected),
        )
        if (position === undefined) return
      }
    }
    for (let size = Math.max(1, Math.min(enough, mostPerPage)); ; size = Math.min(2 * size, mostPerPage)) {
      const connections: ReadonlyArray<VisibleConnection> = yield* visibleConnections(resources, identity, {
        tenant: identity.tenant,
        subject: identity.subject,
        integration: filter.integration,
        owner: filter.owner,
        name: filter.name,
        after: position,
        limit: size,
      })
      for (const connection of connections) {
        const { row } = connection
        if (position !== undefined && compareRefs(row, position) <= 0) continue
        position = row
        if (!isListed(filter, row)) continue
        const known = shared.get(row.integration)
        const offered = known === undefined ? yield* offeredBy(resources, connection, shared) : known
        position = visited(connection, offered, yield* shownToolsOf(resources, isShown, connection))
        if (position === undefined) return
      }
      if (connections.length < size) return
    }
  })

/** Turns "there is no such connection" into nothing; a store that is down stays an error. */
export const optional = <A>(
  selected: Effect.Effect<A, SelectError>,
): Effect.Effect<A | undefined, StoreUnavailableError> =>
  Effect.catch(selected, (error) =>
    error._tag === "StoreUnavailableError" ? Effect.fail(error) : Effect.succeed(undefined),
  )

const mostPerPage = 1000

/** Before the connections of users; names are never empty. */
const usersOf = (integration: string): RefOrder => ({ integration, owner: "user", name: "" })

/** After all connections of an integration: nothing comes between a slug and the same with U+0000 behind it. */
const endOf = (slug: string): RefOrder => ({ integration: `${slug}\0`, owner: "org", name: "" })

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
    if (integration === undefined) {
      shared.set(row.integration, null)
      return null
    }
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
