/** Several statements as one: all of them are done, and seen at once, or none. */
import { type Kysely, sql } from "kysely"
import type { SqlFlavor } from "./SqlFlavor.ts"
import type { Tables } from "./tables.ts"

/** Runs statements in a transaction, which is undone when one of them fails. */
export const inTransaction = <A>(
  db: Kysely<Tables>,
  flavor: SqlFlavor,
  statements: (transaction: Kysely<Tables>) => Promise<A>,
): Promise<A> =>
  flavor === "postgres"
    ? db.transaction().execute(async (transaction) => {
        await sql.raw(`set local idle_in_transaction_session_timeout = ${mostIdleMs}`).execute(transaction)
        return statements(transaction)
      })
    : db.connection().execute(async (connection) => {
        // Kysely's own begin deferred, and two of those that both go on to write cannot both commit.
        await sql`begin immediate`.execute(connection)
        try {
          const answer = await statements(connection)
          await sql`commit`.execute(connection)
          return answer
        } catch (error) {
          await sql`rollback`.execute(connection).catch(() => {})
          throw error
        }
      })

/**
 * How long a process may stand still between two statements before the server takes its transaction back, in milliseconds: others wait
 * for the rows that it has locked, and would give up after `timeoutMs`.
 */
const mostIdleMs = 5000
