/**
 * From events to audit trails: a bounded queue in memory, and whoever writes it to the store in batches.
 *
 * Calls only join the queue; it is written after `flushMs`, at once when a batch is full, and before a change is answered (`settle`). A
 * batch that could not be written is tried again as it is, so that a lost answer writes nothing twice. Closing writes what is left. A
 * change passes it by where the store writes both as one (`recordWith`).
 */
import { randomUUID } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { type AuditKeys, emptyHead, linkEntries } from "../../audit/auditChain.ts"
import type { AuditDraft } from "../../audit/AuditEntry.ts"
import type { AuditLink, AuditStore } from "../../audit/AuditStore.ts"
import { StoreUnavailableError } from "../../error/StoreError.ts"
import type { EventBody, ExecutorEvent } from "../ExecutorEvent.ts"
import { auditDraft, type AuditedEvent, isAudited } from "./auditDraft.ts"

/** How a log works; see `AuditOptions` of the config for what each means. */
export interface AuditLogOptions {
  readonly store: AuditStore
  readonly keys: AuditKeys
  readonly flushMs: number
  readonly maxPending: number
  /** Tells the host of trouble with a tenant's trail. */
  readonly tell: (tenant: string, event: EventBody) => void
}

/** How many entries are written at once. */
const mostAtOnce = 500

/** How long closing goes on trying, in milliseconds. */
const farewellMs = 5000

const longestPauseMs = 10_000

/** See the file's header. */
export class AuditLog {
  readonly #options: AuditLogOptions
  readonly #tenants = new Map<string, Pending>()
  /** Of this log; with a count behind it, the id of an entry. */
  readonly #name = randomUUID()
  #count = 0
  #size = 0
  /** Places of calls that have not ended. */
  #reserved = 0
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> | undefined
  #failures = 0
  #isClosed = false

  constructor(options: AuditLogOptions) {
    this.#options = options
  }

