/**
 * Keeps a process that ends again and again from being started for ever.
 */
import { SdkError, SdkErrorCode } from "@modelcontextprotocol/client"

/** What is counted, in milliseconds. */
const windowMs = 60_000

/** See the file's header. */
export class RestartLimit {
  readonly #mostEnds: number
  /** When processes of a key have ended lately, in epoch milliseconds. */
  readonly #ends = new Map<string, ReadonlyArray<number>>()

  constructor(mostEnds: number) {
    this.#mostEnds = mostEnds
  }

  /** Throws when another process of this key must not be started now. */
  check(key: string): void {
    if (this.#recent(key).length < this.#mostEnds) return
    throw new SdkError(SdkErrorCode.NotConnected, "The command ended too often; it is left alone for a minute.")
  }

  ended(key: string): void {
    this.#ends.set(key, [...this.#recent(key), Date.now()])
  }

  #recent(key: string): ReadonlyArray<number> {
    const since = Date.now() - windowMs
    const recent = this.#ends.get(key)?.filter((at) => at > since) ?? []
    if (recent.length === 0) this.#ends.delete(key)
    return recent
  }
}
