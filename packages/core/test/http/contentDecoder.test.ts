/**
 * Decoding a body as the platform's `fetch` does, compared with it over one real server.
 */
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import {
  brotliCompressSync,
  constants,
  createGzip,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from "node:zlib"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { contentDecoder } from "../../src/http/contentDecoder.ts"
import { Egress } from "../../src/http/Egress.ts"
import { noAuthorizer, type WireResponse } from "../../src/http/Wire.ts"

const answers = new Map<string, { readonly encoding: string; readonly body: Uint8Array }>()
const server = createServer((message, response) => {
  const { encoding, body } = answers.get(message.url ?? "") ?? { encoding: "", body: Buffer.alloc(0) }
  response.writeHead(200, encoding === "" ? {} : { "content-encoding": encoding }).end(body)
})
const egress = new Egress({ allowHosts: ["127.0.0.1"] })
let origin = ""

beforeAll(async () => {
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(async () => {
  await Effect.runPromise(egress.close())
  server.closeAllConnections()
  server.close()
})

const urlOf = (encoding: string, body: Uint8Array): URL => {
  const path = `/${answers.size}`
  answers.set(path, { encoding, body })
  return new URL(origin + path)
}

const send = (url: URL): Promise<WireResponse> =>
  Effect.runPromise(egress.send({ method: "GET", url, headers: {}, body: null }, noAuthorizer))

const ours = async (url: URL): Promise<Buffer> => Buffer.from(await (await send(url)).bytes())
const oursStreamed = async (url: URL): Promise<Buffer> =>
  Buffer.from(await new Response((await send(url)).stream()).arrayBuffer())
const platforms = async (url: URL): Promise<Buffer> => Buffer.from(await (await fetch(url)).arrayBuffer())

const plain = Buffer.from("grüße ".repeat(10_000))

describe("a body", () => {
  it.each<[encoding: string, body: Uint8Array]>([
    ["", plain],
    ["identity", plain],
    ["gzip", gzipSync(plain)],
    ["GZIP", gzipSync(plain)],
    [" gzip ", gzipSync(plain)],
    ["x-gzip", gzipSync(plain)],
    ["gzip", Buffer.concat([gzipSync(plain), gzipSync(plain)])],
    ["deflate", deflateSync(plain)],
    ["deflate", deflateRawSync(plain)],
    ["br", brotliCompressSync(plain)],
    ["zstd", zstdCompressSync(plain)],
    ["gzip, br", brotliCompressSync(gzipSync(plain))],
    ["deflate, gzip, zstd", zstdCompressSync(gzipSync(deflateSync(plain)))],
    ["gzip", Buffer.alloc(0)],
    ["br", Buffer.alloc(0)],
    ["gzip, br", Buffer.alloc(0)],
    ["compress", plain],
    ["gzip, unknown", gzipSync(plain)],
    ["constructor", plain],
  ])("under %j comes out as it does from the platform's fetch", async (encoding, body) => {
    const url = urlOf(encoding, body)
    // The fetch of Node 22 does not know zstd.
    const expected = encoding.includes("zstd") ? plain : await platforms(url)
    expect((await ours(url)).equals(expected)).toBe(true)
    expect((await oursStreamed(url)).equals(expected)).toBe(true)
  })

  it.each<[how: string, encoding: string, body: Uint8Array]>([
    ["is something else", "gzip", plain],
    ["is something else", "br", plain],
    ["is something else", "zstd", plain],
    ["is cut short", "gzip", gzipSync(plain).subarray(0, -20)],
    ["is cut short", "deflate", deflateSync(plain).subarray(0, -20)],
    ["is cut short", "br", brotliCompressSync(plain).subarray(0, -5)],
    ["is cut short in the inner coding", "gzip, br", brotliCompressSync(gzipSync(plain).subarray(0, -20))],
  ])("that %s under %s is an error, not text", async (_, encoding, body) => {
    const url = urlOf(encoding, body)
    for (const read of [ours, oursStreamed]) {
      await expect(read(url)).rejects.toMatchObject({ _tag: "NetworkError", code: "UNDECODABLE_BODY" })
    }
  })

  it("that asks for a window of 128 MiB is refused, of 8 MiB is not", async () => {
    // RFC 8878: magic number, no flags, the window's exponent above 10, and one last block of nothing.
    const frame = (exponent: number): Uint8Array =>
      Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x00, (exponent - 10) << 3, 0x01, 0x00, 0x00)
    expect(await ours(urlOf("zstd", frame(23)))).toHaveLength(0)
    await expect(ours(urlOf("zstd", frame(27)))).rejects.toMatchObject({ code: "UNDECODABLE_BODY" })
  })

  it("arrives piece by piece: what was flushed is there before the rest is sent", async () => {
    const gzip = createGzip()
    const flushing = createServer((_, response) => {
      response.writeHead(200, { "content-encoding": "gzip" })
      gzip.pipe(response)
      gzip.write("data: first\n\n")
      gzip.flush()
    })
    flushing.listen(0, "127.0.0.1")
    await once(flushing, "listening")
    const response = await send(new URL(`http://127.0.0.1:${(flushing.address() as AddressInfo).port}/`))
    const reader = response.stream()?.getReader()
    expect(Buffer.from((await reader?.read())?.value ?? []).toString("utf8")).toBe("data: first\n\n")
    gzip.end("data: last\n\n")
    expect(Buffer.from((await reader?.read())?.value ?? []).toString("utf8")).toBe("data: last\n\n")
    expect((await reader?.read())?.done).toBe(true)
    flushing.close()
  })
})

describe("contentDecoder", () => {
  it("is not there where nothing is to be undone, or cannot be", () => {
    for (const encoding of [undefined, "", "identity", ",", "unknown", "gzip, unknown", "gzip,".repeat(6)]) {
      expect(contentDecoder(encoding)).toBeUndefined()
    }
  })

  it("undoes any sequence of codings, however the bytes are cut (property)", async () => {
    const codings = {
      gzip: gzipSync,
      deflate: deflateSync,
      br: (body: Uint8Array) => brotliCompressSync(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }),
      zstd: zstdCompressSync,
    }
    const names = fc.array(fc.constantFrom("gzip", "deflate", "br", "zstd"), { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(
        names,
        fc.uint8Array({ maxLength: 5000 }),
        fc.integer({ min: 1, max: 500 }),
        async (given, body, size) => {
          let encoded: Uint8Array = body
          for (const name of given) encoded = codings[name](encoded)
          const decoder = contentDecoder(given.join(","))
          const chunks: Array<Uint8Array> = []
          decoder?.on("data", (chunk: Uint8Array) => chunks.push(chunk))
          const ended = once(decoder ?? expect.unreachable(), "end")
          for (let at = 0; at < encoded.length; at += size) decoder?.write(encoded.subarray(at, at + size))
          decoder?.end()
          await ended
          expect(Buffer.concat(chunks).equals(body)).toBe(true)
        },
      ),
    )
  })
})
