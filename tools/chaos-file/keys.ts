/** What the run and its victims agree on. */

/** The key every vault of the run begins with. */
export const firstKey = Buffer.alloc(32, 7)
/** The key `story` changes to. */
export const secondKey = Buffer.alloc(32, 8)
/** How many ids each writer goes round. */
export const SLOTS = 20
/** Large enough that overwriting it makes compaction due. */
export const largeValue = "x".repeat(300_000)
