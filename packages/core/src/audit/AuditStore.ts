/** Where audit trails are kept. Implemented by stores; called by the executor. */
import type * as Effect from "effect/Effect"
import type { StoreUnavailableError } from "../error/StoreError.ts"
import type { AuditEntry, AuditHead } from "./AuditEntry.ts"

/** What is written at once. */
export interface AuditBatch {
  readonly entries: ReadonlyArray<AuditEntry>
  /** The head from then on. */
  readonly head: AuditHead
  /** Entries up to this sequence are removed as old. */
  readonly removeThrough?: number | undefined
}

/** Puts a batch behind the head of a chain; `undefined` writes nothing. May be called several times and has no effect of its own. */
export type AuditLink = (head: AuditHead | undefined) => AuditBatch | undefined

/** Which entries of a tenant are asked for; what is absent does not matter. */
export interface AuditQuery {
  readonly tenant: string
  /** `null`: those where nobody in particular acted. */
  readonly subject?: string | null | undefined
  /** Epoch milliseconds, included. */
  readonly since?: number | undefined
  /** The same, not included. */
  readonly before?: number | undefined
  readonly connection?: string | undefined
  readonly agent?: string | undefined
  readonly tool?: string | undefined
  /** A sequence; those that follow. */
  readonly after?: number | undefined
  /** A sequence; those up to it. */
  readonly through?: number | undefined
  readonly limit: number
}

/** One chain of entries per tenant. */
export interface AuditStore {
  /** `undefined` where the tenant has no chain. */
  head(tenant: string): Effect.Effect<AuditHead | undefined, StoreUnavailableError>
  /**
   * Reads the head, has the batch made that follows from it, and writes entries and head: all of that as one, so that two who append to
   * one chain come one after the other, in whatever process. Nothing is written when an entry of the id `first` is there already: then an
   * earlier attempt arrived whose answer was lost.
   */
  append(tenant: string, first: string, link: AuditLink): Effect.Effect<void, StoreUnavailableError>
  /**
   * Runs a write of this store, as one of its methods gave it, and appends what follows from its answer, in one transaction: both or
   * neither. Absent where the store cannot do that; entries are appended after their change then.
   *
   * `linkAfter` answers `undefined` where nothing follows, and may be called several times; nothing ever follows from `false`, with which
   * a write says that it changed nothing. Fails as the write does, and with `StoreUnavailableError` when the entry cannot be written;
   * then nothing was.
   */
  alongside?<A, E>(
    tenant: string,
    write: Effect.Effect<A, E>,
    linkAfter: (answer: A) => AuditLink | undefined,
  ): Effect.Effect<A, E | StoreUnavailableError>
  /** Entries in the order of the chain, exactly as they are stored; one that somebody altered is given as it is now. */
  list(query: AuditQuery): Effect.Effect<ReadonlyArray<AuditEntry>, StoreUnavailableError>
}
