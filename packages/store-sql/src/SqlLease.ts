/**
 * Leases as rows: one holder per name, until a time by the database's clock that the holder keeps moving while it holds.
 *
 * The fibers of a process stand in line in memory first, so that one of them asks the database. Between two statements nothing is held
 * open: no connection, no transaction, no lock of a session. A holder that dies stops renewing, and its row runs out. A row that
 * would last for longer than two of its lives was written before the clock went back, and counts as run out too.
 */
import { createHash, randomUUID } from "node:crypto"
import { memoryStore, StoreUnavailableError } from "@keyward/core"
import type { HeldLease, Lease } from "@keyward/core/effect"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { type Kysely, sql } from "kysely"
import type { SqlDatabase } from "./SqlDatabase.ts"
import { databaseNow } from "./SqlFlavor.ts"
import type { Tables } from "./tables.ts"

/** Makes the lease of a database; each holder has the name for `ttlMs` and asks again after a third of that. */
export const sqlLease = (database: SqlDatabase, ttlMs: number): Lease => {
  const line = memoryStore().lease
  return {
    hold: (key, use) => line.hold(key, () => Effect.suspend(() => holdRow(new LeaseRow(database, key, ttlMs), use))),
  }
}

const holdRow = <A, E>(
  row: LeaseRow,
  use: (held: HeldLease) => Effect.Effect<A, E>,
): Effect.Effect<A, E | StoreUnavailableError> =>
  Effect.uninterruptibleMask((restore) =>
    restore(taken(row)).pipe(
      // The last attempt may have succeeded without anybody being there to hear it.
      Effect.onExit((exit) => (Exit.isSuccess(exit) ? Effect.void : Effect.sync(() => void row.forget()))),
      Effect.andThen(
        Effect.ensuring(
          restore(Effect.suspend(() => use({ isHeld: row.isHeld, now: row.now, shorten: row.shorten }))),
          Effect.promise(() => row.giveBack()),
        ),
      ),
    ),
  )

/** Asks until the row is free: soon at first, since a refresh is short, then less often, each time after a random while. */
const taken = (row: LeaseRow): Effect.Effect<void, StoreUnavailableError> =>
  Effect.gen(function* () {
    for (let wait = firstWaitMs; !(yield* row.take()); wait = Math.min(wait * 1.5, longestWaitMs)) {
      yield* Effect.sleep(wait * (0.5 + Math.random()))
    }
  })

const firstWaitMs = 15
const longestWaitMs = 250

/** How long a holder that is done waits for a database that does not answer; the row runs out by itself. */
const farewellMs = 2000

/** One holder's claim to one name. */
class LeaseRow {
  readonly #database: SqlDatabase
  #ttlMs: number
  /** Of a fixed length, whatever the key holds. */
  readonly #name: string
  readonly #holder = randomUUID()
  #lastTake: Promise<boolean> | undefined
  #timer: NodeJS.Timeout | undefined
  #isOver = false

  constructor(database: SqlDatabase, key: string, ttlMs: number) {
    this.#database = database
    this.#ttlMs = ttlMs
    this.#name = createHash("sha256").update(key, "utf16le").digest("base64url")
  }

