/**
 * The vault as its provider uses it: reads from memory as long as the file has not changed, writes in groups under the
 * lock, compaction, and rotation of keys.
 *
 * Called by `encryptedFileProvider`. Whoever holds the lock reads from memory, because nobody else can write then.
 */
import { randomUUID } from "node:crypto"
import { existsSync, lstatSync, type Stats } from "node:fs"
import { resolve } from "node:path"
import { setImmediate as nextTurn } from "node:timers/promises"
import { isProviderError, ProviderUnavailableError } from "@keyward/core/effect"
import type * as Redacted from "effect/Redacted"
import { companions, replaceFile } from "./durableFile.ts"
import { FileLock } from "./FileLock.ts"
import { prepareFolder } from "./vaultAccess.ts"
import {
  CorruptEntryError,
  CorruptHeaderError,
  ioFailure,
  quoted,
  type VaultPlace,
  VaultRolledBackError,
} from "./VaultError.ts"
import type { RecordBody, WrappedDataKey } from "./vaultFormat.ts"
import { ABSENT, VaultGeneration } from "./VaultGeneration.ts"
import { generationBytes } from "./generationBytes.ts"
import {
  createDataKey,
  type KeyEncryptionKey,
  type KeySource,
  keySource,
  rewrapDataKey,
  sealedUnder,
  type VaultSecret,
} from "./vaultKey.ts"

/** How far a vault has come. `seq` grows with every write and never shrinks. */
export interface VaultState {
  readonly vault: string
  readonly seq: number
}

/**
 * A place outside the file that remembers how far the vault has come, so that an older copy of the whole file is noticed.
 *
 * A counter in a TPM, a row in a database, an item in the OS keychain. It must be at least as hard to roll back as the file.
 */
export interface VaultAnchor {
  /** The state last written, `undefined` when there is none yet. Called when the file is opened. */
  readonly read: () => PromiseLike<VaultState | undefined>
  /** Remembers a state. Called under the vault's lock after each durable write and before it is acknowledged. */
  readonly write: (state: VaultState) => PromiseLike<void>
}

/** What a vault is made of. */
export interface VaultConfig {
  readonly place: VaultPlace
  readonly source: KeySource
  readonly lockTimeoutMs: number
  readonly anchor: VaultAnchor | undefined
}

interface Mutation {
  readonly id: string
  /** `undefined` deletes. */
  readonly value: Redacted.Redacted | undefined
  readonly signal: AbortSignal
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

const GROUP_LIMIT = 64
const RESEAL_GROUP = 128
const COMPACTION_MINIMUM_BYTES = 256 * 1024
const YIELD_EVERY = 512

/** The vault; see the file's header. */
export class Vault {
  readonly #place: VaultPlace
  readonly #anchor: VaultAnchor | undefined
  readonly #lock: FileLock
  #source: KeySource
  #known: ReadonlyArray<KeyEncryptionKey> = []
  #generation: VaultGeneration | undefined
  #isKnownAbsent = false
  #isHeld = false
  #isClosed = false
  #seen: VaultState | undefined
  #turn: Promise<unknown> = Promise.resolve()
  #queue: Array<Mutation> = []
  #draining: Promise<void> | undefined
  #compactAtDeadBytes = COMPACTION_MINIMUM_BYTES

  constructor({ place, source, lockTimeoutMs, anchor }: VaultConfig) {
    this.#place = { ...place, path: resolve(place.path) }
    this.#source = source
    this.#anchor = anchor
    this.#lock = new FileLock(this.#place, lockTimeoutMs)
  }

