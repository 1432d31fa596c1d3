/**
 * A document on its way in: fetched, parsed, made whole, brought to OpenAPI 3 and slimmed down to what tools are made of.
 *
 * Called by `addSpec` and `previewSpec`. What comes out is plain JSON from which any process can build the catalogue again
 * without asking anybody. OpenAPI 3.0, 3.1 and 3.2 are read as they are; their schema dialects meet in `SchemaWriter.ts`.
 */
import { isJsonObject, type JsonObject, type MutableJsonObject, objectOf, textOf } from "../Json.ts"
import { defaultTimeoutMs, type DocumentSource, fetchDocument, withoutQuery } from "./fetchDocument.ts"
import { OpenApiDocumentError, quoted } from "./OpenApiDocumentError.ts"
import { type ParsedDocument, parseDocumentObject, parseDocumentText } from "./parseDocument.ts"
import { bundleRemoteReferences } from "./remoteReferences.ts"
import { slimDocument } from "./slimDocument.ts"
import { upgradeDocument } from "./upgradeDocument.ts"

/** What a host may pass as a document: an object, JSON or YAML text, or an http(s) URL. */
export type DocumentInput = string | object

/** A document that tools can be made of. */
export interface OpenApiDocument {
  /** OpenAPI 3, every reference local. */
  readonly root: JsonObject
  /** The version that the document declares, such as `2.0` or `3.1.0`. */
  readonly version: string
  /** Where it was fetched from; `null` when it was passed by value. */
  readonly url: string | null
  /** What was lost while reading it, and what the validator found if it was asked, for people. */
  readonly warnings: ReadonlyArray<string>
}

/**
 * Reads a document.
 *
 * With `isValidated` the whole document is validated as well, and the findings join the warnings; an invalid document is
 * read all the same.
 * Fails with `OpenApiDocumentError` when it cannot be had, cannot be parsed, or is no OpenAPI or Swagger document.
 */
export const loadDocument = async (
  input: DocumentInput,
  source: DocumentSource,
  isValidated = false,
): Promise<OpenApiDocument> => {
  const { parsed, url } = await parseInput(input, source)
  const location = url === null ? "spec" : withoutQuery(url)
  const version = checkVersion(parsed.value, location)
  if (
    !isJsonObject(parsed.value["paths"]) &&
    !isJsonObject(parsed.value["components"]) &&
    !isJsonObject(parsed.value["webhooks"])
  ) {
    throw new OpenApiDocumentError({
      location: `${location}#/paths`,
      reason: "there is no object `paths`, so there are no operations.",
    })
  }
  try {
    const findings = isValidated ? await validateDocument(parsed.value) : []
    const warnings = [...findings, ...(await bundleRemoteReferences(parsed.value, parsed.json, url, source))]
    let root: MutableJsonObject = parsed.value
    if (version.startsWith("2")) {
      const upgraded = await upgradeDocument(root)
      root = upgraded.root
      warnings.push(...upgraded.warnings)
    }
    if (isUnknownMinor(version))
      warnings.push(`OpenAPI ${version} is newer than what is known here (3.2) and is read as 3.2.`)
    return { root: slimDocument(root), version, url, warnings }
  } catch (thrown) {
    if (!(thrown instanceof RangeError)) throw thrown
    throw new OpenApiDocumentError({ location, reason: "it is nested too deeply to be read." })
  }
}

/** What the validator finds, at most `limit` findings, each with the JSON pointer it is about. */
export const validateDocument = async (input: JsonObject, limit = 20): Promise<ReadonlyArray<string>> => {
  const { validate } = await import("@scalar/openapi-validator")
  try {
    const { errors = [] } = validate(input)
    const findings = errors.slice(0, limit).map(({ path, message }) => `${String(path ?? "#")}: ${message}`)
    return errors.length > limit ? [...findings, `and ${errors.length - limit} more findings.`] : findings
  } catch (thrown) {
    return [`The validator gave up: ${quoted(String(thrown), 200)}`]
  }
}

const parseInput = async (
  input: DocumentInput,
  source: DocumentSource,
): Promise<{ readonly parsed: ParsedDocument; readonly url: string | null }> => {
  if (input instanceof URL) return parseInput(input.href, source)
  if (typeof input === "object" && input !== null) return { parsed: parseDocumentObject(input), url: null }
  if (typeof input !== "string") {
    const reason = `it must be an object, JSON or YAML text, or an http(s) URL; got ${typeof input}.`
    throw new OpenApiDocumentError({ location: "spec", reason })
  }
  const address = input.trim()
  if (!isAddress.test(address)) return { parsed: await parseDocumentText(input, "spec"), url: null }
  if (!/^https?:/i.test(address)) {
    const reason = `only http and https addresses are read, not ${quoted(address)}. Pass the document's content instead.`
    throw new OpenApiDocumentError({ location: "spec", reason })
  }
  if (!URL.canParse(address))
    throw new OpenApiDocumentError({ location: "spec", reason: `${quoted(address)} is not a URL.` })
  const signal = AbortSignal.timeout(source.timeoutMs ?? defaultTimeoutMs)
  const fetched = await fetchDocument(address, source, signal)
  return { parsed: await parseDocumentText(fetched.text, withoutQuery(address)), url: fetched.url }
}

const isAddress = /^[a-z][a-z0-9+.-]*:\/\/\S*$/i

const checkVersion = (value: JsonObject, location: string): string => {
  const declared = value["openapi"] ?? value["swagger"]
  const version = typeof declared === "number" ? declared.toFixed(1) : textOf(declared)
  if (version === undefined) {
    const reason = `it has neither "openapi" nor "swagger"${resemblance(value)}.`
    throw new OpenApiDocumentError({ location: `${location}#/openapi`, reason })
  }
  const supported = "openapi" in value ? /^3\./ : /^2(\.|$)/
  if (!supported.test(version.trim())) {
    const reason = `version ${quoted(version)} is not supported; OpenAPI 3.0, 3.1, 3.2 and Swagger 2.0 are.`
    throw new OpenApiDocumentError({ location: `${location}#/${"openapi" in value ? "openapi" : "swagger"}`, reason })
  }
  return version.trim()
}

const isUnknownMinor = (version: string): boolean => version.startsWith("3.") && !/^3\.[012](\.|$|-)/.test(version)

const resemblance = (value: JsonObject): string => {
  if ("asyncapi" in value) return "; it is an AsyncAPI document"
  if ("item" in value && objectOf(value["info"])["_postman_id"] !== undefined)
    return "; it is a Postman collection, export it as OpenAPI"
  if ("__schema" in value || "__schema" in objectOf(value["data"]))
    return "; it is a GraphQL schema, use the GraphQL plugin"
  if ("swaggerVersion" in value) return "; it is a Swagger 1 document, convert it to OpenAPI 3 first"
  if ("$schema" in value) return "; it is a JSON Schema"
  if ("discoveryVersion" in value) return "; it is a Google discovery document, convert it to OpenAPI first"
  return ""
}
