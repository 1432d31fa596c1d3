/**
 * Input types of a GraphQL schema as JSON Schema 2020-12, named types under `$defs`.
 *
 * What is named is written once and referred to, so that inputs may hold themselves. Written breadth first and up to a size: the far
 * ends of a very large input (filters that span a whole database) are left open, and the service judges them.
 *
 * Spec: [GraphQL, section 3](https://spec.graphql.org/September2025/#sec-Type-System).
 */
import type { JsonSchema } from "@keyward/core"
import {
  type GraphQLArgument,
  type GraphQLInputField,
  type GraphQLInputObjectType,
  type GraphQLInputType,
  type GraphQLNamedInputType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isRequiredArgument,
  isRequiredInputField,
  isSpecifiedScalarType,
} from "graphql"
import { cut, textOf } from "../Json.ts"
import { defaultOf } from "./jsonOfLiteral.ts"

/** How much the definitions of one tool may weigh, in characters of JSON; what is over it is left open. */
const largest = 64 * 1024

/** The definitions of one tool's input, collected while its arguments are written. */
export class TypeDefinitions {
  readonly #queue: Array<GraphQLNamedInputType> = []
  readonly #wanted = new Set<string>()

  /** The schema of an argument or input field: its type, what it is for, its default, whether it is deprecated. */
  property(input: GraphQLArgument | GraphQLInputField): JsonSchema {
    const description = describe(input.description, input.deprecationReason)
    const fallback = defaultOf(input)
    return {
      ...this.#typeOf(input.type),
      ...(description === undefined ? {} : { description }),
      ...(fallback === undefined ? {} : { default: fallback }),
      ...(input.deprecationReason === undefined || input.deprecationReason === null ? {} : { deprecated: true }),
    }
  }

  /** Writes the named types that properties referred to, and those that these refer to. */
  finish(): Readonly<Record<string, JsonSchema>> {
    const written: Array<readonly [string, JsonSchema]> = []
    let size = 0
    // The queue grows while it is gone through.
    for (const type of this.#queue) {
      const known = this.#queue.length
      const schema = size < largest ? this.#define(type) : undefined
      const weight = schema === undefined ? 0 : JSON.stringify(schema).length
      if (schema === undefined || size + weight > largest) {
        this.#forget(known)
        written.push([type.name, leftOpen(type)])
      } else {
        size += weight
        written.push([type.name, schema])
      }
    }
    return Object.fromEntries(written)
  }

  /** What a definition that is not used referred to is not wanted. */
  #forget(from: number): void {
    for (const { name } of this.#queue.splice(from)) this.#wanted.delete(name)
  }

  #typeOf(type: GraphQLInputType): JsonSchema {
    return isNonNullType(type) ? this.#nonNull(type.ofType) : orNull(this.#nonNull(type))
  }

  #nonNull(type: Exclude<GraphQLInputType, { ofType: unknown }> | GraphQLInputType): JsonSchema {
    if (isNonNullType(type)) return this.#nonNull(type.ofType)
    if (isListType(type)) return { type: "array", items: this.#typeOf(type.ofType) }
    if (isSpecifiedScalarType(type)) return scalars.get(type.name) ?? {}
    return this.#refer(type)
  }

  #refer(type: GraphQLNamedInputType): JsonSchema {
    if (!this.#wanted.has(type.name)) {
      this.#wanted.add(type.name)
      this.#queue.push(type)
    }
    return { $ref: `#/$defs/${type.name}` }
  }

  #define(type: GraphQLNamedInputType): JsonSchema {
    const description = describe(type.description, undefined)
    if (isInputObjectType(type)) return { ...this.#object(type), ...(description === undefined ? {} : { description }) }
    if (isEnumType(type)) {
      const values = type.getValues()
      const notes = values.flatMap((value) => {
        const note = describe(value.description, value.deprecationReason)
        return note === undefined ? [] : [`- ${value.name}: ${cut(note.replaceAll(/\s+/g, " "), longestNote)}`]
      })
      const text = [description ?? "", ...notes].filter((part) => part !== "").join("\n")
      return {
        type: "string",
        enum: values.map(({ name }) => name),
        ...(text === "" ? {} : { description: cut(text, longestEnum) }),
      }
    }
    const { specifiedByURL } = type
    const form = specifiedByURL === undefined || specifiedByURL === null ? "" : ` See ${cut(specifiedByURL, 300)}.`
    return {
      not: { type: "null" },
      title: type.name,
      description: `${description ?? `The scalar ${type.name}.`}${form}`,
    }
  }

  #object(type: GraphQLInputObjectType): JsonSchema {
    const fields = Object.values(type.getFields())
    if (type.isOneOf) {
      const members = fields.map((field) => [field.name, this.#member(field)] as const)
      return {
        type: "object",
        properties: Object.fromEntries(members),
        minProperties: 1,
        maxProperties: 1,
        additionalProperties: false,
      }
    }
    const required = fields.filter(isRequiredInputField).map(({ name }) => name)
    return {
      type: "object",
      properties: Object.fromEntries(fields.map((field) => [field.name, this.property(field)])),
      ...(required.length > 0 ? { required } : {}),
      additionalProperties: false,
    }
  }

  /** A member of a OneOf input: the one that is given may not be `null`. */
  #member(field: GraphQLInputField): JsonSchema {
    const description = describe(field.description, field.deprecationReason)
    return { ...this.#nonNull(field.type), ...(description === undefined ? {} : { description }) }
  }
}

/** The names of the arguments that a call must give. */
export const requiredArguments = (inputs: ReadonlyArray<GraphQLArgument>): ReadonlyArray<string> =>
  inputs.filter(isRequiredArgument).map(({ name }) => name)

const longestDescription = 1_000
const longestNote = 200
const longestEnum = 4_000

/** What the service's own words say, with the reason where it is deprecated. */
const describe = (
  description: string | null | undefined,
  deprecationReason: string | null | undefined,
): string | undefined => {
  const text = textOf(description)?.trim()
  const note =
    deprecationReason === undefined || deprecationReason === null
      ? undefined
      : `Deprecated${deprecationReason.trim() === "" ? "." : `: ${deprecationReason.trim()}`}`
  const parts = [text, note].filter((part) => part !== undefined)
  return parts.length === 0 ? undefined : cut(parts.join("\n"), longestDescription)
}

const scalars: ReadonlyMap<string, JsonSchema> = new Map<string, JsonSchema>([
  ["Int", { type: "integer", minimum: -2_147_483_648, maximum: 2_147_483_647 }],
  ["Float", { type: "number" }],
  ["String", { type: "string" }],
  ["Boolean", { type: "boolean" }],
  ["ID", { type: ["string", "integer"] }],
])

/** GraphQL tells `null` from absent: an optional argument takes both, and services give them different meanings. */
const orNull = (schema: JsonSchema): JsonSchema => {
  const { type } = schema
  if (typeof type === "string" || Array.isArray(type)) {
    return { ...schema, type: [...(Array.isArray(type) ? (type as ReadonlyArray<unknown>) : [type]), "null"] }
  }
  return { anyOf: [schema, { type: "null" }] }
}

const leftOpen = (type: GraphQLNamedInputType): JsonSchema => ({
  ...(isInputObjectType(type) ? { type: "object" } : isEnumType(type) ? { type: "string" } : {}),
  title: type.name,
  description: `The ${isInputObjectType(type) ? "input" : isEnumType(type) ? "enum" : "scalar"} ${type.name}, not written out here because of its size. Ask the service: { __type(name: "${type.name}") { inputFields { name type { name } } enumValues { name } } }`,
})
