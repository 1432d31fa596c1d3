/**
 * The last step of making a connection, by whichever way its credential came: secrets, then catalog, then row, or nothing.
 *
 * Across processes the row's version decides; whoever loses the race begins anew. What the credential before was granted is put down
 * for revocation once nothing depends on it any more.
 */
import { randomBytes } from "node:crypto"
import { isDeepStrictEqual } from "node:util"
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { type ConnectionRow, firstVersion } from "../../connection/Connection.ts"
import { ConnectionConflictError, type InvalidConnectionInputError } from "../../connection/ConnectionError.ts"
import { connectionAddress } from "../../connection/ConnectionRef.ts"
import type { CredentialProviderNotRegisteredError, ProviderError } from "../../credential/CredentialError.ts"
import { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity } from "../../identity/Identity.ts"
import type { ToolDef } from "../../tool/Tool.ts"
import type { CatalogKey } from "../../tool/ToolCatalog.ts"
import { eventOf } from "../announce.ts"
import { commitChange } from "../audit/commitChange.ts"
import { endGrant } from "../oauth/endGrant.ts"
import type { Resources } from "../Resources.ts"
import { deleteItems } from "./connectionItems.ts"
import { refuseSharedName } from "./refuseSharedName.ts"
import { releaseConnection } from "./releaseConnection.ts"

/** What committing can fail with. What was there before is there still. */
export type CommitError =
  | ProviderError
  | CredentialProviderNotRegisteredError
  | StoreUnavailableError
  | ConnectionConflictError
  | InvalidConnectionInputError

/** A connection's own tools, to be stored with it. */
export interface CatalogWrite {
  readonly key: CatalogKey
  readonly tools: ReadonlyArray<ToolDef>
}

/** What there is to write. */
export interface ConnectionCommit {
  /** The row to be, given the one before; its version and incarnation are filled in. */
  readonly rowAfter: (previous: ConnectionRow | undefined) => ConnectionRow
  /** Writes the credential and answers how to undo that; one that fails has been undone already. */
  readonly writeItems: (
    row: ConnectionRow,
    previous: ConnectionRow | undefined,
  ) => Effect.Effect<Effect.Effect<void>, ProviderError | CredentialProviderNotRegisteredError>
  readonly catalog: CatalogWrite | undefined
}

/** How often a commit that others overtake is begun anew before it gives up. */
const mostAttempts = 8

/**
 * Writes all or nothing, tells of it, and answers with the row.
 *
 * The row is compare-and-set. When somebody else got there first, their secrets may have been overwritten and ours theirs: so
 * nothing is undone then and everything written once more, as the replacement that this call has become.
 */
export const commitConnection = (
  resources: Resources,
  identity: Identity,
  { rowAfter, writeItems, catalog }: ConnectionCommit,
): Effect.Effect<ConnectionRow, CommitError> =>
  Effect.gen(function* () {
    const { store } = resources
    let row = rowAfter(undefined)
    for (let attempt = 0; attempt < mostAttempts; attempt += 1) {
      const previous = yield* store.connections.get(row)
      if (previous === undefined) yield* refuseSharedName(resources, row)
      row = {
        ...rowAfter(previous),
        incarnation: previous?.incarnation ?? randomBytes(16).toString("base64url"),
        version: versionAfter(previous, yield* Clock.currentTimeMillis),
      }
      const endPrevious = yield* endGrant(resources, previous, row)
      const restoreCatalog = catalog === undefined ? Effect.void : yield* catalogRestorer(resources, catalog.key)
      const restoreItems = yield* writeItems(row, previous)
      const writeCatalog = catalog === undefined ? Effect.void : store.catalogs.put(catalog.key, catalog.tools)
      const restored = Effect.andThen(restoreCatalog, restoreItems)
      const isWritten = yield* Effect.uninterruptible(
        Effect.andThen(
          Effect.onError(writeCatalog, () => restored),
          Effect.onError(writeRow(resources, identity, row, previous), (cause) =>
            mayBeWritten(cause) ? Effect.void : restored,
          ),
        ),
      )
      if (!isWritten) continue
      if (previous !== undefined) {
        yield* resources.inBackground(releaseConnection(resources, row))
        yield* deleteItems(resources, previous, row)
      }
      yield* endPrevious
      return row
    }
    return yield* Effect.fail(new ConnectionConflictError({ connection: connectionAddress(row) }))
  })

/** Writes the row if the one before is still there, and tells of it. */
const writeRow = (
  resources: Resources,
  identity: Identity,
  row: ConnectionRow,
  previous: ConnectionRow | undefined,
): Effect.Effect<boolean, StoreUnavailableError> => {
  const type = previous === undefined ? "connection.created" : "connection.replaced"
  return commitChange(
    resources,
    identity,
    resources.store.connections.put(row, previous?.version ?? 0),
    eventOf(row, { type }),
    (error) => foundOut(resources, row, error),
  )
}

/**
 * Whether a row is stored though writing it failed: the answer may have been lost, and what was there before must not be put back under
 * a row that is. A store that still does not answer may have written it, or be at it.
 */
const foundOut = (
  { store }: Resources,
  row: ConnectionRow,
  error: StoreUnavailableError,
): Effect.Effect<boolean, StoreUnavailableError> =>
  store.connections.get(row).pipe(
    Effect.retry({ times: 4, schedule: Schedule.exponential(100) }),
    Effect.mapError(({ operation, reason }) => new StoreUnavailableError({ operation, reason, outcome: "unknown" })),
    Effect.filterOrFail(
      (stored) => stored !== undefined && isDeepStrictEqual(asStored(stored), asStored(row)),
      () => error,
    ),
    Effect.as(true),
  )

/** A row that may be there keeps its secret. One that nobody refers to does no harm, and repeating writes over it. */
const mayBeWritten = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.some(
    (reason) =>
      reason._tag === "Fail" && reason.error instanceof StoreUnavailableError && reason.error.outcome === "unknown",
  )

const asStored = (row: ConnectionRow): unknown => JSON.parse(JSON.stringify(row))

const versionAfter = (previous: ConnectionRow | undefined, now: number): number =>
  previous === undefined ? firstVersion(now) : previous.version + 1

/** How to put a connection's catalog back to what it is now. */
const catalogRestorer = (
  { store }: Resources,
  key: CatalogKey,
): Effect.Effect<Effect.Effect<void>, StoreUnavailableError> =>
  Effect.map(store.catalogs.get(key), (tools) =>
    Effect.ignore(
      Effect.suspend(() => (tools === undefined ? store.catalogs.remove(key) : store.catalogs.put(key, tools))),
    ),
  )
