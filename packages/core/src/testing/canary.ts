/**
 * Canary secrets and the scanner that looks for them where no secret may be.
 *
 * A test plants a canary as a token, a password or a key, drives the code through a failure, and scans everything that came
 * out: errors, logs, events, rows, files. The scanner reads deep and sees through the usual encodings, so that a token in
 * the base64 of a Basic header inside a non-enumerable property of an error's cause is still found.
 */
import * as assert from "node:assert/strict"
import { randomBytes } from "node:crypto"
import { readdir, readFile, readlink } from "node:fs/promises"
import { join } from "node:path"
import { inspect } from "node:util"

/**
 * Makes a secret that exists nowhere else: `canary-<label>-<32 hexadecimal digits>`.
 *
 * Fits a header, a query value and a cookie as it is. `label` names it in what the scanner reports; characters other than
 * ASCII letters and digits become `-`.
 */
export const canary = (label: string): string =>
  `canary-${label.replace(/[^A-Za-z0-9]+/g, "-")}-${randomBytes(16).toString("hex")}`

/** One place where a secret was seen. Does not repeat the secret, so that a report of leaks leaks nothing. */
export interface CanarySighting {
  /** The canary's label, or `secret <n>` for other text, counted from 1 in the order given to the scanner. */
  readonly secret: string
  /** Where, from the scanned value: `value.cause.message`, `value.headers.<inspect>`, or a path below the scanned folder. */
  readonly path: string
  /** How it was written down: `text`, `first half`, `last half`, `base64`, `hex`, `utf-16`, with `percent-encoded` or `escaped` before it. */
  readonly encoding: string
}

/**
 * Looks for known secrets in any value, in bytes, and in the files of a folder.
 *
 * @example
 * ```ts
 * import { canary, CanaryScanner } from "@keyward/core/testing"
 *
 * const token = canary("token")
 * const scanner = new CanaryScanner([token])
 * scanner.expectNone(new Error("The upstream answered 401."), "the error")
 * ```
 */
export class CanaryScanner {
  readonly #needles: ReadonlyArray<Needle>
  readonly #names: ReadonlyMap<string, string>

  /** The secrets to look for. Each needs at least eight characters: shorter text turns up by accident. */
  constructor(secrets: Iterable<string>) {
    this.#names = new Map([...secrets].map((secret, index) => [secret, nameOf(secret, index)]))
    this.#needles = [...this.#names].flatMap(([secret, name]) => needlesOf(secret, name))
  }

