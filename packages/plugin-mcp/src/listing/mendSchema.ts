/**
 * A tool's schema as a server wrote it, without what no validator can compile: such a schema would make the whole tool useless.
 *
 * Goes through the schema and compiles nothing, so that it costs little and cannot be kept busy. What is broken is left out where it
 * stands, and constrains nothing then; what older drafts wrote otherwise is written as in 2020-12.
 */
import type { JsonSchema } from "@keyward/core"
import { SchemaPlaces } from "./SchemaPlaces.ts"

/** A schema that can be used. */
export interface MendedSchema {
  /** The given one itself where nothing was wrong with it. */
  readonly schema: JsonSchema
  /** Where something was left out, as JSON Pointers. */
  readonly leftOut: ReadonlyArray<string>
}

/** Mends a schema of which nothing is known but that it is JSON. */
export const mendSchema = (given: JsonSchema): MendedSchema => {
  const leftOut: Array<string> = []
  const first = new Mender(undefined, leftOut)
  const mended = first.root(given)
  const { places } = first
  if (!places.areUsed) return { schema: first.hasChanged ? mended : given, leftOut }
  // Where references lead is known once everything else is mended.
  const second = new Mender(places, leftOut)
  const schema = second.root(mended)
  return { schema: first.hasChanged || second.hasChanged ? schema : given, leftOut }
}

type Json = unknown
type Members = Readonly<Record<string, Json>>

/** One keyword on its way; `undefined` leaves it out. */
type Mend = (mender: Mender, value: Json, at: Position, siblings: Members) => Json

interface Position {
  readonly path: string
  /** The path of the schema with an `$id` that references are relative to. */
  readonly base: string
  readonly depth: number
}

/** Steps from the root, of which a schema in a property takes two. */
const deepest = 128

class Mender {
  readonly places = new SchemaPlaces()
  /** What references may lead to; `undefined` while that is not known yet. */
  readonly targets: SchemaPlaces | undefined
  hasChanged = false
  readonly #leftOut: Array<string>

  constructor(targets: SchemaPlaces | undefined, leftOut: Array<string>) {
    this.targets = targets
    this.#leftOut = leftOut
  }

  root(schema: JsonSchema): JsonSchema {
    return this.schema(schema, { path: "", base: "", depth: 0 }) as JsonSchema
  }

  /** A schema in a schema; one that is none constrains nothing. */
  schema(value: Json, at: Position): Json {
    if (typeof value !== "boolean" && (!isMembers(value) || at.depth > deepest)) {
      this.leaveOut(at.path)
      return {}
    }
    this.places.add(at.path)
    if (typeof value === "boolean") return value
    const inside = { ...at, base: typeof value["$id"] === "string" ? at.path : at.base }
    const current = modern(value)
    this.hasChanged ||= current !== value
    const mended: Record<string, Json> = {}
    for (const [keyword, given] of Object.entries(current)) {
      const kept = (keywords.get(keyword) ?? plain)(this, given, within(inside, keyword), current)
      if (kept !== undefined) define(mended, keyword, kept)
      else if (quietly.has(keyword)) this.hasChanged = true
      else this.leaveOut(within(at, keyword).path)
    }
    return mended
  }

  leaveOut(path: string): void {
    this.hasChanged = true
    this.#leftOut.push(path)
  }
}

/** As 2020-12 writes what older drafts wrote otherwise: tuples, and references whose target others may move, which here stays. */
const modern = (schema: Members): Members => {
  const { $ref, $dynamicRef, $recursiveRef, items } = schema
  const reference = $ref === undefined ? ($dynamicRef ?? $recursiveRef) : undefined
  const isTuple = Array.isArray(items)
  if (!isTuple && reference === undefined) return schema
  const current: Record<string, Json> = { ...schema }
  if (reference !== undefined) {
    delete current["$dynamicRef"]
    delete current["$recursiveRef"]
    current["$ref"] = reference
  }
  if (isTuple) {
    const { additionalItems } = schema
    delete current["items"]
    delete current["additionalItems"]
    current["prefixItems"] = items
    if (additionalItems !== undefined) current["items"] = additionalItems
  }
  return current
}

const subschema: Mend = (mender, value, at) => (isSchema(value) ? mender.schema(value, at) : undefined)

const listOfSchemas: Mend = (mender, value, at) =>
  Array.isArray(value) && value.length > 0
    ? value.map((one, index) => mender.schema(one, within(at, String(index))))
    : undefined

const schemasByName: Mend = (mender, value, at) => eachMember(mender, value, at, isWellFormed)

const schemasByPattern: Mend = (mender, value, at) => eachMember(mender, value, at, isPattern)

const namesByName: Mend = (_, value) => (isMembers(value) && Object.values(value).every(isNames) ? value : undefined)

const dependencies: Mend = (mender, value, at) => eachMember(mender, value, at, isWellFormed, isNames)

/** Schemas by their names; those with a name that cannot be are left out, and what `isOther` stays as it is. */
const eachMember = (
  mender: Mender,
  value: Json,
  at: Position,
  isName: (name: string) => boolean,
  isOther: (member: Json) => boolean = () => false,
): Json => {
  if (!isMembers(value)) return undefined
  const mended: Record<string, Json> = {}
  for (const [name, member] of Object.entries(value)) {
    const inside = within(at, name)
    if (isName(name)) define(mended, name, isOther(member) ? member : mender.schema(member, inside))
    else mender.leaveOut(inside.path)
  }
  return mended
}

const reference: Mend = (mender, value, { base }) => {
  if (typeof value !== "string") return undefined
  mender.places.areUsed = true
  const { targets } = mender
  if (targets === undefined) return value
  const written = targets.pointerTo(value, base)
  mender.hasChanged ||= written !== value
  return written
}

