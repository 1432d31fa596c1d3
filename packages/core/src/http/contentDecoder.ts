/**
 * Undoes the content encoding of a response as the platform's `fetch` does: gzip, deflate with and without its zlib header,
 * br, zstd, and several of them one after the other.
 *
 * Called by the transport. A body without a single byte decodes to nothing; one that is cut short is an error.
 */
import { Duplex, pipeline, Transform, type TransformCallback } from "node:stream"
import {
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
} from "node:zlib"

/**
 * A stream that decodes what came under this `content-encoding`; `undefined` where there is nothing to undo.
 *
 * A coding that is not known leaves the body as it came; so do more than five of them.
 */
export const contentDecoder = (encoding: string | undefined): Duplex | undefined => {
  if (encoding === undefined) return undefined
  const codings = encoding
    .split(",")
    .map((coding) => coding.trim().toLowerCase())
    .filter((coding) => coding !== "" && coding !== "identity")
  if (codings.length > mostCodings || !codings.every((coding) => decompressors.has(coding))) return undefined
  // RFC 9110, section 8.4: codings are listed in the order in which they were applied.
  const chain = codings.toReversed().map((coding) => new Decoder(coding))
  const [first] = chain
  const last = chain.at(-1)
  if (first === undefined || last === undefined || first === last) return first
  pipeline(chain, () => undefined)
  return Duplex.from({ writable: first, readable: last })
}

const mostCodings = 5

/** Given the first byte of a body. */
type MakeDecompressor = (firstByte: number) => Transform

const decompressors: ReadonlyMap<string, MakeDecompressor> = new Map<string, MakeDecompressor>([
  ["gzip", () => createGunzip()],
  ["x-gzip", () => createGunzip()],
  // Some services send raw deflate data; a zlib header has 8 in its low four bits.
  ["deflate", (firstByte) => ((firstByte & 0x0f) === 0x08 ? createInflate() : createInflateRaw())],
  ["br", () => createBrotliDecompress()],
  // RFC 9659: windows above 8 MiB need not be supported, and cost that much memory.
  ["zstd", () => createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: 23 } })],
])

/** Decompresses one coding, begun with the first byte. */
class Decoder extends Transform {
  readonly #coding: string
  #inner: Transform | undefined

  constructor(coding: string) {
    super()
    this.#coding = coding
  }

  override _transform(chunk: Uint8Array, _encoding: BufferEncoding, callback: TransformCallback): void {
    const [firstByte] = chunk
    if (firstByte === undefined) {
      callback()
      return
    }
    this.#inner ??= this.#begin(firstByte)
    this.#inner?.write(chunk, (error) => {
      callback(error)
    })
  }

  override _flush(callback: TransformCallback): void {
    if (this.#inner === undefined) {
      callback()
      return
    }
    this.#inner.once("end", () => {
      callback()
    })
    this.#inner.end()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#inner?.destroy()
    callback(error)
  }

  #begin(firstByte: number): Transform | undefined {
    const inner = decompressors.get(this.#coding)?.(firstByte)
    inner?.on("data", (decoded: Uint8Array) => {
      this.push(decoded)
    })
    inner?.on("error", (error) => {
      this.destroy(error)
    })
    return inner
  }
}
