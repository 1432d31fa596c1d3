/**
 * How long a connection leaves its authorization server alone after a refresh that failed: per connection, in this process.
 *
 * Calls in the meantime get the failure that began it. A success ends it. Bounded; the oldest goes first.
 */
import type { ConnectionCredentialError } from "../../../connection/ConnectionError.ts"

interface CoolDown {
  readonly since: number
  readonly until: number
  readonly failures: number
  readonly error: ConnectionCredentialError
}

const mostKept = 10_000
const shortestMs = 1_000
const longestMs = 60_000

/** See the file's header. Times are epoch milliseconds. */
export class CoolDowns {
  readonly #byKey = new Map<string, CoolDown>()

  /** The failure that still stands, and how long. */
  standing(
    key: string,
    now: number,
  ): { readonly error: ConnectionCredentialError; readonly remainingMs: number } | undefined {
    const known = this.#byKey.get(key)
    // A clock that was set back must not make it longer.
    if (known === undefined || now >= known.until || now < known.since) return undefined
    return { error: known.error, remainingMs: known.until - now }
  }

  /** How long the next one will be: doubling from 1 s to 60 s with jitter, or what the server asked for. */
  nextMs(key: string, retryAfterMs: number | undefined): number {
    const failures = this.#byKey.get(key)?.failures ?? 0
    const backoff = Math.min(longestMs, shortestMs * 2 ** Math.min(failures, 10))
    return Math.max(retryAfterMs ?? 0, Math.round(backoff * (0.75 + Math.random() / 2)))
  }

  /** Begins or lengthens one. */
  begin(key: string, now: number, lengthMs: number, error: ConnectionCredentialError): void {
    const failures = (this.#byKey.get(key)?.failures ?? 0) + 1
    this.#byKey.delete(key)
    this.#byKey.set(key, { since: now, until: now + lengthMs, failures, error })
    if (this.#byKey.size > mostKept) {
      const [oldest] = this.#byKey.keys()
      if (oldest !== undefined) this.#byKey.delete(oldest)
    }
  }

  /** Ends one. */
  end(key: string): void {
    this.#byKey.delete(key)
  }
}
