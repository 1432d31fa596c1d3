/**
 * Swagger 2.0 becomes OpenAPI 3.0, by `@scalar/openapi-upgrader`.
 *
 * The upgrader takes a document for well-formed and throws on the first corner that is not. So malformed corners are left
 * out first, and if it throws all the same, the paths are upgraded one by one and only the culprits are lost.
 */
import { isJsonObject, type JsonObject, listOf, type MutableJsonObject, objectOf, textOf } from "../Json.ts"
import { quoted } from "./OpenApiDocumentError.ts"
import { makeReferences, type References } from "./References.ts"
import { bundledDocumentsKey } from "./remoteReferences.ts"

/** An upgraded document and what was lost on the way. */
export interface UpgradedDocument {
  readonly root: MutableJsonObject
  readonly warnings: ReadonlyArray<string>
}

/** Upgrades a Swagger 2.0 document; takes `root` over and changes it. */
export const upgradeDocument = async (root: MutableJsonObject): Promise<UpgradedDocument> => {
  const { upgradeFromTwoToThree } = await import("@scalar/openapi-upgrader/2.0-to-3.0")
  const upgrade = (document: MutableJsonObject): MutableJsonObject => upgradeFromTwoToThree(document)
  root["swagger"] = "2.0"
  const warnings = prepare(root)
  const paths = objectOf(root["paths"])
  const attempt = structuredClone(root)
  try {
    return { root: preferHttps(upgrade(attempt)), warnings }
  } catch {
    root["paths"] = {}
  }
  const upgraded = upgrade(structuredClone(root))
  const upgradedPaths: MutableJsonObject = {}
  for (const [path, item] of Object.entries(paths)) {
    // Without the definitions: only their presence matters for a path, and there may be thousands.
    const alone = structuredClone({ ...root, definitions: {}, [bundledDocumentsKey]: {}, paths: { [path]: item } })
    try {
      Object.assign(upgradedPaths, objectOf(upgrade(alone)["paths"]))
    } catch (thrown) {
      warnings.push(`The path ${quoted(path)} could not be upgraded to OpenAPI 3: ${quoted(String(thrown))}`)
    }
  }
  upgraded["paths"] = upgradedPaths
  return { root: preferHttps(upgraded), warnings }
}

const methods = new Set(["get", "put", "post", "delete", "options", "head", "patch"])

/** Leaves out what the upgrader stumbles over and writes out what it does not look for. */
const prepare = (root: MutableJsonObject): string[] => {
  const warnings: string[] = []
  const references = makeReferences(root)
  for (const key of ["definitions", "parameters", "responses", "securityDefinitions"]) {
    if (key in root && !isJsonObject(root[key])) delete root[key]
  }
  for (const key of ["consumes", "produces"]) {
    if (key in root) root[key] = mediaTypesOf(root[key])
  }
  for (const key of ["parameters", "responses", "securityDefinitions"]) {
    if (isJsonObject(root[key]))
      root[key] = Object.fromEntries(Object.entries(root[key]).filter(([, value]) => isJsonObject(value)))
  }
  const paths: MutableJsonObject = {}
  for (const [path, value] of Object.entries(objectOf(root["paths"]))) {
    const item = isJsonObject(value) && typeof value["$ref"] === "string" ? references.follow(value) : value
    if (!isJsonObject(item)) {
      if (!path.startsWith("x-")) warnings.push(`The path ${quoted(path)} is not an object.`)
      continue
    }
    paths[path] = preparePathItem(item, path, root, references, warnings)
  }
  root["paths"] = paths
  return warnings
}

const preparePathItem = (
  item: JsonObject,
  path: string,
  root: JsonObject,
  references: References,
  warnings: string[],
): MutableJsonObject => {
  const prepared: MutableJsonObject = {}
  const shared = parametersOf(item["parameters"], references)
  if (shared.length > 0) prepared["parameters"] = shared
  for (const [key, value] of Object.entries(item)) {
    const method = key.toLowerCase()
    if (!methods.has(method)) continue
    if (!isJsonObject(value)) {
      warnings.push(`The operation ${method.toUpperCase()} ${quoted(path)} is not an object.`)
      continue
    }
    const operation: MutableJsonObject = { ...value, parameters: parametersOf(value["parameters"], references) }
    const responses = Object.entries(objectOf(value["responses"])).filter(([, response]) => isJsonObject(response))
    operation["responses"] = Object.fromEntries(responses)
    // The upgrader lets the document's `produces` win over the operation's; the specification says the opposite.
    const produces = mediaTypesOf(value["produces"] ?? root["produces"])
    if (produces.length > 0) for (const [, response] of responses) moveSchema(response as MutableJsonObject, produces)
    if ("consumes" in value) operation["consumes"] = mediaTypesOf(value["consumes"])
    if (listOf(operation["consumes"]).length === 0) delete operation["consumes"]
    prepared[method] = operation
  }
  return prepared
}

const mediaTypesOf = (value: unknown): string[] =>
  (typeof value === "string" ? [value] : listOf(value)).filter((type): type is string => typeof type === "string")

const moveSchema = (response: MutableJsonObject, mediaTypes: ReadonlyArray<string>): void => {
  if (!isJsonObject(response["schema"])) return
  const schema = response["schema"]
  response["content"] = Object.fromEntries(mediaTypes.map((mediaType) => [mediaType, { schema }]))
  delete response["schema"]
  delete response["examples"]
}

/** A list of parameters in which only references of the form that the upgrader knows are left. */
const parametersOf = (value: unknown, references: References): JsonObject[] =>
  listOf(value).flatMap((parameter) => {
    if (!isJsonObject(parameter)) return []
    const reference = parameter["$ref"]
    if (typeof reference !== "string") return typeof parameter["in"] === "string" ? [parameter] : []
    const target = references.follow(parameter)
    if (target === undefined || typeof target["in"] !== "string") return []
    return reference.startsWith("#/parameters/") ? [parameter] : [structuredClone(target)]
  })

/** Puts `https` before `http` where both are offered: the first server is the one that is used. */
const preferHttps = (root: MutableJsonObject): MutableJsonObject => {
  const servers = listOf(root["servers"])
  const isSecure = (server: unknown): boolean => /^https:/i.test(textOf(objectOf(server)["url"]) ?? "")
  root["servers"] = [...servers.filter(isSecure), ...servers.filter((server) => !isSecure(server))]
  return root
}
