/**
 * Writers of one store that found a SQLite file locked by somebody else. One of them tries again and again; the others stand behind it, in
 * the order in which they came, so that many that wait cost no more than one.
 */

/** How many go one after another before other processes, which try at times of their own, are let in between. */
const mostInARow = 8

/** See the file's header. */
export class LockQueue {
  readonly #standing = new Set<Standing>()
  #isTaken = false
  #inARow = 0

  /** Whether somebody waits, whom nobody may overtake. */
  get isTaken(): boolean {
    return this.#isTaken
  }

  /** Waits to be the one that tries, who has to {@link leave}. Answers `false` when that was not to be before the deadline. */
  turn(deadline: number): Promise<boolean> {
    if (!this.#isTaken) {
      this.#isTaken = true
      return Promise.resolve(true)
    }
    return new Promise((resolve) => {
      const standing: Standing = (afterMs) => {
        clearTimeout(timer)
        this.#standing.delete(standing)
        if (afterMs === 0) resolve(true)
        else setTimeout(resolve, afterMs, true)
      }
      const timer = setTimeout(
        () => {
          this.#standing.delete(standing)
          resolve(false)
        },
        Math.max(0, deadline - performance.now()),
      )
      this.#standing.add(standing)
    })
  }

  /** Lets the next one try, with or without success of one's own. */
  leave(): void {
    const [next] = this.#standing
    if (next === undefined) {
      this.#isTaken = false
      return
    }
    this.#inARow = (this.#inARow + 1) % mostInARow
    next(this.#inARow === 0 ? retryMs() : 0)
  }
}

/** Lets one of those that stand go on, after so many milliseconds. */
type Standing = (afterMs: number) => void

/** How long to leave a database to others before the next try: never the same, so that two do not meet again and again. */
export const retryMs = (): number => 1 + Math.random() * 9
