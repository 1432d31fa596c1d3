/**
 * Arguments made up from an input schema: enough to get through validation most of the time, nothing clever.
 */

/** A value that a schema probably takes. */
export const sampleOf = (schema: unknown, root: unknown = schema, depth = 0): unknown => {
  if (!isObject(schema) || depth > 12) return {}
  const { $ref, anyOf, oneOf, allOf } = schema
  if (typeof $ref === "string") return sampleOf(definitionOf($ref, root), root, depth + 1)
  if ("const" in schema) return schema["const"]
  if (Array.isArray(schema["enum"])) return schema["enum"][0] as unknown
  if ("default" in schema && typeof schema["default"] === schema["type"]) return schema["default"]
  const type: unknown = Array.isArray(schema["type"]) ? schema["type"][0] : schema["type"]
  const members = [anyOf, oneOf].find((list) => Array.isArray(list) && list.length > 0) as unknown[] | undefined
  if (type !== "object" && members !== undefined) return sampleOf(members[0], root, depth + 1)
  switch (type) {
    case "string":
      return stringOf(schema)
    case "integer":
    case "number":
      return numberOf(schema)
    case "boolean":
      return true
    case "null":
      return null
    case "array":
      return Array.from({ length: Number(schema["minItems"] ?? 1) }, () => sampleOf(schema["items"], root, depth + 1))
    default: {
      const parts = [...(Array.isArray(allOf) ? (allOf as unknown[]) : []), ...(members?.slice(0, 1) ?? [])]
      const samples = parts.map((member) => sampleOf(member, root, depth + 1))
      if (type === undefined && samples.some((sample) => !isObject(sample)))
        return samples.find((sample) => !isObject(sample))
      const inherited = samples.filter(isObject)
      return Object.assign({}, ...inherited, ownProperties(schema, root, depth)) as unknown
    }
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const definitionOf = (reference: string, root: unknown): unknown => {
  const definitions = isObject(root) ? root["$defs"] : undefined
  return isObject(definitions) ? definitions[reference.slice("#/$defs/".length)] : undefined
}

const ownProperties = (schema: Record<string, unknown>, root: unknown, depth: number): Record<string, unknown> => {
  const properties = isObject(schema["properties"]) ? schema["properties"] : {}
  const required = Array.isArray(schema["required"]) ? (schema["required"] as string[]) : []
  return Object.fromEntries(
    required.map((name) => [name, sampleOf(properties[name] ?? { type: "string" }, root, depth + 1)]),
  )
}

const stringOf = (schema: Record<string, unknown>): string => {
  const [example] = Array.isArray(schema["examples"]) ? (schema["examples"] as unknown[]) : []
  if (typeof example === "string" && example !== "") return example
  return schema["contentEncoding"] === "base64" ? "AAAA" : "a".repeat(Math.max(1, Number(schema["minLength"] ?? 1)))
}

const numberOf = (schema: Record<string, unknown>): number => {
  const lowest = Number(schema["minimum"] ?? Number(schema["exclusiveMinimum"] ?? 0) + 1)
  return Number.isFinite(lowest) ? lowest : 1
}