  /**
   * Every sighting in a value: strings, bytes, keys and values of objects, maps, sets and arrays, own properties that are not
   * enumerable, symbols and getters, an error's message, stack and cause, what `JSON.stringify`, `String` and
   * `util.inspect` make of it.
   *
   * What code alone can reach (closures, private fields, weak maps) is not searched: that is where a secret belongs.
   */
  find(value: unknown): ReadonlyArray<CanarySighting> {
    const sightings: Array<CanarySighting> = []
    const seen = new Set<object>()
    const pending: Array<{ readonly value: unknown; readonly path: string }> = [{ value, path: "value" }]
    for (let index = 0; index < pending.length; index++) {
      const { value: current, path } = pending[index] ?? { value: undefined, path: "" }
      if (typeof current === "string") {
        sightings.push(...this.#inText(current, path))
      } else if (typeof current === "symbol") {
        sightings.push(...this.#inText(current.description ?? "", path))
      } else if (isBytes(current)) {
        sightings.push(...this.#inBytes(current, path))
      } else if ((typeof current === "object" && current !== null) || typeof current === "function") {
        if (seen.has(current)) continue
        seen.add(current)
        pending.push(...contentsOf(current, path))
      }
    }
    for (const [form, text] of printedForms(value)) sightings.push(...this.#inText(text, `value.<${form}>`))
    return this.#reported(sightings)
  }

  /** Every sighting in the names and bytes of all files below a folder, and in the targets of symbolic links. */
  async findInFolder(folder: string): Promise<ReadonlyArray<CanarySighting>> {
    const sightings: Array<CanarySighting> = []
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      const file = join(entry.parentPath, entry.name)
      const path = file.slice(folder.length + 1)
      sightings.push(...this.#inText(entry.name, path))
      if (entry.isFile()) sightings.push(...this.#inBytes(await readFile(file), path))
      if (entry.isSymbolicLink()) sightings.push(...this.#inText(await readlink(file), path))
    }
    return this.#reported(sightings)
  }

  /** Throws an `AssertionError` that lists the sightings in a value, if there are any; `where` names the value. */
  expectNone(value: unknown, where: string): void {
    refuse(this.find(value), where)
  }

  /** Throws an `AssertionError` that lists the sightings below a folder, if there are any. */
  async expectNoneInFolder(folder: string): Promise<void> {
    refuse(await this.findInFolder(folder), "the folder")
  }

  /** Each sighting once, with secrets that are part of a path (a key, a file's name) replaced by their labels. */
  #reported(sightings: ReadonlyArray<CanarySighting>): ReadonlyArray<CanarySighting> {
    const reported = new Map<string, CanarySighting>()
    for (const { secret, path, encoding } of sightings) {
      let shown = path
      for (const [text, name] of this.#names) shown = shown.replaceAll(text, `<${name}>`)
      reported.set(JSON.stringify([secret, shown, encoding]), { secret, path: shown, encoding })
    }
    return [...reported.values()]
  }

  #inText(text: string, path: string): ReadonlyArray<CanarySighting> {
    const readings = readingsOf(text)
    const found = this.#needles.flatMap(({ secret, encoding, isPart, matches }) => {
      const reading = readings.find((candidate) => matches(candidate.text))
      return reading === undefined
        ? []
        : [{ isPart, sighting: { secret, path, encoding: `${reading.prefix}${encoding}` } }]
    })
    const whole = new Set(found.filter(({ isPart }) => !isPart).map(({ sighting }) => sighting.secret))
    return found
      .filter(({ isPart, sighting }) => !isPart || !whole.has(sighting.secret))
      .map(({ sighting }) => sighting)
  }

  #inBytes(bytes: Uint8Array, path: string): ReadonlyArray<CanarySighting> {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const wide = [buffer, buffer.subarray(1)].flatMap((aligned) => {
      const even = aligned.subarray(0, aligned.length - (aligned.length % 2))
      return [even.toString("utf16le"), Buffer.from(even).swap16().toString("utf16le")]
    })
    return [
      ...this.#inText(buffer.toString("latin1"), path),
      ...this.#inText(buffer.toString("utf8"), path),
      ...this.#needles.flatMap(({ secret, encoding, matches }) =>
        wide.some(matches) ? [{ secret, path, encoding: encoding === "text" ? "utf-16" : `utf-16 ${encoding}` }] : [],
      ),
    ]
  }
}

interface Needle {
  readonly secret: string
  readonly encoding: string
  /** Whether it is only a half of the secret, not worth a line of its own where the whole was found. */
  readonly isPart: boolean
  readonly matches: (text: string) => boolean
}

const shortest = 8

const needlesOf = (secret: string, name: string): ReadonlyArray<Needle> => {
  if (secret.length < shortest) {
    throw new RangeError(`${name} has ${secret.length} characters; a scan needs at least ${shortest} to mean anything.`)
  }
  const bytes = Buffer.from(secret, "utf8")
  const half = Math.ceil(secret.length / 2)
  const contains = (encoding: string, fragment: string, isPart = false): Needle => ({
    secret: name,
    encoding,
    isPart,
    matches: (text) => text.includes(fragment),
  })
  const hexadecimal = bytes.toString("hex")
  return [
    contains("text", secret),
    ...(half >= 16
      ? [contains("first half", secret.slice(0, half), true), contains("last half", secret.slice(-half), true)]
      : []),
    ...["base64", "base64url"].flatMap((encoding) =>
      base64Cores(bytes, encoding as "base64" | "base64url").map((core) => contains("base64", core)),
    ),
    { secret: name, encoding: "hex", isPart: false, matches: (text) => text.toLowerCase().includes(hexadecimal) },
  ]
}

/**
 * The stable middle of the base64 of bytes at each of the three places they can have in a longer text: the characters at
 * either edge also depend on the neighbours and are left off.
 */
const base64Cores = (bytes: Buffer, encoding: "base64" | "base64url"): ReadonlyArray<string> =>
  [0, 1, 2].map((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString(encoding)
      .replace(/=+$/, "")
    const wholeEnd = (offset + bytes.length) % 3 === 0 ? text.length : text.length - 1
    return text.slice(offset === 0 ? 0 : offset + 1, wholeEnd)
  })

const nameOf = (secret: string, index: number): string =>
  /^canary-(.*)-[0-9a-f]{32}$/.exec(secret)?.[1] ?? `secret ${index + 1}`

