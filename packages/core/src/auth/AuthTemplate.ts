/**
 * Where an integration wants a credential: a list of templates that connections choose from by slug.
 *
 * Written by plugin authors and hosts in the request-shaped dialect below, checked strictly when an integration is
 * registered, stored as plain JSON. Placing values is `applyAuth`'s work.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { quote, taggedError } from "../error/KeywardError.ts"
import { type OAuthQuirks, parseQuirks } from "./OAuthQuirks.ts"

/** A hole in a template, filled with a credential value when a request leaves. */
export interface Variable {
  readonly variable: string
}

/** Names a hole: `[variable("token")]`, `["Token ", variable("token")]`. */
export const variable = (name: string): Variable => ({ variable: name })

/** A literal, or a hole. */
export type AuthPart = string | Variable

/** Values by the name of the header, query parameter or cookie; parts are joined. */
export type Placements = Readonly<Record<string, ReadonlyArray<AuthPart>>>

interface PlacementFields {
  readonly headers?: Placements | undefined
  readonly queryParams?: Placements | undefined
  readonly cookies?: Placements | undefined
  /**
   * Environment variables of the process that a plugin starts for the connection, such as an MCP server that is a local command. Never
   * part of a request.
   */
  readonly env?: Placements | undefined
}

/** No credential. Every integration has it under the slug `none`. */
export interface NoneTemplate {
  readonly slug: string
  readonly type: "none"
}

/** HTTP Basic ([RFC 7617](https://www.rfc-editor.org/rfc/rfc7617)) from the variables `username` and `password`, plus placements. */
export interface BasicTemplate extends PlacementFields {
  readonly slug: string
  readonly type: "basic"
}

/** `Authorization: Bearer <token>` ([RFC 6750](https://www.rfc-editor.org/rfc/rfc6750)) from the variable `token`, plus placements. */
export interface BearerTemplate extends PlacementFields {
  readonly slug: string
  readonly type: "bearer"
}

/** Static keys in headers, query parameters and cookies, of one or several variables. */
export interface ApiKeyTemplate extends PlacementFields {
  readonly slug: string
  readonly type: "apiKey"
}

/** An access token that an OAuth flow obtained, sent as a bearer token, plus placements. Declares what to ask for. */
export interface OAuth2Template extends PlacementFields {
  readonly slug: string
  readonly type: "oauth2"
  readonly scopes?: ReadonlyArray<string> | undefined
  readonly issuer?: string | undefined
  readonly authorizationUrl?: string | undefined
  readonly tokenUrl?: string | undefined
  /** Where `oauth.connect` registers a client at a server that publishes no metadata. With an issuer, its metadata says so. */
  readonly registrationUrl?: string | undefined
  /** The resource indicator ([RFC 8707](https://www.rfc-editor.org/rfc/rfc8707)). */
  readonly resource?: string | undefined
  readonly dpop?: boolean | undefined
  readonly authorizationParams?: Readonly<Record<string, string>> | undefined
  /** How the provider departs from the standards; plain data. */
  readonly quirks?: OAuthQuirks | undefined
}

/** One way for an integration's connections to authenticate, as it is written and stored. */
export type AuthTemplate = NoneTemplate | BasicTemplate | BearerTemplate | ApiKeyTemplate | OAuth2Template

/** The shape of the credential behind a template. */
export type AuthFamily = "none" | "basic" | "bearer" | "apikey" | "oauth2"

/** The slug that binds nothing. */
export const noAuthSlug = "none"

/** One value on the request, ready to be filled. */
export interface Placement {
  readonly location: "header" | "query" | "cookie"
  /** Header names in lower case. */
  readonly name: string
  readonly parts: ReadonlyArray<AuthPart>
  /** How the joined parts become the value. */
  readonly encoding: "plain" | "basic"
}

/** One variable of a process's environment, ready to be filled. */
interface EnvironmentPlacement {
  readonly name: string
  readonly parts: ReadonlyArray<AuthPart>
}

/** A checked template in the form that is applied. */
export interface CompiledTemplate {
  readonly slug: string
  readonly family: AuthFamily
  /** Each variable once, in the order of appearance. */
  readonly variables: ReadonlyArray<string>
  /** On requests. */
  readonly placements: ReadonlyArray<Placement>
  /** In the environment of a process, and nowhere else. */
  readonly environment: ReadonlyArray<EnvironmentPlacement>
}

/** A template that cannot work as written; `path` leads to the fault. */
export class InvalidAuthTemplateError extends taggedError<InvalidAuthTemplateError>()(
  "InvalidAuthTemplateError",
  { path: Schema.String, expected: Schema.String },
  400,
) {
  override get message(): string {
    return `${this.path}: ${this.expected}`
  }
}

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

/** The form of a checked template that `applyAuth` fills. */
export const compileTemplate = (template: AuthTemplate): CompiledTemplate => {
  const placements = template.type === "none" ? [] : [...ownPlacements(template), ...authoredPlacements(template)]
  const environment =
    template.type === "none" ? [] : Object.entries(template.env ?? {}).map(([name, parts]) => ({ name, parts }))
  const variables = new Set<string>()
  for (const { parts } of [...placements, ...environment]) {
    for (const part of parts) if (typeof part !== "string") variables.add(part.variable)
  }
  return { slug: template.slug, family: familyOf(template), variables: [...variables], placements, environment }
}

