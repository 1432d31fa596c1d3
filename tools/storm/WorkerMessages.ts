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

/** From a worker. */
export type WorkerMessage =
  | { readonly type: "ready" }
  /** It has opened a TCP connection, from this port. */
  | { readonly type: "connected"; readonly port: number; readonly at: number }
  /** New tokens of an account are written. */
  | { readonly type: "refreshed"; readonly connection: string; readonly at: number }
  /** Outcomes of calls since the last time. */
  | { readonly type: "called"; readonly outcomes: Readonly<Record<string, number>> }
  | { readonly type: "done" }

/** To a worker: begin to call; finish what is under way and say `done`. */
export type WorkerOrder = "go" | "stop"
