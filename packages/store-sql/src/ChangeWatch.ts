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
  close(): Promise<void>
}

/** For databases that cannot be watched: what was read is used for as long as the cache's bound says, and no longer. */
export const unwatched: ChangeWatch = {
  stamp: () => undefined,
  lastProof: undefined,
  close: () => Promise.resolve(),
}
