/**
 * Catalogues that were made, by the content they were made of, so that a call does not parse a document.
 *
 * Bounded by the size of the documents behind them; the one that was not used for longest goes first. Keyed by the record's
 * fingerprint, a hash of everything in it, so that the same document under two tenants is compiled once.
 */
import type { IntegrationRecord } from "@keyward/core"
import { Catalogue } from "./Catalogue.ts"
import { readConfig } from "./OpenApiConfig.ts"

/** The most text of documents that stays compiled, in characters. */
const largestCache = 96 * 1024 * 1024

interface Entry {
  readonly catalogue: Catalogue
  readonly size: number
}

/** A cache of catalogues. */
export class Catalogues {
  readonly #byRecord = new WeakMap<IntegrationRecord, Catalogue>()
  readonly #byFingerprint = new Map<string, Entry>()
  readonly #limit: number
  #size = 0

  constructor(limit: number = largestCache) {
    this.#limit = limit
  }

  /** The catalogue of an integration, made if need be. Fails when the record holds no document of this plugin. */
  of(record: IntegrationRecord): Catalogue {
    const held = this.#byRecord.get(record)
    if (held !== undefined) return held
    const entry = this.#byFingerprint.get(record.fingerprint) ?? this.#make(record)
    // Re-inserting makes it the youngest.
    this.#byFingerprint.delete(record.fingerprint)
    this.#byFingerprint.set(record.fingerprint, entry)
    this.#byRecord.set(record, entry.catalogue)
    return entry.catalogue
  }

  #make(record: IntegrationRecord): Entry {
    const { document, baseUrl, size } = readConfig(record.config)
    const catalogue = new Catalogue(document, {
      baseUrl,
      fallbackBaseUrl: record.baseUrl ?? "",
      origins: record.origins,
      authTemplates: record.authTemplates,
    })
    this.#size += size
    for (const [fingerprint, oldest] of this.#byFingerprint) {
      if (this.#size <= this.#limit) break
      this.#byFingerprint.delete(fingerprint)
      this.#size -= oldest.size
    }
    return { catalogue, size }
  }
}
