/** The scanner finds a planted secret wherever and however it is written down, and nothing where there is none. */
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { inspect } from "node:util"
import { canary, CanaryScanner } from "@keyward/core/testing"
import * as Redacted from "effect/Redacted"
import * as fc from "fast-check"
import { afterEach, describe, expect, it } from "vitest"

const secret = canary("token")
const scanner = new CanaryScanner([secret])

const encodingsIn = (value: unknown): ReadonlyArray<string> => [
  ...new Set(scanner.find(value).map(({ encoding }) => encoding)),
]
const pathsIn = (value: unknown): ReadonlyArray<string> => scanner.find(value).map(({ path }) => path)

describe("canary", () => {
  it("makes another secret each time, fit for a header, a query and a cookie", () => {
    const made = Array.from({ length: 1000 }, () => canary("api key: ü/1"))
    expect(new Set(made).size).toBe(1000)
    for (const value of made) expect(value).toMatch(/^canary-api-key-1-[0-9a-f]{32}$/)
  })
})

describe("encodings", () => {
  it.each([
    ["plain text", `Bearer ${secret}`, "text"],
    ["base64", Buffer.from(secret).toString("base64"), "base64"],
    ["base64url", Buffer.from(secret).toString("base64url"), "base64"],
    ["the base64 of a Basic pair", Buffer.from(`u:${secret}`).toString("base64"), "base64"],
    ["base64 in the middle of more", Buffer.from(`user:${secret}:and more`).toString("base64"), "base64"],
    ["hex", Buffer.from(secret).toString("hex"), "hex"],
    ["upper-case hex", Buffer.from(secret).toString("hex").toUpperCase(), "hex"],
    ["a JSON document", JSON.stringify({ token: secret }), "text"],
    ["JSON in JSON with every character escaped", JSON.stringify(escapedText(secret)), "escaped text"],
    ["every byte percent-encoded", percentText(secret), "percent-encoded text"],
    ["percent-encoded twice", encodeURIComponent(percentText(secret)), "percent-encoded text"],
    ["only its first half", `${secret.slice(0, Math.ceil(secret.length / 2))}…`, "first half"],
    ["only its last half", `…${secret.slice(-Math.ceil(secret.length / 2))}`, "last half"],
    ["bytes", Buffer.from(secret), "text"],
    [
      "bytes inside other bytes that are not UTF-8",
      Buffer.concat([Buffer.of(0xff, 0xfe), Buffer.from(secret)]),
      "text",
    ],
    ["UTF-16 little-endian", Buffer.from(secret, "utf16le"), "utf-16"],
    [
      "UTF-16 big-endian at an odd place",
      Buffer.concat([Buffer.of(1), Buffer.from(secret, "utf16le").swap16()]),
      "utf-16",
    ],
    ["an ArrayBuffer", new Uint8Array(Buffer.from(secret)).buffer, "text"],
    ["a DataView", new DataView(new Uint8Array(Buffer.from(secret)).buffer), "text"],
  ])("sees through %s", (_, value, encoding) => {
    expect(encodingsIn(value)).toContain(encoding)
  })

  it("sees a secret with every kind of character in JSON, percent-encoding and base64, whatever stands around it", () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 8, maxLength: 60, unit: "grapheme" }),
        fc.string({ unit: "grapheme" }),
        fc.string({ unit: "grapheme" }),
        (text, before, after) => {
          const own = new CanaryScanner([text])
          const whole = `${before}${text}${after}`
          for (const written of [
            whole,
            JSON.stringify(whole),
            encodeURIComponent(whole),
            Buffer.from(whole).toString("base64"),
            Buffer.from(whole).toString("base64url"),
            Buffer.from(whole).toString("hex"),
            Buffer.from(whole),
          ]) {
            expect(own.find(written)).not.toEqual([])
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  it("refuses to look for text too short to mean anything", () => {
    expect(() => new CanaryScanner(["1234567"])).toThrow(RangeError)
  })
})

describe("places", () => {
  it.each<[string, unknown]>([
    ["an array in an object", { list: [[{ deep: secret }]] }],
    ["a key", { [secret]: 1 }],
    ["a property that is not enumerable", Object.defineProperty({}, "hidden", { value: secret })],
    ["a property under a symbol", { [Symbol("key")]: secret }],
    ["the description of a symbol", { a: Symbol(secret) }],
    ["a getter", Object.defineProperty({}, "late", { get: () => secret })],
    ["a property of a function", Object.assign(() => 0, { token: secret })],
    ["a Map's value", new Map([["a", new Map([["b", secret]])]])],
    ["a Map's key", new Map([[{ token: secret }, 1]])],
    ["a Set", new Set([{ token: secret }])],
    ["Headers", new Headers({ authorization: `Bearer ${secret}` })],
    ["URLSearchParams", new URLSearchParams({ key: secret })],
    ["a URL", new URL(`https://user:${secret}@example.test/`)],
    ["a URL's query in an object", { url: new URL(`https://example.test/?key=${secret}`) }],
    ["a Request", new Request("https://example.test/", { headers: { "x-api-key": secret } })],
    ["an error's message", new Error(`bad ${secret}`)],
    ["an error's cause", new Error("bad", { cause: new Error("worse", { cause: { token: secret } }) })],
    ["an aggregate", new AggregateError([new Error(secret)], "bad")],
    ["an error's own property", Object.assign(new Error("bad"), { request: { headers: [secret] } })],
    ["a stack", Object.assign(new Error("bad"), { stack: `Error: at ${secret}` })],
    ["what toJSON gives", { toJSON: () => ({ token: secret }) }],
    ["what toString gives", { toString: () => secret }],
    ["what a custom inspection gives", { deep: { [inspect.custom]: () => secret } }],
    ["deep below what util.inspect prints", nested(30, secret)],
    ["a message computed by an error's class", new ComputedMessageError()],
  ])("finds it in %s", (_, value) => {
    expect(pathsIn(value)).not.toEqual([])
  })

  it("says where, and repeats no secret in what it says", () => {
    const found = scanner.find({
      error: new Error("x", { cause: new Map([["headers", [secret]]]) }),
      [secret]: new Map([[secret, { [secret]: secret }]]),
    })
    expect(found).toContainEqual({ secret: "token", path: "value.error.cause.headers.0", encoding: "text" })
    expect(new CanaryScanner([secret]).find(found)).toEqual([])
  })

  it("finds nothing in a Redacted, a private field, a closure, or a value without secrets", () => {
    class Holder {
      readonly #token = secret
      use = (): number => this.#token.length
    }
    for (const value of [
      { token: Redacted.make(secret), error: new Error("no", { cause: Redacted.make(secret) }) },
      new Holder(),
      () => secret,
      [undefined, null, 1n, Number.NaN, true, Symbol("s"), new Date(0), /x/, new WeakMap(), Promise.resolve(1)],
      canary("another"),
    ]) {
      expect(scanner.find(value)).toEqual([])
    }
  })

  it("survives cycles, throwing getters, throwing proxies and null prototypes", () => {
    const cyclic: Record<string, unknown> = Object.assign(Object.create(null) as object, { secret })
    cyclic["self"] = cyclic
    cyclic["bad"] = Object.defineProperty({}, "x", {
      get: () => {
        throw new Error("no")
      },
      enumerable: true,
    })
    cyclic["proxy"] = new Proxy(
      {},
      {
        getOwnPropertyDescriptor: () => {
          throw new Error("no")
        },
      },
    )
    expect(pathsIn(cyclic)).toContain("value.secret")
  })

  it("tells several canaries apart by label, and other text by its position", () => {
    const own = new CanaryScanner([canary("unused"), secret, "hunter22"])
    expect(own.find({ a: secret, b: "hunter22" })).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ secret: "token", path: "value.a" }),
        expect.objectContaining({ secret: "secret 3", path: "value.b" }),
      ]),
    )
    expect(new Set(own.find({ a: secret }).map(({ secret: name }) => name))).toEqual(new Set(["token"]))
  })

  it("throws with the places when it expected none", () => {
    scanner.expectNone({ a: 1 }, "the event")
    expect(() => scanner.expectNone({ a: secret }, "the event")).toThrow(
      /found in the event:\n.*token as text at value\.a/,
    )
    const thrown = (() => {
      try {
        scanner.expectNone({ a: secret }, "the event")
      } catch (error) {
        return error
      }
      return undefined
    })()
    expect(scanner.find(thrown)).toEqual([])
  })
})

