/**
 * Plain JSON as it comes out of a document that nobody vouches for.
 *
 * Everything here reads: a value is looked at through `isJsonObject` and the accessors below, never through a cast, so
 * that a malformed corner of a document costs one operation and not the whole catalogue.
 */

/** A JSON object of unknown content. */
export type JsonObject = Readonly<Record<string, unknown>>

/** A JSON object that its holder may still change. */
export type MutableJsonObject = Record<string, unknown>

/** Whether a value is an object and neither `null` nor a list. */
export const isJsonObject = (value: unknown): value is MutableJsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The value as an object; an empty one when it is none. */
export const objectOf = (value: unknown): JsonObject => (isJsonObject(value) ? value : nothing)

/** The value as a list; an empty one when it is none. */
export const listOf = (value: unknown): ReadonlyArray<unknown> =>
  Array.isArray(value) ? (value as unknown[]) : noItems

/** The value as text; `undefined` when it is none or blank. */
export const textOf = (value: unknown): string | undefined =>
  typeof value === "string" && value.trim() !== "" ? value : undefined

/** An own property by name; names from documents and models may be those of `Object.prototype`. */
export const ownValue = (object: JsonObject, key: string): unknown =>
  Object.hasOwn(object, key) ? object[key] : undefined

const nothing: JsonObject = Object.freeze({})
const noItems: ReadonlyArray<unknown> = Object.freeze([])
