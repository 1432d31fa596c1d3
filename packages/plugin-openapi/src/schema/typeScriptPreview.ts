/**
 * A JSON Schema as a compact TypeScript type, for models that read types more easily than schemas.
 *
 * A preview: formats and bounds are left out, and what would make it long is `unknown`. Never compiled by anybody here.
 */
import type { JsonSchema } from "@keyward/core"
import { isJsonObject, type JsonObject, listOf, objectOf, textOf } from "../Json.ts"

/** The most that a preview is long before it stops unfolding, in characters. */
const longestPreview = 12_000

/** The type of a schema; types it refers to follow it as declarations. */
export const typeScriptPreview = (schema: JsonSchema): string => {
  const printer = new TypePrinter(objectOf(schema["$defs"]))
  const root = printer.print(schema, 0)
  return [root, ...printer.declarations()].join("\n\n")
}

class TypePrinter {
  readonly #definitions: JsonObject
  readonly #wanted: string[] = []
  readonly #names = new Map<string, string>()
  #printed = 0

  constructor(definitions: JsonObject) {
    this.#definitions = definitions
  }

  declarations(): ReadonlyArray<string> {
    const declarations: string[] = []
    for (let name = this.#wanted.shift(); name !== undefined; name = this.#wanted.shift()) {
      declarations.push(`type ${this.#names.get(name)} = ${this.print(this.#definitions[name], 0)}`)
    }
    return declarations
  }

  print(schema: unknown, depth: number): string {
    if (schema === false) return "never"
    if (!isJsonObject(schema) || depth > deepest || this.#printed > longestPreview) return "unknown"
    const text = this.#printSchema(schema, depth)
    if (!text.includes("\n")) this.#printed += text.length
    return text
  }

  #printSchema(schema: JsonObject, depth: number): string {
    const parts: string[] = []
    const reference = schema["$ref"]
    if (typeof reference === "string") parts.push(this.#referTo(reference))
    for (const keyword of ["anyOf", "oneOf"]) {
      const members = this.#unionOf(listOf(schema[keyword]), schema, depth)
      if (members !== undefined) parts.push(members)
    }
    for (const member of listOf(schema["allOf"])) {
      const text = this.print(member, depth)
      if (text !== "unknown") parts.push(text)
    }
    const own = this.#ownType(schema, depth, parts.length > 0)
    if (own !== undefined) parts.push(own)
    const distinct = [...new Set(parts)]
    if (distinct.length === 0) return "unknown"
    return distinct.length === 1 ? (distinct[0] ?? "unknown") : distinct.map(inParentheses).join(" & ")
  }

  #unionOf(members: ReadonlyArray<unknown>, schema: JsonObject, depth: number): string | undefined {
    // `anyOf: [{ required: ["a"] }, { required: ["b"] }]` says which properties belong together, and no type.
    const typed = members.filter(
      (member) => !isJsonObject(member) || Object.keys(member).some((key) => key !== "required"),
    )
    if (typed.length === 0 || (typed.length < members.length && "properties" in schema)) return undefined
    return unionOf(typed.map((member) => this.print(member, depth)))
  }

  #referTo(reference: string): string {
    const name = reference.slice("#/$defs/".length)
    const known = this.#names.get(name)
    if (known !== undefined) return known
    const base = name.replaceAll(/[^A-Za-z0-9_]+/g, "_").replace(/^(\d)/, "_$1")
    let identifier = base
    const taken = new Set(this.#names.values())
    for (let count = 2; taken.has(identifier); count += 1) identifier = `${base}${count}`
    this.#names.set(name, identifier)
    this.#wanted.push(name)
    return identifier
  }

  #ownType(schema: JsonObject, depth: number, isComposed: boolean): string | undefined {
    if ("const" in schema) return JSON.stringify(schema["const"])
    const values = listOf(schema["enum"])
    if (values.length > 0 && values.length <= mostValues)
      return unionOf(values.map((value) => JSON.stringify(value) ?? "unknown"))
    const types = typeof schema["type"] === "string" ? [schema["type"]] : listOf(schema["type"])
    if (types.length > 0) {
      if (isComposed && types.length === 1 && types[0] === "object" && !("properties" in schema)) return undefined
      return unionOf(types.map((type) => this.#namedType(type, schema, depth)))
    }
    if ("properties" in schema || "additionalProperties" in schema) return this.#objectType(schema, depth)
    return "items" in schema || "prefixItems" in schema ? this.#arrayType(schema, depth) : undefined
  }

  #namedType(type: unknown, schema: JsonObject, depth: number): string {
    switch (type) {
      case "integer":
        return "number"
      case "array":
        return this.#arrayType(schema, depth)
      case "object":
        return this.#objectType(schema, depth)
      default:
        return typeof type === "string" ? type : "unknown"
    }
  }

  #arrayType(schema: JsonObject, depth: number): string {
    const fixed = listOf(schema["prefixItems"])
    if (fixed.length > 0) return `[${fixed.map((item) => this.print(item, depth)).join(", ")}]`
    return `${inParentheses(this.print(schema["items"], depth))}[]`
  }

  #objectType(schema: JsonObject, depth: number): string {
    const properties = Object.entries(objectOf(schema["properties"]))
    const rest = isJsonObject(schema["additionalProperties"])
      ? this.print(schema["additionalProperties"], depth + 1)
      : undefined
    if (properties.length === 0) {
      if (schema["additionalProperties"] === false) return "{}"
      return `Record<string, ${rest ?? "unknown"}>`
    }
    const required = new Set(listOf(schema["required"]))
    const indent = "  ".repeat(depth + 1)
    const lines = properties.map(([name, property]) => {
      const key = /^[\p{ID_Start}_$][\p{ID_Continue}$]*$/u.test(name) ? name : JSON.stringify(name)
      const line = `${indent}${key}${required.has(name) ? "" : "?"}: ${this.print(property, depth + 1)}`
      const comment = depth < 3 ? commentOf(property) : undefined
      return comment === undefined ? line : `${indent}/** ${comment} */\n${line}`
    })
    if (rest !== undefined && rest !== "unknown") lines.push(`${indent}[name: string]: ${rest}`)
    this.#printed += lines.length * (indent.length + 2)
    return `{\n${lines.join("\n")}\n${"  ".repeat(depth)}}`
  }
}

const deepest = 8
const mostValues = 40

const unionOf = (members: ReadonlyArray<string>): string => {
  const distinct = [...new Set(members)]
  if (distinct.includes("unknown")) return "unknown"
  const [only = "unknown"] = distinct
  return distinct.length === 1 ? only : distinct.map(inIntersectionParentheses).join(" | ")
}

const isWrapped = (type: string): boolean => /^[{[("]/.test(type) && !/[}\])"] [|&] /.test(type)

const inParentheses = (type: string): string => (/ [|&] /.test(type) && !isWrapped(type) ? `(${type})` : type)

const inIntersectionParentheses = (type: string): string => (/ & /.test(type) && !isWrapped(type) ? `(${type})` : type)

const commentOf = (schema: unknown): string | undefined => {
  const text = textOf(objectOf(schema)["description"])
    ?.replaceAll("*/", "* /")
    .split(/\n|(?<=[.!?])\s/, 1)[0]
    ?.trim()
  if (text === undefined || text === "") return undefined
  return text.length <= 140 ? text : `${text.slice(0, 139).toWellFormed()}…`
}
