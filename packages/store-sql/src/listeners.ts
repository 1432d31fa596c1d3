/**
 * How one process waits until all others have heard: a row for each that listens, a question on the channel that they share, and answers
 * on the asker's own.
 *
 * Notifications come in the order of their commits, so whoever answers has heard of everything that was committed before the question.
 * Called by `PostgresWatch`, with the connection that listens.
 */
import { randomUUID } from "node:crypto"
import { channelOf } from "./announcements.ts"

/** What is used of a connection. */
export interface ListenerConnection {
  query(
    text: string,
    values?: ReadonlyArray<unknown>,
  ): Promise<{ readonly rows: ReadonlyArray<Record<string, unknown>> }>
}

/** Another process that was asked. */
export interface AskedListener {
  readonly id: string
  /** For how long it believes what is in its memory when it hears nothing. */
  readonly maxStaleMs: number
  /** Whether its connection is there: else there will be no answer. */
  readonly isConnected: boolean
  /** Resolves with its answer; stays pending without one. */
  readonly answered: Promise<void>
}

/** Options of {@link Listener}. */
export interface ListenerOptions {
  readonly schema: string
  readonly maxStaleMs: number
}

/** A connection that listens, with a name that no other ever has. */
export class Listener {
  readonly id = randomUUID()
  readonly #connection: ListenerConnection
  readonly #options: ListenerOptions
  readonly #table: string
  readonly #own = `keyward_${this.id.replaceAll("-", "")}`
  readonly #questions = new Map<string, Answers>()
  #last: Promise<unknown> = Promise.resolve()

  constructor(connection: ListenerConnection, options: ListenerOptions) {
    this.#connection = connection
    this.#options = options
    this.#table = `"${options.schema}".keyward_listeners`
  }

  /** Runs a statement after those before it: a client of `pg` takes one at a time. */
  query(...statement: Parameters<ListenerConnection["query"]>): ReturnType<ListenerConnection["query"]> {
    const result = this.#last.then(() => this.#connection.query(...statement))
    this.#last = result.catch(ignored)
    return result
  }

  /** Listens and says so, in place of this process's listener before. Nothing may be believed to be told of earlier. */
  async register(before: string | undefined): Promise<void> {
    const { schema, maxStaleMs } = this.#options
    // By its name others see that the session is there, whatever they may see else.
    await this.query("select set_config('application_name', $1, false)", [sessionName(this.id)])
    await this.query(`listen ${channelOf(schema)}`)
    await this.query(`listen ${this.#own}`)
    await this.query(`insert into ${this.#table} (id, max_stale_ms) values ($1, $2)`, [this.id, Math.ceil(maxStaleMs)])
    if (before !== undefined) await this.#forget([before])
  }

  /** Ends the row, once nothing is believed any more. */
  unregister(): Promise<void> {
    return this.#forget([this.id])
  }

  /**
   * Asks all others whether they have heard of everything that is committed, and waits as `wait` says for who was asked. Those that are
   * gone and answered nothing have no row any more then.
   */
  async ask(wait: (asked: ReadonlyArray<AskedListener>) => Promise<unknown>): Promise<void> {
    const token = randomUUID()
    try {
      const asked = await this.#asked(token)
      await wait(asked)
      const gone = asked.filter(({ isConnected }) => !isConnected)
      if (gone.length > 0) void this.#forget(gone.map(({ id }) => id)).catch(ignored)
    } finally {
      this.#questions.delete(token)
    }
  }

  /** Takes a notification, whoever it is for. */
  hear(payload: string | undefined): void {
    const [kind, first, second] = wordsOf(payload)
    if (first === undefined || second === undefined) return
    if (kind === answer) this.#questions.get(first)?.take(second)
    if (kind === question && first !== this.#own) {
      const values = [first, JSON.stringify([answer, second, this.id])]
      this.query("select pg_notify($1, $2)", values).catch(ignored)
    }
  }

  async #asked(token: string): Promise<ReadonlyArray<AskedListener>> {
    const answers = new Answers()
    this.#questions.set(token, answers)
    // One notification for all rows, since Postgres sends equal ones of a transaction once; and none where there is nobody.
    const { rows } = await this.query(
      `select id, max_stale_ms,
  exists (select from pg_stat_activity where application_name = '${sessionName("")}' || id) as is_connected,
  pg_notify($2, $3) from ${this.#table} where id <> $1`,
      [this.id, channelOf(this.#options.schema), JSON.stringify([question, this.#own, token])],
    )
    return rows.map((row) => ({
      id: String(row["id"]),
      maxStaleMs: Number(row["max_stale_ms"]),
      isConnected: row["is_connected"] === true,
      answered: answers.from(String(row["id"])),
    }))
  }

  async #forget(ids: ReadonlyArray<string>): Promise<void> {
    await this.query(`delete from ${this.#table} where id = any($1)`, [ids])
  }
}

/** Who has answered a question, which may be before it is known who was asked. */
class Answers {
  readonly #byListener = new Map<string, PromiseWithResolvers<void>>()

  from(id: string): Promise<void> {
    return this.#of(id).promise
  }

  take(id: string): void {
    this.#of(id).resolve()
  }

  #of(id: string): PromiseWithResolvers<void> {
    const known = this.#byListener.get(id) ?? Promise.withResolvers<void>()
    this.#byListener.set(id, known)
    return known
  }
}

const question = "heard?"
const answer = "heard"

const sessionName = (id: string): string => `keyward ${id}`

const wordsOf = (payload: string | undefined): ReadonlyArray<string> => {
  try {
    const words: unknown = JSON.parse(payload ?? "")
    return Array.isArray(words) && words.every((word) => typeof word === "string") ? words : []
  } catch {
    return []
  }
}

const ignored = (): void => {}
