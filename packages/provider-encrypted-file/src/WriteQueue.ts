/**
 * Writes that wait for the lock, and what a group of them appends.
 *
 * Called by `Vault`. Whoever gets the lock takes everything that waits by then, so that many writes share one append and
 * one wait for the disk.
 */
import type * as Redacted from "effect/Redacted"
import type { RecordBody } from "./vaultFormat.ts"
import type { VaultGeneration } from "./VaultGeneration.ts"

/** One write that somebody waits for. */
export interface Mutation {
  readonly id: string
  /** `undefined` deletes. */
  readonly value: Redacted.Redacted | undefined
}

interface Waiting extends Mutation {
  readonly signal: AbortSignal
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Writes a group of mutations; resolves when they are durable. */
type WriteGroup = (group: ReadonlyArray<Mutation>) => Promise<void>

/** Takes the lock and runs `commit` under it, passing how to write; what it rejects with is what the group is told. */
type UnderLock = (commit: (write: WriteGroup) => Promise<void>) => Promise<void>

const GROUP_LIMIT = 64

/** The queue; see the file's header. */
export class WriteQueue {
  readonly #underLock: UnderLock
  #waiting: Array<Waiting> = []
  #draining: Promise<void> | undefined

  constructor(underLock: UnderLock) {
    this.#underLock = underLock
  }

  /** Whether writes are waiting or under way. */
  get isBusy(): boolean {
    return this.#draining !== undefined
  }

  /** Resolves when the write is durable. One whose signal is aborted while it waits is dropped. */
  add(mutation: Mutation, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...mutation, signal, resolve, reject })
      this.#draining ??= this.#drain()
    })
  }

  /** Resolves when nothing waits any more. */
  async settled(): Promise<void> {
    await this.#draining
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      let group: ReadonlyArray<Waiting> = []
      try {
        await this.#underLock(async (write) => {
          group = this.#waiting.splice(0, GROUP_LIMIT)
          const wanted = group.filter(({ signal }) => !signal.aborted)
          for (const { signal, reject } of group) if (signal.aborted) reject(signal.reason)
          await write(wanted)
          for (const { resolve } of wanted) resolve()
        })
      } catch (thrown) {
        const failed = group.length > 0 ? group : this.#waiting.splice(0)
        for (const { reject } of failed) reject(thrown)
      }
    }
    this.#draining = undefined
  }
}

/** The records that carry writes out, in their order; deleting what is not there needs none. */
export const recordsOf = (
  generation: VaultGeneration,
  mutations: ReadonlyArray<Mutation>,
): Promise<ReadonlyArray<RecordBody>> => {
  const stored = new Set<string>()
  const needed = mutations.filter(({ id, value }) => {
    const name = generation.name(id)
    if (value !== undefined) stored.add(name)
    return stored.has(name) || generation.log.entries.has(name)
  })
  const first = generation.log.seq + 1
  return Promise.all(
    needed.map(async ({ id, value }, index): Promise<RecordBody> => {
      if (value !== undefined) return generation.seal({ id, value }, first + index)
      return { kind: "del", subject: generation.name(id), version: 0 }
    }),
  )
}
