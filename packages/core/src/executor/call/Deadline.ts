/**
 * The limit of one tool call, which stands still while a person is being asked.
 */
/** A limit that stands still while a person is being asked. */
export class Deadline {
  #expire: (() => void) | undefined
  #remainingMs: number
  #startedAt = 0
  #timer: NodeJS.Timeout | undefined
  #questions = 0

  constructor(limitMs: number) {
    this.#remainingMs = limitMs
  }

  /** A question may have been asked before: a plugin runs up to its first wait before anybody waits for it. */
  start(expire: () => void): void {
    this.#expire = expire
    this.#run()
  }

  pause(): void {
    this.#questions += 1
    this.#halt()
  }

  resume(): void {
    this.#questions -= 1
    this.#run()
  }

  clear(): void {
    this.#expire = undefined
    clearTimeout(this.#timer)
  }

  #run(): void {
    if (this.#expire === undefined || this.#questions > 0 || this.#timer !== undefined) return
    this.#startedAt = performance.now()
    this.#timer = setTimeout(this.#expire, Math.max(0, this.#remainingMs))
  }

  #halt(): void {
    if (this.#timer === undefined) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#remainingMs -= performance.now() - this.#startedAt
  }
}
