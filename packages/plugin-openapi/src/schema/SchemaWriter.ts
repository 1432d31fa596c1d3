/**
 * Schema objects of any OpenAPI version as JSON Schema 2020-12.
 *
 * Used once per operation and direction, when somebody asks. The three dialects meet here: `nullable`, boolean
 * `exclusiveMinimum`, `example` and Swagger's `type: file` are rewritten, `readOnly` properties leave inputs and `writeOnly`
 * ones leave outputs, and what no validator would compile (unknown types, broken patterns) is mended or left out.
 * References become `#/$defs/…`; `SchemaDefinitions.ts` gathers what they lead to.
 */
import type { References } from "../document/References.ts"
import { isJsonObject, type JsonObject, listOf, type MutableJsonObject, objectOf, textOf } from "../Json.ts"
import { discriminate } from "./discriminators.ts"
import { mendKeyword, normalTypes } from "./schemaKeywords.ts"
import { schemaKeywords, schemaListKeywords, schemaMapKeywords } from "./subschemas.ts"

/** Which way a value goes: `input` is sent, `output` comes back. */
export type SchemaDirection = "input" | "output"

/** Gives out the names under which definitions are referred to. */
export interface DefinitionNames {
  /** The name in `$defs` of what a reference leads to. */
  nameOf(pointer: string): string
  /** Notes that a definition is a member of an `allOf`, and so must leave room for the other members. */
  noteComposed(pointer: string): void
}

/** Writes schemas in one direction. */
export class SchemaWriter {
  readonly references: References
  readonly #direction: SchemaDirection
  readonly #names: DefinitionNames
  #written = 0

  constructor(references: References, direction: SchemaDirection, names: DefinitionNames) {
    this.references = references
    this.#direction = direction
    this.#names = names
  }

  /** Writes a schema. What is not a schema at all becomes the schema that takes everything. */
  write(schema: unknown, depth = 0, hidden: ReadonlySet<string> = nothingHidden): unknown {
    if (typeof schema === "boolean") return schema
    this.#written += 1
    if (!isJsonObject(schema) || depth > deepest || this.#written > mostSchemas) return {}
    const reference = schema["$ref"] ?? schema["$dynamicRef"]
    return typeof reference === "string"
      ? this.#writeReference(reference, schema, depth)
      : this.#writeSchema(schema, depth, hidden)
  }

  #writeReference(reference: string, schema: JsonObject, depth: number): unknown {
    const { $ref: _, $dynamicRef: __, ...siblings } = schema
    const resolved = this.references.resolve(reference)
    const beside =
      Object.keys(siblings).length === 0 ? {} : objectOf(this.#writeSchema(siblings, depth + 1, nothingHidden))
    if (resolved === undefined || !isJsonObject(resolved.value)) {
      return typeof resolved?.value === "boolean" ? resolved.value : beside
    }
    const target: MutableJsonObject = isSimple(resolved.value)
      ? { ...objectOf(this.write(resolved.value, depth + 1)) }
      : { $ref: `#/$defs/${this.#names.nameOf(resolved.pointer)}` }
    if (schema["nullable"] === true) return { ...annotationsOf(beside), anyOf: [target, { type: "null" }] }
    return { ...target, ...beside }
  }

  #writeSchema(schema: JsonObject, depth: number, hiddenByOthers: ReadonlySet<string>): unknown {
    const written: MutableJsonObject = {}
    const hidden = new Set([...hiddenByOthers, ...this.#hiddenProperties(schema, 0)])
    const required = new Set(listOf(schema["required"]).filter((name) => typeof name === "string"))
    const types = normalTypes(schema)
    if (types !== undefined) written["type"] = types.length === 1 ? types[0] : types
    for (const [keyword, value] of Object.entries(schema)) {
      if (schemaKeywords.has(keyword)) this.#writeSingle(written, keyword, value, depth)
      else if (schemaListKeywords.has(keyword)) this.#writeList(written, keyword, value, depth, hidden)
      else if (schemaMapKeywords.has(keyword)) this.#writeMap(written, keyword, value, depth, hidden, required)
      else Object.assign(written, mendKeyword(keyword, value, schema, types))
    }
    const stillRequired = [...required].filter((name) => !hidden.has(name) && name !== "__proto__")
    if (stillRequired.length > 0) written["required"] = stillRequired
    discriminate(schema, written, this.references)
    if (this.#direction === "input" && "oneOf" in written) preferAnyOf(written)
    return nullableComposition(schema, types, flattenSingle(written))
  }

  #writeSingle(written: MutableJsonObject, keyword: string, value: unknown, depth: number): void {
    if (keyword === "items" && Array.isArray(value)) {
      if (value.length > 0) written["prefixItems"] = value.map((item) => this.write(item, depth + 1))
      return
    }
    if (typeof value === "boolean" || isJsonObject(value)) written[keyword] = this.write(value, depth + 1)
  }

  #writeList(
    written: MutableJsonObject,
    keyword: string,
    value: unknown,
    depth: number,
    hidden: ReadonlySet<string>,
  ): void {
    const members = listOf(value).filter((member) => typeof member === "boolean" || isJsonObject(member))
    if (members.length === 0) return
    const isAllOf = keyword === "allOf"
    written[keyword] = members.map((member) => {
      if (isAllOf) this.#noteComposed(member)
      const one = this.write(member, depth + 1, isAllOf ? hidden : nothingHidden)
      // A member that forbids the properties of its neighbours would make the whole unsatisfiable.
      if (isAllOf && members.length > 1 && isJsonObject(one) && one["additionalProperties"] === false)
        delete one["additionalProperties"]
      return one
    })
  }

  #writeMap(
    written: MutableJsonObject,
    keyword: string,
    value: unknown,
    depth: number,
    hidden: ReadonlySet<string>,
    required: Set<unknown>,
  ): void {
    const entries = Object.entries(objectOf(value)).filter(([name, member]) => {
      if (name === "__proto__" || !(typeof member === "boolean" || isJsonObject(member))) return false
      if (keyword === "patternProperties") return isPattern(name)
      return keyword !== "properties" || !hidden.has(name)
    })
    if (keyword === "properties") {
      // `required: true` on a property is draft 3; many documents still mean it.
      for (const [name, member] of entries) if (isJsonObject(member) && member["required"] === true) required.add(name)
    }
    if (entries.length > 0 || keyword === "properties") {
      written[keyword] = Object.fromEntries(entries.map(([name, member]) => [name, this.write(member, depth + 1)]))
    }
  }