describe("folders", () => {
  const folders: Array<string> = []
  const folder = (): string => {
    const made = mkdtempSync(join(tmpdir(), "keyward-canary-"))
    folders.push(made)
    return made
  }
  afterEach(() => {
    for (const made of folders.splice(0)) rmSync(made, { recursive: true })
  })

  it("finds a secret in the bytes of a file, in a name, and in the target of a link, however deep", async () => {
    const root = folder()
    mkdirSync(join(root, "a/b"), { recursive: true })
    writeFileSync(
      join(root, "a/b/data.bin"),
      Buffer.concat([Buffer.alloc(70_000, 0xff), Buffer.from(secret, "utf16le")]),
    )
    writeFileSync(join(root, `${secret}.txt`), "")
    symlinkSync(`/nowhere/${secret}`, join(root, "link"))
    writeFileSync(join(root, "clean"), "nothing")
    const paths = (await scanner.findInFolder(root)).map(({ path }) => path)
    expect(new Set(paths)).toEqual(new Set([join("a/b", "data.bin"), "<token>.txt", "link"]))
    await expect(scanner.expectNoneInFolder(root)).rejects.toThrow("found in the folder")
  })

  it("finds nothing in a clean folder", async () => {
    const root = folder()
    writeFileSync(join(root, "clean"), canary("another"))
    await scanner.expectNoneInFolder(root)
  })

  it("sees what another process wrote", async () => {
    const root = folder()
    const script = "require('fs').writeFileSync(process.argv[1], Buffer.from(process.env.SECRET).toString('base64'))"
    execFileSync(process.execPath, ["-e", script, join(root, "log")], { env: { SECRET: `user:${secret}` } })
    expect(await scanner.findInFolder(root)).toEqual([{ secret: "token", path: "log", encoding: "base64" }])
  })
})

class ComputedMessageError extends Error {
  override get message(): string {
    return `computed ${secret}`
  }
}

function nested(depth: number, value: string): object {
  let made: object = { value }
  for (let level = 0; level < depth; level++) made = { made }
  return made
}

function escapedText(text: string): string {
  return text
    .split("")
    .map((character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("")
}

function percentText(text: string): string {
  return [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("")
}
