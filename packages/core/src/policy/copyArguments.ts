/**
 * Arguments as a copy that nobody else holds: what a person is asked about, and what is called once they agreed.
 *
 * Plain data, bytes and dates. What could still change inside, or whose content nobody sees, has no such copy.
 */

/** A copy of arguments; `undefined` for what has none: functions, streams, accessors, cycles and instances of most classes. */
export const copyArguments = (args: unknown): { readonly copy: unknown } | undefined => {
  try {
    return { copy: copyOf(args, 0) }
  } catch {
    // Besides what is refused here, what the caller's own proxies throw.
    return undefined
  }
}

const deepest = 128

const copyOf = (value: unknown, depth: number): unknown => {
  if (typeof value === "function" || typeof value === "symbol") throw notCopied
  if (typeof value !== "object" || value === null) return value
  if (depth >= deepest) throw notCopied
  if (Array.isArray(value)) {
    const copy: Array<unknown> = []
    copy.length = value.length
    return copyMembers(value, copy, depth)
  }
  return copyOfContent(value) ?? copyMembers(value, Object.create(plainPrototypeOf(value)) as object, depth)
}

/** Of what is no plain object, the kinds that plugins take as content. */
const copyOfContent = (value: object): object | undefined => {
  if (value instanceof Date) return new Date(Date.prototype.getTime.call(value))
  if (!(value instanceof Uint8Array)) return undefined
  return Buffer.isBuffer(value) ? Buffer.from(value) : Uint8Array.from(value)
}

const copyMembers = (value: object, copy: object, depth: number): object => {
  for (const key of Reflect.ownKeys(value)) {
    if (Array.isArray(value) && key === "length") continue
    const property = Reflect.getOwnPropertyDescriptor(value, key)
    if (typeof key === "symbol" || property?.enumerable !== true || !("value" in property)) throw notCopied
    // Defined, not set: an argument may be called `__proto__`.
    Object.defineProperty(copy, key, { ...member, value: copyOf(property.value, depth + 1) })
  }
  return copy
}

const plainPrototypeOf = (value: object): object | null => {
  const prototype = Object.getPrototypeOf(value) as object | null
  if (prototype !== Object.prototype && prototype !== null) throw notCopied
  return prototype
}

const member = { enumerable: true, writable: true, configurable: true }
const notCopied = new Error("These arguments cannot be copied.")
