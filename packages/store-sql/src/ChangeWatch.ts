/**
 * How a process knows whether others have changed what it read: by asking the file (SQLite), by being told (Postgres), or not at all.
 */

/** See the file's header. Times are those of `performance.now()`. */
export interface ChangeWatch {
  /**
   * A number that differs from before when something may have changed that was not said to `RowCache.drop`. Asked before every read
   * from memory, so it costs next to nothing. `undefined` while that cannot be told.
   */
  stamp(): number | undefined
  /** When a stamp was last known to be right, with that stamp; before the first one `undefined`. */
  readonly lastProof: { readonly stamp: number; readonly at: number } | undefined
  /** Whether changes cannot be seen here at all: there never is a stamp, and nobody waits for this process to have heard. */
  readonly isBlind: boolean
  /**
   * Waits until no process that is told of changes answers from memory what was stored before this was called, for changes that
   * somebody makes and relies on. Absent where all see every change at once.
   */
  confirm?(): Promise<void>
  close(): Promise<void>
}

/** For databases that cannot be watched: what was read is used for as long as the cache's bound says, and no longer. */
export const unwatched: ChangeWatch = {
  stamp: () => undefined,
  lastProof: undefined,
  isBlind: true,
  close: () => Promise.resolve(),
}
