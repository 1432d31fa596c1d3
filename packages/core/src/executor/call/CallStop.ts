/**
 * The stop of one call of a plugin: an `AbortSignal` for the plugin, and a set of callbacks for the requests under way.
 *
 * Every request listens twice, until its response and until the end of its body; listeners of a signal cost several times
 * as much as entries of a set.
 */

/** See the file's header. */
export class CallStop {
  readonly #controller = new AbortController()
  readonly #listeners = new Set<() => void>()

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Aborts the signal and calls back everybody who waits for that. Without a reason the signal gives its usual one. */
  stop(reason?: Error): void {
    this.#controller.abort(reason)
    for (const listener of this.#listeners) listener()
    this.#listeners.clear()
  }

  add(listener: () => void): void {
    this.#listeners.add(listener)
  }

  delete(listener: () => void): void {
    this.#listeners.delete(listener)
  }
}
