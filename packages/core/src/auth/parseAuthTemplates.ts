/**
 * Checks auth templates as hosts and plugins write them, strictly: each fault is reported with the path that leads to it.
 *
 * Called when an integration is registered.
 */
import * as Result from "effect/Result"
import { quote } from "../error/KeywardError.ts"
import { type AuthTemplate, InvalidAuthTemplateError, noAuthSlug } from "./AuthTemplate.ts"
import { parseQuirks } from "./OAuthQuirks.ts"
import { type CredentialPlace, isLiteralOf, placeFault } from "./places.ts"

/**
 * Checks a list of templates as a host or plugin wrote them.
 *
 * Fails at the first fault with its path, for instance `authTemplates[0].headers.X-API-Key[1]`.
 */
export const parseAuthTemplates = (
  input: unknown,
): Result.Result<ReadonlyArray<AuthTemplate>, InvalidAuthTemplateError> =>
  Result.try({
    try: () => checkedList(input),
    catch: (thrown) => {
      if (thrown instanceof InvalidAuthTemplateError) return thrown
      throw thrown
    },
  })

/** Whether a text is one scope: printable ASCII but for space, quote and backslash ([RFC 6749, section 3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3)). */
export const isScope = (text: string): boolean => /^[\u0021\u0023-\u005b\u005d-\u007e]+$/.test(text)

const placementKeys: ReadonlyArray<CredentialPlace> = ["headers", "queryParams", "cookies", "env"]
const oauthKeys = [
  "scopes",
  "issuer",
  "authorizationUrl",
  "tokenUrl",
  "registrationUrl",
  "resource",
  "dpop",
  "authorizationParams",
  "quirks",
]
const keysByType: Readonly<Record<AuthTemplate["type"], ReadonlyArray<string>>> = {
  none: [],
  basic: placementKeys,
  bearer: placementKeys,
  apiKey: placementKeys,
  oauth2: [...placementKeys, ...oauthKeys],
}

const checkedList = (input: unknown): ReadonlyArray<AuthTemplate> => {
  if (!Array.isArray(input)) return fault("authTemplates", "must be a list of auth templates.")
  const slugs = new Set<string>()
  return input.map((entry: unknown, index) => {
    const template = checkedTemplate(entry, `authTemplates[${index}]`)
    if (slugs.has(template.slug)) fault(`authTemplates[${index}].slug`, `${quote(template.slug)} is used twice.`)
    slugs.add(template.slug)
    return template
  })
}

const checkedTemplate = (input: unknown, path: string): AuthTemplate => {
  const entry = checkedRecord(input, path)
  const { slug, type } = entry
  if (typeof slug !== "string" || !/^[\p{L}\p{N}_.-]{1,128}$/u.test(slug)) {
    return fault(`${path}.slug`, "must be 1 to 128 letters, digits, `_`, `.` or `-`.")
  }
  if (typeof type !== "string" || !Object.hasOwn(keysByType, type)) {
    return fault(`${path}.type`, `must be one of ${Object.keys(keysByType).join(", ")}; got ${describe(type)}.`)
  }
  if ((slug === noAuthSlug) !== (type === "none") && slug === noAuthSlug) {
    return fault(`${path}.slug`, 'the slug "none" is kept for the type "none".')
  }
  const allowed = keysByType[type as AuthTemplate["type"]]
  for (const key of Object.keys(entry)) {
    if (key !== "slug" && key !== "type" && !allowed.includes(key)) {
      const known = ["slug", "type", ...allowed].join(", ")
      fault(`${path}.${key}`, `is not a field of a template of type ${quote(type)} (fields: ${known}).`)
    }
  }
  if (type === "oauth2") checkOAuthFields(entry, path)
  const variables = checkPlacements(entry, path, type)
  if (type === "apiKey" && variables === 0) {
    fault(path, 'places no variable. Write one, for instance headers: { "X-API-Key": [variable("token")] }.')
  }
  return structuredClone(entry) as unknown as AuthTemplate
}

