/**
 * A pool of `pg` that outlives the loss of its connections, also of those whose network went dark: packets are dropped, and nothing ever
 * says so.
 *
 * A statement that outlives its operation is told to stop, shortly before the operation is over, and what became of it is waited for. A
 * connection that does not answer then either is given up, so that the next one is made anew.
 */
import type { PostgresPool, PostgresPoolClient } from "kysely"
import { currentDeadline, StatementTimeout } from "./operationDeadline.ts"
import { orAfter } from "./orAfter.ts"

/** How long closing waits for operations that are running, in milliseconds. */
const farewellMs = 5000

/** How long before an operation is over its statement is told to stop, in milliseconds; for short ones a part of what they have. */
const settleMs = (timeoutMs: number): number => Math.min(1000, timeoutMs / 4)

/** What is used of a client of `pg`, where it is one. */
interface PoolClient extends PostgresPoolClient {
  readonly secretKey?: unknown
  on?(event: "error" | "end", listener: () => void): unknown
  unref?(): void
}

/** How to ask a server to stop what one of its connections is doing; not among the types of `pg`. */
interface Canceller {
  cancel(client: object, query: object): void
  readonly connection?: {
    on(event: "error", listener: () => void): unknown
    readonly stream: { destroy(): unknown; unref?(): unknown }
  }
}

/** See the file's header. A host's pool stays the host's to end. */
export const sturdyPool = (
  pool: PostgresPool,
  { isOwn, timeoutMs }: { readonly isOwn: boolean; readonly timeoutMs: number },
): PostgresPool => {
  const clients = new Map<PostgresPoolClient, LimitedClient>()
  return {
    options: pool.options,
    connect: async () => {
      const client: PoolClient = await pool.connect()
      const known = clients.get(client)
      if (known !== undefined) return known
      // `pg` emits a lost connection as an event too, and nobody else listens while a client is in use.
      client.on?.("error", ignored)
      const forget = (): void => void clients.delete(client)
      client.on?.("end", forget)
      const limited = new LimitedClient(client, { settleMs: settleMs(timeoutMs), options: pool.options, forget })
      clients.set(client, limited)
      return limited
    },
    end: async () => {
      if (!isOwn) return
      const left = [...clients.keys()] as ReadonlyArray<PoolClient>
      await orAfter(pool.end(), farewellMs)
      // What still waits for a server that does not answer must not keep a process from ending.
      for (const client of left) client.unref?.()
    },
  }
}

interface Limits {
  readonly settleMs: number
  /** How the pool connects. */
  readonly options: object
  readonly forget: () => void
}

class LimitedClient implements PostgresPoolClient {
  readonly #client: PoolClient
  readonly #limits: Limits
  declare readonly processID?: number
  #isBroken = false
  /** A word to stop may still be on its way, and would stop whatever comes next. */
  #isSpent = false

  constructor(client: PoolClient, limits: Limits) {
    this.#client = client
    this.#limits = limits
    if (client.processID !== undefined) this.processID = client.processID
  }

  query(...statement: ReadonlyArray<unknown>): never {
    // A cursor comes alone and is not a promise; Kysely's other statements are.
    const send = this.#client.query.bind(this.#client) as (...args: ReadonlyArray<unknown>) => unknown
    const deadline = currentDeadline()
    return (
      deadline === undefined || typeof statement[0] !== "string"
        ? send(...statement)
        : this.#limited(deadline, () => send(...statement) as Promise<unknown>)
    ) as never
  }

  release(isBroken?: boolean): void {
    const isOver = isBroken === true || this.#isBroken || this.#isSpent
    if (isOver) this.#limits.forget()
    this.#client.release(isOver)
  }

  async #limited(deadline: number, send: () => Promise<unknown>): Promise<unknown> {
    if (this.#isBroken) throw new StatementTimeout(true)
    const { settleMs } = this.#limits
    const answered = send()
    const settled = answered.then(ignored, ignored)
    // What ends a transaction that is late already gets a moment too.
    const leftMs = Math.max(deadline - settleMs - performance.now(), settleMs / 4)
    if (await orAfter(settled, leftMs)) return answered
    this.#isSpent = true
    const canceller = await stopStatement(this.#client, this.#limits.options)
    const isSettled = await orAfter(settled, settleMs / 2)
    canceller?.connection?.stream.destroy()
    if (!isSettled) {
      this.#isBroken = true
      throw new StatementTimeout(true)
    }
    return answered.catch((error: unknown) => {
      throw wasStopped(error) ? new StatementTimeout(false) : error
    })
  }
}

/** Asks the server to stop what a client has it do, on a connection of its own; answers with what holds that. */
const stopStatement = async (client: PoolClient, options: object): Promise<Canceller | undefined> => {
  const { processID, secretKey } = client
  if (typeof processID !== "number" || secretKey === undefined) return undefined
  const { Client } = await import("pg")
  const password = "password" in options ? { password: options.password as string } : {}
  const canceller = new Client({ ...password, ...options }) as unknown as Canceller
  if (typeof canceller.cancel !== "function") return undefined
  canceller.connection?.on("error", ignored)
  const statement = {}
  canceller.cancel({ processID, secretKey, activeQuery: statement }, statement)
  return canceller
}

/** Whether an error says that a statement was stopped by somebody. */
const wasStopped = (error: unknown): boolean =>
  typeof error === "object" && error !== null && "code" in error && error.code === "57014"

const ignored = (): void => {}
