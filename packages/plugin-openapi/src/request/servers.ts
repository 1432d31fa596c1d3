/**
 * Where an API lives: `servers` of a document, path or operation, their variables, and the origins that follow.
 *
 * A variable of the server is filled from its enum or with letters, digits, `.`, `_` and `-` only, so that it can never
 * end a host name or a path segment. A variable without an enum that decides the origin decides nothing here: the host has
 * to say which origin is meant.
 */
import { isJsonObject, listOf, objectOf, ownValue, textOf, type JsonObject } from "../Json.ts"

/** One hole of a server URL. */
export interface ServerVariable {
  readonly name: string
  /** The values the document allows; `undefined` when it allows any. */
  readonly enum: ReadonlyArray<string> | undefined
  readonly default: string
  readonly description: string | undefined
}

/** One entry of `servers`, absolute but for its variables. */
export interface Server {
  /** For instance `https://{region}.example.com/v1`. */
  readonly template: string
  readonly variables: ReadonlyArray<ServerVariable>
  /** Variables that are part of the scheme, the host or the port. */
  readonly originVariables: ReadonlySet<string>
}

/** What the servers of a document allow. */
export interface DeclaredOrigins {
  readonly origins: ReadonlyArray<string>
  /** The template of a server whose origin only the host can know. */
  readonly openTemplate: string | undefined
}

/** The usable servers of a `servers` list; relative ones are resolved against where the document came from. */
export const serversOf = (servers: unknown, documentUrl: string | null): ReadonlyArray<Server> =>
  listOf(servers).flatMap((entry) => {
    if (!isJsonObject(entry)) return []
    const url = textOf(entry["url"])?.trim()
    const template = url === undefined ? undefined : absoluteTemplate(url, documentUrl)
    return template === undefined ? [] : [makeServer(template, objectOf(entry["variables"]))]
  })

/** The server of a base URL given by the host. */
export const fixedServer = (baseUrl: string): Server => ({
  template: baseUrl,
  variables: [],
  originVariables: new Set(),
})

/**
 * Fills a server's variables, from `values` where given and else with their defaults.
 *
 * @returns the base URL without a trailing slash, or a sentence about the value that may not be used.
 */
export const expandServer = (
  server: Server,
  values: Readonly<Record<string, unknown>>,
): { readonly baseUrl: string } | { readonly fault: string; readonly variable: string } => {
  let url = server.template
  for (const variable of server.variables) {
    const given = ownValue(values, variable.name)
    const value = given === undefined ? variable.default : given
    if (typeof value !== "string") return { fault: "must be text", variable: variable.name }
    if (given !== undefined && value !== variable.default) {
      if (variable.enum !== undefined && !variable.enum.includes(value)) {
        return { fault: `must be one of ${variable.enum.join(", ")}`, variable: variable.name }
      }
      if (variable.enum === undefined && (!plainValue.test(value) || dotsOnly.test(value))) {
        return { fault: "may only hold letters, digits, dots, underscores and hyphens", variable: variable.name }
      }
    }
    url = url.replaceAll(`{${variable.name}}`, () => value)
  }
  const baseUrl = normalBaseUrl(url)
  return baseUrl === undefined
    ? { fault: "does not give a usable server address", variable: server.variables[0]?.name ?? "url" }
    : { baseUrl }
}

/** A base URL in its normal spelling without query, fragment, user information and trailing slash; `undefined` if unusable. */
export const normalBaseUrl = (url: string): string | undefined => {
  if (!URL.canParse(url)) return undefined
  const { protocol, origin, pathname } = new URL(url)
  if (protocol !== "https:" && protocol !== "http:") return undefined
  return origin + pathname.replace(/\/+$/, "")
}

/**
 * The origins that servers lead to, with the values of enums written out, at most 200.
 *
 * An `http` origin whose `https` twin is declared as well is left out: a credential has no business on it.
 */
export const declaredOrigins = (servers: ReadonlyArray<Server>): DeclaredOrigins => {
  const origins = new Set<string>()
  let openTemplate: string | undefined
  for (const server of servers) {
    if (isOpen(server)) {
      openTemplate ??= server.template
      continue
    }
    for (const values of combinations(server)) {
      const expanded = expandServer(server, values)
      if ("baseUrl" in expanded && origins.size < mostOrigins) origins.add(new URL(expanded.baseUrl).origin)
    }
  }
  const kept = [...origins].filter((origin) => !origin.startsWith("http:") || !origins.has(`https${origin.slice(4)}`))
  return { origins: kept, openTemplate }
}

