/**
 * The body of an operation: which of the offered media types is used, and how a value becomes that body.
 *
 * JSON is preferred, then form, multipart, text, and bytes; multipart comes first where only it can carry a file.
 * Spec: [Media Type Object](https://spec.openapis.org/oas/v3.2.0#media-type-object) and Encoding Object.
 */
import { isJsonObject, listOf, objectOf, ownValue, textOf, type JsonObject } from "../Json.ts"
import { essenceOf, isMediaType, kindOfMediaType, type BodyKind } from "../mediaTypes.ts"
import { encodeMultipart, type MultipartPart } from "./multipart.ts"
import type { Operation } from "../catalogue/operations.ts"
import { examplesOf } from "./parameters.ts"
import type { References } from "../document/References.ts"
import {
  encodeStrictly,
  formSerializer,
  jsonText,
  plainText,
  UnsendableValue,
  type Serializer,
} from "./serialization.ts"

/** The body an operation takes. */
export interface RequestBody {
  readonly mediaType: string
  readonly kind: BodyKind
  readonly isRequired: boolean
  readonly description: string | undefined
  readonly schema: unknown
  readonly examples: ReadonlyArray<unknown>
  /** The fields of a form or multipart body; empty for the others. */
  readonly fields: ReadonlyMap<string, BodyField>
}

/** One declared field of a form or multipart body. */
export interface BodyField {
  readonly name: string
  readonly schema: unknown
  readonly isRequired: boolean
  /** A file, or a list of files. */
  readonly file: "one" | "many" | undefined
  readonly encoding: JsonObject
}

/** A body ready to be sent. */
export interface EncodedBody {
  readonly body: string | Uint8Array
  readonly mediaType: string
}

/** The body of an operation; `undefined` when it takes none. */
export const requestBodyOf = (operation: Operation, references: References): RequestBody | undefined => {
  const definition = references.follow(operation.definition["requestBody"])
  if (definition === undefined || operation.method === "HEAD") return undefined
  const candidates = Object.entries(objectOf(definition["content"])).flatMap(([name, value]) => {
    const media = objectOf(references.follow(value))
    const kind = kindOfMediaType(name) ?? kindOfSchema(media["schema"], references)
    const mediaType = isMediaType(name) && !name.includes("*") ? name : fallbackTypes[kind]
    return [{ mediaType, kind, media }]
  })
  const chosen = choose(candidates, references)
  if (chosen === undefined) return undefined
  const { mediaType, kind, media } = chosen
  const isForm = kind === "form" || kind === "multipart"
  return {
    mediaType,
    kind,
    isRequired: definition["required"] === true,
    description: textOf(definition["description"]),
    schema: media["schema"] ?? {},
    examples: examplesOf(media, references),
    fields: isForm ? fieldsOf(media, references) : new Map(),
  }
}

/** How a value becomes the body, decided once per operation. */
export const bodyEncoder = (body: RequestBody): ((value: unknown) => EncodedBody) => {
  const { mediaType } = body
  switch (body.kind) {
    case "json":
      return (value) => ({ body: jsonText(value), mediaType })
    case "form":
      return formEncoder(body)
    case "multipart":
      return (value) => encodeMultipart(multipartParts(body, value), essenceOf(mediaType))
    case "text":
      return (value) => ({ body: plainText(value), mediaType })
    case "binary":
      return (value) => {
        const file = readFile(value)
        return { body: file.content, mediaType: file.contentType ?? mediaType }
      }
  }
}

interface Candidate {
  readonly mediaType: string
  readonly kind: BodyKind
  readonly media: JsonObject
}

const fallbackTypes: Readonly<Record<BodyKind, string>> = {
  json: "application/json",
  form: "application/x-www-form-urlencoded",
  multipart: "multipart/form-data",
  text: "text/plain",
  binary: "application/octet-stream",
}

const choose = (candidates: ReadonlyArray<Candidate>, references: References): Candidate | undefined => {
  const carriesFile = (candidate: Candidate): boolean =>
    candidate.kind === "multipart" &&
    [...fieldsOf(candidate.media, references).values()].some(({ file }) => file !== undefined)
  const exact = candidates.find(({ kind, mediaType }) => kind === "json" && essenceOf(mediaType) === "application/json")
  const first = (kind: BodyKind): Candidate | undefined => candidates.find((candidate) => candidate.kind === kind)
  return (
    candidates.find(carriesFile) ??
    exact ??
    first("json") ??
    first("form") ??
    first("multipart") ??
    first("text") ??
    first("binary")
  )
}

/** A wildcard media type takes JSON, unless its schema is that of bytes. */
const kindOfSchema = (schema: unknown, references: References): BodyKind =>
  isFile(schema, undefined, references) ? "binary" : "json"

/** The declared fields of an object schema, through `$ref` and `allOf`. */
const fieldsOf = (media: JsonObject, references: References): ReadonlyMap<string, BodyField> => {
  const fields = new Map<string, BodyField>()
  const encodings = objectOf(media["encoding"])
  const required = new Set<unknown>()
  const collect = (schema: unknown, depth: number): void => {
    const target = references.follow(schema)
    if (target === undefined || depth > 10) return
    for (const name of listOf(target["required"])) required.add(name)
    for (const member of listOf(target["allOf"])) collect(member, depth + 1)
    for (const [name, property] of Object.entries(objectOf(target["properties"]))) {
      if (!name.isWellFormed() || name === "__proto__" || references.follow(property)?.["readOnly"] === true) continue
      const encoding = objectOf(ownValue(encodings, name))
      fields.set(name, {
        name,
        schema: property,
        isRequired: false,
        file: fileOf(property, encoding, references),
        encoding,
      })
    }
  }
  collect(media["schema"], 0)
  for (const [name, field] of fields) if (required.has(name)) fields.set(name, { ...field, isRequired: true })
  return fields
}

