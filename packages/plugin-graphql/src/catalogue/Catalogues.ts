/**
 * Catalogues that were made, by the content they were made of, so that a call does not parse a schema.
 *
 * Bounded by the size of the schemas behind them; the one that was not used for longest goes first. Keyed by the record's fingerprint, a
 * hash of everything in it, so that the same schema under two tenants is compiled once.
 */
import type { IntegrationRecord } from "@keyward/core"
import { readConfig } from "../GraphQLConfig.ts"
import { compileSchema } from "../schema/loadSchema.ts"
import { Catalogue } from "./Catalogue.ts"

/** The most text of schemas that stays compiled, in characters; compiled it takes about eight times that. */
const largestCache = 8 * 1024 * 1024

interface Entry {
  readonly catalogue: Catalogue
  readonly size: number
}

/** A cache of catalogues. */
export class Catalogues {
  /** Oldest use first. */
  readonly #entries = new Map<string, Entry>()
  readonly #limit: number
  #newest: string | undefined
  #size = 0

  constructor(limit: number = largestCache) {
    this.#limit = limit
  }

  /** The catalogue of an integration, made if need be. Fails when the record holds no schema of this plugin. */
  of(record: IntegrationRecord): Catalogue {
    const { fingerprint } = record
    const known = this.#entries.get(fingerprint)
    if (known !== undefined && fingerprint === this.#newest) return known.catalogue
    const entry = known ?? this.#make(record)
    this.#entries.delete(fingerprint)
    this.#entries.set(fingerprint, entry)
    this.#newest = fingerprint
    return entry.catalogue
  }

  #make(record: IntegrationRecord): Entry {
    const { endpoint, schema } = readConfig(record.config)
    const catalogue = new Catalogue(endpoint, schema === null ? undefined : compileSchema(schema))
    const size = schema?.length ?? 0
    this.#size += size
    for (const [fingerprint, oldest] of this.#entries) {
      if (this.#size <= this.#limit) break
      this.#entries.delete(fingerprint)
      this.#size -= oldest.size
    }
    return { catalogue, size }
  }
}
