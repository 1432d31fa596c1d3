/**
 * Sealed secrets in the tables `keyward_vaults` and `keyward_secrets`: reads, writes, and the change of keys under both.
 *
 * Called by `sqlSecretProvider`. Each read also reads the version of the keys, and each write holds it (in Postgres by a shared lock
 * of that row, in SQLite by there being one writer), so that nothing is sealed under a key that another process has just dropped.
 */
import { type KeyObject, randomUUID, type webcrypto } from "node:crypto"
import { type ProviderError, ProviderUnavailableError } from "@keyward/core/effect"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { type Kysely, sql } from "kysely"
import { corruptEntry, corruptVault, newerVault, secretFailure, wrongKey } from "./secretFailure.ts"
import { type KeyEncryptionKey, type KeySource } from "./secretKey.ts"
import {
  entryName,
  isGenuine,
  newDataKey,
  newNamingKey,
  openDataKey,
  openEntry,
  openNamingKey,
  rewrapped,
  sealedUnder,
  sealEntry,
  type SecretEntry,
  signed,
  VaultDocument,
  type WrappedKey,
} from "./secretSeal.ts"
import type { OperationKind, SqlDatabase } from "./SqlDatabase.ts"
import type { Tables } from "./tables.ts"
import { wasWritten } from "./wasWritten.ts"

/** The keys of a vault as they were at one version. */
interface Ring {
  readonly version: number
  readonly document: VaultDocument
  readonly kek: KeyEncryptionKey
  readonly naming: KeyObject
  readonly keys: ReadonlyMap<string, webcrypto.CryptoKey>
  readonly active: { readonly kid: string; readonly crypto: webcrypto.CryptoKey }
}

interface Row {
  readonly name: string
  readonly sealed: string
}

interface Found {
  readonly row: Row
  readonly ring: Ring
}

/** What is kept in memory of a secret: the row, and the version of the keys that it was read with. */
interface SealedSecret {
  readonly version: number
  readonly sealed: string
}

/** How many rows one query of a list or of a rotation brings. */
const pageSize = 200

/** See the file's header. All methods reject with `ProviderError`s alone. */
export class SecretVault {
  readonly #database: SqlDatabase
  readonly #provider: string
  readonly #vault: string
  #source: KeySource
  #ring: Ring | undefined
  #loading: Promise<Ring | undefined> | undefined
  #creating: Promise<Ring> | undefined
  #isClosed = false

  constructor(database: SqlDatabase, provider: string, vault: string, source: KeySource) {
    this.#database = database
    this.#provider = provider
    this.#vault = vault
    this.#source = source
  }

