/**
 * A database as the records and leases use it: opened and migrated on first use, every failure a `StoreUnavailableError`.
 *
 * Each operation is one statement, or one transaction where a write has company, so no connection is held between two of them and
 * nothing is left in a session.
 */
import { StoreUnavailableError } from "@keyward/core"
import type { Reading } from "@keyward/core/effect"
import * as Effect from "effect/Effect"
import { type Dialect, Kysely } from "kysely"
import { databaseFailure } from "./databaseFailure.ts"
import { fromDocument } from "./document.ts"
import { inTransaction } from "./inTransaction.ts"
import { LockQueue, retryMs } from "./LockQueue.ts"
import { migrate } from "./migrate.ts"
import { StatementTimeout, withDeadline } from "./operationDeadline.ts"
import { orAfter } from "./orAfter.ts"
import { Outage } from "./Outage.ts"
import type { RecordKey, RowCache } from "./RowCache.ts"
import type { SqlFlavor } from "./SqlFlavor.ts"
import { StoreSchemaError } from "./StoreSchemaError.ts"
import type { Tables } from "./tables.ts"
import { accompanied, currentCompanion, type WriteCompanion } from "./WriteCompanion.ts"

/** Where a database comes from, and how patient to be with it. */
export interface DatabaseSource {
  readonly flavor: SqlFlavor
  /** Postgres only: where the tables are. */
  readonly schema?: string | undefined
  /** Makes the dialect. Called on first use, and again only after it failed. */
  readonly dialect: () => Promise<Dialect>
  readonly mayMigrate: boolean
  /** How long one operation may take, waiting for others and for a connection included. */
  readonly timeoutMs: number
  /** What has been read of the records that calls need; told of every write. */
  readonly cache: RowCache
}

/** Whether an operation may be done twice. What is done once is not interrupted in the middle: its outcome would not be known. */
export type OperationKind = "read" | "write"

/** See the file's header. */
export class SqlDatabase {
  readonly flavor: SqlFlavor
  readonly outage = new Outage()
  readonly #source: DatabaseSource
  readonly #queue = new LockQueue()
  #opened: Kysely<Tables> | undefined
  #opening: Promise<Kysely<Tables>> | undefined
  #isClosed = false

  constructor(source: DatabaseSource) {
    this.flavor = source.flavor
    this.#source = source
  }

  /** Runs one statement, a write with its company; `operation` completes the sentence "The store could not …". */
  run<A>(
    operation: string,
    kind: OperationKind,
    statement: (db: Kysely<Tables>) => Promise<A>,
  ): Effect.Effect<A, StoreUnavailableError> {
    if (kind === "read") return this.#attempted(operation, kind, statement)
    return Effect.uninterruptible(
      Effect.withFiber((fiber) => {
        const companion = fiber.getRef(currentCompanion)
        if (companion?.database !== this || companion.isDone) return this.#attempted(operation, kind, statement)
        const both = accompanied(companion, this.flavor, statement)
        return this.#attempted(`${operation} and ${companion.name}`, kind, both)
      }),
    )
  }

  /**
   * Runs a write of this database and what follows from its answer in one transaction: both or neither. `name` says what that is, and
   * `follow` may be called several times, each time in another transaction. Nothing follows from `false`, which is what a write answers
   * that changed nothing.
   *
   * A write that a host has sent elsewhere is followed in a transaction of its own.
   */
  together<A, E>(
    name: string,
    write: Effect.Effect<A, E>,
    follow: (transaction: Kysely<Tables>, answer: A) => Promise<void>,
  ): Effect.Effect<A, E | StoreUnavailableError> {
    return Effect.suspend(() => {
      const companion: WriteCompanion = {
        database: this,
        name,
        follow: follow as WriteCompanion["follow"],
        isDone: false,
      }
      return Effect.tap(Effect.provideService(write, currentCompanion, companion), (answer) =>
        companion.isDone || answer === false
          ? Effect.void
          : this.run(`write ${name}`, "write", (db) =>
              inTransaction(db, this.flavor, (transaction) => follow(transaction, answer)),
            ),
      )
    })
  }

  /**
   * Reads a record, from memory where that is allowed and possible; see `RowCache`. `fetch` brings the text of its document, or that of
   * a list: `documentsOf`.
   */
  read<A>(
    operation: string,
    key: RecordKey,
    reading: Reading | undefined,
    fetch: (db: Kysely<Tables>) => Promise<string | undefined>,
  ): Effect.Effect<A | undefined, StoreUnavailableError> {
    if (reading === "recent") return this.recent<A>(operation, key, fetch)
    return this.run(operation, "read", async (db) => {
      const text = await fetch(db)
      return text === undefined ? undefined : (fromDocument(text) as A)
    })
  }

