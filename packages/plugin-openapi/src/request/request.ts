/**
 * From arguments to a request: a pure function per operation, compiled once and run for every call.
 *
 * The compiled builder only walks over closures: no schema, no document, no `URL` object. What an argument holds can fill its
 * own place and nothing else; the origin and the shape of the path are fixed when the builder is made.
 */
import { objectOf, ownValue, type JsonObject } from "../Json.ts"
import { kindOfMediaType } from "../mediaTypes.ts"
import { bodyArgument, serverArgument, splitPath, type Parameter } from "./parameters.ts"
import { bodyEncoder, type EncodedBody, type RequestBody } from "./requestBody.ts"
import {
  cookieSerializer,
  headerSerializer,
  pathSerializer,
  querySerializer,
  UnsendableValue,
  type Serializer,
} from "./serialization.ts"
import { expandServer, type Server } from "./servers.ts"

/** A request ready to be sent. Header names are in lower case. */
export interface PreparedRequest {
  readonly method: string
  readonly url: string
  readonly headers: Record<string, string>
  readonly body?: string | Uint8Array
}

/** Makes a request of arguments. Throws `InvalidArgumentError`. */
export type RequestBuilder = (args: JsonObject) => PreparedRequest

/** What a builder is made of. */
export interface RequestParts {
  /** In upper case. */
  readonly method: string
  /** The path template. */
  readonly path: string
  readonly parameters: ReadonlyArray<Parameter>
  readonly body: RequestBody | undefined
  readonly server: Server
  /** Whether the caller may choose server variables. */
  readonly isServerOpen: boolean
  /** Where a server that the caller chose may be. */
  readonly origins: ReadonlyArray<string>
  /** The media types of the successful responses. */
  readonly accepts: ReadonlyArray<string>
}

/** An argument that cannot be sent; the model reads this and corrects itself. */
export class InvalidArgumentError extends Error {
  /** A JSON pointer into the arguments. */
  readonly path: string
  /** Completes the sentence "the argument …"; never holds the value. */
  readonly problem: string