  /** The value if it can be told at once, {@link ABSENT} if it is not there, `undefined` if {@link Vault.get} must be asked. */
  peek(id: string): Redacted.Redacted | typeof ABSENT | undefined {
    if (!this.#isFresh()) return undefined
    return this.#generation === undefined ? ABSENT : this.#generation.peek(id)
  }

  async get(id: string): Promise<Redacted.Redacted | undefined> {
    return (await this.#current())?.read(id)
  }

  async has(id: string): Promise<boolean> {
    return (await this.#current())?.has(id) ?? false
  }

  async list(): Promise<ReadonlyArray<string>> {
    return (await (await this.#current())?.ids()) ?? []
  }

  /** Stores a value, or deletes with `undefined`; returns when that is durable. Writes that wait together share one append. */
  write(id: string, value: Redacted.Redacted | undefined, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) return reject(this.#closed())
      this.#queue.push({ id, value, signal, resolve, reject })
      this.#draining ??= this.#drain()
    })
  }

  /** Puts a new data key in use, seals every entry anew in small groups, then drops the former keys and generations. */
  async rotateDataKey(): Promise<void> {
    const kid = await this.#locked(async () => {
      const generation = await this.#existing()
      const { header, log, kek } = generation
      const key = await createDataKey(header.vault, kek, log.seq + 1)
      await generation.append([{ kind: "key", subject: key.kid, version: 0, jwe: Buffer.from(key.jwe, "latin1") }])
      await this.#advance(generation)
      return key.kid
    })
    let names = await this.#locked(async () => [...(await this.#existing()).log.entries.keys()])
    while (names.length > 0) {
      const group = names.slice(0, RESEAL_GROUP)
      names = names.slice(RESEAL_GROUP)
      await this.#locked(() => this.#reseal(group, kid))
      await nextTurn()
    }
    await this.#locked(async () => {
      const generation = await this.#existing()
      await this.#rewrite(generation.kek, await usedKeys(generation), { keepPrevious: false })
    })
  }

