/**
 * Where a JSON Schema 2020-12 holds further schemas: the one list of applicators that every walk here uses.
 */
import { isJsonObject, type MutableJsonObject } from "../Json.ts"

/** A schema inside another. */
export interface Subschema {
  readonly value: unknown
  /** Puts another schema in its place. */
  readonly replace: (schema: unknown) => void
  /** Whether it applies to the same value as the schema around it, as the members of `allOf` do. */
  readonly isInPlace: boolean
}

/** Keywords whose value is a schema. */
export const schemaKeywords: ReadonlySet<string> = new Set([
  "not",
  "if",
  "then",
  "else",
  "items",
  "additionalProperties",
  "contains",
  "propertyNames",
  "unevaluatedItems",
  "unevaluatedProperties",
  "contentSchema",
])

/** Keywords whose value is a list of schemas. */
export const schemaListKeywords: ReadonlySet<string> = new Set(["allOf", "anyOf", "oneOf", "prefixItems"])

/** Keywords whose value is an object of schemas. */
export const schemaMapKeywords: ReadonlySet<string> = new Set(["properties", "patternProperties", "dependentSchemas"])

const inPlace = new Set(["not", "if", "then", "else", "allOf", "anyOf", "oneOf", "dependentSchemas"])

/** The schemas directly inside a schema, in its own order. */
export const subschemasOf = (schema: MutableJsonObject): ReadonlyArray<Subschema> =>
  Object.entries(schema).flatMap(([keyword, value]): ReadonlyArray<Subschema> => {
    const isInPlace = inPlace.has(keyword)
    if (schemaKeywords.has(keyword)) {
      return [{ value, isInPlace, replace: (other) => (schema[keyword] = other) }]
    }
    if (schemaListKeywords.has(keyword) && Array.isArray(value)) {
      const list = value as unknown[]
      return list.map((member, index) => ({ value: member, isInPlace, replace: (other) => (list[index] = other) }))
    }
    if (schemaMapKeywords.has(keyword) && isJsonObject(value)) {
      return Object.entries(value).map(([name, member]) => ({
        value: member,
        isInPlace,
        replace: (other) => (value[name] = other),
      }))
    }
    return []
  })
