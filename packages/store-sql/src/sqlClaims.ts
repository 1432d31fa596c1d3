/**
 * Claims on connections whose tokens are about to be renewed: a row each, until a time, so that processes share the work.
 *
 * A table of its own, because a claim is no change of a connection, which all would be told of.
 */
import type { StoreUnavailableError } from "@keyward/core"
import type { ConnectionKey } from "@keyward/core/effect"
import * as Effect from "effect/Effect"
import { partitionText } from "./keyText.ts"
import { connectionColumns } from "./recordKeys.ts"
import type { SqlDatabase } from "./SqlDatabase.ts"

/** Claims what nobody has; answers which. One statement, so that of any number who claim a row at the same time, one gets it. */
export const claimRows = (
  database: SqlDatabase,
  tenant: string,
  keys: ReadonlyArray<ConnectionKey>,
  { now, until }: { readonly now: number; readonly until: number },
): Effect.Effect<ReadonlyArray<boolean>, StoreUnavailableError> => {
  if (keys.length === 0) return Effect.succeed([])
  const rows = keys.map((key) => ({ ...connectionColumns({ ...key, tenant }), claimed_until: until }))
  // Processes that claim several rows in different orders would wait for one another.
  const ordered = [...rows].sort((one, other) => (idOf(one) < idOf(other) ? -1 : 1))
  const removeOld = database.run("forget old claims", "write", (db) =>
    db
      .deleteFrom("keyward_claims")
      .where("tenant", "=", partitionText(tenant))
      .where("claimed_until", "<=", now)
      .execute(),
  )
  const insert = database.run("claim connections", "write", (db) =>
    db
      .insertInto("keyward_claims")
      .values(ordered)
      .onConflict((conflict) =>
        conflict
          .columns(["tenant", "subject", "integration", "name"])
          .doUpdateSet({ claimed_until: until })
          .where("keyward_claims.claimed_until", "<=", now),
      )
      .returning(["subject", "integration", "name"])
      .execute(),
  )
  return Effect.andThen(
    removeOld,
    Effect.map(insert, (claimed) => {
      const got = new Set(claimed.map(idOf))
      return rows.map((row) => got.has(idOf(row)))
    }),
  )
}

const idOf = (row: { readonly subject: string; readonly integration: string; readonly name: string }): string =>
  [row.subject, row.integration, row.name].join("\0")
