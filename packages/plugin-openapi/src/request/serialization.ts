/**
 * Parameter values as text on the wire: every style of OpenAPI, made once per parameter as a function of the value.
 *
 * Nothing a value holds can leave its place: in paths and queries every byte but letters, digits, `-`, `.`, `_` and `~` is
 * percent-encoded, headers refuse control characters, and text that is no well-formed Unicode is refused everywhere.
 * Spec: [Style Values](https://spec.openapis.org/oas/v3.2.0#style-values), [RFC 6570](https://www.rfc-editor.org/rfc/rfc6570).
 */
import { isJsonObject } from "../Json.ts"
import type { Parameter } from "./parameters.ts"

/** A value that cannot be sent where it belongs. `problem` completes the sentence "the argument …". */
export class UnsendableValue extends Error {
  readonly problem: string

  constructor(problem: string) {
    super(problem)
    this.problem = problem
  }
}

/** Writes one value. */
export type Serializer = (value: unknown) => string

/** Percent-encodes everything but unreserved characters (RFC 3986, section 2.3). */
export const encodeStrictly = (text: string): string => {
  if (unreserved.test(text)) return text
  if (!text.isWellFormed()) throw new UnsendableValue("holds half of a surrogate pair, which is no character")
  return encodeURIComponent(text).replace(/[!'()*]/g, percentEncoded)
}

/** A primitive as text; nested lists and objects as JSON. */
export const plainText = (value: unknown): string => {
  if (typeof value === "string") {
    if (!value.isWellFormed()) throw new UnsendableValue("holds half of a surrogate pair, which is no character")
    return value
  }
  if (typeof value === "number" && !Number.isFinite(value)) throw new UnsendableValue("is not a finite number")
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") return String(value)
  return value === null || value === undefined ? "" : jsonText(value)
}

/** A value as JSON text. */
export const jsonText = (value: unknown): string => {
  try {
    const text = JSON.stringify(value)
    if (text !== undefined) return text
  } catch {
    // Falls through: a cycle or a bigint.
  }
  throw new UnsendableValue("cannot be written as JSON")
}

/** Fills a hole of the path. The result is never empty and never a dot segment, so that the path keeps its shape. */
export const pathSerializer = ({ style, explode, name, mediaType }: Parameter): Serializer => {
  if (mediaType !== undefined) return (value) => pathText(contentText(value))
  const prefix = style === "label" ? "." : style === "matrix" ? ";" : ""
  const separator = style === "simple" || !explode ? "," : prefix
  const named = style === "matrix" ? encodeStrictly(name) : ""
  const whole = (text: string): string =>
    style === "matrix" ? `;${named}${text === "" ? "" : `=${text}`}` : prefix + text
  return (value) => {
    if (typeof value === "string" || typeof value === "number")
      return prefix === "" ? pathText(plainText(value)) : whole(pathText(plainText(value)))
    if (Array.isArray(value)) {
      const items = presentItems(value).map(pathText)
      if (items.length === 0) throw new UnsendableValue("must not be empty")
      return style === "matrix" && explode
        ? items.map((item) => `;${named}=${item}`).join("")
        : whole(items.join(separator))
    }
    if (isJsonObject(value)) {
      const entries = presentEntries(value).map(
        ([key, item]) => [encodeStrictly(key), encodeStrictly(plainText(item))] as const,
      )
      if (entries.length === 0) throw new UnsendableValue("must not be empty")
      if (!explode) return whole(entries.flat().join(","))
      return prefix + entries.map(([key, item]) => `${key}=${item}`).join(separator)
    }
    return whole(pathText(plainText(value)))
  }
}

/** Writes `name=value` pairs without a leading `&`; the empty text when there is nothing to send. */
export const querySerializer = (parameter: Parameter): Serializer => {
  const { name, style, explode, mediaType, location } = parameter
  const encode = parameter.allowReserved ? encodeAllowingReserved : encodeStrictly
  if (location === "querystring") return wholeQuery(mediaType)
  const key = encodeStrictly(name)
  if (mediaType !== undefined) return (value) => `${key}=${encode(contentText(value))}`
  return formSerializer(key, style, explode, encode)
}

/** The pairs of a form field or query parameter in a given style. */
export const formSerializer = (
  key: string,
  style: Parameter["style"],
  explode: boolean,
  encode: (text: string) => string,
): Serializer => {
  const pair = (text: string): string => `${key}=${encode(text)}`
  if (style === "deepObject") {
    return (value) =>
      typeof value === "object" && value !== null ? deepPairs(key, value, encode, 0) : pair(plainText(value))
  }
  const delimiter = style === "spaceDelimited" ? "%20" : style === "pipeDelimited" ? "%7C" : ","
  return (value) => {
    if (typeof value !== "object" || value === null) return pair(plainText(value))
    if (Array.isArray(value)) {
      const items = presentItems(value)
      if (items.length === 0) return ""
      return explode ? items.map(pair).join("&") : `${key}=${items.map(encode).join(delimiter)}`
    }
    const entries = presentEntries(value as Record<string, unknown>)
    if (entries.length === 0) return ""
    return explode
      ? entries.map(([name, item]) => `${encodeStrictly(name)}=${encode(plainText(item))}`).join("&")
      : `${key}=${entries.flatMap(([name, item]) => [encodeStrictly(name), encode(plainText(item))]).join(delimiter)}`
  }
}

/** Writes a header's value. */
export const headerSerializer = ({ explode, mediaType }: Parameter): Serializer => {
  if (mediaType !== undefined) return (value) => headerText(contentText(value))
  return (value) => {
    if (Array.isArray(value)) return headerText(presentItems(value).join(","))
    if (!isJsonObject(value)) return headerText(plainText(value))
    const entries = presentEntries(value).map(([key, item]) => [key, plainText(item)])
    return headerText((explode ? entries.map((entry) => entry.join("=")) : entries.flat()).join(","))
  }
}

/** Writes a cookie's `name=value` pairs, joined with `; `. */
export const cookieSerializer = (parameter: Parameter): Serializer => {
  const { name, explode, mediaType } = parameter
  if (mediaType !== undefined) return (value) => `${name}=${encodeStrictly(contentText(value))}`
  const serialize = formSerializer(name, "form", explode, encodeStrictly)
  return (value) => serialize(value).replaceAll("&", "; ")
}

const unreserved = /^[A-Za-z0-9._~-]*$/
const percentEncoded = (character: string): string => `%${character.charCodeAt(0).toString(16).toUpperCase()}`

/**
 * Leaves what RFC 3986 reserves as it is, except for what would end the value or the query: `#`, `&`, `+`, `[`, `]`.
 * Text that is percent-encoded already is not encoded again.
 */
const encodeAllowingReserved = (text: string): string =>
  encodeStrictly(text)
    .replaceAll(/%(2F|3A|3F|40|21|24|27|28|29|2A|2C|3B|3D)/g, (encoded) => decodeURIComponent(encoded))
    .replaceAll(/%25([0-9A-Fa-f]{2})/g, "%$1")

const presentItems = (items: ReadonlyArray<unknown>): ReadonlyArray<string> =>
  items.filter((item) => item !== undefined && item !== null).map(plainText)

const presentEntries = (object: Record<string, unknown>): ReadonlyArray<[string, unknown]> =>
  Object.entries(object).filter(([, item]) => item !== undefined && item !== null)

const contentText = (value: unknown): string => (typeof value === "string" ? plainText(value) : jsonText(value))

/** `a[b][c]=1`, lists of primitives as `a[]=1&a[]=2`, lists of objects as `a[0][b]=1`: what PHP, Rails, Stripe and qs read. */
const deepPairs = (key: string, value: object, encode: (text: string) => string, depth: number): string => {
  if (depth > 20) throw new UnsendableValue("is nested too deeply")
  const entries: ReadonlyArray<readonly [string, unknown]> = Array.isArray(value)
    ? value.map(
        (item: unknown, index) => [typeof item === "object" && item !== null ? String(index) : "", item] as const,
      )
    : Object.entries(value)
  return entries
    .filter(([, item]) => item !== undefined && item !== null)
    .map(([name, item]) => {
      const inner = `${key}%5B${encodeStrictly(name)}%5D`
      return typeof item === "object" && item !== null
        ? deepPairs(inner, item, encode, depth + 1)
        : `${inner}=${encode(plainText(item))}`
    })
    .filter((pair) => pair !== "")
    .join("&")
}

const wholeQuery =
  (mediaType: string | undefined): Serializer =>
  (value) => {
    if (typeof value === "string") return encodeAllowingReserved(plainText(value)).replaceAll("%26", "&")
    if (mediaType !== undefined && /json/i.test(mediaType)) return encodeStrictly(jsonText(value))
    return isJsonObject(value)
      ? formSerializer("", "form", true, encodeStrictly)(value)
      : encodeStrictly(plainText(value))
  }

const pathText = (text: string): string => {
  if (text === "") throw new UnsendableValue("must not be empty")
  if (plainSegment.test(text)) return text
  if (hasControl.test(text)) throw new UnsendableValue("holds control characters")
  if (text.includes(".") || text.includes("%")) refuseDotSegments(text)
  return encodeStrictly(text)
}

// Nothing to encode, and no dot in front: cannot be a dot segment.
const plainSegment = /^[A-Za-z0-9_~-][A-Za-z0-9._~-]*$/
// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const hasControl = /[\u0000-\u001f\u007f]/

/**
 * Refuses `.` and `..` as a segment, plain or percent-encoded up to three times, with or without `;parameters`.
 *
 * Encoded once they would not move the request, but servers that decode twice exist.
 */
const refuseDotSegments = (text: string): void => {
  let decoded = text
  for (let round = 0; round < 4; round += 1) {
    if (decoded.split(/[/\\]/).some((segment) => isDotSegment.test(segment))) {
      throw new UnsendableValue('must not hold "." or ".." as a path segment')
    }
    const next = decoded.replaceAll(/%(2e|2f|5c|3b|25|00)/gi, (encoded) =>
      String.fromCharCode(Number.parseInt(encoded.slice(1), 16)),
    )
    if (next === decoded) return
    decoded = next
  }
}

const isDotSegment = /^\.{1,2}(;.*)?$/s

const headerText = (text: string): string => {
  if (visible.test(text)) return text
  throw new UnsendableValue("holds characters that no header can carry: control characters, or others than Latin-1")
}

const visible = /^[\u0020-\u007e\u00a0-\u00ff]*$/
