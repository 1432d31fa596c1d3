/**
 * What a plugin makes of an integration's record, such as a parsed document, kept so that a call does not make it again.
 *
 * For plugin authors. Bounded by size; what was not used for longest goes first. Keyed by the record's fingerprint, a hash of everything
 * that was registered, so that the same content under two tenants is made once.
 */
import type { IntegrationRecord } from "./Integration.ts"

interface Entry<A> {
  readonly value: A
  readonly size: number
}

/**
 * A cache of one value per registered content.
 *
 * `make` is called when a record's value is asked for and not there; it derives it from what was registered alone, since tenants whose
 * registrations are alike share it. What it throws is thrown by `of`, and nothing is kept. Sizes and `limit` are in whatever unit suits,
 * for instance characters; a value larger than the limit stays until the next one is made.
 *
 * @example
 * ```ts
 * import { IntegrationCache } from "@keyward/core/effect"
 *
 * const documents = new IntegrationCache<unknown>(({ config }) => {
 *   const text = String(config)
 *   return { value: JSON.parse(text), size: text.length }
 * }, 8 * 1024 * 1024)
 * ```
 */
export class IntegrationCache<A> {
  readonly #make: (record: IntegrationRecord) => Entry<A>
  readonly #limit: number
  /** Oldest use first. */
  readonly #entries = new Map<string, Entry<A>>()
  #newest: string | undefined
  #size = 0

  constructor(make: (record: IntegrationRecord) => { readonly value: A; readonly size: number }, limit: number) {
    this.#make = make
    this.#limit = limit
  }

  /** The value of a record, made if need be. */
  of(record: IntegrationRecord): A {
    const { fingerprint } = record
    const known = this.#entries.get(fingerprint)
    if (known !== undefined && fingerprint === this.#newest) return known.value
    const entry = known ?? this.#makeRoom(this.#make(record))
    this.#entries.delete(fingerprint)
    this.#entries.set(fingerprint, entry)
    this.#newest = fingerprint
    return entry.value
  }

  #makeRoom(entry: Entry<A>): Entry<A> {
    this.#size += entry.size
    for (const [fingerprint, oldest] of this.#entries) {
      if (this.#size <= this.#limit) break
      this.#entries.delete(fingerprint)
      this.#size -= oldest.size
    }
    return entry
  }
}
