/**
 * Goes on with what is in memory while the database cannot be read, and says when that begins and ends.
 *
 * Called by `SqlDatabase` with reads that may be answered from memory. A database that answers slowly is one that cannot be read, after a
 * moment; every read goes on in the background, so the first that is answered ends it.
 */
import { StoreUnavailableError } from "@keyward/core"
import type { StoreOutage } from "@keyward/core/effect"

/** What is in memory of a record, for as long as it may be used without the database. */
export interface HeldRecord {
  readonly value: unknown
}

/** How long a read is waited for before what is held is used, in milliseconds. */
const patienceMs = 1000

/** See the file's header. */
export class Outage {
  readonly #listeners = new Set<(outage: StoreOutage) => void>()
  #reason: string | undefined

  /** Tells of each outage's begin and end; ends with what it returns. */
  watch(listener: (outage: StoreOutage) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** The answer of a read, or what is held instead. */
  async bridge(reading: Promise<unknown>, held: HeldRecord | undefined): Promise<unknown> {
    const watched = reading.then(
      (value) => {
        this.#end()
        return value
      },
      (error: unknown) => {
        if (held === undefined || !isAway(error)) throw error
        this.#begin(error.reason)
        return held.value
      },
    )
    if (held === undefined) return watched
    if (this.#reason !== undefined) return held.value
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<unknown>((resolve) => {
      timer = setTimeout(() => {
        this.#begin("slow")
        resolve(held.value)
      }, patienceMs)
    })
    try {
      return await Promise.race([watched, late])
    } finally {
      clearTimeout(timer)
    }
  }

  #begin(reason: string): void {
    if (this.#reason !== undefined) return
    this.#reason = reason
    for (const listener of this.#listeners) listener({ isAway: true, reason })
  }

  #end(): void {
    if (this.#reason === undefined) return
    this.#reason = undefined
    for (const listener of this.#listeners) listener({ isAway: false })
  }
}

/** A store that was closed, or whose tables are another version's, is not away. */
const isAway = (error: unknown): error is StoreUnavailableError =>
  error instanceof StoreUnavailableError && error.reason !== "closed" && !error.reason.startsWith("schema_")
