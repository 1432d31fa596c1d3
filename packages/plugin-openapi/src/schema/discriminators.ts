/**
 * `discriminator`, which JSON Schema does not know, as plain schemas: each alternative says which value selects it.
 *
 * Spec: [Discriminator Object](https://spec.openapis.org/oas/v3.2.0#discriminator-object).
 */
import type { References } from "../document/References.ts"
import { isJsonObject, type JsonObject, listOf, type MutableJsonObject, objectOf, ownValue, textOf } from "../Json.ts"

/** Adds to the written form of a schema what its discriminator says; changes `written`. */
export const discriminate = (schema: JsonObject, written: MutableJsonObject, references: References): void => {
  const { propertyName: declared, mapping } = objectOf(schema["discriminator"])
  const propertyName = textOf(declared) ?? textOf(schema["discriminator"])
  if (propertyName === undefined || propertyName === "__proto__") return
  const keyword = ["oneOf", "anyOf"].find((one) => Array.isArray(schema[one]) && Array.isArray(written[one]))
  const valuesByPointer = mappedValues(objectOf(mapping), references)
  if (keyword === undefined) {
    describeValues(written, propertyName, [...valuesByPointer.values()].flat())
    return
  }
  const branches = listOf(schema[keyword])
  written[keyword] = listOf(written[keyword]).map((branch, index) => {
    const reference = objectOf(branches[index])["$ref"]
    if (typeof reference !== "string" || !isJsonObject(branch)) return branch
    const resolved = references.resolve(reference)
    const target = references.follow(resolved?.value)
    if (resolved === undefined || target === undefined || restricts(target, propertyName, references, 0)) return branch
    const values = valuesByPointer.get(resolved.pointer) ?? [
      resolved.pointer.slice(resolved.pointer.lastIndexOf("/") + 1),
    ]
    const [only] = values
    const selected = values.length === 1 ? { const: only } : { enum: values }
    // Where the branch was small enough to be written in place it has keywords of its own.
    return "$ref" in branch && !("properties" in branch)
      ? { ...branch, properties: { [propertyName]: selected }, required: [propertyName] }
      : branch
  })
}

const mappedValues = (mapping: JsonObject, references: References): ReadonlyMap<string, string[]> => {
  const values = new Map<string, string[]>()
  for (const [value, target] of Object.entries(mapping)) {
    if (typeof target !== "string") continue
    const reference = target.includes("#") ? target : `#/components/schemas/${target}`
    const pointer = references.resolve(reference)?.pointer ?? reference
    values.set(pointer, [...(values.get(pointer) ?? []), value])
  }
  return values
}

/** Whether a schema, or a member of its `allOf`, already says which values the property may have. */
const restricts = (schema: JsonObject, propertyName: string, references: References, depth: number): boolean => {
  const property = references.follow(ownValue(objectOf(schema["properties"]), propertyName))
  if (property !== undefined && ("const" in property || "enum" in property)) return true
  return (
    depth < 5 &&
    listOf(schema["allOf"]).some((member) => {
      const target = references.follow(member)
      return (
        target !== undefined && !("discriminator" in target) && restricts(target, propertyName, references, depth + 1)
      )
    })
  )
}

const describeValues = (written: MutableJsonObject, propertyName: string, values: ReadonlyArray<string>): void => {
  const properties = written["properties"]
  const property = isJsonObject(properties) ? ownValue(properties, propertyName) : undefined
  if (!isJsonObject(property) || !isJsonObject(properties) || values.length === 0) return
  if ("enum" in property || "const" in property || "$ref" in property) return
  const known = `One of: ${values.slice(0, 20).join(", ")}.`
  const description = textOf(property["description"])
  properties[propertyName] = { ...property, description: description === undefined ? known : `${description} ${known}` }
}
