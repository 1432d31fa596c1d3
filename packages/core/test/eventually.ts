/**
 * Waits for what goes on in the background, as long as a busy machine may take for it.
 */
import { vi } from "vitest"

/** Repeats a check until it passes; fails with its last failure after 15 seconds. */
export const eventually = <A>(check: () => A | Promise<A>): Promise<A> =>
  vi.waitFor(check, { timeout: 15_000, interval: 10 })