/** The family a template belongs to. */
export const familyOf = (template: AuthTemplate): AuthFamily => (template.type === "apiKey" ? "apikey" : template.type)

/** The template that is there without being declared. */
export const noneTemplate: NoneTemplate = { slug: noAuthSlug, type: "none" }

const ownPlacements = (template: Exclude<AuthTemplate, NoneTemplate>): ReadonlyArray<Placement> => {
  switch (template.type) {
    case "basic":
      return [authorization([variable("username"), ":", variable("password")], "basic")]
    case "bearer":
    case "oauth2":
      return [authorization(["Bearer ", variable("token")], "plain")]
    case "apiKey":
      return []
  }
}

const authorization = (parts: ReadonlyArray<AuthPart>, encoding: Placement["encoding"]): Placement => ({
  location: "header",
  name: "authorization",
  parts,
  encoding,
})

const authoredPlacements = (template: PlacementFields): ReadonlyArray<Placement> => [
  ...placed("header", template.headers),
  ...placed("query", template.queryParams),
  ...placed("cookie", template.cookies),
]

const placed = (location: Placement["location"], placements: Placements | undefined): ReadonlyArray<Placement> =>
  Object.entries(placements ?? {}).map(([name, parts]) => ({
    location,
    name: location === "header" ? name.toLowerCase() : name,
    parts,
    encoding: "plain",
  }))

const placementKeys = ["headers", "queryParams", "cookies", "env"]
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
      checkName(key, name, at)
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

const checkParts = (parts: unknown, path: string, key: string): number => {
  if (!Array.isArray(parts) || parts.length === 0) {
    return fault(path, 'must be a list of parts, for instance ["Token ", variable("token")].')
  }
  let variables = 0
  for (const [index, part] of parts.entries()) {
    if (typeof part === "string") {
      if (!literals[key]?.test(part)) fault(`${path}[${index}]`, "holds characters that cannot be sent there.")
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

/* eslint-disable no-control-regex -- these say which control characters may not be sent */
const literals: Readonly<Record<string, RegExp>> = {
  headers: /^[\t\u0020-\u007e\u0080-\u00ff]*$/,
  queryParams: /^[^\u0000-\u001f\u007f\ud800-\udfff]*$/u,
  cookies: /^[\u0021\u0023-\u002b\u002d-\u003a\u003c-\u005b\u005d-\u007e]*$/,
  env: /^[^\u0000\ud800-\udfff]*$/u,
}
/* eslint-enable no-control-regex */

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/** Headers that frame or route the message; a credential there would change where or how it is sent. */
const framing = new Set([
  "host",
  "content-length",
  "transfer-encoding",
  "connection",
  "keep-alive",
  "upgrade",
  "te",
  "trailer",
  "expect",
  "cookie",
])

const environmentName = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/

/** Variables by which a value could make a process load or run something else. */
const steering =
  /^(PATH|HOME|SHELL|IFS|ENV|BASH_ENV|NODE_OPTIONS|NODE_PATH|PYTHON(PATH|STARTUP|HOME)|RUBY(OPT|LIB)|PERL5?(OPT|LIB|DB)|JAVA_TOOL_OPTIONS|LD_.*|DYLD_.*|GIT_.*)$/i

const checkName = (key: string, name: string, path: string): void => {
  if (key === "queryParams") {
    if (name === "" || !name.isWellFormed()) fault(path, "is not a usable parameter name.")
    return
  }
  if (key === "env") {
    if (!environmentName.test(name) || name === "__proto__") fault(path, "is not a usable name of a variable.")
    if (steering.test(name)) fault(path, "decides what a process runs; a credential cannot stand there.")
    return
  }
  // A header `__proto__` would set the prototype of a record of headers instead.
  if (!token.test(name) || (key === "headers" && name.toLowerCase() === "__proto__")) {
    fault(path, `is not a usable ${key === "headers" ? "header" : "cookie"} name.`)
  }
  if (key === "headers" && framing.has(name.toLowerCase())) {
    fault(
      path,
      name.toLowerCase() === "cookie" ? "use `cookies` for cookies." : "is a header that Keyward sets itself.",
    )
  }
}

const checkOAuthFields = (entry: Record<string, unknown>, path: string): void => {
  const { scopes, dpop } = entry
  if (
    scopes !== undefined &&
    !(Array.isArray(scopes) && scopes.every((scope) => typeof scope === "string" && isScope.test(scope)))
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

// RFC 6749, section 3.3: printable ASCII but for space, quote and backslash.
const isScope = /^[\u0021\u0023-\u005b\u005d-\u007e]+$/

const checkedRecord = (input: unknown, path: string): Record<string, unknown> =>
  typeof input === "object" && input !== null && !Array.isArray(input)
    ? (input as Record<string, unknown>)
    : fault(path, `must be an object; got ${describe(input)}.`)

const describe = (value: unknown): string =>
  value === null ? "null" : Array.isArray(value) ? "a list" : typeof value === "string" ? quote(value) : typeof value

const fault = (path: string, expected: string): never => {
  throw new InvalidAuthTemplateError({ path, expected })
}