/** The text as it stands, and what a reader of percent-encoding or of JSON escapes would see, twice over. */
const readingsOf = (text: string): ReadonlyArray<{ readonly text: string; readonly prefix: string }> => {
  const readings = [{ text, prefix: "" }]
  for (const [prefix, decode] of [
    ["percent-encoded ", percentDecoded],
    ["escaped ", unescaped],
  ] as const) {
    let decoded = text
    for (let round = 0; round < 2; round++) {
      const next = decode(decoded)
      if (next === decoded) break
      decoded = next
      readings.push({ text: decoded, prefix })
    }
  }
  return readings
}

const percentDecoded = (text: string): string =>
  text.replace(/(?:%[0-9A-Fa-f]{2})+/g, (run) => Buffer.from(run.replaceAll("%", ""), "hex").toString("utf8"))

const shortEscapes: Readonly<Record<string, string>> = {
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "0": "\0",
}

const unescaped = (text: string): string =>
  text.replace(
    /\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|([\s\S]))/g,
    (_, unit: string | undefined, byte: string | undefined, character: string | undefined) =>
      character === undefined
        ? String.fromCharCode(Number.parseInt(unit ?? byte ?? "", 16))
        : (shortEscapes[character] ?? character),
  )

const isBytes = (value: unknown): value is Uint8Array => value instanceof Uint8Array

const contentsOf = (
  container: object,
  path: string,
): ReadonlyArray<{ readonly value: unknown; readonly path: string }> => {
  const contents: Array<{ readonly value: unknown; readonly path: string }> = []
  const add = (value: unknown, name: string): void => void contents.push({ value, path: `${path}.${name}` })
  if (container instanceof Map || container instanceof Headers || container instanceof URLSearchParams) {
    for (const [key, value] of container as Iterable<[unknown, unknown]>) {
      add(key, "<key>")
      add(value, typeof key === "string" ? key : "<value>")
    }
  }
  if (container instanceof Set) for (const member of container) add(member, "<member>")
  if (container instanceof URL) add(container.href, "href")
  if (container instanceof ArrayBuffer || container instanceof SharedArrayBuffer)
    add(new Uint8Array(container), "<bytes>")
  if (ArrayBuffer.isView(container)) {
    add(new Uint8Array(container.buffer, container.byteOffset, container.byteLength), "<bytes>")
  }
  if (container instanceof Error) {
    for (const name of ["name", "message", "stack", "cause"] as const)
      add(
        attempted(() => container[name]),
        name,
      )
  }
  for (const key of Reflect.ownKeys(container)) {
    const descriptor = attempted(() => Reflect.getOwnPropertyDescriptor(container, key))
    if (descriptor === undefined) continue
    add(key, "<key>")
    add("value" in descriptor ? descriptor.value : attempted(() => Reflect.get(container, key)), String(key))
  }
  for (const [form, text] of printedForms(container, 0)) add(text, `<${form}>`)
  return contents
}

/** What a log line would show. `depth` bounds `util.inspect`; the walk visits deeper values one by one. */
const printedForms = (value: unknown, depth = 8): ReadonlyArray<readonly [string, string]> => {
  const forms: ReadonlyArray<readonly [string, () => unknown]> = [
    ["String", () => String(value)],
    ...(depth > 0 || hasToJson(value) ? [["JSON", () => JSON.stringify(value)] as const] : []),
    [
      "inspect",
      () => inspect(value, { depth, showHidden: true, maxStringLength: null, maxArrayLength: null, getters: false }),
    ],
  ]
  return forms.flatMap(([form, print]) => {
    const text = attempted(print)
    return typeof text === "string" ? [[form, text] as const] : []
  })
}

/** What a call returns, or `undefined` when it throws, as getters and `toJSON` of foreign objects may. */
const attempted = <A>(call: () => A): A | undefined => {
  try {
    return call()
  } catch {
    return undefined
  }
}

const hasToJson = (value: unknown): boolean =>
  attempted(() => typeof (value as { readonly toJSON?: unknown }).toJSON === "function") === true

const refuse = (sightings: ReadonlyArray<CanarySighting>, where: string): void => {
  if (sightings.length === 0) return
  const places = sightings.map(({ secret, path, encoding }) => `  ${secret} as ${encoding} at ${path}`)
  assert.fail(`Secrets were found in ${where}:\n${places.join("\n")}`)
}