const fileOf = (schema: unknown, encoding: JsonObject, references: References): "one" | "many" | undefined => {
  if (isFile(schema, encoding, references)) return "one"
  const target = references.follow(schema)
  return target?.["type"] === "array" && isFile(target["items"], encoding, references) ? "many" : undefined
}

/** OpenAPI 3.0 says `format: binary`, 3.1 says `contentMediaType`, or nothing but an encoding. */
const isFile = (schema: unknown, encoding: JsonObject | undefined, references: References): boolean => {
  const target = references.follow(schema)
  if (target === undefined) return false
  const isText = target["type"] === "string" || listOf(target["type"]).includes("string")
  if (target["type"] === "file" || (isText && target["format"] === "binary")) return true
  if ("contentMediaType" in target && (isText || !("type" in target))) {
    const kind = kindOfMediaType(String(target["contentMediaType"]))
    return kind === "binary" || kind === undefined
  }
  const contentType = textOf(encoding?.["contentType"])?.split(",", 1)[0]
  if (contentType === undefined || !(Object.keys(target).length === 0 || isText)) return false
  const kind = kindOfMediaType(contentType)
  return kind === "binary" || (kind === undefined && contentType.trim() === "*/*")
}

const formEncoder = (body: RequestBody): ((value: unknown) => EncodedBody) => {
  const serializers = new Map(
    [...body.fields.values()].map((field) => [field.name, fieldSerializer(field.name, field.encoding)]),
  )
  return (value) => {
    if (typeof value === "string") return { body: plainText(value), mediaType: body.mediaType }
    const pairs: string[] = []
    for (const [name, item] of Object.entries(fieldsObject(value))) {
      if (item === undefined || item === null) continue
      const pair = (serializers.get(name) ?? fieldSerializer(name, {}))(item)
      if (pair !== "") pairs.push(pair)
    }
    return { body: pairs.join("&"), mediaType: body.mediaType }
  }
}

/** Without a style in the encoding: lists repeat the field, and what is nested deeper is JSON. */
const fieldSerializer = (name: string, encoding: JsonObject): Serializer => {
  const key = encodeStrictly(name)
  const style = formStyles.find((one) => one === encoding["style"])
  const hasStyle = style !== undefined || typeof encoding["explode"] === "boolean"
  if (hasStyle) {
    const explode =
      typeof encoding["explode"] === "boolean"
        ? encoding["explode"]
        : style === undefined || style === "form" || style === "deepObject"
    return formSerializer(key, style ?? "form", explode, encodeStrictly)
  }
  const repeated = formSerializer(key, "form", true, encodeStrictly)
  return (value) => (isJsonObject(value) ? `${key}=${encodeStrictly(jsonText(value))}` : repeated(value))
}

const formStyles = ["form", "spaceDelimited", "pipeDelimited", "deepObject"] as const

const fieldsObject = (value: unknown): JsonObject => {
  if (isJsonObject(value)) return value
  throw new UnsendableValue("must be an object of fields")
}

const multipartParts = (body: RequestBody, value: unknown): ReadonlyArray<MultipartPart> =>
  Object.entries(fieldsObject(value)).flatMap(([name, item]) => {
    if (item === undefined || item === null) return []
    if (!name.isWellFormed()) throw new UnsendableValue("has a field whose name is not well-formed text")
    const field = body.fields.get(name)
    const contentType = textOf(field?.encoding["contentType"])?.split(",", 1)[0]?.trim()
    const declared =
      contentType !== undefined && isMediaType(contentType) && !contentType.includes("*") ? contentType : undefined
    const values =
      Array.isArray(item) && (declared === undefined || field?.file !== undefined) ? (item as unknown[]) : [item]
    return values.map((one): MultipartPart => {
      if (field?.file !== undefined) {
        const file = readFile(one)
        return {
          name,
          filename: file.filename ?? name,
          contentType: file.contentType ?? declared ?? "application/octet-stream",
          content: file.content,
        }
      }
      const isText = typeof one !== "object" || one === null
      return isText
        ? { name, contentType: declared, content: plainText(one) }
        : { name, contentType: declared ?? "application/json", content: jsonText(one) }
    })
  })

interface FileValue {
  readonly content: string | Uint8Array
  readonly filename: string | undefined
  readonly contentType: string | undefined
}

/** Reads `{ base64 | text, filename?, contentType? }`; bare text is the content itself. */
const readFile = (value: unknown): FileValue => {
  if (typeof value === "string") return { content: plainText(value), filename: undefined, contentType: undefined }
  if (value instanceof Uint8Array) return { content: value, filename: undefined, contentType: undefined }
  const file = objectOf(value)
  const contentType = textOf(file["contentType"])
  if (contentType !== undefined && !isMediaType(contentType))
    throw new UnsendableValue("has a contentType that is no media type")
  const rest = { filename: textOf(file["filename"]), contentType }
  if (typeof file["text"] === "string") return { content: plainText(file["text"]), ...rest }
  if (typeof file["base64"] !== "string" || !isBase64.test(file["base64"])) {
    throw new UnsendableValue("must be a file: { base64 } or { text }, with filename and contentType where wanted")
  }
  return { content: Buffer.from(file["base64"], "base64"), ...rest }
}

const isBase64 = /^[A-Za-z0-9+/_=\s-]*$/
