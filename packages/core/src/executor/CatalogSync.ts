/**
 * Keeps track of when the tools of connections were last listed, and lists them again in the background: one listing at a time per catalog.
 *
 * Whoever reads a catalog is served what is there and never waits for this.
 */
import * as Effect from "effect/Effect"
import type { CatalogKey } from "../tool/ToolCatalog.ts"
import type { Resources } from "./Resources.ts"

/** A listing that failed is not tried again by readers for so long, in milliseconds. */
const pauseMs = 30_000
const mostKnown = 10_000

/** See the file's header. */
export class CatalogSync {
  readonly #resources: Resources
  /** Epoch milliseconds of the last listing, or of the last attempt at one, by catalog. */
  readonly #listedAt = new Map<string, number>()
  /** Those under way, and whether each is to be done once more because something changed in the meantime. */
  readonly #underWay = new Map<string, { again: boolean }>()

  constructor(resources: Resources) {
    this.#resources = resources
  }

  /** The catalog was listed just now. */
  listed(key: CatalogKey): void {
    this.#note(nameOf(key), Date.now())
  }

  /** Whether a catalog is older than that; one that this process has not listed itself is of unknown age, which counts as old. */
  isOlder(key: CatalogKey, maxAgeMs: number): boolean {
    const listedAt = this.#listedAt.get(nameOf(key))
    return listedAt === undefined || Date.now() - listedAt > maxAgeMs
  }

  /** Begins a listing, unless one is under way; `isAnew` then has it done once more. A failure keeps what is stored. */
  begin(key: CatalogKey, maxAgeMs: number, isAnew: boolean, list: Effect.Effect<void, unknown>): void {
    const name = nameOf(key)
    const running = this.#underWay.get(name)
    if (running !== undefined) {
      running.again ||= isAnew
      return
    }
    const flight = { again: false }
    this.#underWay.set(name, flight)
    const once = Effect.tapCause(list, () => Effect.sync(() => this.#note(name, Date.now() - maxAgeMs + pauseMs)))
    const listing = Effect.ensuring(
      Effect.ignoreCause(once),
      Effect.sync(() => {
        this.#underWay.delete(name)
        if (flight.again) this.begin(key, maxAgeMs, false, list)
      }),
    )
    Effect.runFork(this.#resources.inBackground(listing))
  }

  #note(name: string, at: number): void {
    this.#listedAt.delete(name)
    this.#listedAt.set(name, at)
    if (this.#listedAt.size <= mostKnown) return
    const [oldest] = this.#listedAt.keys()
    if (oldest !== undefined) this.#listedAt.delete(oldest)
  }
}

/** The one of an executor. */
export const catalogSync = (resources: Resources): CatalogSync => {
  const known = syncs.get(resources)
  if (known !== undefined) return known
  const made = new CatalogSync(resources)
  syncs.set(resources, made)
  return made
}

const syncs = new WeakMap<Resources, CatalogSync>()

const nameOf = ({ tenant, integration, revision, connection }: CatalogKey): string =>
  JSON.stringify([tenant, integration, revision, connection?.owner, connection?.subject, connection?.name])