  async get(id: string): Promise<Redacted.Redacted | undefined> {
    const found = (await this.#kept(id)) ?? (await this.#find(id))
    if (found === undefined) return undefined
    const entry = await opened(found.row, found.ring)
    if (entry?.id !== id) throw corruptEntry(this.#provider)
    return entry.value
  }

  async has(id: string): Promise<boolean> {
    return (await this.#find(id)) !== undefined
  }

  async set(id: string, value: Redacted.Redacted): Promise<void> {
    for (;;) {
      const ring = this.#ring ?? (await this.#load()) ?? (await this.#create())
      const name = entryName(ring.naming, id)
      const sealed = await sealEntry({ id, value }, { vault: ring.document.id, name }, ring.active)
      if (await this.#forgetting(name, this.#put({ name, sealed }, ring))) return
      await this.#load()
    }
  }

  async delete(id: string): Promise<void> {
    const ring = await this.#current()
    if (ring === undefined) return
    const name = entryName(ring.naming, id)
    const gone = this.#do("delete a secret", "write", (db) =>
      db.deleteFrom("keyward_secrets").where("vault", "=", this.#vault).where("name", "=", name).execute(),
    )
    await this.#forgetting(name, gone)
  }

  /** Has the next `get` of an id ask the database. */
  forget(id: string): void {
    const ring = this.#ring
    if (ring === undefined) this.#database.forgetUnder(["secrets", this.#vault])
    else this.#database.forget(this.#record(entryName(ring.naming, id)))
  }

  /** All ids, in the order of code units. An entry that is damaged has none any more. */
  async list(): Promise<ReadonlyArray<string>> {
    let ring = await this.#current()
    const ids: Array<string> = []
    if (ring === undefined) return ids
    for await (const rows of this.#pages()) {
      if (rows.some(({ sealed }) => !ring?.keys.has(sealedUnder(sealed) ?? ""))) ring = await this.#current()
      if (ring === undefined) break
      const keys = ring
      for (const entry of await Promise.all(rows.map((row) => opened(row, keys)))) if (entry) ids.push(entry.id)
    }
    return ids.sort()
  }

  /** Adds a data key, seals every entry anew, then drops the former keys. Several at once, in any process, finish one another's work. */
  async rotateDataKey(): Promise<void> {
    let { document } = await this.#existing()
    const former = new Set(document.keys.map(({ kid }) => kid))
    for (;;) {
      const ring = await this.#existing()
      ;({ document } = ring)
      const isNew = !former.has(ring.active.kid)
      if (isNew && document.keys.length === 1) return
      const keys = isNew ? document.keys.slice(-1) : [...document.keys, await newDataKey(document.id, ring.kek)]
      if (isNew && !(await this.#resealAll(ring))) continue
      await this.#replace(ring, signed({ ...document, keys }, ring.kek))
    }
  }

  async changeKey(source: KeySource): Promise<void> {
    for (;;) {
      const { kek: from, ...ring } = await this.#existing()
      const { id } = ring.document
      const kek = await this.#typed(() => source.create(id))
      const naming = await rewrapped(ring.document.naming, "naming", id, from, kek)
      const keys: Array<WrappedKey> = []
      for (const { kid, jwe } of ring.document.keys) {
        const again = await rewrapped(jwe, kid, id, from, kek)
        if (again !== undefined) keys.push({ kid, jwe: again })
      }
      if (naming === undefined || keys.length !== ring.document.keys.length) throw corruptVault(this.#provider)
      const document = signed({ v: 1, id, kek: kek.id, kdf: kek.kdf, naming, keys }, kek)
      if (!(await this.#replace(ring, document))) continue
      this.#source = source
      this.#ring = undefined
      return
    }
  }

  close(): void {
    this.#isClosed = true
    this.#ring = undefined
  }

  /** The row of an id as it was read not long ago, sealed as it is stored; nothing that is open is kept. */
  async #kept(id: string): Promise<Found | undefined> {
    const ring = this.#ring
    if (ring === undefined || this.#isClosed) return undefined
    const name = entryName(ring.naming, id)
    const kept = await this.#typed(() =>
      this.#database.kept<SealedSecret>("read a secret", this.#record(name), async (db) => {
        const row = await this.#sealed(db, name)
        return row?.sealed == null ? undefined : JSON.stringify({ version: Number(row.version), sealed: row.sealed })
      }),
    )
    return kept?.version === ring.version ? { row: { name, sealed: kept.sealed }, ring } : undefined
  }

  #record(name: string) {
    return ["secrets", this.#vault, name] as const
  }

  async #forgetting<A>(name: string, write: Promise<A>): Promise<A> {
    try {
      return await write
    } finally {
      this.#database.forget(this.#record(name))
    }
  }

  /** The row of an id with keys of the same moment: one query, unless keys were changed meanwhile. */
  async #find(id: string): Promise<Found | undefined> {
    for (;;) {
      const ring = this.#ring ?? (await this.#load())
      if (ring === undefined) return undefined
      const name = entryName(ring.naming, id)
      const found = await this.#do("read a secret", "read", (db) => this.#sealed(db, name))
      if (found !== undefined && Number(found.version) === ring.version) {
        return found.sealed === null ? undefined : { row: { name, sealed: found.sealed }, ring }
      }
      await this.#load()
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

  /** The keys as they are now. */
  async #current(): Promise<Ring | undefined> {
    const ring = this.#ring
    if (ring === undefined) return this.#load()
    const row = await this.#do("read the keys of secrets", "read", (db) =>
      db.selectFrom("keyward_vaults").select("version").where("vault", "=", this.#vault).executeTakeFirst(),
    )
    return row !== undefined && Number(row.version) === ring.version ? ring : this.#load()
  }

  /** The same for what changes keys: there have to be some. */
  async #existing(): Promise<Ring> {
    return (await this.#current()) ?? this.#create()
  }

  #load(): Promise<Ring | undefined> {
    this.#loading ??= this.#loadAnew().finally(() => (this.#loading = undefined))
    return this.#loading
  }

  async #loadAnew(): Promise<Ring | undefined> {
    this.#ring = undefined
    const row = await this.#do("read the keys of secrets", "read", (db) =>
      db
        .selectFrom("keyward_vaults")
        .select(["version", "document"])
        .where("vault", "=", this.#vault)
        .executeTakeFirst(),
    )
    if (row !== undefined) {
      const ring = await this.#opened(Number(row.version), row.document)
      if (!this.#isClosed) this.#ring = ring
      return ring
    }
    const orphan = await this.#do("read a secret", "read", (db) =>
      db.selectFrom("keyward_secrets").select("name").where("vault", "=", this.#vault).limit(1).executeTakeFirst(),
    )
    // Secrets whose keys are gone are not an empty vault, unless somebody has just made one.
    if (orphan !== undefined && !(await this.#isThere())) throw corruptVault(this.#provider)
    return orphan === undefined ? undefined : this.#loadAnew()
  }

  async #isThere(): Promise<boolean> {
    const row = await this.#do("read the keys of secrets", "read", (db) =>
      db.selectFrom("keyward_vaults").select("version").where("vault", "=", this.#vault).executeTakeFirst(),
    )
    return row !== undefined
  }

  async #opened(version: number, text: string): Promise<Ring> {
    const document = Option.getOrUndefined(decodeDocument(text))
    if (document === undefined) throw isNewer(text) ? newerVault(this.#provider) : corruptVault(this.#provider)
    const kek = await this.#typed(() => this.#source.derive(document.id, document.kdf))
    if (kek?.id !== document.kek) throw wrongKey(this.#provider)
    const naming = isGenuine(document, kek) ? await openNamingKey(document.naming, document.id, kek) : undefined
    const keys = new Map<string, webcrypto.CryptoKey>()
    for (const wrapped of document.keys) {
      const key = await openDataKey(wrapped, document.id, kek)
      if (key !== undefined) keys.set(wrapped.kid, key)
    }
    const kid = document.keys.at(-1)?.kid ?? ""
    const crypto = keys.get(kid)
    if (naming === undefined || crypto === undefined) throw corruptVault(this.#provider)
    return { version, document, kek, naming, keys, active: { kid, crypto } }
  }

  #create(): Promise<Ring> {
    this.#creating ??= this.#createAnew().finally(() => (this.#creating = undefined))
    return this.#creating
  }

  async #createAnew(): Promise<Ring> {
    const id = randomUUID()
    const kek = await this.#typed(() => this.#source.create(id))
    const naming = await newNamingKey(id, kek)
    const keys = [await newDataKey(id, kek)]
    const document = JSON.stringify(signed({ v: 1, id, kek: kek.id, kdf: kek.kdf, naming, keys }, kek))
    await this.#do("make the keys of secrets", "write", (db) =>
      db
        .insertInto("keyward_vaults")
        .values({ vault: this.#vault, version: 1, document })
        .onConflict((conflict) => conflict.doNothing())
        .execute(),
    )
    // Another process may have been first.
    const ring = await this.#load()
    if (ring === undefined) throw corruptVault(this.#provider)
    return ring
  }

  /** Writes a row if the keys are still those of `ring`. */
  #put({ name, sealed }: Row, ring: Ring): Promise<boolean> {
    return this.#do("write a secret", "write", async (db) =>
      wasWritten(
        await db
          .insertInto("keyward_secrets")
          .columns(["vault", "name", "sealed"])
          .expression(
            this.#holding(ring, db).select([
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
  }

  /** The row of the keys while they are those of `ring`; whoever changes them waits until the statement is done. */
  #holding({ version }: Ring, db: Kysely<Tables>) {
    return db
      .selectFrom("keyward_vaults")
      .where("keyward_vaults.vault", "=", this.#vault)
      .where("keyward_vaults.version", "=", version)
      .$if(this.#database.flavor === "postgres", (query) => query.forShare())
  }

  /** Seals every entry under the active key; `false` when the keys were changed meanwhile. What is damaged stays as it is. */
  async #resealAll(ring: Ring): Promise<boolean> {
    for await (const rows of this.#pages()) {
      for (const row of rows) {
        if (sealedUnder(row.sealed) === ring.active.kid) continue
        const entry = await opened(row, ring)
        if (entry === undefined) continue
        const sealed = await sealEntry(entry, { vault: ring.document.id, name: row.name }, ring.active)
        const done = this.#do("seal a secret anew", "write", async (db) => {
          const result = await db
            .updateTable("keyward_secrets")
            .set({ sealed })
            .where("vault", "=", this.#vault)
            .where("name", "=", row.name)
            .where("sealed", "=", row.sealed)
            .where((eb) => eb.exists(this.#holding(ring, db).select("keyward_vaults.vault")))
            .executeTakeFirst()
          return wasWritten(result)
        })
        const isDone = await this.#forgetting(row.name, done)
        // Else it was written or deleted since, by somebody who has these keys, unless there are others now.
        if (!isDone && (await this.#current())?.version !== ring.version) return false
      }
    }
    return true
  }

  async #replace({ version }: Pick<Ring, "version">, document: VaultDocument): Promise<boolean> {
    const isReplaced = await this.#do("change the keys of secrets", "write", async (db) =>
      wasWritten(
        await db
          .updateTable("keyward_vaults")
          .set({ version: version + 1, document: JSON.stringify(document) })
          .where("vault", "=", this.#vault)
          .where("version", "=", version)
          .executeTakeFirst(),
      ),
    )
    this.#database.forgetUnder(["secrets", this.#vault])
    return isReplaced
  }

  async *#pages(): AsyncGenerator<ReadonlyArray<Row>> {
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

  #do<A>(operation: string, kind: OperationKind, statement: (db: Kysely<Tables>) => Promise<A>): Promise<A> {
    if (this.#isClosed) return Promise.reject(this.#closed())
    return this.#typed(() => this.#database.attempt(operation, kind, statement))
  }

  async #typed<A>(ask: () => Promise<A>): Promise<A> {
    try {
      return await ask()
    } catch (error) {
      throw secretFailure(this.#provider, error)
    }
  }

  #closed(): ProviderError {
    return new ProviderUnavailableError({
      provider: this.#provider,
      reason: "closed",
      nextStep: "It was closed. Make another with sqlSecretProvider().",
    })
  }
}

const opened = async ({ name, sealed }: Row, ring: Ring): Promise<SecretEntry | undefined> => {
  const key = ring.keys.get(sealedUnder(sealed) ?? "")
  return key && openEntry(sealed, { vault: ring.document.id, name }, key)
}

const decodeDocument = Schema.decodeUnknownOption(Schema.fromJsonString(VaultDocument))

const isNewer = (text: string): boolean =>
  Option.match(decodeVersion(text), { onNone: () => false, onSome: ({ v }) => v > 1 })

const decodeVersion = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Struct({ v: Schema.Number })))
