/**
 * Single keywords of a schema object on their way to JSON Schema 2020-12: kept, mended or left out.
 *
 * Validators refuse a whole schema for one broken keyword. A keyword that cannot be mended only loosens the check; the
 * service still has the last word.
 */
import { type JsonObject, listOf } from "../Json.ts"
import { withoutMarkup } from "../withoutMarkup.ts"

/**
 * The types of a schema with `nullable` folded in; `undefined` when it names none that exists.
 *
 * Documents use names of programming languages; those become the JSON type that was meant.
 */
export const normalTypes = (schema: JsonObject): ReadonlyArray<string> | undefined => {
  const declared = schema["type"]
  const names = (Array.isArray(declared) ? listOf(declared) : [declared]).filter((name) => typeof name === "string")
  const types = new Set(names.map((name) => jsonTypes.get(name.toLowerCase())).filter((name) => name !== undefined))
  if (types.size === 0) return undefined
  if (schema["nullable"] === true || schema["x-nullable"] === true) types.add("null")
  return [...types]
}

/** What one keyword becomes: the keywords to set, possibly none. `types` are those of `normalTypes`. */
export const mendKeyword = (
  keyword: string,
  value: unknown,
  schema: JsonObject,
  types: ReadonlyArray<string> | undefined,
): JsonObject => {
  switch (keyword) {
    case "title":
    case "$comment":
    case "contentEncoding":
    case "contentMediaType":
      return typeof value === "string" ? { [keyword]: value } : {}
    case "format":
      return typeof value === "string" && value !== "" ? { format: value } : {}
    case "description":
      return typeof value === "string" && value.trim() !== "" ? { description: shorten(withoutMarkup(value)) } : {}
    case "default":
    case "const":
      return { [keyword]: value }
    case "deprecated":
    case "uniqueItems":
      return value === true ? { [keyword]: true } : {}
    case "readOnly":
    case "writeOnly":
      return value === true ? { [keyword]: true } : {}
    case "example":
      return schema["examples"] === undefined && isShort(value) ? { examples: [value] } : {}
    case "examples":
      return examplesFrom(value)
    case "enum":
      return enumFrom(listOf(value), schema, types)
    case "pattern":
      return patternFrom(value)
    case "minLength":
    case "maxLength":
    case "minItems":
    case "maxItems":
    case "minProperties":
    case "maxProperties":
    case "minContains":
    case "maxContains":
      return countFrom(keyword, value)
    case "multipleOf": {
      const number = numberFrom(value)
      return number !== undefined && number > 0 ? { multipleOf: number } : {}
    }
    case "minimum":
    case "maximum":
      return boundFrom(keyword, value, schema)
    case "exclusiveMinimum":
    case "exclusiveMaximum": {
      const number = typeof value === "boolean" ? undefined : numberFrom(value)
      return number === undefined ? {} : { [keyword]: number }
    }
    case "dependentRequired":
      return dependentRequiredFrom(value)
    default:
      return {}
  }
}

const jsonTypes = new Map<string, string>([
  ...[
    "string",
    "str",
    "text",
    "char",
    "file",
    "binary",
    "byte",
    "date",
    "datetime",
    "date-time",
    "time",
    "uuid",
    "guid",
    "uri",
    "url",
    "email",
    "password",
    "timestamp",
    "enum",
  ].map((name) => [name, "string"] as const),
  ...["number", "float", "double", "decimal", "numeric", "bignumber"].map((name) => [name, "number"] as const),
  ...["integer", "int", "int32", "int64", "long", "short", "bigint"].map((name) => [name, "integer"] as const),
  ...["boolean", "bool"].map((name) => [name, "boolean"] as const),
  ...["object", "dict", "dictionary", "map", "hash", "struct"].map((name) => [name, "object"] as const),
  ...["array", "list"].map((name) => [name, "array"] as const),
  ["null", "null"],
])

const longestText = 2_000

const shorten = (text: string): string =>
  text.length <= longestText ? text : `${text.slice(0, longestText).toWellFormed()}…`

