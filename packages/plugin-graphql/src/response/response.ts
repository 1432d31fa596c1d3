/**
 * From an answer to a result.
 *
 * Told apart are: data; data with errors (`partial_result`, both in the details); errors without data, by their kind; an answer
 * that is none of GraphQL's, by its HTTP status; and an error about the credential inside an answer of 200, which becomes what
 * a 401 would.
 *
 * Spec: [GraphQL over HTTP, section 6](https://graphql.github.io/graphql-over-http/draft/#sec-Response).
 */
import { ConnectionCredentialError, type SentResponse, type ToolFailure, type ToolResult } from "@keyward/core"
import { cut, isJsonObject, type JsonObject, quoted } from "../Json.ts"
import { codeOfError, type GraphQLResponseError, readErrors, sentenceOf } from "./graphqlErrors.ts"
import { codeOfStatus, isRetryableStatus, retryAfterOf } from "./httpStatus.ts"

/** What is known of the request. */
export interface AnsweredRequest {
  /** The connection's address. */
  readonly connection: string
  readonly isMutation: boolean
  /** The field whose value is the result; `undefined` hands out the whole data. */
  readonly field: string | undefined
}

/** Reads an answer to the end. Fails with `ConnectionCredentialError` when a 200 says that the credential was turned down. */
export const readResponse = async (response: SentResponse, request: AnsweredRequest): Promise<ToolResult> => {
  const text = await response.text()
  const body = bodyOf(text)
  if (body === undefined) return notGraphQL(response, text, request)
  const { data, errors } = body
  const hasData = isJsonObject(data) && Object.values(data).some((value) => value !== null)
  if (errors.length > 0) {
    return hasData && response.status < 400
      ? failed(partialFailure(data, errors, request))
      : failed(errorFailure(response, errors, request))
  }
  if (response.status >= 400 || !isJsonObject(data)) return notGraphQL(response, text, request)
  return {
    ok: true,
    data: valueOf(data, request.field),
    http: { status: response.status, headers: shownHeaders(response.headers) },
  }
}

interface GraphQLBody {
  readonly data: unknown
  readonly errors: ReadonlyArray<GraphQLResponseError>
}

/** The answer as GraphQL's, whatever its type says: many services send JSON under another name. */
const bodyOf = (text: string): GraphQLBody | undefined => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!isJsonObject(value)) return undefined
  const { data, errors } = value
  if (Array.isArray(errors) && errors.length > 0) return { data, errors: readErrors(errors) }
  return "data" in value ? { data, errors: [] } : undefined
}

/** The field's value; names may be those of `Object.prototype`. */
const valueOf = (data: JsonObject, field: string | undefined): unknown =>
  field === undefined ? data : Object.hasOwn(data, field) ? (data[field] ?? null) : null

const failed = (error: ToolFailure): ToolResult => ({ ok: false, error })

const partialFailure = (
  data: JsonObject,
  errors: ReadonlyArray<GraphQLResponseError>,
  { field, isMutation }: AnsweredRequest,
): ToolFailure => ({
  code: "partial_result",
  message: `The service answered with a part of the data: ${sentenceOf(errors)}. What there is stands in details.data.${
    isMutation
      ? " The mutation may have had an effect; check before repeating it."
      : field === undefined
        ? ""
        : " A selection of your own can leave out what fails."
  }`,
  retryable: false,
  details: { data: valueOf(data, field), errors },
})

const errorFailure = (
  response: SentResponse,
  errors: ReadonlyArray<GraphQLResponseError>,
  { connection, isMutation }: AnsweredRequest,
): ToolFailure => {
  const { status } = response
  const codes = errors.map(codeOfError).filter((code) => code !== undefined)
  // What stops everything explains the rest.
  const code =
    urgent.find((word) => codes.includes(word)) ?? codes[0] ?? (status >= 400 ? codeOfStatus(status) : "graphql_error")
  const said = sentenceOf(errors)
  if (status < 400 && (code === "unauthorized" || code === "insufficient_scope")) {
    throw new ConnectionCredentialError({
      code: code === "unauthorized" ? "connection_rejected" : "insufficient_scope",
      connection,
      reason: "graphql_error",
      nextStep:
        code === "unauthorized"
          ? `The service said ${quoted(said)}. Save a valid credential under the same name, or connect the account again.`
          : `The service said ${quoted(said)}. Provide a credential with the permission that the service asks for.`,
      retryable: false,
      authRequired: true,
    })
  }
  const retryAfterMs = retryAfterOf(response.headers)
  return {
    code,
    message: `${introductions.get(code) ?? "The service refused the operation"}: ${said}`,
    ...(status >= 400 ? { status } : {}),
    retryable:
      code === "rate_limited" ||
      (status >= 400 ? isRetryableStatus(status, isMutation) : !isMutation && code === "upstream_unavailable"),
    details: { errors, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
  }
}

const urgent = ["unauthorized", "insufficient_scope", "rate_limited", "persisted_query_required"]

const introductions = new Map([
  [
    "persisted_query_required",
    "The service runs only operations that were registered with it (persisted), and this one is not",
  ],
  ["rate_limited", "The service limits how much may be asked"],
])

/** An answer that is none of GraphQL's: from something on the way, or from another address. */
const notGraphQL = (response: SentResponse, text: string, { isMutation }: AnsweredRequest): ToolResult => {
  const { status, headers } = response
  const excerpt = excerptOf(text, headers["content-type"])
  const retryAfterMs = retryAfterOf(headers)
  const details = {
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(excerpt === undefined ? {} : { body: excerpt }),
  }
  const isFailure = status >= 300
  return failed({
    code: isFailure ? codeOfStatus(status) : "invalid_response",
    message: isFailure
      ? `The service answered ${status}${excerpt === undefined ? "." : `: ${quoted(excerpt)}`}`
      : "The service answered with something that is no GraphQL response. Check the integration's endpoint.",
    status,
    retryable: isFailure && isRetryableStatus(status, isMutation),
    ...(Object.keys(details).length > 0 ? { details } : {}),
  })
}

const longestExcerpt = 1_000

/** The beginning of an answer as text; markup without its tags, and nothing of what is no text. */
const excerptOf = (text: string, contentType: string | undefined): string | undefined => {
  const start = text.slice(0, 16_000)
  // eslint-disable-next-line no-control-regex -- bytes that are no text are what is looked for
  if (/[\u0000-\u0008\u000e-\u001f\ufffd]/.test(start)) return undefined
  const isMarkup = contentType?.includes("html") === true || /^\s*<(!doctype|html|\?xml)/i.test(start)
  const readable = isMarkup ? start.replaceAll(/<[^<>]*>/g, " ").replaceAll(/\s+/g, " ") : start
  const trimmed = readable.trim()
  return trimmed === "" ? undefined : cut(trimmed, longestExcerpt)
}

/** Session cookies are credentials of a kind and are not shown. */
const shownHeaders = (headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> => {
  if (headers["set-cookie"] === undefined) return headers
  const { "set-cookie": _, ...shown } = headers
  return shown
}
