/**
 * Leases among the fibers of this process: one queue per key, whose first is the holder.
 *
 * A fiber leaves its queue however it ends, whether it held the lease or still waited, so that nothing is left of a key that nobody
 * wants.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Lease } from "../credential/Lease.ts"
import { getOrMake } from "./getOrMake.ts"

/** Makes a lease of which nobody holds anything. */
export const memoryLease = (): Lease => {
  const queues = new Map<string, Set<Turn>>()
  const leave = (key: string, turn: Turn): void => {
    const queue = queues.get(key)
    const wasHeld = first(queue) === turn
    if (queue === undefined || !queue.delete(turn)) return
    if (queue.size === 0) queues.delete(key)
    else if (wasHeld) first(queue)?.begin()
  }
  return {
    hold: (key, use) =>
      Effect.uninterruptibleMask((restore) => {
        const turn: Turn = { begin: () => {} }
        const arrived = Effect.callback<void>((resume) => {
          const queue = getOrMake(queues, key, () => new Set<Turn>())
          queue.add(turn)
          if (queue.size === 1) resume(Effect.void)
          // In a microtask: holders that never wait would otherwise begin inside each other's end, ever deeper.
          else turn.begin = () => queueMicrotask(() => resume(Effect.void))
        })
        const isHeld = Effect.sync(() => first(queues.get(key)) === turn)
        return restore(arrived).pipe(
          Effect.flatMap(() => restore(Effect.suspend(() => use({ isHeld, now: Clock.currentTimeMillis })))),
          Effect.ensuring(Effect.sync(() => leave(key, turn))),
        )
      }),
  }
}

/** A fiber's place in a queue. */
interface Turn {
  begin: () => void
}

const first = (queue: Set<Turn> | undefined): Turn | undefined => queue?.values().next().value
