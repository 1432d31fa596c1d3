/**
 * Security schemes and requirements of a document become the auth templates that connections choose from.
 *
 * Each alternative of a requirement (`OR`) is a template of its own; the schemes inside one alternative (`AND`) merge into
 * one template with several variables. What cannot be expressed, such as HTTP Digest or mutual TLS, is a warning.
 */
import type { ApiKeyTemplate, AuthPart, AuthTemplate, OAuth2Template } from "@keyward/core"
import { type CredentialPlace, isScope, placeFault } from "@keyward/core/effect"
import { identifierOf } from "./catalogue/identifierOf.ts"
import type { Operation } from "./catalogue/operations.ts"
import type { OpenApiDocument } from "./document/document.ts"
import { quoted } from "./document/OpenApiDocumentError.ts"
import type { References } from "./document/References.ts"
import { isJsonObject, type JsonObject, listOf, objectOf, ownValue, textOf } from "./Json.ts"

/** The templates of a document and what could not become one. */
export interface DerivedTemplates {
  readonly authTemplates: ReadonlyArray<AuthTemplate>
  readonly warnings: ReadonlyArray<string>
}

/**
 * The auth templates of a document, those of its root requirement first.
 *
 * OAuth templates ask for the scopes that the operations require, of alternatives the first; where none names any, for all
 * that the flow declares.
 * Schemes that no requirement names count only in a document without any requirement.
 */
export const deriveAuthTemplates = (
  document: OpenApiDocument,
  operations: ReadonlyArray<Operation>,
  references: References,
): DerivedTemplates => {
  const schemes = objectOf(objectOf(document.root["components"])["securitySchemes"])
  const requirements = [document.root["security"], ...operations.map(({ definition }) => definition["security"])]
  const alternatives = new Map<string, ReadonlyArray<string>>()
  const scopes = new Map<string, Set<string>>()
  let needsNone = operations.some(({ isAnonymous }) => isAnonymous)
  for (const requirement of requirements) {
    const seen = new Set<string>()
    for (const alternative of listOf(requirement)) {
      if (!isJsonObject(alternative)) continue
      const key = JSON.stringify(Object.keys(alternative).sort())
      if (Object.keys(alternative).length === 0) needsNone = true
      else alternatives.set(key, alternatives.get(key) ?? Object.keys(alternative))
      // The same schemes again with other scopes: either will do, and the first is enough.
      if (!seen.has(key)) noteScopes(alternative, scopes)
      seen.add(key)
    }
  }
  if (alternatives.size === 0) for (const name of Object.keys(schemes)) alternatives.set(JSON.stringify([name]), [name])

  const warnings: string[] = []
  const templates = new Map<string, AuthTemplate>()
  const add = (template: AuthTemplate): void => {
    let slug = template.slug
    for (let count = 2; templates.has(slug) || slug === "none"; count += 1) slug = `${template.slug}${count}`
    templates.set(slug, { ...template, slug })
  }
  for (const names of alternatives.values()) {
    const pieces = names.map((name) => {
      const scheme = references.follow(ownValue(schemes, name))
      if (scheme === undefined) return { name, problem: `The security scheme ${quoted(name)} is not declared.` }
      return pieceOf(name, scheme, [...(scopes.get(name) ?? [])], document)
    })
    const problem = pieces
      .map((piece) => ("problem" in piece ? piece.problem : undefined))
      .find((text) => text !== undefined)
    const merged = problem === undefined ? merge(pieces.filter((piece) => !("problem" in piece)) as Piece[]) : problem
    if (typeof merged === "string") warnings.push(merged)
    else merged.forEach(add)
  }
  const authTemplates = [...templates.values()]
  if (needsNone || authTemplates.length === 0) authTemplates.push({ slug: "none", type: "none" })
  return { authTemplates, warnings: [...new Set(warnings)] }
}

const noteScopes = (alternative: JsonObject, scopes: Map<string, Set<string>>): void => {
  for (const [name, required] of Object.entries(alternative)) {
    const known = scopes.get(name) ?? new Set()
    for (const scope of listOf(required)) if (typeof scope === "string" && isScope(scope)) known.add(scope)
    scopes.set(name, known)
  }
}

