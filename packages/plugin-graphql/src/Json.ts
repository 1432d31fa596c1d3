/**
 * Plain JSON as it comes from services that nobody vouches for: looked at through these, never through a cast.
 */

/** A JSON object of unknown content. */
export type JsonObject = Readonly<Record<string, unknown>>

/** Whether a value is an object and neither `null` nor a list. */
export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The value as an object; an empty one when it is none. */
export const objectOf = (value: unknown): JsonObject => (isJsonObject(value) ? value : nothing)

/** The value as a list; an empty one when it is none. */
export const listOf = (value: unknown): ReadonlyArray<unknown> =>
  Array.isArray(value) ? (value as unknown[]) : noItems

/** The value as text; `undefined` when it is none or blank. */
export const textOf = (value: unknown): string | undefined =>
  typeof value === "string" && value.trim() !== "" ? value : undefined

/** Cuts text at a limit without cutting a character in two. */
export const cut = (text: string, limit: number): string =>
  text.length <= limit
    ? text
    : `${text
        .slice(0, limit - 1)
        .toWellFormed()
        .replace(/\uFFFD$/, "")}…`

/** Quotes text that came from outside for a message: JSON-escaped and cut. */
export const quoted = (text: string, limit = 200): string => JSON.stringify(cut(text, limit))

const nothing: JsonObject = Object.freeze({})
const noItems: ReadonlyArray<unknown> = Object.freeze([])
