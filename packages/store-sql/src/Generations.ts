/**
 * A map of bounded size that forgets what was not used for longest, roughly, at no cost for each use.
 *
 * Two maps: what is written or found goes to the younger; when that holds half of what is allowed, it becomes the older one, and the one
 * that was is let go. (Moving an entry to the end of one `Map` with each use costs more than the query that it spares.)
 */
export class Generations<Value> {
  readonly #mostEntries: number
  readonly #mostWeight: number
  readonly #weightOf: (key: string, value: Value) => number
  #young = new Map<string, Value>()
  #old = new Map<string, Value>()
  /** Of the younger; what was deleted from it since still counts. */
  #weight = 0

  constructor(mostEntries: number, mostWeight: number, weightOf: (key: string, value: Value) => number) {
    this.#mostEntries = Math.ceil(mostEntries / 2)
    this.#mostWeight = mostWeight / 2
    this.#weightOf = weightOf
  }

  /** A use: it stays for longer. */
  get(key: string): Value | undefined {
    const found = this.#young.get(key)
    if (found !== undefined) return found
    const old = this.#old.get(key)
    if (old !== undefined) this.set(key, old)
    return old
  }

  set(key: string, value: Value): void {
    if (this.#mostEntries === 0) return
    const weight = this.#weightOf(key, value)
    const isFull = this.#young.size >= this.#mostEntries || this.#weight + weight > this.#mostWeight
    if (isFull && this.#young.size > 0) {
      this.#old = this.#young
      this.#young = new Map()
      this.#weight = 0
    }
    this.#old.delete(key)
    this.#young.set(key, value)
    this.#weight += weight
  }

  delete(key: string): void {
    this.#young.delete(key)
    this.#old.delete(key)
  }

  keys(): ReadonlyArray<string> {
    return [...this.#young.keys(), ...this.#old.keys()]
  }

  clear(): void {
    this.#young.clear()
    this.#old.clear()
    this.#weight = 0
  }
}
