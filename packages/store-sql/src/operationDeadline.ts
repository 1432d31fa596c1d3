/** Until when the operation that is running may take, for those who send its statements: the pool's clients are made by a dialect. */
import { AsyncLocalStorage } from "node:async_hooks"

const deadlines = new AsyncLocalStorage<number>()

/** Runs the statements of an operation that has until then, as `performance.now()` counts. */
export const withDeadline = <A>(deadline: number, statements: () => Promise<A>): Promise<A> =>
  deadlines.run(deadline, statements)

/** When the operation has to be over; `undefined` where none is, as while a database is migrated. */
export const currentDeadline = (): number | undefined => deadlines.getStore()

/** A statement that took too long. */
export class StatementTimeout extends Error {
  /** Whether the server may carry it out all the same: it did not answer, not even to being told to stop. */
  readonly mayHappen: boolean

  constructor(mayHappen: boolean) {
    super("timed out")
    this.mayHappen = mayHappen
  }
}
