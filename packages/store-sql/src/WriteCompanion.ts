/**
 * What goes into the transaction of the next write of a fiber: set by `SqlDatabase.together`, seen by `SqlDatabase.run`.
 *
 * Of the fiber and not an argument, because in between are the methods of the store, and whatever a host has put around them.
 */
import * as Context from "effect/Context"
import type { Kysely } from "kysely"
import { inTransaction } from "./inTransaction.ts"
import type { SqlFlavor } from "./SqlFlavor.ts"
import type { Tables } from "./tables.ts"

/** See the file's header. */
export interface WriteCompanion {
  /** The database whose write is meant. */
  readonly database: object
  /** Completes the sentence "The store could not … and …". */
  readonly name: string
  /** Runs after the write, with its answer. */
  readonly follow: (transaction: Kysely<Tables>, answer: unknown) => Promise<void>
  /** Whether it went with a write that was committed; it goes with one. */
  isDone: boolean
}

/** That of the running fiber. */
export const currentCompanion = Context.Reference<WriteCompanion | undefined>("@keyward/store-sql/WriteCompanion", {
  defaultValue: () => undefined,
})

/**
 * A write and what goes with it, in one transaction. What follows comes last: it locks what all writers want, and nobody who has that
 * goes on to wait for something else.
 */
export const accompanied =
  <A>(companion: WriteCompanion, flavor: SqlFlavor, write: (db: Kysely<Tables>) => Promise<A>) =>
  async (db: Kysely<Tables>): Promise<A> => {
    try {
      const answer = await inTransaction(db, flavor, async (transaction) => {
        const answer = await write(transaction)
        // A statement that was turned down has ended the transaction in Postgres, where it cannot be committed any more.
        if (answer === false) throw new Refusal(answer)
        await companion.follow(transaction, answer)
        return answer
      })
      companion.isDone = true
      return answer
    } catch (error) {
      if (error instanceof Refusal) return error.answer as A
      throw error
    }
  }

/** Takes a transaction back whose write changed nothing, and carries its answer out. */
class Refusal {
  readonly answer: unknown
  constructor(answer: unknown) {
    this.answer = answer
  }
}