/** Whether only the host can say where this server is. */
const isOpen = (server: Server): boolean =>
  server.variables.some((variable) => server.originVariables.has(variable.name) && variable.enum === undefined)

/**
 * The server with its defaults changed, if need be, so that it is at one of the origins; `undefined` when it cannot be.
 *
 * For `https://{shop}.example.com` and the origin `https://acme.example.com` the default of `shop` becomes `acme`.
 */
export const closeServer = (server: Server, origins: ReadonlyArray<string>): Server | undefined => {
  if (isOpen(server)) return closeOpenServer(server, origins)
  for (const values of combinations(server)) {
    const expanded = expandServer(server, values)
    if (!("baseUrl" in expanded) || !origins.includes(new URL(expanded.baseUrl).origin)) continue
    return withDefaults(server, new Map(Object.entries(values)))
  }
  return undefined
}

const closeOpenServer = (server: Server, origins: ReadonlyArray<string>): Server | undefined => {
  const head = headOf(server.template)
  const names = [...head.matchAll(variablePattern)].map((match) => match[1] ?? "")
  const pattern = head
    .split(variablePattern)
    .map((part, index) => (index % 2 === 0 ? part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&") : "([A-Za-z0-9._-]+)"))
    .join("")
  for (const origin of origins) {
    const match = new RegExp(`^${pattern}$`, "i").exec(origin)
    if (match !== null) return withDefaults(server, new Map(names.map((name, index) => [name, match[index + 1] ?? ""])))
  }
  return undefined
}

const withDefaults = (server: Server, values: ReadonlyMap<string, string>): Server => ({
  ...server,
  variables: server.variables.map((variable) => ({
    ...variable,
    default: values.get(variable.name) ?? variable.default,
  })),
})

/** Scheme, host and port of a template. One that begins with a hole, such as `{url}/v1`, may take them from it. */
const headOf = (template: string): string => /^(?:[^/]*:)?\/\/[^/?#]*|^\{[^{}]*\}[^/?#]*/.exec(template)?.[0] ?? ""

const mostOrigins = 200
const plainValue = /^[A-Za-z0-9._-]+$/
const dotsOnly = /^\.+$/
const variablePattern = /\{([^{}]+)\}/g

const absoluteTemplate = (url: string, documentUrl: string | null): string | undefined => {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(url)) return /^https?:/i.test(url) ? url : undefined
  if (url.startsWith("{")) return url
  if (url.startsWith("//")) return `${documentUrl === null ? "https:" : new URL(documentUrl).protocol}${url}`
  if (documentUrl === null || !URL.canParse(url, documentUrl)) return undefined
  // Braces are percent-encoded by the URL parser, and would then no longer be holes.
  return new URL(url, documentUrl).href.replaceAll(/%7B/gi, "{").replaceAll(/%7D/gi, "}")
}

const makeServer = (template: string, definitions: JsonObject): Server => {
  const names = new Set([...template.matchAll(variablePattern)].map((match) => match[1] ?? ""))
  const variables = [...names].map((name) => {
    const definition = objectOf(ownValue(definitions, name))
    const values = listOf(definition["enum"]).map(String)
    const fallback = definition["default"]
    return {
      name,
      enum: values.length > 0 ? values : undefined,
      default: fallback === undefined || fallback === null ? (values[0] ?? "") : plainDefault(fallback),
      description: textOf(definition["description"]),
    }
  })
  const inOrigin = [...headOf(template).matchAll(variablePattern)].map((match) => match[1] ?? "")
  return { template, variables, originVariables: new Set(inOrigin) }
}

const plainDefault = (value: unknown): string =>
  typeof value === "string" ? value : typeof value === "number" || typeof value === "boolean" ? String(value) : ""

const combinations = (server: Server): ReadonlyArray<Readonly<Record<string, string>>> => {
  let all: Record<string, string>[] = [{}]
  for (const variable of server.variables) {
    if (!server.originVariables.has(variable.name)) continue
    const values = variable.enum === undefined ? [variable.default] : new Set([variable.default, ...variable.enum])
    all = all.flatMap((one) => [...values].map((value) => ({ ...one, [variable.name]: value }))).slice(0, mostOrigins)
  }
  return all
}
