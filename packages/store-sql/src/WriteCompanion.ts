/**
 * What goes into the transaction of the next write of a fiber: set by `SqlDatabase.together`, seen by `SqlDatabase.run`.
 *
 * Of the fiber and not an argument, because in between are the methods of the store, and whatever a host has put around them.
 */
import * as Context from "effect/Context"
import type { Kysely } from "kysely"
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
