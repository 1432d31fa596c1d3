/**
 * Sees at once what other connections committed to a SQLite file: `pragma data_version` differs when, and only when, one of them did.
 *
 * https://www.sqlite.org/pragma.html#pragma_data_version. What the own connection writes does not change it; `RowCache` is told of that.
 */
import type { ChangeWatch } from "./ChangeWatch.ts"

/**
 * Makes the watch of a file. `dataVersion` answers `undefined` while the file is not open, and may throw.
 *
 * It is asked once for all reads of one uninterrupted stretch of this process: nothing can have told the process of a change in between.
 */
export const sqliteWatch = (dataVersion: () => number | undefined): ChangeWatch => {
  const proof = { stamp: 0, at: 0 }
  let isProven = false
  let isAsked = false
  const askAgain = (): void => {
    isAsked = false
  }
  return {
    stamp: () => {
      if (isAsked) return proof.stamp
      let version: number | undefined
      try {
        version = dataVersion()
      } catch {
        // The read that follows says what is wrong.
      }
      if (version === undefined) return undefined
      isProven = true
      isAsked = true
      queueMicrotask(askAgain)
      proof.stamp = version
      proof.at = performance.now()
      return version
    },
    get lastProof() {
      return isProven ? proof : undefined
    },
    isBlind: false,
    close: () => Promise.resolve(),
  }
}