/** What one scheme adds to a request. */
interface Piece {
  readonly name: string
  readonly kind: "basic" | "bearer" | "oauth2" | "placed"
  readonly location?: Exclude<CredentialPlace, "env">
  readonly parameter?: string
  readonly prefix?: string
  readonly oauth?: ReadonlyArray<Omit<OAuth2Template, "slug">>
}

interface Problem {
  readonly name: string
  readonly problem: string
}

const pieceOf = (
  name: string,
  scheme: JsonObject,
  scopes: ReadonlyArray<string>,
  document: OpenApiDocument,
): Piece | Problem => {
  const unsupported = (what: string): Problem => ({
    name,
    problem: `The security scheme ${quoted(name)} is ${what}, which no auth template can express. Pass authTemplates if the API takes something else as well.`,
  })
  // AWS declares its request signatures as an API key in Authorization.
  if (/sigv4/i.test(textOf(scheme["x-amazon-apigateway-authtype"]) ?? "")) return unsupported("AWS Signature Version 4")
  switch (textOf(scheme["type"])?.toLowerCase()) {
    case "apikey":
      return apiKeyPiece(name, scheme) ?? unsupported("an API key without a usable place")
    case "basic":
      return { name, kind: "basic" }
    case "http":
      return (
        httpPiece(name, textOf(scheme["scheme"]) ?? "") ?? unsupported(`HTTP ${quoted(textOf(scheme["scheme"]) ?? "")}`)
      )
    case "oauth2": {
      const oauth = oauthTemplates(objectOf(scheme["flows"]), scopes, document)
      return oauth.length > 0
        ? { name, kind: "oauth2", oauth }
        : { name, kind: "oauth2", oauth: [{ type: "oauth2", scopes }] }
    }
    case "openidconnect": {
      const address = absoluteUrl(scheme["openIdConnectUrl"], document)
      const issuer = address?.replace(/\/?\.well-known\/(openid-configuration|oauth-authorization-server)\/?$/, "")
      return { name, kind: "oauth2", oauth: [{ type: "oauth2", scopes, ...(issuer === undefined ? {} : { issuer }) }] }
    }
    case "mutualtls":
      return unsupported("mutual TLS")
    default:
      return unsupported(`of the unknown type ${quoted(String(scheme["type"]))}`)
  }
}

const apiKeyPiece = (name: string, scheme: JsonObject): Piece | undefined => {
  const parameter = textOf(scheme["name"])?.trim()
  if (parameter === undefined) return undefined
  const location = places.get(scheme["in"])
  return location === undefined || placeFault(location, parameter) !== undefined
    ? undefined
    : { name, kind: "placed", location, parameter }
}

const places = new Map<unknown, Exclude<CredentialPlace, "env">>([
  ["header", "headers"],
  ["query", "queryParams"],
  ["cookie", "cookies"],
])

const httpPiece = (name: string, scheme: string): Piece | undefined => {
  const lower = scheme.trim().toLowerCase()
  if (lower === "basic" || lower === "bearer") return { name, kind: lower }
  // These answer a challenge or sign the request; a fixed text in the header would never be right.
  if (!isAuthScheme.test(scheme.trim()) || challenging.test(lower)) return undefined
  return { name, kind: "placed", location: "headers", parameter: "Authorization", prefix: `${scheme.trim()} ` }
}

/** RFC 9110, section 11.1: a token. */
const isAuthScheme = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const challenging =
  /^(digest|negotiate|ntlm|hoba|mutual|oauth|dpop|gnap|vapid|concealed|scram-.*|aws4-.*|signature|hawk)$/

/** One template for the flows that a person or a client takes; a second one where client credentials go elsewhere. */
const oauthTemplates = (
  flows: JsonObject,
  required: ReadonlyArray<string>,
  document: OpenApiDocument,
): ReadonlyArray<Omit<OAuth2Template, "slug">> => {
  const describe = (flow: JsonObject): Omit<OAuth2Template, "slug"> => {
    const declared = Object.keys(objectOf(flow["scopes"])).filter((scope) => isScope(scope))
    const authorizationUrl = absoluteUrl(flow["authorizationUrl"], document)
    const tokenUrl = absoluteUrl(flow["tokenUrl"], document)
    return {
      type: "oauth2",
      scopes: required.length > 0 ? required : declared,
      ...(authorizationUrl === undefined ? {} : { authorizationUrl }),
      ...(tokenUrl === undefined ? {} : { tokenUrl }),
    }
  }
  const order = ["authorizationCode", "deviceAuthorization", "clientCredentials", "password", "implicit"]
  const present = order.filter((name) => isJsonObject(flows[name]))
  const [first] = present
  if (first === undefined) return []
  const main = describe(objectOf(flows[first]))
  const machine = describe(objectOf(flows["clientCredentials"]))
  return first !== "clientCredentials" && isJsonObject(flows["clientCredentials"]) && machine.tokenUrl !== main.tokenUrl
    ? [main, machine]
    : [main]
}

