/**
 * Chance that can be had again: what a run draws follows from its seed.
 *
 * Sockets and timers interleave as they like, so the same seed gives the same faults in the same order and not the same run.
 */
export class Random {
  readonly seed: number
  #state: number

  constructor(seed: number) {
    this.seed = seed >>> 0
    this.#state = this.seed
  }

  /** At least 0, below 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  chance(share: number): boolean {
    return this.next() < share
  }

  /** A whole number from `least` to `most`, both included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1))
  }

  pick<A>(choices: ReadonlyArray<A>): A {
    const choice = choices[Math.floor(this.next() * choices.length)]
    if (choice === undefined) throw new Error("There is nothing to pick from.")
    return choice
  }
}
