/**
 * One writer at a time, among fibers, threads and processes, with a lock that the kernel holds and the kernel frees.
 *
 * Called by `Vault`. The lock is an exclusive transaction on an empty SQLite database beside the vault, which is an OS
 * file lock: no heartbeat that a stalled event loop could miss, nothing to clean up after SIGKILL. POSIX drops such locks
 * when the process opens and closes the same file by other means, so nothing but this class may open it.
 */
import { chmodSync, lstatSync } from "node:fs"
import type { DatabaseSync } from "node:sqlite"
import { setTimeout as delay } from "node:timers/promises"
import { companions } from "./durableFile.ts"
import { checkFile } from "./vaultAccess.ts"
import { ioFailure, UnsafeVaultError, VaultLockedError, type VaultPlace } from "./VaultError.ts"

const LONGEST_PAUSE_MS = 16
const SQLITE_BUSY = 5

/** A lock as one provider holds it; see the file's header. */
export class FileLock {
  readonly #place: VaultPlace
  readonly #path: string
  readonly #timeoutMs: number
  #database: DatabaseSync | undefined
  #inode: number | undefined
  #isHeld = false
  #isClosed = false

  constructor(place: VaultPlace, timeoutMs: number) {
    this.#place = place
    this.#path = companions(place.path).lock
    this.#timeoutMs = timeoutMs
  }

  /** Runs `work` while no other holder does. Fails with `VaultLockedError` when the lock stays taken for the whole limit. */
  async hold<A>(work: () => Promise<A>): Promise<A> {
    const deadline = performance.now() + this.#timeoutMs
    const leave = await this.#queue(deadline)
    try {
      const database = await this.#acquire(deadline)
      try {
        return await work()
      } finally {
        this.#isHeld = false
        database.exec("ROLLBACK")
      }
    } finally {
      if (this.#isClosed) this.#disconnect()
      leave()
    }
  }

  /** Closes the lock's file: now, or when the lock is given back. */
  close(): void {
    this.#isClosed = true
    if (!this.#isHeld) this.#disconnect()
  }

  #disconnect(): void {
    this.#database?.close()
    this.#database = undefined
  }

  async #queue(deadline: number): Promise<() => void> {
    const ahead = queues.get(this.#path) ?? Promise.resolve()
    const turn = Promise.withResolvers<void>()
    const tail = ahead.then(() => turn.promise)
    queues.set(this.#path, tail)
    void tail.then(() => queues.get(this.#path) === tail && queues.delete(this.#path))
    const limit = new AbortController()
    const late = delay(Math.max(0, deadline - performance.now()), "late", { signal: limit.signal, ref: false })
    const outcome = await Promise.race([ahead, late.catch(() => "free")])
    limit.abort()
    if (outcome !== "late") return turn.resolve
    turn.resolve()
    throw new VaultLockedError(this.#place, this.#timeoutMs)
  }

  async #acquire(deadline: number): Promise<DatabaseSync> {
    for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      const database = await this.#tryAcquire()
      if (database !== undefined) return database
      if (performance.now() >= deadline) throw new VaultLockedError(this.#place, this.#timeoutMs)
      await delay(pauseMs * (0.5 + Math.random()))
    }
  }

  async #tryAcquire(): Promise<DatabaseSync | undefined> {
    try {
      const database = this.#database ?? (await this.#open())
      database.exec("BEGIN EXCLUSIVE")
      this.#isHeld = this.#isCurrent()
      if (this.#isHeld) return database
      database.exec("ROLLBACK")
      this.#disconnect()
      return undefined
    } catch (thrown) {
      if (isBusy(thrown)) return undefined
      this.#disconnect()
      throw thrown instanceof UnsafeVaultError ? thrown : ioFailure(this.#place, "Locking", thrown)
    }
  }

  async #open(): Promise<DatabaseSync> {
    const { DatabaseSync } = await import("node:sqlite")
    const before = lstatSync(this.#path, { throwIfNoEntry: false })
    if (before !== undefined) checkFile(this.#place, this.#path, before)
    const database = new DatabaseSync(this.#path, { timeout: 0 })
    try {
      const created = lstatSync(this.#path)
      if (process.platform !== "win32" && (created.mode & 0o077) !== 0) chmodSync(this.#path, 0o600)
      database.exec("PRAGMA journal_mode = MEMORY")
      this.#inode = created.ino
      this.#database = database
      return database
    } catch (thrown) {
      database.close()
      throw thrown
    }
  }

  /** Someone may have deleted the lock file, and others may be locking a new one. */
  #isCurrent(): boolean {
    return lstatSync(this.#path, { throwIfNoEntry: false })?.ino === this.#inode
  }
}

/** Holders of this thread, in order, by the lock's path; those of other threads and processes are met in SQLite. */
const queues = new Map<string, Promise<void>>()

const isBusy = (thrown: unknown): boolean =>
  thrown instanceof Error && "errcode" in thrown && (Number(thrown.errcode) & 0xff) === SQLITE_BUSY