  /** Wraps the data keys under another key or passphrase. No copy that opens with the former one is left beside the file. */
  async changeKey(secret: VaultSecret): Promise<void> {
    const source = keySource(this.#place, secret)
    await this.#locked(async () => {
      const { header, kek, log } = await this.#existing()
      const to = await source.create(header.vault)
      const keys = await Promise.all(log.keys.map((key) => rewrapDataKey(header.vault, key, kek, to)))
      this.#known = [kek, to]
      await this.#rewrite(
        to,
        keys.filter((key) => key !== undefined),
        { keepPrevious: false },
      )
      this.#source = source
      this.#known = [to]
    })
  }

  /** Ends pending writes, then forgets everything. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#draining
    await this.#inTurn(async () => {
      this.#generation?.close()
      this.#generation = undefined
      this.#known = []
      this.#lock.close()
    })
  }

  async #current(): Promise<VaultGeneration | undefined> {
    if (this.#isClosed) throw this.#closed()
    if (!this.#isFresh()) {
      await this.#inTurn(async () => {
        if (!this.#isFresh()) await this.#refresh()
      })
    }
    return this.#generation
  }

  /** One lstat call, which the kernel answers from memory. */
  #isFresh(): boolean {
    if (this.#isClosed) return false
    if (this.#isHeld) return true
    const found = this.#stat()
    const generation = this.#generation
    if (found === undefined) return generation === undefined && this.#isKnownAbsent
    return generation?.isFresh(found) ?? false
  }

  #stat(): Stats | undefined {
    try {
      return lstatSync(this.#place.path, { throwIfNoEntry: false })
    } catch {
      return undefined
    }
  }

  async #refresh(): Promise<void> {
    try {
      const former = this.#generation
      const found = this.#stat()
      if (former === undefined || found === undefined || !former.isAt(found) || !former.catchUp()) {
        await this.#reopen(former)
      } else {
        this.#seen = stateOf(former)
      }
    } catch (thrown) {
      throw isProviderError(thrown) ? thrown : ioFailure(this.#place, "Reading", thrown)
    }
  }

  async #reopen(former: VaultGeneration | undefined): Promise<void> {
    const opened = await VaultGeneration.open(this.#place, { source: this.#source, known: this.#known }, former)
    try {
      await this.#checkRollback(opened)
    } catch (thrown) {
      opened?.close()
      throw thrown
    }
    this.#isKnownAbsent = opened === undefined
    if (opened === undefined) return
    former?.close()
    this.#generation = opened
    this.#known = [opened.kek]
    this.#seen = stateOf(opened)
  }

  async #checkRollback(opened: VaultGeneration | undefined): Promise<void> {
    const anchored = await this.#anchored(async (anchor) => anchor.read())
    const states = [this.#seen, anchored].filter((state) => state !== undefined)
    if (opened === undefined) {
      const { previous } = companions(this.#place.path)
      if (states.length > 0 || existsSync(previous)) throw this.#missing(previous)
      return
    }
    const now = stateOf(opened)
    for (const state of states) {
      if (state.vault !== now.vault) throw new VaultRolledBackError(this.#place, "was replaced by another vault")
      if (state.seq > now.seq) {
        throw new VaultRolledBackError(this.#place, `is at write ${now.seq} and has been at write ${state.seq}`)
      }
    }
  }

  /** Runs `work` under the lock with the newest state in memory. */
  async #locked<A>(work: () => Promise<A>): Promise<A> {
    if (this.#isClosed && this.#draining === undefined) throw this.#closed()
    prepareFolder(this.#place)
    return this.#lock.hold(() =>
      this.#inTurn(async () => {
        await this.#refresh()
        this.#isHeld = true
        try {
          return await work()
        } catch (thrown) {
          throw isProviderError(thrown) ? thrown : ioFailure(this.#place, "Writing", thrown)
        } finally {
          this.#isHeld = false
        }
      }),
    )
  }

  #inTurn<A>(work: () => Promise<A>): Promise<A> {
    const done = this.#turn.then(work)
    this.#turn = done.catch(() => undefined)
    return done
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      let group: ReadonlyArray<Mutation> = []
      try {
        await this.#locked(async () => {
          group = this.#queue.splice(0, GROUP_LIMIT)
          await this.#commit(group)
          for (const { resolve } of group) resolve()
          await this.#compactWhenDue()
        })
      } catch (thrown) {
        const failed = group.length > 0 ? group : this.#queue.splice(0)
        for (const { reject } of failed) reject(thrown)
      }
    }
    this.#draining = undefined
  }

  async #commit(group: ReadonlyArray<Mutation>): Promise<void> {
    const wanted = group.filter(({ signal, reject }) => {
      if (signal.aborted) reject(signal.reason)
      return !signal.aborted
    })
    if (this.#generation === undefined && wanted.every(({ value }) => value === undefined)) return
    const generation = await this.#existing()
    const stored = new Set<string>()
    const needed = wanted.filter(({ id, value }) => {
      const name = generation.name(id)
      const isNeeded = value !== undefined || stored.has(name) || generation.log.entries.has(name)
      if (value !== undefined) stored.add(name)
      return isNeeded
    })
    if (needed.length === 0) return
    const first = generation.log.seq + 1
    await generation.append(
      await Promise.all(
        needed.map(async ({ id, value }, index): Promise<RecordBody> => {
          if (value !== undefined) return generation.seal({ id, value }, first + index)
          return { kind: "del", subject: generation.name(id), version: 0 }
        }),
      ),
    )
    await this.#advance(generation)
  }

  async #reseal(names: ReadonlyArray<string>, kid: string): Promise<void> {
    const generation = await this.#existing()
    const first = generation.log.seq + 1
    const bodies: Array<RecordBody> = []
    for (const name of names) {
      const entry = generation.log.entries.get(name)
      if (entry?.jwe === undefined || sealedUnder(entry.jwe) === kid) continue
      const opened = await generation.openEntry(name, entry)
      if (opened !== undefined) bodies.push(await generation.seal(opened, first + bodies.length))
    }
    if (bodies.length === 0) return
    await generation.append(bodies)
    await this.#advance(generation)
  }

  async #advance(generation: VaultGeneration): Promise<void> {
    const state = stateOf(generation)
    this.#seen = state
    await this.#anchored(async (anchor) => anchor.write(state))
  }

  async #anchored<A>(ask: (anchor: VaultAnchor) => PromiseLike<A>): Promise<A | undefined> {
    if (this.#anchor === undefined) return undefined
    try {
      return await ask(this.#anchor)
    } catch {
      throw new ProviderUnavailableError({
        provider: this.#place.provider,
        reason: "anchor",
        nextStep: `The anchor of ${quoted(this.#place.path)} failed, so it cannot be told whether the file is the newest one. Make the anchor reachable, then try again.`,
      })
    }
  }

  async #existing(): Promise<VaultGeneration> {
    if (this.#generation === undefined) {
      const vault = randomUUID()
      const kek = await this.#source.create(vault)
      this.#known = [kek]
      await this.#rewrite(kek, [await createDataKey(vault, kek, 0)], { keepPrevious: false, vault })
    }
    if (this.#generation === undefined) throw new CorruptHeaderError(this.#place, "it vanished while it was made")
    return this.#generation
  }

  async #compactWhenDue(): Promise<void> {
    const generation = this.#generation
    if (generation === undefined || generation.log.unknownDamage.any) return
    const { deadBytes, liveBytes } = generation.log
    if (deadBytes < Math.max(liveBytes, this.#compactAtDeadBytes)) return
    try {
      await this.#rewrite(generation.kek, await usedKeys(generation), { keepPrevious: true })
      this.#compactAtDeadBytes = COMPACTION_MINIMUM_BYTES
    } catch {
      // The write itself stands. Not having room now, for instance, is no reason to try again at once.
      this.#compactAtDeadBytes = deadBytes * 2
    }
  }

  /** Writes a new generation with what is live and puts it in the file's place. */
  async #rewrite(
    kek: KeyEncryptionKey,
    keys: ReadonlyArray<WrappedDataKey>,
    { keepPrevious, vault = "" }: { readonly keepPrevious: boolean; readonly vault?: string },
  ): Promise<void> {
    const from = this.#generation
    if (from?.log.unknownDamage.any) throw new CorruptEntryError(this.#place, "An entry that cannot be named")
    const [first, ...rest] = keys
    if (first === undefined) throw new CorruptHeaderError(this.#place, "none of its data keys opens")
    const chunks = await generationBytes(from, { vault: from?.header.vault ?? vault, kek, keys: [first, ...rest] })
    await replaceFile(this.#place.path, chunks, { keepPrevious })
    await this.#refresh()
    if (this.#generation !== undefined) await this.#advance(this.#generation)
  }

  #missing(previous: string): ProviderUnavailableError {
    return new ProviderUnavailableError({
      provider: this.#place.provider,
      reason: "missing",
      nextStep: `${quoted(this.#place.path)} is gone. Put it back from a backup, or from ${quoted(previous)}; only where it was deleted on purpose, delete what is left of it, reset the anchor and restart.`,
    })
  }

  #closed(): ProviderUnavailableError {
    return new ProviderUnavailableError({
      provider: this.#place.provider,
      reason: "closed",
      nextStep: "The executor that owned it was closed; create a new one.",
    })
  }
}

const stateOf = ({ header, log }: VaultGeneration): VaultState => ({ vault: header.vault, seq: log.seq })

/** The keys that entries are still sealed under, and the active one. */
const usedKeys = async ({ log }: VaultGeneration): Promise<ReadonlyArray<WrappedDataKey>> => {
  if (log.keys.length === 1) return log.keys
  const used = new Set([log.activeKey.kid])
  let count = 0
  for (const { jwe } of log.entries.values()) {
    const kid = jwe && sealedUnder(jwe)
    if (kid !== undefined) used.add(kid)
    if (++count % YIELD_EVERY === 0) await nextTurn()
  }
  return log.keys.filter(({ kid }) => used.has(kid))
}
