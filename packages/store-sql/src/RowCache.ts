/**
 * What a process has read of the records that calls need, for as long as it is known, or allowed, to be what the database has.
 *
 * Called by `SqlDatabase` for reads that may be answered from memory, and told of every write. An entry holds the text of a record and
 * what was made of it, and hands out the same object for as long as the text is the same, so that whatever is derived from it can be
 * kept beside it in a `WeakMap`. Nothing that decides about a write is ever read here.
 */
import * as Effect from "effect/Effect"
import type { ChangeWatch } from "./ChangeWatch.ts"
import { fromDocument } from "./document.ts"
import { Generations } from "./Generations.ts"

/** Names a record: the word for its kind, then the key columns as they are stored. */
export type RecordKey = readonly [kind: string, ...columns: ReadonlyArray<string>]

/** How much is kept, and for how long where changes are not seen. */
export interface RowCacheLimits {
  readonly maxEntries: number
  /** How long a record is used after it was read while the watch cannot tell, in milliseconds. */
  readonly maxStaleMs: number
  /** How long after a record was last known to be right it is used when the database cannot be read, in milliseconds. */
  readonly outageMs: number
}

/** Brings the texts of records, `undefined` for those that are not there. */
export type Fetch = () => Promise<ReadonlyArray<string | undefined>>

/** What is in memory of a record; the value is `undefined` where there is none. */
export interface KnownRecord {
  readonly value: unknown
  /** The answer of a read, made once. */
  readonly found: Effect.Effect<unknown>
}

interface Entry extends KnownRecord {
  /** The stored text. */
  readonly text: string | undefined
  readonly stamp: number | undefined
  /** When the read began that brought it, by `performance.now()`. */
  readonly readAt: number
}

/** A read under way: the records of all its keys, and which of them is meant. */
interface Reading {
  readonly values: Promise<ReadonlyArray<unknown>>
  readonly index: number
}

/** All texts together; a large catalog weighs more than a connection. */
const mostCharacters = 64 * 2 ** 20

/** Key columns hold no U+0000: `keyText` escapes it. */
const separator = "\0"

/** See the file's header. */
export class RowCache {
  readonly #watch: ChangeWatch
  readonly #limits: RowCacheLimits
  readonly #entries: Generations<Entry>
  /** Reads under way, which a change of their record makes worthless for the cache. */
  readonly #reading = new Map<string, Reading>()

  constructor(watch: ChangeWatch, limits: RowCacheLimits) {
    this.#watch = watch
    this.#limits = limits
    this.#entries = new Generations(
      limits.maxEntries,
      mostCharacters,
      (id, { text }) => id.length + (text?.length ?? 0),
    )
  }

  /** The answer for a key, if it may be given without asking the database. */
  known(key: RecordKey): KnownRecord | undefined {
    const id = key.join(separator)
    const stamp = this.#watch.stamp()
    const entry = this.#entries.get(id)
    return entry !== undefined && this.#isValid(entry, stamp) ? entry : undefined
  }

  /** What is in memory of a key and may be used if the database cannot be read; what is known to have been changed is not. */
  held(key: RecordKey): KnownRecord | undefined {
    const entry = this.#entries.get(key.join(separator))
    return entry !== undefined && this.#ageOf(entry) < this.#limits.outageMs ? entry : undefined
  }

  /**
   * The record of the first key, by a read of all of them, whose texts `fetch` brings in the same order. Whoever wants what is being
   * read already waits for that.
   */
  read(keys: readonly [RecordKey, ...ReadonlyArray<RecordKey>], fetch: Fetch): Promise<unknown> {
    const ids = keys.map((key) => key.join(separator))
    const underWay = this.#reading.get(ids[0] ?? "")
    // It may be among the others of a read whose first is something else.
    if (underWay !== undefined) return underWay.values.then((values) => values[underWay.index])
    const values: Reading["values"] = this.#fetched(ids, fetch, () => values)
    for (const [index, id] of ids.entries()) if (!this.#reading.has(id)) this.#reading.set(id, { values, index })
    return values.then(([first]) => first)
  }

  /** Forgets a record that was or may have been changed, and what is being read of it. */
  drop(key: RecordKey): void {
    this.#forget(key.join(separator))
  }

  /** The same for every record whose key goes on from this one. */
  dropUnder(key: RecordKey): void {
    const under = `${key.join(separator)}${separator}`
    for (const id of [...this.#entries.keys(), ...this.#reading.keys()]) if (id.startsWith(under)) this.#forget(id)
  }

  /** Waits until no other process answers from memory what was stored before; see `ChangeWatch`. */
  confirm(): Promise<void> {
    return this.#watch.confirm?.() ?? Promise.resolve()
  }

  /** Ends the watch. */
  close(): Promise<void> {
    this.#entries.clear()
    this.#reading.clear()
    return this.#watch.close()
  }

  async #fetched(ids: ReadonlyArray<string>, fetch: Fetch, itself: () => Reading["values"]): Reading["values"] {
    const stamp = this.#watch.stamp()
    const readAt = performance.now()
    const values: Array<unknown> = []
    try {
      const texts = await fetch()
      for (const [index, id] of ids.entries()) {
        const text = texts[index]
        const known = this.#entries.get(id)
        const isSame = known !== undefined && known.text === text
        const value = isSame ? known.value : text === undefined ? undefined : fromDocument(text)
        values.push(value)
        // What was changed after this read began is not in it for certain.
        if (this.#reading.get(id)?.values !== itself()) continue
        const found = isSame ? known.found : Effect.succeed(value)
        this.#entries.set(id, { text, value, found, stamp, readAt })
      }
    } finally {
      for (const id of ids) if (this.#reading.get(id)?.values === itself()) this.#reading.delete(id)
    }
    return values
  }

  #isValid(entry: Entry, stamp: number | undefined): boolean {
    if (stamp !== undefined) return entry.stamp === stamp
    // What somebody has just made is looked for at once, and nobody would be told of it.
    if (entry.text === undefined) return false
    // Others wait for this process from when it listens until what it had heard by then is too old to be believed.
    if (!this.#watch.isBlind && (entry.stamp === undefined || entry.stamp !== this.#watch.lastProof?.stamp))
      return false
    return this.#ageOf(entry) < this.#limits.maxStaleMs
  }

  /** How long ago it was last known to be what is stored, in milliseconds. */
  #ageOf({ stamp, readAt }: Entry): number {
    const { lastProof } = this.#watch
    return performance.now() - (lastProof?.stamp === stamp ? Math.max(readAt, lastProof?.at ?? 0) : readAt)
  }

  #forget(id: string): void {
    this.#entries.delete(id)
    this.#reading.delete(id)
  }
}