  #noteComposed(member: unknown): void {
    if (!isJsonObject(member) || typeof member["$ref"] !== "string") return
    const resolved = this.references.resolve(member["$ref"])
    if (resolved !== undefined && isJsonObject(resolved.value) && !isSimple(resolved.value))
      this.#names.noteComposed(resolved.pointer)
  }

  /** The properties of a schema and of the members of its `allOf` that do not travel in this direction. */
  #hiddenProperties(schema: JsonObject, depth: number): ReadonlyArray<string> {
    const flag = this.#direction === "input" ? "readOnly" : "writeOnly"
    const own = Object.entries(objectOf(schema["properties"]))
      .filter(
        ([, property]) =>
          isJsonObject(property) && (property[flag] === true || this.references.follow(property)?.[flag] === true),
      )
      .map(([name]) => name)
    if (depth > 5) return own
    const inherited = listOf(schema["allOf"]).flatMap((member) => {
      const target = this.references.follow(member)
      return target === undefined ? [] : this.#hiddenProperties(target, depth + 1)
    })
    return [...own, ...inherited]
  }
}

const deepest = 60
const mostSchemas = 20_000
const nothingHidden: ReadonlySet<string> = new Set()

/** Small enough to be written where it is used: a string with a format reads better in place than behind a name. */
const isSimple = (schema: object): boolean =>
  !Object.keys(schema).some(
    (key) => key === "$ref" || schemaKeywords.has(key) || schemaListKeywords.has(key) || schemaMapKeywords.has(key),
  ) && listOf((schema as JsonObject)["enum"]).length <= 12

const isPattern = (pattern: string): boolean => {
  try {
    return new RegExp(pattern, "u") instanceof RegExp
  } catch {
    return false
  }
}

const annotationKeywords = ["title", "description", "default", "deprecated", "examples"]

const annotationsOf = (schema: JsonObject): MutableJsonObject =>
  Object.fromEntries(annotationKeywords.filter((key) => key in schema).map((key) => [key, schema[key]]))

/** Documents say `oneOf` where branches overlap; an input that fits two of them is still right. */
const preferAnyOf = (written: MutableJsonObject): void => {
  if ("anyOf" in written) return
  written["anyOf"] = written["oneOf"]
  delete written["oneOf"]
}

/**
 * `{ allOf: [X], description }`, how OpenAPI 3.0 describes a reference, becomes `{ ...X, description }`; so does
 * `{ allOf: [X, { description }] }`.
 */
const flattenSingle = (written: MutableJsonObject): MutableJsonObject => {
  const { allOf, ...own } = written
  const members = listOf(allOf)
  const notes = members.filter((member) => isJsonObject(member) && Object.keys(member).every(isAnnotation))
  const constraints = members.filter((member) => !notes.includes(member))
  const rest: MutableJsonObject = Object.assign({}, ...notes, own)
  if (members.length === 0 || constraints.length === 0) return rest
  const [only] = constraints
  const isMergeable =
    constraints.length === 1 &&
    isJsonObject(only) &&
    Object.keys(rest).every((key) => isAnnotation(key) || !(key in only) || (key === "type" && rest[key] === only[key]))
  return isMergeable ? { ...only, ...rest } : { ...rest, allOf: constraints }
}

const isAnnotation = (keyword: string): boolean => annotationKeywords.includes(keyword)

/** `nullable` beside a composition: there is no type to add `null` to, so it becomes one more alternative. */
const nullableComposition = (
  schema: JsonObject,
  types: ReadonlyArray<string> | undefined,
  written: MutableJsonObject,
): MutableJsonObject => {
  if (schema["nullable"] !== true || types !== undefined) return written
  if (Array.isArray(written["anyOf"]) && !("allOf" in written) && !("$ref" in written)) {
    return { ...written, anyOf: [...(written["anyOf"] as unknown[]), { type: "null" }] }
  }
  const isComposed = ["$ref", "allOf", "anyOf", "oneOf", "properties", "items", "enum"].some((key) => key in written)
  if (!isComposed) return written
  const { title, description, default: fallback, deprecated, examples, ...rest } = written
  const outer = Object.fromEntries(
    Object.entries({ title, description, default: fallback, deprecated, examples }).filter(
      ([, value]) => value !== undefined,
    ),
  )
  return { ...outer, anyOf: [rest, { type: "null" }] }
}

/** The name a schema goes by in the document: the last part of its pointer. */
export const schemaNameOf = (pointer: string): string => textOf(pointer.slice(pointer.lastIndexOf("/") + 1)) ?? "Schema"
