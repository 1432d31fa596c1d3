/**
 * The tables `keyward_vaults` and `keyward_secrets`, statement by statement: rows of one vault, sealed as they are stored.
 *
 * Called by `SecretVault`. Each read of a secret also reads the version of the keys, and each write holds it (in Postgres by a shared lock
 * of that row, in SQLite by there being one writer), so that nothing is sealed under a key that another process has just dropped.
 */
import { type ProviderError, ProviderUnavailableError } from "@keyward/core/effect"
import { type Kysely, sql } from "kysely"
import { secretFailure } from "./secretFailure.ts"
import type { OperationKind, SqlDatabase } from "./SqlDatabase.ts"
import type { Tables } from "./tables.ts"
import { wasWritten } from "./wasWritten.ts"

/** A secret under the name that stands for its id. */
export interface SecretRow {
  readonly name: string
  readonly sealed: string
}

/** The keys of the vault, as text. */
export interface KeysRow {
  readonly version: number
  readonly document: string
}

/** A secret with the version of the keys that it was read with; `null` where there are keys and no such secret. */
export interface SealedSecret {
  readonly version: number
  readonly sealed: string | null
}

/** How many rows one query of a list or of a rotation brings. */
const pageSize = 200

/** See the file's header. All methods reject with `ProviderError`s alone. */
export class SecretRows {
  readonly #database: SqlDatabase
  readonly #provider: string
  readonly #vault: string
  #isClosed = false