  take(): Effect.Effect<boolean, StoreUnavailableError> {
    const operation = "take a lease"
    return Effect.tryPromise({
      try: async () => {
        this.#lastTake = this.#database.attempt(operation, "write", (db) => this.#insert(db))
        const isTaken = await this.#lastTake
        if (isTaken && !this.#isOver) this.#renewLater()
        return isTaken
      },
      catch: (error) =>
        error instanceof StoreUnavailableError
          ? error
          : new StoreUnavailableError({ operation, reason: "database_error" }),
    })
  }

  readonly isHeld: Effect.Effect<boolean, StoreUnavailableError> = Effect.suspend(() => {
    if (this.#isOver) return Effect.succeed(false)
    return this.#database.run("check a lease", "read", async (db) => {
      const now = databaseNow(this.#database.flavor)
      const row = await db
        .selectFrom("keyward_leases")
        .select("ttl")
        .where("name", "=", this.#name)
        .where("holder", "=", this.#holder)
        .where("held_until", ">", now)
        .executeTakeFirst()
      return row !== undefined && !this.#isOver
    })
  })

  readonly now: Effect.Effect<number, StoreUnavailableError> = Effect.suspend(() =>
    this.#database.run("read its clock", "read", async (db) => {
      // As text where the driver does not trust numbers of 64 bits.
      const now = sql<number | string>`${databaseNow(this.#database.flavor)}`.as("now")
      return Number((await db.selectNoFrom(now).executeTakeFirstOrThrow()).now)
    }),
  )

  readonly shorten = (forMs: number): Effect.Effect<void, StoreUnavailableError> =>
    Effect.suspend(() => {
      if (this.#isOver || forMs >= this.#ttlMs) return Effect.void
      this.#ttlMs = forMs
      return this.#database.run("shorten a lease", "write", async (db) => {
        await this.#move(db)
        clearTimeout(this.#timer)
        if (!this.#isOver) this.#renewLater()
      })
    })

  /** Deletes the row, if it still is this holder's, and does not wait for long. */
  async giveBack(): Promise<void> {
    this.#end()
    const gone = this.#delete().catch(() => {})
    let timer: NodeJS.Timeout | undefined
    await Promise.race([gone, new Promise((resolve) => (timer = setTimeout(resolve, farewellMs)))])
    clearTimeout(timer)
  }

  /** Undoes an attempt whose answer nobody waited for, in the background. */
  async forget(): Promise<void> {
    this.#end()
    try {
      if ((await this.#lastTake) === true) await this.#delete()
    } catch {
      // The answer was lost: the row may be there all the same.
      await this.#delete().catch(() => {})
    }
  }

  #end(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
  }

  #renewLater(): void {
    this.#timer = setTimeout(() => void this.#renew(), this.#ttlMs / 3)
    // A process that has nothing else to do may end; its lease ends soon after.
    this.#timer.unref()
  }

  async #renew(): Promise<void> {
    const isHeld = await this.#database
      .attempt("renew a lease", "write", (db) => this.#move(db))
      // A database that is away for a moment costs nothing while the lease lasts.
      .catch(() => true)
    if (isHeld && !this.#isOver) this.#renewLater()
  }

  /** Has the row last for as long as it does from now on; answers whether it still is this holder's. */
  async #move(db: Kysely<Tables>): Promise<boolean> {
    const now = databaseNow(this.#database.flavor)
    const ttl = sql.lit(this.#ttlMs)
    const { numUpdatedRows } = await db
      .updateTable("keyward_leases")
      .set({ held_until: sql<number>`${now} + ${ttl}`, ttl: this.#ttlMs })
      .where("name", "=", this.#name)
      .where("holder", "=", this.#holder)
      .executeTakeFirst()
    return numUpdatedRows === 1n
  }

  /** One statement, so that of any number who find the row free or run out, one gets it. */
  async #insert(db: Kysely<Tables>): Promise<boolean> {
    const now = databaseNow(this.#database.flavor)
    const ttl = sql.lit(this.#ttlMs)
    const { numInsertedOrUpdatedRows } = await db
      .insertInto("keyward_leases")
      .values({ name: this.#name, holder: this.#holder, held_until: sql<number>`${now} + ${ttl}`, ttl: this.#ttlMs })
      .onConflict((conflict) =>
        conflict
          .column("name")
          .doUpdateSet((row) => ({
            holder: row.ref("excluded.holder"),
            held_until: row.ref("excluded.held_until"),
            ttl: row.ref("excluded.ttl"),
          }))
          .where((eb) =>
            eb.or([
              eb("keyward_leases.held_until", "<=", now),
              eb("keyward_leases.held_until", ">", sql<number>`${now} + 2 * ${eb.ref("keyward_leases.ttl")}`),
              // A retry after an answer that was lost.
              eb("keyward_leases.holder", "=", this.#holder),
            ]),
          ),
      )
      .executeTakeFirst()
    return numInsertedOrUpdatedRows === 1n
  }

  async #delete(): Promise<void> {
    await this.#database.attempt("give back a lease", "write", (db) =>
      db.deleteFrom("keyward_leases").where("name", "=", this.#name).where("holder", "=", this.#holder).execute(),
    )
  }
}
