/**
 * The parameters of an operation, each under the name by which a caller passes it.
 *
 * All of them become properties of one flat object beside `body`. Where two share a name, the one in the path keeps it,
 * then query, header, cookie; the others are called `query_id`, `header_id` and so on, whatever their order.
 * Spec: [Parameter Object](https://spec.openapis.org/oas/v3.2.0#parameter-object).
 */
import { listOf, objectOf, textOf, type JsonObject } from "../Json.ts"
import { quoted } from "../document/OpenApiDocumentError.ts"
import type { Operation } from "../catalogue/operations.ts"
import type { References } from "../document/References.ts"

/** Where a parameter travels. `querystring` (OpenAPI 3.2) is the whole query at once. */
type ParameterLocation = "path" | "query" | "querystring" | "header" | "cookie"

/** How a parameter's value is written down. */
type ParameterStyle = "simple" | "label" | "matrix" | "form" | "spaceDelimited" | "pipeDelimited" | "deepObject"

/** One parameter, defaults filled in. */
export interface Parameter {
  /** The property of the tool's input. */
  readonly argument: string
  /** The name on the wire. */
  readonly name: string
  readonly location: ParameterLocation
  readonly isRequired: boolean
  readonly style: ParameterStyle
  readonly explode: boolean
  readonly allowReserved: boolean
  /** The media type of a `content` parameter; `undefined` for one with a style. */
  readonly mediaType: string | undefined
  readonly schema: unknown
  readonly description: string | undefined
  readonly examples: ReadonlyArray<unknown>
  readonly isDeprecated: boolean
}

/** The parameters of an operation and what had to be left out. */
export interface OperationParameters {
  readonly parameters: ReadonlyArray<Parameter>
  readonly warnings: ReadonlyArray<string>
}

/** Where credentials go, as `header:x-api-key`, `query:key`, `cookie:sid`: not the caller's to fill. */
export type CredentialPlaces = ReadonlySet<string>

/** Reads the parameters of a path item and an operation; the operation's win. */
export const parametersOf = (
  operation: Operation,
  references: References,
  credentialPlaces: CredentialPlaces,
): OperationParameters => {
  const warnings: string[] = []
  const byKey = new Map<string, Omit<Parameter, "argument">>()
  const holes = new Set(pathHoles(operation.path))
  for (const entry of [...listOf(operation.pathItem["parameters"]), ...listOf(operation.definition["parameters"])]) {
    const definition = references.follow(entry)
    const parameter = definition === undefined ? undefined : readParameter(definition, references)
    if (parameter === undefined) {
      warnings.push(
        `${operation.name}: a parameter is left out, because it has no usable name and place or its $ref leads nowhere.`,
      )
      continue
    }
    if (isSetElsewhere(parameter, operation.isAnonymous ? noPlaces : credentialPlaces)) continue
    if (parameter.location === "path" && !holes.has(parameter.name)) {
      warnings.push(`${operation.name}: the path has no place for its parameter ${quoted(parameter.name)}.`)
      continue
    }
    byKey.set(keyOf(parameter), parameter)
  }
  for (const name of holes) {
    if (byKey.has(`path:${name}`)) continue
    // A hole inside the query part of the path template may be declared as a query parameter; it fills the hole all the same.
    const declared = byKey.get(`query:${name}`)
    byKey.delete(`query:${name}`)
    byKey.set(`path:${name}`, {
      ...(declared ?? { ...undeclared, name }),
      location: "path",
      isRequired: true,
      style: "simple",
      mediaType: undefined,
    })
  }
  return { parameters: nameArguments([...byKey.values()]), warnings }
}

/** Splits a path template at its holes: literals at even places, names at odd ones. A fragment is cut off. */
export const splitPath = (path: string): ReadonlyArray<string> =>
  (path.split("#", 1)[0] ?? "").split(hole).map((piece, index) => (index % 2 === 0 ? piece : holeName(piece)))

const pathHoles = (path: string): ReadonlyArray<string> => splitPath(path).filter((_, index) => index % 2 === 1)

/** `{proxy+}`, `{path*}` and `{id:[0-9]+}` of other template languages are `proxy`, `path` and `id`. */
const holeName = (text: string): string => (text.split(":", 1)[0] ?? "").trim().replace(/[+*]$/, "")

/** The property that carries the request body. */
export const bodyArgument = "body"

/** The property that carries server variables, where a caller may choose them. */
export const serverArgument = "serverVariables"

const hole = /\{([^{}]*)\}/g