  constructor(database: SqlDatabase, provider: string, vault: string) {
    this.#database = database
    this.#provider = provider
    this.#vault = vault
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** From now on everything rejects. */
  close(): void {
    this.#isClosed = true
  }

  /** A secret as it is now; `undefined` where there are no keys. */
  async read(name: string): Promise<SealedSecret | undefined> {
    const row = await this.#do("read a secret", "read", (db) => this.#sealed(db, name))
    return row && { version: Number(row.version), sealed: row.sealed }
  }

  /** A secret as it was read not long ago; nothing that is open is kept. */
  kept(name: string): Promise<SealedSecret | undefined> {
    return this.typed(() =>
      this.#database.kept<SealedSecret>("read a secret", this.#record(name), async (db) => {
        const row = await this.#sealed(db, name)
        return row?.sealed == null ? undefined : JSON.stringify({ version: Number(row.version), sealed: row.sealed })
      }),
    )
  }

  /** Has the next {@link kept} ask the database; without a name, for every secret. */
  forget(name: string | undefined): void {
    if (name === undefined) this.#database.forgetUnder(["secrets", this.#vault])
    else this.#database.forget(this.#record(name))
  }

  /** Writes a secret if the keys are still of that version. */
  put({ name, sealed }: SecretRow, version: number): Promise<boolean> {
    const written = this.#do("write a secret", "write", async (db) =>
      wasWritten(
        await db
          .insertInto("keyward_secrets")
          .columns(["vault", "name", "sealed"])
          .expression(
            this.#holding(version, db).select([
              "keyward_vaults.vault",
              sql<string>`cast(${name} as text)`.as("name"),
              sql<string>`cast(${sealed} as text)`.as("sealed"),
            ]),
          )
          .onConflict((conflict) =>
            conflict.columns(["vault", "name"]).doUpdateSet((row) => ({ sealed: row.ref("excluded.sealed") })),
          )
          .executeTakeFirst(),
      ),
    )
    return this.#forgetting(name, written)
  }

  /** Puts another seal in the place of one, if that is there still and the keys are still of that version. */
  reseal(row: SecretRow, sealed: string, version: number): Promise<boolean> {
    const written = this.#do("seal a secret anew", "write", async (db) =>
      wasWritten(
        await db
          .updateTable("keyward_secrets")
          .set({ sealed })
          .where((eb) => eb.and({ vault: this.#vault, name: row.name, sealed: row.sealed }))
          .where((eb) => eb.exists(this.#holding(version, db).select("keyward_vaults.vault")))
          .executeTakeFirst(),
      ),
    )
    return this.#forgetting(row.name, written)
  }

  async delete(name: string): Promise<void> {
    const gone = this.#do("delete a secret", "write", (db) =>
      db
        .deleteFrom("keyward_secrets")
        .where((eb) => eb.and({ vault: this.#vault, name }))
        .execute(),
    )
    await this.#forgetting(name, gone)
  }

  /** Every secret, page by page. */
  async *pages(): AsyncGenerator<ReadonlyArray<SecretRow>> {
    for (let after = ""; ;) {
      const rows = await this.#do("read secrets", "read", (db) =>
        db
          .selectFrom("keyward_secrets")
          .select(["name", "sealed"])
          .where("vault", "=", this.#vault)
          .where("name", ">", after)
          .orderBy("name")
          .limit(pageSize)
          .execute(),
      )
      if (rows.length > 0) yield rows
      if (rows.length < pageSize) return
      after = rows.at(-1)?.name ?? after
    }
  }

  async hasAny(): Promise<boolean> {
    const row = await this.#do("read a secret", "read", (db) =>
      db.selectFrom("keyward_secrets").select("name").where("vault", "=", this.#vault).limit(1).executeTakeFirst(),
    )
    return row !== undefined
  }

  /** The version of the keys, if there are any. */
  async keysVersion(): Promise<number | undefined> {
    const row = await this.#do("read the keys of secrets", "read", (db) =>
      db.selectFrom("keyward_vaults").select("version").where("vault", "=", this.#vault).executeTakeFirst(),
    )
    return row && Number(row.version)
  }

  async keys(): Promise<KeysRow | undefined> {
    const row = await this.#do("read the keys of secrets", "read", (db) =>
      db
        .selectFrom("keyward_vaults")
        .select(["version", "document"])
        .where("vault", "=", this.#vault)
        .executeTakeFirst(),
    )
    return row && { version: Number(row.version), document: row.document }
  }

  /** Writes the first keys, unless another process was first. */
  async putKeys(document: string): Promise<void> {
    await this.#do("make the keys of secrets", "write", (db) =>
      db
        .insertInto("keyward_vaults")
        .values({ vault: this.#vault, version: 1, document })
        .onConflict((conflict) => conflict.doNothing())
        .execute(),
    )
  }

  /** Writes other keys in the place of those of a version; answers whether they were still there. */
  async replaceKeys(version: number, document: string): Promise<boolean> {
    const isReplaced = await this.#do("change the keys of secrets", "write", async (db) =>
      wasWritten(
        await db
          .updateTable("keyward_vaults")
          .set({ version: version + 1, document })
          .where("vault", "=", this.#vault)
          .where("version", "=", version)
          .executeTakeFirst(),
      ),
    )
    this.forget(undefined)
    return isReplaced
  }

  /** Does something whose failure is told as this provider's. */
  async typed<A>(ask: () => Promise<A>): Promise<A> {
    try {
      return await ask()
    } catch (error) {
      throw secretFailure(this.#provider, error)
    }
  }

  /** A secret with the version of the keys, which is there also where the secret is not. */
  #sealed(db: Kysely<Tables>, name: string) {
    return db
      .selectFrom("keyward_vaults")
      .leftJoin("keyward_secrets", (join) =>
        join.onRef("keyward_secrets.vault", "=", "keyward_vaults.vault").on("keyward_secrets.name", "=", name),
      )
      .select(["keyward_vaults.version as version", "keyward_secrets.sealed as sealed"])
      .where("keyward_vaults.vault", "=", this.#vault)
      .executeTakeFirst()
  }

  /** The row of the keys while they are of that version; whoever changes them waits until the statement is done. */
  #holding(version: number, db: Kysely<Tables>) {
    return db
      .selectFrom("keyward_vaults")
      .where("keyward_vaults.vault", "=", this.#vault)
      .where("keyward_vaults.version", "=", version)
      .$if(this.#database.flavor === "postgres", (query) => query.forShare())
  }

  #record(name: string) {
    return ["secrets", this.#vault, name] as const
  }

  async #forgetting<A>(name: string, write: Promise<A>): Promise<A> {
    try {
      return await write
    } finally {
      this.forget(name)
    }
  }

  #do<A>(operation: string, kind: OperationKind, statement: (db: Kysely<Tables>) => Promise<A>): Promise<A> {
    if (this.#isClosed) return Promise.reject(this.#closed())
    return this.typed(() => this.#database.attempt(operation, kind, statement))
  }

  #closed(): ProviderError {
    return new ProviderUnavailableError({
      provider: this.#provider,
      reason: "closed",
      nextStep: "It was closed. Make another with sqlSecretProvider().",
    })
  }
}
