/**
 * From what a host or a service hands over to a schema: SDL, or the result of introspection, as text or as an object.
 *
 * What is stored is SDL in the library's own spelling, so that both forms and any process end in the same schema. A schema
 * that breaks rules of the specification is used as far as it goes: GitHub's own does.
 */
import {
  buildClientSchema,
  buildSchema,
  type GraphQLInputType,
  type GraphQLOutputType,
  GraphQLSchema,
  type IntrospectionQuery,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isWrappingType,
  printSchema,
  validateSchema,
} from "graphql"
import { cut, isJsonObject, objectOf, quoted } from "../Json.ts"
import { GraphQLSchemaError } from "./GraphQLSchemaError.ts"

/** SDL; or the result of introspection, as an object or JSON text, with or without the `data` around it. */
export type SchemaInput = string | object

/** A schema in working order. */
export interface LoadedSchema {
  readonly schema: GraphQLSchema
  /** The same as SDL; what is stored. */
  readonly text: string
  /** What in it breaks the specification. */
  readonly warnings: ReadonlyArray<string>
}

/** The default limit of a schema: GitHub's is 1.2 MB as SDL and 5 MB as the result of introspection. */
export const defaultMaxSchemaBytes = 16 * 1024 * 1024

/**
 * Reads a schema. Fails with `GraphQLSchemaError`.
 *
 * @param location what the error names: `schema`, or the endpoint that it came from.
 */
export const loadSchema = (
  input: SchemaInput,
  location: string,
  maxBytes: number = defaultMaxSchemaBytes,
): LoadedSchema => {
  const fail = (reason: string): never => {
    throw new GraphQLSchemaError({ location, reason })
  }
  if (typeof input === "string" && input.length > maxBytes) return fail(`it is larger than ${maxBytes} bytes.`)
  try {
    const built = builtOf(input)
    const text = printSchema(built)
    if (text.length > maxBytes) return fail(`it is larger than ${maxBytes} bytes.`)
    const warnings = validateSchema(built)
      .slice(0, mostWarnings)
      .map(({ message }) => cut(message, 300))
    const schema = new GraphQLSchema({ ...built.toConfig(), assumeValid: true })
    checkWrappers(schema)
    return { schema, text, warnings }
  } catch (thrown) {
    if (thrown instanceof GraphQLSchemaError) throw thrown
    if (thrown instanceof RangeError) return fail("it is nested too deeply.")
    return fail(`${quoted(thrown instanceof Error ? thrown.message : "unknown fault", 300)}. ${whatToPass}`)
  }
}

/** The schema of a stored text. */
export const compileSchema = (text: string): GraphQLSchema =>
  buildSchema(text, { noLocation: true, assumeValidSDL: true, assumeValid: true })

const whatToPass = "Pass SDL, or the result of an introspection query."
const mostWarnings = 50
const mostTokens = 4_000_000
const deepestJson = 200
const mostWrappers = 12

const builtOf = (input: SchemaInput): GraphQLSchema => {
  if (typeof input !== "string") return builtOfIntrospection(input)
  const text = input.trimStart()
  if (!text.startsWith("{")) {
    // Not validated while building: what is wrong becomes a warning.
    return buildSchema(input, { noLocation: true, assumeValidSDL: true, maxLexicalTokens: mostTokens })
  }
  return builtOfIntrospection(JSON.parse(text) as unknown)
}

const builtOfIntrospection = (value: unknown): GraphQLSchema => {
  const outer = objectOf(value)
  const result = isJsonObject(outer["data"]) ? outer["data"] : outer
  if (!isJsonObject(result["__schema"])) throw new Error("It has no __schema")
  if (isDeeperThan(result, deepestJson)) throw new RangeError("nested")
  return buildClientSchema(result as unknown as IntrospectionQuery)
}

/** Whether JSON is nested deeper than a limit; goes level by level, so that depth costs no stack. */
const isDeeperThan = (value: unknown, limit: number): boolean => {
  let level: ReadonlyArray<unknown> = [value]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > limit) return true
    level = level.flatMap((item) =>
      typeof item === "object" && item !== null
        ? Object.values(item).filter((inner) => typeof inner === "object" && inner !== null)
        : [],
    )
  }
  return false
}

/** Nobody means a list of lists of lists of lists; every walk over types may rely on it. */
const checkWrappers = (schema: GraphQLSchema): void => {
  const check = (type: GraphQLInputType | GraphQLOutputType): void => {
    let inner: unknown = type
    for (let count = 0; isWrappingType(inner); count += 1) {
      if (count > mostWrappers) throw new RangeError("nested")
      inner = inner.ofType
    }
  }
  for (const type of Object.values(schema.getTypeMap())) {
    if (isInputObjectType(type)) for (const field of Object.values(type.getFields())) check(field.type)
    if (!isObjectType(type) && !isInterfaceType(type)) continue
    for (const field of Object.values(type.getFields())) {
      check(field.type)
      for (const argument of field.args) check(argument.type)
    }
  }
}
