/**
 * The one base of every error Keyward throws: a schema-backed tagged error whose message says the next step, whose HTTP
 * status is both a schema annotation (`httpApiStatus`) and a property, and whose printed forms hold only its own fields.
 *
 * Library errors are never attached as `cause`: those of HTTP and OAuth libraries can hold a token.
 */
import type * as Cause from "effect/Cause"
import * as Schema from "effect/Schema"

/** What every Keyward error has besides its own fields. */
export interface KeywardErrorShape {
  /** The status an HTTP surface answers with when this error reaches it. */
  readonly httpStatus: number
}

/** The class that {@link taggedError} returns, ready to be extended. */
export type TaggedErrorClass<Self, Tag extends string, Fields extends Schema.Struct.Fields> = Schema.Class<
  Self,
  Schema.TaggedStruct<Tag, Fields>,
  Cause.YieldableError & KeywardErrorShape
>

const nodeInspect = Symbol.for("nodejs.util.inspect.custom")

/**
 * Starts an error class: `class X extends taggedError<X>()("X", { field: Schema.String }, 404) { get message() {…} }`.
 *
 * `JSON.stringify` gives tag, message and fields; `console.log` gives the stack and the fields; neither gives a cause.
 */
export const taggedError =
  <Self>() =>
  <Tag extends string, const Fields extends Schema.Struct.Fields>(
    tag: Tag,
    fields: Fields,
    httpStatus: number,
  ): TaggedErrorClass<Self, Tag, Fields> => {
    const base = Schema.TaggedError<{ readonly _tag: Tag }, KeywardErrorShape>()(tag, fields, {
      httpApiStatus: httpStatus,
    }) as unknown as TaggedErrorClass<Self, Tag, Fields>
    const prototype = base.prototype as object
    Object.defineProperty(prototype, "httpStatus", { value: httpStatus, enumerable: false })
    Object.defineProperty(prototype, "toJSON", { value: toJson, enumerable: false })
    Object.defineProperty(prototype, nodeInspect, { value: inspect, enumerable: false })
    return base
  }

/** Quotes what came from outside for a message: as text, JSON-escaped, cut at `limit` characters (default 80). */
export const quote = (value: unknown, limit = 80): string => {
  const text = typeof value === "string" ? value : value === null ? "null" : typeof value
  return JSON.stringify(text.length > limit ? `${text.slice(0, limit)}…` : text)
}

function toJson(this: Error & { readonly _tag: string }): Record<string, unknown> {
  return { _tag: this._tag, message: this.message, ...ownFields(this) }
}

function inspect(this: Error & { readonly _tag: string }, _depth: number, _options: unknown, print: unknown): string {
  const fields = ownFields(this)
  const printed = typeof print === "function" ? (print(fields) as string) : JSON.stringify(fields)
  return `${this.stack ?? `${this._tag}: ${this.message}`} ${printed}`
}

const ownFields = (error: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(error).filter(([key]) => key !== "_tag" && key !== "cause"))