  constructor(names: ReadonlyArray<string>, problem: string) {
    const path = names.map((name) => `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("")
    super(`The argument ${path} ${problem}.`)
    this.path = path
    this.problem = problem
  }
}

/** Compiles the builder of one operation. Throws a plain `Error` when the path template itself leads out of its place. */
export const compileRequest = (parts: RequestParts): RequestBuilder => {
  const { method } = parts
  const writePath = compilePath(parts)
  const writeBase = compileBase(parts)
  const query = stepsOf(parts.parameters, "query", querySerializer).concat(
    stepsOf(parts.parameters, "querystring", querySerializer),
  )
  const headerSteps = stepsOf(parts.parameters, "header", headerSerializer)
  const cookies = stepsOf(parts.parameters, "cookie", cookieSerializer)
  const accept = acceptHeader(parts.accepts)
  const encodeBody = parts.body === undefined ? undefined : bodyEncoder(parts.body)

  return (args) => {
    const path = writePath(args)
    const search = joined(query, args, "&")
    const headers: Record<string, string> = { accept }
    for (const { argument, name, serialize } of headerSteps) {
      const value = ownValue(args, argument)
      if (value !== undefined && value !== null) headers[name.toLowerCase()] = run(serialize, value, argument)
    }
    const cookie = joined(cookies, args, "; ")
    if (cookie !== "") headers["cookie"] = cookie
    const url = writeBase(args) + path + (search === "" ? "" : `${path.includes("?") ? "&" : "?"}${search}`)
    const body = encodeBody === undefined ? undefined : ownValue(args, bodyArgument)
    if (encodeBody === undefined || body === undefined) return { method, url, headers }
    const encoded = encode(encodeBody, body)
    headers["content-type"] = encoded.mediaType
    return { method, url, headers, body: encoded.body }
  }
}

interface Step {
  readonly argument: string
  readonly name: string
  readonly serialize: Serializer
}

const stepsOf = (
  parameters: ReadonlyArray<Parameter>,
  location: Parameter["location"],
  serializerOf: (parameter: Parameter) => Serializer,
): ReadonlyArray<Step> =>
  parameters
    .filter((parameter) => parameter.location === location)
    .map((parameter) => ({ argument: parameter.argument, name: parameter.name, serialize: serializerOf(parameter) }))

const joined = (steps: ReadonlyArray<Step>, args: JsonObject, separator: string): string => {
  let text = ""
  for (const { argument, serialize } of steps) {
    const value = ownValue(args, argument)
    if (value === undefined || value === null) continue
    const piece = run(serialize, value, argument)
    if (piece !== "") text = text === "" ? piece : text + separator + piece
  }
  return text
}

const run = (serialize: Serializer, value: unknown, argument: string): string => {
  try {
    return serialize(value)
  } catch (thrown) {
    throw thrown instanceof UnsendableValue ? new InvalidArgumentError([argument], thrown.problem) : thrown
  }
}

const encode = (encodeBody: (value: unknown) => EncodedBody, value: unknown): EncodedBody => {
  try {
    return encodeBody(value)
  } catch (thrown) {
    throw thrown instanceof UnsendableValue ? new InvalidArgumentError([bodyArgument], thrown.problem) : thrown
  }
}

const compilePath = (parts: RequestParts): ((args: JsonObject) => string) => {
  const pieces = splitPath(parts.path)
  const literals = pieces.filter((_, index) => index % 2 === 0).map(normalLiteral)
  const first = literals[0] ?? ""
  literals[0] = first.startsWith("/") ? first : `/${first}`
  const holes = pieces
    .filter((_, index) => index % 2 === 1)
    .map((name): Step => {
      const parameter = parts.parameters.find((one) => one.location === "path" && one.name === name)
      if (parameter === undefined)
        throw new Error(`The path has a place ${JSON.stringify(name)} that no parameter fills.`)
      return { argument: parameter.argument, name, serialize: pathSerializer(parameter) }
    })
  if (holes.length === 0) {
    const whole = literals.join("")
    if (hasDotSegment.test(whole)) throw new Error('The path has a "." or ".." segment.')
    return () => whole
  }
  return (args) => {
    let path = literals[0] ?? ""
    for (let index = 0; index < holes.length; index += 1) {
      const hole = holes[index] as Step
      const value = ownValue(args, hole.argument)
      if (value === undefined || value === null) throw new InvalidArgumentError([hole.argument], "is missing")
      path += run(hole.serialize, value, hole.argument) + (literals[index + 1] ?? "")
    }
    // Two harmless neighbours can make a dot segment together, as in `/{a}{b}` or `/.{a}`.
    if (path.includes("/.") && hasDotSegment.test(path)) {
      throw new InvalidArgumentError([holes[0]?.argument ?? ""], 'must not make "." or ".." a path segment')
    }
    return path
  }
}

const hasDotSegment = /\/(\.|%2e){1,2}(\/|\?|$)/i

/** A literal of the path with everything percent-encoded that a URL parser would change or end the path at. */
const normalLiteral = (literal: string): string =>
  literal
    .toWellFormed()
    .replaceAll(/%(?![0-9A-Fa-f]{2})/g, "%25")
    .replaceAll(/[^A-Za-z0-9\-._~!$&'()*+,;=:@/?%]/gu, (character) => encodeURIComponent(character))

const compileBase = ({ server, isServerOpen, origins }: RequestParts): ((args: JsonObject) => string) => {
  const fixed = expandServer(server, {})
  if (!isServerOpen) {
    if ("fault" in fixed) throw new Error(`The server ${JSON.stringify(server.template)} ${fixed.fault}.`)
    return () => fixed.baseUrl
  }
  return (args) => {
    const expanded = expandServer(server, objectOf(ownValue(args, serverArgument)))
    if ("fault" in expanded) throw new InvalidArgumentError([serverArgument, expanded.variable], expanded.fault)
    const { origin } = new URL(expanded.baseUrl)
    if (!origins.includes(origin)) {
      throw new InvalidArgumentError(
        [serverArgument],
        `leads to ${origin}, which is none of this integration's origins`,
      )
    }
    return expanded.baseUrl
  }
}

/** What the operation declares, JSON first; anything else is taken as well, so that error bodies still come. */
const acceptHeader = (mediaTypes: ReadonlyArray<string>): string => {
  const usable = [...new Set(mediaTypes)].filter(
    (mediaType) => /^[\u0020-\u007e]+$/.test(mediaType) && !mediaType.includes(",") && mediaType.includes("/"),
  )
  const json = usable.filter((mediaType) => kindOfMediaType(mediaType) === "json")
  const [preferred = "application/json"] =
    json.length > 0 ? json : usable.filter((mediaType) => !mediaType.includes("*"))
  const also = preferred === "application/json" ? "" : "application/json;q=0.9, "
  return `${preferred}, ${also}*/*;q=0.5`
}
