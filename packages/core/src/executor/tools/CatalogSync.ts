/**
 * Keeps track of when the tools of connections were last listed, and lists them again in the background: one listing at a time per catalog.
 *
 * Whoever reads a catalog is served what is there and never waits for this.
 */
import * as Effect from "effect/Effect"
import type { CatalogKey } from "../../tool/ToolCatalog.ts"
import type { Resources } from "../Resources.ts"

/** A listing that failed is not tried again by readers for so long, in milliseconds. */
const pauseMs = 30_000
const mostKnown = 10_000

/** What came of news is waited with longer each time, from the second on, in milliseconds: a server may call out with each listing. */
const newsPauseMs = { first: 50, longest: 10_000 }
/** News of a catalog that was quiet for so long are acted upon at once. */
const quietMs = 60_000

/** See the file's header. */
export class CatalogSync {
  readonly #resources: Resources
  /** Epoch milliseconds of the last listing, or of the last attempt at one, by catalog. */
  readonly #listedAt = new Map<string, number>()
  /** Those under way, and whether each is to be done once more because something changed since it began. */
  readonly #underWay = new Map<string, { hasBegun: boolean; again: boolean }>()
  /** How often each was listed because of news without a quiet time between, and when that was asked for last. */
  readonly #news = new Map<string, { readonly count: number; readonly at: number }>()

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
      // One that waits for its turn will see what is new.
      running.again ||= isAnew && running.hasBegun
      return
    }
    const flight = { hasBegun: false, again: false }
    this.#underWay.set(name, flight)
    const begun = Effect.suspend(() => {
      flight.hasBegun = true
      return list
    })
    const once = Effect.tapCause(begun, () => Effect.sync(() => this.#note(name, Date.now() - maxAgeMs + pauseMs)))
    const waitMs = isAnew ? this.#pauseAfterNews(name) : 0
    const listing = Effect.ensuring(
      Effect.ignoreCause(waitMs === 0 ? once : Effect.delay(once, waitMs)),
      Effect.sync(() => {
        this.#underWay.delete(name)
        if (flight.again) this.begin(key, maxAgeMs, true, list)
      }),
    )
    Effect.runFork(this.#resources.inBackground(listing))
  }

  /** How long to wait before listing because of news, in milliseconds. */
  #pauseAfterNews(name: string): number {
    const before = this.#news.get(name)
    const count = before === undefined || Date.now() - before.at > quietMs ? 0 : before.count + 1
    this.#news.delete(name)
    this.#news.set(name, { count, at: Date.now() })
    dropOldest(this.#news)
    return count === 0 ? 0 : Math.min(newsPauseMs.first * 2 ** (count - 1), newsPauseMs.longest)
  }

  #note(name: string, at: number): void {
    this.#listedAt.delete(name)
    this.#listedAt.set(name, at)
    dropOldest(this.#listedAt)
  }
}

const dropOldest = (known: Map<string, unknown>): void => {
  if (known.size <= mostKnown) return
  const [oldest] = known.keys()
  if (oldest !== undefined) known.delete(oldest)
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
