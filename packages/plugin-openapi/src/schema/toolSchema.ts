/**
 * What a tool takes and gives, as JSON Schema 2020-12 that stands alone.
 *
 * The input is one flat object: a property for each parameter, `body` for the body, and `serverVariables` where the server
 * has some that a caller may choose. Unknown properties are refused, so that a misspelt parameter is noticed.
 */
import type { JsonSchema } from "@keyward/core"
import type { Operation } from "../catalogue/operations.ts"
import type { References } from "../document/References.ts"
import { isJsonObject, type JsonObject, type MutableJsonObject, objectOf, textOf } from "../Json.ts"
import { essenceOf, kindOfMediaType } from "../mediaTypes.ts"
import { bodyArgument, type Parameter, serverArgument } from "../request/parameters.ts"
import type { BodyField, RequestBody } from "../request/requestBody.ts"
import type { ServerVariable } from "../request/servers.ts"
import { withoutMarkup } from "../withoutMarkup.ts"
import { SchemaDefinitions } from "./SchemaDefinitions.ts"

/** What an input is made of. */
export interface InputParts {
  readonly parameters: ReadonlyArray<Parameter>
  readonly body: RequestBody | undefined
  /** The server variables that a caller may choose. */
  readonly serverVariables: ReadonlyArray<ServerVariable>
}

/** The schema of a tool's arguments. */
export const inputSchemaOf = (parts: InputParts, references: References): JsonSchema => {
  const definitions = new SchemaDefinitions(references, "input")
  const properties: MutableJsonObject = {}
  const required: string[] = []
  for (const parameter of parts.parameters) {
    properties[parameter.argument] = parameterSchema(parameter, definitions)
    if (parameter.isRequired) required.push(parameter.argument)
  }
  if (parts.body !== undefined) {
    properties[bodyArgument] = bodySchema(parts.body, definitions)
    if (parts.body.isRequired) required.push(bodyArgument)
  }
  if (parts.serverVariables.length > 0) properties[serverArgument] = serverSchema(parts.serverVariables)
  return definitions.finish({
    type: "object",
    properties,
    ...(required.length > 0 ? { required } : {}),
    additionalProperties: false,
  })
}

/** The schema of a tool's data: that of the successful responses; `undefined` where the document says nothing. */
export const outputSchemaOf = (operation: Operation, references: References): JsonSchema | undefined => {
  const definitions = new SchemaDefinitions(references, "output")
  const alternatives: unknown[] = []
  let isSometimesEmpty = false
  for (const response of successResponses(operation, references)) {
    const content = preferredContent(response)
    if (content === undefined) isSometimesEmpty = true
    else alternatives.push(contentSchema(content, references, definitions))
  }
  if (alternatives.length === 0) return isSometimesEmpty ? { type: "null" } : undefined
  if (isSometimesEmpty) alternatives.push({ type: "null" })
  const distinct = [...new Map(alternatives.map((schema) => [JSON.stringify(schema), schema])).values()]
  const [only] = distinct
  const root = distinct.length === 1 ? only : { anyOf: distinct }
  const finished = definitions.finish(isJsonObject(root) ? root : {})
  return Object.keys(finished).length === 0 ? undefined : finished
}

/** The media types that an operation's successful responses declare, in order. */
export const responseMediaTypes = (operation: Operation, references: References): ReadonlyArray<string> =>
  successResponses(operation, references).flatMap((response) => Object.keys(objectOf(response["content"])))

/** Bytes as they come back from a tool. */
const binarySchema: JsonSchema = {
  type: "object",
  description: "A file: its media type, its bytes as base64, and how many bytes there are.",
  properties: {
    mediaType: { type: "string" },
    base64: { type: "string", contentEncoding: "base64" },
    bytes: { type: "integer" },
  },
  required: ["mediaType", "base64", "bytes"],
}

const fileSchema = (description: string | undefined): MutableJsonObject => ({
  type: "object",
  description: description ?? "A file: its bytes as base64, or its text.",
  properties: {
    base64: { type: "string", contentEncoding: "base64", description: "The bytes, base64-encoded." },
    text: { type: "string", description: "The content, where it is text." },
    filename: { type: "string" },
    contentType: { type: "string", description: "The media type, such as image/png." },
  },
  anyOf: [{ required: ["base64"] }, { required: ["text"] }],
  additionalProperties: false,
})

const parameterSchema = (parameter: Parameter, definitions: SchemaDefinitions): unknown => {
  const written = definitions.writer.write(parameter.schema)
  const schema: MutableJsonObject = written === false ? { not: {} } : { ...objectOf(written) }
  const examples = parameter.examples.filter((example) => example !== undefined).slice(0, 3)
  return {
    ...schema,
    ...(parameter.description === undefined ? {} : { description: withoutMarkup(parameter.description) }),
    ...(parameter.isDeprecated ? { deprecated: true } : {}),
    ...(examples.length > 0 && (JSON.stringify(examples)?.length ?? 0) < longestExamples ? { examples } : {}),
  }
}