const isShort = (value: unknown): boolean => (JSON.stringify(value) ?? "").length <= longestText

const examplesFrom = (value: unknown): JsonObject => {
  const all = Array.isArray(value)
    ? listOf(value)
    : typeof value === "object" && value !== null
      ? Object.values(value)
      : []
  const kept = all.slice(0, 3).filter(isShort)
  return kept.length > 0 ? { examples: kept } : {}
}

/** Values are given the schema's type where the document wrote them in another: `enum: [1, 2]` of strings, `yes` of YAML. */
const enumFrom = (
  values: ReadonlyArray<unknown>,
  schema: JsonObject,
  types: ReadonlyArray<string> | undefined,
): JsonObject => {
  const mended = values.map((value) => asType(value, types))
  if (mended.length === 0) return {}
  if (schema["nullable"] === true && types !== undefined) mended.push(null)
  const seen = new Set<string>()
  return {
    enum: mended.filter((value) => {
      const key = JSON.stringify(value) ?? ""
      const isNew = !seen.has(key)
      seen.add(key)
      return isNew
    }),
  }
}

const asType = (value: unknown, types: ReadonlyArray<string> | undefined): unknown => {
  if (types === undefined) return value
  const isText = types.includes("string")
  const isNumber = types.includes("number") || types.includes("integer")
  if ((typeof value === "number" || typeof value === "boolean") && isText && !isNumber && !types.includes("boolean"))
    return String(value)
  if (typeof value === "string" && !isText) {
    if (isNumber && value.trim() !== "" && Number.isFinite(Number(value))) return Number(value)
    if (types.includes("boolean") && (value === "true" || value === "false")) return value === "true"
  }
  return value
}

/** Patterns of other languages often escape what JavaScript's Unicode mode does not let them escape. */
const patternFrom = (value: unknown): JsonObject => {
  if (typeof value !== "string" || value === "") return {}
  const slashed = /^\/(.*)\/[a-z]*$/s.exec(value)?.[1]
  for (const candidate of [value, value.replaceAll(/\\([^\\dDwWsSbBnrtvfcxukpP0-9^$.*+?()[\]{}|/-])/g, "$1")]) {
    const pattern = slashed === undefined ? candidate : candidate.slice(1, candidate.lastIndexOf("/"))
    for (const one of [pattern, unescapeHyphens(pattern)]) if (compiles(one)) return { pattern: one }
  }
  return {}
}

/** `\-` is only allowed inside a class in Unicode mode. */
const unescapeHyphens = (pattern: string): string =>
  pattern.replaceAll(/\[(?:\\.|[^\]\\])*\]|\\-/g, (piece) => (piece === "\\-" ? "-" : piece))

const compiles = (pattern: string): boolean => {
  try {
    return new RegExp(pattern, "u") instanceof RegExp
  } catch {
    return false
  }
}

const numberFrom = (value: unknown): number | undefined => {
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value
  return typeof number === "number" && Number.isFinite(number) ? number : undefined
}

const countFrom = (keyword: string, value: unknown): JsonObject => {
  const number = numberFrom(value)
  return number !== undefined && Number.isSafeInteger(number) && number >= 0 ? { [keyword]: number } : {}
}

/** A boolean `exclusiveMinimum` belongs to OpenAPI 3.0 and turns the bound beside it into an exclusive one. */
const boundFrom = (keyword: "minimum" | "maximum", value: unknown, schema: JsonObject): JsonObject => {
  const number = numberFrom(value)
  const exclusive = keyword === "minimum" ? "exclusiveMinimum" : "exclusiveMaximum"
  return number === undefined ? {} : { [schema[exclusive] === true ? exclusive : keyword]: number }
}

const dependentRequiredFrom = (value: unknown): JsonObject => {
  if (typeof value !== "object" || value === null) return {}
  const entries = Object.entries(value).map(([name, names]) => [
    name,
    [...new Set(listOf(names).filter((one) => typeof one === "string"))],
  ])
  return entries.length > 0 ? { dependentRequired: Object.fromEntries(entries) } : {}
}