/** Names are noted, and gone once references do without them. */
const ownId: Mend = (mender, value, { base }) => {
  if (typeof value !== "string" || mender.targets !== undefined) return undefined
  mender.places.nameById(value, base)
  return value
}

const anchor: Mend = (mender, value, { base, path }) => {
  if (typeof value !== "string" || mender.targets !== undefined) return undefined
  mender.places.nameByAnchor(value, base, path.slice(0, path.lastIndexOf("/")))
  return value
}

const type: Mend = (_, value) => {
  if (!Array.isArray(value)) return types.has(value) ? value : undefined
  const known = value.filter((one) => types.has(one))
  return known.length === value.length && known.length > 0 ? value : undefined
}

const required: Mend = (mender, value, at) => {
  if (!Array.isArray(value)) return undefined
  if (isNames(value)) return value
  mender.leaveOut(at.path)
  return value.filter((one) => typeof one === "string")
}

const number: Mend = (_, value) => (typeof value === "number" && Number.isFinite(value) ? value : undefined)
const positive: Mend = (_, value) =>
  typeof value === "number" && Number.isFinite(value) && value > 0 ? value : undefined
const flag: Mend = (_, value) => (typeof value === "boolean" ? value : undefined)
const text: Mend = (_, value) => (typeof value === "string" ? value : undefined)
const pattern: Mend = (_, value) => (typeof value === "string" && isPattern(value) ? value : undefined)
const choice: Mend = (_, value, { depth }) =>
  Array.isArray(value) && value.length > 0 && isShallow(value, depth) ? value : undefined
const value: Mend = (_, given, { depth }) => (isShallow(given, depth) ? given : undefined)

/** A keyword that no validator here knows. They look for names in it all the same. */
const plain: Mend = (_, given, { depth }) =>
  isShallow(given, depth) && !(typeof given === "object" && naming.test(JSON.stringify(given))) ? given : undefined
const nowhere: Mend = () => undefined

/** Only with `type` and only as a permission does it say something that is no contradiction. */
const nullable: Mend = (mender, value, at, siblings) =>
  value === true && type(mender, siblings["type"], at, siblings) !== undefined ? true : undefined

/** Dialects that validators know; any other is read as the newest. */
const dialect: Mend = (_, value) =>
  typeof value === "string" &&
  /^https?:\/\/json-schema\.org\/(?:draft\/2020-12|draft\/2019-09|draft-0[67])\/schema#?$/.test(value)
    ? value
    : undefined

const keywords: ReadonlyMap<string, Mend> = new Map<string, Mend>([
  ["$schema", dialect],
  ["$id", ownId],
  ["$anchor", anchor],
  ["$dynamicAnchor", anchor],
  ["$ref", reference],
  ["type", type],
  ["enum", choice],
  ["const", value],
  ["default", value],
  ["required", required],
  ["pattern", pattern],
  ["format", text],
  ["nullable", nullable],
  ["multipleOf", positive],
  ["uniqueItems", flag],
  ["patternProperties", schemasByPattern],
  ["dependentRequired", namesByName],
  ["dependencies", dependencies],
  // What older drafts knew, and extensions that make a validator do other things.
  ...["id", "$async", "$dynamicRef", "$recursiveRef", "$recursiveAnchor", "$vocabulary"].map(
    (name) => [name, nowhere] as const,
  ),
  ...[
    ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
    ["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains", "maxContains"],
  ].flatMap((names) => names.map((name) => [name, number] as const)),
  ...["properties", "$defs", "definitions", "dependentSchemas"].map((name) => [name, schemasByName] as const),
  ...["prefixItems", "allOf", "anyOf", "oneOf"].map((name) => [name, listOfSchemas] as const),
  ...[
    ["items", "contains", "additionalProperties", "unevaluatedItems", "unevaluatedProperties", "propertyNames"],
    ["not", "if", "then", "else"],
  ].flatMap((names) => names.map((name) => [name, subschema] as const)),
])

/** What says nothing about the values. */
const quietly = new Set("$schema $id id $anchor $dynamicAnchor $recursiveAnchor $async $vocabulary nullable".split(" "))

const naming = /"\$(?:id|anchor|dynamicAnchor)":/

const types: ReadonlySet<unknown> = new Set(["string", "number", "integer", "boolean", "object", "array", "null"])

const isMembers = (value: Json): value is Members =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isSchema = (value: Json): boolean => typeof value === "boolean" || isMembers(value)

const isNames = (value: Json): boolean => Array.isArray(value) && value.every((one) => typeof one === "string")

/** What is nested without end cannot be written down again. */
const isShallow = (value: Json, depth: number): boolean =>
  typeof value !== "object" ||
  value === null ||
  (depth <= deepest && Object.values(value).every((one) => isShallow(one, depth + 1)))

/** Validators write names into addresses, where halves of characters cannot be. */
const isWellFormed = (name: string): boolean => name.isWellFormed()

/** As validators compile them. */
const isPattern = (value: string): boolean => {
  try {
    return value.isWellFormed() && new RegExp(value, "u") instanceof RegExp
  } catch {
    return false
  }
}

const within = ({ path, ...at }: Position, part: string): Position => ({
  ...at,
  path: `${path}/${part.replaceAll("~", "~0").replaceAll("/", "~1")}`,
  depth: at.depth + 1,
})

/** Also names that an assignment would take for something else. */
const define = (members: Record<string, Json>, name: string, value: Json): void => {
  Object.defineProperty(members, name, { value, enumerable: true, configurable: true, writable: true })
}
