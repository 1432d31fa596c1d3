/**
 * The vault as its provider uses it: reads from memory as long as the file has not changed, writes in groups under the
 * lock, compaction, and rotation of keys.
 *
 * Called by `encryptedFileProvider`. While this process appends, it reads from memory: nobody else can write then.
 */
import { randomUUID } from "node:crypto"
import { lstatSync, type Stats } from "node:fs"
import { resolve } from "node:path"
import { setImmediate as nextTurn } from "node:timers/promises"
import { isProviderError, ProviderUnavailableError } from "@keyward/core/effect"
import type * as Redacted from "effect/Redacted"
import { newKeyRecord, resealed, usedKeys } from "./dataKeyRotation.ts"
import { replaceFile } from "./durableFile.ts"
import { FileLock } from "./FileLock.ts"
import { generationBytes } from "./generationBytes.ts"
import { prepareFolder } from "./vaultAccess.ts"
import { CorruptEntryError, CorruptHeaderError, ioFailure, type VaultPlace } from "./VaultError.ts"
import type { RecordBody, WrappedDataKey } from "./vaultFormat.ts"
import { ABSENT, VaultGeneration } from "./VaultGeneration.ts"
import { type KeyEncryptionKey, type KeySource, keySource, type VaultSecret } from "./vaultKey.ts"
import { type VaultAnchor, VaultProgress, type VaultState } from "./VaultProgress.ts"
import { createDataKey, rewrapDataKey } from "./vaultSeal.ts"
import { type Mutation, recordsOf, WriteQueue } from "./WriteQueue.ts"

/** What a vault is made of. */
export interface VaultConfig {
  readonly place: VaultPlace
  readonly source: KeySource
  readonly lockTimeoutMs: number
  readonly anchor: VaultAnchor | undefined
}

const RESEAL_GROUP = 128
const COMPACTION_MINIMUM_BYTES = 256 * 1024

/** The vault; see the file's header. */
export class Vault {
  readonly #place: VaultPlace
  readonly #progress: VaultProgress
  readonly #lock: FileLock
  #source: KeySource
  #known: ReadonlyArray<KeyEncryptionKey> = []
  #generation: VaultGeneration | undefined
  #isKnownAbsent = false
  #isAppending = false
  #isClosed = false
  #turn: Promise<unknown> = Promise.resolve()
  readonly #writes: WriteQueue
  #compactAtDeadBytes = COMPACTION_MINIMUM_BYTES

  constructor({ place, source, lockTimeoutMs, anchor }: VaultConfig) {
    this.#place = { ...place, path: resolve(place.path) }
    this.#source = source
    this.#progress = new VaultProgress(this.#place, anchor)
    this.#lock = new FileLock(this.#place, lockTimeoutMs)
    this.#writes = new WriteQueue((commit) =>
      this.#locked(async () => {
        await commit((group) => this.#commit(group))
        await this.#compactWhenDue()
      }),
    )
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
    return this.#isClosed ? Promise.reject(this.#closed()) : this.#writes.add({ id, value }, signal)
  }

  /** Puts a new data key in use, seals every entry anew in small groups, then drops the former keys and generations. */
  async rotateDataKey(): Promise<void> {
    let names = await this.#locked(async () => {
      const generation = await this.#existing()
      this.#assertNameable(generation)
      await this.#append(generation, [await newKeyRecord(generation)])
      return [...generation.log.entries.keys()]
    })
    while (names.length > 0) {
      const group = names.slice(0, RESEAL_GROUP)
      names = names.slice(RESEAL_GROUP)
      await this.#locked(async () => {
        const generation = await this.#existing()
        await this.#append(generation, await resealed(generation, group))
      })
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
    await this.#writes.settled()
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
    if (this.#isAppending) return true
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
        this.#progress.note(stateOf(former))
      }
    } catch (thrown) {
      throw isProviderError(thrown) ? thrown : ioFailure(this.#place, "Reading", thrown)
    }
  }

  async #reopen(former: VaultGeneration | undefined): Promise<void> {
    const opened = await VaultGeneration.open(this.#place, { source: this.#source, known: this.#known }, former)
    try {
      await this.#progress.check(opened && stateOf(opened))
    } catch (thrown) {
      opened?.close()
      throw thrown
    }
    this.#isKnownAbsent = opened === undefined
    if (opened === undefined) return
    former?.close()
    this.#generation = opened
    this.#known = [opened.kek]
    this.#progress.note(stateOf(opened))
  }

  /** Runs `work` under the lock with the newest state in memory. */
  async #locked<A>(work: () => Promise<A>): Promise<A> {
    this.#assertOpen()
    prepareFolder(this.#place)
    return this.#lock.hold(() =>
      this.#inTurn(async () => {
        this.#assertOpen()
        await this.#refresh()
        try {
          return await work()
        } catch (thrown) {
          throw isProviderError(thrown) ? thrown : ioFailure(this.#place, "Writing", thrown)
        }
      }),
    )
  }

  #inTurn<A>(work: () => Promise<A>): Promise<A> {
    const done = this.#turn.then(work)
    this.#turn = done.catch(() => undefined)
    return done
  }

  async #commit(group: ReadonlyArray<Mutation>): Promise<void> {
    if (this.#generation === undefined && group.every(({ value }) => value === undefined)) return
    const generation = await this.#existing()
    await this.#append(generation, await recordsOf(generation, group))
  }

  async #append(generation: VaultGeneration, bodies: ReadonlyArray<RecordBody>): Promise<void> {
    if (bodies.length === 0) return
    this.#isAppending = true
    try {
      await generation.append(bodies)
    } finally {
      this.#isAppending = false
    }
    await this.#progress.advance(stateOf(generation))
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
    if (from !== undefined) this.#assertNameable(from)
    const [first, ...rest] = keys
    if (first === undefined) throw new CorruptHeaderError(this.#place, "none of its data keys opens")
    const chunks = await generationBytes(from, { vault: from?.header.vault ?? vault, kek, keys: [first, ...rest] })
    await replaceFile(this.#place.path, chunks, { keepPrevious })
    await this.#refresh()
    if (this.#generation !== undefined) await this.#progress.advance(stateOf(this.#generation))
  }

  /** Writes that were accepted before it was closed are still carried out. */
  #assertOpen(): void {
    if (this.#isClosed && !this.#writes.isBusy) throw this.#closed()
  }

  /** Rewriting would forget that entries were lost whose names cannot be told. */
  #assertNameable({ log }: VaultGeneration): void {
    if (log.unknownDamage.any) throw new CorruptEntryError(this.#place, "An entry that cannot be named")
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
