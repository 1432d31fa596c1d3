/**
 * The body of one response as it arrives: collected whole or handed out as a stream, capped and decoded either way.
 *
 * Fed by the transport; read through `WireResponse`. Pauses the socket when nobody reads.
 */
import type { Duplex } from "node:stream"

/** How to slow down, resume and give up on the source. */
interface BodySource {
  pause(): void
  resume(): void
  abort(reason: Error): void
}

/** Makes the errors that end a body. */
export interface BodyFailures {
  /** For a body over the cap. */
  tooLarge(): Error
  /** For a body that does not decode. */
  undecodable(): Error
}

/** What an {@link IncomingBody} needs to know about its response. */
export interface IncomingBodyOptions {
  readonly source: BodySource
  /** Largest body in bytes, counted after decoding. */
  readonly maximumBytes: number
  /** Decodes the content encoding; `undefined` for identity. */
  readonly decoder: Duplex | undefined
  readonly failures: BodyFailures
}

type State = "open" | "ended" | "failed"

/** See the file's header. */
export class IncomingBody {
  readonly #options: IncomingBodyOptions
  #chunks: Array<Uint8Array> = []
  #size = 0
  #buffered = 0
  #state: State = "open"
  #failure: Error | undefined
  #notify: (() => void) | undefined
  #isCollecting = false
  #isDiscarded = false
  #isDraining = false
  #whenDone: Array<() => void> = []

  constructor(options: IncomingBodyOptions) {
    this.#options = options
    const { decoder } = options
    decoder?.on("data", (chunk: Uint8Array) => {
      this.#receive(chunk)
    })
    decoder?.on("end", () => {
      this.#finish("ended")
    })
    decoder?.on("error", () => {
      this.fail(options.failures.undecodable())
    })
  }

  push(chunk: Uint8Array): void {
    if (this.#options.decoder === undefined) this.#receive(chunk)
    else if (!this.#options.decoder.write(chunk) && !this.#isDraining) {
      this.#isDraining = true
      this.#options.source.pause()
      this.#options.decoder.once("drain", () => {
        this.#isDraining = false
        if (!this.#isFull()) this.#options.source.resume()
      })
    }
  }

  end(): void {
    if (this.#options.decoder === undefined) this.#finish("ended")
    else this.#options.decoder.end()
  }

  fail(error: Error): void {
    if (this.#state !== "open") return
    this.#failure = error
    this.#chunks = []
    this.#finish("failed")
    this.#options.decoder?.destroy()
    this.#options.source.abort(error)
  }

  /** The whole body; rejects with the failure that ended it. */
  bytes(): Promise<Uint8Array> {
    this.#isCollecting = true
    this.#options.source.resume()
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        if (this.#failure === undefined) resolve(this.#taken())
        else reject(this.#failure)
      }
      if (this.#state === "open") this.#notify = settle
      else settle()
    })
  }

  /** The body as a web stream; cancelling it gives up on the source. */
  stream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          while (this.#chunks.length === 0 && this.#state === "open") {
            this.#options.source.resume()
            await this.#change()
          }
          const chunk = this.#chunks.shift()
          if (chunk !== undefined) {
            this.#buffered -= chunk.byteLength
            controller.enqueue(chunk)
          } else if (this.#failure !== undefined) {
            controller.error(this.#failure)
          } else {
            controller.close()
          }
        },
        cancel: () => {
          this.abort()
        },
      },
      { highWaterMark: 0 },
    )
  }

  /** Calls back once, when nothing more will arrive; at once if that is so already. */
  whenDone(listener: () => void): void {
    if (this.#state === "open") this.#whenDone.push(listener)
    else listener()
  }

  /** Drops what still arrives. A short rest is let through, so that the socket can be used again; a long one ends it. */
  discard(): void {
    this.#isDiscarded = true
    this.#chunks = []
    this.#buffered = 0
    this.#size = 0
    this.#options.source.resume()
  }

  /** Ends the body and its socket now. */
  abort(): void {
    this.fail(new DOMException("The response body was aborted.", "AbortError"))
  }

  #receive(chunk: Uint8Array): void {
    if (this.#state !== "open") return
    this.#size += chunk.byteLength
    if (this.#size > this.#options.maximumBytes) {
      this.fail(this.#options.failures.tooLarge())
      return
    }
    if (this.#isDiscarded) {
      if (this.#size > highWaterMark) this.abort()
      return
    }
    this.#chunks.push(chunk)
    this.#buffered += chunk.byteLength
    if (this.#isFull()) this.#options.source.pause()
    this.#wake()
  }

  #isFull(): boolean {
    return !this.#isCollecting && this.#buffered > highWaterMark
  }

  #finish(state: State): void {
    if (this.#state !== "open") return
    this.#state = state
    for (const listener of this.#whenDone) listener()
    this.#whenDone = []
    this.#wake()
  }

  #taken(): Uint8Array {
    const chunks = this.#chunks
    this.#chunks = []
    return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#notify = resolve
    })
  }

  #wake(): void {
    const notify = this.#notify
    if (notify === undefined || (this.#isCollecting && this.#state === "open")) return
    this.#notify = undefined
    notify()
  }
}

const highWaterMark = 64 * 1024
