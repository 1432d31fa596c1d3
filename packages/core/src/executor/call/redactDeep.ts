/**
 * Takes the secrets of a call out of what a plugin made of the service's answers, whatever shape that has.
 *
 * Walks with a list instead of by recursion: a service decides how deep its answers are nested, and a plugin may return a
 * graph with cycles. What holds no secret is handed on as it is.
 */
import type { RequestAuthorizer } from "../../http/Wire.ts"

/** A value without the authorizer's secrets; the value itself where there is nothing to take out. */
export const redactDeep = (value: unknown, authorizer: RequestAuthorizer): unknown =>
  carriesDeep(value, authorizer) ? new Redaction(authorizer).of(value) : value

const carriesDeep = (root: unknown, authorizer: RequestAuthorizer): boolean => {
  const seen = new Set<object>()
  const pending: Array<unknown> = [root]
  for (let index = 0; index < pending.length; index += 1) {
    const value = pending[index]
    if (typeof value === "string") {
      if (authorizer.carries(value)) return true
    } else if (typeof value === "object" && value !== null && !seen.has(value)) {
      seen.add(value)
      const bytes = bytesOf(value)
      if (bytes === undefined) addContents(value, pending)
      else if (authorizer.carries(bytes.toString("latin1"))) return true
    }
  }
  return false
}

/** Everything that an object holds: keys and values of containers, own properties but for accessors. */
const addContents = (container: object, contents: Array<unknown>): void => {
  if (container instanceof URL) contents.push(container.href)
  else if (container instanceof Set) for (const member of container) contents.push(member)
  else if (container instanceof Map || container instanceof Headers || container instanceof URLSearchParams) {
    for (const [key, value] of container as Iterable<[unknown, unknown]>) contents.push(key, value)
  }
  for (const key of Reflect.ownKeys(container)) {
    if (typeof key === "string" && !Array.isArray(container)) contents.push(key)
    contents.push(Reflect.getOwnPropertyDescriptor(container, key)?.value)
  }
}

/** One redacted copy of a graph; shared and cyclic parts stay shared and cyclic. */
class Redaction {
  readonly #authorizer: RequestAuthorizer
  readonly #copies = new Map<object, unknown>()
  readonly #unfilled: Array<() => void> = []

  constructor(authorizer: RequestAuthorizer) {
    this.#authorizer = authorizer
  }

  of(root: unknown): unknown {
    const copy = this.#copy(root)
    for (let fill = this.#unfilled.pop(); fill !== undefined; fill = this.#unfilled.pop()) fill()
    return copy
  }

  #copy(value: unknown): unknown {
    if (typeof value === "string") return this.#authorizer.redact(value)
    if (typeof value !== "object" || value === null) return value
    if (this.#copies.has(value)) return this.#copies.get(value)
    const copy = this.#shell(value)
    this.#copies.set(value, copy)
    return copy
  }

  /** The copy of an object, still empty where it holds others; those are filled in later. */
  #shell(value: object): unknown {
    const redact = (text: string): string => this.#authorizer.redact(text)
    const bytes = bytesOf(value)
    if (bytes !== undefined) return redactedBytes(value, bytes, redact)
    if (value instanceof URL) return new URL(redact(value.href))
    if (value instanceof Headers || value instanceof URLSearchParams) {
      const copy = value instanceof Headers ? new Headers() : new URLSearchParams()
      for (const [name, text] of value) copy.append(name, redact(text))
      return copy
    }
    if (value instanceof Map) {
      const copy = new Map<unknown, unknown>()
      this.#unfilled.push(() => {
        for (const [key, item] of value as Iterable<[unknown, unknown]>) copy.set(this.#copy(key), this.#copy(item))
      })
      return copy
    }
    if (value instanceof Set) {
      const copy = new Set<unknown>()
      this.#unfilled.push(() => {
        for (const member of value) copy.add(this.#copy(member))
      })
      return copy
    }
    // Objects with inner state, such as dates, do not survive copying; those that hold no secret need none.
    if (!isPlain(value) && !carriesDeep(value, this.#authorizer)) return value
    const copy: object = Array.isArray(value)
      ? []
      : (Object.create(Object.getPrototypeOf(value) as object | null) as object)
    this.#unfilled.push(() => {
      for (const key of Reflect.ownKeys(value)) {
        const property = Reflect.getOwnPropertyDescriptor(value, key)
        if (property === undefined || (Array.isArray(value) && key === "length")) continue
        Object.defineProperty(
          copy,
          typeof key === "string" ? redact(key) : key,
          "value" in property ? { ...property, value: this.#copy(property.value) } : property,
        )
      }
      if (Array.isArray(value)) (copy as Array<unknown>).length = value.length
    })
    return copy
  }
}

const isPlain = (value: object): boolean => {
  if (Array.isArray(value)) return true
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

const bytesOf = (value: object): Buffer | undefined =>
  value instanceof ArrayBuffer
    ? Buffer.from(value)
    : value instanceof Uint8Array
      ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
      : undefined

const redactedBytes = (value: object, bytes: Buffer, redact: (text: string) => string): object => {
  const redacted = new Uint8Array(Buffer.from(redact(bytes.toString("latin1")), "latin1"))
  return value instanceof ArrayBuffer ? redacted.buffer : redacted
}
