/**
 * The operations of a document, in its order, as light descriptions: name, text, hints. No schema is built here; a
 * document of a thousand operations is listed in milliseconds.
 *
 * Spec: [Path Item Object](https://spec.openapis.org/oas/v3.2.0#path-item-object).
 */
import type { ToolAnnotations } from "@keyward/core"
import type { OpenApiDocument } from "../document/document.ts"
import { quoted } from "../document/OpenApiDocumentError.ts"
import type { References } from "../document/References.ts"
import { isJsonObject, type JsonObject, listOf, objectOf, textOf } from "../Json.ts"
import { withoutMarkup } from "../withoutMarkup.ts"
import { toolNames } from "./toolNames.ts"

/** One operation as it stands in the document. */
export interface Operation {
  /** The name of its tool. */
  readonly name: string
  /** In upper case. */
  readonly method: string
  /** The path template, such as `/users/{id}`. */
  readonly path: string
  readonly pathItem: JsonObject
  readonly definition: JsonObject
  /** The document says that no credential is needed (`security: []`); the request is then sent without one. */
  readonly isAnonymous: boolean
}

/** The operations of a document and what had to be left out. */
export interface ListedOperations {
  readonly operations: ReadonlyArray<Operation>
  readonly warnings: ReadonlyArray<string>
}

/** Lists the operations of a document. A malformed one is left out with a warning. */
export const listOperations = (document: OpenApiDocument, references: References): ListedOperations => {
  const warnings: string[] = []
  const found = new Map<string, Omit<Operation, "name">>()
  for (const [path, value] of Object.entries(objectOf(document.root["paths"]))) {
    if (path.startsWith("x-")) continue
    const pathItem = pathItemOf(value, references)
    if (pathItem === undefined) {
      warnings.push(`The path ${quoted(path)} is not an object, or its $ref leads nowhere.`)
      continue
    }
    for (const [key, definition] of operationsOf(pathItem)) {
      const method = key.toUpperCase()
      if (!isMethod.test(method) || !isJsonObject(definition)) {
        warnings.push(`The operation ${quoted(`${method} ${path}`)} is not an object.`)
        continue
      }
      const requirement = definition["security"] ?? document.root["security"]
      const operation = { method, path, pathItem, definition, isAnonymous: needsNoCredential(requirement) }
      if (found.has(`${method} ${path}`)) warnings.push(`The operation ${quoted(`${method} ${path}`)} is there twice.`)
      else found.set(`${method} ${path}`, operation)
    }
  }
  const listed = [...found.values()]
  const names = toolNames(
    listed.map(({ method, path, definition }) => ({ method, path, operationId: textOf(definition["operationId"]) })),
  )
  return { operations: listed.map((operation, index) => ({ ...operation, name: names[index] ?? "" })), warnings }
}

/**
 * What the method promises, in MCP's words.
 *
 * GET, HEAD, OPTIONS and QUERY read. DELETE removes; PUT and PATCH overwrite what was there and so count as
 * destructive too. POST creates and does not, unless its name or path says that it deletes. GET, HEAD, OPTIONS,
 * QUERY, PUT and DELETE may be repeated.
 */
export const annotationsOf = (operation: Operation): ToolAnnotations => {
  const title = textOf(operation.definition["summary"])
  const readOnlyHint = reading.has(operation.method)
  return {
    ...(title === undefined ? {} : { title: cut(title, longestTitle) }),
    readOnlyHint,
    destructiveHint: !readOnlyHint && (operation.method !== "POST" || soundsDestructive(operation)),
    idempotentHint: isIdempotent(operation.method),
    openWorldHint: true,
  }
}

/** Whether sending the same request twice does no more than sending it once. */
export const isIdempotent = (method: string): boolean => reading.has(method) || method === "PUT" || method === "DELETE"

/** What a model reads about the tool: summary and description, without markup that says nothing, at most 1,000 characters. */
export const descriptionOf = (operation: Operation): string => {
  const { definition, pathItem, method, path } = operation
  const summary = textOf(definition["summary"]) ?? textOf(pathItem["summary"])
  const description = textOf(definition["description"]) ?? textOf(pathItem["description"])
  const texts = [summary, description].filter((text) => text !== undefined).map(withoutMarkup)
  const parts = texts.length === 2 && texts[1]?.startsWith(texts[0] ?? "") === true ? texts.slice(1) : texts
  const text = parts.length === 0 ? `${method} ${path}` : parts.join("\n\n")
  return cut(definition["deprecated"] === true ? `Deprecated. ${text}` : text, longestDescription)
}

/** Cuts text at a limit without cutting a character in two. */
export const cut = (text: string, limit: number): string =>
  text.length <= limit
    ? text
    : `${text
        .slice(0, limit - 1)
        .toWellFormed()
        .replace(/\uFFFD$/, "")}…`

const longestTitle = 200
const longestDescription = 1_000
const methods = new Set(["get", "put", "post", "delete", "options", "head", "patch", "trace", "query"])
const reading = new Set(["GET", "HEAD", "OPTIONS", "QUERY"])
const isMethod = /^[!#$%&'*+.^_`|~0-9A-Z-]+$/
const forbidden = new Set(["CONNECT", "TRACE"])

const operationsOf = (pathItem: JsonObject): ReadonlyArray<readonly [string, unknown]> =>
  [
    ...Object.entries(pathItem).filter(([key]) => methods.has(key.toLowerCase())),
    ...Object.entries(objectOf(pathItem["additionalOperations"])),
    // No HTTP client sends these two: https://fetch.spec.whatwg.org/#methods
  ].filter(([key]) => !forbidden.has(key.toUpperCase()))

const pathItemOf = (value: unknown, references: References): JsonObject | undefined => {
  if (!isJsonObject(value)) return undefined
  if (typeof value["$ref"] !== "string") return value
  const target = references.follow(value)
  return target === undefined ? undefined : { ...target, ...value, $ref: undefined }
}

const needsNoCredential = (requirement: unknown): boolean =>
  Array.isArray(requirement) &&
  listOf(requirement).every((alternative) => isJsonObject(alternative) && Object.keys(alternative).length === 0)

const soundsDestructive = ({ path, definition }: Operation): boolean => {
  const lastWord = path.replace(/\/$/, "").split(/[/:]/).at(-1) ?? ""
  return [textOf(definition["operationId"]) ?? "", lastWord].some((name) => destructiveWord.test(name))
}

const destructiveWord =
  /(^|[^a-z])(delete|remove|destroy|purge|erase|drop|wipe|terminate|revoke)|(Delete|Remove|Destroy|Purge|Erase|Wipe|Terminate|Revoke)/