  /** The same of a record that may always be from memory. */
  recent<A>(
    operation: string,
    key: RecordKey,
    fetch: (db: Kysely<Tables>) => Promise<string | undefined>,
  ): Effect.Effect<A | undefined, StoreUnavailableError> {
    return this.recentOf<A, RecordKey>(operation, key, none, async (db) => [await fetch(db)])
  }

  /**
   * A record that may be from memory. Where it is not there, one query brings it and those of `besides` that are not there either;
   * `fetch` gives their texts in the order of the keys.
   */
  recentOf<A, Key extends RecordKey>(
    operation: string,
    key: Key,
    besides: () => ReadonlyArray<Key>,
    fetch: (db: Kysely<Tables>, keys: ReadonlyArray<Key>) => Promise<ReadonlyArray<string | undefined>>,
  ): Effect.Effect<A | undefined, StoreUnavailableError> {
    const { cache } = this.#source
    const known = this.#isClosed ? undefined : cache.known(key)
    if (known !== undefined) return known.found as Effect.Effect<A | undefined>
    return Effect.tryPromise({
      try: () => {
        const held = cache.held(key)
        const keys = [key, ...besides().filter((one) => cache.known(one) === undefined)] as const
        const reading = cache.read(keys, () => this.attempt(operation, "read", (db) => fetch(db, keys)))
        return this.outage.bridge(reading, held) as Promise<A | undefined>
      },
      catch: (error) => asUnavailable(operation, error),
    })
  }

  /** As {@link recent}, as a promise, which rejects with `StoreUnavailableError`. */
  async kept<A>(
    operation: string,
    key: RecordKey,
    fetch: (db: Kysely<Tables>) => Promise<string | undefined>,
  ): Promise<A | undefined> {
    const { cache } = this.#source
    const known = this.#isClosed ? undefined : cache.known(key)
    if (known !== undefined) return known.value as A | undefined
    const held = cache.held(key)
    const reading = cache.read([key], async () => [await this.attempt(operation, "read", fetch)])
    return this.outage.bridge(reading, held) as Promise<A | undefined>
  }

  /** Has a record read anew. */
  forget(key: RecordKey): void {
    this.#source.cache.drop(key)
  }

  /** The same for all whose key goes on from this one. */
  forgetUnder(key: RecordKey): void {
    this.#source.cache.dropUnder(key)
  }

