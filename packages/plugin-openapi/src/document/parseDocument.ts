/**
 * Turns what a host passed as a document, text or object, into plain JSON that is ours to change.
 *
 * Called for the document itself and for every document it refers to. JSON goes through the platform's parser, anything
 * else through js-yaml with the YAML 1.2 core schema plus merge keys: no dates, no `yes` that turns into `true`.
 */
import { isJsonObject, type MutableJsonObject } from "../Json.ts"
import { OpenApiDocumentError, quoted } from "./OpenApiDocumentError.ts"

/** A parsed document and, when there is one at hand, the JSON text that says the same. */
export interface ParsedDocument {
  readonly value: MutableJsonObject
  readonly json: string | undefined
}

/** Parses JSON or YAML. `location` names the text in errors: a URL, or `spec`. */
export const parseDocumentText = async (text: string, location: string): Promise<ParsedDocument> => {
  const trimmed = text.replace(/^\uFEFF/, "").trim()
  if (trimmed === "") throw new OpenApiDocumentError({ location, reason: "it is empty." })
  if (trimmed.startsWith("<")) {
    const reason = "it is an HTML or XML page. Pass the address of the JSON or YAML document itself."
    throw new OpenApiDocumentError({ location, reason })
  }
  if (trimmed.startsWith("{") || trimmed.startsWith("[")) {
    const parsed = parseJson(trimmed)
    if ("value" in parsed) return { value: documentObject(parsed.value, location), json: trimmed }
    const asYaml = await parseYaml(trimmed, location).catch(() => undefined)
    if (asYaml !== undefined) return { value: documentObject(asYaml, location), json: undefined }
    throw new OpenApiDocumentError({ location, reason: `it is not valid JSON: ${parsed.fault}` })
  }
  return { value: documentObject(await parseYaml(trimmed, location), location), json: undefined }
}

/**
 * Copies an object a host holds into plain JSON.
 *
 * An object that refers back to itself, as dereferencing libraries make them, is read too: each way back becomes a `$ref`.
 */
export const parseDocumentObject = (object: object): ParsedDocument => {
  const location = "spec"
  const json = stringify(object)
  if (json === undefined) {
    return { value: documentObject(withoutSharing(object, location), location), json: undefined }
  }
  return { value: documentObject(JSON.parse(json), location), json }
}

const parseJson = (text: string): { readonly value: unknown } | { readonly fault: string } => {
  try {
    return { value: JSON.parse(text) as unknown }
  } catch (thrown) {
    return { fault: thrown instanceof Error ? quoted(thrown.message, 200) : "unreadable" }
  }
}

const parseYaml = async (text: string, location: string): Promise<unknown> => {
  const { CORE_SCHEMA, load, mergeTag, YAMLException } = await import("js-yaml")
  let value: unknown
  try {
    value = load(text, { schema: CORE_SCHEMA.withTags(mergeTag), json: true, maxDepth: deepest })
  } catch (thrown) {
    if (!(thrown instanceof YAMLException)) {
      throw new OpenApiDocumentError({ location, reason: "it is neither JSON nor YAML that can be read." })
    }
    const at = thrown.mark === undefined ? "" : ` at line ${thrown.mark.line + 1}, column ${thrown.mark.column + 1}`
    throw new OpenApiDocumentError({ location, reason: `it is not valid YAML${at}: ${quoted(thrown.reason, 200)}` })
  }
  return text.includes("*") && text.includes("&") ? withoutSharing(value, location) : value
}

const documentObject = (value: unknown, location: string): MutableJsonObject => {
  if (isJsonObject(value)) return value
  const found = Array.isArray(value) ? "a list" : typeof value === "string" ? quoted(value) : String(value)
  const reason = `an OpenAPI document is an object, and this is ${found}. Files are not read: pass the document's content, or its http(s) URL.`
  throw new OpenApiDocumentError({ location, reason })
}

/** `undefined` for what JSON has no text for: cycles, and sharing so heavy that the text would not fit. */
const stringify = (object: object): string | undefined => {
  try {
    return JSON.stringify(object)
  } catch {
    return undefined
  }
}

const deepest = 400
const mostNodes = 4_000_000

/**
 * Copies a graph into a tree: an alias becomes a copy, a way back to an enclosing object becomes a `$ref` to it.
 *
 * Counts what it copies, so that a few aliases of aliases cannot fill the memory.
 */
const withoutSharing = (value: unknown, location: string): unknown => {
  const enclosing = new Map<object, string>()
  let nodes = 0
  const copy = (node: unknown, pointer: string, depth: number): unknown => {
    nodes += 1
    if (nodes > mostNodes || depth > deepest) {
      const reason = `with its aliases written out it has more than ${mostNodes} values or is nested deeper than ${deepest}.`
      throw new OpenApiDocumentError({ location, reason })
    }
    if (typeof node !== "object" || node === null) return typeof node === "function" ? undefined : node
    if ("toJSON" in node && typeof node.toJSON === "function") return (node.toJSON as () => unknown)()
    const above = enclosing.get(node)
    if (above !== undefined) return { $ref: above }
    enclosing.set(node, pointer)
    const copied = Array.isArray(node)
      ? node.map((item, index) => copy(item, `${pointer}/${index}`, depth + 1))
      : Object.fromEntries(
          Object.entries(node).map(([key, item]) => [
            key,
            copy(item, `${pointer}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`, depth + 1),
          ]),
        )
    enclosing.delete(node)
    return copied
  }
  return copy(value, "#", 0)
}
