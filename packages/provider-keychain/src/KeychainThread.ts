/**
 * The provider's end of the keychain thread: one request at a time, in order, so that a write whose caller gave up is
 * over before the next call begins and the system never shows two prompts.
 *
 * The thread starts with the first request, keeps the process alive only while a request is open, and ends at `close`.
 */
import { Worker } from "node:worker_threads"
import type { ProviderError } from "@keyward/core/effect"
import * as Effect from "effect/Effect"
import { classify, closed } from "./keychainFailure.ts"
import type { KeychainAnswer, KeychainRequest } from "./keychainWorker.ts"

/** What a successful request gives. */
export type KeychainReply = Extract<KeychainAnswer, { readonly isOk: true }>

interface Waiting {
  readonly request: KeychainRequest
  readonly resume: (result: Effect.Effect<KeychainReply, ProviderError>) => void
}

/** See the file's header. */
export class KeychainThread {
  readonly #queue: Array<Waiting> = []
  #worker: Worker | undefined
  /** The request the thread works on; it stays until it is answered, even when nobody waits for it any more. */
  #current: Waiting | undefined
  #isClosed = false

  /** Asks the thread. A caller that gives up before its turn takes its request back. */
  ask(request: KeychainRequest): Effect.Effect<KeychainReply, ProviderError> {
    return Effect.callback((resume) => {
      if (this.#isClosed) return resume(Effect.fail(closed()))
      const waiting: Waiting = { request, resume }
      this.#queue.push(waiting)
      this.#next()
      return Effect.sync(() => {
        const index = this.#queue.indexOf(waiting)
        if (index !== -1) this.#queue.splice(index, 1)
      })
    })
  }

  /** What needs no thread, as long as the provider is open. */
  whenOpen<A>(effect: Effect.Effect<A, ProviderError>): Effect.Effect<A, ProviderError> {
    return Effect.suspend(() => (this.#isClosed ? Effect.fail(closed()) : effect))
  }

  /** Fails all who wait, now, and ends the thread once what it does is done. */
  close(): Effect.Effect<void> {
    return Effect.sync(() => {
      this.#isClosed = true
      const waiting = [...(this.#current === undefined ? [] : [this.#current]), ...this.#queue.splice(0)]
      for (const { resume } of waiting) resume(Effect.fail(closed()))
      if (this.#current === undefined) this.#end()
    })
  }

  #next(): void {
    if (this.#current !== undefined) return
    const waiting = this.#queue.shift()
    if (waiting === undefined) {
      if (this.#isClosed) this.#end()
      else this.#worker?.unref()
      return
    }
    this.#current = waiting
    this.#worker ??= this.#start()
    this.#worker.ref()
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    this.#worker.postMessage(waiting.request)
  }

  #start(): Worker {
    const isSource = import.meta.url.endsWith(".ts")
    const worker = new Worker(new URL(isSource ? "./keychainWorker.ts" : "./keychainWorker.js", import.meta.url), {
      name: "keyward-keychain",
      execArgv: [],
    })
    worker.on("message", (answer: KeychainAnswer) => this.#answered(answer))
    worker.on("error", (thrown) => {
      if (this.#worker !== worker) return
      this.#worker = undefined
      this.#answered({ isOk: false, message: thrown instanceof Error ? thrown.message : "" })
    })
    return worker
  }

  #answered(answer: KeychainAnswer): void {
    const waiting = this.#current
    this.#current = undefined
    waiting?.resume(answer.isOk ? Effect.succeed(answer) : Effect.fail(classify(answer.message, process.platform)))
    this.#next()
  }

  #end(): void {
    void this.#worker?.terminate()
    this.#worker = undefined
  }
}