  /** Keeps a place for the entry of a call that is to begin; answers whether there was one. */
  reserve(): boolean {
    if (this.#isFull || this.#isClosed) return false
    this.#reserved += 1
    return true
  }

  /** Gives a place back, which the entry takes that is recorded next. */
  release(): void {
    this.#reserved -= 1
  }

  /** Takes an event in; `shown` are its call's arguments, redacted. */
  record(event: ExecutorEvent, shown: string | undefined): void {
    if (!isAudited(event)) return
    const pending = this.#pendingOf(event.tenant)
    if (this.#isFull || this.#isClosed) {
      if (pending.lost === 0) this.#options.tell(event.tenant, { type: "audit.lost", entries: 1, reason: "full" })
      pending.lost += 1
      return
    }
    this.#size += 1
    pending.queue.push({ id: this.#nextId(), event, shown })
    if (this.#failures > 0) return
    if (pending.queue.length >= mostAtOnce) this.#flushSoon(0)
    else this.#flushSoon(this.#options.flushMs)
  }

  /**
   * Runs a write together with the entry of the event that follows from its answer, behind what was recorded before. Fails as the write
   * does, and when the entry cannot be written; nothing was then. `undefined` where the store cannot do that.
   */
  recordWith<A, E>(
    tenant: string,
    write: Effect.Effect<A, E>,
    eventAfter: (answer: A) => ExecutorEvent | undefined,
  ): Effect.Effect<A, E | StoreUnavailableError> | undefined {
    const written = this.#options.store.alongside?.(tenant, write, (answer) => {
      const event = eventAfter(answer)
      if (event === undefined || !isAudited(event)) return undefined
      return this.#linkOf(tenant, [auditDraft({ id: this.#nextId(), event, shown: undefined })])
    })
    return written && Effect.andThen(this.settle, written)
  }

  /** Writes what was recorded before, or tries to: what cannot be written stays in the queue, and nobody fails for it. */
  readonly settle: Effect.Effect<void> = Effect.suspend(() =>
    this.#size === 0 ? Effect.void : Effect.promise(() => this.#flushed()),
  )

  /** Writes everything and ends; what cannot be written within a while is lost, of which the host is told. */
  readonly close: Effect.Effect<void> = Effect.promise(async () => {
    const deadline = performance.now() + farewellMs
    for (let pauseMs = 50; this.#size > 0; pauseMs *= 2) {
      await this.#flushed()
      if (this.#size === 0 || performance.now() + pauseMs >= deadline) break
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
    this.#isClosed = true
    clearTimeout(this.#timer)
    for (const [tenant, { queue, batch }] of this.#tenants) {
      const entries = queue.length + (batch?.length ?? 0)
      if (entries > 0) this.#options.tell(tenant, { type: "audit.lost", entries, reason: "closed" })
    }
  })

  get #isFull(): boolean {
    return this.#size + this.#reserved >= this.#options.maxPending
  }

  #pendingOf(tenant: string): Pending {
    const known = this.#tenants.get(tenant)
    if (known !== undefined) return known
    const pending: Pending = { queue: [], batch: undefined, lost: 0 }
    this.#tenants.set(tenant, pending)
    return pending
  }

  #flushSoon(afterMs: number): void {
    if (this.#writing !== undefined || (this.#timer !== undefined && afterMs > 0)) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#flushed(), afterMs)
    // A process that has nothing else to do ends, but not before what can be written soon.
    if (this.#failures > 0) this.#timer.unref()
  }

  /** What is in the queue now is written, or was tried. */
  async #flushed(): Promise<void> {
    // What is being written may not hold everything that was recorded until now.
    await this.#writing
    await (this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined
      if (this.#size > 0 && !this.#isClosed) this.#flushSoon(this.#nextPauseMs())
    }))
  }

  #nextPauseMs(): number {
    const { flushMs } = this.#options
    return this.#failures === 0 ? flushMs : Math.min(longestPauseMs, Math.max(flushMs, 100) * 2 ** this.#failures)
  }

  async #write(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    // One after the other: a database that is busy with one trail is not served faster by another.
    for (const [tenant, pending] of this.#tenants) {
      if (!(await this.#writeTenant(tenant, pending))) return
    }
    for (const [tenant, { queue, batch, lost }] of this.#tenants) {
      if (queue.length === 0 && batch === undefined && lost === 0) this.#tenants.delete(tenant)
    }
  }

  async #writeTenant(tenant: string, pending: Pending): Promise<boolean> {
    for (;;) {
      pending.batch ??= this.#nextBatch(tenant, pending)
      const { batch } = pending
      const [first] = batch ?? []
      if (batch === undefined || first === undefined) return true
      const { store } = this.#options
      const written = await Effect.runPromiseExit(store.append(tenant, first.id, this.#linkOf(tenant, batch)))
      if (Exit.isFailure(written)) {
        this.#failed(tenant, written)
        return false
      }
      pending.batch = undefined
      this.#size -= batch.length
      if (this.#failures > 0) {
        this.#failures = 0
        this.#options.tell(tenant, { type: "audit.resumed" })
      }
    }
  }

  #nextBatch(tenant: string, pending: Pending): ReadonlyArray<AuditDraft> | undefined {
    const taken = pending.queue.splice(0, mostAtOnce)
    const { lost } = pending
    if (lost > 0 && pending.queue.length === 0) {
      // The trail itself says that it has a hole.
      this.#size += 1
      pending.lost = 0
      const body = { type: "audit.lost", entries: lost, reason: "full" } as const
      const event: ExecutorEvent = { ...body, at: Date.now(), tenant, subject: null }
      taken.push({ id: this.#nextId(), event, shown: undefined })
    }
    return taken.length === 0 ? undefined : taken.map(auditDraft)
  }

  #linkOf(tenant: string, drafts: ReadonlyArray<AuditDraft>): AuditLink {
    const { keys } = this.#options
    return (head) => linkEntries(head ?? emptyHead(tenant, keys), drafts, keys)
  }

  #nextId(): string {
    this.#count += 1
    return `${this.#name}-${this.#count}`
  }

  #failed(tenant: string, exit: Exit.Failure<unknown, unknown>): void {
    this.#failures += 1
    if (this.#failures > 1) return
    const error = exit.cause.reasons.find((reason) => reason._tag === "Fail")?.error
    const reason = error instanceof StoreUnavailableError ? error.reason : "store_error"
    this.#options.tell(tenant, { type: "audit.delayed", entries: this.#size, reason })
  }
}

/** A change that is answered once the trail says so too, or that was tried. */
export const audited = <A, E>(
  { audit }: { readonly audit: AuditLog | undefined },
  change: Effect.Effect<A, E>,
): Effect.Effect<A, E> => (audit === undefined ? change : Effect.ensuring(change, audit.settle))

interface Pending {
  readonly queue: Array<AuditedEvent>
  /** What is being written, or is to be written again as it is. */
  batch: ReadonlyArray<AuditDraft> | undefined
  /** Events that found no room since the last one that did. */
  lost: number
}