const bodySchema = (body: RequestBody, definitions: SchemaDefinitions): unknown => {
  if (body.kind === "binary") return fileSchema(withNote(body.description, `Sent as ${body.mediaType}.`))
  if (body.kind === "text") return textBodySchema(body, definitions)
  const isForm = body.kind === "form" || body.kind === "multipart"
  const written = isForm && body.fields.size > 0 ? formSchema(body, definitions) : definitions.writer.write(body.schema)
  const schema: MutableJsonObject = { ...objectOf(written) }
  const description = textOf(schema["description"]) ?? body.description?.trim()
  const note = isForm ? withNote(description, `Sent as ${essenceOf(body.mediaType)}.`) : description
  const examples = schema["examples"] === undefined ? body.examples.slice(0, 1) : []
  return {
    ...schema,
    ...(note === undefined ? {} : { description: note }),
    ...(examples.length > 0 && (JSON.stringify(examples)?.length ?? 0) < longestExamples ? { examples } : {}),
  }
}

const textBodySchema = (body: RequestBody, definitions: SchemaDefinitions): unknown => {
  const written = objectOf(definitions.writer.write(body.schema))
  const description = withNote(textOf(written["description"]) ?? body.description, `Text, sent as ${body.mediaType}.`)
  return written["type"] === "string" ? { ...written, description } : { type: "string", description }
}

const formSchema = (body: RequestBody, definitions: SchemaDefinitions): MutableJsonObject => {
  const outer = objectOf(
    definitions.writer.write(isJsonObject(body.schema) && "$ref" in body.schema ? {} : withoutFields(body.schema)),
  )
  const fields = [...body.fields.values()]
  const required = fields.filter(({ isRequired }) => isRequired).map(({ name }) => name)
  return {
    ...outer,
    type: "object",
    properties: Object.fromEntries(fields.map((field) => [field.name, fieldSchema(field, definitions)])),
    ...(required.length > 0 ? { required } : {}),
  }
}

const withoutFields = (schema: unknown): JsonObject => {
  const { properties: _, required: __, allOf: ___, ...rest } = objectOf(schema)
  return rest
}

const fieldSchema = ({ schema, file }: BodyField, definitions: SchemaDefinitions): unknown => {
  if (file === undefined) return definitions.writer.write(schema)
  const description = textOf(objectOf(schema)["description"])
  return file === "one"
    ? fileSchema(description)
    : { type: "array", items: fileSchema(undefined), ...(description === undefined ? {} : { description }) }
}

const serverSchema = (variables: ReadonlyArray<ServerVariable>): JsonObject => ({
  type: "object",
  description: "Which server of the API is meant; leave out for the default.",
  properties: Object.fromEntries(
    variables.map(({ name, enum: values, default: fallback, description }) => [
      name,
      {
        type: "string",
        ...(description === undefined ? {} : { description }),
        ...(values === undefined ? { pattern: "^[A-Za-z0-9._-]+$" } : { enum: [...new Set([...values, fallback])] }),
        default: fallback,
      },
    ]),
  ),
  additionalProperties: false,
})

const successResponses = (operation: Operation, references: References): ReadonlyArray<JsonObject> => {
  const responses = objectOf(operation.definition["responses"])
  const keys = Object.keys(responses).filter((status) => /^2(\d\d|xx)$/i.test(status))
  const chosen = keys.length > 0 ? keys.sort() : Object.keys(responses).filter((status) => status === "default")
  return chosen.flatMap((status) => {
    const response = references.follow(responses[status])
    return response === undefined || operation.method === "HEAD" ? [] : [response]
  })
}

const preferredContent = (response: JsonObject): readonly [string, unknown] | undefined => {
  const entries = Object.entries(objectOf(response["content"]))
  const rank = ([mediaType]: readonly [string, unknown]): number => {
    const kind = kindOfMediaType(mediaType) ?? "json"
    return ["json", "text", "binary", "form", "multipart"].indexOf(kind)
  }
  return entries.sort((one, other) => rank(one) - rank(other))[0]
}

const contentSchema = (
  [mediaType, media]: readonly [string, unknown],
  references: References,
  definitions: SchemaDefinitions,
): unknown => {
  const schema = objectOf(references.follow(media))["schema"]
  const target = references.follow(schema)
  const kind =
    kindOfMediaType(mediaType) ?? (target?.["type"] === "string" && target["format"] === "binary" ? "binary" : "json")
  if (kind === "json") return definitions.writer.write(schema ?? {})
  return kind === "text" || kind === "form" ? { type: "string" } : binarySchema
}

const longestExamples = 4_000

const withNote = (description: string | undefined, note: string): string =>
  description === undefined ? note : `${description.trim().replace(/([^.!?:])$/, "$1.")} ${note}`