/** OAuth addresses may be relative; they then belong to the document's own address or to its first server. */
const absoluteUrl = (value: unknown, document: OpenApiDocument): string | undefined => {
  const text = textOf(value)?.trim()
  if (text === undefined) return undefined
  const server = textOf(objectOf(listOf(document.root["servers"])[0])["url"])
  const base = [document.url, server].find(
    (candidate) => candidate !== null && candidate !== undefined && URL.canParse(candidate),
  )
  if (!URL.canParse(text, base ?? undefined)) return undefined
  const url = new URL(text, base ?? undefined)
  return url.protocol === "https:" || url.protocol === "http:" ? url.href : undefined
}

/** One template from the schemes that are needed together, or a sentence about why there is none. */
const merge = (pieces: ReadonlyArray<Piece>): ReadonlyArray<AuthTemplate> | string => {
  const slug = pieces.map(({ name }) => identifierOf(name) ?? "credential").join("_")
  const leading = withOneOAuth(pieces.filter(({ kind }) => kind !== "placed"))
  const placed = pieces.filter(({ kind }) => kind === "placed")
  const names = pieces.map(({ name }) => quoted(name)).join(" and ")
  const setsAuthorization = placed.some(
    ({ location, parameter }) => location === "headers" && parameter?.toLowerCase() === "authorization",
  )
  if (leading.length > 1 || (leading.length === 1 && setsAuthorization)) {
    return `The security schemes ${names} are required together, and both set Authorization.`
  }
  const taken = new Set(leading.length === 0 ? [] : ["token", "username", "password"])
  const placements: Record<"headers" | "queryParams" | "cookies", Record<string, AuthPart[]>> = {
    headers: {},
    queryParams: {},
    cookies: {},
  }
  for (const piece of placed) {
    const variable = pieces.length === 1 ? "token" : unusedName(identifierOf(piece.name) ?? "key", taken)
    const parts: AuthPart[] = piece.prefix === undefined ? [{ variable }] : [piece.prefix, { variable }]
    placements[piece.location ?? "headers"][piece.parameter ?? ""] = parts
  }
  const fields: Omit<ApiKeyTemplate, "slug" | "type"> = Object.fromEntries(
    Object.entries(placements).filter(([, values]) => Object.keys(values).length > 0),
  )
  const [first] = leading
  if (first === undefined) return [{ slug, type: "apiKey", ...fields }]
  if (first.kind === "oauth2") return (first.oauth ?? []).map((oauth) => ({ slug, ...oauth, ...fields }))
  return [{ slug, type: first.kind === "basic" ? "basic" : "bearer", ...fields }]
}

/**
 * Documents list the flows of one authorization server as schemes of their own and require them "together", as those of
 * Google do: what is meant is one token.
 */
const withOneOAuth = (pieces: ReadonlyArray<Piece>): ReadonlyArray<Piece> => {
  const templates = pieces.flatMap(({ oauth }) => oauth ?? [])
  const [first, ...others] = pieces
  if (first === undefined || others.length === 0 || pieces.some(({ kind }) => kind !== "oauth2")) return pieces
  const servers = new Set(
    templates.flatMap(({ authorizationUrl }) => (authorizationUrl === undefined ? [] : [authorizationUrl])),
  )
  if (servers.size > 1) return pieces
  const complete = templates.find(({ tokenUrl }) => tokenUrl !== undefined)
  const scopes = [...new Set(templates.flatMap((template) => template.scopes ?? []))]
  return [{ ...first, oauth: [{ ...templates[0], ...complete, type: "oauth2", scopes }] }]
}

const unusedName = (name: string, taken: Set<string>): string => {
  let candidate = name
  for (let count = 2; taken.has(candidate); count += 1) candidate = `${name}${count}`
  taken.add(candidate)
  return candidate
}