const undeclared: Omit<Parameter, "argument" | "name"> = {
  location: "path",
  isRequired: true,
  style: "simple",
  explode: false,
  allowReserved: false,
  mediaType: undefined,
  schema: { type: "string" },
  description: undefined,
  examples: [],
  isDeprecated: false,
}

const locations = new Set<string>(["path", "query", "querystring", "header", "cookie"])

const stylesOf: Readonly<Record<ParameterLocation, ReadonlyArray<ParameterStyle>>> = {
  path: ["simple", "label", "matrix"],
  query: ["form", "spaceDelimited", "pipeDelimited", "deepObject"],
  querystring: ["form"],
  header: ["simple"],
  cookie: ["form"],
}

const readParameter = (definition: JsonObject, references: References): Omit<Parameter, "argument"> | undefined => {
  const location = textOf(definition["in"])?.toLowerCase()
  if (location === undefined || !locations.has(location)) return undefined
  const place = location as ParameterLocation
  const name = place === "querystring" ? (textOf(definition["name"]) ?? "query") : textOf(definition["name"])
  if (name === undefined || !name.isWellFormed() || name === "__proto__") return undefined
  if ((place === "header" || place === "cookie") && !isToken.test(name)) return undefined
  const style = stylesOf[place].find((one) => one === definition["style"]) ?? stylesOf[place][0] ?? "form"
  const [content] = Object.entries(objectOf(definition["content"]))
  const media = content === undefined ? definition : objectOf(references.follow(content[1]))
  return {
    name: place === "path" ? holeName(name) : name,
    location: place,
    isRequired: place === "path" || definition["required"] === true,
    style,
    explode:
      typeof definition["explode"] === "boolean" ? definition["explode"] : style === "form" || style === "deepObject",
    allowReserved: definition["allowReserved"] === true,
    mediaType: content?.[0],
    schema: media["schema"] ?? inlineSchema(definition),
    description: textOf(definition["description"]),
    examples: [...examplesOf(definition, references), ...(content === undefined ? [] : examplesOf(media, references))],
    isDeprecated: definition["deprecated"] === true,
  }
}

/** The values of `example` and `examples` of a parameter or media type. */
export const examplesOf = (holder: JsonObject, references: References): ReadonlyArray<unknown> => {
  const named = Object.values(objectOf(holder["examples"])).flatMap((example) => {
    const target = objectOf(references.follow(example))
    return "value" in target ? [target["value"]] : "dataValue" in target ? [target["dataValue"]] : []
  })
  return holder["example"] === undefined ? named : [holder["example"], ...named]
}

/** Documents in transit from Swagger 2.0 put `type` and its like beside the name. */
const inlineSchema = (definition: JsonObject): unknown => {
  const kept = ["type", "format", "items", "enum", "default", "minimum", "maximum", "pattern", "minLength", "maxLength"]
  const schema = Object.fromEntries(kept.filter((key) => key in definition).map((key) => [key, definition[key]]))
  return Object.keys(schema).length === 0 ? {} : schema
}

const isToken = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const noPlaces: CredentialPlaces = new Set()

/** Headers that the specification, HTTP or this plugin sets: a parameter of that name is ignored. */
const ownHeaders = new Set([
  "accept",
  "authorization",
  "content-type",
  "content-length",
  "connection",
  "cookie",
  "expect",
  "host",
  "keep-alive",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
])

const isSetElsewhere = (parameter: Pick<Parameter, "location" | "name">, places: CredentialPlaces): boolean =>
  (parameter.location === "header" && ownHeaders.has(parameter.name.toLowerCase())) || places.has(keyOf(parameter))

const keyOf = ({ location, name }: Pick<Parameter, "location" | "name">): string =>
  `${location}:${location === "header" ? name.toLowerCase() : name}`

const precedence: ReadonlyArray<ParameterLocation> = ["path", "query", "querystring", "header", "cookie"]

const nameArguments = (parameters: ReadonlyArray<Omit<Parameter, "argument">>): ReadonlyArray<Parameter> => {
  const taken = new Set([bodyArgument, serverArgument])
  const chosen = new Map<object, string>()
  for (const location of precedence) {
    for (const parameter of parameters) {
      if (parameter.location !== location) continue
      let argument = parameter.name
      while (taken.has(argument)) argument = `${location}_${argument}`
      taken.add(argument)
      chosen.set(parameter, argument)
    }
  }
  return parameters.map((parameter) => ({ ...parameter, argument: chosen.get(parameter) ?? parameter.name }))
}