const checkPlacements = (entry: Record<string, unknown>, path: string, type: string): number => {
  let variables = 0
  for (const key of placementKeys) {
    if (entry[key] === undefined) continue
    const placements = checkedRecord(entry[key], `${path}.${key}`)
    const seen = new Set<string>()
    for (const [name, parts] of Object.entries(placements)) {
      const at = `${path}.${key}.${name}`
      const unusable = placeFault(key, name)
      if (unusable !== undefined) fault(at, unusable)
      const folded = key === "headers" ? name.toLowerCase() : name
      if (seen.has(folded)) fault(at, "names the same header twice.")
      if (folded === "authorization" && key === "headers" && type !== "apiKey") {
        fault(at, `a template of type ${quote(type)} sets Authorization itself.`)
      }
      seen.add(folded)
      variables += checkParts(parts, at, key)
    }
  }
  return variables
}

const checkParts = (parts: unknown, path: string, place: CredentialPlace): number => {
  if (!Array.isArray(parts) || parts.length === 0) {
    return fault(path, 'must be a list of parts, for instance ["Token ", variable("token")].')
  }
  let variables = 0
  for (const [index, part] of parts.entries()) {
    if (typeof part === "string") {
      if (!isLiteralOf(place, part)) fault(`${path}[${index}]`, "holds characters that cannot be sent there.")
      continue
    }
    const { variable: name, ...rest } = checkedRecord(part, `${path}[${index}]`)
    if (typeof name !== "string" || name === "" || name.length > 128 || !name.isWellFormed()) {
      return fault(`${path}[${index}]`, 'must be a string or variable("name").')
    }
    if (Object.keys(rest).length > 0) fault(`${path}[${index}]`, "has fields besides `variable`.")
    variables += 1
  }
  return variables
}

const checkOAuthFields = (entry: Record<string, unknown>, path: string): void => {
  const { scopes, dpop } = entry
  if (
    scopes !== undefined &&
    !(Array.isArray(scopes) && scopes.every((scope) => typeof scope === "string" && isScope(scope)))
  ) {
    fault(`${path}.scopes`, "must be a list of scopes without spaces or quotes.")
  }
  for (const key of ["issuer", "authorizationUrl", "tokenUrl", "registrationUrl"]) {
    const value = entry[key]
    // A person's browser is sent to one of these: no javascript: or data: URL may stand here.
    if (value !== undefined && !(typeof value === "string" && /^https?:$/.test(URL.parse(value)?.protocol ?? ""))) {
      fault(`${path}.${key}`, "must be an absolute http(s) URL.")
    }
  }
  const { resource } = entry
  if (resource !== undefined && !(typeof resource === "string" && URL.canParse(resource))) {
    fault(`${path}.resource`, "must be an absolute URI.")
  }
  if (dpop !== undefined && typeof dpop !== "boolean") fault(`${path}.dpop`, "must be true or false.")
  if (entry["authorizationParams"] !== undefined) {
    const parameters = checkedRecord(entry["authorizationParams"], `${path}.authorizationParams`)
    for (const [name, value] of Object.entries(parameters)) {
      if (typeof value !== "string") fault(`${path}.authorizationParams.${name}`, "must be text.")
    }
  }
  const quirks = parseQuirks(entry["quirks"])
  if (Result.isFailure(quirks)) fault(`${path}.${quirks.failure.field}`, quirks.failure.fault)
}

const checkedRecord = (input: unknown, path: string): Record<string, unknown> =>
  typeof input === "object" && input !== null && !Array.isArray(input)
    ? (input as Record<string, unknown>)
    : fault(path, `must be an object; got ${describe(input)}.`)

const describe = (value: unknown): string =>
  value === null ? "null" : Array.isArray(value) ? "a list" : typeof value === "string" ? quote(value) : typeof value

const fault = (path: string, expected: string): never => {
  throw new InvalidAuthTemplateError({ path, expected })
}
