/**
 * The connected clients of one plugin: at most so many, each for one caller, one credential and one revision of an integration, closed
 * when nobody has used it for a while.
 *
 * Keys and variants are made of core's handles and hold no secret. A client of another variant takes the place of the one before. Whoever comes while a client is connecting waits for it.
 */
import { setImmediate } from "node:timers/promises"
import type { McpLink } from "./McpLink.ts"

/** Bounds of a pool. */
export interface LinkPoolLimits {
  /** Clients that are kept; the one that was used least recently makes room. */
  readonly mostLinks: number
  /** Milliseconds without a call after which a client is closed. */
  readonly idleMs: number
  /** Milliseconds after which it is looked again whether clients may still be used. Default 30 s. */
  readonly checkMs?: number | undefined
}

/** How a client is made that the pool does not have. */
export interface LinkMaker {
  /** Tells whether a client that is there may serve; another one is made in its place otherwise. */
  readonly variant: string
  /** Whose client it is: all of one connection are ended together. */
  readonly connection: string
  readonly connect: () => Promise<McpLink>
  /** Whether a client that was made may still be used; rejects where that is not known now. */
  readonly isCurrent: () => Promise<boolean>
  /** Whether the caller gave up, which says nothing about the server. */
  readonly isGivenUp: () => boolean
  /** Whether a failed attempt is everybody's who waited for it, and not made again by each. */
  readonly sharesFailures: boolean
}

interface Slot {
  readonly variant: string
  readonly maker: LinkMaker
  readonly connecting: Promise<McpLink>
  link: McpLink | undefined
  usedAt: number
}

/** See the file's header. */
export class LinkPool {
  readonly #limits: LinkPoolLimits
  /** In the order of use, the least recent first. */
  readonly #slots = new Map<string, Slot>()
  /** Out of the pool, with calls that have not ended. */
  readonly #leaving = new Set<McpLink>()
  #sweeper: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(limits: LinkPoolLimits) {
    this.#limits = limits
  }

  /** The client of a key that is connected already. */
  connected(key: string, variant: string): McpLink | undefined {
    const slot = this.#slots.get(key)
    const link = slot?.link
    if (slot === undefined || link === undefined || link.isClosed || slot.variant !== variant) return undefined
    slot.usedAt = Date.now()
    this.#slots.delete(key)
    this.#slots.set(key, slot)
    return link
  }

  /** The client of a key, connected by the maker if there is none. */
  async get(key: string, maker: LinkMaker): Promise<McpLink> {
    if (this.#isClosed) throw closed()
    const connected = this.connected(key, maker.variant)
    if (connected !== undefined) return connected
    const slot = this.#slots.get(key)
    if (slot !== undefined && slot.link === undefined && slot.variant === maker.variant) {
      return slot.connecting.catch((error: unknown) => this.#afterFailure(key, maker, slot, error))
    }
    return this.#begin(key, maker)
  }

  /** Takes a client out that is of no more use. */
  drop(key: string, link: McpLink): void {
    if (this.#slots.get(key)?.link === link) this.#slots.delete(key)
    void this.#retire(link)
  }

  /** Takes out all clients of a connection. Waits until those are closed that nobody is calling. */
  async release(connection: string): Promise<void> {
    const keys = [...this.#slots].filter(([, { maker }]) => maker.connection === connection).map(([key]) => key)
    await Promise.all(keys.map((key) => this.#remove(key)))
  }

  /** Closes every client, whatever it is doing. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#sweeper)
    const connecting = [...this.#slots.values()].map((slot) => slot.connecting.then((link) => link.close()))
    this.#slots.clear()
    await Promise.allSettled([...connecting, ...[...this.#leaving].map((link) => link.close())])
  }

  /** What becomes of somebody who waited for another caller's attempt. */
  #afterFailure(key: string, maker: LinkMaker, failed: Slot, error: unknown): Promise<McpLink> {
    // Whoever comes first makes the next attempt, for all who waited.
    if (failed.maker.isGivenUp()) return this.get(key, maker)
    if (maker.sharesFailures) throw error
    if (this.#isClosed) throw closed()
    // The attempt failed for the other call's reasons, and each call tells its own.
    return this.#begin(key, maker)
  }

  #begin(key: string, maker: LinkMaker): Promise<McpLink> {
    const { variant, connect } = maker
    void this.#remove(key)
    const slot: Slot = { variant, maker, connecting: connect(), link: undefined, usedAt: Date.now() }
    this.#slots.set(key, slot)
    this.#makeRoom()
    const { idleMs, checkMs = 30_000 } = this.#limits
    this.#sweeper ??= setInterval(() => this.#sweep(), Math.min(Math.max(1000, idleMs / 2), checkMs)).unref()
    return slot.connecting.then(
      (link) => {
        slot.link = link
        return link
      },
      (error: unknown) => {
        if (this.#slots.get(key) === slot) this.#slots.delete(key)
        throw error
      },
    )
  }

  #makeRoom(): void {
    for (const key of this.#slots.keys()) {
      if (this.#slots.size <= this.#limits.mostLinks) return
      void this.#remove(key)
    }
  }

  #sweep(): void {
    const oldest = Date.now() - this.#limits.idleMs
    for (const [key, slot] of this.#slots) {
      if (slot.link === undefined) continue
      if (slot.link.load === 0 && slot.usedAt < oldest) void this.#remove(key)
      else void this.#check(key, slot)
    }
    if (this.#slots.size > 0) return
    clearInterval(this.#sweeper)
    this.#sweeper = undefined
  }

  /** Connections are removed by other processes too. */
  async #check(key: string, slot: Slot): Promise<void> {
    const isCurrent = await slot.maker.isCurrent().catch(() => true)
    if (!isCurrent && this.#slots.get(key) === slot) void this.#remove(key)
  }

  async #remove(key: string): Promise<void> {
    const slot = this.#slots.get(key)
    if (slot === undefined) return
    this.#slots.delete(key)
    const link = await slot.connecting.catch(() => undefined)
    if (link !== undefined) await this.#retire(link)
  }

  /** Closes a client, as soon as its calls have ended. */
  async #retire(link: McpLink): Promise<void> {
    this.#leaving.add(link)
    // Whoever was handed it just now has begun a call by then.
    await setImmediate()
    if (link.load === 0 || link.isClosed) return this.#close(link)
    link.whenUnused(() => void this.#close(link))
  }

  #close(link: McpLink): Promise<void> {
    this.#leaving.delete(link)
    return link.close()
  }
}

const closed = (): Error => new Error("The executor was closed; create a new one.")
