/**
 * One self-contained schema from a root and everything its references reach.
 *
 * Definitions are gathered nearest first and up to a size: what is further away than anybody reads is left open. One that
 * is used once is written where it is used. References that lead back to the value they started from, which would send a
 * validator round in circles, are cut.
 */
import type { References } from "../document/References.ts"
import { isJsonObject, type MutableJsonObject } from "../Json.ts"
import { type DefinitionNames, type SchemaDirection, schemaNameOf, SchemaWriter } from "./SchemaWriter.ts"
import { subschemasOf } from "./subschemas.ts"

/** The most that the definitions of one schema may weigh, in characters of JSON. */
const largestDefinitions = 64 * 1024

/** Gathers the schemas of one tool in one direction. */
export class SchemaDefinitions implements DefinitionNames {
  readonly writer: SchemaWriter
  readonly #byPointer = new Map<string, string>()
  readonly #taken = new Set<string>()
  readonly #pending: string[] = []
  readonly #composed = new Set<string>()
  readonly #definitions: MutableJsonObject = {}

  constructor(references: References, direction: SchemaDirection) {
    this.writer = new SchemaWriter(references, direction, this)
  }

  nameOf(pointer: string): string {
    const known = this.#byPointer.get(pointer)
    if (known !== undefined) return known
    const base = schemaNameOf(pointer).replaceAll(/[^A-Za-z0-9_.-]+/g, "_")
    let name = /^[A-Za-z]/.test(base) ? base : `Schema${base}`
    for (let count = 2; this.#taken.has(name); count += 1) name = `${base}${count}`
    this.#taken.add(name)
    this.#byPointer.set(pointer, name)
    this.#pending.push(pointer)
    return name
  }

  noteComposed(pointer: string): void {
    this.#composed.add(this.nameOf(pointer))
  }

  /** The root with its `$defs`; the root is taken over. */
  finish(root: MutableJsonObject): MutableJsonObject {
    let size = 0
    for (let pointer = this.#pending.shift(); pointer !== undefined; pointer = this.#pending.shift()) {
      const name = this.nameOf(pointer)
      if (size > largestDefinitions) {
        this.#definitions[name] = { description: `${schemaNameOf(pointer)}; its schema is left out here for its size.` }
        continue
      }
      const written = this.writer.write(this.writer.references.resolve(pointer)?.value)
      this.#definitions[name] = written
      size += JSON.stringify(written).length
    }
    for (const name of this.#composed) {
      const definition = this.#definitions[name]
      if (isJsonObject(definition) && definition["additionalProperties"] === false)
        delete definition["additionalProperties"]
    }
    new CycleCutter(this.#definitions).cut()
    return inlineSingleUses(root, this.#definitions)
  }
}

const prefix = "#/$defs/"

const targetOf = (schema: unknown): string | undefined =>
  isJsonObject(schema) && typeof schema["$ref"] === "string" ? schema["$ref"].slice(prefix.length) : undefined

/**
 * Cuts references that come back to the same value: a base whose `oneOf` lists children whose `allOf` lists the base.
 *
 * The way back then leads to the base without its alternatives, which is what the child meant.
 */
class CycleCutter {
  readonly #definitions: MutableJsonObject
  readonly #state = new Map<string, "open" | "done">()

  constructor(definitions: MutableJsonObject) {
    this.#definitions = definitions
  }

  cut(): void {
    for (const name of Object.keys(this.#definitions)) this.#visit(name)
  }

  #visit(name: string): void {
    if (this.#state.has(name)) return
    this.#state.set(name, "open")
    const definition = this.#definitions[name]
    if (isJsonObject(definition)) this.#visitInPlace(definition)
    this.#state.set(name, "done")
  }

  #visitInPlace(schema: MutableJsonObject): void {
    const target = targetOf(schema)
    if (target !== undefined) this.#follow(schema, target)
    for (const { value, isInPlace } of subschemasOf(schema))
      if (isInPlace && isJsonObject(value)) this.#visitInPlace(value)
  }

  #follow(schema: MutableJsonObject, target: string): void {
    if (this.#state.get(target) !== "open") {
      this.#visit(target)
      return
    }
    const base = this.#baseOf(target)
    if (base === undefined || this.#state.get(base) === "open") {
      delete schema["$ref"]
      return
    }
    schema["$ref"] = prefix + base
    this.#visit(base)
  }

  #baseOf(name: string): string | undefined {
    const definition = this.#definitions[name]
    if (!isJsonObject(definition) || !("anyOf" in definition || "oneOf" in definition)) return undefined
    const base = `${name}.base`
    if (!(base in this.#definitions)) {
      const { anyOf: _, oneOf: __, ...rest } = definition
      this.#definitions[base] = structuredClone(rest)
    }
    return base
  }
}

/** Writes definitions that are used once in place and keeps the others, in the order in which they are met. */
const inlineSingleUses = (root: MutableJsonObject, definitions: MutableJsonObject): MutableJsonObject => {
  const uses = new Map<string, number>()
  const count = (schema: unknown): void => {
    if (!isJsonObject(schema)) return
    const target = targetOf(schema)
    if (target !== undefined) {
      const known = uses.get(target) ?? 0
      uses.set(target, known + 1)
      if (known === 0) count(definitions[target])
    }
    for (const { value } of subschemasOf(schema)) count(value)
  }
  count(root)

  const kept: MutableJsonObject = {}
  const settle = (schema: unknown): unknown => {
    if (!isJsonObject(schema)) return schema
    const target = targetOf(schema)
    const definition = target === undefined ? undefined : definitions[target]
    if (target !== undefined && definition !== undefined) {
      if (uses.get(target) === 1) {
        const merged = inPlaceOf(schema, definition)
        if (merged !== undefined) return settle(merged)
      }
      if (!(target in kept)) {
        kept[target] = {}
        kept[target] = settle(definition)
      }
    }
    for (const { value, replace } of subschemasOf(schema)) replace(settle(value))
    return schema
  }
  const settled = settle(root) as MutableJsonObject
  return Object.keys(kept).length === 0 ? settled : { ...settled, $defs: kept }
}

const annotations = new Set(["title", "description", "default", "deprecated", "examples", "readOnly", "writeOnly"])

/** The definition with what stood beside the reference; `undefined` when both constrain and have to stay apart. */
const inPlaceOf = (schema: MutableJsonObject, definition: unknown): unknown => {
  const { $ref: _, ...beside } = schema
  if (!isJsonObject(definition)) return Object.keys(beside).length === 0 ? definition : undefined
  const overlaps = Object.keys(beside).some((key) => key in definition && !annotations.has(key))
  return overlaps ? undefined : { ...definition, ...beside }
}
