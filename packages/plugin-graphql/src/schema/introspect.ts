/**
 * Asks an endpoint for its schema.
 *
 * Many services tell it to anybody, some to accounts only, some to nobody. The first question has everything that current
 * services know; one that does not understand it is asked the plain one of 2018.
 *
 * Spec: [GraphQL, section 4](https://spec.graphql.org/September2025/#sec-Introspection).
 */
import type { Fetch } from "@keyward/core"
import { getIntrospectionQuery } from "graphql"
import { isJsonObject, type JsonObject, quoted } from "../Json.ts"
import { requestHeaders } from "../operation/requestHeaders.ts"
import { isAuthenticationError, readErrors, sentenceOf } from "../response/graphqlErrors.ts"
import { GraphQLSchemaError } from "./GraphQLSchemaError.ts"
import { defaultMaxSchemaBytes } from "./loadSchema.ts"

/** How schemas are reached and how much of them is read. */
export interface SchemaSource {
  readonly fetch: Fetch
  /** Default: 16 MB. */
  readonly maxBytes?: number | undefined
  /** The longest that introspection may take, in milliseconds. Default: 30 s. */
  readonly timeoutMs?: number | undefined
}

/** What an endpoint answered: its schema as introspection's `data`, or that it tells it to accounts only. */
export type Introspection =
  | { readonly kind: "schema"; readonly data: JsonObject }
  | { readonly kind: "credential_required"; readonly reason: string }

/** Asks an endpoint for its schema. Fails with `GraphQLSchemaError` when it does not tell it, whoever asks. */
export const introspect = async (endpoint: string, source: SchemaSource): Promise<Introspection> => {
  const location = withoutQuery(endpoint)
  const signal = AbortSignal.timeout(source.timeoutMs ?? defaultTimeoutMs)
  let lastReason = "it did not answer."
  for (const query of queries) {
    const answer = await ask(endpoint, query, source, signal, location)
    if (answer.status === 401 || answer.status === 403) return credentialRequired(`it answered ${answer.status}`)
    const { data, errors } = read(answer)
    if (isJsonObject(data?.["__schema"])) return { kind: "schema", data }
    if (errors.some(isAuthenticationError)) return credentialRequired(`it said ${quoted(sentenceOf(errors))}`)
    lastReason =
      errors.length > 0
        ? `the service answered introspection with ${quoted(sentenceOf(errors))}.`
        : `the service answered introspection with ${answer.status} and no schema.`
    // A page of another kind will not turn into an answer.
    if (errors.length === 0) break
  }
  throw new GraphQLSchemaError({ location, reason: `${lastReason} Check the endpoint, or pass the schema.` })
}

/** A URL as it may be shown. */
export const withoutQuery = (url: string): string => url.split(/[?#]/, 1)[0] ?? url

const defaultTimeoutMs = 30_000

const queries: ReadonlyArray<string> = [
  getIntrospectionQuery({ specifiedByUrl: true, inputValueDeprecation: true, oneOf: true }),
  getIntrospectionQuery(),
]

interface Answer {
  readonly status: number
  readonly text: string
}

const credentialRequired = (reason: string): Introspection => ({ kind: "credential_required", reason })

const ask = async (
  endpoint: string,
  query: string,
  source: SchemaSource,
  signal: AbortSignal,
  location: string,
): Promise<Answer> => {
  const fail = (reason: string): never => {
    throw new GraphQLSchemaError({ location, reason })
  }
  const maxBytes = source.maxBytes ?? defaultMaxSchemaBytes
  try {
    const response = await source.fetch(endpoint, {
      method: "POST",
      headers: requestHeaders,
      body: JSON.stringify({ query, operationName: "IntrospectionQuery" }),
      signal,
    })
    const text = await readText(response, maxBytes)
    return text === undefined ? fail(`it is larger than ${maxBytes} bytes.`) : { status: response.status, text }
  } catch (thrown) {
    // Keyward's own errors say what is wrong with a connection or an address, and what to do.
    if (thrown instanceof Error && "_tag" in thrown) throw thrown
    return fail(signal.aborted ? "it did not arrive in time." : `it could not be fetched: ${messageOf(thrown)}`)
  }
}

const readText = async (response: Response, maxBytes: number): Promise<string | undefined> => {
  if (response.body === null) return ""
  const decoder = new TextDecoder()
  let text = ""
  let bytes = 0
  for await (const chunk of response.body) {
    bytes += chunk.byteLength
    if (bytes > maxBytes) return undefined
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

const read = ({
  text,
}: Answer): { readonly data: JsonObject | undefined; readonly errors: ReturnType<typeof readErrors> } => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { data: undefined, errors: [] }
  }
  if (!isJsonObject(value)) return { data: undefined, errors: [] }
  return { data: isJsonObject(value["data"]) ? value["data"] : undefined, errors: readErrors(value["errors"]) }
}

/** On one line, so that it can be part of a sentence; its own quotes stay as they are. */
const messageOf = (thrown: unknown): string =>
  thrown instanceof Error ? quoted(thrown.message, 300).slice(1, -1).replaceAll('\\"', '"') : "unknown fault"