  /** A write of the record of a key, which is read anew from then on, whatever became of the write. */
  change<A>(
    operation: string,
    key: RecordKey,
    statement: (db: Kysely<Tables>) => Promise<A>,
  ): Effect.Effect<A, StoreUnavailableError> {
    return Effect.ensuring(
      this.run(operation, "write", statement),
      Effect.sync(() => this.#source.cache.drop(key)),
    )
  }

  /** The same for a write of many: of all records whose key goes on from this one. */
  changeUnder<A>(
    operation: string,
    key: RecordKey,
    statement: (db: Kysely<Tables>) => Promise<A>,
  ): Effect.Effect<A, StoreUnavailableError> {
    return Effect.ensuring(
      this.run(operation, "write", statement),
      Effect.sync(() => this.#source.cache.dropUnder(key)),
    )
  }

  /** A change that is done once every other process has heard of it, or believes nothing that it had read before. */
  confirmed<A>(change: Effect.Effect<A, StoreUnavailableError>): Effect.Effect<A, StoreUnavailableError> {
    return Effect.tap(change, () => Effect.promise(() => this.#source.cache.confirm()))
  }

  /** As {@link run}, as a promise that rejects with `StoreUnavailableError`. */
  async attempt<A>(operation: string, kind: OperationKind, statement: (db: Kysely<Tables>) => Promise<A>): Promise<A> {
    const deadline = performance.now() + this.#source.timeoutMs
    // Readers of a SQLite file don't wait, and Postgres has a queue of its own.
    const mayQueue = kind === "write" && this.flavor === "sqlite"
    let isFirst = true
    let isSent = false
    let hasTurn = false
    try {
      for (;;) {
        if (this.#isClosed) throw new StoreUnavailableError({ operation, reason: "closed" })
        if (mayQueue && !hasTurn && this.#queue.isTaken) {
          hasTurn = await this.#queue.turn(deadline)
          if (!hasTurn) throw new StoreUnavailableError({ operation, reason: "busy" })
          continue
        }
        try {
          const db = this.#opened ?? (await this.#within(deadline, this.#open()))
          isSent = true
          return await this.#within(
            deadline,
            withDeadline(deadline, () => statement(db)),
          )
        } catch (error) {
          if (error instanceof StoreSchemaError) {
            throw new StoreUnavailableError({ operation, reason: `schema_${error.reason}: ${error.message}` })
          }
          const { reason, isContention, isDisconnect } = databaseFailure(error)
          const mayRetry = isContention ? performance.now() < deadline : isDisconnect && kind === "read" && isFirst
          const isLate = error === timedOut || error instanceof StatementTimeout
          if (this.#isClosed || !mayRetry || isLate) {
            const said = this.#isClosed ? "closed" : isLate ? "timed_out" : reason
            const mayHappen = error instanceof StatementTimeout ? error.mayHappen : error === timedOut
            // A statement that waits for a lock goes on in the server when its client is gone.
            const isUnknown = mayHappen && isSent && kind === "write" && this.flavor === "postgres"
            throw new StoreUnavailableError({ operation, reason: said, ...(isUnknown && { outcome: "unknown" }) })
          }
          isFirst = false
          if (!isContention || (mayQueue && !hasTurn && this.#queue.isTaken)) continue
          if (mayQueue && !hasTurn) hasTurn = await this.#queue.turn(deadline)
          await pause(retryMs())
        }
      }
    } finally {
      if (hasTurn) this.#queue.leave()
    }
  }

  /** Opens and migrates the database now. Rejects with `StoreSchemaError` or `StoreUnavailableError`. */
  async ready(): Promise<void> {
    const operation = "open the database"
    if (this.#isClosed) throw new StoreUnavailableError({ operation, reason: "closed" })
    const deadline = performance.now() + this.#source.timeoutMs
    for (;;) {
      try {
        await this.#within(deadline, this.#open())
        return
      } catch (error) {
        if (error instanceof StoreSchemaError) throw error
        const { reason, isContention } = databaseFailure(error)
        if (!isContention || performance.now() >= deadline) {
          throw new StoreUnavailableError({ operation, reason: error === timedOut ? "timed_out" : reason })
        }
        await pause(retryMs())
      }
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#source.cache.close()
    // A server that does not answer while it is opened answers nobody who closes it either.
    const closed = this.#opening?.then((db) => db.destroy()).catch(() => {})
    if (closed !== undefined) await orAfter(closed, this.#source.timeoutMs)
  }

  #attempted<A>(
    operation: string,
    kind: OperationKind,
    statement: (db: Kysely<Tables>) => Promise<A>,
  ): Effect.Effect<A, StoreUnavailableError> {
    return Effect.tryPromise({
      try: () => this.attempt(operation, kind, statement),
      catch: (error) => asUnavailable(operation, error),
    })
  }

  #open(): Promise<Kysely<Tables>> {
    this.#opening ??= this.#openAnew().catch((error: unknown) => {
      this.#opening = undefined
      throw error
    })
    return this.#opening
  }

  async #openAnew(): Promise<Kysely<Tables>> {
    const { dialect, flavor, schema = "public", mayMigrate } = this.#source
    const db = new Kysely<Tables>({ dialect: await dialect() })
    try {
      await migrate(db, { flavor, schema }, mayMigrate)
    } catch (error) {
      await db.destroy().catch(() => {})
      throw error
    }
    // A schema is spelled in every statement: a search path would be state of a session.
    this.#opened = flavor === "postgres" ? db.withSchema(schema) : db
    return this.#opened
  }

  async #within<A>(deadline: number, work: Promise<A>): Promise<A> {
    // Embedded databases answer before a timer could.
    if (this.flavor === "sqlite" && this.#opened !== undefined) return work
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(timedOut), Math.max(0, deadline - performance.now()))
    })
    try {
      return await Promise.race([work, late])
    } finally {
      clearTimeout(timer)
    }
  }
}

const none = (): ReadonlyArray<never> => []

const asUnavailable = (operation: string, error: unknown): StoreUnavailableError =>
  error instanceof StoreUnavailableError
    ? error
    : new StoreUnavailableError({ operation, reason: databaseFailure(error).reason })

const timedOut = new Error("timed out")

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds))
