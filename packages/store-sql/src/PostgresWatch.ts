/**
 * Hears from Postgres what other processes changed: `listen` on one connection of its own, which is asked again and again whether it
 * still answers. And waits, for changes that somebody relies on, until all others have heard of them (`listeners.ts`).
 *
 * What came before an answer is known when the answer is there, since both come on one connection; so what is in memory is right for as
 * long as the last answer is young. A proxy that gives each transaction another session makes a listening connection deaf; it is known
 * by a process id that is not the server's, and nothing is believed then.
 */
import { type Announcement, toAnnouncement } from "./announcements.ts"
import type { ChangeWatch } from "./ChangeWatch.ts"
import { type AskedListener, Listener, type ListenerConnection } from "./listeners.ts"
import { orAfter } from "./orAfter.ts"

/** What is used of a client of `pg`. */
export interface ListeningClient extends ListenerConnection {
  readonly processID?: number | null
  connect(): Promise<unknown>
  on(event: "notification", listener: (message: { readonly payload?: string | undefined }) => void): unknown
  on(event: "error" | "end", listener: () => void): unknown
  end(): Promise<void>
  unref?(): void
  /** Of `pg`, where that is what it is. */
  readonly connection?: { readonly stream?: { destroy?(): unknown } }
}

/** Where to listen, and for how long silence is believed to be no news. */
export interface PostgresWatchOptions {
  readonly schema: string
  readonly maxStaleMs: number
  /** Makes a client that is not connected yet; `undefined` where none can be made, which turns the watch off. */
  readonly client: () => Promise<ListeningClient | undefined>
  readonly onChange: (change: Announcement) => void
}

/** How long to wait before listening is tried again, in milliseconds: after a lost connection, at first; and behind a deaf proxy. */
const soonestRetryMs = 100
const latestRetryMs = 5000
const deafRetryMs = 60_000

/** How long an answer on the listening connection may take until it counts as lost, in milliseconds. */
const longestAnswerMs = 5000

/** How long a process that ends tries to say so, in milliseconds; whoever waits for it finds out otherwise. */
const farewellMs = 500

/** See the file's header. It begins to listen when a stamp is first asked for. */
export class PostgresWatch implements ChangeWatch {
  lastProof: { readonly stamp: number; readonly at: number } | undefined
  /** Where a proxy is in the way, or nothing to listen with; the bound is all there is then. */
  isBlind = false
  readonly #options: PostgresWatchOptions
  #client: ListeningClient | undefined
  #timer: NodeJS.Timeout | undefined
  #wake: (() => void) | undefined
  #connections = 0
  /** The one whose row is there, connected or not. */
  #listener: Listener | undefined
  readonly #waiting = new Set<() => void>()
  #isListening = false
  #isStarted = false
  #isClosed = false

  constructor(options: PostgresWatchOptions) {
    this.#options = options
  }

  /** The number of the connection that listens, while it is known to hear. */
  stamp(): number | undefined {
    if (!this.#isStarted) this.#start()
    const { lastProof } = this
    if (!this.#isListening || lastProof === undefined) return undefined
    return performance.now() - lastProof.at < this.#options.maxStaleMs ? lastProof.stamp : undefined
  }

  async confirm(): Promise<void> {
    const { maxStaleMs } = this.#options
    const since = performance.now()
    // Whoever has heard nothing for as long believes nothing that is in its memory.
    const untilStale = (bound: number): number => since + bound - performance.now()
    if (!this.#isStarted) this.#start()
    if (!this.#isListening) await orAfter(this.#untilListening(), maxStaleMs)
    if (!this.#isListening || this.#listener === undefined) return
    let isAsked = false
    const answersOf = (asked: ReadonlyArray<AskedListener>): Promise<unknown> => {
      isAsked = true
      return Promise.all(asked.map((one) => orAfter(one.answered, untilStale(one.maxStaleMs))))
    }
    const answered = this.#listener.ask(answersOf).catch(() => forever)
    await orAfter(answered, untilStale(maxStaleMs))
    if (isAsked) await answered
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    const wasListening = this.#isListening
    this.#isListening = false
    clearTimeout(this.#timer)
    this.#wake?.()
    this.#tell()
    if (wasListening) await orAfter(this.#listener?.unregister().catch(ignored) ?? Promise.resolve(), farewellMs)
    await ended(this.#client)
  }

  /** Until there is something to ask with, or never will be. */
  #untilListening(): Promise<void> {
    return new Promise((resolve) => {
      if (this.isBlind || this.#isClosed) resolve()
      else this.#waiting.add(resolve)
    })
  }

  #tell(): void {
    for (const resolve of this.#waiting) resolve()
    this.#waiting.clear()
  }

  #start(): void {
    this.#isStarted = true
    void this.#run()
  }

  async #run(): Promise<void> {
    let wait = soonestRetryMs
    while (!this.#isClosed) {
      const outcome = await this.#listen().catch(() => "lost" as const)
      this.#isListening = false
      await ended(this.#client)
      this.#client = undefined
      if (outcome === "impossible" || outcome === "deaf") {
        this.isBlind = true
        this.#tell()
      }
      if (outcome === "impossible") return
      if (outcome === "heard") wait = soonestRetryMs
      await this.#pause(outcome === "deaf" ? deafRetryMs : wait)
      wait = Math.min(wait * 2, latestRetryMs)
    }
  }

  /** Listens until the connection is lost. */
  async #listen(): Promise<"impossible" | "deaf" | "lost" | "heard"> {
    const { client: makeClient, schema, maxStaleMs, onChange } = this.#options
    const client = await makeClient()
    if (client === undefined) return "impossible"
    this.#client = client
    const connection = { isLost: false }
    const lose = (): void => {
      connection.isLost = true
      this.#isListening = false
      this.#wake?.()
    }
    client.on("error", lose)
    client.on("end", lose)
    const listener = new Listener(client, { schema, maxStaleMs })
    client.on("notification", ({ payload }) => {
      const change = toAnnouncement(payload)
      if (change === undefined) listener.hear(payload)
      else onChange(change)
    })
    await client.connect()
    // Listening alone must not keep a process from ending.
    client.unref?.()
    const { rows } = await answer(listener.query("select pg_backend_pid() as pid"))
    if (client.processID !== rows[0]?.["pid"]) return "deaf"
    await answer(listener.register(this.#listener?.id))
    this.#listener = listener
    this.isBlind = false
    this.#connections += 1
    const stamp = this.#connections
    while (!connection.isLost && !this.#isClosed) {
      const asked = performance.now()
      await answer(listener.query("select 1"))
      this.lastProof = { stamp, at: asked }
      this.#isListening = true
      this.#tell()
      await this.#pause(maxStaleMs / 3)
    }
    return "heard"
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#isClosed) return resolve()
      this.#wake = resolve
      this.#timer = setTimeout(resolve, milliseconds)
      this.#timer.unref()
    })
  }
}

/** An answer of a server that still gives one; one whose network went dark says nothing, ever. */
const answer = async <A>(answered: Promise<A>): Promise<A> => {
  if (!(await orAfter(answered, longestAnswerMs))) throw new Error("The listening connection does not answer.")
  return answered
}

/** Ends a client, without its server where that does not answer. */
const ended = async (client: ListeningClient | undefined): Promise<void> => {
  if (client === undefined) return
  if (!(await orAfter(client.end().catch(ignored), farewellMs))) client.connection?.stream?.destroy?.()
}

const ignored = (): void => {}

const forever = new Promise<never>(ignored)
