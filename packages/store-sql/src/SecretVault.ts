/**
 * A vault of sealed secrets in a database: what is sealed and opened under which keys, and the change of those keys.
 *
 * Called by `sqlSecretProvider`; `SecretRows` has the statements. Keys are believed only at the version that a row was read with.
 */
import { type KeyObject, randomUUID, type webcrypto } from "node:crypto"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { corruptEntry, corruptVault, newerVault, wrongKey } from "./secretFailure.ts"
import { type KeyEncryptionKey, type KeySource } from "./secretKey.ts"
import { type KeysRow, type SecretRow, SecretRows } from "./SecretRows.ts"
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
import type { SqlDatabase } from "./SqlDatabase.ts"

/** The keys of a vault as they were at one version. */
interface Ring {
  readonly version: number
  readonly document: VaultDocument
  readonly kek: KeyEncryptionKey
  readonly naming: KeyObject
  readonly keys: ReadonlyMap<string, webcrypto.CryptoKey>
  readonly active: { readonly kid: string; readonly crypto: webcrypto.CryptoKey }
}

interface Found {
  readonly row: SecretRow
  readonly ring: Ring
}

/** See the file's header. All methods reject with `ProviderError`s alone. */
export class SecretVault {
  readonly #rows: SecretRows
  readonly #provider: string
  #source: KeySource
  #ring: Ring | undefined
  #loading: Promise<Ring | undefined> | undefined
  #creating: Promise<Ring> | undefined

  constructor(database: SqlDatabase, provider: string, vault: string, source: KeySource) {
    this.#rows = new SecretRows(database, provider, vault)
    this.#provider = provider
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
      if (await this.#rows.put({ name, sealed }, ring.version)) return
      await this.#load()
    }
  }

  async delete(id: string): Promise<void> {
    const ring = await this.#current()
    if (ring === undefined) return
    await this.#rows.delete(entryName(ring.naming, id))
  }

  /** Has the next `get` of an id ask the database. */
  forget(id: string): void {
    const ring = this.#ring
    this.#rows.forget(ring && entryName(ring.naming, id))
  }

  /** All ids, in the order of code units. An entry that is damaged has none any more. */
  async list(): Promise<ReadonlyArray<string>> {
    let ring = await this.#current()
    const ids: Array<string> = []
    if (ring === undefined) return ids
    for await (const rows of this.#rows.pages()) {
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
      await this.#rows.replaceKeys(ring.version, JSON.stringify(signed({ ...document, keys }, ring.kek)))
    }
  }

  async changeKey(source: KeySource): Promise<void> {
    for (;;) {
      const { kek: from, ...ring } = await this.#existing()
      const { id } = ring.document
      const kek = await this.#rows.typed(() => source.create(id))
      const naming = await rewrapped(ring.document.naming, "naming", id, from, kek)
      const keys: Array<WrappedKey> = []
      for (const { kid, jwe } of ring.document.keys) {
        const again = await rewrapped(jwe, kid, id, from, kek)
        if (again !== undefined) keys.push({ kid, jwe: again })
      }
      if (naming === undefined || keys.length !== ring.document.keys.length) throw corruptVault(this.#provider)
      const document = signed({ v: 1, id, kek: kek.id, kdf: kek.kdf, naming, keys }, kek)
      if (!(await this.#rows.replaceKeys(ring.version, JSON.stringify(document)))) continue
      this.#source = source
      this.#ring = undefined
      return
    }
  }

  close(): void {
    this.#rows.close()
    this.#ring = undefined
  }

  /** The row of an id as it was read not long ago. */
  async #kept(id: string): Promise<Found | undefined> {
    const ring = this.#ring
    if (ring === undefined || this.#rows.isClosed) return undefined
    const name = entryName(ring.naming, id)
    const kept = await this.#rows.kept(name)
    return kept?.version === ring.version && kept.sealed !== null
      ? { row: { name, sealed: kept.sealed }, ring }
      : undefined
  }

  /** The row of an id with keys of the same moment: one query, unless keys were changed meanwhile. */
  async #find(id: string): Promise<Found | undefined> {
    for (;;) {
      const ring = this.#ring ?? (await this.#load())
      if (ring === undefined) return undefined
      const name = entryName(ring.naming, id)
      const found = await this.#rows.read(name)
      if (found?.version === ring.version) {
        return found.sealed === null ? undefined : { row: { name, sealed: found.sealed }, ring }
      }
      await this.#load()
    }
  }

  /** The keys as they are now. */
  async #current(): Promise<Ring | undefined> {
    const ring = this.#ring
    if (ring === undefined) return this.#load()
    return (await this.#rows.keysVersion()) === ring.version ? ring : this.#load()
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
    const row = await this.#rows.keys()
    if (row !== undefined) {
      const ring = await this.#opened(row)
      if (!this.#rows.isClosed) this.#ring = ring
      return ring
    }
    if (!(await this.#rows.hasAny())) return undefined
    // Secrets whose keys are gone are not an empty vault, unless somebody has just made one.
    if ((await this.#rows.keysVersion()) === undefined) throw corruptVault(this.#provider)
    return this.#loadAnew()
  }

  async #opened({ version, document: text }: KeysRow): Promise<Ring> {
    const document = Option.getOrUndefined(decodeDocument(text))
    if (document === undefined) throw isNewer(text) ? newerVault(this.#provider) : corruptVault(this.#provider)
    const kek = await this.#rows.typed(() => this.#source.derive(document.id, document.kdf))
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
    const kek = await this.#rows.typed(() => this.#source.create(id))
    const naming = await newNamingKey(id, kek)
    const keys = [await newDataKey(id, kek)]
    const document = JSON.stringify(signed({ v: 1, id, kek: kek.id, kdf: kek.kdf, naming, keys }, kek))
    await this.#rows.putKeys(document)
    // A load under way may have begun before there were keys.
    await this.#loading?.catch(() => undefined)
    // Another process may have been first.
    const ring = await this.#load()
    if (ring === undefined) throw corruptVault(this.#provider)
    return ring
  }

  /** Seals every entry under the active key; `false` when the keys were changed meanwhile. What is damaged stays as it is. */
  async #resealAll(ring: Ring): Promise<boolean> {
    for await (const rows of this.#rows.pages()) {
      for (const row of rows) {
        if (sealedUnder(row.sealed) === ring.active.kid) continue
        const entry = await opened(row, ring)
        if (entry === undefined) continue
        const sealed = await sealEntry(entry, { vault: ring.document.id, name: row.name }, ring.active)
        const isDone = await this.#rows.reseal(row, sealed, ring.version)
        // Else it was written or deleted since, by somebody who has these keys, unless there are others now.
        if (!isDone && (await this.#current())?.version !== ring.version) return false
      }
    }
    return true
  }
}

const opened = async ({ name, sealed }: SecretRow, ring: Ring): Promise<SecretEntry | undefined> => {
  const key = ring.keys.get(sealedUnder(sealed) ?? "")
  return key && openEntry(sealed, { vault: ring.document.id, name }, key)
}

const decodeDocument = Schema.decodeUnknownOption(Schema.fromJsonString(VaultDocument))

const isNewer = (text: string): boolean =>
  Option.match(decodeVersion(text), { onNone: () => false, onSome: ({ v }) => v > 1 })

const decodeVersion = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Struct({ v: Schema.Number })))
