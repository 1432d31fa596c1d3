/** What the run and its workers tell each other. Plain JSON. */
import type { Stage } from "./Stage.ts"

/** What a worker is told when it is spawned. */
export interface WorkerJob {
  readonly stage: Stage
  readonly seed: number
  /** Milliseconds between two calls of one account, on average. */
  readonly everyMs: number
  /** Whether it refreshes in the background as well. */
  readonly keepsAlive: boolean
}

/** A write of a row, as far as it tells how a refresh went. */
export interface RowWritten {
  readonly connection: string
  readonly at: number
  /** Whether nobody else had written it since it was read. */
  readonly isWritten: boolean
  readonly status: string
  /** The time at which the access token in force was asked for. */
  readonly issuedAt: number
  /** The intent that is on record then, in one word: its state and the beginning of its id. */
  readonly intent: string
}

/** From a worker. */
export type WorkerMessage =
  | { readonly type: "ready" }
  /** It has opened a TCP connection, from this port. */
  | { readonly type: "connected"; readonly port: number; readonly at: number }
  /** New tokens of an account are written. */
  | { readonly type: "refreshed"; readonly connection: string; readonly at: number }
  /** It has written an account's row, or found that somebody else had. */
  | ({ readonly type: "wrote" } & RowWritten)
  /** Outcomes of calls since the last time. */
  | { readonly type: "called"; readonly outcomes: Readonly<Record<string, number>> }
  | { readonly type: "done" }

/** To a worker: begin to call; finish what is under way and say `done`. */
export type WorkerOrder = "go" | "stop"
